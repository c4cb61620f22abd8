//! Objections of subjects to their results.

use super::{DbError, Read, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// An objection.
    pub struct ObjectionRow {
        pub id: String,
        pub subject_code: String,
        /// The run whose result it is about, where one is named.
        pub run_id: Option<String>,
        /// The reason in the operator's words.
        pub reason: String,
        pub opened_at: i64,
        pub opened_by: String,
        /// The last day to decide it.
        pub due_on: String,
        /// upheld, rejected or withdrawn; none while it is open.
        pub outcome: Option<String>,
        /// The reason of the decision.
        pub decision: Option<String>,
        pub decided_at: Option<i64>,
        pub decided_by: Option<String>,
    }
}

macro_rules! select {
    ($name:literal, $rest:literal) => {
        concat!(
            "/* objections::",
            $name,
            " */ SELECT id, subject_code, run_id, reason, opened_at, opened_by, due_on, outcome, decision, decided_at, decided_by
             FROM objections ",
            $rest
        )
    };
}

const OPEN_OF: &str = select!("open_of", "WHERE subject_code = $1 AND outcome IS NULL");

/// The open objection of a subject.
pub async fn open_of(tx: &mut Tx, code: &str) -> Result<Option<ObjectionRow>, DbError> {
    tx.fetch_optional(OPEN_OF, args![code]).await
}

const FIND: &str = select!("find", "WHERE id = $1");

/// An objection by its id.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<ObjectionRow>, DbError> {
    tx.fetch_optional(FIND, args![id]).await
}

const LIST_OPEN: &str = select!("list_open", "WHERE outcome IS NULL ORDER BY due_on, id");
const LIST: &str = select!("list", "ORDER BY due_on, id");

/// The open objections, or all of them: those due first come first.
pub async fn list(read: &Read<'_>, all: bool) -> Result<Vec<ObjectionRow>, DbError> {
    read.fetch_all(if all { LIST } else { LIST_OPEN }, args![]).await
}

const INSERT: &str = "/* objections::insert */
    INSERT INTO objections (id, subject_code, run_id, reason, opened_at, opened_by, due_on)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// Inserts an open objection.
pub async fn insert(tx: &mut Tx, row: &ObjectionRow) -> Result<(), DbError> {
    let args = args![
        &row.id,
        &row.subject_code,
        row.run_id.as_deref(),
        &row.reason,
        row.opened_at,
        &row.opened_by,
        &row.due_on
    ];
    tx.execute(INSERT, args).await.map(|_| ())
}

const DECIDE: &str = "/* objections::decide */
    UPDATE objections SET outcome = $2, decision = $3, decided_at = $4, decided_by = $5
    WHERE id = $1 AND outcome IS NULL";

/// Decides an open objection; `false` when it is no longer open.
pub async fn decide(
    tx: &mut Tx,
    id: &str,
    (outcome, decision): (&str, &str),
    now: Timestamp,
    by: &str,
) -> Result<bool, DbError> {
    Ok(tx.execute(DECIDE, args![id, outcome, decision, now, by]).await? == 1)
}

// The version is compared by every append: an answer with the former status is not released (I2).
const MARK: &str = "/* objections::mark */
    UPDATE subjects SET under_objection = $2, version = version + 1 WHERE code = $1";

/// Marks a subject as under objection, or releases it, and increments the version of its file; `false` without such a
/// subject.
pub async fn mark(tx: &mut Tx, code: &str, open: bool) -> Result<bool, DbError> {
    Ok(tx.execute(MARK, args![code, i64::from(open)]).await? == 1)
}
