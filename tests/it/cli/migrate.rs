//! `medcredit migrate`, and what the serving role may do afterwards.

use medcredit::{
    cli,
    store::{Arg, Db, DbError, grants::RIGHTS, migrations},
};

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

#[test]
fn a_database_that_does_not_answer_is_told_without_its_password() {
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

/// I7: whoever takes over the serving process still cannot rewrite the ledger.
#[test]
fn the_serving_role_reads_and_adds_to_the_ledger_and_cannot_change_it() {
    block_on(async {
        let database = cluster().migrated_database().await;
        cluster().create_role("medcredit_app").await;
        let (_directory, path) = postgres_config(&cluster().url(&database));
        medcredit(&["migrate", "--config", &path, "--app-role", "medcredit_app"]).await.done();

        let app = Db::open_postgres(&cluster().url_as("medcredit_app", &database), 2).await.unwrap();
        migrations::check(&app).await.unwrap();
        let run = async |sql: &'static str| {
            let mut tx = app.begin("test").await.unwrap();
            let done = tx.execute(sql, Vec::<Arg>::new()).await;
            tx.commit().await.unwrap();
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
