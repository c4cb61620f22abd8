//! The promises of `store/db.rs`, tested on both engines.

use medcredit::{
    domain::Timestamp,
    store::{Arg, Column, Db, DbError, Engine, RowStatement},
};

use crate::support::{TestStore, both_engines};

const KEEP: &str = "/* test::keep */ INSERT INTO settings (name, value) VALUES ($1, $2)";
const SET: &str = "/* test::set */ UPDATE settings SET value = $2 WHERE name = $1";
const VALUE: &str = "/* test::value */ SELECT value FROM settings WHERE name = $1";

/// A row with each kind of column that may be null.
type Nullable = (Vec<u8>, Option<String>, Option<Vec<u8>>, Option<i64>);

fn texts(values: &[&str]) -> Vec<Arg> {
    values.iter().map(|value| Arg::from(*value)).collect()
}

async fn keep(db: &Db, name: &str, value: &str) -> Result<(), DbError> {
    let mut tx = db.begin("test").await?;
    tx.execute(KEEP, texts(&[name, value])).await?;
    tx.commit().await
}

async fn value(db: &Db, name: &str) -> Option<String> {
    let row: Option<(String,)> = db.read("test").fetch_optional(VALUE, texts(&[name])).await.unwrap();
    row.map(|(value,)| value)
}

both_engines! {
    committed_rows_are_read_back,
    a_transaction_that_is_dropped_leaves_nothing,
    every_kind_of_argument_arrives_as_it_was,
    nulls_differ_from_empty_values,
    a_batch_comes_as_one_json_parameter,
    a_refused_change_names_its_constraint,
    fetching_one_row_of_none_is_an_error,
    a_conflicting_transaction_reports_contention,
    an_open_bulk_transaction_stalls_no_change,
    bank_locks_are_shared_by_appends_and_exclusive_for_narrowing,
    any_number_of_rows_is_bound_value_by_value,
}

