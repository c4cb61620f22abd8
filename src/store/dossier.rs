//! Everything stored about one subject, and the search for subjects: read only.

use data_encoding::HEXLOWER;

use super::{DbError, Read, args, record};

record! {
    struct CodeRow {
        code: String,
    }
}
record! {
    /// The affiliation of a person with an institution.
    pub struct AffiliationRow {
        pub person_code: String,
        pub institution_code: String,
        /// 1 for the person's main place of practice, otherwise 0.
        pub main: i64,
        pub from_on: String,
        pub to_on: Option<String>,
    }
}
record! {
    /// An adverse fact according to the last accepted file.
    pub struct AdverseRow {
        pub reference: String,
        pub source: String,
        /// minor, general or serious.
        pub tier: String,
        pub decided_on: String,
        pub publish_from_on: Option<String>,
        /// First day on which repair is possible.
        pub earliest_repair_on: Option<String>,
        /// Last possible day of publication.
        pub latest_end_on: Option<String>,
        /// effective, repaired or withdrawn.
        pub status: String,
    }
}
record! {
    /// An assessment of a round.
    pub struct AssessedRow {
        pub period: String,
        pub run_id: String,
        pub model_id: String,
        pub state: String,
        pub version: i64,
        /// graded or not_rated.
        pub status: String,
        /// The reason when not_rated.
        pub reason: Option<String>,
        pub grade: Option<String>,
        /// The total, in thousandths.
        pub points: Option<i64>,
        pub made_at: i64,
    }
}
record! {
    /// A consent that covers a subject.
    pub struct CoveringRow {
        pub id: String,
        pub client_id: String,
        pub client: String,
        pub state: String,
        /// JSON.
        pub permissions: String,
        /// JSON.
        pub purposes: String,
        pub granted_at: Option<i64>,
        pub expires_at: Option<i64>,
    }
}
record! {
    /// A disclosure under a consent.
    pub struct DisclosedRow {
        pub entry: String,
        /// Canonical JSON of the values behind the entry's commitments.
        pub opening: String,
        pub client: String,
    }
}

// Each row of `$1` has one member. Where it is absent it is null, and matches nothing.
const FIND: &str = "/* dossier::find */
    SELECT s.code FROM json_rows($1) JOIN subjects s ON s.name_index = unhex(value->>'name')
    UNION SELECT s.code FROM json_rows($1) JOIN subjects s ON s.id_number_index = unhex(value->>'id_number')
    UNION SELECT s.code FROM json_rows($1) JOIN subjects s ON s.representative_index = unhex(value->>'representative')
    UNION SELECT s.code FROM json_rows($1) JOIN subjects s ON s.name = value->>'plain' AND s.name <> ''
    UNION SELECT s.code FROM json_rows($1) JOIN subjects s ON s.uscc = value->>'uscc'
    ORDER BY 1 LIMIT 1000";

/// Search criteria, of which a subject must match one.
#[derive(Debug, Clone, Default)]
pub struct SearchCriteria {
    /// Keyed hashes of a natural person's name.
    pub names: Vec<[u8; 32]>,
    /// Keyed hashes of a certificate's number.
    pub id_numbers: Vec<[u8; 32]>,
    /// Keyed hashes of a legal representative's name.
    pub representatives: Vec<[u8; 32]>,
    /// A legal person's name.
    pub plain_name: Option<String>,
    /// A unified social credit code.
    pub uscc: Option<String>,
}

/// The codes of the subjects that match any of the criteria, a thousand at most.
pub async fn find(read: &Read<'_>, criteria: &SearchCriteria) -> Result<Vec<String>, DbError> {
    let hashes = |member: &'static str, hashes: &[[u8; 32]]| {
        hashes.iter().map(|hash| serde_json::json!({ member: HEXLOWER.encode(hash) })).collect::<Vec<_>>()
    };
    let mut rows = hashes("name", &criteria.names);
    rows.extend(hashes("id_number", &criteria.id_numbers));
    rows.extend(hashes("representative", &criteria.representatives));
    rows.extend(criteria.plain_name.iter().map(|name| serde_json::json!({ "plain": name })));
    rows.extend(criteria.uscc.iter().map(|uscc| serde_json::json!({ "uscc": uscc })));
    let rows: Vec<CodeRow> = read.fetch_all(FIND, args![serde_json::Value::Array(rows).to_string()]).await?;
    Ok(rows.into_iter().map(|row| row.code).collect())
}

const BRANCHES: &str =
    "/* dossier::branches */ SELECT code FROM subjects WHERE parent_code = $1 AND code <> $1 ORDER BY code";

