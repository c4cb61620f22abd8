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
    Desk,
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

async fn ready() -> (TestApp, Bank, Desk) {
    let app = TestApp::start(TestStore::sqlite().await).await;
    let bank = app.bank("bank-a").await;
    let desk = Desk::new(&app, &bank);
    (app, bank, desk)
}

/// What the doctor says of one check, which must be a problem, and how it is mended.
async fn problem(desk: &Desk, check: &str) -> String {
    let said = desk.refused(&["doctor"]).await;
    assert!(line(&said, check).starts_with("PROBLEM"), "{check}: {said}");
    let mut lines = said.lines().skip_while(|text| *text != line(&said, check));
    let (text, mend) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(mend.trim_start().starts_with("-> "), "{said}");
    format!("{text} {mend}")
}

fn has(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}

/// A bank whose every thing is in order.
#[test]
fn a_bank_that_is_ready_is_told_so() {
    block_on(async {
        let (app, bank, desk) = ready().await;
        sealing(&app);
        let id = app.consent(&bank, |_| {}).await.id.to_string();
        desk.bank(&["grade", &id, "--save"]).await.done();
        let said = desk.bank(&["doctor"]).await.done();
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
fn files_that_do_not_fit_are_told_before_anything_is_sent() {
    block_on(async {
        let (app, _, desk) = ready().await;
        let other = TestCa::root("other");
        let stranger = other.bank("stranger", 9);
        desk.put("bank.key", files::PRIVATE_KEY, &stranger.key);
        has(&problem(&desk, "key").await, &["is not the key of", "bank.pem"]);
        fs::write(desk.path("bank.key"), "nonsense").unwrap();
        has(&problem(&desk, "key").await, &["does not hold one private key", "openssl pkcs8"]);
        fs::remove_file(desk.path("bank.pem")).unwrap();
        has(&problem(&desk, "certificate").await, &["bank.pem"]);
        let server = other.issue(&CertificateSpec {
            purposes: vec![ExtendedKeyUsagePurpose::ServerAuth],
            ..CertificateSpec::bank("x", 3)
        });
        desk.put("bank.pem", files::CERTIFICATE, &server.chain[0]);
        has(&problem(&desk, "certificate").await, &["clientAuth"]);
        let over = other
            .issue(&CertificateSpec { not_after: NOW.minus(Duration::from_secs(1)), ..CertificateSpec::bank("x", 4) });
        desk.put("bank.pem", files::CERTIFICATE, &over.chain[0]);
        has(&problem(&desk, "certificate").await, &["it ended at", "have a new one issued"]);
        let early = other.issue(&CertificateSpec { not_before: NOW.plus(DAY), ..CertificateSpec::bank("x", 5) });
        desk.put("bank.pem", files::CERTIFICATE, &early.chain[0]);
        has(&problem(&desk, "certificate").await, &["it begins at", "clock is slow"]);
        let bank = app.bank("bank-b").await;
        let desk = Desk::new(&app, &bank);
        desk.put("ca.pem", files::CERTIFICATE, &bank.certificate);
        has(&problem(&desk, "ca").await, &["no authority's"]);
    });
}

/// A bank whose certificate ends soon, and whose key others can read.
#[test]
fn what_will_be_wrong_soon_is_a_warning() {
    block_on(async {
        let (app, _, desk) = ready().await;
        fs::set_permissions(desk.path("bank.key"), fs::Permissions::from_mode(0o644)).unwrap();
        app.advance(DAY * 340).await;
        let said = desk.bank(&["doctor"]).await;
        has(line(&said.out, "certificate"), &["warning", "more days"]);
        has(line(&said.out, "key"), &["warning", "mode 644"]);
        has(&said.out, &["chmod 600"]);
    });
}

/// A bank that trusts the wrong authority, or comes with a certificate of one the gateway does not trust.
#[test]
fn each_side_of_the_handshake_is_told_apart() {
    block_on(async {
        let (_app, _, desk) = ready().await;
        let other = TestCa::root("other");
        let ours = fs::read(desk.path("ca.pem")).unwrap();
        desk.put("ca.pem", files::CERTIFICATE, &other.certificate);
        has(&problem(&desk, "gateway").await, &["was not issued by the authority in", "ca.pem"]);
        let said = desk.refused(&["token"]).await;
        has(&said, &["was not issued by the authority in", "to mend: ask the bureau"]);
        fs::write(desk.path("ca.pem"), ours).unwrap();
        let stranger = other.bank("stranger", 9);
        desk.put("bank.pem", files::CERTIFICATE, &stranger.chain[0]);
        desk.put("bank.key", files::PRIVATE_KEY, &stranger.key);
        has(
            &problem(&desk, "admission").await,
            &["the gateway refuses our certificate", "not issued by an authority it trusts"],
        );
        let said = desk.refused(&["token"]).await;
        has(&said, &["the gateway refuses our certificate"]);
    });
}

/// A bank with the wrong origin.
#[test]
fn a_wrong_way_is_told_by_its_step() {
    block_on(async {
        let (app, _, desk) = ready().await;
        let port = app.origin.rsplit(':').next().unwrap();
        desk.profile(&format!("https://gateway.invalid:{port}"), "");
        has(&problem(&desk, "name").await, &["gateway.invalid leads to no address", "DNS"]);
        has(&desk.refused(&["token"]).await, &["gateway.invalid leads to no address"]);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        desk.profile(&format!("https://localhost:{free}"), "");
        has(&problem(&desk, "connection").await, &["refuses connections", "compare the port"]);
        has(&desk.refused(&["token"]).await, &["refuses connections"]);
        // The certificate is for this address too, and signatures are not.
        desk.profile(&format!("https://127.0.0.1:{port}"), "");
        has(&problem(&desk, "origin").await, &[&app.origin, "in the profile"]);
    });
}

/// A gateway whose certificate is for another name.
#[test]
fn a_name_that_is_not_the_certificates_is_told() {
    block_on(async {
        let liar = FakeGateway::named("elsewhere.test").await;
        has(&problem(liar.desk(), "gateway").await, &["is for", "elsewhere.test", "not for localhost"]);
        has(&liar.desk().refused(&["token"]).await, &["not for localhost"]);
    });
}

/// A bank behind something that ends its TLS.
#[test]
fn another_certificate_on_the_way_is_told() {
    block_on(async {
        let liar = FakeGateway::start(Lie::Thumbprint).await;
        has(&problem(liar.desk(), "thumbprint").await, &["saw another certificate: somebody-elses", "unbroken"]);
    });
}

/// A bank whose clock is off.
#[test]
fn a_clock_that_is_off_is_told_by_how_much() {
    block_on(async {
        let (app, _, mut desk) = ready().await;
        let at = |ahead: u64| ManualClock::new(app.store.clock.now().plus(Duration::from_secs(ahead)));
        desk.clock = at(5);
        let said = desk.bank(&["doctor"]).await.done();
        has(line(&said, "clock"), &["warning", "s fast of the gateway's"]);
        desk.clock = at(300);
        has(&problem(&desk, "clock").await, &["300.000 s fast", "NTP"]);
        desk.clock = Arc::clone(&app.store.clock);
        app.advance(Duration::from_secs(300)).await;
        has(line(&desk.bank(&["doctor"]).await.done(), "clock"), &["ok"]);
    });
}

/// Banks that are suspended, unregistered, or registered for less.
#[test]
fn what_the_bureau_must_do_is_told() {
    block_on(async {
        let (app, bank, desk) = ready().await;
        access::suspend(&app.store.env(), crate::support::tester(), None, &bank.id).await.unwrap();
        app.app.catch_up().await.unwrap();
        has(&problem(&desk, "registration").await, &["suspended it", "ask there"]);
        let (certificate, key) = app.certificate("nobody").await;
        desk.put("bank.pem", files::CERTIFICATE, &certificate);
        desk.put("bank.key", files::PRIVATE_KEY, &key);
        has(&problem(&desk, "registration").await, &["exact subject"]);
        let narrow = app.bank_with("bank-c", |new| new.scopes = vec![Scope::ConsentsRead]).await;
        let said = Desk::new(&app, &narrow).bank(&["doctor"]).await.done();
        has(&said, &["without grade:read there are no grades", "have the bureau register it"]);
    });
}

/// A bank registered for `private_key_jwt`, without its key and with it, in both suites.
#[test]
fn an_assertion_is_signed_where_the_bureau_wants_one() {
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
            let desk = Desk::new(&app, &bank);
            has(&problem(&desk, "token").await, &["private_key_jwt", "signing_key in the profile"]);
            desk.put("signing.key", files::PRIVATE_KEY, &pkcs8);
            desk.profile(&app.origin, "signing_key = 'signing.key'");
            let said = desk.bank(&["doctor"]).await.done();
            has(line(&said, "signing"), &["ok"]);
            has(line(&said, "token"), &["ok"]);
        }
    });
}

/// A bank that meets a new key at the gateway.
#[test]
fn a_new_key_is_told_once() {
    block_on(async {
        let (app, _, desk) = ready().await;
        has(line(&desk.bank(&["doctor"]).await.done(), "keys"), &["ok", "3 published"]);
        medcredit::authority::keys::rotate(app.custody(), medcredit::authority::Purpose::AnswerSigning).await.unwrap();
        app.advance(Duration::from_secs(1)).await;
        has(line(&desk.bank(&["doctor"]).await.done(), "keys"), &["warning", "new since last time"]);
        has(line(&desk.bank(&["doctor"]).await.done(), "keys"), &["ok"]);
    });
}
