//! Which staged subjects are new or differ from the stored ones.

use std::collections::HashMap;

use data_encoding::HEXLOWER;

use super::{
    ImportError,
    events::SubjectChanged,
    findings::{Code, Finding, Severity},
    rows::subjects::StagedSubject,
    stager::Stager,
};
use crate::store::{
    Crypter,
    personal::Personal,
    subjects::{self, SubjectRow},
};

/// Subjects of one statement.
const PAGE: i64 = 2_000;

/// The changes that an import makes to subjects.
#[derive(Debug, Default)]
pub(super) struct SubjectUpdates {
    /// New and changed subjects as JSON, one page for each upsert.
    pub(super) pages: Vec<String>,
    /// The changed statuses as JSON, see [`crate::store::statuses::insert`].
    pub(super) statuses: Vec<serde_json::Value>,
    /// Events about subjects that existed before.
    pub(super) events: Vec<SubjectChanged>,
}

impl Stager<'_> {
    /// Compares the staged subjects with the stored ones.
    pub(super) async fn subject_updates(&mut self, seq: i64) -> Result<SubjectUpdates, ImportError> {
        let failed = || ImportError::store("compare subjects");
        let db = &self.run.importer.env.db;
        let (mut updates, mut after) = (SubjectUpdates::default(), 0);
        loop {
            let staged = subjects::list_staged(&db.read("subjects::list_staged"), seq, after, PAGE).await;
            let staged = staged.map_err(failed())?;
            let Some(last) = staged.last() else { return Ok(updates) };
            after = last.line;
            let mut subjects = Vec::with_capacity(staged.len());
            for row in &staged {
                let subject: StagedSubject = serde_json::from_str(&row.body).map_err(ImportError::Json)?;
                subjects.push((row.line, subject));
            }
            let codes: Vec<String> = subjects.iter().map(|(_, subject)| subject.code.clone()).collect();
            let stored = subjects::list(&db.read("subjects::list"), &codes).await.map_err(failed())?;
            let stored: HashMap<&str, &SubjectRow> = stored.iter().map(|row| (row.code.as_str(), row)).collect();
            let mut changed = Vec::new();
            for (line, subject) in &mut subjects {
                let before = stored.get(subject.code.as_str()).copied();
                self.date_statuses(*line, subject, before, &mut updates.statuses)?;
                let differences = self.compare(*line, subject, before)?;
                // An unchanged row is not written: its new version would make answers in progress stale for nothing.
                if before.is_none() || !differences.is_empty() {
                    changed.push(&*subject);
                }
                if !differences.is_empty() {
                    let (code, import) = (subject.code.clone(), self.run.id);
                    updates.events.push(SubjectChanged { code, import, changed: differences });
                }
            }
            if !changed.is_empty() {
                updates.pages.push(serde_json::to_string(&changed).map_err(ImportError::Json)?);
            }
        }
    }

    /// Completes the first days of a subject's statuses, and collects those that are new. A status that changes without a day
    /// holds from today on: until then, the one before it was on record.
    fn date_statuses(
        &mut self,
        line: i64,
        subject: &mut StagedSubject,
        before: Option<&SubjectRow>,
        changes: &mut Vec<serde_json::Value>,
    ) -> Result<(), ImportError> {
        let today = self.run.importer.env.clock.now().day().to_string();
        let code = subject.code.clone();
        let agreement = before.map(|row| (row.agreement_status.as_str(), row.agreement_status_on.as_deref()));
        let licence = before.map(|row| (row.licence_status.as_str(), row.licence_status_on.as_deref()));
        let parts = [
            ("agreement", &subject.agreement_status, &mut subject.agreement_status_on, agreement),
            ("licence", &subject.licence_status, &mut subject.licence_status_on, licence),
        ];
        let mut undated = Vec::new();
        for (of, status, on, former) in parts {
            match former {
                Some((was, was_on)) if on.is_none() && was == status.as_str() => *on = was_on.map(str::to_owned),
                Some((was, _)) if on.is_none() => {
                    undated.push((
                        of,
                        format!("changes from {was} to {status} without a first day: it holds from {today} on"),
                    ));
                    *on = Some(today.clone());
                }
                _ => {}
            }
            let now = (status.as_str(), on.as_deref());
            // A new subject without a day has had its status from the beginning, as have those of older imports.
            if former.map_or(now.1.is_some(), |former| former != now) {
                changes.push(serde_json::json!({
                    "code": code, "of": of, "status": now.0, "on": now.1, "former": former.map(|(was, _)| was),
                    "former_on": former.and_then(|(_, on)| on), "former_seq": before.map(|row| row.import_seq),
                }));
            }
        }
        for (of, message) in undated {
            // The cell that changed: a file need not have the column of the day.
            let column = if of == "agreement" { "agreement_status" } else { "licence_status" };
            let line = u64::try_from(line).unwrap_or(0);
            self.note(&Finding { line, column, code: Code::StatusUndated, severity: Severity::Warning, message })?;
        }
        Ok(())
    }

    /// Counts a subject as new, changed or unchanged, and returns the columns that differ from the stored row.
    fn compare(
        &mut self,
        line: i64,
        subject: &StagedSubject,
        before: Option<&SubjectRow>,
    ) -> Result<Vec<&'static str>, ImportError> {
        let Some(before) = before else {
            self.report.subjects.new += 1;
            return Ok(vec![]);
        };
        let differences = differences(subject, before, &self.run.importer.crypter)?;
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

/// The columns in which a staged subject differs from its stored row. Sealing gives other bytes every time, so sealed
/// parts are opened and compared; a natural person's name is one of them.
fn differences(staged: &StagedSubject, row: &SubjectRow, crypter: &Crypter) -> Result<Vec<&'static str>, ImportError> {
    let sealed = staged.sealed.identity.as_ref().map(|hex| HEXLOWER.decode(hex.as_bytes()).unwrap_or_default());
    let open = |sealed: Option<&[u8]>| Personal::of(crypter, &staged.code, sealed).map_err(ImportError::Personal);
    let (new, old) = (open(sealed.as_deref())?, open(row.sealed_identity.as_deref())?);
    // Sealed under a key that is being retired: the new seal must be stored, whatever it contains.
    let outdated = row.sealed_identity.as_ref().is_some_and(|sealed| crypter.is_outdated(sealed));
    let same_identity = new.id_type == old.id_type
        && new.id_number == old.id_number
        && new.legal_representative == old.legal_representative;
    let columns = [
        ("kind", staged.kind == row.kind),
        ("uscc", staged.uscc == row.uscc),
        ("name", staged.name == row.name && new.name == old.name),
        ("region", staged.region == row.region),
        ("level", staged.level == row.level),
        ("parent_code", staged.parent_code == row.parent_code),
        ("agreement_signed_on", staged.agreement_signed_on == row.agreement_signed_on),
        ("agreement_status", staged.agreement_status == row.agreement_status),
        ("licence_status", staged.licence_status == row.licence_status),
        // The day of a status that changes is part of that change.
        (
            "agreement_status_on",
            staged.agreement_status_on == row.agreement_status_on || staged.agreement_status != row.agreement_status,
        ),
        (
            "licence_status_on",
            staged.licence_status_on == row.licence_status_on || staged.licence_status != row.licence_status,
        ),
        ("identity", same_identity && !outdated),
    ];
    Ok(columns.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect())
}
