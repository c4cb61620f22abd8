//! The states of runs, and corrections of published assessments.

use super::{DbError, Read, Tx, args, facts::ChunkKey, record, runs::CountRow};
use crate::domain::{Day, Timestamp};

record! {
    /// The state of a run with its changes.
    pub struct RunHistoryRow {
        /// trial, preassessment, published, superseded or discarded.
        pub state: String,
        /// When it was opened to objections.
        pub preassessed_at: Option<i64>,
        /// The last day of objections, as it was promised then.
        pub objections_until_on: Option<String>,
        /// The run that replaced it.
        pub superseded_by: Option<String>,
        /// When it was superseded or discarded.
        pub ended_at: Option<i64>,
    }
}

record! {
    /// A published round that is past its validity.
    pub struct OutdatedRow {
        pub kind: String,
        pub scheme: String,
        pub period: String,
        /// The last day on which its grades were valid.
        pub valid_until_on: String,
    }
}

record! {
    /// The correction that created a later version of an assessment.
    pub struct CorrectionRow {
        pub run_id: String,
        pub subject_code: String,
        /// The version of the assessment that the correction created.
        pub version: i64,
        /// The reason in the operator's words.
        pub reason: String,
        pub operator: String,
        /// Number of the last import that was read.
        pub imports_to: i64,
        /// How facts are counted: 1 as delivered, 2 by document.
        pub counting: i64,
        /// Findings of the model's parts, JSON.
        pub findings: String,
        /// The parts of the subject's file that the model read, JSON.
        pub standing: String,
        pub made_at: i64,
    }
}

record! {
    /// A published assessment.
    pub struct AssessmentRow {
        pub subject_code: String,
        pub version: i64,
        /// graded or not_rated.
        pub status: String,
        /// The reason when not_rated.
        pub reason: Option<String>,
        pub grade: Option<String>,
        /// The total, in thousandths.
        pub points: Option<i64>,
        /// JSON of the first-level totals; none for rounds made before they were stored.
        pub level_points: Option<String>,
        /// When it was published.
        pub made_at: i64,
    }
}

record! { struct IdRow { id: String } }

const HISTORY: &str = "/* rounds::history */
    SELECT state, preassessed_at, objections_until_on, superseded_by, ended_at FROM runs WHERE id = $1";

/// The state of a run with its changes.
pub async fn history(read: &Read<'_>, id: &str) -> Result<Option<RunHistoryRow>, DbError> {
    read.fetch_optional(HISTORY, args![id]).await
}

/// [`history`] inside a transaction.
pub async fn history_in(tx: &mut Tx, id: &str) -> Result<Option<RunHistoryRow>, DbError> {
    tx.fetch_optional(HISTORY, args![id]).await
}

const OPEN_PREASSESSMENT: &str = "/* rounds::open_preassessment */
    SELECT id FROM runs WHERE kind = $1 AND scheme = $2 AND state = 'preassessment'";

/// The run of a kind and scheme that is open to objections.
pub async fn open_preassessment(tx: &mut Tx, kind: &str, scheme: &str) -> Result<Option<String>, DbError> {
    let row: Option<IdRow> = tx.fetch_optional(OPEN_PREASSESSMENT, args![kind, scheme]).await?;
    Ok(row.map(|row| row.id))
}

const PREASSESS: &str = "/* rounds::preassess */
    UPDATE runs SET state = 'preassessment', preassessed_at = $2, objections_until_on = $3
    WHERE id = $1 AND state = 'trial'";

/// Opens a trial to objections until a day, where one is configured; `false` when it is no longer a trial.
pub async fn preassess(tx: &mut Tx, id: &str, now: Timestamp, until: Option<Day>) -> Result<bool, DbError> {
    Ok(tx.execute(PREASSESS, args![id, now, until.map(|day| day.to_string())]).await? == 1)
}

const DISCARD: &str = "/* rounds::discard */
    UPDATE runs SET state = 'discarded', ended_at = $2 WHERE id = $1 AND state IN ('trial', 'preassessment')";

