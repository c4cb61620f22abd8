//! The outbox: events, items to deliver, and every delivery attempt.
//!
//! An item that is neither delivered nor cancelled is open. Of the items with one target and ordering key only the open item
//! with the lowest position may be claimed.

use super::{DbError, Read, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// An event.
    pub struct EventRow {
        pub id: String,
        pub topic: String,
        pub ordering_key: String,
        pub body: String,
        pub happened_at: i64,
    }
}

record! {
    /// An item claimed by a worker.
    pub struct ClaimedRow {
        pub id: String,
        pub topic: String,
        pub target: String,
        pub body: String,
        pub attempts: i64,
        pub tries: i64,
        pub created_at: i64,
        pub lease_until_at: Option<i64>,
    }
}

record! {
    /// The number of items in a state.
    pub struct DepthRow {
        pub state: String,
        pub number: i64,
        pub oldest_at: i64,
    }
}

record! {
    /// A delivery attempt.
    pub struct AttemptRow {
        pub number: i64,
        pub owner: String,
        pub started_at: i64,
        pub ended_at: Option<i64>,
        pub outcome: String,
        pub status: Option<i64>,
        pub receipt: Option<String>,
    }
}

record! {
    /// The state of an item.
    pub struct ItemRow {
        pub id: String,
        pub target: String,
        pub ordering_key: String,
        pub position: i64,
        pub state: String,
        pub attempts: i64,
        pub due_at: i64,
    }
}

record! { struct IdRow { id: String } }
record! { struct NumberRow { number: i64 } }
record! {
    /// The last position of an ordering key.
    pub struct PositionRow {
        pub ordering_key: String,
        pub position: i64,
    }
}

/// An item to insert.
#[derive(Debug, Clone, Copy)]
pub struct NewRow<'a> {
    pub id: &'a str,
    pub topic: &'a str,
    pub target: &'a str,
    /// The key whose items are delivered in order.
    pub ordering_key: &'a str,
    /// Its idempotency key.
    pub idempotency: &'a str,
    pub body: &'a str,
}

/// The end of a delivery attempt.
#[derive(Debug, Clone, Copy)]
pub struct AttemptEnd<'a> {
    /// The outcome, a word.
    pub outcome: &'a str,
    /// The receiver's status code.
    pub status: Option<i64>,
    /// JSON of the receipt.
    pub receipt: &'a str,
    pub at: Timestamp,
}

const INSERT_EVENTS: &str = "/* outbox::insert_events */
    INSERT INTO outbox_events (id, topic, ordering_key, body, happened_at)
    SELECT value->>0, value->>1, value->>2, value->>3, CAST($2 AS BIGINT) FROM json_rows($1)";
const UNROUTED: &str = "/* outbox::unrouted */
    SELECT id, topic, ordering_key, body, happened_at FROM outbox_events WHERE routed_at IS NULL
    ORDER BY happened_at, id LIMIT $1";
const COUNT_UNROUTED: &str = "/* outbox::count_unrouted */
    SELECT count(*) AS number FROM outbox_events WHERE routed_at IS NULL";
// Of two gateways that route the same events, the second changes fewer rows than it named, which the count shows.
const SET_ROUTED: &str = "/* outbox::set_routed */
    UPDATE outbox_events SET routed_at = $2
    WHERE routed_at IS NULL AND id IN (SELECT value->>'id' FROM json_rows($1))";
const DELETE_EVENTS: &str = "/* outbox::delete_events */ DELETE FROM outbox_events WHERE happened_at < $1";

// An event that is routed twice gives one item (I6).
const ENQUEUE: &str = "/* outbox::enqueue */
    INSERT INTO outbox_items (id, topic, target, ordering_key, position, idempotency, body, state, attempts, tries,
                              due_at, created_at)
    SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), COALESCE(MAX(position), 0) + 1,
           CAST($5 AS TEXT), CAST($6 AS TEXT), 'queued', 0, 0, CAST($7 AS BIGINT), CAST($7 AS BIGINT)
    FROM outbox_items WHERE target = $3 AND ordering_key = $4
    ON CONFLICT (target, idempotency) DO NOTHING";
