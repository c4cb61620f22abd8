//! What stands behind the URL: a primary that can be written, no pooler, every right; and otherwise the cause, by name.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use medcredit::{
    authority::files,
    store::{Db, DbError, grants, migrations, server},
};

use crate::support::{TestStore, block_on, cluster::Cluster, cluster::cluster, private_directory, process::run};

/// A process that ends with its test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory below a cluster's, which the server's user may enter.
fn place(cluster: &Cluster, name: &str) -> PathBuf {
    let place = cluster.directory().join(name);
    fs::create_dir(&place).unwrap();
    let owner = fs::metadata(cluster.directory()).unwrap();
    chown(&place, Some(owner.uid()), Some(owner.gid())).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
    place
}

/// A configuration of a server's URL. The role that tests connect as owns everything.
fn config(url: &str) -> (tempfile::TempDir, String) {
    let directory = private_directory();
    let file = directory.path().join("gateway.toml");
    let text = "[store]\nengine = 'postgres'\nurl_file = 'url'\nallow_owner = true\n\
        [partner]\nlisten = '127.0.0.1:0'\n[telemetry]\nlisten = '127.0.0.1:0'\n";
    fs::write(&file, text).unwrap();
    files::write_private(&directory.path().join("url"), url.as_bytes()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (directory, file)
}

/// What an operator reads who starts a gateway and asks the doctor: both name the cause.
fn said_by_both(url: &str, expected: &str) {
    let (_directory, file) = config(url);
    for command in ["serve", "doctor"] {
        let output = tokio::task::block_in_place(|| run(&["--config", &file, command]));
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains(expected), "{command}: {said}");
        assert!(!said.contains("ss/w#1"), "the password is not repeated: {said}");
    }
}

#[test]
fn a_sound_store_has_no_problem_on_either_engine() {
    block_on(async {
        for store in [TestStore::sqlite().await, TestStore::postgres().await] {
            assert_eq!(server::examine(&store.db).await.unwrap(), Vec::<String>::new());
        }
    });
}

#[test]
fn a_read_only_database_is_refused() {
    block_on(async {
        let database = cluster().migrated_database().await;
        cluster().set_for_database(&database, "default_transaction_read_only", "on").await;
        said_by_both(&cluster().url(&database), "the database is read-only (default_transaction_read_only)");
    });
}

/// An operator whose URL names the standby after a failover to the other server.
#[test]
fn a_standby_is_refused() {
    block_on(async {
        let primary = tokio::task::block_in_place(Cluster::start);
        let database = primary.migrated_database().await;
        let data = place(&primary, "standby");
        let socket = primary.directory().to_str().unwrap().to_owned();
        let standby = tokio::task::block_in_place(|| {
            let args =
                ["-D", data.to_str().unwrap(), "-h", &socket, "-U", "medcredit", "-R", "-X", "stream", "-c", "fast"];
            let copied = primary.program("pg_basebackup", &args).stderr(Stdio::null()).status().unwrap();
            assert!(copied.success(), "pg_basebackup");
            let options = format!("-c unix_socket_directories={} -c hot_standby=on", data.display());
            let args = ["-D", data.to_str().unwrap(), "-w", "-t", "60", "-o", &options, "start"];
            let started =
                primary.program("pg_ctl", &args).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert!(started.success(), "pg_ctl start");
            Standby { cluster: &primary, data: data.clone() }
        });
        let url = primary
            .url(&database)
            .replace(&socket.replace('/', "%2F"), &data.display().to_string().replace('/', "%2F"));
        said_by_both(&url, "the database server is a standby, which cannot be written");
        tokio::task::block_in_place(|| drop(standby));
    });
}

/// A standby server, stopped with its test.
struct Standby<'a> {
    cluster: &'a Cluster,
    data: PathBuf,
}

