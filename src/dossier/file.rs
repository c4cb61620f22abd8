//! The dossier of a subject.

use serde::Serialize;

use super::{
    CategoryFacts, Dossiers, undecryptable,
    voided::{VoidedFact, ended},
};
use crate::{
    domain::{Day, Failure, Timestamp},
    ledger::ReadEntry,
    store::{
        dossier::{self, CoveringRow},
        personal::{Personal, masked_name, masked_number},
        subjects::SubjectRow,
    },
};

/// The number of disclosures that are listed, the latest first.
const MOST_DISCLOSURES: i64 = 200;

/// Whether personal parts are masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Masking {
    On,
    Off,
}

/// The identity of the subject.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub name: String,
    /// The type of the certificate.
    pub id_type: Option<String>,
    pub id_number: Option<String>,
    pub legal_representative: Option<String>,
    /// Whether personal values are masked.
    pub masked: bool,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(withheld)")
    }
}

/// The branches of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Branches {
    /// The head, where the subject is a branch.
    pub head: Option<String>,
    /// Its branches, where it is the head.
    pub branches: Vec<String>,
}

/// A place of practice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Affiliation {
    pub person: String,
    pub institution: String,
    /// Whether it is the person's main place.
    pub main: bool,
    /// The first day.
    pub from_on: String,
    pub to_on: Option<String>,
}

/// The result of the subject in a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoundResult {
    pub period: String,
    pub run: String,
    pub model: String,
    pub state: String,
    /// The version; from 2 on it is a correction.
    pub version: i64,
    /// `graded` or `not_rated`.
    pub status: String,
    /// Why it was not rated.
    pub reason: Option<String>,
    pub grade: Option<String>,
    /// The total, in thousandths.
    pub points_milli: Option<i64>,
    /// When it was made.
    pub made_at: Timestamp,
}

/// A consent that covers the subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoveringConsent {
    pub id: String,
    pub bank: String,
    /// The state of the consent.
    pub state: String,
    pub permissions: Vec<String>,
    pub purposes: Vec<String>,
    /// When it was granted.
    pub granted_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

/// A disclosure of the subject's data to a bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disclosure {
    pub id: String,
    pub at: Timestamp,
    pub bank: String,
    /// The consent that allowed it.
    pub consent: String,
    /// The data that was read.
    pub what: Vec<String>,
    pub purpose: String,
}

/// Everything stored about a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dossier {
    pub code: String,
    pub kind: String,
    pub kind_zh: Option<String>,
    /// CRED_OBJ_TYPE.
    pub object_type: Option<u8>,
    /// Its unified social credit code.
    pub uscc: Option<String>,
    /// The identity, masked or in full.
    pub identity: Identity,
    pub region: String,
    pub region_zh: Option<String>,
    pub level: Option<String>,
    /// When its service agreement was signed.
    pub agreement_signed_on: Option<String>,
    /// `active`, `ended_by_subject`, `ended_by_bureau` or `suspended`.
    pub agreement_status: String,
    /// `active`, `suspended` or `revoked`.
    pub licence_status: String,
    /// The first day of the agreement's status; none from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement_status_on: Option<String>,
    /// The first day of the licence's status; none from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence_status_on: Option<String>,
    /// Whether an objection is open.
    pub under_objection: bool,
    /// The version of its row.
    pub version: i64,
    /// The chain it belongs to.
    pub chain: Branches,
    /// The institutions of a person, or the persons of an institution.
    pub affiliations: Vec<Affiliation>,
    pub facts: Vec<CategoryFacts>,
    /// The number of facts of measures that the catalogue no longer has.
    pub facts_of_no_category: u64,
    /// Results of rounds, latest first.
    pub assessments: Vec<RoundResult>,
    /// Adverse facts, latest first.
    pub adverse: Vec<AdverseFact>,
    /// Decisions to take facts back, or to restore them, latest first.
    pub voids: Vec<VoidedFact>,
    /// Consents that cover it, latest first.
    pub consents: Vec<CoveringConsent>,
    /// Disclosures of its data, latest first, at most two hundred.
    pub disclosures: Vec<Disclosure>,
}

/// An adverse fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdverseFact {
    pub reference: String,
    /// The deciding authority.
    pub source: String,
    /// `minor`, `general` or `serious`.
    pub tier: String,
    pub decided_on: String,
    pub publish_from_on: Option<String>,
    /// When repair is possible.
    pub earliest_repair_on: Option<String>,
    /// When publication ends at the latest.
    pub latest_end_on: Option<String>,
    /// effective, repaired or withdrawn.
    pub status: String,
    /// Why it does not count today: `repaired`, `withdrawn`, or `over` after its last day of publication.
    pub ended: Option<String>,
}

impl Dossiers {
    /// A subject's file, personal parts masked.
    pub async fn show(&self, code: &str) -> Result<Dossier, Failure> {
        self.file(code, Masking::On).await
    }

