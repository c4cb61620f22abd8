//! The writing half of an import: rows staged, findings counted, and the end.

use std::collections::{BTreeSet, HashMap, HashSet};

use tokio::sync::mpsc;

use super::{
    ImportError, Importer, Outcome, Progress, Report, Sender, Template,
    batch::{Batch, CheckedRow, Message},
    facts::{PackedPart, Told},
    findings::{Code, Finding, FindingsReport, Severity},
    write::{ChunkWriter, Writer},
};
use crate::{
    domain::ids::ImportId,
    store::{imports::ImportCounts, subjects},
};

/// Warnings of one code that a report lists; every reject is listed.
const MOST_WARNINGS: u64 = 10_000;

/// How many codes are remembered as known or unknown before they are asked for anew.
const CODES_REMEMBERED: usize = 200_000;

/// The writing half of one import.
pub(super) struct Stager<'a> {
    pub(super) importer: &'a Importer,
    pub(super) id: ImportId,
    pub(super) sender: Option<Sender>,
    /// Absent for credit facts.
    writer: Option<Writer>,
    chunks: ChunkWriter,
    /// Absent when the file is only checked.
    seq: Option<i64>,
    findings: FindingsReport,
    known: HashMap<Box<str>, bool>,
    /// The codes whose settlements it brings: as many as a city has.
    pub(super) touched: BTreeSet<Box<str>>,
    pub(super) report: Report,
    total_bytes: u64,
}

impl<'a> Stager<'a> {
    /// Begins to write what `importer` reads; without `seq` the file is only checked.
    pub(super) fn new(
        importer: &'a Importer,
        (id, sender): (ImportId, Option<Sender>),
        seq: Option<i64>,
        (report, findings): (Report, FindingsReport),
        total_bytes: u64,
    ) -> Self {
        Self {
            importer,
            id,
            sender,
            writer: report.template.staging().map(Writer::new),
            chunks: ChunkWriter::default(),
            seq,
            findings,
            known: HashMap::new(),
            touched: BTreeSet::new(),
            report,
            total_bytes,
        }
    }

    /// Writes everything that is read, and tells what is wrong with it.
    pub(super) async fn stage_all(
        &mut self,
        from: &mut mpsc::Receiver<Message>,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), ImportError> {
        loop {
            match from.recv().await {
                Some(Message::Batch(batch)) => {
                    let bytes = batch.bytes;
                    self.stage(batch).await?;
                    progress(self.progress(bytes));
                }
                Some(Message::Told(told)) => {
                    let bytes = told.bytes;
                    self.sifted(told)?;
                    progress(self.progress(bytes));
                }
                Some(Message::PackedPart(heaped)) => self.heaped(heaped).await?,
                Some(Message::End { sha256 }) if sha256 == self.report.sha256 => return Ok(()),
                Some(Message::End { .. }) => return Err(ImportError::Changed),
                Some(Message::Failed(error)) => return Err(error),
                Some(Message::Ready) | None => return Err(ImportError::ReaderGone),
            }
        }
    }

    fn progress(&self, bytes: u64) -> Progress {
        Progress {
            bytes,
            total_bytes: self.total_bytes,
            rows: self.report.rows,
            rejected: self.report.rejected,
            chunks: self.report.chunks,
        }
    }

