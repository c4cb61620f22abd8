//! The rotation of the key-encryption key: as the documentation describes it, and at several gateways.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use medcredit::{
    authority::{AuthorityError, Custody, KeyFile, Keyring, Purpose, files, keys},
    config::Secrets,
    store::Crypter,
};
use tokio::time::Instant;

use super::{custody, custody_under};
use crate::support::{
    TestStore,
    app::{Bank, KEY, TestApp},
    both_engines,
    process::Gateway,
};

both_engines! {
    the_documented_rotation_ends_with_a_gateway_that_starts,
    a_key_that_another_gateway_lacks_is_not_used,
    a_file_that_lacks_a_needed_key_is_not_loaded,
}

/// The command lines of a section of docs/KEYS.md.
fn documented(section: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/KEYS.md")).unwrap();
    let (_, text) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let text = text.split("\n## ").next().unwrap();
    text.lines().filter_map(|line| line.strip_prefix("       ")).map(str::to_owned).collect()
}

/// Runs a documented line in a directory, as an operator with `medcredit` in the path.
async fn run(directory: PathBuf, line: String) -> (bool, String) {
    tokio::task::spawn_blocking(move || {
        let program = Path::new(env!("CARGO_BIN_EXE_medcredit")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(directory).env("PATH", path).stdin(Stdio::null());
        let output = command.env_remove("MEDCREDIT_CONFIG").output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    })
    .await
    .unwrap()
}

/// An operator who follows the page while two gateways serve, and starts one with nothing but the new key.
async fn the_documented_rotation_ends_with_a_gateway_that_starts(store: TestStore) {
    let app = TestApp::start(store.today()).await;
    let config = app.config_file("gateway");
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let mut gateway = Gateway::start(&config);
    let there = bank.at(&gateway.serving());
    let path = Bank::data(&consent, "grade");
    assert_eq!(there.get(&there.token().await, &path).await.status, 200);
    let lines = documented("Rotating the key-encryption key");
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in lines {
        let home = app.path("");
        let (done, said) = run(home.clone(), line.clone()).await;
        if line.contains("keys reseal") {
            // The gateway of this process has no background task that loads the file.
            assert!(!done && said.contains(&format!("process {}.", std::process::id())), "{said}");
            let until = Instant::now() + Duration::from_secs(20);
            loop {
                app.app.catch_up().await.unwrap();
                let (done, said) = run(home.clone(), line.clone()).await;
                if done {
                    assert!(said.contains("sealed 4 keys again") && said.contains("server.key again"), "{said}");
                    break;
                }
                assert!(Instant::now() < until, "{said}");
            }
            let (_, said) = run(home.clone(), line).await;
            assert!(said.contains("sealed 0 keys again") && said.contains("of 0 subjects again"), "{said}");
        } else if line.contains("doctor") {
            assert!(said.lines().any(|line| line.starts_with("ok") && line.contains(" sealing ")), "{said}");
        } else {
            assert!(done, "{line}: {said}");
        }
    }
    let left = fs::read_to_string(app.path("secrets/key-encryption-keys")).unwrap();
    assert_eq!(left.lines().count(), 1, "only the new key");
    assert!(!left.contains(KEY));
    // Nothing that was sealed needs the old key, and the gateways that served through it still do.
    app.app.catch_up().await.unwrap();
    assert_eq!(there.get(&there.token().await, &path).await.status, 200);
    gateway.signal("-TERM");
    let (code, log) = gateway.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("new key-encryption keys are in use") && !log.contains("cannot be used"), "{log}");
    let mut again = Gateway::start(&config);
    let there = bank.at(&again.serving());
    // One that has just started may ask for patience (503) on a busy machine.
    let answered = async { while there.get(&there.token().await, &path).await.status != 200 {} };
    tokio::time::timeout(Duration::from_secs(5), answered).await.expect("it answers with the new keys");
    again.signal("-TERM");
    assert_eq!(again.end().0, Some(0));
}

/// A gateway with a file of its own, as on another machine.
struct Machine {
    directory: tempfile::TempDir,
    file: KeyFile,
    custody: Custody,
}

