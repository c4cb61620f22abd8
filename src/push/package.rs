//! A package: a data file, a manifest with its digest, and a detached signature over the manifest.

use super::{
    NotCovered, PushError, UnfitRecords,
    data::Data,
    detached::sign,
    manifest::{Contents, DataFile, LeftOut, Manifest, sha256},
    platform::{
        Admission, Evaluator, Exclusion, Fields, GradeRow, GradeValue, Operation, PackageRow, Platform, RenderError,
    },
};
use crate::{
    domain::{Actor, Day, Kind, Kinds, Region, canonical::canonical, region::RegionTable},
    grading::{InForceResult, InForceRound, Library, Rounds},
    identity::SharedSigner,
    ledger::{self, Action, Change},
    scoring::{Mapping, ReceiverGrade, SchemeRef},
    store::{Env, subjects, subjects::SubjectRow},
};

/// The number of subjects that are read at a time.
const PAGE: usize = 500;

/// How many records that do not fit are named in the error.
const UNFIT_NAMED: usize = 10;

/// The remark of a record with the mark of an open objection.
const UNDER_OBJECTION: &str = "异议处理中";

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

/// The inputs of a package.
struct Terms<'a> {
    round: &'a InForceRound,
    kind: Option<&'a Kind>,
    platform: &'a Platform,
    /// The mapping table, where the file of the platform names a mapping.
    mapping: Option<&'a Mapping>,
    evaluator: &'a Evaluator,
    regions: &'a RegionTable,
    today: Day,
}

/// A package under construction.
struct Draft {
    data: Data,
    left_out: LeftOut,
    marked: usize,
    unfit: usize,
    /// The first records that do not fit.
    first_unfit: Vec<RenderError>,
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
        let mapping = self.mapping(&round, platform)?;
        let now = self.env.clock.now();
        let (evaluator, regions) = (&self.evaluator, &self.regions);
        let terms = Terms { round: &round, kind, platform, mapping, evaluator, regions, today: now.day() };
        let form = platform.carrier.file_form();
        let data = Data::new(form, fields)?;
        let mut draft = Draft { data, left_out: LeftOut::default(), marked: 0, unfit: 0, first_unfit: Vec::new() };
        // By pages, so that the files of all subjects are never in memory together.
        for page in round.results.chunks(PAGE) {
            self.add_page(&terms, page, &mut draft).await?;
        }
        if draft.unfit > 0 {
            let unfit = UnfitRecords { run: round.head.run, count: draft.unfit, first: draft.first_unfit };
            return Err(PushError::Records(Box::new(unfit)));
        }
        let records = draft.data.records;
        let data = draft.data.finish()?;
        let data_name = format!("{}-{}.{}", round.head.kind, round.head.period, form.0.extension());
        let file = DataFile { name: data_name.clone(), sha256: sha256(&data), bytes: data.len(), records };
        let contents = Contents { file, left_out: draft.left_out, marked: draft.marked };
        let manifest = Manifest::of(round, platform, mapping, contents, now);
        // Canonical, so that a reader that writes the manifest again gets the bytes that were signed.
        let bytes = serde_json::to_value(&manifest).map_err(|error| PushError::Form(error.to_string()))?;
        let bytes = canonical(&bytes).map_err(|error| PushError::Form(error.0))?.into_bytes();
        let signature = sign(&*self.signer, &bytes).map_err(PushError::Key)?;
        // Last, when nothing else can fail: an entry in the ledger stands for a package that exists.
        self.record(&manifest, &bytes, actor).await?;
        Ok(Exported { package: Package { data_name, data, manifest: bytes, signature }, manifest })
    }

    /// The mapping table for the scheme of a round. Refused where the platform's mapping does not cover the scheme.
    fn mapping(&self, round: &InForceRound, platform: &Platform) -> Result<Option<&Mapping>, PushError> {
        let Some(mapping) = platform.mapping.as_deref() else { return Ok(None) };
        let from = SchemeRef { scheme: round.scheme.id.clone(), version: round.scheme.version };
        let not_covered = |why: String| {
            let (run, scheme) = (round.head.run.clone(), from.clone());
            let (platform, mapping) = (platform.id.clone(), mapping.to_owned());
            PushError::NotCovered(Box::new(NotCovered { run, scheme, platform, mapping, why }))
        };
        let table = self.library.mapping(&from, mapping).ok_or_else(|| {
            let tables = self.library.mappings().filter(|table| table.receiver() == mapping);
            let schemes: Vec<String> = tables.map(|table| table.from().to_string()).collect();
            not_covered(match schemes.as_slice() {
                [] => "no table in force belongs to it".to_owned(),
                some => format!("it has tables for {}", some.join(", ")),
            })
        })?;
        table.check_against(&round.scheme).map_err(|refused| {
            not_covered(format!("the scheme was changed since the run, and its version was not raised: {refused}"))
        })?;
        Ok(Some(table))
    }

    async fn add_page(&self, terms: &Terms<'_>, page: &[InForceResult], draft: &mut Draft) -> Result<(), PushError> {
        let codes: Vec<&str> = page.iter().map(|result| result.code.as_str()).collect();
        let files = subjects::list(&self.env.db.read("export"), &codes).await;
        let files = files.map_err(|source| PushError::Store { step: "reading the subjects", source })?;
        for result in page {
            // A subject that is no longer registered has no file, and the platform could not identify it.
            let Some(file) = files.iter().find(|file| file.code == result.code) else { continue };
            terms.add(result, file, draft)?;
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

/// Refuses a round that the platform may not have, before anything is read. Returns the fields of its records.
fn check_allowed<'p>(
    round: &InForceRound,
    kind: Option<&Kind>,
    platform: &'p Platform,
) -> Result<&'p Fields<GradeValue>, PushError> {
    let (id, of_kind) = (platform.id.clone(), round.head.kind.clone());
    let Some(fields) = &platform.grades else { return Err(PushError::NoGrades { platform: id }) };
    if !platform.kinds.contains(&of_kind) {
        return Err(PushError::NotForPlatform { platform: id, kind: of_kind, allowed: platform.kinds.join(", ") });
    }
    if !platform.may_show(kind) {
        return Err(PushError::NotPublishable { platform: id, kind: of_kind });
    }
    // A trial or an open round may still change; a superseded one is no longer in force.
    if round.head.state != "published" {
        return Err(PushError::NotInForce { run: round.head.run.clone(), state: round.head.state.clone() });
    }
    Ok(fields)
}

