//! The versions of records that platforms were sent.

use crate::{
    domain::Timestamp,
    store::{DbError, Read, Tx, args, record},
};

record! {
    /// A version of a record, sent to one platform.
    pub struct SentRow {
        pub platform: String,
        pub record_id: String,
        pub version: i64,
        pub package_id: String,
        pub page: i64,
        /// The subject; none for counts.
        pub code: Option<String>,
        /// I, U or D.
        pub operation: String,
        /// SHA-256 of the fields without version and operation.
        pub content: String,
        /// SHA-256 of the fields, as the platform's inventory has it.
        pub digest: String,
        /// open, accepted, rejected, resolved, waived, withheld (it never left) or recalled (it may have left before it was withheld).
        pub state: String,
        /// R01 to R99; why it was withheld or waived.
        pub reason: Option<String>,
        /// The receiver's words.
        pub note: Option<String>,
        pub decided_at: Option<i64>,
    }
}

record! {
    /// How many rows of a package are in a state.
    pub struct RowStateRow {
        pub state: String,
        pub rows: i64,
    }
}

record! {
    /// Rows of all packages of a platform.
    pub struct PlatformRows {
        pub sent: i64,
        pub accepted: i64,
        pub rejected: i64,
        pub open: i64,
    }
}

record! {
    /// Rows of open packages of a platform.
    pub struct UnsettledRows {
        pub open: i64,
        pub rejected: i64,
    }
}

record! {
    /// A run of which a platform has records of a subject.
    pub struct HeldRunRow {
        pub run_id: String,
        pub code: String,
    }
}

record! { struct CodeRow { code: Option<String> } }

macro_rules! select {
    ($name:literal, $rest:literal) => {
        concat!(
            "/* push::",
            $name,
            " */ SELECT r.platform, r.record_id, r.version, r.package_id, r.page, r.code, r.operation, r.content, r.digest,
             r.state, r.reason, r.note, r.decided_at ",
            $rest
        )
    };
}

const INSERT: &str = "/* push::insert_rows */
    INSERT INTO push_rows (platform, record_id, version, package_id, page, code, operation, content, digest, state)
    SELECT CAST($2 AS TEXT), value->>0, CAST(value->>1 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS BIGINT), value->>2,
           value->>3, value->>4, value->>5, 'open' FROM json_rows($1)";
// Here and in all that compare rows with a list: the list as a table of its own, with the platform, so that each of its rows is looked
// up. SQLite would otherwise read all rows of the platform, and the list again for each of them.
const SENT: &str = "/* push::sent */
    WITH given AS MATERIALIZED (SELECT CAST($2 AS TEXT) AS platform, value->>0 AS record_id FROM json_rows($1))
    SELECT r.platform, r.record_id, r.version, r.package_id, r.page, r.code, r.operation, r.content, r.digest,
           r.state, r.reason, r.note, r.decided_at
    FROM given g JOIN push_rows r ON r.platform = g.platform AND r.record_id = g.record_id
    ORDER BY r.record_id, r.version";
const OF_SUBJECT: &str =
    select!("of_subject", "FROM push_rows r WHERE r.code = $1 ORDER BY r.platform, r.record_id, r.version");
const OF_PAGE: &str =
    select!("of_page", "FROM push_rows r WHERE r.package_id = $1 AND r.page = $2 ORDER BY r.record_id");
const FIND: &str = select!("row", "FROM push_rows r WHERE r.platform = $1 AND r.record_id = $2 ORDER BY r.version");
const REJECTED: &str = select!(
    "rejected",
    "FROM push_rows r WHERE r.platform = $1 AND r.state = 'rejected' ORDER BY r.package_id, r.record_id LIMIT $2"
);
// The newest version of each record that was not withheld.
const NEWEST: &str = select!(
    "newest_rows",
    "FROM push_rows r WHERE r.platform = $1 AND r.record_id > $2 AND r.state <> 'withheld'
       AND NOT EXISTS (SELECT 1 FROM push_rows n WHERE n.platform = r.platform AND n.record_id = r.record_id
                       AND n.version > r.version AND n.state <> 'withheld')
     ORDER BY r.record_id LIMIT $3"
);
// What other runs of the same kind, scheme and period sent, which the one in force may not cover.
const OF_OTHER_RUNS: &str = select!(
    "of_other_runs",
    "FROM push_rows r JOIN push_packages p ON p.id = r.package_id
     WHERE r.platform = $1 AND p.kind = $2 AND p.scheme = $3 AND p.period = $4 AND p.run_id <> $5 AND r.record_id > $6
     ORDER BY r.record_id, r.version LIMIT $7"
);
// Accepted is final; a receiver may accept what it rejected before, as long as nobody resolved or waived it.
const ACCEPT: &str = "/* push::accept */
    WITH given AS MATERIALIZED (SELECT CAST($2 AS TEXT) AS platform, value->>0 AS record_id,
                                       CAST(value->>1 AS BIGINT) AS version FROM json_rows($1))
    UPDATE push_rows SET state = 'accepted', reason = NULL, note = NULL, decided_at = $3 FROM given g
    WHERE push_rows.platform = g.platform AND push_rows.record_id = g.record_id AND push_rows.version = g.version
      AND state IN ('open', 'rejected', 'recalled')";