impl Machine {
    async fn new(store: &TestStore, keys: &[u8]) -> Self {
        let directory = crate::support::private_directory();
        Self::write(directory.path(), keys);
        let secrets = Secrets { key_encryption_key_file: directory.path().join("keys"), allow_other_users: false };
        let (file, crypter) = KeyFile::open(&secrets, Vec::new()).await.unwrap();
        let custody = Custody { crypter: Arc::new(crypter), ..custody(store) };
        file.report(&custody).await.unwrap();
        Keyring::load(&custody).await.unwrap();
        Self { directory, file, custody }
    }

    fn write(directory: &Path, keys: &[u8]) {
        let text: String = keys.iter().map(|fill| data_encoding::BASE64.encode(&[*fill; 32]) + "\n").collect();
        files::write_private(&directory.join("keys"), text.as_bytes()).unwrap();
    }

    /// Replaces the file. Returns whether the gateway uses the new one.
    async fn put(&self, keys: &[u8]) -> bool {
        Self::write(self.directory.path(), keys);
        self.file.refresh(&self.custody).await
    }
}

/// Two gateways, whose operator has not copied the new file to one of them yet.
async fn a_key_that_another_gateway_lacks_is_not_used(store: TestStore) {
    keys::create_missing(&custody(&store)).await.unwrap();
    let (one, other) = (Machine::new(&store, &[1]).await, Machine::new(&store, &[1]).await);
    assert!(one.put(&[2, 1]).await);
    // What the first gateway seals now, the other one can open.
    keys::rotate(&one.custody, Purpose::AnswerSigning).await.unwrap();
    Keyring::load(&other.custody).await.unwrap();
    let refused = keys::reseal(&one.custody).await;
    assert!(
        matches!(&refused, Err(AuthorityError::Conflict(text)) if text.contains("is not in the file of")),
        "{refused:?}"
    );
    Keyring::load(&custody_under(&store, &[[1; 32]])).await.unwrap();
    assert!(other.put(&[2, 1]).await);
    assert_eq!(keys::reseal(&one.custody).await.unwrap(), 4);
    // The other gateway learns from the private keys which key seals.
    Keyring::load(&other.custody).await.unwrap();
    keys::rotate(&other.custody, Purpose::TokenSigning).await.unwrap();
    Keyring::load(&custody_under(&store, &[[2; 32]])).await.unwrap();
    assert!(one.put(&[2]).await && other.put(&[2]).await);
    // A gateway that ended with another file is waited for no longer than its reports count.
    let gone = Machine::new(&store, &[2]).await;
    drop(gone);
    assert!(one.put(&[3, 2]).await && other.put(&[3, 2]).await);
    assert!(keys::reseal(&one.custody).await.is_err());
    store.clock.advance(Duration::from_secs(121));
    one.file.report(&one.custody).await.unwrap();
    other.file.report(&other.custody).await.unwrap();
    assert_eq!(keys::reseal(&one.custody).await.unwrap(), 5);
}

/// An operator who removes a line too early, or damages the file, while a gateway serves.
async fn a_file_that_lacks_a_needed_key_is_not_loaded(store: TestStore) {
    keys::create_missing(&custody(&store)).await.unwrap();
    let machine = Machine::new(&store, &[1]).await;
    assert!(!machine.put(&[2]).await, "the private keys are under the old key");
    files::write_private(&machine.directory.path().join("keys"), b"no key\n").unwrap();
    assert!(!machine.file.refresh(&machine.custody).await);
    Keyring::load(&machine.custody).await.unwrap();
    assert!(machine.put(&[2, 1]).await);
    keys::reseal(&machine.custody).await.unwrap();
    assert!(machine.put(&[2]).await);
    assert!(!machine.put(&[1]).await);
    Keyring::load(&machine.custody).await.unwrap();
    // Another process with the old file does not begin to seal under it.
    let old = custody_under(&store, &[[1; 32]]);
    assert!(matches!(Keyring::load(&old).await, Err(AuthorityError::KeyMissing)));
    let follows = keys::follow_store(&Crypter::from_bytes(&[[1; 32]]).unwrap(), &store.db).await;
    assert!(matches!(follows, Err(AuthorityError::KeyMissing)));
}
