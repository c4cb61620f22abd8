//! The last transaction of an import: everything it staged becomes visible at once.

use crate::domain::Actor;
use std::collections::HashMap;

use data_encoding::HEXLOWER;

use super::{
    DeliveryReport, ImportError, Outcome, Sender, Template,
    events::SubjectChanged,
    findings::{Code, Finding, Severity},
    rows::subjects::StagedSubject,
    stager::Stager,
};
use crate::{
    domain::Timestamp,
    ledger::{self, Action, Change, LedgerError},
    outbox::EventBatch,
    store::{
        Crypter, DbError, Tx, changes, clients, imports,
        personal::Personal,
        runs,
        subjects::{self, SubjectRow},
    },
};

/// Why the last transaction was given up: for a reason of the store's, after which it may be tried again, or of ours.
enum Refused {
    Store(DbError),
    Otherwise(ImportError),
}

impl From<DbError> for Refused {
    fn from(error: DbError) -> Self {
        Self::Store(error)
    }
}

/// Subjects of one statement.
const PAGE: i64 = 2_000;

/// Times the last transaction is tried when others are in its way.
const TRIES: usize = 5;

impl Stager<'_> {
    pub(super) async fn accept(&mut self, seq: i64) -> Result<(), ImportError> {
        // What changes is found out before the transaction, so that it is short: only imports change these values, and
        // no other import runs.
        let subjects = self.report.template == Template::Subjects;
        let (pages, changed) = if subjects { self.changed_subjects(seq).await? } else { Default::default() };
        let events = self.events(seq, &changed).await?;
        let mut tries = 1;
        loop {
            match self.try_accept(seq, &pages, &events).await {
                Err(Refused::Store(error)) if error.is_contention() && tries < TRIES => tries += 1,
                Err(Refused::Store(error)) => return Err(ImportError::store("accept the import")(error)),
                Err(Refused::Otherwise(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn try_accept(&self, seq: i64, pages: &[String], events: &EventBatch) -> Result<(), Refused> {
        let now = self.importer.env.clock.now();
        let mut tx = self.importer.env.db.begin("imports::accept").await?;
        if let Some(sender) = &self.sender {
            self.check_sender(&mut tx, sender).await?;
            self.keep_accepted_report(&mut tx, sender, now).await?;
        }
        self.enter(&mut tx).await?;
        events.write(&mut tx, now).await?;
        for page in pages {
            subjects::upsert(&mut tx, page.clone(), seq, now).await?;
        }
        imports::accept(&mut tx, seq, self.counts(), now).await?;
        let revised = self.report.template == Template::Settlements;
        if revised || !pages.is_empty() {
            // Answers under way are recorded before this, or rendered again with the subjects as they are now. Taken this
            // late, so that they wait for little more than the commit; and before the numbers below, as everyone else
            // who takes both does.
            let banks = runs::banks(&mut tx).await?;
            tx.lock_banks_exclusive(&banks).await?;
        }
        if revised {
            // A month that was read before is not the present one any more.
            runs::raise_publication(&mut tx).await?;
        }
        changes::raise(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Refuses a delivery whose sender is no longer as it was proved.
    async fn check_sender(&self, tx: &mut Tx, sender: &Sender) -> Result<(), Refused> {
        let client = sender.client.to_string();
        // Whoever stops a client takes the same lock alone: the order of commits decides (I3).
        tx.lock_banks_shared(std::slice::from_ref(&client)).await?;
        if clients::stands(tx, &client, sender.epoch).await? {
            Ok(())
        } else {
            Err(Refused::Otherwise(ImportError::SenderEnded))
        }
    }

    /// The report of an accepted delivery, kept for its sender.
    async fn keep_accepted_report(&self, tx: &mut Tx, sender: &Sender, now: Timestamp) -> Result<(), Refused> {
        let report = DeliveryReport::of(&self.report, Outcome::Accepted, self.listed());
        let report = serde_json::to_string(&report).map_err(|error| Refused::Otherwise(ImportError::Json(error)))?;
        Ok(imports::keep_report(tx, (&self.id.to_string(), &sender.client.to_string()), &report, now).await?)
    }

    /// Writes the entry of the import, whoever made it.
    async fn enter(&self, tx: &mut Tx) -> Result<(), Refused> {
        let change = Change::of(serde_json::json!({
            "accepted": self.report.accepted,
            "rejected": self.report.rejected,
            "sha256": self.report.sha256,
            "template": self.report.template.as_str(),
        }));
        let (env, id) = (&self.importer.env, self.id.to_string());
        let department = self.sender.as_ref().map(|sender| Actor::department(sender.client));
        let actor = department.unwrap_or_else(|| self.importer.actor.clone());
        let entered = ledger::audit(tx, env, &actor, Action::ImportAccepted, Some(&id), change);
        entered.await.map(drop).map_err(|error| match error {
            LedgerError::Store(error) => Refused::Store(error),
            error => Refused::Otherwise(ImportError::Ledger(Box::new(error))),
        })
    }

    /// Keeps the report of a delivery of which nothing could be taken.
    pub(super) async fn keep_report(&self) -> Result<(), ImportError> {
        let Some(sender) = &self.sender else { return Ok(()) };
        let failed = || ImportError::store("keep the report");
        let told = DeliveryReport::of(&self.report, Outcome::NothingTaken, self.listed());
        let told = serde_json::to_string(&told).map_err(ImportError::Json)?;
        let now = self.importer.env.clock.now();
        let mut tx = self.importer.env.db.begin("imports::keep_report").await.map_err(failed())?;
        let ids = (self.id.to_string(), sender.client.to_string());
        imports::keep_report(&mut tx, (&ids.0, &ids.1), &told, now).await.map_err(failed())?;
        tx.commit().await.map_err(failed())
    }

    /// The staged subjects that are new or different, as batches for the upsert; and what changed of those that were known.
    async fn changed_subjects(&mut self, seq: i64) -> Result<(Vec<String>, Vec<SubjectChanged>), ImportError> {
        let failed = || ImportError::store("compare subjects");
        let (mut pages, mut events, mut after) = (Vec::new(), Vec::new(), 0);
        loop {
            let read = self.importer.env.db.read("subjects::list_staged");
            let staged = subjects::list_staged(&read, seq, after, PAGE).await.map_err(failed())?;
            let Some(last) = staged.last() else { return Ok((pages, events)) };
            after = last.line;
            let mut wanted = Vec::with_capacity(staged.len());
            for row in &staged {
                let subject: StagedSubject = serde_json::from_str(&row.body).map_err(ImportError::Json)?;
                wanted.push((row.line, subject));
            }
            let codes: Vec<&str> = wanted.iter().map(|(_, subject)| subject.code.as_str()).collect();
            let present =
                subjects::list(&self.importer.env.db.read("subjects::list"), &codes).await.map_err(failed())?;
            let present: HashMap<&str, &SubjectRow> = present.iter().map(|row| (row.code.as_str(), row)).collect();
            let mut changed = Vec::new();
            for (line, subject) in &wanted {
                let before = present.get(subject.code.as_str()).copied();
                let differences = self.differences(*line, subject, before)?;
                if before.is_none() || !differences.is_empty() {
                    changed.push(subject);
                }
                if !differences.is_empty() {
                    let code = subject.code.clone();
                    events.push(SubjectChanged { code, import: self.id, changed: differences });
                }
            }
            if !changed.is_empty() {
                pages.push(serde_json::to_string(&changed).map_err(ImportError::Json)?);
            }
        }
    }

    fn differences(
        &mut self,
        line: i64,
        subject: &StagedSubject,
        before: Option<&SubjectRow>,
    ) -> Result<Vec<&'static str>, ImportError> {
        let Some(before) = before else {
            self.report.subjects.new += 1;
            return Ok(vec![]);
        };
        let differences = differences(subject, before, &self.importer.crypter)?;
        if differences.is_empty() {
            self.report.subjects.unchanged += 1;
            return Ok(differences);
        }
        self.report.subjects.changed += 1;
        if let (Some(old), Some(new)) = (&before.uscc, &subject.uscc)
            && old != new
        {
            let message =
                format!("{} passes from {old} to {new}: consents given by {old} do not cover it", subject.code);
            self.note(&Finding {
                line: u64::try_from(line).unwrap_or(0),
                column: "uscc",
                code: Code::UsccChanged,
                severity: Severity::Warning,
                message,
            })?;
        }
        Ok(differences)
    }
}

/// The columns in which a staged subject says other than the store. Sealed parts differ every time, so they are opened and
/// compared. A natural person's name is one of them.
fn differences(staged: &StagedSubject, row: &SubjectRow, crypter: &Crypter) -> Result<Vec<&'static str>, ImportError> {
    let (same_name, same_identity) = same_personal(staged, row, crypter)?;
    let plain = [
        ("kind", staged.kind == row.kind),
        ("uscc", staged.uscc == row.uscc),
        ("name", same_name),
        ("region", staged.region == row.region),
        ("level", staged.level == row.level),
        ("parent_code", staged.parent_code == row.parent_code),
        ("agreement_signed_on", staged.agreement_signed_on == row.agreement_signed_on),
        ("agreement_status", staged.agreement_status == row.agreement_status),
        ("licence_status", staged.licence_status == row.licence_status),
        ("identity", same_identity),
    ];
    Ok(plain.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect())
}

/// Whether the names are the same, and whether the other personal parts are.
fn same_personal(staged: &StagedSubject, row: &SubjectRow, crypter: &Crypter) -> Result<(bool, bool), ImportError> {
    let sealed = staged.sealed.identity.as_ref().map(|hex| HEXLOWER.decode(hex.as_bytes()).unwrap_or_default());
    let open = |sealed: Option<&[u8]>| Personal::of(crypter, &staged.code, sealed).map_err(ImportError::Personal);
    let (new, old) = (open(sealed.as_deref())?, open(row.sealed_identity.as_deref())?);
    // Sealed under a key that is being retired: taking the new seal is the change.
    let outdated = row.sealed_identity.as_ref().is_some_and(|there| crypter.is_outdated(there));
    let same = new.id_type == old.id_type
        && new.id_number == old.id_number
        && new.legal_representative == old.legal_representative;
    Ok((staged.name == row.name && new.name == old.name, same && !outdated))
}
