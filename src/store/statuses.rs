//! The dated statuses of subjects: since when the agreement and the licence have been what they are, and what they were before.

use super::{DbError, Read, Tx, args, record};

record! {
    /// A status with its first day, as one import reported it.
    pub struct StatusRow {
        pub subject_code: String,
        /// agreement or licence.
        pub subject_of: String,
        /// The first day; none from the beginning.
        pub from_on: Option<String>,
        pub status: String,
    }
}

// In the order of imports: on a day, the last one counts whose first day has come.
const OF_KIND: &str = "/* statuses::of_kind */
    SELECT h.subject_code, h.subject_of, h.from_on, h.status FROM subject_statuses h
    JOIN subjects s ON s.code = h.subject_code WHERE s.kind = $1 ORDER BY h.subject_code, h.subject_of, h.import_seq";

/// The statuses of every subject of a kind that has a history, by subject, and each in the order of imports.
pub async fn of_kind(read: &Read<'_>, kind: &str) -> Result<Vec<StatusRow>, DbError> {
    read.fetch_all(OF_KIND, args![kind]).await
}

const OF_SUBJECT: &str = "/* statuses::of_subject */
    SELECT subject_code, subject_of, from_on, status FROM subject_statuses
    WHERE subject_code = $1 ORDER BY subject_of, import_seq";

/// The statuses of one subject, in the order of imports.
pub async fn of_subject(read: &Read<'_>, code: &str) -> Result<Vec<StatusRow>, DbError> {
    read.fetch_all(OF_SUBJECT, args![code]).await
}

// The status before the first change that is reported: with it, the history says what held until then.
const INSERT_FORMER: &str = "/* statuses::insert_former */
    INSERT INTO subject_statuses (subject_code, subject_of, import_seq, from_on, status)
    SELECT value->>'code', value->>'of', CAST(value->>'former_seq' AS BIGINT), value->>'former_on', value->>'former'
    FROM json_rows($1)
    WHERE value->>'former' IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM subject_statuses h
                      WHERE h.subject_code = value->>'code' AND h.subject_of = value->>'of')";
const INSERT: &str = "/* statuses::insert */
    INSERT INTO subject_statuses (subject_code, subject_of, import_seq, from_on, status)
    SELECT value->>'code', value->>'of', CAST($2 AS BIGINT), value->>'on', value->>'status'
    FROM json_rows($1) WHERE true ON CONFLICT DO NOTHING";

/// Inserts the changes of an import: a JSON array of objects with `code`, `of`, `status` and `on`, and for subjects that
/// existed before `former`, `former_on` and `former_seq`.
pub async fn insert(tx: &mut Tx, changes: &str, import_seq: i64) -> Result<(), DbError> {
    tx.execute(INSERT_FORMER, args![changes]).await?;
    tx.execute(INSERT, args![changes, import_seq]).await.map(|_| ())
}