async fn committed_rows_are_read_back(store: TestStore) {
    let mut tx = store.db.begin("test").await.unwrap();
    assert_eq!(tx.operation(), "test");
    assert_eq!(tx.execute(KEEP, texts(&["a", "1"])).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(value(&store.db, "a").await.as_deref(), Some("1"));
    assert_eq!(value(&store.reopen().await, "a").await.as_deref(), Some("1"), "another process sees it too");
}

async fn a_transaction_that_is_dropped_leaves_nothing(store: TestStore) {
    let mut tx = store.db.begin("test").await.unwrap();
    tx.execute(KEEP, texts(&["a", "1"])).await.unwrap();
    drop(tx);
    let mut next = store.db.begin("test").await.unwrap();
    let found: Option<(String,)> = next.fetch_optional(VALUE, texts(&["a"])).await.unwrap();
    assert_eq!(found, None);
    assert_eq!(next.engine(), store.db.engine());
}

async fn every_kind_of_argument_arrives_as_it_was(store: TestStore) {
    let at: Timestamp = "2026-04-01T01:00:00.123456Z".parse().unwrap();
    let args = vec![
        Arg::from("文字 'quoted' \u{1F3E5}"),
        Arg::from(i64::MIN),
        Arg::from(&[0u8, 255, 10][..]),
        Arg::from(true),
        Arg::from(at),
    ];
    let sql = "SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), $3 AS b, CAST($4 AS BIGINT), CAST($5 AS BIGINT)";
    let row: (String, i64, Vec<u8>, i64, i64) = store.db.read("test").fetch_one(sql, args).await.unwrap();
    assert_eq!(row, ("文字 'quoted' \u{1F3E5}".into(), i64::MIN, vec![0, 255, 10], 1, at.micros()));
}

async fn nulls_differ_from_empty_values(store: TestStore) {
    let keys = "INSERT INTO authorities (id, name, kind, certificate, crl_file, crl, crl_number, crl_this_update_at, added_at) VALUES ($1, $1, 'partner', $2, $3, $4, 0, $5, 1)";
    let mut tx = store.db.begin("test").await.unwrap();
    let full =
        vec![Arg::from("full"), Arg::from(&b""[..]), Some("").into(), Arg::from(Some(vec![])), Some(0i64).into()];
    tx.execute(keys, full).await.unwrap();
    let bare = vec![
        Arg::from("bare"),
        Arg::from(vec![1u8]),
        Arg::from(None::<String>),
        Arg::from(None::<Vec<u8>>),
        Arg::from(None::<Timestamp>),
    ];
    tx.execute(keys, bare).await.unwrap();
    tx.commit().await.unwrap();
    let sql = "SELECT certificate, crl_file, crl, crl_this_update_at FROM authorities ORDER BY id DESC";
    let rows: Vec<Nullable> = store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
    assert_eq!(rows, [(vec![], Some(String::new()), Some(vec![]), Some(0)), (vec![1], None, None, None)]);
}

async fn a_batch_comes_as_one_json_parameter(store: TestStore) {
    let batch = serde_json::json!([
        { "id": "ent_1", "n": 1, "h": "00ff", "note": null },
        { "id": "ent_2", "n": i64::MAX, "h": "", "note": "经办" },
    ]);
    let mut tx = store.db.begin("test").await.unwrap();
    let sql = "INSERT INTO ledger_entries (id, type, body, leaf_hash, committed_at) SELECT value->>'id', 'test', COALESCE(value->>'note', 'none'), unhex(value->>'h'), CAST(value->>'n' AS BIGINT) FROM json_rows($1)";
    assert_eq!(tx.execute(sql, vec![Arg::from(batch.to_string())]).await.unwrap(), 2);
    let rows: Vec<(String, String, Vec<u8>, i64)> =
        tx.fetch_all("SELECT id, body, leaf_hash, committed_at FROM ledger_entries ORDER BY id", vec![]).await.unwrap();
    assert_eq!(rows[0], ("ent_1".into(), "none".into(), vec![0, 255], 1));
    assert_eq!(rows[1], ("ent_2".into(), "经办".into(), vec![], i64::MAX));
    let none: Vec<(String,)> = tx.fetch_all("SELECT value->>'id' FROM json_rows($1)", texts(&["[]"])).await.unwrap();
    assert!(none.is_empty());
}

async fn a_refused_change_names_its_constraint(store: TestStore) {
    keep(&store.db, "a", "1").await.unwrap();
    let twice = keep(&store.db, "a", "2").await.unwrap_err();
    assert!(twice.is_constraint() && !twice.is_contention(), "{twice:?}");
    assert!(
        matches!(&twice, DbError::Constraint { operation: "test", constraint } if constraint.contains("settings")),
        "{twice}"
    );
    let mut tx = store.db.begin("test").await.unwrap();
    let orphan =
        "INSERT INTO revoked_tokens (token_id, client_id, expires_at, revoked_at) VALUES ('t', 'nobody', 1, 1)";
    assert!(tx.execute(orphan, vec![]).await.unwrap_err().is_constraint(), "references are kept");
    drop(tx);
    let mut tx = store.db.begin("test").await.unwrap();
    let second = tx.execute("INSERT INTO change_counter (id, number) VALUES (2, 1)", vec![]).await.unwrap_err();
    assert!(second.is_constraint(), "checks are kept: {second:?}");
    drop(tx);
    assert_eq!(value(&store.db, "a").await.as_deref(), Some("1"));
}

async fn fetching_one_row_of_none_is_an_error(store: TestStore) {
    let none: Result<(String,), _> = store.db.read("test").fetch_one(VALUE, texts(&["a"])).await;
    assert!(matches!(none, Err(DbError::Engine { operation: "test", .. })));
}

async fn a_conflicting_transaction_reports_contention(store: TestStore) {
    // Two processes, each holding a lock that the other needs.
    let other = store.reopen().await;
    keep(&store.db, "a", "1").await.unwrap();
    keep(&store.db, "b", "1").await.unwrap();
    let mut first = store.db.begin("first").await.unwrap();
    first.execute(SET, texts(&["a", "first"])).await.unwrap();
    let second = tokio::spawn(async move {
        let mut second = other.begin("second").await?;
        second.execute(SET, texts(&["b", "second"])).await?;
        second.execute(SET, texts(&["a", "second"])).await?;
        second.commit().await
    });
    let lost = match store.db.engine() {
        // The whole file has one writer, so the second cannot begin.
        Engine::Sqlite => second.await.unwrap(),
        // The second waits for `a`; once the first wants `b`, one of them is chosen to fail.
        Engine::Postgres => {
            let mine = loop {
                let waiting: (i64,) = store.db.read("test").fetch_one("SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON true WHERE NOT l.granted AND d.datname = current_database() AND (l.database = d.oid OR l.database IS NULL)", vec![]).await.unwrap();
                if waiting.0 > 0 {
                    break first.execute(SET, texts(&["b", "first"])).await;
                }
            };
            match mine {
                Ok(_) => {
                    first.commit().await.unwrap();
                    second.await.unwrap()
                }
                Err(error) => Err(error),
            }
        }
    };
    let error = lost.unwrap_err();
    assert!(error.is_contention(), "{error:?}");
}

async fn an_open_bulk_transaction_stalls_no_change(store: TestStore) {
    const RECORD: &str = "INSERT INTO bulk.adverse (subject_code, reference, import_seq, source, tier, decided_on, status) VALUES ('H1', $2, $1, 's', 'minor', '2026-03-01', 'effective')";
    let mut bulk = store.db.begin_bulk("import").await.unwrap();
    bulk.execute(RECORD, vec![Arg::from(1i64), Arg::from("1")]).await.unwrap();
    keep(&store.db, "a", "1").await.unwrap();
    assert_eq!(value(&store.db, "a").await.as_deref(), Some("1"));
    bulk.execute(RECORD, vec![Arg::from(2i64), Arg::from("2")]).await.unwrap();
    bulk.commit().await.unwrap();
    let (both,): (i64,) = store
        .db
        .read("test")
        .fetch_one("SELECT COUNT(*) FROM bulk.adverse JOIN settings ON settings.name = 'a'", vec![])
        .await
        .unwrap();
    assert_eq!(both, 2, "reads see both");
}

async fn bank_locks_are_shared_by_appends_and_exclusive_for_narrowing(store: TestStore) {
    let banks = ["cli_b".to_owned(), "cli_a".to_owned()];
    if store.db.engine() == Engine::Postgres {
        let mut one = store.db.begin("answers").await.unwrap();
        one.lock_banks_shared(&banks).await.unwrap();
        let mut two = store.db.begin("answers").await.unwrap();
        two.lock_banks_shared(&banks[..1]).await.unwrap();
        one.commit().await.unwrap();
        two.commit().await.unwrap();
    }
    let mut narrowing = store.db.begin("revoke").await.unwrap();
    narrowing.lock_banks_exclusive(&banks).await.unwrap();
    narrowing.commit().await.unwrap();
}

/// Batches of many lengths, in one statement each where they fit: padding rows are not written.
async fn any_number_of_rows_is_bound_value_by_value(store: TestStore) {
    let mut all = 0;
    for length in [1, 7, 8, 9, 63, 64, 65, 200] {
        let mut tx = store.db.begin("test").await.unwrap();
        let names: Vec<_> = (0..length).map(|nth| format!("{length}-{nth}")).collect();
        let values: Vec<_> = (0..length).map(|nth| (nth % 2 == 0).then(|| "值 'quoted\\\"".to_owned())).collect();
        let sql = "INSERT INTO settings (name, value) SELECT bound.name, COALESCE(bound.value, CAST($1 AS TEXT)) FROM bound_rows";
        let columns = || vec![Column::text("name", names.clone()), Column::text_opt("value", values.clone())];
        assert_eq!(tx.execute_rows(sql, vec!["none".into()], columns()).await.unwrap(), length);
        let sql = "SELECT bound.name, settings.value FROM bound_rows JOIN settings ON settings.name = bound.name WHERE bound.number > $1";
        let numbers = Column::int("number", (0..i64::try_from(length).unwrap()).collect());
        let found: Vec<(String, String)> = tx
            .fetch_rows(sql, vec![Arg::from(0i64)], vec![Column::text("name", names.clone()), numbers])
            .await
            .unwrap();
        assert_eq!(found.len(), names.len() - 1);
        for (name, value) in found {
            let nth: usize = name.split('-').nth(1).unwrap().parse().unwrap();
            assert_eq!(value, values[nth].clone().unwrap_or("none".into()));
        }
        tx.commit().await.unwrap();
        all += i64::try_from(length).unwrap();
    }
    let (count,): (i64,) = store
        .db
        .read("test")
        .fetch_one("SELECT CAST(COUNT(*) AS BIGINT) FROM settings WHERE name LIKE '%-%'", vec![])
        .await
        .unwrap();
    assert_eq!(count, all);
}

/// The reading connections refuse to write, so that a statement in the wrong place cannot change anything unseen.
#[test]
fn sqlites_readers_cannot_write() {
    crate::support::block_on(async {
        let store = TestStore::sqlite().await;
        let sql = "INSERT INTO settings (name, value) VALUES ('a', '1') RETURNING value";
        let refused: Result<Vec<(String,)>, _> = store.db.read("test").fetch_all(sql, vec![]).await;
        assert!(matches!(refused, Err(DbError::Engine { .. })), "{refused:?}");
        assert_eq!(value(&store.db, "a").await, None);
    });
}

/// A server whose operator has set a stricter isolation level: with one snapshot for a whole transaction, a comparison under
/// a lock could be older than the lock (I2).
#[test]
fn each_statement_has_its_own_snapshot_despite_the_servers_default() {
    crate::support::block_on(async {
        let store = TestStore::postgres().await;
        let strict = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$";
        let mut tx = store.db.begin("test").await.unwrap();
        tx.execute(strict, vec![]).await.unwrap();
        tx.commit().await.unwrap();
        let db = store.reopen().await;
        let mut tx = db.begin("test").await.unwrap();
        let (level, default): (String, String) = tx
            .fetch_one("SELECT current_setting('transaction_isolation'), (SELECT reset_val FROM pg_settings WHERE name = 'default_transaction_isolation')", vec![])
            .await
            .unwrap();
        assert_eq!((level.as_str(), default.as_str()), ("read committed", "read committed"));
    });
}

/// A transaction in one round trip inserts everything or, when the comparison finds a row, nothing. A failure before, during
/// or at its commit leaves nothing behind either.
#[test]
fn a_single_roundtrip_transaction_is_atomic() {
    crate::support::block_on(async {
        let store = TestStore::sqlite().await;
        let mut tx = store.db.begin("test").await.unwrap();
        for sql in [
            "CREATE TABLE kept (a BIGINT PRIMARY KEY)",
            "CREATE TABLE of_kept (a BIGINT REFERENCES kept (a) DEFERRABLE INITIALLY DEFERRED)",
        ] {
            tx.execute(sql, vec![]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let insert = async |compared: i64, kept: std::ops::Range<i64>, of_kept: i64| {
            let rows = |sql, numbers| RowStatement { sql, columns: vec![Column::int("number", numbers)] };
            let parents = rows("INSERT INTO kept (a) SELECT bound.number FROM bound_rows", kept.collect());
            let children = rows("INSERT INTO of_kept (a) SELECT bound.number FROM bound_rows", vec![of_kept]);
            let unless = rows("SELECT bound.number FROM bound_rows WHERE bound.number > 99", vec![1, compared]);
            store.db.insert_unless("test", [unless], vec![parents, children]).await
        };
        let rows = async || -> (i64, i64) {
            let counts = "SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM of_kept)";
            store.db.read("test").fetch_one(counts, vec![]).await.unwrap()
        };
        assert!(insert(99, 0..40, 0).await.unwrap());
        assert_eq!(rows().await, (40, 1));
        assert!(!insert(100, 40..80, 40).await.unwrap(), "a row was found");
        assert!(!insert(99, 40..105, 40).await.unwrap(), "too many for one round trip");
        assert_eq!(rows().await, (40, 1));
        assert!(insert(99, 40..104, 40).await.unwrap(), "earlier findings are cleared");
        assert_eq!(rows().await, (104, 2));
        let refused = insert(99, 103..110, 0).await.unwrap_err();
        assert!(refused.is_constraint(), "{refused}");
        insert(99, 110..120, 1000).await.expect_err("the commit is refused: nothing has this number");
        assert_eq!(rows().await, (104, 2));
        assert!(insert(99, 104..105, 104).await.unwrap(), "another connection is used");
        assert_eq!(rows().await, (105, 3));
    });
}

#[test]
fn sqlite_syncs_every_commit_keeps_no_memory_statistics_and_plans_once() {
    crate::support::block_on(async {
        let store = TestStore::sqlite().await;
        let mut core = store.db.begin("test").await.unwrap();
        let core_settings = "SELECT (SELECT synchronous FROM pragma_synchronous), (SELECT journal_mode FROM pragma_journal_mode), (SELECT foreign_keys FROM pragma_foreign_keys)";
        let found: (i64, String, i64) = core.fetch_one(core_settings, vec![]).await.unwrap();
        assert_eq!(found, (2, "wal".into(), 1), "FULL, WAL and references");
        let options: Vec<(String,)> =
            core.fetch_all("SELECT compile_options FROM pragma_compile_options", vec![]).await.unwrap();
        for expected in ["DEFAULT_MEMSTATUS=0", "ENABLE_QPSG"] {
            assert!(options.iter().any(|(option,)| option == expected), "{expected}: {options:?}");
        }
        // Temporary data may be large: compacting copies the whole file.
        let (temporary,): (i64,) = core.fetch_one("SELECT temp_store FROM pragma_temp_store", vec![]).await.unwrap();
        assert_eq!(temporary, 0, "in files, but for small things");
        // Or every page would be looked up under a mutex that all connections share.
        assert!(!options.iter().any(|(option,)| option == "ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
        let mut bulk = store.db.begin_bulk("test").await.unwrap();
        let bulk_settings = "SELECT (SELECT synchronous FROM pragma_synchronous WHERE schema = 'bulk'), (SELECT journal_mode FROM pragma_journal_mode WHERE schema = 'bulk')";
        let found: (i64, String) = bulk.fetch_one(bulk_settings, vec![]).await.unwrap();
        assert_eq!(found, (2, "wal".into()));
    });
}

/// A disk that is full within a transaction: SQLite ends the transaction by itself, and the driver does not notice. The
/// connection is not used again, whether its caller waited for the error or had left before.
#[test]
fn a_connection_on_which_a_transaction_failed_is_replaced() {
    crate::support::block_on(async {
        const LARGE: &str = "INSERT INTO settings (name, value) VALUES ($1, hex(zeroblob(4000000)))";
        let store = TestStore::sqlite().await;
        for leaves in [false, true] {
            let mut tx = store.db.begin("test").await.unwrap();
            let (_,): (i64,) = tx.fetch_one("PRAGMA max_page_count = 1", vec![]).await.unwrap();
            if leaves {
                // Dropped while the statement runs.
                let _ = tokio::time::timeout(std::time::Duration::ZERO, tx.execute(LARGE, texts(&["large"]))).await;
            } else {
                let full = tx.execute(LARGE, texts(&["large"])).await.unwrap_err();
                let chain = medcredit::domain::error_chain(&full);
                assert!(chain.contains("database or disk is full"), "{chain}");
                let next = tx.execute(KEEP, texts(&["next", "1"])).await.unwrap_err();
                assert!(matches!(next, DbError::Engine { .. }), "it would be committed by itself: {next}");
            }
            drop(tx);
            let name = if leaves { "b" } else { "a" };
            keep(&store.db, name, "1").await.unwrap();
            assert_eq!(value(&store.db, name).await.as_deref(), Some("1"));
            for none in ["large", "next"] {
                assert_eq!(value(&store.db, none).await, None, "{none}");
            }
        }
    });
}

/// A statement fails and its caller commits nevertheless: the server would answer with a rollback that looks like success.
#[test]
fn a_transaction_in_which_a_statement_failed_is_not_committed() {
    crate::support::block_on(async {
        let store = TestStore::postgres().await;
        let mut tx = store.db.begin("test").await.unwrap();
        tx.execute(KEEP, texts(&["a", "1"])).await.unwrap();
        assert!(tx.execute(KEEP, texts(&["a", "2"])).await.unwrap_err().is_constraint());
        tx.commit().await.unwrap_err();
        assert_eq!(value(&store.db, "a").await, None);
    });
}

/// A caller waits for a statement no longer than it said, and its connection is not used again.
#[test]
fn a_caller_waits_no_longer_than_its_limit() {
    crate::support::block_on(async {
        let store = TestStore::postgres().await;
        let db = store.db.answering_within(std::time::Duration::from_millis(200));
        let started_at = tokio::time::Instant::now();
        let hung: Result<Vec<(String,)>, _> =
            db.read("test").fetch_all("SELECT 'a' WHERE pg_sleep(60) IS NULL", vec![]).await;
        let mut tx = db.begin("test").await.unwrap();
        let inside = tx.execute("SELECT pg_sleep(60)", vec![]).await;
        drop(tx);
        assert!(started_at.elapsed() < std::time::Duration::from_secs(30));
        for error in [hung.unwrap_err(), inside.unwrap_err()] {
            let chain = medcredit::domain::error_chain(&error);
            assert!(chain.contains("the database did not answer within 200 ms"), "{chain}");
        }
        for nth in 0..20 {
            keep(&store.db, &nth.to_string(), "1").await.unwrap();
        }
    });
}
