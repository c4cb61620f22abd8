//! Makes packages: what a platform is to have is compared with what it was sent, and the differences are frozen.
//!
//! - A package is the difference and nothing else. Made again without a change, there is none; after a crash, what was made is
//!   there or is made again. So corrections, withdrawals and schedules all come here, and none needs to know what was sent.
//! - Rows of one record are always in the same lane, and a lane delivers its pages in order: a correction never overtakes.
//! - Rows are stored page by page in short transactions, so that banks' answers do not wait. One transaction then freezes the
//!   package: its number, digest and signature, the ledger entry, and an outbox item for each page (I1, I6).

mod body;
mod content;
mod draft;
mod grades;
mod lanes;
mod occasions;
mod plan;
mod usage;
mod versions;

use std::sync::Arc;

pub use body::{PageBody, StoredRow};
pub use draft::{lock_of, target};
pub use grades::GradesOf;
pub use occasions::Occasion;
pub use plan::{Cause, LeftOutSubject, Made, MadePackage, NotSent, Plan, Scope};
pub use usage::{UsageOf, UsagePeriod};

use super::{
    PushError,
    carrier::https::CurrentSigner,
    platform::{Evaluator, Platform},
};
use crate::{
    domain::{Kinds, region::RegionTable},
    grading::{Library, Rounds},
    store::{Env, JobLock, push::packages},
};

/// The name of the lock that only one process has while it makes packages.
const LOCK: &str = "push";

/// Makes packages for platforms.
#[derive(Clone)]
pub struct Maker {
    pub(super) env: Env,
    pub(super) tables: Arc<MakerTables>,
    pub(super) signer: CurrentSigner,
}

/// What records are made of beside the store.
#[derive(Debug)]
pub struct MakerTables {
    pub library: Library,
    pub kinds: Kinds,
    pub regions: RegionTable,
    /// Who grades.
    pub evaluator: Evaluator,
    /// How many days a platform has to answer a correction, and another package.
    pub answer_days: AnswerDays,
}

/// The days in which a platform is to answer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerDays {
    /// A correction or a withdrawal: rules of credit repair (信用修复) give three days after a revoked penalty.
    pub correction: u16,
    pub other: u16,
}

impl std::fmt::Debug for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maker").finish_non_exhaustive()
    }
}

impl Maker {
    /// A maker for the rounds of a store.
    pub fn new(env: Env, tables: MakerTables, signer: CurrentSigner) -> Self {
        Self { env, tables: Arc::new(tables), signer }
    }

    /// The store, the clock and the source of randomness.
    pub const fn env(&self) -> &Env {
        &self.env
    }

    /// The kinds of subjects.
    pub(super) fn kinds(&self) -> &Kinds {
        &self.tables.kinds
    }

    fn rounds(&self) -> Rounds {
        Rounds::new(self.env.clone())
    }

    /// Takes the lock under which packages are made: of several processes, one makes them.
    pub async fn lock(&self) -> Result<Option<JobLock>, PushError> {
        JobLock::try_acquire(&self.env.db, LOCK).await.map_err(PushError::store("taking the lock of packages"))
    }

    /// Deletes what is left of packages whose maker was killed: they were never frozen, so nothing of them has left. The caller
    /// holds the lock.
    pub(super) async fn discard_unfinished(&self, platform: &Platform) -> Result<(), PushError> {
        let during = || PushError::store("deleting an unfinished package");
        let unfinished = packages::building(&self.env.db.read("push::building"), &platform.id).await;
        for package in unfinished.map_err(during())? {
            let last = packages::last_page(&self.env.db.read("push::last_page"), &package.id).await;
            // By pages, which keeps transactions short.
            for page in 1..=last.map_err(during())? {
                let mut tx = self.env.db.begin("push::discard").await.map_err(during())?;
                packages::delete_page(&mut tx, &package.id, page).await.map_err(during())?;
                tx.commit().await.map_err(during())?;
            }
            let mut tx = self.env.db.begin("push::discard").await.map_err(during())?;
            packages::delete(&mut tx, &package.id).await.map_err(during())?;
            tx.commit().await.map_err(during())?;
        }
        Ok(())
    }
}