// A withdrawal of what the platform does not have has its effect already: nobody need act on it.
const REJECT: &str = "/* push::reject */
    WITH given AS MATERIALIZED (SELECT CAST($2 AS TEXT) AS platform, value->>0 AS record_id,
                                       CAST(value->>1 AS BIGINT) AS version, value->>2 AS reason, value->>3 AS note
                                FROM json_rows($1))
    UPDATE push_rows SET
        state = CASE WHEN state = 'recalled' THEN 'withheld'
                     WHEN operation = 'D' AND g.reason = 'R13' THEN 'resolved' ELSE 'rejected' END,
        reason = g.reason, note = g.note, decided_at = $3 FROM given g
    WHERE push_rows.platform = g.platform AND push_rows.record_id = g.record_id AND push_rows.version = g.version
      AND state IN ('open', 'recalled')";
// A later version settles what was wrong with the earlier one.
const RESOLVE_FORMER: &str = "/* push::resolve_former */
    UPDATE push_rows SET state = 'resolved', decided_at = $2
    WHERE state = 'rejected' AND platform = (SELECT platform FROM push_packages WHERE id = $1)
      AND EXISTS (SELECT 1 FROM push_rows n WHERE n.platform = push_rows.platform AND n.record_id = push_rows.record_id
                  AND n.package_id = $1 AND n.version > push_rows.version)";
const WITHHOLD: &str = "/* push::withhold */
    WITH given AS MATERIALIZED (SELECT CAST($2 AS TEXT) AS platform, value->>0 AS record_id,
                                       CAST(value->>1 AS BIGINT) AS version, value->>2 AS reason, value->>3 AS state
                                FROM json_rows($1))
    UPDATE push_rows SET state = g.state, reason = g.reason, decided_at = $3 FROM given g
    WHERE push_rows.platform = g.platform AND push_rows.record_id = g.record_id AND push_rows.version = g.version
      AND push_rows.state = 'open'";
const WAIVE: &str = "/* push::waive */
    UPDATE push_rows SET state = 'waived', note = $4, decided_at = $5
    WHERE platform = $1 AND record_id = $2 AND version = $3 AND state = 'rejected'";
const STATES: &str = "/* push::row_states */
    SELECT state, COUNT(*) AS rows FROM push_rows WHERE package_id = $1 GROUP BY state ORDER BY state";
const OF_PLATFORM: &str = "/* push::rows_of_platform */
    SELECT COALESCE(CAST(SUM(CASE WHEN state NOT IN ('withheld', 'recalled') THEN 1 ELSE 0 END) AS BIGINT), 0) AS sent,
           COALESCE(CAST(SUM(CASE WHEN state = 'accepted' THEN 1 ELSE 0 END) AS BIGINT), 0) AS accepted,
           COALESCE(CAST(SUM(CASE WHEN state = 'rejected' THEN 1 ELSE 0 END) AS BIGINT), 0) AS rejected,
           COALESCE(CAST(SUM(CASE WHEN state = 'open' THEN 1 ELSE 0 END) AS BIGINT), 0) AS open
    FROM push_rows WHERE platform = $1";
// By the partial indexes: a platform may have millions of accepted rows.
const UNSETTLED: &str = "/* push::unsettled */
    SELECT (SELECT COUNT(*) FROM push_rows r JOIN push_packages p ON p.id = r.package_id
            WHERE p.platform = $1 AND p.state = 'open' AND r.state = 'open') AS open,
           (SELECT COUNT(*) FROM push_rows WHERE platform = $1 AND state = 'rejected') AS rejected";
const RUNS_OF: &str = "/* push::runs_of */
    SELECT DISTINCT p.run_id, r.code FROM json_rows($1) JOIN push_rows r ON r.code = value->>0
    JOIN push_packages p ON p.id = r.package_id
    WHERE r.platform = CAST($2 AS TEXT) AND p.run_id IS NOT NULL ORDER BY p.run_id, r.code";

// Of the updates that were just rejected.
const WITHOUT_ORIGINAL: &str = "/* push::without_original */
    SELECT DISTINCT r.code FROM json_rows($1) JOIN push_rows r
        ON r.platform = CAST($2 AS TEXT) AND r.record_id = value->>0 AND r.version = CAST(value->>1 AS BIGINT)
    WHERE r.state = 'rejected' AND r.operation = 'U' AND r.reason = 'R13' ORDER BY r.code";

/// Inserts the rows of a page: a JSON array of arrays of record, version, code, operation, content and digest.
pub async fn insert(tx: &mut Tx, platform: &str, package: &str, page: i64, rows: String) -> Result<(), DbError> {
    tx.execute(INSERT, args![rows, platform, package, page]).await.map(drop)
}

/// Every version of some records that a platform was sent: by record, earlier ones first. Records are a JSON array of arrays.
pub async fn sent(read: &Read<'_>, platform: &str, records: String) -> Result<Vec<SentRow>, DbError> {
    read.fetch_all(SENT, args![records, platform]).await
}

