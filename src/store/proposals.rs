//! Proposals of acts that need a second operator.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A proposal.
    pub struct ProposalRow {
        pub id: String,
        /// What is to be done, a word.
        pub act: String,
        pub target: String,
        /// The act with its particulars, JSON.
        pub proposed: String,
        pub reason: String,
        pub state: String,
        pub proposed_at: i64,
        /// operator:NAME.
        pub proposed_by: String,
        pub expires_at: i64,
        pub decided_at: Option<i64>,
        pub decided_by: Option<String>,
        pub decision: Option<String>,
        /// The ledger entry of the approval.
        pub decision_entry: Option<String>,
        pub executed_at: Option<i64>,
        pub executed_by: Option<String>,
    }
}

record! {
    /// How many proposals wait, and how many acts were done without one.
    pub struct ProposalCounts {
        pub open: i64,
        pub approved: i64,
        pub broken_glass: i64,
    }
}

record! {
    /// A committed entry with its opening.
    pub struct EntryRow {
        pub entry: String,
        pub opening: String,
    }
}

macro_rules! select {
    ($name:literal, $rest:literal) => {
        concat!(
            "/* proposals::",
            $name,
            " */ SELECT id, act, target, proposed, reason, state, proposed_at, proposed_by, expires_at, decided_at, decided_by,
             decision, decision_entry, executed_at, executed_by FROM proposals ",
            $rest
        )
    };
}

const INSERT: &str = "/* proposals::insert */
    INSERT INTO proposals (id, act, target, proposed, reason, state, proposed_at, proposed_by, expires_at, executed_at, executed_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// Inserts a proposal.
pub async fn insert(tx: &mut Tx, row: &ProposalRow) -> Result<(), DbError> {
    let args = args![
        &row.id,
        &row.act,
        &row.target,
        &row.proposed,
        &row.reason,
        &row.state,
        row.proposed_at,
        &row.proposed_by,
        row.expires_at,
        row.executed_at,
        row.executed_by.as_deref()
    ];
    tx.execute(INSERT, args).await.map(|_| ())
}

const FIND: &str = select!("find", "WHERE id = $1");

/// A proposal by its id.
pub async fn find(db: &Db, id: &str) -> Result<Option<ProposalRow>, DbError> {
    db.read("proposals::find").fetch_optional(FIND, args![id]).await
}

const LOCK: &str = "/* proposals::lock */ UPDATE proposals SET state = state WHERE id = $1";

/// Locks a proposal until the transaction ends.
pub async fn lock(tx: &mut Tx, id: &str) -> Result<Option<ProposalRow>, DbError> {
    tx.execute(LOCK, args![id]).await?;
    tx.fetch_optional(FIND, args![id]).await
}

const LIST: &str = select!("list", "ORDER BY proposed_at DESC, id DESC");
const LIST_WAITING: &str =
    select!("list_waiting", "WHERE state IN ('open', 'approved') AND expires_at > $1 ORDER BY proposed_at, id");

/// Every proposal, latest first.
pub async fn list(db: &Db) -> Result<Vec<ProposalRow>, DbError> {
    db.read("proposals::list").fetch_all(LIST, args![]).await
}

/// The proposals that wait for a decision or for their execution, oldest first.
pub async fn list_waiting(db: &Db, now: Timestamp) -> Result<Vec<ProposalRow>, DbError> {
    db.read("proposals::list_waiting").fetch_all(LIST_WAITING, args![now]).await
}

const DECIDE: &str = "/* proposals::decide */
    UPDATE proposals SET state = $2, decided_at = $3, decided_by = $4, decision = $5, decision_entry = $6 WHERE id = $1";

/// Stores a decision about a proposal that the transaction has locked.
pub async fn decide(
    tx: &mut Tx,
    id: &str,
    state: &str,
    (now, by, reason): (Timestamp, &str, Option<&str>),
    entry: Option<&str>,
) -> Result<(), DbError> {
    tx.execute(DECIDE, args![id, state, now, by, reason, entry]).await.map(|_| ())
}

// The comparison decides: of two executions, on any gateways, one changes the row and the other finds none to change.
const EXECUTE: &str = "/* proposals::execute */
    UPDATE proposals SET state = 'executed', execution = $2, executed_at = $3, executed_by = $4
    WHERE id = $1 AND state = 'approved' AND expires_at > $3";
const IS_EXECUTING: &str = select!("is_executing", "WHERE id = $1 AND state = 'executed' AND execution = $2");

/// The part of a change in the execution of its proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// The first change: the proposal is executed with it.
    First,
    /// A further change of the same execution.
    Further,
    /// The proposal is not approved, has expired, or was executed before.
    Refused,
}

/// Marks an approved proposal as executed, in the transaction of what it allows.
pub async fn execute(tx: &mut Tx, id: &str, execution: &str, now: Timestamp, by: &str) -> Result<Execution, DbError> {
    if tx.execute(EXECUTE, args![id, execution, now, by]).await? == 1 {
        return Ok(Execution::First);
    }
    let executing: Option<ProposalRow> = tx.fetch_optional(IS_EXECUTING, args![id, execution]).await?;
    Ok(if executing.is_some() { Execution::Further } else { Execution::Refused })
}

const ENTRY: &str = "/* proposals::entry */
    SELECT e.body AS entry, o.body AS opening FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id WHERE e.id = $1";

/// A committed entry of the ledger with its opening.
pub async fn entry(db: &Db, id: &str) -> Result<Option<EntryRow>, DbError> {
    db.read("proposals::entry").fetch_optional(ENTRY, args![id]).await
}

const COUNTS: &str = "/* proposals::counts */
    SELECT (SELECT COUNT(*) FROM proposals WHERE state = 'open' AND expires_at > $1) AS open,
           (SELECT COUNT(*) FROM proposals WHERE state = 'approved' AND expires_at > $1) AS approved,
           (SELECT COUNT(*) FROM proposals WHERE state = 'broken_glass' AND executed_at > $2) AS broken_glass";

/// How many proposals wait, and how many acts were done without one since an instant.
pub async fn counts(db: &Db, now: Timestamp, since: Timestamp) -> Result<ProposalCounts, DbError> {
    db.read("proposals::counts").fetch_one(COUNTS, args![now, since]).await
}