    /// Forgets what is not committed.
    pub(super) fn abandon(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.abandon();
        }
        self.chunks = ChunkWriter::default();
    }

    /// Credit facts were checked.
    fn sifted(&mut self, told: Told) -> Result<(), ImportError> {
        self.report.rows += told.rows;
        self.report.accepted += told.taken;
        self.report.rejected = self.report.rows - self.report.accepted;
        let mut findings = told.findings;
        findings.sort_by_key(|finding| (finding.line, finding.column));
        findings.iter().try_for_each(|finding| self.note(finding))
    }

    /// Credit facts of some subjects were sorted and packed.
    async fn heaped(&mut self, heaped: PackedPart) -> Result<(), ImportError> {
        match heaped {
            PackedPart::Chunk { kind, chunk } => {
                self.report.chunks += 1;
                if let Some(seq) = self.seq {
                    self.chunks.write(&self.importer.env.db, seq, &kind, *chunk).await?;
                }
                Ok(())
            }
            PackedPart::Repeated(mut lines) => {
                let repeated = u64::try_from(lines.len()).unwrap_or(u64::MAX);
                self.report.accepted = self.report.accepted.saturating_sub(repeated);
                self.report.rejected = self.report.rows - self.report.accepted;
                lines.sort_unstable();
                lines.into_iter().try_for_each(|line| self.note(&duplicate(line)))
            }
            PackedPart::Failed(source) => Err(ImportError::Spill { source }),
        }
    }

    async fn stage(&mut self, batch: Batch) -> Result<(), ImportError> {
        let Batch { text, mut rows, mut findings, read, .. } = batch;
        self.learn(&rows, |code| text.slice(code)).await?;
        let columns = self.report.template.columns();
        rows.retain(|row| {
            let unknown =
                row.codes.iter().flatten().find(|(_, code)| self.known.get(text.slice(code.clone())) == Some(&false));
            let Some((column, code)) = unknown else { return true };
            findings.push(Finding {
                line: row.line,
                column: columns.get(*column).copied().unwrap_or_default(),
                code: Code::SubjectUnknown,
                severity: Severity::Reject,
                message: format!("{} has not been imported as a subject", text.slice(code.clone())),
            });
            false
        });
        if let Some(seq) = self.seq {
            let json: Vec<&str> = rows.iter().map(|row| text.slice(row.json.clone())).collect();
            let writer = self.writer.as_mut().ok_or(ImportError::ReaderGone)?;
            let repeated = writer.write(&self.importer.env.db, seq, &json).await?;
            self.report.chunks += u64::from(!json.is_empty());
            rows.retain(|row| {
                let again = repeated.contains(&row.line);
                if again {
                    findings.push(duplicate(row.line));
                }
                !again
            });
        }
        if self.report.template == Template::Settlements {
            for (_, code) in rows.iter().flat_map(|row| row.codes.iter().flatten()) {
                let code = text.slice(code.clone());
                if !self.touched.contains(code) {
                    self.touched.insert(code.into());
                }
            }
        }
        self.report.rows += read;
        self.report.accepted += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        self.report.rejected = self.report.rows - self.report.accepted;
        findings.sort_by_key(|finding| (finding.line, finding.column));
        for finding in &findings {
            self.note(finding)?;
        }
        Ok(())
    }

    /// Adds a finding to the report and to the counts.
    pub(super) fn note(&mut self, finding: &Finding) -> Result<(), ImportError> {
        *self.report.findings.entry(finding.code.as_str()).or_default() += 1;
        if finding.severity == Severity::Warning {
            self.report.warnings += 1;
        }
        let count = self.report.findings.get(finding.code.as_str()).copied().unwrap_or(0);
        if finding.severity == Severity::Warning && count > MOST_WARNINGS {
            // They are counted all the same: a file of millions of rows may have the same to say of each.
            return Ok(());
        }
        let path = self.findings.path();
        self.findings.add(finding).map_err(|source| ImportError::Rejects { path, source })
    }

    /// Finds out which codes of a batch are known subjects, as far as that is not remembered.
    async fn learn<'t>(
        &mut self,
        rows: &'t [CheckedRow],
        text: impl Fn(std::ops::Range<usize>) -> &'t str,
    ) -> Result<(), ImportError> {
        if self.known.len() > CODES_REMEMBERED {
            self.known.clear();
        }
        let codes = rows.iter().flat_map(|row| row.codes.iter().flatten()).map(|(_, code)| text(code.clone()));
        let asked: HashSet<&str> = codes.filter(|code| !self.known.contains_key(*code)).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let asked: Vec<&str> = asked.into_iter().collect();
        let found = subjects::known(&self.importer.env.db.read("subjects::known"), &asked).await;
        let found = found.map_err(ImportError::store("look for subjects"))?;
        self.known.extend(asked.into_iter().map(|code| (code.into(), false)));
        self.known.extend(found.into_iter().map(|code| (code.into(), true)));
        Ok(())
    }

    /// Ends an import whose rows are all staged.
    pub(super) async fn conclude(&mut self, seq: i64) -> Result<(), ImportError> {
        if let Some(writer) = &mut self.writer {
            writer.flush().await?;
        }
        self.chunks.flush().await?;
        self.report.import_id = Some(self.id.to_string());
        if self.report.accepted == 0 && self.report.rejected > 0 {
            self.report.outcome = Outcome::NothingTaken;
            self.importer.remove(self.report.template, seq).await?;
            return self.keep_report().await;
        }
        self.accept(seq).await?;
        self.report.outcome = Outcome::Accepted;
        self.report.import_seq = Some(seq);
        if self.report.template == Template::Subjects {
            // They are in the core now. What a crash leaves here, sealed as it is, the next import of subjects removes.
            let _ = self.importer.remove_staged(seq).await;
        }
        Ok(())
    }

    /// How many rows there were, for the import's own row.
    pub(super) fn counts(&self) -> ImportCounts {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        ImportCounts {
            rows: count(self.report.rows),
            accepted: count(self.report.accepted),
            rejected: count(self.report.rejected),
        }
    }

    /// What was found so far, as far as it is kept in memory.
    pub(super) fn listed(&self) -> &[Finding] {
        self.findings.listed()
    }

    /// Ends the report.
    pub(super) fn finish(self) -> Result<Report, ImportError> {
        let path = self.findings.path();
        let mut report = self.report;
        report.listed = self.findings.listed().to_vec();
        report.rejects = self.findings.finish().map_err(|source| ImportError::Rejects { path, source })?;
        Ok(report)
    }
}

fn duplicate(line: u64) -> Finding {
    Finding {
        line,
        column: "",
        code: Code::DuplicateRow,
        severity: Severity::Reject,
        message: "the file has a row with the same key already".into(),
    }
}
