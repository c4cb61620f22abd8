//! The schema: equal on both engines, applied once, with ledger tables that refuse changes.

use std::{collections::BTreeSet, fs, path::Path};

use medcredit::{
    domain::{ManualClock, SystemClock},
    store::{Arg, Db, Engine, migrations},
};

use crate::support::{TestStore, block_on, both_engines, cluster::cluster};

fn files(engine: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_engines_have_the_same_steps_and_every_file_is_one() {
    let known: Vec<_> = migrations::MIGRATIONS.iter().map(|step| step.name.to_owned()).collect();
    assert_eq!(files("sqlite"), known);
    assert_eq!(files("postgres"), known);
    for (at, step) in (1..).zip(migrations::MIGRATIONS) {
        assert_eq!(step.number, at);
        assert!(step.name.starts_with(&format!("{at:04}_")), "{}", step.name);
    }
}

const SQLITE_COLUMNS: &str = "
    SELECT t.name, c.name, c.type, CAST(c.\"notnull\" AS BIGINT) FROM main.sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'
    UNION ALL
    SELECT 'bulk.' || t.name, c.name, c.type, c.\"notnull\" FROM bulk.sqlite_master t, pragma_table_info(t.name, 'bulk') c WHERE t.type = 'table'";
const POSTGRES_COLUMNS: &str = "
    SELECT CASE table_schema WHEN 'bulk' THEN 'bulk.' ELSE '' END || table_name, column_name::text,
           CASE data_type WHEN 'bytea' THEN 'BLOB' ELSE UPPER(data_type) END, CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END::bigint
    FROM information_schema.columns WHERE table_schema IN ('core', 'bulk')";

/// Unique indexes with the columns they are over, in order.
const SQLITE_UNIQUE: &str = "
    SELECT t.name, (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
    FROM main.sqlite_master t, pragma_index_list(t.name) i WHERE t.type = 'table' AND i.\"unique\" = 1
    UNION ALL
    SELECT 'bulk.' || t.name, (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name, 'bulk') ORDER BY seqno))
    FROM bulk.sqlite_master t, pragma_index_list(t.name, 'bulk') i WHERE t.type = 'table' AND i.\"unique\" = 1";
const POSTGRES_UNIQUE: &str = "
    SELECT CASE n.nspname WHEN 'bulk' THEN 'bulk.' ELSE '' END || t.relname,
           (SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k(number, place) JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number)
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE i.indisunique AND n.nspname IN ('core', 'bulk')";

const SQLITE_REFERENCES: &str = "SELECT t.name, f.\"from\", f.\"table\" FROM main.sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'";
const POSTGRES_REFERENCES: &str = "
    SELECT t.relname::text, a.attname::text, r.relname::text
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1] WHERE c.contype = 'f'";

type Columns = (String, String, String, i64);
type Unique = (String, String);
type Reference = (String, String, String);

async fn set<T: Ord + medcredit::store::Record>(db: &Db, sqlite: &'static str, postgres: &'static str) -> BTreeSet<T> {
    let sql = match db.engine() {
        Engine::Sqlite => sqlite,
        Engine::Postgres => postgres,
    };
    db.read("test").fetch_all(sql, vec![]).await.unwrap().into_iter().collect()
}

#[test]
fn the_schemas_of_both_engines_are_equivalent() {
    block_on(async {
        let stores = (TestStore::sqlite().await, TestStore::postgres().await);
        let (a, b) = (&stores.0.db, &stores.1.db);
        let (left, right) =
            (set::<Columns>(a, SQLITE_COLUMNS, POSTGRES_COLUMNS).await, set(b, SQLITE_COLUMNS, POSTGRES_COLUMNS).await);
        assert_eq!(left.symmetric_difference(&right).collect::<Vec<_>>(), Vec::<&Columns>::new());
        assert!(left.len() > 100, "the catalogues were read");
        let (left, right) =
            (set::<Unique>(a, SQLITE_UNIQUE, POSTGRES_UNIQUE).await, set(b, SQLITE_UNIQUE, POSTGRES_UNIQUE).await);
        assert_eq!(left.symmetric_difference(&right).collect::<Vec<_>>(), Vec::<&Unique>::new());
        let (mut left, right) = (
            set::<Reference>(a, SQLITE_REFERENCES, POSTGRES_REFERENCES).await,
            set(b, SQLITE_REFERENCES, POSTGRES_REFERENCES).await,
        );
        // `0010_ledger_queue` has no such references, because each costs a trigger and a locked row for every row written.
        left.retain(|(from, _, to)| !(from.starts_with("ledger_") && to == "ledger_entries"));
        assert_eq!(left.symmetric_difference(&right).collect::<Vec<_>>(), Vec::<&Reference>::new());
    });
}

both_engines! {
    migrating_again_changes_nothing,
    a_database_of_a_newer_build_is_refused,
    a_database_that_lacks_a_step_is_refused_with_advice,
    the_ledger_refuses_to_be_rewritten,
}

