//! One file from its bytes to its acceptance:
//!
//! 1. The **reader** (`reader`, `source`) opens the file, whatever its format, and compares its header with the
//!    template.
//! 2. It yields **rows** in batches, on threads of its own.
//! 3. Each row is **checked** (`rows`, and `facts` for credit facts). Faults become findings.
//! 4. The **stager** looks up the subjects of each batch and writes its rows to bulk tables, where nobody sees them.
//! 5. The last transaction **accepts** the import (`accept`), and all rows become visible together.
//! 6. The **report** of what was found is written (`rejects`), with the rows, which are read once more.

use std::{path::Path, sync::Arc};

use tokio::sync::mpsc;

use super::{
    ImportError, Importer, Options, Progress, Report, Rules, Template,
    delivered::Delivered,
    earlier::Earlier,
    facts::FactChecks,
    reader::{Checks, Message, ReadJob, read_file},
    rejects::{self, Destination, FindingsCollector, ReportOf},
    rows::checker,
    source::{Format, Input},
    stager::{Run, Stager},
    voids,
};
use crate::{
    domain::{Day, ids::ImportId},
    store::{
        self, JobLock, facts,
        imports::{self, NewImport},
        voids::Within,
    },
};

/// Batches between the reader and the stager. With the one being read and the one being staged they bound the memory of
/// an import.
const BATCHES_WAITING: usize = 2;

