//! `medcredit backup` beside a running gateway, and `medcredit restore` after the database was lost (docs/BACKUP.md).

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use medcredit::{
    app::App,
    backup::open_archive,
    cli,
    consent::{Consent, ConsentState},
    ledger::HistoryState,
    store::{Db, Engine, Env},
};

use crate::support::{
    TestStore,
    app::{Bank, KEY, TestApp},
    block_on, both_engines,
    cluster::cluster,
    command::{Outcome, medcredit},
    decided_by,
};

/// A key of backups, which is not the gateway's.
const BACKUP_KEY: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

/// A gateway with a bank that reads, and an empty store to restore into.
struct Scene {
    app: TestApp,
    bank: Bank,
    token: String,
    consent: Consent,
    other: Consent,
    /// The configuration of the gateway's store, with the gateway's checkpoint file.
    config: String,
    /// The same of the empty store.
    elsewhere: String,
}

/// Where a store is that does not exist yet.
enum Target {
    Directory(PathBuf),
    Url(String),
}

impl Scene {
    async fn of(store: TestStore) -> Self {
        let app = TestApp::start(store).await;
        let bank = app.bank("Bank A").await;
        let (consent, other) = (app.consent(&bank, |_| {}).await, app.consent(&bank, |_| {}).await);
        let token = bank.token().await;
        std::fs::write(app.path("backup.key"), BACKUP_KEY).unwrap();
        let target = match app.store.db.engine() {
            Engine::Sqlite => Target::Directory(app.path("restored")),
            Engine::Postgres => Target::Url(cluster().url(&cluster().empty_database().await)),
        };
        let here = match app.store.db.engine() {
            Engine::Sqlite => Target::Directory(app.store.db.directory().unwrap().to_owned()),
            Engine::Postgres => Target::Url(app.store.url().to_owned()),
        };
        let config = configuration(&app, "here", &here);
        let elsewhere = configuration(&app, "elsewhere", &target);
        let scene = Self { app, bank, token, consent, other, config, elsewhere };
        for _ in 0..3 {
            assert_eq!(scene.reads(&scene.consent).await, 200);
        }
        scene.seal().await;
        scene
    }

    async fn reads(&self, consent: &Consent) -> u16 {
        self.bank.get(&self.token, &Bank::data(consent, "grade")).await.status
    }

    async fn seal(&self) {
        while self.app.app.sealer.seal_once().await.unwrap().is_some() {}
    }

