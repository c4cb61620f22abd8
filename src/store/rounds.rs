//! What befalls runs after they were made: their states, and corrections of what they published.

use super::{DbError, Read, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// Where a run stands, and since when.
    pub struct RunHistoryRow {
        /// trial, preassessment, published, superseded or discarded.
        pub state: String,
        /// Since when subjects may object to it.
        pub preassessed_at: Option<i64>,
        /// The run that took its place.
        pub superseded_by: Option<String>,
        /// When it was superseded or discarded.
        pub ended_at: Option<i64>,
    }
}

record! {
    /// How a version of an assessment after its first came about.
    pub struct CorrectionRow {
        /// The round.
        pub run_id: String,
        /// The subject.
        pub subject_code: String,
        /// The version it made.
        pub version: i64,
        /// Why, in the operator's words.
        pub reason: String,
        /// Who did it.
        pub operator: String,
        /// The last import of facts that was read.
        pub imports_to: i64,
        /// What was found by the model's parts, as JSON.
        pub findings: String,
        /// What of the subject's file was looked at, as JSON.
        pub standing: String,
        /// When.
        pub made_at: i64,
    }
}

record! {
    /// An assessment, as banks read it.
    pub struct AssessmentRow {
        /// The subject.
        pub subject_code: String,
        /// Its version.
        pub version: i64,
        /// graded or not_rated.
        pub status: String,
        /// Why it was not rated.
        pub reason: Option<String>,
        /// The grade's code.
        pub grade: Option<String>,
        /// The total, in thousandths.
        pub points: Option<i64>,
        /// JSON of the first-level totals; rounds of before they were kept have none.
        pub level_points: Option<String>,
        /// When it was made known.
        pub made_at: i64,
    }
}

record! {
    /// A chunk by its place.
    pub struct ChunkPlaceRow {
        /// Which import brought it.
        pub import_seq: i64,
        /// Its place among the chunks of that import.
        pub part: i64,
    }
}

record! { struct IdRow { id: String } }

const HISTORY: &str = "/* rounds::history */
    SELECT state, preassessed_at, superseded_by, ended_at FROM runs WHERE id = $1";

/// Where a run stands.
pub async fn history(read: &Read<'_>, id: &str) -> Result<Option<RunHistoryRow>, DbError> {
    read.fetch_optional(HISTORY, args![id]).await
}

/// The same, inside a transaction.
pub async fn history_in(tx: &mut Tx, id: &str) -> Result<Option<RunHistoryRow>, DbError> {
    tx.fetch_optional(HISTORY, args![id]).await
}

const OPEN_PREASSESSMENT: &str = "/* rounds::open_preassessment */
    SELECT id FROM runs WHERE kind = $1 AND scheme = $2 AND state = 'preassessment'";

/// The run of a kind and scheme that subjects may object to.
pub async fn open_preassessment(tx: &mut Tx, kind: &str, scheme: &str) -> Result<Option<String>, DbError> {
    let row: Option<IdRow> = tx.fetch_optional(OPEN_PREASSESSMENT, args![kind, scheme]).await?;
    Ok(row.map(|row| row.id))
}

const PREASSESS: &str = "/* rounds::preassess */
    UPDATE runs SET state = 'preassessment', preassessed_at = $2 WHERE id = $1 AND state = 'trial'";

