//! The writing half of an import: looks up subjects, stages rows and counts findings.

use std::collections::{BTreeSet, HashMap, HashSet};

use tokio::sync::mpsc;

use super::{
    ImportError, Importer, Progress, Report, Sender, Template,
    batch::{Batch, CheckedRow},
    delivered::Delivered,
    earlier::Replaced,
    facts::PackedPart,
    findings::{Code, Finding, Severity},
    reader::Message,
    rejects::{FindingsCollector, repeated_row},
    row::RowText,
    write::{ChunkWriter, StagedChunk, Writer},
};
use crate::{
    domain::ids::ImportId,
    store::{imports::ImportCounts, subjects},
};

/// Warnings of one code that a report lists; it lists every reject.
const MOST_WARNINGS: u64 = 10_000;

/// Most codes whose lookup is cached.
const CODES_CACHED: usize = 200_000;

/// The identity of one import.
pub(super) struct Run<'a> {
    pub(super) importer: &'a Importer,
    pub(super) id: ImportId,
    /// Its number in the store; absent when the file is only checked.
    pub(super) seq: Option<i64>,
    /// The department that uploads the file, if one does.
    pub(super) sender: Option<Sender>,
    /// The imports that it replaces.
    pub(super) replaced: Replaced,
    pub(super) total_bytes: u64,
}

/// Stages the rows of one import.
pub(super) struct Stager<'a> {
    pub(super) run: Run<'a>,
    pub(super) report: Report,
    /// What earlier imports delivered, to compare with.
    pub(super) delivered: Delivered,
    /// The subjects whose settlements the file has: no more than a city has.
    pub(super) settled: BTreeSet<Box<str>>,
    findings: FindingsCollector,
    /// Absent for credit facts.
    rows: Option<Writer>,
    chunks: ChunkWriter,
    /// Whether each code looked up so far is a subject.
    is_subject: HashMap<Box<str>, bool>,
}

impl<'a> Stager<'a> {
    /// A stager that has no rows yet.
    pub(super) fn new(run: Run<'a>, report: Report, delivered: Delivered, findings: FindingsCollector) -> Self {
        Self {
            delivered,
            rows: report.template.staging().map(Writer::new),
            run,
            report,
            settled: BTreeSet::new(),
            findings,
            chunks: ChunkWriter::default(),
            is_subject: HashMap::new(),
        }
    }