    fn path(&self, name: &str) -> PathBuf {
        self.app.path(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    async fn backs_up(&self, archive: &str, options: &[&str]) -> Outcome {
        let archive = self.name(archive);
        medcredit(&[&["backup", &archive, "--config", &self.config, "--operator", "lin"], options].concat()).await
    }

    async fn restores(&self, archive: &str, options: &[&str]) -> Outcome {
        let archive = self.name(archive);
        medcredit(&[&["restore", &archive, "--config", &self.elsewhere, "--operator", "lin"], options].concat()).await
    }

    /// The restored store.
    async fn restored(&self) -> Db {
        let config = medcredit::config::Config::load(self.elsewhere.as_ref()).unwrap();
        match self.app.store.db.engine() {
            Engine::Sqlite => Db::open_sqlite(&config.store.directory).await.unwrap(),
            Engine::Postgres => Db::open_postgres(config.store.url().unwrap().expose(), 8).await.unwrap(),
        }
    }

    /// Whether nothing was restored.
    async fn is_empty(&self) -> bool {
        match self.app.store.db.engine() {
            Engine::Sqlite => {
                let files = std::fs::read_dir(self.path("restored"));
                files.map_or(0, |files| files.filter(|file| !file.as_ref().unwrap().path().is_dir()).count()) == 0
            }
            Engine::Postgres => {
                let db = self.restored().await;
                let sql = "SELECT CAST(count(*) AS BIGINT) FROM pg_namespace WHERE nspname IN ('core', 'bulk')";
                let (schemas,): (i64,) = db.read("test").fetch_one(sql, vec![]).await.unwrap();
                db.close().await;
                schemas == 0
            }
        }
    }
}

fn configuration(app: &TestApp, name: &str, target: &Target) -> String {
    let store = match target {
        Target::Directory(path) => format!("engine = 'sqlite'\ndirectory = '{}'", path.display()),
        Target::Url(url) => {
            std::fs::write(app.path(&format!("{name}.url")), url).unwrap();
            format!("engine = 'postgres'\nurl_file = '{name}.url'")
        }
    };
    let checkpoint = app.app.config.ledger.checkpoint_file.display();
    let text = format!(
        "[gateway]\npublic_origin = '{}'\n[store]\n{store}\n[ledger]\ncheckpoint_file = '{checkpoint}'\n",
        app.origin
    );
    let path = app.path(&format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The rows of every table, as texts.
async fn rows(db: &Db) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    if db.engine() == Engine::Postgres {
        let mut snapshot = db.begin_snapshot().await.unwrap();
        for table in snapshot.tables().await.unwrap() {
            let mut rows = BTreeSet::new();
            let mut add = |row: &[u8]| {
                rows.insert(String::from_utf8(row.to_vec()).unwrap());
                Ok(())
            };
            snapshot.copy_out(&table, &mut add).await.unwrap();
            all.insert(table.name, rows);
        }
        return all;
    }
    for file in ["main", "bulk"] {
        let sql = format!("SELECT name FROM {file}.sqlite_master WHERE type = 'table'");
        let tables: Vec<(String,)> = db.read("test").fetch_all(sql.leak(), vec![]).await.unwrap();
        for (table,) in tables {
            let sql = format!("SELECT name FROM pragma_table_info('{table}', '{file}') ORDER BY cid");
            let columns: Vec<(String,)> = db.read("test").fetch_all(sql.leak(), vec![]).await.unwrap();
            let columns: Vec<_> = columns.into_iter().map(|(column,)| format!("quote(\"{column}\")")).collect();
            let sql = format!("SELECT {} FROM {file}.\"{table}\"", columns.join(" || ',' || "));
            let rows: Vec<(String,)> = db.read("test").fetch_all(sql.leak(), vec![]).await.unwrap();
            all.insert(format!("{file}.{table}"), rows.into_iter().map(|(row,)| row).collect());
        }
    }
    all
}

async fn state_of(db: &Db, consent: &Consent) -> String {
    let sql = "SELECT state FROM consents WHERE id = $1";
    let (state,): (String,) = db.read("test").fetch_one(sql, vec![consent.id.to_string().into()]).await.unwrap();
    state
}

both_engines! {
    a_lost_database_is_restored_as_it_was_when_the_backup_was_taken,
    a_backup_is_consistent_while_banks_read_and_operators_change_consents,
    an_archive_that_is_not_whole_restores_nothing,
    an_encrypted_archive_opens_with_its_key_only,
    nothing_is_overwritten,
}

/// The drill: an operator backs up; a consent is revoked and a bank reads more; the database is lost; the operator restores.
/// The restored store is the older one in every row and explains itself, a gateway over it is behind, and a recovery ends
/// again what had ended.
async fn a_lost_database_is_restored_as_it_was_when_the_backup_was_taken(store: TestStore) {
    let scene = Scene::of(store).await;
    let said = scene.backs_up("night.tar", &[]).await.done();
    assert!(said.contains("ledger    ") && said.contains("It is not encrypted"), "{said}");
    let then = rows(&scene.app.store.db).await;
    let file = std::fs::metadata(scene.path("night.tar")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let (_, manifest) = open_archive(&scene.path("night.tar"), &[]).unwrap();
    assert_eq!(manifest.ledger.waiting, 1, "the backup's own entry");

    scene.app.app.consents.revoke(&scene.consent.id.to_string(), None, &decided_by("lin")).await.unwrap();
    assert_eq!(scene.reads(&scene.consent).await, 403);
    assert_eq!(scene.reads(&scene.other).await, 200);
    scene.seal().await;

    let said = scene.restores("night.tar", &["--check"]).await.done();
    assert!(said.contains("archive   whole"), "{said}");
    assert!(scene.is_empty().await, "a check restores nothing");
    let said = scene.restores("night.tar", &[]).await.done();
    // Sealed since: the entries of the backup, the revocation, and the answer.
    assert!(said.contains("missing   3 sealed entries, by the checkpoint file"), "{said}");
    assert!(said.contains("docs/RECOVERY.md"), "{said}");
    let db = scene.restored().await;
    assert_eq!(state_of(&db, &scene.consent).await, ConsentState::Active.as_str(), "the revocation is lost");
    let now = rows(&db).await;
    assert_eq!(now.keys().collect::<Vec<_>>(), then.keys().collect::<Vec<_>>());
    for (table, rows) in &then {
        let lost: Vec<_> = rows.difference(&now[table]).collect();
        assert!(lost.is_empty(), "{table}: {lost:?}");
        let of_the_entry =
            ["ledger_entries", "ledger_openings", "ledger_unsealed"].iter().any(|of| table.ends_with(of));
        assert_eq!(now[table].len() - rows.len(), usize::from(of_the_entry), "{table}: the restoration's own entry");
    }
    assert!(then.values().map(BTreeSet::len).sum::<usize>() > 100);

    let verified = medcredit(&["ledger", "verify", "--config", &scene.elsewhere]).await;
    assert_eq!(verified.code, cli::FAILED);
    assert!(verified.out.contains("the tail was cut off"), "{}", verified.out);
    std::fs::write(scene.path("older"), manifest.ledger.checkpoint.unwrap()).unwrap();
    let line = ["ledger", "verify", "--config", &scene.elsewhere, "--checkpoint", &scene.name("older")];
    let verified = medcredit(&line).await.done();
    assert!(verified.contains("the ledger is whole"), "{verified}");

    let config = medcredit::config::Config::load(scene.elsewhere.as_ref()).unwrap();
    let gateway = App::open(config, Env { db, ..scene.app.store.env() }).await.unwrap();
    assert_ne!(*gateway.history.history().state(), HistoryState::Current);
    let recover = ["recover", "--reason", "the disk was lost", "--operator", "lin", "--config", &scene.elsewhere];
    let said = medcredit(&recover).await.done();
    assert!(said.contains(&format!("replayed   consent_revoked of {}", scene.consent.id)), "{said}");
    let db = scene.restored().await;
    assert_eq!(state_of(&db, &scene.consent).await, ConsentState::Revoked.as_str());
    assert_eq!(state_of(&db, &scene.other).await, ConsentState::Suspended.as_str());
    let verified = medcredit(&["ledger", "verify", "--config", &scene.elsewhere]).await.done();
    assert!(verified.contains("the ledger is whole"), "{verified}");
}

/// An operator backs up under load: consents, events, counts and entries of the archive are of one instant.
async fn a_backup_is_consistent_while_banks_read_and_operators_change_consents(store: TestStore) {
    let scene = Scene::of(store).await;
    let busy = async {
        let (id, operator) = (scene.other.id.to_string(), decided_by("lin"));
        for _ in 0..20 {
            assert_eq!(scene.reads(&scene.consent).await, 200);
            scene.app.app.consents.suspend(&id, &operator).await.unwrap();
            scene.app.app.consents.resume(&id, &operator).await.unwrap();
            scene.app.app.sealer.seal_once().await.unwrap();
        }
    };
    let backups = async {
        for number in 0..3 {
            scene.backs_up(&format!("busy-{number}.tar"), &[]).await.done();
        }
    };
    futures_util::future::join(busy, backups).await;
    scene.restores("busy-1.tar", &[]).await.done();
    let (_, manifest) = open_archive(&scene.path("busy-1.tar"), &[]).unwrap();
    std::fs::write(scene.path("older"), manifest.ledger.checkpoint.unwrap()).unwrap();
    let line = ["ledger", "verify", "--config", &scene.elsewhere, "--checkpoint", &scene.name("older")];
    let verified = medcredit(&line).await.done();
    assert!(verified.contains("the ledger is whole"), "{verified}");
    let left: Vec<_> = std::fs::read_dir(scene.path(".")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".medcredit-backup-")), "{left:?}");
}

/// An operator restores an archive that was damaged, cut off, or put together: nothing is restored.
async fn an_archive_that_is_not_whole_restores_nothing(store: TestStore) {
    let scene = Scene::of(store).await;
    scene.backs_up("good.tar", &[]).await.done();
    let good = std::fs::read(scene.path("good.tar")).unwrap();
    let (_, manifest) = open_archive(&scene.path("good.tar"), &[]).unwrap();
    let largest = manifest.members.iter().map(|member| member.length).max().unwrap();
    assert!(largest > 1024);
    let damaged = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        ("the first member's content", damaged(600)),
        // Not in the zeros between two members, which are not part of any.
        ("the middle", damaged((good.len() / 2..).find(|at| good[*at] != 0).unwrap())),
        ("cut off in the middle", good[..good.len() / 2].to_vec()),
        ("cut off before the manifest", good[..good.len() - 16 * 1024].to_vec()),
        ("empty", Vec::new()),
        ("no archive", b"select 1".repeat(1000)),
    ];
    for (what, bytes) in cases {
        std::fs::write(scene.path("bad.tar"), bytes).unwrap();
        let refused = scene.restores("bad.tar", &[]).await;
        assert_eq!(refused.code, cli::FAILED, "{what}");
        assert!(refused.err.contains("the archive cannot be used"), "{what}: {}", refused.err);
        assert!(scene.is_empty().await, "{what}");
    }
    scene.restores("good.tar", &[]).await.done();
}

/// An operator with the key, another key, and none.
async fn an_encrypted_archive_opens_with_its_key_only(store: TestStore) {
    let scene = Scene::of(store).await;
    let (key, other) = (scene.name("backup.key"), scene.name("other.key"));
    std::fs::write(&other, KEY).unwrap();
    let said = scene.backs_up("sealed", &["--key-file", &key]).await.done();
    assert!(said.contains("It is encrypted"), "{said}");
    let bytes = std::fs::read(scene.path("sealed")).unwrap();
    for plain in [&b"core"[..], b"manifest.json", scene.consent.id.to_string().as_bytes()] {
        assert!(!bytes.windows(plain.len()).any(|window| window == plain), "{}", String::from_utf8_lossy(plain));
    }
    let none = scene.restores("sealed", &[]).await;
    assert!(none.code == cli::FAILED && none.err.contains("it is encrypted: give the key file"), "{}", none.err);
    let wrong = scene.restores("sealed", &["--key-file", &other]).await;
    assert!(wrong.code == cli::FAILED && wrong.err.contains("a key that is not in the key file"), "{}", wrong.err);
    let mut cut = bytes;
    cut.truncate(cut.len() - 20);
    std::fs::write(scene.path("cut"), cut).unwrap();
    assert_eq!(scene.restores("cut", &["--key-file", &key]).await.code, cli::FAILED);
    assert!(scene.is_empty().await);
    // A new key first, the old one after it: as for the gateway's own keys.
    std::fs::write(&other, format!("{KEY}\n{BACKUP_KEY}\n")).unwrap();
    scene.restores("sealed", &["--key-file", &other]).await.done();
    assert_eq!(state_of(&scene.restored().await, &scene.consent).await, ConsentState::Active.as_str());
}

/// An operator gives a name that is taken, and a store that has something.
async fn nothing_is_overwritten(store: TestStore) {
    let scene = Scene::of(store).await;
    std::fs::write(scene.path("taken.tar"), "older").unwrap();
    let refused = scene.backs_up("taken.tar", &[]).await;
    assert!(refused.code == cli::FAILED && refused.err.contains("exists"), "{}", refused.err);
    assert_eq!(std::fs::read(scene.path("taken.tar")).unwrap(), b"older");
    scene.backs_up("night.tar", &[]).await.done();
    let before = rows(&scene.app.store.db).await;
    let archive = scene.name("night.tar");
    let refused = medcredit(&["restore", &archive, "--config", &scene.config, "--operator", "lin"]).await;
    assert_eq!(refused.code, cli::FAILED);
    assert!(refused.err.contains("restore into an empty"), "{}", refused.err);
    assert_eq!(rows(&scene.app.store.db).await, before);
    assert_eq!(scene.reads(&scene.consent).await, 200);
}

/// An operator restores an archive of the other engine.
#[test]
fn an_archive_is_restored_into_its_own_engine_only() {
    block_on(async {
        let (sqlite, postgres) =
            (Scene::of(TestStore::sqlite().await).await, Scene::of(TestStore::postgres().await).await);
        sqlite.backs_up("night.tar", &[]).await.done();
        postgres.backs_up("night.tar", &[]).await.done();
        for (of, into) in [(&sqlite, &postgres), (&postgres, &sqlite)] {
            let archive = of.name("night.tar");
            let refused = medcredit(&["restore", &archive, "--config", &into.elsewhere, "--operator", "lin"]).await;
            assert_eq!(refused.code, cli::FAILED);
            assert!(refused.err.contains("and the configured store is of"), "{}", refused.err);
            assert!(into.is_empty().await);
        }
    });
}

/// A restore on SQLite is killed between its two renames: no store is made of what it left, and it is run again.
#[test]
fn an_interrupted_restore_is_run_again() {
    block_on(async {
        let scene = Scene::of(TestStore::sqlite().await).await;
        scene.backs_up("night.tar", &[]).await.done();
        let directory = scene.path("restored");
        std::fs::create_dir_all(directory.join("restoring")).unwrap();
        std::fs::write(directory.join("restoring/core.db"), "half").unwrap();
        std::fs::write(directory.join("bulk.db"), "of the restore").unwrap();
        let refused = medcredit(&["migrate", "--config", &scene.elsewhere, "--operator", "lin"]).await;
        assert!(refused.err.contains("run `medcredit restore` again"), "{}", refused.err);
        assert!(!directory.join("core.db").exists());
        scene.restores("night.tar", &[]).await.done();
        assert!(!Path::new(&directory.join("restoring")).exists());
        assert_eq!(state_of(&scene.restored().await, &scene.consent).await, ConsentState::Active.as_str());
    });
}
