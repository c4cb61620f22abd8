//! The commands `medcredit keys` and `medcredit certs`.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use medcredit::{
    authority::{files, server},
    cli,
    identity::CertificateFacts,
    store::Crypter,
};

use crate::support::{
    block_on,
    command::{Outcome, medcredit},
    logs::never_logged,
    pki::{NOW, TestCa},
};

/// A directory with a configuration and a migrated store.
struct CommandHarness {
    directory: tempfile::TempDir,
}

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

impl CommandHarness {
    async fn new() -> Self {
        let harness = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::write(harness.path("gateway.toml"), "").unwrap();
        std::fs::create_dir(harness.path("secrets")).unwrap();
        std::fs::write(harness.path("secrets/key-encryption-keys"), never_logged(KEY)).unwrap();
        harness.run("migrate").await.done();
        harness
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a command line; `@name` is a file of the directory.
    async fn run(&self, line: &str) -> Outcome {
        let config = self.path("gateway.toml");
        let mut args = vec!["--config".to_owned(), config.to_str().unwrap().to_owned()];
        args.extend(line.split(' ').map(|word| match word.strip_prefix('@') {
            Some(name) => self.path(name).to_str().unwrap().to_owned(),
            None => word.to_owned(),
        }));
        medcredit(&args.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    async fn with_authority() -> Self {
        let harness = Self::new().await;
        let line = "certs init --set organization=示范医保局 --set name=issuing --certificate-out @ca.crt";
        harness.run(line).await.done();
        harness
    }

    async fn issue_bank(&self, name: &str) -> Outcome {
        let line = "certs issue --profile bank-client --set organization=示范银行";
        self.run(&format!("{line} --set name={name} --certificate-out @{name}.crt --key-out @{name}.key")).await
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn facts(path: &Path) -> CertificateFacts {
    CertificateFacts::read(&files::read_item(files::CERTIFICATE, path).unwrap()).unwrap()
}

#[test]
fn an_operator_creates_rotates_and_revokes_keys() {
    block_on(async {
        let harness = CommandHarness::new().await;
        assert_eq!(harness.run("keys init").await.done().lines().count(), 3);
        assert_eq!(harness.run("keys init").await.done(), "nothing is missing\n");
        harness.run("keys rotate answer_signing --operator lin").await.done();
        let listed = harness.run("keys list").await.done();
        assert_eq!(listed.lines().count(), 4);
        assert!(listed.contains("retired   answer_signing"), "{listed}");
        let retired = listed.lines().find(|line| line.contains("retired")).unwrap().split(' ').next().unwrap();
        harness.run(&format!("keys revoke {retired} --reason leaked")).await.done();
        assert!(harness.run("keys list").await.done().contains("revoked   answer_signing"));
        assert_eq!(harness.run("keys rotate authority").await.code, cli::FAILED);
        assert_eq!(harness.run("keys rotate everything").await.code, cli::WRONG_USAGE);
        let resealed = harness.run("keys reseal").await.done();
        assert_eq!(resealed, "sealed 0 keys again\nsealed the personal parts of 0 subjects again\n");
        let entries = harness.run("ledger verify").await;
        assert_eq!(entries.code, cli::DONE, "{}", entries.err);
    });
}

#[test]
fn an_operator_sets_a_gateway_up_and_issues_a_servers_certificate() {
    block_on(async {
        let harness = CommandHarness::with_authority().await;
        let line = "certs issue --profile server --host localhost --host 127.0.0.1 --set organization=示范医保局 \
            --set name=gateway --certificate-out @certs/server.crt --key-out @certs/server.key";
        harness.run(&line.split_whitespace().collect::<Vec<_>>().join(" ")).await.done();
        let place = server::ServerFiles {
            certificate: harness.path("certs/server.crt"),
            key: harness.path("certs/server.key"),
        };
        server::load(&place, &Crypter::new(&[KEY]).unwrap(), NOW).unwrap();
        assert_eq!(mode(&place.key), 0o600);
        let text = std::fs::read_to_string(&place.key).unwrap();
        assert!(text.starts_with("-----BEGIN MEDCREDIT SEALED KEY-----\n"), "{text}");
        assert!(facts(&harness.path("ca.crt")).is_authority);
        let again = harness.run("certs init --set organization=示范医保局 --set name=issuing").await;
        assert_eq!(again.code, cli::FAILED);
        assert!(again.err.contains("already"), "{}", again.err);
    });
}

#[test]
fn an_operator_issues_and_revokes_a_banks_certificate() {
    block_on(async {
        let harness = CommandHarness::with_authority().await;
        let issued = harness.issue_bank("bank-a").await.done();
        assert!(issued.contains("CN=bank-a,O=示范银行,C=CN"), "{issued}");
        assert_eq!(mode(&harness.path("bank-a.key")), 0o600);
        files::read_item(files::PRIVATE_KEY, &harness.path("bank-a.key")).unwrap();
        let over = harness.issue_bank("bank-a").await;
        assert_eq!(over.code, cli::WRONG_USAGE, "a bank's key is not overwritten");
        let thumbprint = facts(&harness.path("bank-a.crt")).thumbprint;
        harness.run(&format!("certs revoke {thumbprint} --reason keyCompromise")).await.done();
        let listed = harness.run("certs list").await.done();
        assert!(listed.contains("(keyCompromise)") && listed.contains("revocation list until"), "{listed}");
        assert_eq!(harness.run(&format!("certs revoke {thumbprint}")).await.code, cli::FAILED);
    });
}

#[test]
fn an_operator_certifies_a_banks_request() {
    block_on(async {
        let harness = CommandHarness::with_authority().await;
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        std::fs::write(harness.path("bank.csr"), request.pem().unwrap()).unwrap();
        let line = "certs issue --profile bank-client --csr @bank.csr --set organization=示范银行 --set name=bank-a";
        harness.run(&format!("{line} --certificate-out @bank.crt")).await.done();
        assert_eq!(facts(&harness.path("bank.crt")).subject, "CN=bank-a,O=示范银行,C=CN");
        let both = harness.run(&format!("{line} --certificate-out @bank.crt --key-out @bank.key")).await;
        assert_eq!(both.code, cli::WRONG_USAGE);
    });
}

#[test]
fn an_operator_trusts_refuses_and_distrusts() {
    block_on(async {
        let harness = CommandHarness::with_authority().await;
        let ca = TestCa::root("Partner CA");
        let pem = files::to_pem(files::CERTIFICATE, &ca.certificate);
        std::fs::write(harness.path("partner.crt"), pem.as_bytes()).unwrap();
        std::fs::write(harness.path("partner.crl"), ca.list(&[7]).der()).unwrap();
        harness.run("certs trust partner --certificate @partner.crt --crl @partner.crl").await.done();
        let thumbprint = medcredit::identity::certificate::thumbprint(&ca.bank("bank-a", 8).chain[0]);
        harness.run(&format!("certs refuse {thumbprint} --reason reported-by-telephone")).await.done();
        let listed = harness.run("certs list").await.done();
        assert!(listed.contains("partner  partner  (CN=Partner CA,C=CN)"), "{listed}");
        assert!(listed.contains(&thumbprint), "{listed}");
        std::fs::write(harness.path("partner.crl"), "garbage").unwrap();
        assert!(harness.run("certs list").await.done().contains("its file cannot be used"));
        harness.run("certs distrust partner --reason merged").await.done();
        assert!(harness.run("certs list").await.done().contains("not trusted since"));
        assert_eq!(harness.run("certs distrust partner").await.code, cli::WRONG_USAGE, "an operator says why");
    });
}

#[test]
fn a_command_without_key_encryption_keys_names_the_missing_file() {
    block_on(async {
        let harness = CommandHarness::new().await;
        std::fs::remove_file(harness.path("secrets/key-encryption-keys")).unwrap();
        let outcome = harness.run("keys list").await;
        assert_eq!(outcome.code, cli::BAD_CONFIGURATION);
        assert!(outcome.err.contains("secrets/key-encryption-keys"), "{}", outcome.err);
    });
}