/// Every version of a subject's records on every platform.
pub async fn of_subject(read: &Read<'_>, code: &str) -> Result<Vec<SentRow>, DbError> {
    read.fetch_all(OF_SUBJECT, args![code]).await
}

/// The rows of a page.
pub async fn of_page(read: &Read<'_>, package: &str, page: i64) -> Result<Vec<SentRow>, DbError> {
    read.fetch_all(OF_PAGE, args![package, page]).await
}

/// Every version of a record on a platform, earlier ones first.
pub async fn find(read: &Read<'_>, platform: &str, record: &str) -> Result<Vec<SentRow>, DbError> {
    read.fetch_all(FIND, args![platform, record]).await
}

/// The rejected rows of a platform that nobody has resolved.
pub async fn rejected(read: &Read<'_>, platform: &str, most: i64) -> Result<Vec<SentRow>, DbError> {
    read.fetch_all(REJECTED, args![platform, most]).await
}

/// A page of the newest versions of a platform's records, after a record.
pub async fn newest(read: &Read<'_>, platform: &str, after: &str, most: i64) -> Result<Vec<SentRow>, DbError> {
    read.fetch_all(NEWEST, args![platform, after, most]).await
}

/// A page of the rows that other runs of a kind, scheme and period sent, after a record.
pub async fn of_other_runs(
    read: &Read<'_>,
    platform: &str,
    [kind, scheme, period, run]: [&str; 4],
    after: &str,
    most: i64,
) -> Result<Vec<SentRow>, DbError> {
    read.fetch_all(OF_OTHER_RUNS, args![platform, kind, scheme, period, run, after, most]).await
}

/// Stores that versions were accepted: a JSON array of arrays of record and version. Returns how many rows changed.
pub async fn accept(tx: &mut Tx, platform: &str, rows: String, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(ACCEPT, args![rows, platform, now]).await
}

/// Stores that versions were rejected: likewise, with reason and note.
pub async fn reject(tx: &mut Tx, platform: &str, rows: String, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(REJECT, args![rows, platform, now]).await
}

/// The subjects of updates among some rows, a JSON array of arrays of record and version, that were rejected because the platform
/// has no such record; none for counts.
pub async fn without_original(tx: &mut Tx, platform: &str, rows: String) -> Result<Vec<Option<String>>, DbError> {
    let found: Vec<CodeRow> = tx.fetch_all(WITHOUT_ORIGINAL, args![rows, platform]).await?;
    Ok(found.into_iter().map(|row| row.code).collect())
}

/// Resolves the rejected rows of which a package has a later version.
pub async fn resolve_former(tx: &mut Tx, package: &str, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(RESOLVE_FORMER, args![package, now]).await
}

/// Withholds versions that were not answered: a JSON array of arrays of record, version, reason and `withheld` or `recalled`.
pub async fn withhold(tx: &mut Tx, platform: &str, rows: String, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(WITHHOLD, args![rows, platform, now]).await
}

/// Waives a rejected row; `false` when it is not rejected.
pub async fn waive(
    tx: &mut Tx,
    platform: &str,
    record: &str,
    version: i64,
    note: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    Ok(tx.execute(WAIVE, args![platform, record, version, note, now]).await? == 1)
}

/// How many rows of a package are in each state.
pub async fn states(read: &Read<'_>, package: &str) -> Result<Vec<RowStateRow>, DbError> {
    read.fetch_all(STATES, args![package]).await
}

/// The rows of all packages of a platform.
pub async fn of_platform(read: &Read<'_>, platform: &str) -> Result<PlatformRows, DbError> {
    read.fetch_one(OF_PLATFORM, args![platform]).await
}

/// The rows of a platform that are not settled.
pub async fn unsettled(read: &Read<'_>, platform: &str) -> Result<UnsettledRows, DbError> {
    read.fetch_one(UNSETTLED, args![platform]).await
}

/// The runs of which a platform was sent results of some subjects, a JSON array of arrays.
pub async fn runs_of(read: &Read<'_>, platform: &str, codes: String) -> Result<Vec<HeldRunRow>, DbError> {
    read.fetch_all(RUNS_OF, args![codes, platform]).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{SystemClock, clock::Clock as _},
        store::{Db, migrations},
    };

    record! { struct PlanRow { detail: String } }

    /// A platform may have millions of rows: those of a list are looked up by their key, and the others not read.
    #[tokio::test]
    async fn rows_of_a_list_are_looked_up_by_their_key() {
        let directory = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(directory.path()).await.unwrap();
        migrations::migrate(&db, &SystemClock).await.unwrap();
        let now = SystemClock.now();
        for (sql, values) in [
            (SENT, args!["[]", "p"]),
            (ACCEPT, args!["[]", "p", now]),
            (REJECT, args!["[]", "p", now]),
            (WITHHOLD, args!["[]", "p", now]),
        ] {
            let explain: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
            let plan: Vec<PlanRow> = db.read("test").fetch_all(explain, values).await.unwrap();
            let search = plan.iter().find(|row| row.detail.starts_with("SEARCH")).unwrap();
            assert!(search.detail.contains("record_id=?"), "{sql}: {}", search.detail);
        }
    }
}