const LAST_POSITIONS: &str = "/* outbox::last_positions */
    SELECT ordering_key, MAX(position) AS position FROM outbox_items WHERE target = $1 GROUP BY ordering_key";
const ENQUEUE_ALL: &str = "/* outbox::enqueue_all */
    INSERT INTO outbox_items (id, topic, target, ordering_key, position, idempotency, body, state, attempts, tries,
                              due_at, created_at)
    SELECT value->>0, CAST($2 AS TEXT), CAST($3 AS TEXT), value->>1, CAST(value->>2 AS BIGINT), value->>3, value->>4,
           'queued', 0, 0, CAST($4 AS BIGINT), CAST($4 AS BIGINT)
    FROM json_rows($1)";
const EXTEND: &str = "/* outbox::extend */
    UPDATE outbox_items SET lease_until_at = $3 WHERE state = 'leased' AND target = $1 AND lease_owner = $2";
// Attempts first: they are found by the leases that the next statement ends.
const RELEASE_ATTEMPTS: &str = "/* outbox::release_attempts */
    UPDATE outbox_attempts SET outcome = 'lost', ended_at = $2
    WHERE outcome = 'running' AND item_id IN (SELECT id FROM outbox_items WHERE state = 'leased' AND target = $1)";
const RELEASE: &str = "/* outbox::release */
    UPDATE outbox_items SET state = CASE WHEN tries >= $3 THEN 'dead' ELSE 'retry' END, due_at = $2,
        lease_owner = NULL, lease_until_at = NULL
    WHERE state = 'leased' AND target = $1";
const FIND: &str = "/* outbox::find */ SELECT id FROM outbox_items WHERE target = $1 AND idempotency = $2";
const END_EXPIRED_ATTEMPTS: &str = "/* outbox::end_expired_attempts */
    UPDATE outbox_attempts SET outcome = 'lost', ended_at = $1
    WHERE outcome = 'running' AND item_id IN (
        SELECT id FROM outbox_items WHERE state = 'leased' AND lease_until_at <= $1)";
// Items that another gateway is working on at this moment are skipped, and not waited for.
const END_EXPIRED: &str = "/* outbox::end_expired */
    WITH ended AS MATERIALIZED (
        SELECT id FROM outbox_items WHERE state = 'leased' AND lease_until_at <= $1 ORDER BY id FOR UPDATE SKIP LOCKED)
    UPDATE outbox_items SET state = CASE WHEN tries >= $2 THEN 'dead' ELSE 'retry' END, due_at = $1,
        lease_owner = NULL, lease_until_at = NULL
    WHERE id IN (SELECT id FROM ended)";
// Materialised: run again for each row, the inner statement would lock more items than the limit.
const CLAIM: &str = "/* outbox::claim */
    WITH due AS MATERIALIZED (
        SELECT i.id FROM outbox_items i
        WHERE i.state IN ('queued', 'retry') AND i.due_at <= $2 AND (CAST($5 AS TEXT) IS NULL OR i.target = $5)
          AND NOT EXISTS (
            SELECT 1 FROM outbox_items e WHERE e.target = i.target AND e.ordering_key = i.ordering_key
                AND e.position < i.position AND e.state NOT IN ('delivered', 'cancelled'))
        ORDER BY i.due_at, i.id LIMIT $4 FOR UPDATE SKIP LOCKED)
    UPDATE outbox_items SET state = 'leased', lease_owner = $1, lease_until_at = $3, attempts = attempts + 1,
        tries = tries + 1
    WHERE id IN (SELECT id FROM due)
    RETURNING id, topic, target, body, attempts, tries, created_at, lease_until_at";
const BEGIN_ATTEMPTS: &str = "/* outbox::begin_attempts */
    INSERT INTO outbox_attempts (item_id, number, owner, started_at, outcome)
    SELECT value->>0, CAST(value->>1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS BIGINT), 'running' FROM json_rows($1)";
