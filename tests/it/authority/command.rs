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
fn a_thumbprint_may_begin_with_a_hyphen() {
    block_on(async {
        let harness = CommandHarness::with_authority().await;
        // As one of 64 does, in base64url.
        let thumbprint = format!("-{}", "A".repeat(42));
        harness.run(&format!("certs refuse {thumbprint} --reason reported-by-telephone")).await.done();
        let revoked = harness.run(&format!("certs revoke {thumbprint}")).await;
        assert!(revoked.code != cli::WRONG_USAGE && revoked.err.contains(&thumbprint), "{revoked:?}");
    });
}

#[test]
fn an_operator_creates_rotates_and_revokes_keys() {
    block_on(async {
        let harness = CommandHarness::new().await;
        assert_eq!(harness.run("keys init").await.done().lines().count(), 3);
        assert_eq!(harness.run("keys init").await.done(), "nothing is missing\n");
        let early = harness.run("keys rotate answer_signing").await;
        assert!(early.code == cli::FAILED && early.err.contains("keys prepare answer_signing"), "{}", early.err);
        harness.run("keys rotate answer_signing --now --operator lin").await.done();
        let listed = harness.run("keys list").await.done();
        assert_eq!(listed.lines().count(), 4);
        assert!(listed.contains("retired   answer_signing"), "{listed}");
        let retired = listed.lines().find(|line| line.contains("retired")).unwrap().split(' ').next().unwrap();
        harness.run(&format!("keys revoke {retired} --reason leaked")).await.done();
        assert!(harness.run("keys list").await.done().contains("revoked   answer_signing"));
        assert_eq!(harness.run("keys rotate authority").await.code, cli::FAILED);
        assert_eq!(harness.run("keys rotate everything").await.code, cli::WRONG_USAGE);
        let resealed = harness.run("keys reseal").await.done();
        assert!(resealed.starts_with("sealed 0 keys again\n"), "{resealed}");
        assert!(resealed.contains("certs/server.key does not exist on this machine\n"), "{resealed}");
        assert!(resealed.contains("sealed the personal parts of 0 subjects again\n"), "{resealed}");
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

/// The key file of a listener is sealed under the key-encryption key, too.
#[test]
fn keys_reseal_covers_or_lists_every_key_file() {
    block_on(async {
        let harness = CommandHarness::with_authority().await;
        let line = "certs issue --profile server --host localhost --set organization=示范医保局 --set name=gateway";
        let issue = |at: &str| format!("{line} --certificate-out @{at}.crt --key-out @{at}.key");
        harness.run(&issue("certs/server")).await.done();
        harness.run(&issue("portal")).await.done();
        let portal = "[portal]\ncertificate_file = 'portal.crt'\nkey_file = 'portal.key'\n";
        std::fs::write(harness.path("gateway.toml"), portal).unwrap();
        let keys = format!("{}\n{KEY}\n", never_logged("AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="));
        std::fs::write(harness.path("secrets/key-encryption-keys"), keys).unwrap();
        let doctor = harness.run("doctor").await.out;
        assert!(doctor.contains("not under the first key-encryption key: 1 private keys"), "{doctor}");
        // The certificate is gone: its key cannot be opened, and the command must not end as if all were done.
        std::fs::rename(harness.path("portal.crt"), harness.path("elsewhere")).unwrap();
        let some = harness.run("keys reseal").await;
        assert_eq!(some.code, cli::FAILED, "{}", some.out);
        assert!(some.out.contains("certs/server.key again") && some.out.contains("portal.key STAYS"), "{}", some.out);
        assert!(some.err.contains("keep every line of"), "{}", some.err);
        std::fs::rename(harness.path("elsewhere"), harness.path("portal.crt")).unwrap();
        let rest = harness.run("keys reseal").await.done();
        assert!(
            rest.contains("certs/server.key is under the first key") && rest.contains("portal.key again"),
            "{rest}"
        );
        assert_eq!((mode(&harness.path("certs/server.key")), mode(&harness.path("portal.key"))), (0o600, 0o600));
        let only = Crypter::new(&["AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="]).unwrap();
        for at in ["certs/server", "portal"] {
            let [certificate, key] = ["crt", "key"].map(|end| harness.path(&format!("{at}.{end}")));
            server::load(&server::ServerFiles { certificate, key }, &only, NOW).unwrap();
        }
        let verified = harness.run("ledger verify").await;
        assert_eq!(verified.code, cli::DONE, "{}", verified.err);
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

/// An operator whose machine fails between the key, the certificate in the database and the certificate's file.
#[test]
fn an_interrupted_issue_is_finished_with_the_same_key_and_certificate() {
    block_on(async {
        let harness = CommandHarness::with_authority().await;
        let server = "certs issue --profile server --host localhost --set organization=示范医保局 --set name=gateway \
            --certificate-out @server.crt --key-out @server.key";
        let server = server.split_whitespace().collect::<Vec<_>>().join(" ");
        let bank = "certs issue --profile bank-client --set organization=示范银行 --set name=bank-a \
            --certificate-out @bank.crt --key-out @bank.key";
        let bank = bank.split_whitespace().collect::<Vec<_>>().join(" ");
        for (line, name) in [(&server, "server"), (&bank, "bank")] {
            let [certificate, key] = ["crt", "key"].map(|end| harness.path(&format!("{name}.{end}")));
            harness.run(line).await.done();
            let (issued, written) = (facts(&certificate).thumbprint, std::fs::read(&key).unwrap());
            let over = harness.run(line).await;
            assert_eq!(over.code, cli::WRONG_USAGE, "{}", over.err);
            assert!(over.err.contains("no certificate is overwritten"), "{}", over.err);
            // As a crash after the commit leaves it.
            std::fs::remove_file(&certificate).unwrap();
            let finished = harness.run(line).await.done();
            assert!(finished.starts_with("finished crt_"), "{finished}");
            assert_eq!((facts(&certificate).thumbprint, std::fs::read(&key).unwrap()), (issued, written));
        }
        let listed = harness.run("certs list").await.done();
        assert_eq!(listed.matches("bank-client  CN=").count(), 1, "no second one was issued: {listed}");
        // As a crash before the commit leaves it: a key without a certificate, which somebody may still need.
        std::fs::remove_file(harness.path("bank.crt")).unwrap();
        let another = files::to_pem(files::PRIVATE_KEY, &rcgen::KeyPair::generate().unwrap().serialize_der());
        for text in [another.as_bytes(), b"not a key"] {
            std::fs::write(harness.path("bank.key"), text).unwrap();
            let refused = harness.run(&bank).await;
            assert_eq!(refused.code, cli::WRONG_USAGE, "{}", refused.err);
            assert!(refused.err.contains("no certificate was issued for it"), "{}", refused.err);
            assert_eq!(std::fs::read(harness.path("bank.key")).unwrap(), text);
            assert!(!harness.path("bank.crt").exists());
        }
        // Wrong usage leaves no key.
        let wrong = bank.replace("@bank.", "@other.").replace("--set name=bank-a ", "");
        assert_eq!(harness.run(&wrong).await.code, cli::FAILED);
        assert!(!harness.path("other.key").exists() && !harness.path("other.crt").exists());
    });
}

/// An operator who mistakes a bank for another one.
#[test]
fn an_operator_is_warned_of_a_subject_that_is_another_banks() {
    block_on(async {
        let harness = CommandHarness::with_authority().await;
        let first = harness.issue_bank("bank-a").await;
        assert_eq!((first.code, first.err.contains("warning")), (cli::DONE, false), "{}", first.err);
        let line = "certs issue --profile bank-client --set organization=示范银行 --set name=bank-a";
        let again = |name: &str| format!("{line} --certificate-out @{name}.crt --key-out @{name}.key");
        let second = harness.run(&again("second")).await;
        assert!(second.err.contains("has the same subject until"), "{}", second.err);
        harness.run("client register --name 甲 --authority own --certificate @bank-a.crt").await.done();
        let third = harness.run(&again("third")).await;
        assert_eq!(third.code, cli::DONE, "{}", third.err);
        assert!(third.err.contains("is the subject of 甲") && third.err.contains("certs revoke crt_"), "{}", third.err);
        let other = harness.issue_bank("bank-b").await;
        assert!(!other.err.contains("warning"), "{}", other.err);
    });
}

/// An operator who registers a client with the wrong file.
#[test]
fn a_client_is_registered_with_a_certificate_that_could_call_and_no_other() {
    block_on(async {
        let harness = CommandHarness::with_authority().await;
        harness.issue_bank("bank-a").await.done();
        harness.issue_bank("bank-b").await.done();
        let server = "certs issue --profile server --host localhost --set organization=示范医保局 --set name=gateway";
        harness.run(&format!("{server} --certificate-out @server.crt --key-out @server.key")).await.done();
        let (partner, namesake) = (TestCa::root("Partner CA"), TestCa::root("Partner CA"));
        let below = partner.intermediate("Issuing", 9);
        let write = |name: &str, chain: &[rustls::pki_types::CertificateDer<'_>]| {
            let text: String = chain.iter().map(|der| files::to_pem(files::CERTIFICATE, der).to_string()).collect();
            std::fs::write(harness.path(name), text).unwrap();
        };
        write("partner.crt", std::slice::from_ref(&partner.certificate));
        let lists = [partner.list(&[7]), below.list(&[])];
        let text = lists.iter().map(|list| files::to_pem(files::REVOCATION_LIST, list.der()).to_string());
        std::fs::write(harness.path("partner.crl"), text.collect::<String>()).unwrap();
        harness.run("certs trust partner --certificate @partner.crt --crl @partner.crl").await.done();
        write("revoked.crt", &partner.bank("bank-c", 7).chain);
        write("forged.crt", &namesake.bank("bank-c", 8).chain);
        write("good.crt", &below.bank("bank-c", 10).chain);
        write("leaf.crt", &below.bank("bank-c", 10).chain[..1]);
        let thumbprint = facts(&harness.path("bank-b.crt")).thumbprint;
        harness.run(&format!("certs revoke {thumbprint}")).await.done();
        let register = |authority: &str, file: &str| {
            format!("client register --name x --authority {authority} --certificate @{file}.crt")
        };
        for (authority, file) in [
            ("partner", "bank-a"),
            ("own", "good"),
            ("own", "server"),
            ("own", "bank-b"),
            ("partner", "revoked"),
            ("partner", "forged"),
            ("partner", "leaf"),
            ("partner", "partner"),
        ] {
            let refused = harness.run(&register(authority, file)).await;
            assert_eq!(refused.code, cli::FAILED, "{authority} {file}: {}", refused.out);
            assert!(refused.err.contains(&format!("is not proved under {authority}")), "{}", refused.err);
        }
        assert_eq!(harness.run("client list").await.done(), "");
        harness.run(&register("partner", "good")).await.done();
        harness.run(&register("own", "bank-a").replace("name x", "name y")).await.done();
        let unproved = harness.run("client register --name z --authority own --subject CN=z").await;
        assert!(unproved.err.contains("nothing proves it"), "{}", unproved.err);
        assert_eq!(unproved.code, cli::DONE);
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
