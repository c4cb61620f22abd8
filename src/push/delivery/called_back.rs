//! Receipts that a platform sends of itself, in place of a list that the gateway reads.

use serde_json::{Value, json};

use super::{Deliveries, answers::count};
use crate::{
    domain::{Actor, Failure, FailureKind},
    ledger::{self, Action, Change},
    push::carrier::read_receipts,
    store::push::packages,
};

/// The most receipts of a call.
pub const MOST_RECEIPTS: usize = 1_000;

/// The outcome of a platform's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledBack {
    /// Rows that were accepted, and were not known to be.
    pub accepted: u64,
    /// Rows that were rejected, and were not known to be.
    pub rejected: u64,
    /// Receipts that cannot be read. The others were used.
    pub unreadable: Vec<Unreadable>,
    /// Whether nothing of the package is open any more.
    pub is_closed: bool,
}

/// A receipt that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its position in the call, from 0.
    pub position: usize,
    pub problem: String,
}

impl Deliveries {
    /// Applies receipts for a package that its platform sends, as those that are read from it: one that repeats another, or is about a
    /// row that was never sent to it, changes nothing. The platform need not be one that packages are delivered to at present. A call
    /// that changes something is one entry of the ledger, in the transaction of the change.
    pub async fn called_back(
        &self,
        platform: &str,
        number: i64,
        receipts: &[Value],
        actor: &Actor,
    ) -> Result<CalledBack, Failure> {
        if receipts.len() > MOST_RECEIPTS {
            let public = format!("A call has at most {MOST_RECEIPTS} receipts: send them in several.");
            return Err(Failure::new(FailureKind::Unprocessable, "too_many_rows", public));
        }
        let db = &self.maker.env.db;
        let package = packages::numbered(&db.read("push::called_back"), platform, number).await?;
        let package = package.ok_or_else(|| {
            Failure::not_found("package_not_found", format!("The platform was never sent a package {number}."))
        })?;
        let (entries, faulty) = read_receipts(receipts);
        let env = &self.maker.env;
        let mut tx = env.db.begin("push::called_back").await?;
        let (accepted, rejected) = self.apply_in(&mut tx, platform, &entries).await?;
        if accepted + rejected > 0 {
            let detail = json!({ "package": number, "accepted": accepted, "rejected": rejected });
            ledger::audit(&mut tx, env, actor, Action::ReceiptsReported, Some(platform), Change::of(detail)).await?;
        }
        tx.commit().await?;
        count(platform, (accepted, rejected));
        // Also without anything new: a crash between the two steps is made good by repeating the call.
        let is_closed = package.state == "closed" || self.close(&package.id).await?;
        let unreadable = faulty.into_iter().map(|(position, problem)| Unreadable { position, problem }).collect();
        Ok(CalledBack { accepted, rejected, unreadable, is_closed })
    }
}
