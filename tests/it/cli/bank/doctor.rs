//! `bank doctor`: a bank's first day, and everything that goes wrong on it.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use medcredit::{
    access::{self, AuthMethod},
    authority::files,
    domain::{Clock as _, ManualClock, permission::Scope},
    identity::{KeyPair, Signer as _, Suite},
};
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::json;

use super::{
    BankMachine,
    evidence::sealing,
    fake_gateway::{FakeGateway, Lie},
    line,
};
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    block_on,
    pki::{CertificateSpec, DAY, NOW, TestCa},
};

async fn ready() -> (TestApp, Bank, BankMachine) {
    let app = TestApp::start(TestStore::sqlite().await).await;
    let bank = app.bank("bank-a").await;
    let machine = BankMachine::new(&app, &bank);
    (app, bank, machine)
}

/// The lines of one check, which must be a problem, with how to fix it.
async fn problem(machine: &BankMachine, check: &str) -> String {
    let said = machine.refused(&["doctor"]).await;
    assert!(line(&said, check).starts_with("PROBLEM"), "{check}: {said}");
    let mut lines = said.lines().skip_while(|text| *text != line(&said, check));
    let (text, fix) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(fix.trim_start().starts_with("-> "), "{said}");
    format!("{text} {fix}")
}

fn has(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}

/// A bank where everything is right.
#[test]
fn a_ready_bank_passes_every_check() {
    block_on(async {
        let (app, bank, machine) = ready().await;
        sealing(&app);
        let id = app.consent(&bank, |_| {}).await.id.to_string();
        machine.bank(&["grade", &id, "--save"]).await.done();
        let said = machine.bank(&["doctor"]).await.done();
        let checks: Vec<_> =
            said.lines().filter_map(|line| line.strip_prefix("ok")?.split_whitespace().next()).collect();
        let expected =
            "certificate key ca name gateway tls registration thumbprint origin clock token scopes limits keys log";
        assert_eq!(checks.join(" "), expected, "{said}");
        has(&said, &["TLSv1_3 with X25519MLKEM768", "This bank is ready.", &bank.id.to_string()]);
    });
}

/// A bank with the wrong files.
#[test]
fn wrong_files_are_reported_before_anything_is_sent() {
    block_on(async {
        let (app, _, machine) = ready().await;
        let other = TestCa::root("other");
        let stranger = other.bank("stranger", 9);
        machine.put("bank.key", files::PRIVATE_KEY, &stranger.key);
        has(&problem(&machine, "key").await, &["is not the key of", "bank.pem"]);
        fs::write(machine.path("bank.key"), "nonsense").unwrap();
        has(&problem(&machine, "key").await, &["does not contain exactly one private key", "openssl pkcs8"]);
        fs::remove_file(machine.path("bank.pem")).unwrap();
        has(&problem(&machine, "certificate").await, &["bank.pem"]);
        let server = other.issue(&CertificateSpec {
            purposes: vec![ExtendedKeyUsagePurpose::ServerAuth],
            ..CertificateSpec::bank("x", 3)
        });
        machine.put("bank.pem", files::CERTIFICATE, &server.chain[0]);
        has(&problem(&machine, "certificate").await, &["clientAuth"]);
        let over = other
            .issue(&CertificateSpec { not_after: NOW.minus(Duration::from_secs(1)), ..CertificateSpec::bank("x", 4) });
        machine.put("bank.pem", files::CERTIFICATE, &over.chain[0]);
        has(&problem(&machine, "certificate").await, &["it expired at", "have a new one issued"]);
        let early = other.issue(&CertificateSpec { not_before: NOW.plus(DAY), ..CertificateSpec::bank("x", 5) });
        machine.put("bank.pem", files::CERTIFICATE, &early.chain[0]);
        has(&problem(&machine, "certificate").await, &["it is valid from", "clock is slow"]);
        let bank = app.bank("bank-b").await;
        let machine = BankMachine::new(&app, &bank);
        machine.put("ca.pem", files::CERTIFICATE, &bank.certificate);
        has(&problem(&machine, "ca").await, &["not an authority's"]);
    });
}

/// A bank whose certificate expires soon, and whose key other users can read.
#[test]
fn a_certificate_that_expires_soon_is_a_warning() {
    block_on(async {
        let (app, _, machine) = ready().await;
        fs::set_permissions(machine.path("bank.key"), fs::Permissions::from_mode(0o644)).unwrap();
        app.advance(DAY * 340).await;
        let said = machine.bank(&["doctor"]).await;
        has(line(&said.out, "certificate"), &["warning", "more days"]);
        has(line(&said.out, "key"), &["warning", "mode 644"]);
        has(&said.out, &["chmod 600"]);
    });
}

/// A bank that trusts the wrong authority, or comes with a certificate of one the gateway does not trust.
#[test]
fn a_wrong_gateway_and_a_refused_bank_are_reported_apart() {
    block_on(async {
        let (_app, _, machine) = ready().await;
        let other = TestCa::root("other");
        let ours = fs::read(machine.path("ca.pem")).unwrap();
        machine.put("ca.pem", files::CERTIFICATE, &other.certificate);
        has(&problem(&machine, "gateway").await, &["was not issued by the authority in", "ca.pem"]);
        let said = machine.refused(&["token"]).await;
        has(&said, &["was not issued by the authority in", "to fix it: ask the bureau"]);
        fs::write(machine.path("ca.pem"), ours).unwrap();
        let stranger = other.bank("stranger", 9);
        machine.put("bank.pem", files::CERTIFICATE, &stranger.chain[0]);
        machine.put("bank.key", files::PRIVATE_KEY, &stranger.key);
        has(
            &problem(&machine, "admission").await,
            &["the gateway refuses our certificate", "not issued by an authority it trusts"],
        );
        let said = machine.refused(&["token"]).await;
        has(&said, &["the gateway refuses our certificate"]);
    });
}

