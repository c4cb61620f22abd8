//! Published assessments: inserted with their round, read as former grades and as first-level totals.

use super::{DbError, Read, Tx, args, record};
use crate::domain::Timestamp;

/// An assessment to be published with its round.
#[derive(Debug, Clone)]
pub struct NewAssessment {
    pub subject_code: String,
    /// graded or not_rated.
    pub status: String,
    /// Why it was not rated.
    pub reason: Option<String>,
    pub grade: Option<String>,
    /// The total, in thousandths.
    pub points: Option<i64>,
    /// The totals of the first-level indicators, in thousandths and in the model's order.
    pub level_points: Option<Vec<i64>>,
}

record! {
    /// An assessment of a round that is or was in force.
    pub struct FormerRow {
        pub subject_code: String,
        pub run_id: String,
        /// Digest of the model the round was made with.
        pub model_digest: String,
        pub scheme: String,
        pub period: String,
        pub state: String,
        /// The last day on which the round's grades are valid.
        pub valid_until_on: Option<String>,
        pub assessment_version: i64,
        /// graded or not_rated.
        pub status: String,
        /// The reason when not_rated.
        pub reason: Option<String>,
        pub grade: Option<String>,
        pub made_at: i64,
    }
}

record! {
    /// The first-level totals of an assessment.
    pub struct LevelsRow {
        pub subject_code: String,
        /// Digest of the model the round was made with.
        pub model_digest: String,
        /// JSON of the totals; none for rounds made before they were stored.
        pub level_points: Option<String>,
    }
}

// The owner of the code at this time is stored with the assessment: a later owner's consent does not give access to it.
const INSERT: &str = "/* assessments::insert */
    INSERT INTO assessments (run_id, subject_code, version, status, reason, grade, points, made_at, uscc, level_points)
    SELECT CAST($2 AS TEXT), value->>'code', CAST($4 AS BIGINT), value->>'status', value->>'reason', value->>'grade',
           CAST(value->>'points' AS BIGINT), CAST($3 AS BIGINT),
           (SELECT s.uscc FROM subjects s WHERE s.code = value->>'code'), value->>'levels'
    FROM json_rows($1)";

/// Inserts a version of assessments of a run: the first together with the publication, visible once the run is published;
/// later versions are corrections.
pub async fn insert(
    tx: &mut Tx,
    run_id: &str,
    version: i64,
    new: &[NewAssessment],
    now: Timestamp,
) -> Result<u64, DbError> {
    let rows = new.iter().map(|of| {
        let levels = of.level_points.as_ref().map(|levels| serde_json::json!(levels).to_string());
        serde_json::json!({ "code": of.subject_code, "status": of.status, "reason": of.reason, "grade": of.grade,
                            "points": of.points, "levels": levels })
    });
    let rows = serde_json::Value::Array(rows.collect()).to_string();
    tx.execute(INSERT, args![rows, run_id, now, version]).await
}

// Trials have no assessments; the condition on the state makes sure that none is ever disclosed.
const FORMER: &str = "/* assessments::former */
    SELECT a.subject_code, r.id AS run_id, r.model_digest, r.scheme, r.period, r.state, r.valid_until_on,
           a.version AS assessment_version, a.status, a.reason, a.grade, a.made_at
    FROM json_rows($1)
    JOIN assessments a ON a.subject_code = value->>'code'
    JOIN runs r ON r.id = a.run_id
    WHERE r.state IN ('published', 'superseded') AND r.period >= $2 AND r.period <= $3 AND a.uscc = $4
      AND a.version = (SELECT MAX(b.version) FROM assessments b
                       WHERE b.run_id = a.run_id AND b.subject_code = a.subject_code)
    ORDER BY a.subject_code, r.period DESC, r.published_at DESC, r.id DESC";

/// The assessments of subjects in rounds of some half-years, made while the subjects belonged to a legal entity: by code,
/// latest half-year first, and within a half-year the round published last first.
pub async fn former(
    read: &Read<'_>,
    codes: &[&str],
    (from, to): (&str, &str),
    uscc: &str,
) -> Result<Vec<FormerRow>, DbError> {
    let codes: Vec<_> = codes.iter().map(|code| serde_json::json!({ "code": code })).collect();
    read.fetch_all(FORMER, args![serde_json::Value::Array(codes).to_string(), from, to, uscc]).await
}

// By exact version: totals of a correction that commits in between are not mixed with a grade read before it.
const LEVELS: &str = "/* assessments::levels */
    SELECT a.subject_code, r.model_digest, a.level_points
    FROM json_rows($1)
    JOIN assessments a ON a.subject_code = value->>'code' AND a.run_id = value->>'run'
                      AND a.version = CAST(value->>'version' AS BIGINT)
    JOIN runs r ON r.id = a.run_id";

/// The first-level totals of assessments, each named by code, round and version.
pub async fn levels(read: &Read<'_>, of: &[(&str, &str, i64)]) -> Result<Vec<LevelsRow>, DbError> {
    let of = of.iter().map(|(code, run, version)| serde_json::json!({ "code": code, "run": run, "version": version }));
    read.fetch_all(LEVELS, args![serde_json::Value::Array(of.collect()).to_string()]).await
}