impl Importer {
    /// Imports a file. Errors leave nothing behind; dropping the future, or killing the process, leaves staged rows
    /// that nobody sees and that the next import removes.
    pub async fn import(
        &self,
        template: Template,
        path: &Path,
        options: &Options,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, ImportError> {
        self.import_from(template, &Input::File(path.to_owned()), options, progress).await
    }

    /// Imports a file, or bytes in memory.
    pub async fn import_from(
        &self,
        template: Template,
        input: &Input,
        options: &Options,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, ImportError> {
        // One import at a time in a store: its staged rows are compared with accepted ones that must not change
        // meanwhile.
        let lock = JobLock::try_acquire(&self.env.db, "imports").await.map_err(ImportError::store("lock imports"))?;
        let lock = lock.ok_or(ImportError::Busy)?;
        let report = self.import_locked(template, input, options, progress).await;
        // The outcome is committed already; a lock that cannot be released has lost its connection, and so is free.
        let _ = lock.release().await;
        report
    }

    async fn import_locked(
        &self,
        template: Template,
        input: &Input,
        options: &Options,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, ImportError> {
        // A check writes nothing, so it leaves also the leftovers of others.
        let removed = if options.check_only { 0 } else { self.remove_leftovers().await? };
        let digested = input.clone();
        // Digesting reads the whole file: on a runtime thread it would stall every other task.
        let digest = tokio::task::spawn_blocking(move || digested.digest());
        let (sha256, total_bytes) = digest.await.map_err(|_| ImportError::ReaderGone)??;
        let mut report = Report::new(template, input.name(), sha256);
        report.removed = removed;
        let replaced = match self.earlier(&report, options).await? {
            Earlier::Accepted(earlier) => {
                report.recognise(&earlier);
                return Ok(report);
            }
            Earlier::Import(replaced) => replaced,
        };
        // The header is checked before the import begins: a wrong file leaves no row in the list of imports.
        let mut messages = self.start_reader(template, input, options).await?;
        let id = ImportId::new(&*self.env.clock, &*self.env.entropy);
        let seq = if options.check_only { None } else { Some(self.begin(&report, id, options).await?) };
        let destination = Destination::of(input, options.rejects.as_deref(), options.rejects_by);
        let findings = FindingsCollector::new(destination.as_ref().map(Destination::folder));
        let delivered = match template {
            Template::Records => Delivered::read(self, &replaced.imports(), replaced.former).await?,
            _ => Delivered::default(),
        };
        let run = Run { importer: self, id, seq, sender: options.sender.clone(), replaced, total_bytes };
        let mut stager = Stager::new(run, report, delivered, findings);
        let staged = stager.stage_all(&mut messages, progress).await;
        let outcome = match (&staged, seq) {
            (Ok(()), Some(seq)) => stager.conclude(seq).await,
            _ => staged,
        };
        match outcome {
            Ok(()) => {
                let (report, findings) = stager.finish();
                self.write_rejects(report, findings, input, options, destination.as_ref()).await
            }
            Err(error) => {
                // First: its open transaction holds SQLite's only writer of bulk tables, which the removal needs.
                stager.abandon();
                // Nobody sees the staged rows; if they cannot be removed now, the next import removes them.
                if let Some(seq) = seq {
                    let _ = self.remove(template, seq).await;
                }
                Err(error)
            }
        }
    }

    /// Writes the report of findings, after the rows are accepted.
    async fn write_rejects(
        &self,
        mut report: Report,
        findings: FindingsCollector,
        input: &Input,
        options: &Options,
        destination: Option<&Destination>,
    ) -> Result<Report, ImportError> {
        let of = ReportOf {
            env: &self.env,
            input: input.clone(),
            format: format_of(input, options)?,
            sheet: options.sheet.clone(),
            template: report.template,
            references: Arc::clone(&self.references),
        };
        let files = rejects::write(of, findings, destination).await?;
        (report.rejects, report.workbook) = (files.rejects, files.workbook);
        Ok(report)
    }

    /// Starts to read a file, and waits until its header has been checked.
    async fn start_reader(
        &self,
        template: Template,
        input: &Input,
        options: &Options,
    ) -> Result<mpsc::Receiver<Message>, ImportError> {
        let rules = Rules {
            references: self.references.clone(),
            crypter: self.crypter.clone(),
            accept_uscc_mismatch: options.accept_uscc_mismatch,
            sources: options.sender.as_ref().map(|sender| Arc::clone(&sender.sources)),
        };
        let today = self.env.clock.now().day();
        let checks = match checker(template, rules.clone()) {
            Some(checker) => Checks::Rows(checker),
            None => Checks::Facts(Box::new(self.fact_checks(rules, today).await?)),
        };
        let job = ReadJob {
            template,
            input: input.clone(),
            format: format_of(input, options)?,
            sheet: options.sheet.clone(),
            references: Arc::clone(&self.references),
            checks,
            today,
            chunk_rows: options.chunk_rows,
            most_rows: match template {
                Template::Voids => Some(options.most_rows.unwrap_or(voids::MOST_ROWS).min(voids::MOST_ROWS)),
                _ => options.most_rows,
            },
        };
        let (to, mut from) = mpsc::channel(BATCHES_WAITING);
        // Not awaited: it ends when the channel is closed, and reports its result through it.
        tokio::task::spawn_blocking(move || read_file(job, &to));
        match from.recv().await {
            Some(Message::Ready) => Ok(from),
            Some(Message::Failed(error)) => Err(error),
            _ => Err(ImportError::ReaderGone),
        }
    }

    async fn fact_checks(&self, rules: Rules, today: Day) -> Result<FactChecks, ImportError> {
        let subjects = facts::subjects(&self.env.db.read("facts::subjects")).await;
        let subjects = subjects.map_err(ImportError::store("list the subjects"))?;
        let within = Within { imports_to: i64::MAX, subject: None };
        let voids = store::voids::list(&self.env.db.read("voids::list"), within).await;
        let voids = voids.map_err(ImportError::store("list the facts that were taken back"))?;
        Ok(FactChecks::new(rules, subjects, today, self.halves_back).with_voids(voids))
    }

    async fn begin(&self, report: &Report, id: ImportId, options: &Options) -> Result<i64, ImportError> {
        let failed = || ImportError::store("begin the import");
        let options_key = self.options_key(options);
        let (id, client) = (id.to_string(), options.sender.as_ref().map(|sender| sender.client.to_string()));
        let import = NewImport {
            id: &id,
            client: client.as_deref(),
            template: report.template.as_str(),
            file_name: &report.file_name,
            sha256: &report.sha256,
            options: &options_key,
        };
        let mut tx = self.env.db.begin("imports::begin").await.map_err(failed())?;
        let seq = imports::begin(&mut tx, import, self.env.clock.now()).await.map_err(failed())?;
        // A crash from here on leaves an import in staging, which the next one removes.
        tx.commit().await.map_err(failed())?;
        Ok(seq)
    }
}

fn format_of(input: &Input, options: &Options) -> Result<Format, ImportError> {
    options.format.map_or_else(|| input.format(), Ok)
}
