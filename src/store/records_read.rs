//! Credit facts as a grading run reads them: those of imports that were accepted, whole subjects at a time.

use super::{DbError, Read, args, record};
use crate::domain::Day;

record! {
    /// A fact as it is kept.
    pub struct RecordRow {
        /// Whom it is about.
        pub subject_code: String,
        /// What it reports.
        pub measure: String,
        /// When.
        pub occurred_on: String,
        /// Which import brought it.
        pub import_seq: i64,
        /// How much, in ten-thousandths.
        pub value_e4: i64,
        /// Who said so.
        pub source: String,
        /// By what it can be found again.
        pub reference: String,
    }
}

record! { struct SeqRow { seq: i64 } }

const ACCEPTED: &str =
    "/* records_read::accepted */ SELECT seq FROM imports WHERE template = 'records' AND state = 'accepted'";

/// The imports of facts that are accepted at this moment.
pub async fn accepted(read: &Read<'_>) -> Result<Vec<i64>, DbError> {
    let rows: Vec<SeqRow> = read.fetch_all(ACCEPTED, args![]).await?;
    Ok(rows.into_iter().map(|row| row.seq).collect())
}

const OF_SUBJECTS: &str = "/* records_read::of_subjects */
    SELECT r.subject_code, r.measure, r.occurred_on, r.import_seq, r.value_e4, r.source, r.reference
    FROM json_rows($1)
    JOIN bulk.records r ON r.subject_code = value->>'code' AND r.occurred_on >= $2 AND r.occurred_on <= $3";

/// Every fact of some subjects between two days, both included, of whatever import and in no particular order.
pub async fn of_subjects(read: &Read<'_>, codes: &[&str], from: Day, to: Day) -> Result<Vec<RecordRow>, DbError> {
    let wanted: Vec<_> = codes.iter().map(|code| serde_json::json!({ "code": code })).collect();
    let wanted = serde_json::Value::Array(wanted).to_string();
    read.fetch_all(OF_SUBJECTS, args![wanted, from.to_string(), to.to_string()]).await
}