/// Discards a run that was never published; `false` when it is published or already discarded.
pub async fn discard(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, DbError> {
    Ok(tx.execute(DISCARD, args![id, now]).await? == 1)
}

// Finds the round by the state that superseding changes, so it comes first.
const NAME_SUCCESSOR: &str = "/* rounds::name_successor */
    UPDATE runs SET superseded_by = $3, ended_at = $4 WHERE kind = $1 AND scheme = $2 AND state = 'published'";

/// Stores the successor of the round in force, before the round is superseded.
pub async fn name_successor(tx: &mut Tx, kind: &str, scheme: &str, by: &str, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(NAME_SUCCESSOR, args![kind, scheme, by, now]).await
}

const NEWEST: &str = "/* rounds::newest */
    SELECT subject_code, version, status, reason, grade, points, level_points, made_at FROM assessments
    WHERE subject_code = $1 AND run_id = $2 ORDER BY version DESC LIMIT 1";

/// The newest version of an assessment.
pub async fn newest(tx: &mut Tx, code: &str, run_id: &str) -> Result<Option<AssessmentRow>, DbError> {
    tx.fetch_optional(NEWEST, args![code, run_id]).await
}

/// [`newest`] outside a transaction.
pub async fn newest_of(read: &Read<'_>, code: &str, run_id: &str) -> Result<Option<AssessmentRow>, DbError> {
    read.fetch_optional(NEWEST, args![code, run_id]).await
}

record! {
    /// The newest assessment of a branch.
    pub struct BranchRow {
        pub subject_code: String,
        /// graded or not_rated.
        pub status: String,
        pub grade: Option<String>,
    }
}

// The run stored the head of each branch in its standing, JSON; a later change of the subject's file is of no effect here.
const BRANCHES: &str = "/* rounds::branches */
    SELECT a.subject_code, a.status, a.grade FROM bulk.run_results b
    JOIN assessments a ON a.run_id = b.run_id AND a.subject_code = b.subject_code
    WHERE b.run_id = $1 AND b.standing LIKE $2
      AND a.version = (SELECT MAX(c.version) FROM assessments c
                       WHERE c.run_id = a.run_id AND c.subject_code = a.subject_code)
    ORDER BY a.subject_code";

/// The newest assessments of the subjects of a round whose standing has a pattern.
pub async fn branches(read: &Read<'_>, run_id: &str, pattern: &str) -> Result<Vec<BranchRow>, DbError> {
    read.fetch_all(BRANCHES, args![run_id, pattern]).await
}

// Without the results: a transaction of the core does not see bulk tables on SQLite.
const GRADES_OF: &str = "/* rounds::grades_of */
    SELECT a.subject_code, a.status, a.grade FROM json_rows($1) JOIN assessments a ON a.subject_code = value->>'c'
    WHERE a.run_id = CAST($2 AS TEXT)
      AND a.version = (SELECT MAX(c.version) FROM assessments c
                       WHERE c.run_id = a.run_id AND c.subject_code = a.subject_code)
    ORDER BY a.subject_code";

/// The newest assessments of some subjects of a round, in the transaction of a correction.
pub async fn grades_of(tx: &mut Tx, run_id: &str, codes: &[String]) -> Result<Vec<BranchRow>, DbError> {
    let rows: Vec<_> = codes.iter().map(|code| serde_json::json!({ "c": code })).collect();
    tx.fetch_all(GRADES_OF, args![serde_json::Value::Array(rows).to_string(), run_id]).await
}

const PUBLISHED_BEFORE: &str = "/* rounds::published_before */
    SELECT kind, scheme, period, valid_until_on FROM runs
    WHERE state = 'published' AND valid_until_on < $1 ORDER BY kind, scheme";

/// The published rounds whose validity ended before a day.
pub async fn published_before(read: &Read<'_>, day: &str) -> Result<Vec<OutdatedRow>, DbError> {
    read.fetch_all(PUBLISHED_BEFORE, args![day]).await
}

const PUBLISHED_PAGE: &str = "/* rounds::published_page */
    SELECT subject_code, version, status, reason, grade, points, level_points, made_at FROM assessments a
    WHERE run_id = $1 AND subject_code > $2
      AND version = (SELECT MAX(b.version) FROM assessments b
                     WHERE b.run_id = a.run_id AND b.subject_code = a.subject_code)
    ORDER BY subject_code LIMIT $3";

/// A page of the newest assessments of a round, after a subject, in the engine's order of codes.
pub async fn published_page(
    read: &Read<'_>,
    run_id: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<AssessmentRow>, DbError> {
    read.fetch_all(PUBLISHED_PAGE, args![run_id, after, limit]).await
}

// Version 1 is the publication itself, before any correction.
const VERSIONS_PAGE: &str = "/* rounds::versions_page */
    SELECT subject_code, version, status, reason, grade, points, level_points, made_at FROM assessments
    WHERE run_id = $1 AND subject_code > $2 AND version = 1 ORDER BY subject_code LIMIT $3";

/// A page of the first versions of a round's assessments, after a subject, in the engine's order of codes.
pub async fn first_published_page(
    read: &Read<'_>,
    run_id: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<AssessmentRow>, DbError> {
    read.fetch_all(VERSIONS_PAGE, args![run_id, after, limit]).await
}

const VERSION: &str = "/* rounds::version */
    SELECT subject_code, version, status, reason, grade, points, level_points, made_at FROM assessments
    WHERE subject_code = $1 AND run_id = $2 AND version = $3";

/// A version of an assessment.
pub async fn version(
    read: &Read<'_>,
    code: &str,
    run_id: &str,
    version: i64,
) -> Result<Option<AssessmentRow>, DbError> {
    read.fetch_optional(VERSION, args![code, run_id, version]).await
}

const COUNTS_IN_FORCE: &str = "/* rounds::counts_in_force */
    SELECT status, reason, grade, COUNT(*) AS number FROM assessments a WHERE run_id = $1
      AND version = (SELECT MAX(b.version) FROM assessments b
                     WHERE b.run_id = a.run_id AND b.subject_code = a.subject_code)
    GROUP BY status, reason, grade";

/// The number of subjects of a round by result, of the versions in force.
pub async fn counts_in_force(read: &Read<'_>, run_id: &str) -> Result<Vec<CountRow>, DbError> {
    read.fetch_all(COUNTS_IN_FORCE, args![run_id]).await
}

const VERSIONS: &str = "/* rounds::versions */
    SELECT subject_code, version, status, reason, grade, points, level_points, made_at FROM assessments
    WHERE subject_code = $1 AND run_id = $2 ORDER BY version";

/// Every version of an assessment, the first one first.
pub async fn versions(read: &Read<'_>, code: &str, run_id: &str) -> Result<Vec<AssessmentRow>, DbError> {
    read.fetch_all(VERSIONS, args![code, run_id]).await
}

const INSERT_CORRECTION: &str = "/* rounds::insert_correction */
    INSERT INTO corrections (run_id, subject_code, version, reason, operator, imports_to, counting, findings,
                             standing, made_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// Inserts a correction.
pub async fn insert_correction(tx: &mut Tx, row: &CorrectionRow) -> Result<(), DbError> {
    let args = args![
        &row.run_id,
        &row.subject_code,
        row.version,
        &row.reason,
        &row.operator,
        row.imports_to,
        row.counting,
        &row.findings,
        &row.standing,
        row.made_at,
    ];
    tx.execute(INSERT_CORRECTION, args).await.map(|_| ())
}

const CORRECTIONS: &str = "/* rounds::corrections */
    SELECT run_id, subject_code, version, reason, operator, imports_to, counting, findings, standing, made_at
    FROM corrections WHERE run_id = $1 ORDER BY made_at, subject_code, version";

/// Every correction of a round, in the order they were made.
pub async fn corrections(read: &Read<'_>, run_id: &str) -> Result<Vec<CorrectionRow>, DbError> {
    read.fetch_all(CORRECTIONS, args![run_id]).await
}

const CORRECTIONS_OF: &str = "/* rounds::corrections_of */
    SELECT run_id, subject_code, version, reason, operator, imports_to, counting, findings, standing, made_at
    FROM corrections WHERE subject_code = $1 AND run_id = $2 ORDER BY version";

/// Every correction of a subject's assessment, the first one first.
pub async fn corrections_of(read: &Read<'_>, code: &str, run_id: &str) -> Result<Vec<CorrectionRow>, DbError> {
    read.fetch_all(CORRECTIONS_OF, args![code, run_id]).await
}

const LATEST_CORRECTION: &str = "/* rounds::latest_correction */
    SELECT run_id, subject_code, version, reason, operator, imports_to, counting, findings, standing, made_at
    FROM corrections WHERE subject_code = $1 AND run_id = $2 ORDER BY version DESC LIMIT 1";

/// The last correction of a subject's assessment.
pub async fn latest_correction(tx: &mut Tx, code: &str, run_id: &str) -> Result<Option<CorrectionRow>, DbError> {
    tx.fetch_optional(LATEST_CORRECTION, args![code, run_id]).await
}

const CHUNKS: &str = "/* rounds::chunks */
    SELECT import_seq, part FROM bulk.fact_chunks WHERE kind = $1 AND period >= $2 AND period <= $3
    ORDER BY import_seq, part";

/// The keys of the chunks of a kind in a range of half-years, bounds included.
pub async fn chunks(read: &Read<'_>, kind: &str, (from, to): (&str, &str)) -> Result<Vec<ChunkKey>, DbError> {
    read.fetch_all(CHUNKS, args![kind, from, to]).await
}

const RAISE_SUBJECT: &str = "/* rounds::raise_subject */ UPDATE subjects SET version = version + 1 WHERE code = $1";

/// Increments the version of a subject's file, which every append compares.
pub async fn raise_subject(tx: &mut Tx, code: &str) -> Result<u64, DbError> {
    tx.execute(RAISE_SUBJECT, args![code]).await
}

record! {
    /// The result of a run for a subject, with the subject's region and level.
    pub struct RegionalResultRow {
        pub subject_code: String,
        /// graded or not_rated.
        pub status: String,
        /// The reason when not_rated.
        pub reason: Option<String>,
        pub grade: Option<String>,
        /// The total, in thousandths.
        pub points: Option<i64>,
        /// None for a subject that no longer exists.
        pub region: Option<String>,
        /// Such as 三级.
        pub level: Option<String>,
        /// None for a subject that no longer exists; empty for natural persons.
        pub name: Option<String>,
        /// The version of the assessment; none in a run that was never published.
        pub version: Option<i64>,
    }
}

// Left joins: a subject may no longer exist when its results are read.
const TRIAL_RESULTS: &str = "/* rounds::trial_results */
    SELECT b.subject_code, b.status, b.reason, b.grade, b.points, s.region, s.level, s.name,
           CAST(NULL AS BIGINT) AS version
    FROM bulk.run_results b LEFT JOIN subjects s ON s.code = b.subject_code
    WHERE b.run_id = $1 AND b.subject_code > $2 ORDER BY b.subject_code LIMIT $3";
const ROUND_RESULTS: &str = "/* rounds::round_results */
    SELECT a.subject_code, a.status, a.reason, a.grade, a.points, s.region, s.level, s.name, a.version
    FROM assessments a LEFT JOIN subjects s ON s.code = a.subject_code
    WHERE a.run_id = $1 AND a.subject_code > $2
      AND a.version = (SELECT MAX(b.version) FROM assessments b
                       WHERE b.run_id = a.run_id AND b.subject_code = a.subject_code)
    ORDER BY a.subject_code LIMIT $3";

/// A page of results, after a subject, in the engine's order of codes: the current assessments of a round, with corrections;
/// the working results of any other run.
pub async fn regional_results_page(
    read: &Read<'_>,
    run_id: &str,
    is_round: bool,
    after: &str,
    limit: i64,
) -> Result<Vec<RegionalResultRow>, DbError> {
    read.fetch_all(if is_round { ROUND_RESULTS } else { TRIAL_RESULTS }, args![run_id, after, limit]).await
}

const PUBLISHED_OF: &str = "/* rounds::published_of */
    SELECT a.subject_code, a.version, a.status, a.reason, a.grade, a.points, a.level_points, a.made_at
    FROM json_rows($1) JOIN assessments a ON a.subject_code = value->>'c'
    WHERE a.run_id = CAST($2 AS TEXT)
      AND a.version = (SELECT MAX(b.version) FROM assessments b
                       WHERE b.run_id = a.run_id AND b.subject_code = a.subject_code)
    ORDER BY a.subject_code";

/// The newest assessments of some subjects of a round.
pub async fn published_of(read: &Read<'_>, run_id: &str, codes: &[String]) -> Result<Vec<AssessmentRow>, DbError> {
    let rows: Vec<_> = codes.iter().map(|code| serde_json::json!({ "c": code })).collect();
    read.fetch_all(PUBLISHED_OF, args![serde_json::Value::Array(rows).to_string(), run_id]).await
}
