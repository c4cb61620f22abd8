//! Grading runs: their models, working results, published assessments, and the grades that banks read.

use super::{DbError, Read, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A run.
    pub struct RunRow {
        pub id: String,
        pub model_id: String,
        /// Digest of the model the run was made with.
        pub model_digest: String,
        pub scheme: String,
        pub kind: String,
        pub period: String,
        /// trial, preassessment, published, superseded or discarded.
        pub state: String,
        /// Digest of all inputs.
        pub input_digest: String,
        /// Digest of all results.
        pub outcome_digest: String,
        pub subject_count: i64,
        pub created_at: i64,
        pub published_at: Option<i64>,
        /// The last day on which the round's grades are valid.
        pub valid_until_on: Option<String>,
        /// Digest of the catalogue the run was made with.
        pub catalogue_digest: String,
        /// Number of the last import that was read.
        pub imports_to: i64,
        /// How facts are counted: 1 as delivered, 2 by document.
        pub counting: i64,
        /// Version of the method by which it was computed.
        pub method: i64,
    }
}

record! {
    /// The working result of a run for a subject.
    pub struct ResultRow {
        pub subject_code: String,
        /// graded or not_rated.
        pub status: String,
        /// The reason when not_rated.
        pub reason: Option<String>,
        pub grade: Option<String>,
        /// The total, in thousandths.
        pub points: Option<i64>,
        /// Findings of the model's parts, JSON.
        pub findings: String,
        /// The parts of the subject's file that the model read, JSON.
        pub standing: String,
    }
}

record! {
    /// The number of subjects of a run with the same result.
    pub struct CountRow {
        /// graded or not_rated.
        pub status: String,
        /// The reason when not_rated.
        pub reason: Option<String>,
        pub grade: Option<String>,
        pub number: i64,
    }
}

record! {
    /// The published grade of a subject, or none; one row for each scheme with a round.
    pub struct CurrentRow {
        /// The publication number when the row was read.
        pub publication: i64,
        pub subject_code: String,
        pub kind: String,
        pub name: String,
        pub uscc: Option<String>,
        pub subject_version: i64,
        /// 1 while an objection is open, otherwise 0.
        pub under_objection: i64,
        /// None when no published round covers the subject.
        pub run_id: Option<String>,
        pub model_id: Option<String>,
        /// Digest of the model the round was made with.
        pub model_digest: Option<String>,
        pub period: Option<String>,
        /// The last day on which the round's grades are valid.
        pub valid_until_on: Option<String>,
        pub assessment_version: Option<i64>,
        /// graded or not_rated.
        pub status: Option<String>,
        /// The reason when not_rated.
        pub reason: Option<String>,
        pub grade: Option<String>,
        /// The total, in thousandths.
        pub points: Option<i64>,
        pub made_at: Option<i64>,
    }
}

record! {
    /// The parts of a subject's file that decide whether it is rated.
    pub struct SubjectRow {
        pub code: String,
        pub agreement_signed_on: Option<String>,
        /// active, ended_by_subject, ended_by_bureau or suspended.
        pub agreement_status: String,
        /// active, suspended or revoked.
        pub licence_status: String,
        /// The code of the chain's head.
        pub parent_code: Option<String>,
        pub level: Option<String>,
        pub region: String,
    }
}

record! { struct BodyRow { body: String } }
record! { struct IdRow { id: String } }
record! { struct NumberRow { number: i64 } }

// The digest is of the body, so a model that is stored already is the same one.
const INSERT_MODEL: &str = "/* runs::insert_model */
    INSERT INTO models (digest, model_id, body, seen_at) VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO NOTHING";

/// Inserts a model, unless one with its digest is stored.
pub async fn insert_model(
    tx: &mut Tx,
    digest: &str,
    model_id: &str,
    body: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(INSERT_MODEL, args![digest, model_id, body, now]).await.map(|_| ())
}

const MODEL_BODY: &str = "/* runs::model_body */ SELECT body FROM models WHERE digest = $1";