    pub(super) async fn file(&self, code: &str, masking: Masking) -> Result<Dossier, Failure> {
        let row = self.subject(code).await?;
        let identity = self.identity(&row, masking)?;
        let voids = self.voids(code).await?;
        let (facts, facts_of_no_category) = self.facts(&row, &voids).await?;
        let (consents, disclosures) = self.read_by(code).await?;
        let kind = self.tables.kinds.find(&row.kind);
        let today = self.env.clock.now().day();
        let region = row.region.parse().ok().and_then(|region| self.tables.regions.find(region, today));
        let read = self.env.db.read("dossier::show");
        Ok(Dossier {
            kind_zh: kind.map(|kind| kind.name.clone()),
            object_type: kind.and_then(|kind| kind.object_type),
            identity,
            region_zh: region.map(|region| region.name.clone()),
            chain: Branches { head: row.parent_code, branches: dossier::branches(&read, code).await? },
            affiliations: dossier::affiliations(&read, code).await?.into_iter().map(Affiliation::from).collect(),
            facts,
            facts_of_no_category,
            assessments: dossier::assessed(&read, code).await?.into_iter().map(RoundResult::from).collect(),
            adverse: dossier::adverse(&read, code).await?.into_iter().map(|row| adverse_fact(row, today)).collect(),
            voids: voids.decisions,
            consents,
            disclosures,
            code: row.code,
            kind: row.kind,
            uscc: row.uscc,
            region: row.region,
            level: row.level,
            agreement_signed_on: row.agreement_signed_on,
            agreement_status: row.agreement_status,
            licence_status: row.licence_status,
            agreement_status_on: row.agreement_status_on,
            licence_status_on: row.licence_status_on,
            under_objection: row.under_objection != 0,
            version: row.version,
        })
    }

    fn identity(&self, row: &SubjectRow, masking: Masking) -> Result<Identity, Failure> {
        // Decrypted even to be masked: the masks keep parts of the values, which only the plain text has.
        let personal = Personal::of(&self.crypter, &row.code, row.sealed_identity.as_deref());
        let personal = personal.map_err(undecryptable(&row.code))?;
        let name = |name: &str| if masking == Masking::Off { name.to_owned() } else { masked_name(name) };
        let number = |number: &str| if masking == Masking::Off { number.to_owned() } else { masked_number(number) };
        Ok(Identity {
            name: personal.name.as_deref().map_or_else(|| row.name.clone(), name),
            id_type: personal.id_type.clone(),
            id_number: personal.id_number.as_deref().map(number),
            legal_representative: personal.legal_representative.as_deref().map(name),
            masked: masking == Masking::On,
        })
    }

    /// The consents that cover a subject, and the disclosures under them.
    async fn read_by(&self, code: &str) -> Result<(Vec<CoveringConsent>, Vec<Disclosure>), Failure> {
        let read = self.env.db.read("dossier::read_by");
        let rows = dossier::covering(&read, code).await?;
        let mut disclosures = Vec::new();
        // The limit holds for all disclosures under these consents, of which some are of other codes.
        for row in dossier::disclosed(&read, &rows, MOST_DISCLOSURES).await? {
            let entry = ReadEntry::parse(&row.entry);
            let opened = entry.and_then(|entry| entry.open(&row.opening).map(|values| (entry, values)));
            let (entry, values) =
                opened.map_err(|fault| Failure::internal(format!("a disclosure's entry: {fault}")))?;
            let list = |name: &str| {
                let list = values.get(name).and_then(serde_json::Value::as_array).into_iter().flatten();
                list.filter_map(serde_json::Value::as_str).map(str::to_owned).collect::<Vec<_>>()
            };
            let text = |name: &str| values.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            // A consent covers several codes: what was read of another one is none of this subject's file.
            if list("codes").iter().any(|one| one == code) {
                disclosures.push(Disclosure {
                    id: entry.id,
                    at: entry.at,
                    bank: row.client,
                    consent: text("consent"),
                    what: list("what"),
                    purpose: text("purpose"),
                });
            }
        }
        Ok((rows.into_iter().map(|row| self.covering(row)).collect(), disclosures))
    }

    fn covering(&self, row: CoveringRow) -> CoveringConsent {
        let words = |json: &str| serde_json::from_str::<Vec<String>>(json).unwrap_or_default();
        let expires_at = row.expires_at.map(Timestamp::from_micros);
        // A consent expires by itself, before the sweep has stored that.
        let over = row.state == "active" && expires_at.is_some_and(|at| at <= self.env.clock.now());
        CoveringConsent {
            state: if over { "expired".to_owned() } else { row.state },
            permissions: words(&row.permissions),
            purposes: words(&row.purposes),
            id: row.id,
            bank: row.client,
            granted_at: row.granted_at.map(Timestamp::from_micros),
            expires_at,
        }
    }
}

impl From<dossier::AffiliationRow> for Affiliation {
    fn from(row: dossier::AffiliationRow) -> Self {
        let dossier::AffiliationRow { person_code, institution_code, main, from_on, to_on } = row;
        Self { person: person_code, institution: institution_code, main: main == 1, from_on, to_on }
    }
}

impl From<dossier::AssessedRow> for RoundResult {
    fn from(row: dossier::AssessedRow) -> Self {
        Self {
            period: row.period,
            run: row.run_id,
            model: row.model_id,
            state: row.state,
            version: row.version,
            status: row.status,
            reason: row.reason,
            grade: row.grade,
            points_milli: row.points,
            made_at: Timestamp::from_micros(row.made_at),
        }
    }
}

fn adverse_fact(row: dossier::AdverseRow, today: Day) -> AdverseFact {
    AdverseFact {
        ended: ended(&row, today).map(str::to_owned),
        reference: row.reference,
        source: row.source,
        tier: row.tier,
        decided_on: row.decided_on,
        publish_from_on: row.publish_from_on,
        earliest_repair_on: row.earliest_repair_on,
        latest_end_on: row.latest_end_on,
        status: row.status,
    }
}
