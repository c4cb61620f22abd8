//! Graded subjects as described by the bureau's files.

use super::{DbError, Read, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A subject.
    pub struct SubjectRow {
        pub code: String,
        pub kind: String,
        /// None for natural persons.
        pub uscc: Option<String>,
        /// Empty for natural persons, whose name is sealed.
        pub name: String,
        pub region: String,
        /// Such as 三级.
        pub level: Option<String>,
        /// The code of the chain's head.
        pub parent_code: Option<String>,
        /// Certificate, legal representative and a natural person's name, sealed (see [`super::personal`]).
        pub sealed_identity: Option<Vec<u8>>,
        pub agreement_signed_on: Option<String>,
        /// active, ended_by_subject, ended_by_bureau or suspended.
        pub agreement_status: String,
        /// active, suspended or revoked.
        pub licence_status: String,
        /// The first day of the agreement's status; none from the beginning.
        pub agreement_status_on: Option<String>,
        /// The first day of the licence's status; none from the beginning.
        pub licence_status_on: Option<String>,
        /// 1 while an objection is open, otherwise 0.
        pub under_objection: i64,
        /// Incremented by every change of the row.
        pub version: i64,
        /// The import that wrote the current values.
        pub import_seq: i64,
    }
}
record! {
    struct CodeRow {
        code: String,
    }
}
record! {
    struct KindRow {
        kind: String,
        subjects: i64,
    }
}
record! {
    /// A staged subject.
    pub struct StagedRow {
        pub line: i64,
        /// JSON.
        pub body: String,
    }
}

macro_rules! select {
    ($name:literal, $rest:literal) => {
        concat!(
            "/* subjects::",
            $name,
            " */ SELECT s.code, s.kind, s.uscc, s.name, s.region, s.level, s.parent_code, s.sealed_identity,
             s.agreement_signed_on, s.agreement_status, s.licence_status, s.agreement_status_on, s.licence_status_on,
             s.under_objection, s.version, s.import_seq ",
            $rest
        )
    };
}

const FIND: &str = select!("find", "FROM subjects s WHERE s.code = $1");
const LIST: &str = select!("list", "FROM json_rows($1) JOIN subjects s ON s.code = value->>'c' ORDER BY s.code");
const LIST_OF_USCC: &str = select!("list_of_uscc", "FROM subjects s WHERE s.uscc = $1 ORDER BY s.code");
const EXISTING: &str = "/* subjects::existing */
    SELECT s.code FROM json_rows($1) JOIN subjects s ON s.code = value->>'c'";
const COUNT_BY_KIND: &str = "/* subjects::count_by_kind */
    SELECT kind, COUNT(*) AS subjects FROM subjects GROUP BY kind ORDER BY kind";
// The last accepted file with an affiliation decides; of several main ones the last to begin.
const MAIN_INSTITUTIONS: &str = "/* subjects::main_institutions */
    SELECT a.person_code, a.institution_code FROM json_rows($1)
    JOIN bulk.affiliations a ON a.person_code = value->>'c' AND a.main = 1
    JOIN imports i ON i.seq = a.import_seq AND i.state = 'accepted'
    ORDER BY a.person_code, a.from_on, a.import_seq";
const LIST_STAGED: &str = "/* subjects::list_staged */
    SELECT line, body FROM bulk.staged_subjects WHERE import_seq = $1 AND line > $2 ORDER BY line LIMIT $3";
// `under_objection` is not in the bureau's files: an import must not end an objection.
const UPSERT: &str = "/* subjects::upsert */
    INSERT INTO subjects (code, kind, uscc, name, region, level, parent_code, sealed_identity, name_index,
                          id_number_index, representative_index, agreement_signed_on, agreement_status, licence_status,
                          agreement_status_on, licence_status_on, under_objection, version, import_seq, updated_at)
    SELECT value->>'code', value->>'kind', value->>'uscc', value->>'name', value->>'region', value->>'level',
           value->>'parent_code', unhex(value->>'identity'), unhex(value->>'name_index'),
           unhex(value->>'id_number_index'), unhex(value->>'representative_index'), value->>'agreement_signed_on',
           value->>'agreement_status', value->>'licence_status', value->>'agreement_status_on',
           value->>'licence_status_on', 0, 1, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
    FROM json_rows($1) WHERE true
    ON CONFLICT (code) DO UPDATE SET
        kind = excluded.kind, uscc = excluded.uscc, name = excluded.name, region = excluded.region,
        level = excluded.level, parent_code = excluded.parent_code, sealed_identity = excluded.sealed_identity,
        name_index = excluded.name_index, id_number_index = excluded.id_number_index,
        representative_index = excluded.representative_index,
        agreement_signed_on = excluded.agreement_signed_on, agreement_status = excluded.agreement_status,
        licence_status = excluded.licence_status, agreement_status_on = excluded.agreement_status_on,
        licence_status_on = excluded.licence_status_on, version = subjects.version + 1, import_seq = excluded.import_seq,
        updated_at = excluded.updated_at";

