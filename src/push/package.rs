//! A package: a data file, a manifest with its digest, and a detached signature over the manifest.

use super::{
    NotCovered, PushError, Receiver,
    data::{Data, Record},
    detached::sign,
    manifest::{DataFile, LeftOut, Manifest, sha256},
};
use crate::{
    domain::{Actor, Kind, Kinds, canonical::canonical, kinds::Person},
    grading::{InForceResult, InForceRound, Library, Rounds},
    identity::SharedSigner,
    ledger::{self, Action, Change},
    scoring::{Mapping, ReceiverGrade, SchemeRef},
    store::{Env, subjects},
};

/// The number of subjects that are read at a time.
const PAGE: usize = 500;

/// The prefix of the USCC of a sole trader, who is a natural person.
const SOLE_TRADER: &str = "92";

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
    receiver: &'a Receiver,
    /// The mapping table, where the entry of the receiver names a mapping.
    mapping: Option<&'a Mapping>,
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
}

impl Exporter {
    /// Makes a package of the round in force for a receiver. When this returns, the export is recorded in the ledger; no file
    /// is written.
    pub async fn export(&self, run: &str, receiver: &Receiver, actor: &Actor) -> Result<Exported, PushError> {
        let rounds = Rounds::new(self.env.clone());
        let round = rounds.in_force(run).await.map_err(PushError::Grading)?;
        if !receiver.kinds.contains(&round.head.kind) {
            return Err(PushError::NotForReceiver {
                receiver: receiver.id.clone(),
                kind: round.head.kind,
                allowed: receiver.kinds.join(", "),
            });
        }
        let kind = self.kinds.find(&round.head.kind);
        if !receiver.may_show(kind) {
            return Err(PushError::NotPublishable { receiver: receiver.id.clone(), kind: round.head.kind });
        }
        // A trial or an open round may still change; a superseded one is no longer in force.
        if round.head.state != "published" {
            return Err(PushError::NotInForce { run: round.head.run, state: round.head.state });
        }
        let mapping = self.mapping(&round, receiver)?;
        let terms = Terms { round: &round, kind, receiver, mapping };
        let mut out = Data::new(receiver.format);
        let mut left_out = LeftOut::default();
        // By pages, so that the files of all subjects are never in memory together.
        for page in round.results.chunks(PAGE) {
            self.add_page(&terms, page, &mut out, &mut left_out).await?;
        }
        let now = self.env.clock.now();
        let records = out.records;
        let data = out.finish()?;
        let data_name = format!("{}-{}.{}", round.head.kind, round.head.period, receiver.format.extension());
        let file = DataFile { name: data_name.clone(), sha256: sha256(&data), bytes: data.len(), records };
        let manifest = Manifest::of(round, receiver, mapping, file, left_out, now);
        // Canonical, so that a reader that writes the manifest again gets the bytes that were signed.
        let bytes = serde_json::to_value(&manifest).map_err(|error| PushError::Form(error.to_string()))?;
        let bytes = canonical(&bytes).map_err(|error| PushError::Form(error.0))?.into_bytes();
        let signature = sign(&*self.signer, &bytes).map_err(PushError::Key)?;
        // Last, when nothing else can fail: an entry in the ledger stands for a package that exists.
        self.record(&manifest, &bytes, actor).await?;
        Ok(Exported { package: Package { data_name, data, manifest: bytes, signature }, manifest })
    }

    /// The mapping table for the scheme of a round. Refused where the receiver's mapping does not cover the scheme.
    fn mapping(&self, round: &InForceRound, receiver: &Receiver) -> Result<Option<&Mapping>, PushError> {
        let Some(mapping) = receiver.mapping.as_deref() else { return Ok(None) };
        let from = SchemeRef { scheme: round.scheme.id.clone(), version: round.scheme.version };
        let not_covered = |why: String| {
            let (run, scheme) = (round.head.run.clone(), from.clone());
            let (receiver, mapping) = (receiver.id.clone(), mapping.to_owned());
            PushError::NotCovered(Box::new(NotCovered { run, scheme, receiver, mapping, why }))
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

    async fn add_page(
        &self,
        terms: &Terms<'_>,
        page: &[InForceResult],
        out: &mut Data,
        left_out: &mut LeftOut,
    ) -> Result<(), PushError> {
        let Terms { round, kind, receiver, mapping } = terms;
        let codes: Vec<&str> = page.iter().map(|result| result.code.as_str()).collect();
        let files = subjects::list(&self.env.db.read("export"), &codes).await;
        let files = files.map_err(|source| PushError::Store { step: "reading the subjects", source })?;
        for result in page {
            // A subject that is no longer registered has no file, and the receiver could not identify it.
            let Some(file) = files.iter().find(|file| file.code == result.code) else { continue };
            // An unknown kind counts as natural persons: it is better to leave one out than to name one.
            let natural = kind.is_none_or(|kind| kind.person == Person::Natural)
                || file.uscc.as_ref().is_some_and(|uscc| uscc.starts_with(SOLE_TRADER));
            let own_grade = result.grade.as_ref().filter(|_| receiver.own_grade);
            let theirs = match (mapping, &result.grade) {
                (Some(mapping), Some(grade)) => Some(receiver_grade(mapping, &grade.code)?),
                _ => None,
            };
            // Judged on the present file and not on the round, which knows nothing of objections that came later.
            if file.under_objection != 0 {
                left_out.under_objection += 1;
            } else if natural && !receiver.may_have_natural() {
                left_out.natural_persons += 1;
            } else {
                out.add(&Record {
                    id: format!("{}:{}", round.head.run, result.code),
                    version: result.version,
                    kind: &round.head.kind,
                    object_type: kind.and_then(|kind| kind.object_type),
                    code: &result.code,
                    // A sole trader's code and a person's name are personal; the national code identifies it to a
                    // department.
                    uscc: file.uscc.as_deref().filter(|_| !natural),
                    name: Some(file.name.as_str()).filter(|_| !natural),
                    region: &file.region,
                    status: &result.status,
                    reason: result.reason.as_deref(),
                    grade: own_grade.map(|grade| grade.code.as_str()),
                    grade_name: own_grade.map(|grade| grade.name_zh.as_str()),
                    points: result.points.filter(|_| receiver.points).map(|points| points.to_string()),
                    evaluated_on: result.evaluated_on.to_string(),
                    valid_until: round.valid_until.as_deref(),
                    receiver_grade: theirs.map(|grade| grade.code.as_str()),
                    receiver_grade_name: theirs.map(|grade| grade.name_zh.as_str()),
                })?;
            }
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

/// The receiver's grade for a grade. The table was checked against the scheme of the round, so a missing grade is an internal
/// error; it must not lead to a record without a grade.
fn receiver_grade<'m>(mapping: &'m Mapping, grade: &str) -> Result<&'m ReceiverGrade, PushError> {
    let missing = || format!("the table from {} for {} lacks the grade {grade}", mapping.from(), mapping.receiver());
    mapping.grade(grade).ok_or_else(|| PushError::Form(missing()))
}
