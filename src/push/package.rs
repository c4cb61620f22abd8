//! A package: a data file, a manifest that says what it is by digests, and a detached signature over the manifest.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::Serialize;

use super::{Format, Natural, PushError, Receiver};
use crate::{
    domain::{
        Kinds, Timestamp, canonical::canonical, clock::SharedClock, ids::EntryId, kinds::Person, rng::SharedEntropy,
    },
    grading::{InForceResult, InForceRound, Rounds},
    identity::SharedSigner,
    ledger::{self, OperatorFacts},
    store::{Db, subjects},
};

/// How many subjects' files are read at a time.
const PAGE: usize = 500;

/// How a USCC of a sole trader begins: a natural person's trade.
const SOLE_TRADER: &str = "92";

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileOf {
    /// Its name.
    pub name: String,
    /// SHA-256, hex.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: usize,
    /// How many records it has.
    pub records: usize,
}

/// Who of the round is not in a package, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// With an open objection.
    pub under_objection: usize,
    /// Natural persons the receiver may have nothing of.
    pub natural_persons: usize,
}

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// `medcredit-package/1`.
    pub format: &'static str,
    /// The receiver.
    pub receiver: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The round.
    pub run: String,
    /// The kind of subject.
    pub kind: String,
    /// The half-year.
    pub period: String,
    /// The scheme.
    pub scheme: String,
    /// Its version.
    pub scheme_version: i64,
    /// The last day on which the grades are good.
    pub valid_until: Option<String>,
    /// The digest of the model.
    pub model_digest: String,
    /// The digest of what the run came to, before corrections.
    pub outcome_digest: String,
    /// How many results were corrected since.
    pub corrected: usize,
    /// The data.
    pub files: Vec<FileOf>,
    /// Who is not in it.
    pub left_out: LeftOut,
}

/// A package, whole: names and bytes.
#[derive(Debug)]
pub struct Package {
    /// The data file's name.
    pub data_name: String,
    /// Its bytes.
    pub data: Vec<u8>,
    /// `manifest.json`: canonical JSON.
    pub manifest: Vec<u8>,
    /// `manifest.jws`: a JWS (RFC 7515) whose payload, the manifest, is left out.
    pub signature: String,
}

/// A package with what it says.
#[derive(Debug)]
pub struct Exported {
    /// The files.
    pub package: Package,
    /// What the manifest says.
    pub manifest: Manifest,
}

/// One result, as a receiver gets it.
#[derive(Debug, Serialize)]
struct Record<'a> {
    #[serde(rename = "record_id")]
    id: String,
    version: i64,
    kind: &'a str,
    object_type: Option<u8>,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uscc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    region: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grade_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<String>,
    evaluated_on: String,
    valid_until: Option<&'a str>,
}

/// Makes packages.
#[derive(Debug, Clone)]
pub struct Exporter {
    db: Db,
    clock: SharedClock,
    entropy: SharedEntropy,
    signer: SharedSigner,
    kinds: Kinds,
}

impl Exporter {
    /// Over a store, signing with the answers' key.
    pub const fn new(db: Db, clock: SharedClock, entropy: SharedEntropy, signer: SharedSigner, kinds: Kinds) -> Self {
        Self { db, clock, entropy, signer, kinds }
    }

    /// A package of the round in force for a receiver. It is an entry of the ledger when this returns; nothing is written
    /// anywhere else.
    pub async fn export(&self, run: &str, receiver: &Receiver, operator: &str) -> Result<Exported, PushError> {
        let rounds = Rounds::new(self.db.clone(), self.clock.clone(), self.entropy.clone());
        let round = rounds.in_force(run).await.map_err(PushError::Grading)?;
        if !receiver.kinds.contains(&round.head.kind) {
            return Err(PushError::NotForReceiver {
                receiver: receiver.id.clone(),
                kind: round.head.kind,
                allowed: receiver.kinds.join(", "),
            });
        }
        if round.head.state != "published" {
            return Err(PushError::NotInForce { run: round.head.run, state: round.head.state });
        }
        let mut out = Data::new(receiver.format);
        let mut left_out = LeftOut::default();
        for page in round.results.chunks(PAGE) {
            self.add_page(&round, page, receiver, (&mut out, &mut left_out)).await?;
        }
        let now = self.clock.now();
        let records = out.records;
        let data = out.finish()?;
        let data_name = format!("{}-{}.{}", round.head.kind, round.head.period, receiver.format.extension());
        let file = FileOf { name: data_name.clone(), sha256: sha256(&data), bytes: data.len(), records };
        let manifest = manifest_of(round, receiver, (file, left_out), now);
        let bytes = serde_json::to_value(&manifest).map_err(|error| PushError::Form(error.to_string()))?;
        let bytes = canonical(&bytes).map_err(|error| PushError::Form(error.0))?.into_bytes();
        let signature = self.sign(&bytes)?;
        self.enter(&manifest, &bytes, operator).await?;
        Ok(Exported { package: Package { data_name, data, manifest: bytes, signature }, manifest })
    }