/// A model by its digest.
pub async fn model_body(read: &Read<'_>, digest: &str) -> Result<Option<String>, DbError> {
    let row: Option<BodyRow> = read.fetch_optional(MODEL_BODY, args![digest]).await?;
    Ok(row.map(|row| row.body))
}

const INSERT: &str = "/* runs::insert */
    INSERT INTO runs (id, model_id, model_digest, scheme, kind, period, state, input_digest, outcome_digest,
                      subject_count, created_at, published_at, valid_until_on, catalogue_digest, imports_to,
                      counting, method)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

/// Inserts a run, which makes its results visible.
pub async fn insert(tx: &mut Tx, run: &RunRow) -> Result<(), DbError> {
    let args = args![
        &run.id,
        &run.model_id,
        &run.model_digest,
        &run.scheme,
        &run.kind,
        &run.period,
        &run.state,
        &run.input_digest,
        &run.outcome_digest,
        run.subject_count,
        run.created_at,
        run.published_at,
        run.valid_until_on.as_deref(),
        &run.catalogue_digest,
        run.imports_to,
        run.counting,
        run.method,
    ];
    tx.execute(INSERT, args).await.map(|_| ())
}

const FIND: &str = "/* runs::find */
    SELECT id, model_id, model_digest, scheme, kind, period, state, input_digest, outcome_digest, subject_count,
           created_at, published_at, valid_until_on, catalogue_digest, imports_to, counting,
           method
    FROM runs WHERE id = $1";

/// A run by its id.
pub async fn find(read: &Read<'_>, id: &str) -> Result<Option<RunRow>, DbError> {
    read.fetch_optional(FIND, args![id]).await
}

/// [`find`] inside a transaction.
pub async fn find_in(tx: &mut Tx, id: &str) -> Result<Option<RunRow>, DbError> {
    tx.fetch_optional(FIND, args![id]).await
}

const LIST: &str = "/* runs::list */
    SELECT id, model_id, model_digest, scheme, kind, period, state, input_digest, outcome_digest, subject_count,
           created_at, published_at, valid_until_on, catalogue_digest, imports_to, counting,
           method
    FROM runs ORDER BY created_at DESC, id DESC";

/// Every run, latest first.
pub async fn list(read: &Read<'_>) -> Result<Vec<RunRow>, DbError> {
    read.fetch_all(LIST, args![]).await
}

const PAGE: &str = "/* runs::page */
    SELECT id, model_id, model_digest, scheme, kind, period, state, input_digest, outcome_digest, subject_count,
           created_at, published_at, valid_until_on, catalogue_digest, imports_to, counting,
           method
    FROM runs WHERE ($1 = '' OR id < $1) AND ($2 = '' OR kind = $2) AND ($3 = '' OR state = $3) ORDER BY id DESC LIMIT $4";

/// A page of runs before an id, latest first; of one kind and state, or of all.
pub async fn page(read: &Read<'_>, before: &str, kind: &str, state: &str, limit: i64) -> Result<Vec<RunRow>, DbError> {
    read.fetch_all(PAGE, args![before, kind, state, limit]).await
}

const PUBLISHED: &str = "/* runs::published */
    SELECT id, model_id, model_digest, scheme, kind, period, state, input_digest, outcome_digest, subject_count,
           created_at, published_at, valid_until_on, catalogue_digest, imports_to, counting,
           method
    FROM runs WHERE kind = $1 AND scheme = $2 AND state = 'published'";

/// The round of a kind and scheme that is in force.
pub async fn published(tx: &mut Tx, kind: &str, scheme: &str) -> Result<Option<RunRow>, DbError> {
    tx.fetch_optional(PUBLISHED, args![kind, scheme]).await
}

const SUPERSEDE: &str = "/* runs::supersede */ UPDATE runs SET state = 'superseded' WHERE kind = $1 AND scheme = $2 AND state = 'published'";

/// Marks the round in force as superseded.
pub async fn supersede(tx: &mut Tx, kind: &str, scheme: &str) -> Result<u64, DbError> {
    tx.execute(SUPERSEDE, args![kind, scheme]).await
}