impl Drop for Standby<'_> {
    fn drop(&mut self) {
        let args = ["-D", self.data.to_str().unwrap(), "-m", "immediate", "stop"];
        let _ = self.cluster.program("pg_ctl", &args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// An operator who forgot `--app-role`, or ran it before the last migration.
#[test]
fn missing_rights_are_not_a_missing_schema() {
    block_on(async {
        let database = cluster().migrated_database().await;
        let role = "medcredit_without_rights";
        cluster().create_role(role).await;
        let url = cluster().url_as(role, &database);
        let expected = format!("run `medcredit migrate --app-role {role}`");
        said_by_both(&url, &expected);
        // All but one right.
        let owner = Db::open_postgres(&cluster().url(&database), 2).await.unwrap();
        let mut tx = owner.begin("test").await.unwrap();
        grants::grant(&mut tx, role).await.unwrap();
        tx.execute("REVOKE INSERT ON core.consent_events FROM medcredit_without_rights", vec![]).await.unwrap();
        tx.execute("REVOKE EXECUTE ON FUNCTION core.record_disclosures FROM PUBLIC, medcredit_without_rights", vec![])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        said_by_both(&url, "lacks rights (INSERT on core.consent_events, EXECUTE on core.record_disclosures)");
        // And a database without a schema is still one without.
        let empty = cluster().empty_database().await;
        said_by_both(&cluster().url_as(role, &empty), "the database has no schema: run `medcredit migrate` first");
    });
}

/// An operator whose SQLite file is damaged does not read that it has no schema.
#[test]
fn a_damaged_file_is_not_a_missing_schema() {
    block_on(async {
        let directory = private_directory();
        let db = Db::open_sqlite(directory.path()).await.unwrap();
        let error = migrations::check(&db).await.unwrap_err();
        assert!(error.to_string().contains("no schema: run `medcredit migrate` first"), "{error}");
        migrations::migrate(&db, &medcredit::domain::SystemClock).await.unwrap();
        migrations::check(&db).await.unwrap();
        let mut tx = db.begin("test").await.unwrap();
        // As after damage, or by another program: the table is there and cannot be read as expected.
        tx.execute("ALTER TABLE schema_migrations RENAME COLUMN name TO title", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        let error = migrations::check(&db).await.unwrap_err();
        assert!(matches!(error, DbError::Engine { .. }), "{error}");
    });
}

/// PgBouncer before a cluster, pooling by transactions.
fn pooler(cluster: &Cluster, name: &str, ignored: &str) -> (Ending, PathBuf) {
    let place = place(cluster, name);
    let ini = place.join("pgbouncer.ini");
    let text = format!(
        "[databases]\n* = host={} user=medcredit\n[pgbouncer]\nunix_socket_dir = {}\nlisten_port = 6432\n\
         auth_type = any\npool_mode = transaction\nlogfile = {}\n{ignored}\n",
        cluster.directory().display(),
        place.display(),
        place.join("log").display()
    );
    fs::write(&ini, text).unwrap();
    let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists());
    let program = program.expect("pgbouncer is needed: install the Debian package `pgbouncer`, as tests/run does");
    let mut command: Command = cluster.program(program, &[ini.to_str().unwrap()]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = Ending(child);
    while !place.join(".s.PGSQL.6432").exists() {
        std::thread::yield_now();
    }
    (running, place)
}

/// An operator who puts Debian's PgBouncer before the database, as it is and as the internet advises.
#[test]
fn a_pooler_is_refused_with_a_sentence() {
    block_on(async {
        let cluster = cluster();
        let database = cluster.migrated_database().await;
        let through = |place: &Path| {
            format!(
                "postgres://medcredit@localhost:6432/{database}?host={}",
                place.display().to_string().replace('/', "%2F")
            )
        };
        for (name, ignored) in
            [("pooler", ""), ("lenient_pooler", "ignore_startup_parameters = options,extra_float_digits")]
        {
            let (_running, place) = tokio::task::block_in_place(|| pooler(cluster, name, ignored));
            said_by_both(&through(&place), "a pooler such as PgBouncer stands before PostgreSQL");
        }
    });
}

/// The files of the case that was reported: each is refused with its cause, and nothing of the password is repeated.
#[test]
fn a_mistaken_url_is_refused_with_its_cause() {
    block_on(async {
        for (url, expected) in [
            ("\u{feff}postgres://owner_r:p%40ss@127.0.0.1:1/med", "save the file as UTF-8 without one"),
            ("jdbc:postgresql://127.0.0.1:1/med?user=owner_r", "begins with `jdbc:`"),
            ("postgres://owner_r:p@ss/w#1%?:é中@127.0.0.1:1/med", "write @ as %40, / as %2F, # as %23"),
        ] {
            said_by_both(url, expected);
        }
    });
}
