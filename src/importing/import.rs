//! One file from its digest to its acceptance.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::mpsc;

use super::{
    ImportError, Importer, Options, Outcome, Progress, Report, Rules, SubjectChanges, Template,
    batch::{Message, Reading, read_file},
    facts::{Known, read_facts},
    findings::FindingsReport,
    source::{Format, Input},
    stager::Stager,
};
use crate::{
    domain::{Day, ids::ImportId},
    store::{
        Exclusive, facts,
        imports::{self, NewImport},
        staging::Staging,
    },
};

/// Batches on their way from the reader to the writer. With the one being read and the one being written they bound the
/// memory of an import.
const BATCHES_WAITING: usize = 2;

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
        let exclusive =
            Exclusive::try_take(&self.env.db, "imports").await.map_err(ImportError::store("lock imports"))?;
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
        let read = self.env.db.read("imports::find_accepted");
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
            today: self.env.clock.now().day(),
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
        let id = ImportId::new(&*self.env.clock, &*self.env.entropy);
        let seq = if options.check_only { None } else { Some(self.begin(&report, id, options).await?) };
        let findings = FindingsReport::new(rejects);
        let mut stager = Stager::new(self, (id, options.sender.clone()), seq, (report, findings), total_bytes);
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
        let subjects = facts::subjects(&self.env.db.read("facts::subjects")).await;
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
        let mut tx = self.env.db.begin("imports::begin").await.map_err(failed())?;
        let seq = imports::begin(&mut tx, import, self.env.clock.now()).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(seq)
    }

    /// Removes what killed imports left. Whoever holds the lock knows that nobody is staging.
    async fn remove_remains(&self) -> Result<u64, ImportError> {
        let read = self.env.db.read("imports::list");
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
    pub(super) async fn remove_staged(&self, seq: i64) -> Result<(), ImportError> {
        let failed = || ImportError::store("remove staged subjects");
        let mut bulk = self.env.db.begin_bulk("imports::remove_staged").await.map_err(failed())?;
        Staging::purge_subjects_to(&mut bulk, seq).await.map_err(failed())?;
        bulk.commit().await.map_err(failed())
    }

    /// Removes what an import staged. It can no longer be accepted once it is marked, so its rows may go; a crash before
    /// the second mark has the next import remove the rest.
    pub(super) async fn remove(&self, template: Template, seq: i64) -> Result<(), ImportError> {
        let failed = || ImportError::store("remove an import that does not count");
        let mut tx = self.env.db.begin("imports::remove").await.map_err(failed())?;
        imports::discard(&mut tx, seq).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        let mut bulk = self.env.db.begin_bulk("imports::remove").await.map_err(failed())?;
        match template.staging() {
            Some(staging) => staging.purge(&mut bulk, seq).await.map_err(failed())?,
            None => facts::purge(&mut bulk, seq).await.map_err(failed())?,
        };
        bulk.commit().await.map_err(failed())?;
        let mut tx = self.env.db.begin("imports::removed").await.map_err(failed())?;
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