// Only a run that was never published: of two operators the second changes no row.
const PUBLISH: &str = "/* runs::publish */
    UPDATE runs SET state = 'published', published_at = $2, valid_until_on = $3
    WHERE id = $1 AND state IN ('trial', 'preassessment')";

/// Publishes a run; `false` when its state no longer allows it.
pub async fn publish(tx: &mut Tx, id: &str, now: Timestamp, valid_until: &str) -> Result<bool, DbError> {
    Ok(tx.execute(PUBLISH, args![id, now, valid_until]).await? == 1)
}

const RAISE_PUBLICATION: &str =
    "/* runs::raise_publication */ UPDATE publication SET number = number + 1 WHERE id = 1 RETURNING number";
const RAISE_CHANGES: &str =
    "/* runs::raise_changes */ UPDATE change_counter SET number = number + 1 WHERE id = 1 RETURNING number";

/// Increments the publication number, which appends compare, and the change number, which other processes poll; returns the
/// publication number.
pub async fn raise_publication(tx: &mut Tx) -> Result<i64, DbError> {
    // The change number comes second: every other change waits for its row.
    let publication: NumberRow = tx.fetch_one(RAISE_PUBLICATION, args![]).await?;
    let _: NumberRow = tx.fetch_one(RAISE_CHANGES, args![]).await?;
    Ok(publication.number)
}

const CLIENT_IDS: &str = "/* runs::client_ids */ SELECT id FROM clients";

/// The ids of every client whose answers may contain grades.
pub async fn client_ids(tx: &mut Tx) -> Result<Vec<String>, DbError> {
    let rows: Vec<IdRow> = tx.fetch_all(CLIENT_IDS, args![]).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

const INSERT_RESULTS: &str = "/* runs::insert_results */
    INSERT INTO bulk.run_results (run_id, subject_code, status, reason, grade, points, findings, standing)
    SELECT CAST($2 AS TEXT), value->>'code', value->>'status', value->>'reason', value->>'grade',
           CAST(value->>'points' AS BIGINT), value->>'findings', value->>'standing'
    FROM json_rows($1)";

/// Inserts working results of a run, in a bulk transaction.
pub async fn insert_results(tx: &mut Tx, run_id: &str, results: &[ResultRow]) -> Result<u64, DbError> {
    let rows = results.iter().map(|row| {
        serde_json::json!({ "code": row.subject_code, "status": row.status, "reason": row.reason, "grade": row.grade,
                            "points": row.points, "findings": row.findings, "standing": row.standing })
    });
    let rows = serde_json::Value::Array(rows.collect()).to_string();
    tx.execute(INSERT_RESULTS, args![rows, run_id]).await
}

const RESULTS_PAGE: &str = "/* runs::results_page */
    SELECT subject_code, status, reason, grade, points, findings, standing FROM bulk.run_results
    WHERE run_id = $1 AND subject_code > $2 ORDER BY subject_code LIMIT $3";

/// A page of results of a run, after a subject, in the engine's order of codes.
pub async fn results_page(read: &Read<'_>, run_id: &str, after: &str, limit: i64) -> Result<Vec<ResultRow>, DbError> {
    read.fetch_all(RESULTS_PAGE, args![run_id, after, limit]).await
}

const RESULT: &str = "/* runs::result */
    SELECT subject_code, status, reason, grade, points, findings, standing FROM bulk.run_results
    WHERE run_id = $1 AND subject_code = $2";

/// The working result of a run for a subject.
pub async fn result(read: &Read<'_>, run_id: &str, subject: &str) -> Result<Option<ResultRow>, DbError> {
    read.fetch_optional(RESULT, args![run_id, subject]).await
}

const COUNTS: &str = "/* runs::counts */
    SELECT status, reason, grade, COUNT(*) AS number FROM bulk.run_results WHERE run_id = $1
    GROUP BY status, reason, grade";

/// The number of subjects of a run by result.
pub async fn counts(read: &Read<'_>, run_id: &str) -> Result<Vec<CountRow>, DbError> {
    read.fetch_all(COUNTS, args![run_id]).await
}

const ORPHANS: &str = "/* runs::orphans */
    SELECT DISTINCT b.run_id AS id FROM bulk.run_results b 
    WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = b.run_id AND r.state <> 'discarded')";