// Also from lost: the late report of a worker that was given up says more about its attempt.
const END_ATTEMPT: &str = "/* outbox::end_attempt */
    UPDATE outbox_attempts SET outcome = $3, status = $4, receipt = $5, ended_at = $6
    WHERE item_id = $1 AND number = $2 AND outcome IN ('running', 'lost')";
// A report after the end of its lease is still valid, as long as no further attempt has started.
const SET_DELIVERED: &str = "/* outbox::set_delivered */
    UPDATE outbox_items SET state = 'delivered', ended_at = $3, lease_owner = NULL, lease_until_at = NULL
    WHERE id = $1 AND attempts = $2 AND state IN ('leased', 'retry', 'dead')";
// Only while it is leased: a late failure must not undo what was decided since.
const SET_FAILED: &str = "/* outbox::set_failed */
    UPDATE outbox_items SET state = $3, due_at = $4, lease_owner = NULL, lease_until_at = NULL
    WHERE id = $1 AND attempts = $2 AND state = 'leased'";
const CANCEL: &str = "/* outbox::cancel */
    UPDATE outbox_items SET state = 'cancelled', ended_at = $2, lease_owner = NULL, lease_until_at = NULL
    WHERE target = $1 AND state NOT IN ('delivered', 'cancelled')";
// Tries begin again and attempts do not: their numbers stay unique for the item.
const REDRIVE: &str = "/* outbox::redrive */
    UPDATE outbox_items SET state = 'queued', tries = 0, due_at = $2 WHERE id = $1 AND state = 'dead'";
const DEPTH: &str = "/* outbox::depth */
    SELECT state, count(*) AS number, min(created_at) AS oldest_at FROM outbox_items
    WHERE state NOT IN ('delivered', 'cancelled') GROUP BY state";
const LIST: &str = "/* outbox::list */
    SELECT id, target, ordering_key, position, state, attempts, due_at FROM outbox_items
    WHERE target = $1 ORDER BY ordering_key, position";
const ATTEMPTS: &str = "/* outbox::attempts */
    SELECT number, owner, started_at, ended_at, outcome, status, receipt FROM outbox_attempts
    WHERE item_id = $1 ORDER BY number";

/// Inserts events: a JSON array of arrays of id, topic, ordering key and body.
pub async fn insert_events(tx: &mut Tx, rows: String, now: Timestamp) -> Result<(), DbError> {
    tx.execute(INSERT_EVENTS, args![rows, now]).await.map(|_| ())
}

/// Events that no items were made for yet.
pub async fn unrouted(read: &Read<'_>, most: i64) -> Result<Vec<EventRow>, DbError> {
    read.fetch_all(UNROUTED, args![most]).await
}

/// The number of events that no items were made for yet.
pub async fn count_unrouted(read: &Read<'_>) -> Result<i64, DbError> {
    read.fetch_one::<NumberRow>(COUNT_UNROUTED, args![]).await.map(|row| row.number)
}

/// Marks events (a JSON array of objects with `id`) as routed, and returns how many were not before.
pub async fn set_routed(tx: &mut Tx, ids: String, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(SET_ROUTED, args![ids, now]).await
}

/// Deletes events from before a time.
pub async fn delete_events(tx: &mut Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.execute(DELETE_EVENTS, args![before]).await
}

/// Inserts an item after all others of its key and returns its id; for an item that exists, the existing id.
pub async fn enqueue(tx: &mut Tx, row: NewRow<'_>, now: Timestamp) -> Result<String, DbError> {
    let values = args![row.id, row.topic, row.target, row.ordering_key, row.idempotency, row.body, now];
    tx.execute(ENQUEUE, values).await?;
    // Read back: after a conflict the stored item's id counts, and not the new one.
    tx.fetch_one::<IdRow>(FIND, args![row.target, row.idempotency]).await.map(|row| row.id)
}

/// The last position of each ordering key of a target.
pub async fn last_positions(tx: &mut Tx, target: &str) -> Result<Vec<PositionRow>, DbError> {
    tx.fetch_all(LAST_POSITIONS, args![target]).await
}

