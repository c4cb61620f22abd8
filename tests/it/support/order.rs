//! The order in which the database committed, asked of the database itself (I2).

use medcredit::store::{Arg, Db};

use super::{TestStore, store::StoreLocation};

/// PostgreSQL stores the commit time of each transaction before it releases the transaction's locks: of two transactions
/// that exclude each other, the later has the later commit time.
const ON_POSTGRES: &str = "SELECT CAST(count(*) AS BIGINT), \
    CAST(count(*) FILTER (WHERE pg_xact_commit_timestamp(d.xmin) >= pg_xact_commit_timestamp(r.xmin)) AS BIGINT) \
    FROM ledger_entries d JOIN ledger_openings o ON o.entry_id = d.id \
    JOIN consent_events r ON r.consent_id = o.consent_id AND r.event = 'revoked' WHERE d.type = 'disclosure'";

/// SQLite has one writer and numbers rows that are never deleted in the order of insertion: the last entry about a revoked
/// consent is that of its revocation.
const ON_SQLITE: &str = "SELECT count(*), coalesce(sum(d.rowid > ended.at), 0) \
    FROM ledger_entries d JOIN ledger_openings o ON o.entry_id = d.id \
    JOIN (SELECT p.consent_id, max(e.rowid) AS at FROM ledger_entries e JOIN ledger_openings p ON p.entry_id = e.id \
        WHERE e.type = 'consent' GROUP BY p.consent_id) ended ON ended.consent_id = o.consent_id \
    JOIN consent_events r ON r.consent_id = o.consent_id AND r.event = 'revoked' WHERE d.type = 'disclosure'";

/// Checks that every disclosure under a revoked consent is committed before the revocation. Returns their number.
pub async fn revocations_come_last(store: &TestStore) -> i64 {
    let sql = match store.location() {
        StoreLocation::Postgres { .. } => ON_POSTGRES,
        StoreLocation::Sqlite(_) => ON_SQLITE,
    };
    let (disclosures, late): (i64, i64) = store.db.read("test").fetch_one(sql, vec![]).await.unwrap();
    assert_eq!(late, 0, "disclosures, of {disclosures}, committed after their consent's revocation");
    disclosures
}

/// Number of recorded disclosures under a consent.
pub async fn recorded_under(db: &Db, consent: &str) -> i64 {
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM ledger_openings o JOIN ledger_entries e ON e.id = o.entry_id \
        WHERE o.consent_id = $1 AND e.type = 'disclosure'";
    let (count,): (i64,) = db.read("test").fetch_one(sql, vec![Arg::from(consent)]).await.unwrap();
    count
}

/// The counted use of a consent.
pub async fn used(db: &Db, consent: &str) -> i64 {
    let sql = "SELECT CAST(coalesce(sum(used), 0) AS BIGINT) FROM consent_use WHERE consent_id = $1";
    let (used,): (i64,) = db.read("test").fetch_one(sql, vec![Arg::from(consent)]).await.unwrap();
    used
}

/// Checks that the leaves are numbered from 0 without a gap and that each entry is exactly one of them. Returns their
/// number.
pub async fn leaves_are_one_tree(db: &Db) -> i64 {
    let sql = "SELECT CAST(count(*) AS BIGINT), CAST(coalesce(max(leaf_index) + 1, 0) AS BIGINT), CAST(count(DISTINCT entry_id) AS BIGINT), \
        (SELECT CAST(count(*) AS BIGINT) FROM ledger_entries) FROM ledger_leaves";
    let (leaves, next, entries, all): (i64, i64, i64, i64) = db.read("test").fetch_one(sql, vec![]).await.unwrap();
    assert_eq!((leaves, next, entries), (all, all, all), "leaves, the next number, entries in the tree; entries");
    all
}