    async fn add_page(
        &self,
        round: &InForceRound,
        page: &[InForceResult],
        receiver: &Receiver,
        (out, left_out): (&mut Data, &mut LeftOut),
    ) -> Result<(), PushError> {
        let codes: Vec<&str> = page.iter().map(|result| result.code.as_str()).collect();
        let files = subjects::list(&self.db.read("export"), &codes).await;
        let files = files.map_err(|source| PushError::Store { step: "reading the subjects", source })?;
        let kind = self.kinds.find(&round.head.kind);
        for result in page {
            // A subject that is no longer known has nothing to be found by.
            let Some(file) = files.iter().find(|file| file.code == result.code) else { continue };
            let natural = kind.is_none_or(|kind| kind.person == Person::Natural)
                || file.uscc.as_ref().is_some_and(|uscc| uscc.starts_with(SOLE_TRADER));
            if file.under_objection != 0 {
                left_out.under_objection += 1;
            } else if natural && receiver.natural == Natural::None {
                left_out.natural_persons += 1;
            } else {
                out.add(&Record {
                    id: format!("{}:{}", round.head.run, result.code),
                    version: result.version,
                    kind: &round.head.kind,
                    object_type: kind.and_then(|kind| kind.object_type),
                    code: &result.code,
                    uscc: file.uscc.as_deref().filter(|_| !natural),
                    name: Some(file.name.as_str()).filter(|_| !natural),
                    region: &file.region,
                    status: &result.status,
                    reason: result.reason.as_deref(),
                    grade: result.grade.as_ref().map(|grade| grade.code.as_str()),
                    grade_name: result.grade.as_ref().map(|grade| grade.name_zh.as_str()),
                    points: result.points.filter(|_| receiver.points).map(|points| points.to_string()),
                    evaluated_on: result.evaluated_on.to_string(),
                    valid_until: round.valid_until.as_deref(),
                })?;
            }
        }
        Ok(())
    }

    /// A compact JWS without its payload (RFC 7515, appendix F).
    fn sign(&self, payload: &[u8]) -> Result<String, PushError> {
        let header = serde_json::json!({
            "alg": self.signer.suite().name(), "kid": self.signer.key_id(), "typ": "medcredit-package+jws",
        });
        let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
        let message = format!("{header}.{}", BASE64URL_NOPAD.encode(payload));
        let signature = self.signer.sign(message.as_bytes()).map_err(PushError::Key)?;
        Ok(format!("{header}..{}", BASE64URL_NOPAD.encode(&signature)))
    }

    /// What leaves is recorded first.
    async fn enter(&self, manifest: &Manifest, bytes: &[u8], operator: &str) -> Result<(), PushError> {
        let step = "recording the export";
        let store = |source| PushError::Store { step, source };
        let records: usize = manifest.files.iter().map(|file| file.records).sum();
        let facts = OperatorFacts {
            id: EntryId::new(&*self.clock, &*self.entropy),
            at: manifest.made_at,
            action: "grades_exported",
            actor: format!("operator:{operator}"),
            detail: serde_json::json!({ "receiver": manifest.receiver, "manifest_sha256": sha256(bytes), "records": records }),
            reason: None,
            target: Some(manifest.run.clone()),
        };
        let (entry, opening) = facts.into_entry(&*self.entropy).map_err(PushError::Ledger)?;
        let mut tx = self.db.begin("export").await.map_err(store)?;
        ledger::append(&mut tx, &entry, Some(&opening)).await.map_err(PushError::Ledger)?;
        tx.commit().await.map_err(store)
    }
}

fn manifest_of(
    round: InForceRound,
    receiver: &Receiver,
    (file, left_out): (FileOf, LeftOut),
    now: Timestamp,
) -> Manifest {
    Manifest {
        format: "medcredit-package/1",
        receiver: receiver.id.clone(),
        made_at: now,
        corrected: round.results.iter().filter(|result| result.version > 1).count(),
        run: round.head.run,
        kind: round.head.kind,
        period: round.head.period,
        scheme: round.head.scheme,
        scheme_version: round.scheme_version,
        valid_until: round.valid_until,
        model_digest: round.model_digest,
        outcome_digest: round.outcome_digest,
        files: vec![file],
        left_out,
    }
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

/// A data file that grows.
struct Data {
    bytes: Vec<u8>,
    rows: Option<csv::Writer<Vec<u8>>>,
    records: usize,
}

/// The columns of CSV, all of them in every line.
const COLUMNS: [&str; 15] = [
    "record_id",
    "version",
    "kind",
    "object_type",
    "code",
    "uscc",
    "name",
    "region",
    "status",
    "reason",
    "grade",
    "grade_name",
    "points",
    "evaluated_on",
    "valid_until",
];

impl Data {
    fn new(format: Format) -> Self {
        let rows = (format == Format::Csv).then(|| csv::Writer::from_writer(Vec::new()));
        Self { bytes: Vec::new(), rows, records: 0 }
    }

    fn add(&mut self, record: &Record<'_>) -> Result<(), PushError> {
        let failed = |error: String| PushError::Form(error);
        self.records += 1;
        match &mut self.rows {
            None => {
                serde_json::to_writer(&mut self.bytes, record).map_err(|error| failed(error.to_string()))?;
                self.bytes.push(b'\n');
            }
            Some(rows) => {
                if self.records == 1 {
                    rows.write_record(COLUMNS).map_err(|error| failed(error.to_string()))?;
                }
                rows.write_record(fields(record)).map_err(|error| failed(error.to_string()))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>, PushError> {
        match self.rows {
            None => Ok(self.bytes),
            Some(rows) => rows.into_inner().map_err(|error| PushError::Form(error.to_string())),
        }
    }
}

/// A record in the order of [`COLUMNS`].
fn fields(record: &Record<'_>) -> [String; 15] {
    let text = |of: Option<&str>| of.unwrap_or_default().to_owned();
    [
        record.id.clone(),
        record.version.to_string(),
        record.kind.to_owned(),
        record.object_type.map(|of| of.to_string()).unwrap_or_default(),
        record.code.to_owned(),
        text(record.uscc),
        text(record.name),
        record.region.to_owned(),
        record.status.to_owned(),
        text(record.reason),
        text(record.grade),
        text(record.grade_name),
        record.points.clone().unwrap_or_default(),
        record.evaluated_on.clone(),
        text(record.valid_until),
    ]
}