/// The branches of a chain's head.
pub async fn branches(read: &Read<'_>, code: &str) -> Result<Vec<String>, DbError> {
    let rows: Vec<CodeRow> = read.fetch_all(BRANCHES, args![code]).await?;
    Ok(rows.into_iter().map(|row| row.code).collect())
}

// A later file with the same affiliation from the same day replaces the earlier one.
const AFFILIATIONS: &str = "/* dossier::affiliations */
    SELECT a.person_code, a.institution_code, a.main, a.from_on, a.to_on FROM bulk.affiliations a
    JOIN imports i ON i.seq = a.import_seq AND i.state = 'accepted'
    WHERE (a.person_code = $1 OR a.institution_code = $1) AND NOT EXISTS (
        SELECT 1 FROM bulk.affiliations b JOIN imports j ON j.seq = b.import_seq AND j.state = 'accepted'
        WHERE b.person_code = a.person_code AND b.institution_code = a.institution_code AND b.from_on = a.from_on
            AND b.import_seq > a.import_seq)
    ORDER BY a.main DESC, a.from_on DESC, a.person_code, a.institution_code";

/// The affiliation of a person with an institution.
pub async fn affiliations(read: &Read<'_>, code: &str) -> Result<Vec<AffiliationRow>, DbError> {
    read.fetch_all(AFFILIATIONS, args![code]).await
}

// As for affiliations, the last accepted file with a reference decides.
const ADVERSE: &str = "/* dossier::adverse */
    SELECT a.reference, a.source, a.tier, a.decided_on, a.publish_from_on, a.earliest_repair_on, a.latest_end_on, a.status
    FROM bulk.adverse a JOIN imports i ON i.seq = a.import_seq AND i.state = 'accepted' AND i.replaced_by IS NULL
    WHERE a.subject_code = $1 AND NOT EXISTS (
        SELECT 1 FROM bulk.adverse b
        JOIN imports j ON j.seq = b.import_seq AND j.state = 'accepted' AND j.replaced_by IS NULL
        WHERE b.subject_code = a.subject_code AND b.reference = a.reference AND b.import_seq > a.import_seq)
    ORDER BY a.decided_on DESC, a.reference";

/// A subject's adverse facts, latest first.
pub async fn adverse(read: &Read<'_>, code: &str) -> Result<Vec<AdverseRow>, DbError> {
    read.fetch_all(ADVERSE, args![code]).await
}

// With every version: corrections are part of a subject's history.
const ASSESSED: &str = "/* dossier::assessed */
    SELECT r.period, a.run_id, r.model_id, r.state, a.version, a.status, a.reason, a.grade, a.points, a.made_at
    FROM assessments a JOIN runs r ON r.id = a.run_id WHERE a.subject_code = $1
    ORDER BY r.period DESC, r.model_id, a.made_at DESC, a.version DESC";

/// A subject's assessments of every round, latest first.
pub async fn assessed(read: &Read<'_>, code: &str) -> Result<Vec<AssessedRow>, DbError> {
    read.fetch_all(ASSESSED, args![code]).await
}

const COVERING: &str = "/* dossier::covering */
    SELECT c.id, c.client_id, k.name AS client, c.state, c.permissions, c.purposes, c.granted_at, c.expires_at
    FROM consent_codes s JOIN consents c ON c.id = s.consent_id JOIN clients k ON k.id = c.client_id
    WHERE s.subject_code = $1 ORDER BY c.id DESC";

/// The consents that cover a subject, latest first.
pub async fn covering(read: &Read<'_>, code: &str) -> Result<Vec<CoveringRow>, DbError> {
    read.fetch_all(COVERING, args![code]).await
}

// Without deliveries: each of their lines is a disclosure with an entry of its own.
const DISCLOSED: &str = "/* dossier::disclosed */
    SELECT e.body AS entry, o.body AS opening, k.name AS client
    FROM json_rows($1)
    JOIN ledger_openings o ON o.client_id = value->>'client' AND o.consent_id = value->>'consent'
    JOIN ledger_entries e ON e.id = o.entry_id AND e.type = 'disclosure'
    JOIN clients k ON k.id = o.client_id
    ORDER BY e.committed_at DESC, e.id DESC LIMIT $2";

/// The disclosures under consents, each with its bank, latest first. Those with erased openings are left out.
pub async fn disclosed(read: &Read<'_>, consents: &[CoveringRow], limit: i64) -> Result<Vec<DisclosedRow>, DbError> {
    let of = consents.iter().map(|row| serde_json::json!({ "client": row.client_id, "consent": row.id }));
    read.fetch_all(DISCLOSED, args![serde_json::Value::Array(of.collect()).to_string(), limit]).await
}