/// A bank with the wrong origin.
#[test]
fn a_failed_connection_is_reported_by_its_step() {
    block_on(async {
        let (app, _, machine) = ready().await;
        let port = app.origin.rsplit(':').next().unwrap();
        machine.profile(&format!("https://gateway.invalid:{port}"), "");
        has(&problem(&machine, "name").await, &["gateway.invalid resolves to no address", "DNS"]);
        has(&machine.refused(&["token"]).await, &["gateway.invalid resolves to no address"]);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        machine.profile(&format!("https://localhost:{free}"), "");
        has(&problem(&machine, "connection").await, &["refuses connections", "compare the port"]);
        has(&machine.refused(&["token"]).await, &["refuses connections"]);
        // The certificate is for this address too, and signatures are not.
        machine.profile(&format!("https://127.0.0.1:{port}"), "");
        has(&problem(&machine, "origin").await, &[&app.origin, "in the profile"]);
    });
}

/// A gateway whose certificate is for another name.
#[test]
fn a_certificate_for_another_name_is_reported() {
    block_on(async {
        let liar = FakeGateway::named("elsewhere.test").await;
        has(&problem(liar.machine(), "gateway").await, &["is for", "elsewhere.test", "not for localhost"]);
        has(&liar.machine().refused(&["token"]).await, &["not for localhost"]);
    });
}

/// A bank behind a proxy that terminates TLS.
#[test]
fn a_proxy_that_terminates_tls_is_reported() {
    block_on(async {
        let liar = FakeGateway::start(Lie::Thumbprint).await;
        has(&problem(liar.machine(), "thumbprint").await, &["saw another certificate: somebody-elses", "unchanged"]);
    });
}

/// A bank whose clock is off.
#[test]
fn a_wrong_clock_is_reported_with_its_difference() {
    block_on(async {
        let (app, _, mut machine) = ready().await;
        let at = |ahead: u64| ManualClock::new(app.store.clock.now().plus(Duration::from_secs(ahead)));
        machine.clock = at(5);
        let said = machine.bank(&["doctor"]).await.done();
        has(line(&said, "clock"), &["warning", "s fast of the gateway's"]);
        machine.clock = at(300);
        has(&problem(&machine, "clock").await, &["300.000 s fast", "NTP"]);
        machine.clock = Arc::clone(&app.store.clock);
        app.advance(Duration::from_secs(300)).await;
        has(line(&machine.bank(&["doctor"]).await.done(), "clock"), &["ok"]);
    });
}

/// Banks that are suspended, unregistered, or registered for less.
#[test]
fn what_the_bureau_must_do_is_reported() {
    block_on(async {
        let (app, bank, machine) = ready().await;
        access::suspend(&app.store.env(), crate::support::tester(), None, &bank.id).await.unwrap();
        app.app.catch_up().await.unwrap();
        has(&problem(&machine, "registration").await, &["suspended it", "ask the bureau"]);
        let (certificate, key) = app.certificate("nobody").await;
        machine.put("bank.pem", files::CERTIFICATE, &certificate);
        machine.put("bank.key", files::PRIVATE_KEY, &key);
        has(&problem(&machine, "registration").await, &["exact subject"]);
        let narrow = app.bank_with("bank-c", |new| new.scopes = vec![Scope::ConsentsRead]).await;
        let said = BankMachine::new(&app, &narrow).bank(&["doctor"]).await.done();
        has(&said, &["without grade:read there are no grades", "ask the bureau to register it"]);
    });
}

/// A bank registered for `private_key_jwt`, without its key and with it, in both suites.
#[test]
fn an_assertion_is_signed_where_the_bank_is_registered_for_one() {
    block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        for suite in [Suite::Es256, Suite::Ed25519] {
            let pkcs8 = KeyPair::generate(suite).unwrap();
            let mut jwk = serde_json::to_value(KeyPair::from_pkcs8(suite, &pkcs8).unwrap().public_key().jwk()).unwrap();
            if suite == Suite::Ed25519 {
                jwk["alg"] = "EdDSA".into();
            }
            let bank = app
                .bank_with(&format!("bank-{suite}"), |new| {
                    new.auth_methods = vec![AuthMethod::PrivateKeyJwt];
                    new.jwks = Some(json!({ "keys": [jwk] }).to_string());
                })
                .await;
            let machine = BankMachine::new(&app, &bank);
            has(&problem(&machine, "token").await, &["private_key_jwt", "signing_key in the profile"]);
            machine.put("signing.key", files::PRIVATE_KEY, &pkcs8);
            machine.profile(&app.origin, "signing_key = 'signing.key'");
            let said = machine.bank(&["doctor"]).await.done();
            has(line(&said, "signing"), &["ok"]);
            has(line(&said, "token"), &["ok"]);
        }
    });
}

/// A bank that meets a new key at the gateway.
#[test]
fn a_new_key_is_reported_once() {
    block_on(async {
        let (app, _, machine) = ready().await;
        has(line(&machine.bank(&["doctor"]).await.done(), "keys"), &["ok", "3 published"]);
        medcredit::authority::keys::rotate(app.custody(), medcredit::authority::Purpose::AnswerSigning).await.unwrap();
        app.advance(Duration::from_secs(1)).await;
        has(line(&machine.bank(&["doctor"]).await.done(), "keys"), &["warning", "new since last time"]);
        has(line(&machine.bank(&["doctor"]).await.done(), "keys"), &["ok"]);
    });
}
