//! The end of an import: its last transaction makes everything that was staged visible.

use super::{ImportError, Outcome, Sender, Template, UploadReport, stager::Stager, subject_changes::SubjectUpdates};
use crate::{
    domain::{Actor, Timestamp},
    ledger::{self, Action, Change, LedgerError},
    outbox::EventBatch,
    store::{
        DbError, Tx, changes, clients, imports,
        pair::{self, PairMark},
        runs, statuses, subjects,
        voids::{self, NewVoid, VoidRow},
    },
};

/// Why an attempt at the last transaction was given up.
enum Failed {
    /// The store failed. In contention with others, the transaction is tried again.
    Store(DbError),
    /// The import cannot be accepted.
    Import(ImportError),
}

impl From<DbError> for Failed {
    fn from(error: DbError) -> Self {
        Self::Store(error)
    }
}

impl From<LedgerError> for Failed {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => Self::Store(error),
            error => Self::Import(ImportError::Ledger(Box::new(error))),
        }
    }
}

/// Attempts at the last transaction.
const ATTEMPTS: usize = 5;

impl Stager<'_> {
    /// Ends an import whose rows are all staged: accepts it, or removes it if no row was accepted.
    pub(super) async fn conclude(&mut self, seq: i64) -> Result<(), ImportError> {
        self.report.import_id = Some(self.run.id.to_string());
        // Accepted, its digest would be recognised from then on, and the same file could not be imported once its
        // subjects are.
        if self.report.accepted == 0 && self.report.rejected > 0 {
            self.report.outcome = Outcome::NothingTaken;
            self.run.importer.remove(self.report.template, seq).await?;
            return self.store_report().await;
        }
        let accepted = self.report.accepted;
        match self.run.replaced.same {
            // An operator who says so may replace it all the same.
            Some((import, before)) if accepted < before && self.run.replaced.former != Some(import) => {
                return Err(ImportError::FewerAccepted { import, before, now: accepted });
            }
            _ => {}
        }
        self.report.replaced = self.delivered.former.map(Into::into);
        self.accept(seq).await?;
        self.report.outcome = Outcome::Accepted;
        self.report.import_seq = Some(seq);
        if self.report.template == Template::Subjects {
            // They are in the core now. After a crash here the staged rows, which are sealed, stay until the next
            // import of subjects.
            let _ = self.run.importer.remove_staged_subjects(seq).await;
        }
        Ok(())
    }

    async fn accept(&mut self, seq: i64) -> Result<(), ImportError> {
        // Changes are computed before the transaction, so that it is short. They stay correct: only imports change
        // these values, and no other import runs.
        let updates = match self.report.template {
            Template::Subjects => self.subject_updates(seq).await?,
            _ => SubjectUpdates::default(),
        };
        let events = self.events(seq, &updates.events).await?;
        let voids = match self.report.template {
            Template::Voids => self.staged_voids(seq).await?,
            _ => Vec::new(),
        };
        // Its rows are committed. A crash here leaves a mark of an import that is never accepted, which harms nothing.
        let mark = pair::mark_bulk(&self.run.importer.env.db, seq)
            .await
            .map_err(ImportError::store("mark the bulk tables"))?;
        let mut attempts = 1;
        loop {
            match self.try_accept(mark, &updates, &voids, &events).await {
                // Nothing of the attempt was committed, and pages and events are still in memory: all of it is tried
                // again.
                Err(Failed::Store(error)) if error.is_contention() && attempts < ATTEMPTS => attempts += 1,
                Err(Failed::Store(error)) => return Err(ImportError::store("accept the import")(error)),
                Err(Failed::Import(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// The facts that the import takes back.
    async fn staged_voids(&self, seq: i64) -> Result<Vec<VoidRow>, ImportError> {
        let rows = voids::of_import(&self.run.importer.env.db.read("voids::of_import"), seq).await;
        rows.map_err(ImportError::store("read the facts to take back"))
    }

    async fn try_accept(
        &self,
        mark: PairMark,
        updates: &SubjectUpdates,
        voids: &[VoidRow],
        events: &EventBatch,
    ) -> Result<(), Failed> {
        let seq = mark.import();
        let env = &self.run.importer.env;
        let now = env.clock.now();
        let mut tx = env.db.begin("imports::accept").await?;
        // First: nothing below matters if the sender's access has ended.
        if let Some(sender) = &self.run.sender {
            self.check_sender(&mut tx, sender).await?;
            // In this transaction, so that a sender who finds its report knows that the rows are visible.
            self.write_report(&mut tx, sender, Outcome::Accepted, now).await?;
        }
        self.audit(&mut tx, voids).await?;
        events.write(&mut tx, now).await?;
        for page in &updates.pages {
            subjects::upsert(&mut tx, page.clone(), seq, now).await?;
        }
        if !updates.statuses.is_empty() {
            let changes = serde_json::Value::Array(updates.statuses.clone()).to_string();
            statuses::insert(&mut tx, &changes, seq).await?;
        }
        imports::accept(&mut tx, seq, self.counts(), mark, now).await?;
        for former in self.run.replaced.imports() {
            imports::replace(&mut tx, former, seq).await?;
        }
        let revised = self.report.template == Template::Settlements;
        if revised || !updates.pages.is_empty() {
            // Answers in progress either commit before this, or are rendered again with the new subjects and months.
            // The lock comes late so that answers wait for little more than the commit; and it comes before the numbers
            // below, in the same order as everywhere else, so that nobody deadlocks.
            let banks = runs::client_ids(&mut tx).await?;
            tx.lock_banks_exclusive(&banks).await?;
        }
        if revised {
            // Cached months are out of date.
            runs::raise_publication(&mut tx).await?;
        }
        // Last: its row stays locked until the commit, and the changes of every gateway wait for it.
        changes::raise(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Refuses the upload if its sender has been suspended or changed since its token was checked.
    async fn check_sender(&self, tx: &mut Tx, sender: &Sender) -> Result<(), Failed> {
        let client = sender.client.to_string();
        // Suspending a client takes the same lock exclusively: the order of commits decides (I3).
        tx.lock_banks_shared(std::slice::from_ref(&client)).await?;
        if clients::is_active(tx, &client, sender.epoch).await? {
            Ok(())
        } else {
            Err(Failed::Import(ImportError::SenderEnded))
        }
    }

    /// Writes the ledger entry that names who imported the file.
    async fn audit(&self, tx: &mut Tx, voids: &[VoidRow]) -> Result<(), Failed> {
        let mut detail = serde_json::json!({
            "accepted": self.report.accepted,
            "rejected": self.report.rejected,
            "sha256": self.report.sha256,
            "template": self.report.template.as_str(),
        });
        if let (Some(replaced), Some(detail)) = (&self.report.replaced, detail.as_object_mut()) {
            detail.insert("replaces".into(), replaced.import_seq.into());
            detail.insert("voided".into(), replaced.voided.into());
        }
        let change = Change::of(detail);
        let (importer, id) = (self.run.importer, self.run.id.to_string());
        let department = self.run.sender.as_ref().map(|sender| Actor::department(sender.client));
        let actor = department.unwrap_or_else(|| importer.actor.clone());
        ledger::audit(tx, &importer.env, &actor, Action::ImportAccepted, Some(&id), change).await?;
        for void in voids {
            importer.record_decision(tx, &actor, &id, NewVoid::from(void)).await?;
        }
        Ok(())
    }

    /// Stores the report of an upload for its sender.
    async fn write_report(&self, tx: &mut Tx, sender: &Sender, outcome: Outcome, now: Timestamp) -> Result<(), Failed> {
        let report = UploadReport::of(&self.report, outcome, self.listed());
        let report = serde_json::to_string(&report).map_err(|error| Failed::Import(ImportError::Json(error)))?;
        Ok(imports::insert_report(tx, &self.run.id.to_string(), &sender.client.to_string(), &report, now).await?)
    }

    /// Stores the report of an upload none of whose rows was accepted.
    async fn store_report(&self) -> Result<(), ImportError> {
        let Some(sender) = &self.run.sender else { return Ok(()) };
        let env = &self.run.importer.env;
        let stored = async {
            let mut tx = env.db.begin("imports::insert_report").await?;
            self.write_report(&mut tx, sender, Outcome::NothingTaken, env.clock.now()).await?;
            Ok(tx.commit().await?)
        };
        stored.await.map_err(|failed| match failed {
            Failed::Store(error) => ImportError::store("store the report")(error),
            Failed::Import(error) => error,
        })
    }
}