record! {
    /// The main institution of a person.
    pub struct MainInstitutionRow {
        pub person_code: String,
        pub institution_code: String,
    }
}
record! {
    /// The parts of a subject that are sealed or must be.
    pub struct PersonalRow {
        pub code: String,
        pub kind: String,
        /// Empty for natural persons whose name is sealed.
        pub name: String,
        pub sealed_identity: Option<Vec<u8>>,
        /// 1 when there is a sealed value without any keyed hash, otherwise 0.
        pub unindexed: i64,
    }
}

const LIST_PERSONAL: &str = "/* subjects::list_personal */
    SELECT code, kind, name, sealed_identity,
           CAST(CASE WHEN sealed_identity IS NOT NULL AND name_index IS NULL AND id_number_index IS NULL
                          AND representative_index IS NULL THEN 1 ELSE 0 END AS BIGINT) AS unindexed
    FROM subjects WHERE code > $1 ORDER BY code LIMIT $2";
const SEAL: &str = "/* subjects::seal */
    UPDATE subjects SET name = value->>'name', sealed_identity = unhex(value->>'identity'),
           name_index = unhex(value->>'name_index'), id_number_index = unhex(value->>'id_number_index'),
           representative_index = unhex(value->>'representative_index')
    FROM json_rows($1) WHERE code = value->>'code'";
const COUNT_UNSEALED: &str = "/* subjects::count_unsealed */
    SELECT COUNT(*) AS subjects, '' AS kind FROM subjects
    WHERE (name <> '' AND kind IN (SELECT value->>'c' FROM json_rows($1)))
       OR (sealed_identity IS NOT NULL AND name_index IS NULL AND id_number_index IS NULL AND representative_index IS NULL)";

/// A page of the personal parts of subjects, after a code.
pub async fn list_personal(read: &Read<'_>, after: &str, limit: i64) -> Result<Vec<PersonalRow>, DbError> {
    read.fetch_all(LIST_PERSONAL, args![after, limit]).await
}

/// Replaces sealed personal parts (a JSON array of `code`, `name` and the members of [`super::personal::SealedParts`]). The
/// subject itself does not change, so its version does not.
pub async fn seal(tx: &mut Tx, rows: String) -> Result<u64, DbError> {
    tx.execute(SEAL, args![rows]).await
}

/// The number of natural persons whose name is in the clear, and of subjects whose sealed parts have no keyed hash: rows
/// written before names were sealed and hashed.
pub async fn count_unsealed<S: AsRef<str>>(read: &Read<'_>, natural: &[S]) -> Result<i64, DbError> {
    read.fetch_one::<KindRow>(COUNT_UNSEALED, args![batch_of(natural)]).await.map(|row| row.subjects)
}

fn batch_of<S: AsRef<str>>(codes: &[S]) -> String {
    let rows: Vec<_> = codes.iter().map(|code| serde_json::json!({ "c": code.as_ref() })).collect();
    serde_json::Value::Array(rows).to_string()
}

/// A subject by its national code.
pub async fn find(read: &Read<'_>, code: &str) -> Result<Option<SubjectRow>, DbError> {
    read.fetch_optional(FIND, args![code]).await
}

/// The subjects with some codes, ordered by code. Unknown codes are left out.
pub async fn list<S: AsRef<str>>(read: &Read<'_>, codes: &[S]) -> Result<Vec<SubjectRow>, DbError> {
    read.fetch_all(LIST, args![batch_of(codes)]).await
}

/// The main institution of each of some persons, as accepted files have them; the last one of a person decides.
pub async fn main_institutions<S: AsRef<str>>(
    read: &Read<'_>,
    persons: &[S],
) -> Result<Vec<MainInstitutionRow>, DbError> {
    read.fetch_all(MAIN_INSTITUTIONS, args![batch_of(persons)]).await
}

/// Every subject of a legal entity, ordered by code: one USCC owns many codes.
pub async fn list_of_uscc(read: &Read<'_>, uscc: &str) -> Result<Vec<SubjectRow>, DbError> {
    read.fetch_all(LIST_OF_USCC, args![uscc]).await
}

/// Those of some codes that belong to a subject.
pub async fn existing<S: AsRef<str>>(read: &Read<'_>, codes: &[S]) -> Result<Vec<String>, DbError> {
    let rows: Vec<CodeRow> = read.fetch_all(EXISTING, args![batch_of(codes)]).await?;
    Ok(rows.into_iter().map(|row| row.code).collect())
}

/// The number of subjects of each kind.
pub async fn count_by_kind(read: &Read<'_>) -> Result<Vec<(String, i64)>, DbError> {
    let rows: Vec<KindRow> = read.fetch_all(COUNT_BY_KIND, args![]).await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.subjects)).collect())
}

/// A page of the staged subjects of an import, after a line.
pub async fn list_staged(
    read: &Read<'_>,
    import_seq: i64,
    after_line: i64,
    limit: i64,
) -> Result<Vec<StagedRow>, DbError> {
    read.fetch_all(LIST_STAGED, args![import_seq, after_line, limit]).await
}

/// Inserts or updates subjects (a JSON array of objects, see [`SubjectRow`]; the members of
/// [`super::personal::SealedParts`] as hex). An update increments the version and leaves `under_objection` as it is.
pub async fn upsert(tx: &mut Tx, rows: String, import_seq: i64, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(UPSERT, args![rows, import_seq, now]).await
}