async fn migrating_again_changes_nothing(store: TestStore) {
    let again = migrations::migrate(&store.db, &*store.clock).await.unwrap();
    assert!(again.is_empty());
    migrations::check(&store.db).await.unwrap();
}

async fn a_database_of_a_newer_build_is_refused(store: TestStore) {
    let mut tx = store.db.begin("test").await.unwrap();
    tx.execute("INSERT INTO schema_migrations (number, name, applied_at) VALUES (9999, '9999_future', 1)", vec![])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for refused in [
        migrations::check(&store.db).await.unwrap_err(),
        migrations::migrate(&store.db, &*store.clock).await.unwrap_err(),
    ] {
        assert!(refused.to_string().contains("9999_future"), "{refused}");
    }
}

async fn a_database_that_lacks_a_step_is_refused_with_advice(store: TestStore) {
    let mut tx = store.db.begin("test").await.unwrap();
    tx.execute("DELETE FROM schema_migrations WHERE number = 2", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    let refused = migrations::check(&store.db).await.unwrap_err().to_string();
    assert!(refused.contains("0002_bulk") && refused.contains("medcredit migrate"), "{refused}");
}

/// I7: not even the owner of the tables changes the ledger by accident.
async fn the_ledger_refuses_to_be_rewritten(store: TestStore) {
    let rows = [
        "INSERT INTO ledger_entries (id, type, body, leaf_hash, committed_at) VALUES ('ent_1', 't', '{}', $1, 1)",
        "INSERT INTO ledger_tiles (level, tile_index, hashes, root) VALUES (0, 0, $1, $1)",
        "INSERT INTO ledger_checkpoints (tree_size, root, note, sealed_at) VALUES (1, $1, 'n', 1)",
    ];
    let plain = [
        "INSERT INTO ledger_leaves (leaf_index, entry_id) VALUES (0, 'ent_1')",
        "INSERT INTO ledger_epochs (epoch, began_at) VALUES (1, 1)",
        "INSERT INTO ledger_servers (number, server, epoch, agreed_at) VALUES (1, 's', 1, 1)",
        "INSERT INTO ends (number, id, epoch, kind, target, detail, actor, at) VALUES (1, 'ent_1', 1, 'k', 't', '{}', 'a', 1)",
    ];
    let mut tx = store.db.begin("test").await.unwrap();
    for row in rows {
        tx.execute(row, vec![Arg::from([7u8; 32])]).await.unwrap();
    }
    for row in plain {
        tx.execute(row, vec![]).await.unwrap();
    }
    tx.commit().await.unwrap();
    for change in [
        "UPDATE ledger_entries SET body = '[]'",
        "DELETE FROM ledger_entries",
        "UPDATE ledger_leaves SET leaf_index = 1",
        "DELETE FROM ledger_leaves",
        "UPDATE ledger_tiles SET level = 1",
        "DELETE FROM ledger_tiles",
        "UPDATE ledger_checkpoints SET note = 'm'",
        "DELETE FROM ledger_checkpoints",
        "UPDATE ledger_epochs SET epoch = 2",
        "DELETE FROM ledger_epochs",
        "UPDATE ledger_servers SET server = 't'",
        "DELETE FROM ledger_servers",
        "UPDATE ends SET target = 'u'",
        "DELETE FROM ends",
    ] {
        let mut tx = store.db.begin("test").await.unwrap();
        assert!(tx.execute(change, vec![]).await.is_err(), "{change}");
    }
}

#[test]
fn a_database_without_a_schema_is_refused_with_advice() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let database = cluster().empty_database().await;
        let sqlite = Db::open_sqlite(directory.path()).await.unwrap();
        let postgres = Db::open_postgres(&cluster().url(&database), 1).await.unwrap();
        for db in [sqlite, postgres] {
            let refused = migrations::check(&db).await.unwrap_err().to_string();
            assert!(refused.contains("medcredit migrate"), "{refused}");
        }
    });
}

/// A bulk step on SQLite changes another file: after a kill between the step and its row, it is applied again.
#[test]
fn a_migration_killed_between_the_two_files_is_completed_by_the_next() {
    block_on(async {
        let store = TestStore::sqlite().await;
        let mut tx = store.db.begin("test").await.unwrap();
        tx.execute("DELETE FROM schema_migrations WHERE name = '0002_bulk'", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(migrations::migrate(&store.db, &SystemClock).await.unwrap(), ["0002_bulk"]);
    });
}

#[test]
fn two_concurrent_migrations_do_not_break_the_schema() {
    block_on(async {
        let database = cluster().empty_database().await;
        let url = cluster().url(&database);
        let clock = ManualClock::new("2026-04-01T01:00:00Z".parse().unwrap());
        let (one, two) = (Db::open_postgres(&url, 1).await.unwrap(), Db::open_postgres(&url, 1).await.unwrap());
        let (first, second) = tokio::join!(migrations::migrate(&one, &*clock), migrations::migrate(&two, &*clock));
        assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
        migrations::check(&one).await.unwrap();
    });
}
