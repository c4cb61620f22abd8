//! One file from its digest to its acceptance.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::mpsc;

use super::{
    ImportError, Importer, Options, Outcome, Progress, Report, Rules, Sender, SubjectChanges, Template,
    batch::{Batch, CheckedRow, Message, Reading, read_file},
    facts::{Heaped, Known, Told, read_facts},
    findings::{Code, Finding, FindingsReport, Severity},
    source::{Format, Input},
    write::{ChunkWriter, Writer},
};
use crate::{
    domain::{Day, ids::ImportId},
    store::{
        Exclusive, facts,
        imports::{self, ImportCounts, NewImport},
        staging::Staging,
        subjects,
    },
};

/// Batches on their way from the reader to the writer. With the one being read and the one being written they bound the
/// memory of an import.
const BATCHES_WAITING: usize = 2;

/// Warnings of one code that a report lists; every reject is listed.
const MOST_WARNINGS: u64 = 10_000;

/// How many codes are remembered as known or unknown before they are asked for anew.
const CODES_REMEMBERED: usize = 200_000;

impl Importer {
    /// Imports a file. Errors leave nothing behind; dropping the future, or killing the process, leaves rows that nobody
    /// sees and that the next import removes.
    pub async fn import(
        &self,
        template: Template,
        path: &Path,
        options: &Options,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, ImportError> {
        self.import_from(template, &Input::File(path.to_owned()), options, progress).await
    }

    /// The same, wherever the bytes are.
    pub async fn import_from(
        &self,
        template: Template,
        input: &Input,
        options: &Options,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, ImportError> {
        let exclusive = Exclusive::try_take(&self.db, "imports").await.map_err(ImportError::store("lock imports"))?;
        let exclusive = exclusive.ok_or(ImportError::Busy)?;
        let report = self.import_alone(template, input, options, progress).await;
        // What counts was decided before this; a lock that cannot be given back is lost, and so free.
        let _ = exclusive.release().await;
        report
    }

    async fn import_alone(
        &self,
        template: Template,
        input: &Input,
        options: &Options,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, ImportError> {
        let removed = if options.check_only { 0 } else { self.remove_remains().await? };
        let digested = input.clone();
        let digest = tokio::task::spawn_blocking(move || digested.digest());
        let (sha256, total_bytes) = digest.await.map_err(|_| ImportError::ReaderGone)??;
        let mut report = Report::begun(template, input.name(), sha256);
        report.removed = removed;
        let read = self.db.read("imports::find_accepted");
        let earlier = imports::find_accepted(&read, template.as_str(), &report.sha256).await;
        if let Some(earlier) = earlier.map_err(ImportError::store("look for the same file"))? {
            // A sender learns nothing of another's imports but that the file needs no import.
            let sender = options.sender.as_ref().map(|sender| sender.client.to_string());
            if sender.is_some() && sender != earlier.client_id {
                return Err(ImportError::KnownFromOthers);
            }
            report.recognise(&earlier);
            return Ok(report);
        }
        let (to, mut from) = mpsc::channel(BATCHES_WAITING);
        let reading = Reading {
            template,
            input: input.clone(),
            format: options.format.unwrap_or_else(|| Format::of_name(Path::new(&report.file_name))),
            rules: Rules {
                references: self.references.clone(),
                crypter: self.crypter.clone(),
                accept_uscc_mismatch: options.accept_uscc_mismatch,
                sources: options.sender.as_ref().map(|sender| Arc::clone(&sender.sources)),
            },
            today: self.clock.now().day(),
            chunk_rows: options.chunk_rows,
            most_rows: options.most_rows,
        };
        let known = match template {
            Template::Records => Some(self.known(reading.today).await?),
            _ => None,
        };
        tokio::task::spawn_blocking(move || match known {
            Some(known) => read_facts(&reading, &known, &to),
            None => read_file(reading, &to),
        });
        match from.recv().await {
            Some(Message::Ready) => {}
            Some(Message::Failed(error)) => return Err(error),
            _ => return Err(ImportError::ReaderGone),
        }
        let rejects = options.rejects.clone().or_else(|| beside(input));
        let id = ImportId::new(&*self.clock, &*self.entropy);
        let seq = if options.check_only { None } else { Some(self.begin(&report, id, options).await?) };
        let mut stager = Stager {
            importer: self,
            id,
            sender: options.sender.clone(),
            writer: template.staging().map(Writer::new),
            chunks: ChunkWriter::default(),
            seq,
            findings: FindingsReport::new(rejects),
            known: HashMap::new(),
            touched: BTreeSet::new(),
            report,
            total_bytes,
        };
        let staged = stager.stage_all(&mut from, progress).await;
        let outcome = match (&staged, seq) {
            (Ok(()), Some(seq)) => stager.conclude(seq).await,
            _ => staged,
        };
        match outcome {
            Ok(()) => stager.finish(),
            Err(error) => {
                stager.abandon();
                // The remains are unseen either way; when they cannot be removed now, the next import does it.
                if let Some(seq) = seq {
                    let _ = self.remove(template, seq).await;
                }
                Err(error)
            }
        }
    }

    /// Whom and what facts may be about.
    async fn known(&self, today: Day) -> Result<Known, ImportError> {
        let subjects = facts::subjects(&self.db.read("facts::subjects")).await;
        let subjects = subjects.map_err(ImportError::store("list the subjects"))?;
        Ok(Known::new(subjects, &self.references, today, self.halves_back))
    }

    async fn begin(&self, report: &Report, id: ImportId, options: &Options) -> Result<i64, ImportError> {
        let failed = || ImportError::store("begin the import");
        let (id, client) = (id.to_string(), options.sender.as_ref().map(|sender| sender.client.to_string()));
        let import = NewImport {
            id: &id,
            client: client.as_deref(),
            template: report.template.as_str(),
            file_name: &report.file_name,
            sha256: &report.sha256,
        };
        let mut tx = self.db.begin("imports::begin").await.map_err(failed())?;
        let seq = imports::begin(&mut tx, import, self.clock.now()).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(seq)
    }

    /// Removes what killed imports left. Whoever holds the lock knows that nobody is staging.
    async fn remove_remains(&self) -> Result<u64, ImportError> {
        let read = self.db.read("imports::list");
        let failed = || ImportError::store("look for killed imports");
        let mut left = imports::list(&read, "staging").await.map_err(failed())?;
        left.extend(imports::list(&read, "discarding").await.map_err(failed())?);
        let mut removed = 0;
        for import in left {
            // A template this build does not know cannot have been staged by it.
            let Ok(template) = import.template.parse::<Template>() else { continue };
            self.remove(template, import.seq).await?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Removes rows of subjects that were staged by an import of this number or an earlier one: whoever holds the lock knows
    /// that they are accepted or given up.
    async fn remove_staged(&self, seq: i64) -> Result<(), ImportError> {
        let failed = || ImportError::store("remove staged subjects");
        let mut bulk = self.db.begin_bulk("imports::remove_staged").await.map_err(failed())?;
        Staging::purge_subjects_to(&mut bulk, seq).await.map_err(failed())?;
        bulk.commit().await.map_err(failed())
    }

    /// Removes what an import staged. It can no longer be accepted once it is marked, so its rows may go; a crash before
    /// the second mark has the next import remove the rest.
    pub(super) async fn remove(&self, template: Template, seq: i64) -> Result<(), ImportError> {
        let failed = || ImportError::store("remove an import that does not count");
        let mut tx = self.db.begin("imports::remove").await.map_err(failed())?;
        imports::discard(&mut tx, seq).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        let mut bulk = self.db.begin_bulk("imports::remove").await.map_err(failed())?;
        match template.staging() {
            Some(staging) => staging.purge(&mut bulk, seq).await.map_err(failed())?,
            None => facts::purge(&mut bulk, seq).await.map_err(failed())?,
        };
        bulk.commit().await.map_err(failed())?;
        let mut tx = self.db.begin("imports::removed").await.map_err(failed())?;
        imports::discarded(&mut tx, seq).await.map_err(failed())?;
        tx.commit().await.map_err(failed())
    }
}

fn beside(input: &Input) -> Option<PathBuf> {
    match input {
        Input::File(path) => Some(path.with_file_name(format!("{}.rejects.csv", input.name()))),
        Input::Memory { .. } => None,
    }
}

impl Report {
    fn begun(template: Template, file_name: String, sha256: String) -> Self {
        Self {
            template,
            file_name,
            sha256,
            outcome: Outcome::Checked,
            import_id: None,
            import_seq: None,
            rows: 0,
            accepted: 0,
            rejected: 0,
            warnings: 0,
            findings: BTreeMap::new(),
            subjects: SubjectChanges::default(),
            chunks: 0,
            removed: 0,
            rejects: None,
            listed: Vec::new(),
        }
    }

    fn recognise(&mut self, earlier: &imports::ImportRow) {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        self.outcome = Outcome::Recognised;
        self.import_seq = Some(earlier.seq);
        self.import_id = Some(earlier.id.clone());
        self.rows = count(earlier.row_count);
        self.accepted = count(earlier.accepted);
        self.rejected = count(earlier.rejected);
    }
}

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

impl Stager<'_> {
    async fn stage_all(
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
                Some(Message::Heaped(heaped)) => self.heaped(heaped).await?,
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
    fn abandon(&mut self) {
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
    async fn heaped(&mut self, heaped: Heaped) -> Result<(), ImportError> {
        match heaped {
            Heaped::Chunk { kind, chunk } => {
                self.report.chunks += 1;
                if let Some(seq) = self.seq {
                    self.chunks.write(&self.importer.db, seq, &kind, *chunk).await?;
                }
                Ok(())
            }
            Heaped::Repeated(mut lines) => {
                let repeated = u64::try_from(lines.len()).unwrap_or(u64::MAX);
                self.report.accepted = self.report.accepted.saturating_sub(repeated);
                self.report.rejected = self.report.rows - self.report.accepted;
                lines.sort_unstable();
                lines.into_iter().try_for_each(|line| self.note(&duplicate(line)))
            }
            Heaped::Failed(source) => Err(ImportError::Spill { source }),
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
            let repeated = writer.write(&self.importer.db, seq, &json).await?;
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
        let found = subjects::known(&self.importer.db.read("subjects::known"), &asked).await;
        let found = found.map_err(ImportError::store("look for subjects"))?;
        self.known.extend(asked.into_iter().map(|code| (code.into(), false)));
        self.known.extend(found.into_iter().map(|code| (code.into(), true)));
        Ok(())
    }

    /// Ends an import whose rows are all staged.
    async fn conclude(&mut self, seq: i64) -> Result<(), ImportError> {
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

    fn finish(self) -> Result<Report, ImportError> {
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
