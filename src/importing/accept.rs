//! The last transaction of an import: everything it staged becomes visible at once.

use std::collections::HashMap;

use data_encoding::HEXLOWER;

use super::{
    ImportError, Template,
    findings::{Code, Finding, Severity},
    identity_place,
    import::Stager,
    rows::subjects::StagedSubject,
};
use crate::store::{
    Crypter, DbError, changes, imports, runs,
    subjects::{self, SubjectRow},
};

/// Subjects of one statement.
const PAGE: i64 = 2_000;

/// Times the last transaction is tried when others are in its way.
const TRIES: usize = 5;

impl Stager<'_> {
    pub(super) async fn accept(&mut self, seq: i64) -> Result<(), ImportError> {
        // What changes is found out before the transaction, so that it is short: only imports change these values, and
        // no other import runs.
        let pages = if self.report.template == Template::Subjects { self.changed_subjects(seq).await? } else { vec![] };
        let mut tries = 1;
        loop {
            match self.try_accept(seq, &pages).await {
                Err(error) if error.is_contention() && tries < TRIES => tries += 1,
                outcome => return outcome.map_err(ImportError::store("accept the import")),
            }
        }
    }

    async fn try_accept(&self, seq: i64, pages: &[String]) -> Result<(), DbError> {
        let now = self.importer.clock.now();
        let mut tx = self.importer.db.begin("imports::accept").await?;
        for page in pages {
            subjects::upsert(&mut tx, page.clone(), seq, now).await?;
        }
        imports::accept(&mut tx, seq, self.counts(), now).await?;
        changes::raise(&mut tx).await?;
        let revised = self.report.template == Template::Settlements;
        if revised {
            // A month that was read before is not the present one any more.
            runs::raise_publication(&mut tx).await?;
        }
        if revised || !pages.is_empty() {
            // Answers under way are recorded before this, or rendered again with the subjects as they are now. Taken last,
            // so that they wait for the commit only.
            let banks = runs::banks(&mut tx).await?;
            tx.lock_banks_exclusive(&banks).await?;
        }
        tx.commit().await
    }

    /// The staged subjects that are new or different, as batches for the upsert.
    async fn changed_subjects(&mut self, seq: i64) -> Result<Vec<String>, ImportError> {
        let failed = || ImportError::store("compare subjects");
        let (mut pages, mut after) = (Vec::new(), 0);
        loop {
            let read = self.importer.db.read("subjects::list_staged");
            let staged = subjects::list_staged(&read, seq, after, PAGE).await.map_err(failed())?;
            let Some(last) = staged.last() else { return Ok(pages) };
            after = last.line;
            let mut wanted = Vec::with_capacity(staged.len());
            for row in &staged {
                let subject: StagedSubject = serde_json::from_str(&row.body).map_err(ImportError::Json)?;
                wanted.push((row.line, subject));
            }
            let codes: Vec<&str> = wanted.iter().map(|(_, subject)| subject.code.as_str()).collect();
            let present = subjects::list(&self.importer.db.read("subjects::list"), &codes).await.map_err(failed())?;
            let present: HashMap<&str, &SubjectRow> = present.iter().map(|row| (row.code.as_str(), row)).collect();
            let mut changed = Vec::new();
            for (line, subject) in &wanted {
                let before = present.get(subject.code.as_str()).copied();
                if self.is_change(*line, subject, before)? {
                    changed.push(subject);
                }
            }
            if !changed.is_empty() {
                pages.push(serde_json::to_string(&changed).map_err(ImportError::Json)?);
            }
        }
    }

    fn is_change(
        &mut self,
        line: i64,
        subject: &StagedSubject,
        before: Option<&SubjectRow>,
    ) -> Result<bool, ImportError> {
        let Some(before) = before else {
            self.report.subjects.new += 1;
            return Ok(true);
        };
        if same(subject, before, &self.importer.crypter)? {
            self.report.subjects.unchanged += 1;
            return Ok(false);
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
        Ok(true)
    }
}

/// Whether a staged subject says what the store has. Sealed parts differ every time, so they are opened and compared.
fn same(staged: &StagedSubject, row: &SubjectRow, crypter: &Crypter) -> Result<bool, ImportError> {
    let plain = staged.kind == row.kind
        && staged.uscc == row.uscc
        && staged.name == row.name
        && staged.region == row.region
        && staged.level == row.level
        && staged.parent_code == row.parent_code
        && staged.agreement_signed_on == row.agreement_signed_on
        && staged.agreement_status == row.agreement_status
        && staged.licence_status == row.licence_status;
    match (&staged.identity, &row.sealed_identity) {
        _ if !plain => Ok(false),
        (None, None) => Ok(true),
        (Some(hex), Some(there)) => {
            // Sealed under a key that is being retired: taking the new seal is the change.
            if crypter.is_outdated(there) {
                return Ok(false);
            }
            let place = identity_place(&staged.code);
            let sealed = HEXLOWER.decode(hex.as_bytes()).unwrap_or_default();
            let new = crypter.open(place, &sealed).map_err(ImportError::Crypter)?;
            let old = crypter.open(place, there).map_err(ImportError::Crypter)?;
            Ok(new == old)
        }
        _ => Ok(false),
    }
}
