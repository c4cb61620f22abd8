//! A package: a data file, a manifest with its digest, and a detached signature over the manifest.

use super::{
    PushError,
    data::Data,
    detached::sign,
    grades::{RecordVersion, Terms, check_allowed, mapping_of, must_be_in_force, record_id},
    manifest::{Contents, DataFile, LeftOut, Manifest, sha256},
    platform::{Admission, Evaluator, Exclusion, Operation, Platform},
    unfit::Unfit,
};
use crate::{
    domain::{Actor, Kinds, canonical::canonical, region::RegionTable},
    grading::{InForceResult, Library, Rounds},
    identity::SharedSigner,
    ledger::{self, Action, Change},
    store::{Env, subjects, subjects::SubjectRow},
};

/// The number of subjects that are read at a time.
const PAGE: usize = 500;

/// The files of a package.
#[derive(Debug)]
pub struct Package {
    /// The name of the data file.
    pub data_name: String,
    pub data: Vec<u8>,
    /// `manifest.json`: canonical JSON.
    pub manifest: Vec<u8>,
    /// `manifest.jws`: a JWS (RFC 7515) whose payload, the manifest, is left out.
    pub signature: String,
}

/// The outcome of an export.
#[derive(Debug)]
pub struct Exported {
    pub package: Package,
    /// The content of the manifest.
    pub manifest: Manifest,
}

/// A package under construction.
struct Draft {
    data: Data,
    left_out: LeftOut,
    marked: usize,
    corrected: usize,
    unfit: Unfit,
}

/// Makes packages.
#[derive(Debug, Clone)]
pub struct Exporter {
    /// The store with the rounds.
    pub env: Env,
    /// The key that signs answers.
    pub signer: SharedSigner,
    /// The kinds of subjects.
    pub kinds: Kinds,
    /// The mapping tables.
    pub library: Library,
    /// The names of regions.
    pub regions: RegionTable,
    /// Who grades.
    pub evaluator: Evaluator,
}

impl Exporter {
    /// Makes a package of the round in force for a platform. When this returns, the export is recorded in the ledger; no file
    /// is written.
    pub async fn export(&self, run: &str, platform: &Platform, actor: &Actor) -> Result<Exported, PushError> {
        let rounds = Rounds::new(self.env.clone());
        let round = rounds.in_force(run).await.map_err(PushError::Grading)?;
        let kind = self.kinds.find(&round.head.kind);
        let fields = check_allowed(&round, kind, platform)?;
        must_be_in_force(&round)?;
        let mapping = mapping_of(&self.library, &round, platform)?;
        let now = self.env.clock.now();
        let (evaluator, regions) = (&self.evaluator, &self.regions);
        let terms = Terms { round: &round, kind, platform, mapping, evaluator, regions, today: now.day() };
        let form = platform.carrier.file_form();
        let data = Data::new(form, fields)?;
        let mut draft = Draft { data, left_out: LeftOut::default(), marked: 0, corrected: 0, unfit: Unfit::default() };
        let mut after = String::new();
        // By pages, so that the files of all subjects are never in memory together.
        loop {
            let results = rounds.results_in_force(&round, &after).await.map_err(PushError::Grading)?;
            let Some(last) = results.last() else { break };
            after.clone_from(&last.code);
            for page in results.chunks(PAGE) {
                self.add_page(&terms, page, &mut draft).await?;
            }
        }
        draft.unfit.check(&round.head.run)?;
        let records = draft.data.records;
        let data = draft.data.finish()?;
        let data_name = format!("{}-{}.{}", round.head.kind, round.head.period, form.0.extension());
        let file = DataFile { name: data_name.clone(), sha256: sha256(&data), bytes: data.len(), records };
        let contents = Contents { file, left_out: draft.left_out, marked: draft.marked, corrected: draft.corrected };
        let manifest = Manifest::of(round, platform, mapping, contents, now);
        // Canonical, so that a reader that writes the manifest again gets the bytes that were signed.
        let bytes = serde_json::to_value(&manifest).map_err(|error| PushError::Form(error.to_string()))?;
        let bytes = canonical(&bytes).map_err(|error| PushError::Form(error.0))?.into_bytes();
        let signature = sign(&*self.signer, &bytes).map_err(PushError::Key)?;
        // Last, when nothing else can fail: an entry in the ledger stands for a package that exists.
        self.record(&manifest, &bytes, actor).await?;
        Ok(Exported { package: Package { data_name, data, manifest: bytes, signature }, manifest })
    }

    async fn add_page(&self, terms: &Terms<'_>, page: &[InForceResult], draft: &mut Draft) -> Result<(), PushError> {
        let codes: Vec<&str> = page.iter().map(|result| result.code.as_str()).collect();
        let files = subjects::list(&self.env.db.read("export"), &codes).await;
        let files = files.map_err(|source| PushError::Store { step: "reading the subjects", source })?;
        for result in page {
            // Version 1 is the publication; every correction raises it.
            draft.corrected += usize::from(result.version > 1);
            // A subject that is no longer registered has no file, and the platform could not identify it.
            let Some(file) = files.iter().find(|file| file.code == result.code) else { continue };
            draft.add(terms, result, file)?;
        }
        Ok(())
    }

    /// Records the export, before anything can be written (I1).
    async fn record(&self, manifest: &Manifest, bytes: &[u8], actor: &Actor) -> Result<(), PushError> {
        let step = "recording the export";
        let store = |source| PushError::Store { step, source };
        let records: usize = manifest.files.iter().map(|file| file.records).sum();
        let detail =
            serde_json::json!({ "receiver": manifest.receiver, "manifest_sha256": sha256(bytes), "records": records });
        let mut tx = self.env.db.begin("export").await.map_err(store)?;
        let recorded =
            ledger::audit(&mut tx, &self.env, actor, Action::GradesExported, Some(&manifest.run), Change::of(detail));
        recorded.await.map_err(PushError::Ledger)?;
        tx.commit().await.map_err(store)
    }
}

impl Draft {
    /// Adds the record of a subject, or counts why it is not there.
    fn add(&mut self, terms: &Terms<'_>, result: &InForceResult, file: &SubjectRow) -> Result<(), PushError> {
        let named = match terms.admission(file) {
            Admission::LeftOut(Exclusion::UnderObjection) => {
                self.left_out.under_objection += 1;
                return Ok(());
            }
            Admission::LeftOut(Exclusion::NaturalPerson) => {
                self.left_out.natural_persons += 1;
                return Ok(());
            }
            Admission::LeftOut(Exclusion::Closed) => {
                self.left_out.closed += 1;
                return Ok(());
            }
            Admission::Named => true,
            // A sole trader's code and a person's name are personal; the national code identifies it to a department.
            Admission::CodeOnly => false,
        };
        let record_id = record_id(terms.round, &result.code);
        let operation = if result.version > 1 { Operation::Update } else { Operation::Insert };
        let of = RecordVersion { record_id: &record_id, version: result.version, operation };
        match terms.platform.render_grade(&terms.row(of, result, file, named)?) {
            Ok(record) => {
                self.marked += usize::from(file.under_objection != 0);
                self.data.add(&record)?;
            }
            Err(error) => self.unfit.add(error),
        }
        Ok(())
    }
}
