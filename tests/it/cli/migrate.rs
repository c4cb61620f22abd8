//! `medcredit migrate`, and what the serving role may do afterwards.

use medcredit::{
    cli,
    domain::SystemClock,
    store::{Arg, Db, DbError, grants::RIGHTS, migrations},
};
use serde_json::{Value, json};

use crate::support::{block_on, cluster::cluster, command::medcredit, logs::never_logged};

fn config(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

fn postgres_config(url: &str) -> (tempfile::TempDir, String) {
    let (directory, path) = config("[store]\nengine = 'postgres'\nurl_file = 'url'\n");
    std::fs::write(directory.path().join("url"), format!("{url}\n")).unwrap();
    (directory, path)
}

/// The action, the actor and the detail of every operator entry, oldest first.
async fn entries(db: &Db) -> Vec<(String, String, Value)> {
    let sql = "SELECT e.body, o.body FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id \
               WHERE e.type = 'operator' ORDER BY e.id";
    let rows: Vec<(String, String)> = db.read("test").fetch_all(sql, Vec::new()).await.unwrap();
    let read = |(body, opening): (String, String)| {
        let (body, opening): (Value, Value) =
            (serde_json::from_str(&body).unwrap(), serde_json::from_str(&opening).unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = |name: &str| &opening["fields"][name]["value"];
        (text(&body["facts"]["action"]), text(of("actor")), of("detail").clone())
    };
    rows.into_iter().map(read).collect()
}

fn every_step() -> String {
    migrations::MIGRATIONS.iter().map(|step| format!("applied {}\n", step.name)).collect()
}

#[test]
fn an_operator_migrates_sqlite_and_may_do_so_again() {
    block_on(async {
        let (directory, path) = config("");
        let said = medcredit(&["migrate", "--config", &path]).await.done();
        assert_eq!(said, every_step());
        let said = medcredit(&["migrate", "--config", &path]).await.done();
        assert!(said.contains("nothing to apply"), "{said}");
        let db = Db::open_sqlite(&directory.path().join("data")).await.unwrap();
        migrations::check(&db).await.unwrap();
    });
}

#[test]
fn an_operator_migrates_an_empty_postgresql_database() {
    block_on(async {
        let database = cluster().empty_database().await;
        let (_directory, path) = postgres_config(&cluster().url(&database));
        let said = medcredit(&["migrate", "--config", &path]).await.done();
        assert_eq!(said, every_step());
    });
}

/// An operator whose process is killed before the commit, and who migrates again.
#[test]
fn migrations_and_their_entry_are_committed_together() {
    block_on(async {
        let (directory, sqlite) = config("");
        let database = cluster().empty_database().await;
        let url = cluster().url(&database);
        let (_directory, postgres) = postgres_config(&url);
        let stores = [
            (Db::open_sqlite(&directory.path().join("data")).await.unwrap(), sqlite),
            (Db::open_postgres(&url, 2).await.unwrap(), postgres),
        ];
        for (db, path) in stores {
            let pending = migrations::begin(&db, &SystemClock).await.unwrap();
            assert_eq!(pending.applied.len(), migrations::MIGRATIONS.len());
            drop(pending);
            migrations::check(&db).await.unwrap_err();
            for _ in 0..2 {
                medcredit(&["migrate", "--config", &path, "--operator", "lin"]).await.done();
                migrations::check(&db).await.unwrap();
                let [(action, actor, detail)] = &entries(&db).await[..] else { panic!("one entry") };
                assert_eq!((action.as_str(), actor.as_str()), ("schema_migrated", "operator:lin"));
                let names: Vec<_> = migrations::MIGRATIONS.iter().map(|step| step.name).collect();
                assert_eq!(*detail, json!({ "applied": names, "channel": "command_line" }));
            }
            db.close().await;
        }
    });
}

#[test]
fn a_database_that_does_not_answer_is_reported_without_its_password() {
    let password = never_logged("correct-horse-battery");
    let url = format!("postgres://medcredit:{password}@localhost/none?host=%2Fnowhere");
    let (_directory, path) = postgres_config(&url);
    let outcome = block_on(medcredit(&["migrate", "--config", &path]));
    assert_eq!(outcome.code, cli::FAILED);
    assert!(outcome.err.contains("the database cannot be reached"), "{}", outcome.err);
    assert!(!outcome.err.contains(password), "{}", outcome.err);
}

#[test]
fn sqlite_has_no_roles() {
    let (_directory, path) = config("");
    let outcome = block_on(medcredit(&["migrate", "--config", &path, "--app-role", "medcredit_app"]));
    assert_eq!(outcome.code, cli::WRONG_USAGE);
}

#[test]
fn a_role_with_a_name_that_needs_quoting_is_refused() {
    block_on(async {
        let database = cluster().migrated_database().await;
        let (_directory, path) = postgres_config(&cluster().url(&database));
        let outcome = medcredit(&["migrate", "--config", &path, "--app-role", "x\"; DROP TABLE clients; --"]).await;
        assert_eq!(outcome.code, cli::FAILED);
        assert!(outcome.err.contains("is not a role's name"), "{}", outcome.err);
    });
}

/// I7: an attacker who takes over the serving process still cannot rewrite the ledger.
#[test]
fn the_serving_role_reads_and_adds_to_the_ledger_and_cannot_change_it() {
    block_on(async {
        let database = cluster().migrated_database().await;
        cluster().create_role("medcredit_app").await;
        let (_directory, path) = postgres_config(&cluster().url(&database));
        medcredit(&["migrate", "--config", &path, "--app-role", "medcredit_app"]).await.done();

        let app = Db::open_postgres(&cluster().url_as("medcredit_app", &database), 2).await.unwrap();
        migrations::check(&app).await.unwrap();
        let granted = json!({ "channel": "command_line" });
        assert_eq!(entries(&app).await, [("role_granted".to_owned(), "operator:tester".to_owned(), granted)]);
        let run = async |sql: &'static str| {
            let mut tx = app.begin("test").await.unwrap();
            let done = tx.execute(sql, Vec::<Arg>::new()).await;
            if done.is_ok() {
                tx.commit().await.unwrap();
            }
            done
        };
        run("INSERT INTO ledger_entries (id, type, body, leaf_hash, committed_at) VALUES ('ent_1', 't', '{}', unhex('00'), 1)")
            .await
            .unwrap();
        for refused in [
            "UPDATE ledger_entries SET body = '[]'",
            "DELETE FROM ledger_entries",
            "TRUNCATE ledger_entries CASCADE",
            "UPDATE ledger_leaves SET leaf_index = 2",
            "DELETE FROM ledger_checkpoints",
            "DELETE FROM consent_events",
            "UPDATE schema_migrations SET name = 'x'",
            "UPDATE bulk.settlements SET visits = 0",
            "DROP TABLE ledger_tiles",
            "ALTER TABLE ledger_entries DISABLE TRIGGER ALL",
            "CREATE TABLE core.other (id BIGINT)",
        ] {
            assert!(matches!(run(refused).await, Err(DbError::Engine { .. })), "{refused}");
        }
    });
}

#[test]
fn every_table_has_its_rights_named() {
    block_on(async {
        let database = cluster().migrated_database().await;
        let db = Db::open_postgres(&cluster().url(&database), 1).await.unwrap();
        let sql = "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema IN ('core', 'bulk') ORDER BY 1";
        let tables: Vec<(String,)> = db.read("test").fetch_all(sql, Vec::new()).await.unwrap();
        let mut named: Vec<_> = RIGHTS.iter().map(|(table, _)| (*table).to_owned()).collect();
        named.sort();
        assert_eq!(tables.into_iter().map(|(name,)| name).collect::<Vec<_>>(), named);
    });
}
