//! The engines' plans for the reads of an answer: by indexes, and on SQLite without statistics that force replanning.

use medcredit::store::Db;

use crate::support::{
    TestStore,
    app::{Bank, TestApp},
};

async fn texts(db: &Db, sql: String) -> Vec<String> {
    let rows: Vec<(String,)> = db.read("test").fetch_all(Box::leak(sql.into_boxed_str()), vec![]).await.unwrap();
    rows.into_iter().map(|(text,)| text).collect()
}

/// SQLite as sqlx builds it has STAT4: with its table present every new binding of a prepared statement is planned again,
/// which costs more than most statements. `ANALYZE` and `PRAGMA optimize` create that table.
#[test]
fn the_gateway_never_creates_statistics() {
    crate::support::block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        let bank = app.bank("Bank A").await;
        let (token, consent) = (bank.token().await, app.consent(&bank, |_| {}).await);
        assert_eq!(bank.get(&token, &Bank::data(&consent, "settlements")).await.status, 200);
        app.app.sealer.seal_once().await.unwrap();
        app.app.tidy().await.unwrap();
        let db = app.store.reopen().await;
        for schema in ["main", "bulk"] {
            let sql = format!("SELECT name FROM {schema}.sqlite_master WHERE name LIKE 'sqlite_stat%'");
            assert_eq!(texts(&db, sql).await, Vec::<String>::new(), "{schema}");
        }
        db.close().await;
    });
}

/// The SQLite text of a statement of the store, by the name in its comment.
fn statement(file: &str, name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store").join(file);
    let source = std::fs::read_to_string(path).unwrap();
    let text = source.split('"').find(|text| text.starts_with(&format!("/* {name} */"))).unwrap();
    let text = text.replace("json_rows(", "jsonb_each(").replace("json_few_rows(", "jsonb_each(");
    text.replace("$1", "'[{}]'").replace("$2", "''").replace("$3", "''")
}

#[test]
fn the_reads_of_an_answer_use_indexes() {
    crate::support::block_on(async {
        let store = TestStore::sqlite().await;
        for (file, name) in [("runs.rs", "runs::current"), ("settlements.rs", "settlements::list_versions")] {
            let sql = format!("EXPLAIN QUERY PLAN {}", statement(file, name));
            let rows: Vec<(i64, i64, i64, String)> =
                store.db.read("test").fetch_all(Box::leak(sql.into_boxed_str()), vec![]).await.unwrap();
            assert!(rows.len() > 2, "{name}");
            for (.., step) in rows {
                // Only the parameter itself is scanned, and no automatic index is built.
                let whole = step.starts_with("SCAN ") && !step.contains("jsonb_each");
                assert!(!whole && !step.contains("AUTOMATIC") && !step.contains("MATERIALIZE"), "{name}: {step}");
            }
        }
    });
}

/// PostgreSQL assumes a hundred rows in JSON of any length, and would read every subject for one code.
#[test]
fn the_reads_of_an_answer_do_not_grow_with_the_city() {
    crate::support::block_on(async {
        let store = TestStore::postgres().await;
        let mut tx = store.db.begin("test").await.unwrap();
        for sql in [
            "INSERT INTO subjects (code, kind, name, region, version, import_seq, agreement_status, licence_status, under_objection, updated_at) \
             SELECT 'H' || n, 'medical_institution', 'a', '330302', 1, 1, 'active', 'active', 0, 1 FROM generate_series(100001, 105000) n",
            "INSERT INTO models (digest, model_id, body, seen_at) VALUES ('d', 'm', '{}', 1)",
            "INSERT INTO runs (id, kind, scheme, state, model_id, model_digest, period, input_digest, outcome_digest, subject_count, created_at) \
             SELECT 'run_' || n, 'medical_institution', 's', 'superseded', 'm', 'd', '2026-H1', '', '', 5000, 1 FROM generate_series(1, 4) n",
            "INSERT INTO assessments (run_id, subject_code, version, status, grade, made_at) \
             SELECT r.id, s.code, 1, 'graded', 'good', 1 FROM runs r, subjects s",
        ] {
            assert!(tx.execute(sql, vec![]).await.unwrap() > 0);
        }
        tx.execute("ANALYZE subjects, assessments, runs", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/runs.rs");
        let source = std::fs::read_to_string(path).unwrap();
        let text = source.split('"').find(|text| text.starts_with("/* runs::current */")).unwrap();
        let rows = "UNNEST(ARRAY(SELECT jsonb_array_elements('[{\"code\":\"H100001\"}]'::jsonb))) AS rows(value)";
        let steps = texts(&store.db, format!("EXPLAIN {}", text.replace("json_few_rows($1)", rows))).await;
        for table in ["subjects", "assessments"] {
            assert!(!steps.iter().any(|step| step.contains(&format!("Seq Scan on {table}"))), "{steps:#?}");
        }
    });
}

/// PostgreSQL's statistics do not show in time how short the queue is: for a join it would read every entry, twice a second.
#[test]
fn the_reads_of_the_sealer_do_not_grow_with_the_ledger() {
    crate::support::block_on(async {
        let store = TestStore::postgres().await;
        let mut tx = store.db.begin("test").await.unwrap();
        for sql in [
            "INSERT INTO ledger_entries (id, type, body, leaf_hash, committed_at) \
             SELECT 'dsc_' || n, 'disclosure', repeat('x', 1000), '', n FROM generate_series(100001, 120000) n",
            "INSERT INTO ledger_unsealed (entry_id) SELECT id FROM ledger_entries",
            "DELETE FROM ledger_unsealed WHERE entry_id < 'dsc_119900'",
        ] {
            assert!(tx.execute(sql, vec![]).await.unwrap() > 0);
        }
        tx.commit().await.unwrap();
        let rows = "UNNEST(ARRAY(SELECT jsonb_array_elements('[{\"id\":\"dsc_119901\"}]'::jsonb))) AS rows(value)";
        for name in ["ledger::unsealed", "ledger::backlog"] {
            let sql = statement("ledger/seal.rs", name).replace("\\\n", "").replace("jsonb_each('[{}]')", rows);
            let steps = texts(&store.db, format!("EXPLAIN {sql}")).await;
            assert!(
                steps.iter().any(|step| step.contains("Index Scan using ledger_entries_pkey")),
                "{name}: {steps:?}"
            );
            assert!(!steps.iter().any(|step| step.contains("Seq Scan on ledger_entries")), "{name}: {steps:?}");
        }
        // The queue's table has a dead row for every entry that went through it since it was vacuumed.
        for (name, from, to) in [
            ("ledger::unsealed_ids", "LIMIT '[{}]'", "LIMIT 256"),
            (
                "ledger::delete_unsealed",
                "short_row_list",
                "UNNEST(ARRAY(SELECT UNNEST('{dsc_119901}'::text[]))) AS bound(entry_id)",
            ),
        ] {
            let sql = statement("ledger/seal.rs", name).replace("\\\n", "").replace(from, to);
            let steps = texts(&store.db, format!("EXPLAIN {sql}")).await;
            let by_key = steps.iter().any(|step| step.contains("using ledger_unsealed_pkey"));
            assert!(
                by_key && !steps.iter().any(|step| step.contains("Seq Scan on ledger_unsealed")),
                "{name}: {steps:?}"
            );
        }
    });
}
