//! `medcredit bank`: the real command line over real TLS, against the gateway and against a fake one.

mod consents;
mod doctor;
mod evidence;
mod fake_gateway;
mod reading;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use medcredit::{authority::files, cli, domain::ManualClock};

use crate::support::{
    app::{Bank, TestApp},
    command::{Outcome, medcredit_at},
};

/// A bank's directory: its files and its profile.
struct BankMachine {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl BankMachine {
    /// A bank of a gateway.
    fn new(app: &TestApp, bank: &Bank) -> Self {
        let machine = Self { directory: tempfile::tempdir().unwrap(), clock: app.store.clock.clone() };
        machine.put("ca.pem", files::CERTIFICATE, &app.ca);
        machine.put("bank.pem", files::CERTIFICATE, &bank.certificate);
        machine.put("bank.key", files::PRIVATE_KEY, &bank.key);
        machine.profile(&app.origin, "");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file's name for a command line.
    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn put(&self, name: &str, label: &str, der: &[u8]) {
        fs::write(self.path(name), files::to_pem(label, der).as_bytes()).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn profile(&self, origin: &str, more: &str) {
        let text = format!("origin = {origin:?}\nca = 'ca.pem'\ncertificate = 'bank.pem'\nkey = 'bank.key'\n{more}\n");
        fs::write(self.path("bank.toml"), text).unwrap();
    }

    /// Runs `medcredit bank ARGS...`.
    async fn bank(&self, args: &[&str]) -> Outcome {
        let profile = self.name("bank.toml");
        medcredit_at(self.clock.clone(), &[&["bank", "--profile", &profile], args].concat()).await
    }

    /// What a command that must fail says, on both streams.
    async fn refused(&self, args: &[&str]) -> String {
        let outcome = self.bank(args).await;
        assert_eq!(outcome.code, cli::FAILED, "{}{}", outcome.out, outcome.err);
        format!("{}{}", outcome.out, outcome.err)
    }
}

/// What a text says in its line that begins with a verdict and a check.
fn line<'a>(said: &'a str, check: &str) -> &'a str {
    said.lines().find(|line| line.split_whitespace().nth(1) == Some(check)).unwrap_or_else(|| panic!("{check}: {said}"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