/// Opens a trial to objections; tells whether it still was one.
pub async fn preassess(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, DbError> {
    Ok(tx.execute(PREASSESS, args![id, now]).await? == 1)
}

const DISCARD: &str = "/* rounds::discard */
    UPDATE runs SET state = 'discarded', ended_at = $2 WHERE id = $1 AND state IN ('trial', 'preassessment')";

/// Gives up a run that was never published; tells whether it still could be.
pub async fn discard(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, DbError> {
    Ok(tx.execute(DISCARD, args![id, now]).await? == 1)
}

const NAME_SUCCESSOR: &str = "/* rounds::name_successor */
    UPDATE runs SET superseded_by = $3, ended_at = $4 WHERE kind = $1 AND scheme = $2 AND state = 'published'";

/// Notes, before the round in force is taken out of it, what takes its place.
pub async fn name_successor(
    tx: &mut Tx,
    (kind, scheme): (&str, &str),
    by: &str,
    now: Timestamp,
) -> Result<u64, DbError> {
    tx.execute(NAME_SUCCESSOR, args![kind, scheme, by, now]).await
}

const NEWEST: &str = "/* rounds::newest */
    SELECT subject_code, version, status, reason, grade, points, level_points, made_at FROM assessments
    WHERE subject_code = $1 AND run_id = $2 ORDER BY version DESC LIMIT 1";

/// The newest version of an assessment.
pub async fn newest(tx: &mut Tx, code: &str, run_id: &str) -> Result<Option<AssessmentRow>, DbError> {
    tx.fetch_optional(NEWEST, args![code, run_id]).await
}

const PUBLISHED_PAGE: &str = "/* rounds::published_page */
    SELECT subject_code, version, status, reason, grade, points, level_points, made_at FROM assessments a
    WHERE run_id = $1 AND subject_code > $2
      AND version = (SELECT MAX(b.version) FROM assessments b
                     WHERE b.run_id = a.run_id AND b.subject_code = a.subject_code)
    ORDER BY subject_code LIMIT $3";

/// The newest assessments of a round after a subject, in the engine's order of codes.
pub async fn published_page(
    read: &Read<'_>,
    run_id: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<AssessmentRow>, DbError> {
    read.fetch_all(PUBLISHED_PAGE, args![run_id, after, limit]).await
}

const VERSIONS_PAGE: &str = "/* rounds::versions_page */
    SELECT subject_code, version, status, reason, grade, points, level_points, made_at FROM assessments
    WHERE run_id = $1 AND subject_code > $2 AND version = 1 ORDER BY subject_code LIMIT $3";

/// What a round first published, after a subject, in the engine's order of codes.
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

const INSERT_CORRECTION: &str = "/* rounds::insert_correction */
    INSERT INTO corrections (run_id, subject_code, version, reason, operator, imports_to, findings, standing, made_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Keeps how a correction came about.
pub async fn insert_correction(tx: &mut Tx, row: &CorrectionRow) -> Result<(), DbError> {
    let args = args![
        &row.run_id,
        &row.subject_code,
        row.version,
        &row.reason,
        &row.operator,
        row.imports_to,
        &row.findings,
        &row.standing,
        row.made_at,
    ];
    tx.execute(INSERT_CORRECTION, args).await.map(|_| ())
}

const CORRECTIONS: &str = "/* rounds::corrections */
    SELECT run_id, subject_code, version, reason, operator, imports_to, findings, standing, made_at
    FROM corrections WHERE run_id = $1 ORDER BY made_at, subject_code, version";

/// Every correction of a round, in the order they were made.
pub async fn corrections(read: &Read<'_>, run_id: &str) -> Result<Vec<CorrectionRow>, DbError> {
    read.fetch_all(CORRECTIONS, args![run_id]).await
}

const LATEST_CORRECTION: &str = "/* rounds::latest_correction */
    SELECT run_id, subject_code, version, reason, operator, imports_to, findings, standing, made_at
    FROM corrections WHERE subject_code = $1 AND run_id = $2 ORDER BY version DESC LIMIT 1";

/// The last correction of a subject's assessment.
pub async fn latest_correction(tx: &mut Tx, code: &str, run_id: &str) -> Result<Option<CorrectionRow>, DbError> {
    tx.fetch_optional(LATEST_CORRECTION, args![code, run_id]).await
}

const CHUNKS: &str = "/* rounds::chunks */
    SELECT import_seq, part FROM bulk.fact_chunks WHERE kind = $1 AND period >= $2 AND period <= $3
    ORDER BY import_seq, part";

/// Where the facts of a kind stand of the half-years between two, both included.
pub async fn chunks(read: &Read<'_>, kind: &str, (from, to): (&str, &str)) -> Result<Vec<ChunkPlaceRow>, DbError> {
    read.fetch_all(CHUNKS, args![kind, from, to]).await
}

const RAISE_SUBJECT: &str = "/* rounds::raise_subject */ UPDATE subjects SET version = version + 1 WHERE code = $1";

/// Raises the version of a subject's file, which every append compares.
pub async fn raise_subject(tx: &mut Tx, code: &str) -> Result<u64, DbError> {
    tx.execute(RAISE_SUBJECT, args![code]).await
}

record! {
    /// What a run found for a subject, with where the subject stands in the city.
    pub struct PlacedRow {
        /// The subject.
        pub subject_code: String,
        /// graded or not_rated.
        pub status: String,
        /// Why it was not rated.
        pub reason: Option<String>,
        /// The grade's code.
        pub grade: Option<String>,
        /// The total, in thousandths.
        pub points: Option<i64>,
        /// Its region; absent for a subject that is no longer known.
        pub region: Option<String>,
        /// Its level, such as 三级.
        pub level: Option<String>,
    }
}

const PLACED_TRIAL: &str = "/* rounds::placed_results */
    SELECT b.subject_code, b.status, b.reason, b.grade, b.points, s.region, s.level
    FROM bulk.run_results b LEFT JOIN subjects s ON s.code = b.subject_code
    WHERE b.run_id = $1 AND b.subject_code > $2 ORDER BY b.subject_code LIMIT $3";
const PLACED_ROUND: &str = "/* rounds::placed_assessments */
    SELECT a.subject_code, a.status, a.reason, a.grade, a.points, s.region, s.level
    FROM assessments a LEFT JOIN subjects s ON s.code = a.subject_code
    WHERE a.run_id = $1 AND a.subject_code > $2
      AND a.version = (SELECT MAX(b.version) FROM assessments b
                       WHERE b.run_id = a.run_id AND b.subject_code = a.subject_code)
    ORDER BY a.subject_code LIMIT $3";

/// A page of what came of a run, after a subject, in the engine's order of codes: of a round what counts now, corrections
/// among it; of any other run what it found.
pub async fn placed_page(
    read: &Read<'_>,
    (run_id, is_round): (&str, bool),
    after: &str,
    limit: i64,
) -> Result<Vec<PlacedRow>, DbError> {
    read.fetch_all(if is_round { PLACED_ROUND } else { PLACED_TRIAL }, args![run_id, after, limit]).await
}