impl Terms<'_> {
    /// Adds the record of a subject, or counts why it is not there.
    fn add(&self, result: &InForceResult, file: &SubjectRow, draft: &mut Draft) -> Result<(), PushError> {
        // Judged on the present file and not on the round, which knows nothing of objections that came later.
        let objected = file.under_objection != 0;
        let named = match self.platform.admission(self.kind, file.uscc.as_deref(), objected) {
            Admission::LeftOut(Exclusion::UnderObjection) => {
                draft.left_out.under_objection += 1;
                return Ok(());
            }
            Admission::LeftOut(Exclusion::NaturalPerson) => {
                draft.left_out.natural_persons += 1;
                return Ok(());
            }
            Admission::Named => true,
            // A sole trader's code and a person's name are personal; the national code identifies it to a department.
            Admission::CodeOnly => false,
        };
        let record_id = format!("{}:{}", self.round.head.run, result.code);
        let row = self.row(&record_id, result, file, named)?;
        match self.platform.render_grade(&row) {
            Ok(record) => {
                draft.marked += usize::from(objected);
                draft.data.add(&record)?;
            }
            // Collected, so that a person sees more than the first.
            Err(error) => {
                draft.unfit += 1;
                if draft.first_unfit.len() < UNFIT_NAMED {
                    draft.first_unfit.push(error);
                }
            }
        }
        Ok(())
    }

    /// The row of a subject, with its name and code only where the platform may have them.
    fn row<'a>(
        &'a self,
        record_id: &'a str,
        result: &'a InForceResult,
        file: &'a SubjectRow,
        named: bool,
    ) -> Result<GradeRow<'a>, PushError> {
        let Self { round, platform, .. } = self;
        let theirs = match (self.mapping, &result.grade) {
            (Some(mapping), Some(grade)) => Some(receiver_grade(mapping, &grade.code)?),
            _ => None,
        };
        let head = &round.head;
        let region = file.region.parse::<Region>().ok().and_then(|code| self.regions.find(code, self.today));
        let objected = file.under_objection != 0;
        Ok(GradeRow {
            // The evaluation is the batch (评价批次): corrections belong to it too.
            package: PackageRow { batch: &head.run, evaluator: self.evaluator, period: &head.period, kind: &head.kind },
            record_id,
            version: result.version,
            operation: if result.version > 1 { Operation::Update } else { Operation::Insert },
            evaluation_name: &round.model_name,
            scheme: &head.scheme,
            object_type: self.kind.and_then(|kind| kind.object_type),
            code: &result.code,
            uscc: file.uscc.as_deref().filter(|_| named),
            name: Some(file.name.as_str()).filter(|_| named),
            region: &file.region,
            region_name: region.map(|region| region.name.as_str()),
            status: &result.status,
            reason: result.reason.as_deref(),
            grade: result.grade.as_ref().filter(|_| platform.own_grade),
            receiver_grade: theirs,
            points: result.points.filter(|_| platform.points),
            evaluated_on: result.evaluated_on,
            valid_from: round.published_on,
            valid_until: round.valid_until.as_deref().and_then(|day| day.parse().ok()),
            published_on: round.published_on,
            under_objection: objected,
            remark: objected.then_some(UNDER_OBJECTION),
        })
    }
}

/// The platform's grade for a grade. The table was checked against the scheme of the round, so a missing grade is an internal
/// error; it must not lead to a record without a grade.
fn receiver_grade<'m>(mapping: &'m Mapping, grade: &str) -> Result<&'m ReceiverGrade, PushError> {
    let missing = || format!("the table from {} for {} lacks the grade {grade}", mapping.from(), mapping.receiver());
    mapping.grade(grade).ok_or_else(|| PushError::Form(missing()))
}