    /// Stages everything that the reader sends, up to the end of the file.
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
                Some(Message::Packed(part)) => self.stage_packed(part).await?,
                Some(Message::End { sha256, lines }) if sha256 == self.report.sha256 => {
                    self.report.skipped.extend(lines.skipped);
                    self.report.check_lines(lines.read)?;
                    return self.flush().await;
                }
                Some(Message::End { .. }) => return Err(ImportError::Changed),
                Some(Message::Failed(error)) => return Err(error),
                Some(Message::Ready) | None => return Err(ImportError::ReaderGone),
            }
        }
    }

    fn progress(&self, bytes: u64) -> Progress {
        Progress {
            bytes,
            total_bytes: self.run.total_bytes,
            rows: self.report.rows,
            rejected: self.report.rejected,
            chunks: self.report.chunks,
        }
    }

    async fn stage(&mut self, batch: Batch) -> Result<(), ImportError> {
        let Batch { mut findings, passed, skipped, .. } = batch;
        let (text, mut rows) = (passed.text, passed.rows);
        self.reject_unknown_subjects(&mut rows, &text, &mut findings).await?;
        let already = match self.report.template {
            Template::Voids => self.check_voids(&mut rows, &text, &mut findings).await?,
            _ => 0,
        };
        if let (Some(seq), Some(writer)) = (self.run.seq, &mut self.rows) {
            let json: Vec<&str> = rows.iter().map(|row| text.slice(row.json.clone())).collect();
            let repeated = writer.write(&self.run.importer.env.db, seq, &json).await?;
            self.report.chunks += u64::from(!json.is_empty());
            rows.retain(|row| {
                let again = repeated.contains(&row.line);
                if again {
                    findings.push(repeated_row(row.line));
                }
                !again
            });
        }
        if self.report.template == Template::Settlements {
            for (_, code) in rows.iter().flat_map(|row| row.codes.iter().flatten()) {
                let code = text.slice(code.clone());
                if !self.settled.contains(code) {
                    self.settled.insert(code.into());
                }
            }
        }
        // Found in several passes, and reported in the order of the file.
        findings.sort_by_key(|finding| (finding.line, finding.column));
        let accepted = passed.spilled + already + u64::try_from(rows.len()).unwrap_or(u64::MAX);
        self.report.count_rows(accepted, rejected_rows(&findings));
        self.report.skipped.extend(skipped);
        findings.iter().try_for_each(|finding| self.note(finding))
    }

    /// Stages credit facts that were sorted and packed.
    async fn stage_packed(&mut self, part: PackedPart) -> Result<(), ImportError> {
        match part {
            PackedPart::Chunk { kind, chunk, documents } => {
                self.report.chunks += 1;
                let mut compared = self.delivered.compare(self.run.importer, &kind, &chunk, &documents).await?;
                let mut findings = std::mem::take(&mut compared.findings);
                findings.sort_by_key(|finding| finding.line);
                findings.iter().try_for_each(|finding| self.note(finding))?;
                let Some(seq) = self.run.seq else { return Ok(()) };
                let documents = documents.into_iter().map(|one| one.hash).collect();
                let staged = StagedChunk { kind: &kind, chunk: *chunk, documents, compared };
                self.chunks.write(&self.run.importer.env.db, seq, staged).await
            }
            PackedPart::Merged(mut findings) => {
                findings.sort_by_key(|finding| finding.line);
                findings.iter().try_for_each(|finding| self.note(finding))
            }
            PackedPart::Repeated(mut lines) => {
                let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
                self.report.reject_accepted(count);
                *self.report.findings.entry(Code::DuplicateRow.as_str()).or_default() += count;
                lines.sort_unstable();
                lines
                    .into_iter()
                    .try_for_each(|line| self.findings.add_repeated(line))
                    .map_err(|error| self.spooled(error))
            }
        }
    }

    /// Rejects rows whose codes are not those of subjects.
    async fn reject_unknown_subjects(
        &mut self,
        rows: &mut Vec<CheckedRow>,
        text: &RowText,
        findings: &mut Vec<Finding>,
    ) -> Result<(), ImportError> {
        self.look_up_subjects(rows, text).await?;
        let columns = self.report.template.all_columns();
        rows.retain(|row| {
            let mut codes = row.codes.iter().flatten();
            let unknown = codes.find(|(_, code)| self.is_subject.get(text.slice(code.clone())) == Some(&false));
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
        Ok(())
    }

    /// Looks up the codes of a batch that are not cached, all in one statement.
    async fn look_up_subjects(&mut self, rows: &[CheckedRow], text: &RowText) -> Result<(), ImportError> {
        if self.is_subject.len() > CODES_CACHED {
            // All of it: the cache only saves look-ups, so the age of an entry is not worth tracking.
            self.is_subject.clear();
        }
        let codes = rows.iter().flat_map(|row| row.codes.iter().flatten()).map(|(_, code)| text.slice(code.clone()));
        let missing: HashSet<&str> = codes.filter(|code| !self.is_subject.contains_key(*code)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<&str> = missing.into_iter().collect();
        let found = subjects::existing(&self.run.importer.env.db.read("subjects::existing"), &missing).await;
        let found = found.map_err(ImportError::store("look up subjects"))?;
        // Unknown codes are cached as well, or each of their rows would be looked up again.
        self.is_subject.extend(missing.into_iter().map(|code| (code.into(), false)));
        self.is_subject.extend(found.into_iter().map(|code| (code.into(), true)));
        Ok(())
    }

    /// Adds a finding to the report and to its counts.
    pub(super) fn note(&mut self, finding: &Finding) -> Result<(), ImportError> {
        let count = self.report.findings.entry(finding.code.as_str()).or_default();
        *count += 1;
        if finding.severity == Severity::Warning {
            self.report.warnings += 1;
            // A file of millions of rows may have the same warning in each of them: the others are only counted.
            if *count > MOST_WARNINGS {
                return Ok(());
            }
        }
        self.findings.add(finding).map_err(|error| self.spooled(error))
    }

    fn spooled(&self, source: std::io::Error) -> ImportError {
        ImportError::Rejects { path: self.findings.folder(), source }
    }

    /// Commits the rows written so far.
    async fn flush(&mut self) -> Result<(), ImportError> {
        if let Some(writer) = &mut self.rows {
            writer.flush().await?;
        }
        self.chunks.flush().await
    }

    /// Rolls back the rows that are not committed.
    pub(super) fn abandon(&mut self) {
        if let Some(writer) = &mut self.rows {
            writer.abandon();
        }
        self.chunks = ChunkWriter::default();
    }

    /// The numbers of rows, for the import's own row.
    pub(super) fn counts(&self) -> ImportCounts {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        ImportCounts {
            rows: count(self.report.rows),
            accepted: count(self.report.accepted),
            rejected: count(self.report.rejected),
        }
    }

    /// The findings that are kept in memory.
    pub(super) fn listed(&self) -> &[Finding] {
        self.findings.listed()
    }

    /// The report of the import, and what was found for its files.
    pub(super) fn finish(self) -> (Report, FindingsCollector) {
        let mut report = self.report;
        report.replaced = self.delivered.former.map(Into::into);
        report.listed = self.findings.listed().to_vec();
        (report, self.findings)
    }
}

/// How many rows are rejected by findings, which are in the order of the file.
fn rejected_rows(findings: &[Finding]) -> u64 {
    let rejects = findings.iter().filter(|finding| finding.severity == Severity::Reject);
    let (mut rows, mut last) = (0, None);
    for finding in rejects {
        rows += u64::from(last != Some(finding.line));
        last = Some(finding.line);
    }
    rows
}