/// Inserts new items of a target: a JSON array of arrays of id, ordering key, position, idempotency key and body.
pub async fn enqueue_all(tx: &mut Tx, target: &str, topic: &str, rows: String, now: Timestamp) -> Result<(), DbError> {
    tx.execute(ENQUEUE_ALL, args![rows, topic, target, now]).await.map(drop)
}

/// Extends the leases of a worker on items of a target.
pub async fn extend(tx: &mut Tx, target: &str, owner: &str, until: Timestamp) -> Result<(), DbError> {
    tx.execute(EXTEND, args![target, owner, until]).await.map(drop)
}

/// Ends all leases of a target, whose only worker begins again.
pub async fn release(tx: &mut Tx, target: &str, tries: i64, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(RELEASE_ATTEMPTS, args![target, now]).await?;
    tx.execute(RELEASE, args![target, now, tries]).await
}

/// Ends expired leases; items without tries left become dead.
pub async fn end_expired(tx: &mut Tx, tries: i64, now: Timestamp) -> Result<u64, DbError> {
    // Attempts first: they are found by the leases that the next statement ends.
    tx.execute(END_EXPIRED_ATTEMPTS, args![now]).await?;
    tx.execute(END_EXPIRED, args![now, tries]).await
}

/// Leases items of a target, or of all, that are due, from `now` until a time.
pub async fn claim(
    tx: &mut Tx,
    target: Option<&str>,
    owner: &str,
    (now, until): (Timestamp, Timestamp),
    most: i64,
) -> Result<Vec<ClaimedRow>, DbError> {
    let rows: Vec<ClaimedRow> = tx.fetch_all(CLAIM, args![owner, now, until, most, target]).await?;
    if !rows.is_empty() {
        let started: Vec<_> = rows.iter().map(|row| serde_json::json!([row.id, row.attempts])).collect();
        tx.execute(BEGIN_ATTEMPTS, args![serde_json::Value::from(started).to_string(), owner, now]).await?;
    }
    Ok(rows)
}

/// Writes the end of an attempt, unless it is already known.
pub async fn end_attempt(tx: &mut Tx, id: &str, attempt: i64, ended: AttemptEnd<'_>) -> Result<(), DbError> {
    let values = args![id, attempt, ended.outcome, ended.status, ended.receipt, ended.at];
    tx.execute(END_ATTEMPT, values).await.map(|_| ())
}

/// Marks an item as delivered by an attempt; `false` when a later attempt has started or the item was cancelled.
pub async fn set_delivered(tx: &mut Tx, id: &str, attempt: i64, now: Timestamp) -> Result<bool, DbError> {
    tx.execute(SET_DELIVERED, args![id, attempt, now]).await.map(|changed| changed == 1)
}

/// Schedules the next try of an item, or marks it as dead; `false` when the attempt no longer holds the lease.
pub async fn set_failed(
    tx: &mut Tx,
    id: &str,
    attempt: i64,
    due: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let state = if due.is_some() { "retry" } else { "dead" };
    // A dead item is never due; the column then shows when it was given up.
    let changed = tx.execute(SET_FAILED, args![id, attempt, state, due.unwrap_or(now)]).await?;
    Ok(changed == 1)
}

/// Cancels every open item of a target.
pub async fn cancel(tx: &mut Tx, target: &str, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(CANCEL, args![target, now]).await
}

/// Queues a dead item again; `false` when it is not dead.
pub async fn redrive(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, DbError> {
    tx.execute(REDRIVE, args![id, now]).await.map(|changed| changed == 1)
}

/// How many items are open, by state.
pub async fn depth(read: &Read<'_>) -> Result<Vec<DepthRow>, DbError> {
    read.fetch_all(DEPTH, args![]).await
}

/// The items of a target, by key and position.
pub async fn list(read: &Read<'_>, target: &str) -> Result<Vec<ItemRow>, DbError> {
    read.fetch_all(LIST, args![target]).await
}

/// The attempts at an item.
pub async fn attempts(read: &Read<'_>, id: &str) -> Result<Vec<AttemptRow>, DbError> {
    read.fetch_all(ATTEMPTS, args![id]).await
}