/// The run ids of results whose run was never finished or is discarded.
pub async fn orphans(read: &Read<'_>) -> Result<Vec<String>, DbError> {
    let rows: Vec<IdRow> = read.fetch_all(ORPHANS, args![]).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

const DISCARD: &str = "/* runs::discard_results */ DELETE FROM bulk.run_results WHERE run_id = $1";

/// Deletes the results of a run, in a bulk transaction.
pub async fn discard_results(tx: &mut Tx, run_id: &str) -> Result<u64, DbError> {
    tx.execute(DISCARD, args![run_id]).await
}

const SUBJECTS: &str = "/* runs::subjects */
    SELECT code, agreement_signed_on, agreement_status, licence_status, parent_code, level, region
    FROM subjects WHERE kind = $1";

/// Every subject of a kind, in no particular order.
pub async fn subjects(read: &Read<'_>, kind: &str) -> Result<Vec<SubjectRow>, DbError> {
    read.fetch_all(SUBJECTS, args![kind]).await
}

// One statement, so that number and assessments come from one snapshot: a reader sees the old round or the new one. The join
// of assessments with their rounds is not in brackets, for which SQLite would materialise all assessments first.
const CURRENT: &str = "/* runs::current */
    SELECT p.number AS publication, s.code AS subject_code, s.kind, s.name, s.uscc, s.version AS subject_version,
           s.under_objection, r.id AS run_id, r.model_id, r.model_digest, r.period, r.valid_until_on,
           a.version AS assessment_version, a.status, a.reason, a.grade, a.points, a.made_at
    FROM json_few_rows($1)
    JOIN publication p ON p.id = 1
    JOIN subjects s ON s.code = value->>'code'
    LEFT JOIN assessments a ON a.subject_code = s.code
        AND EXISTS (SELECT 1 FROM runs q WHERE q.id = a.run_id AND q.state = 'published' AND q.kind = s.kind)
        AND a.version = (SELECT MAX(b.version) FROM assessments b
                         WHERE b.subject_code = a.subject_code AND b.run_id = a.run_id)
    LEFT JOIN runs r ON r.id = a.run_id
    ORDER BY s.code, r.published_at DESC, r.id";

/// The published grades of subjects. Unknown codes are left out.
pub async fn current(read: &Read<'_>, codes: &[String]) -> Result<Vec<CurrentRow>, DbError> {
    let mut distinct: Vec<&String> = codes.iter().collect();
    // A code given twice would yield its rows twice.
    distinct.sort_unstable();
    distinct.dedup();
    let rows: Vec<_> = distinct.into_iter().map(|code| serde_json::json!({ "code": code })).collect();
    read.fetch_all(CURRENT, args![serde_json::Value::Array(rows).to_string()]).await
}

const PUBLICATION: &str = "/* runs::publication */ SELECT number FROM publication WHERE id = 1";

/// The publication number, which every publication or correction increments.
pub async fn publication(read: &Read<'_>) -> Result<i64, DbError> {
    let row: NumberRow = read.fetch_one(PUBLICATION, args![]).await?;
    Ok(row.number)
}

record! {
    /// A subject with a good grade in force.
    pub struct RatedRow {
        pub code: String,
        pub uscc: String,
        pub name: String,
    }
}

const BEST_RATED: &str = "/* runs::best_rated */
    SELECT s.code, s.uscc, s.name FROM assessments a
    JOIN runs r ON r.id = a.run_id AND r.state = 'published'
    JOIN subjects s ON s.code = a.subject_code
    WHERE a.grade IN ('excellent', 'good') AND s.uscc IS NOT NULL AND s.kind = 'medical_institution'
    ORDER BY CASE s.level WHEN '三级' THEN 0 WHEN '二级' THEN 1 ELSE 2 END, a.points DESC, s.code LIMIT $1";

/// The largest institutions with a good grade in force, best first: for demonstrations.
pub async fn best_rated(read: &Read<'_>, limit: i64) -> Result<Vec<RatedRow>, DbError> {
    read.fetch_all(BEST_RATED, args![limit]).await
}
