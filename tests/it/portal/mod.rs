//! The portal listener, for clients without certificate and token.

use std::time::Duration;

use medcredit::{
    authority::{ProfileName, ProfileValues, Purpose, certificates, files, keys, server},
    identity::CertificateFacts,
    merkle::{Checkpoint, Edge, VerifierKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    bank::tiles::grow,
    support::{
        TestStore,
        app::{Public, TestApp},
        both_engines,
    },
};

/// Starts a gateway with a portal.
async fn open(store: TestStore, settings: &str) -> (TestApp, Public) {
    let mut app = TestApp::start_with(store, &format!("[portal]\nenabled = true\n{settings}")).await;
    let public = app.open_portal().await;
    (app, public)
}

fn verifiers(log: &serde_json::Value) -> Vec<VerifierKey> {
    let keys = log["keys"].as_array().unwrap().iter();
    keys.filter_map(|key| key["verifier"].as_str()).map(|text| text.parse().unwrap()).collect()
}

both_engines! {
    the_log_is_verified_with_nothing_but_the_portal,
    a_key_stays_in_the_log_with_its_times,
    the_portal_serves_nothing_else,
    responses_have_cors_and_security_headers,
    an_address_is_limited_and_gets_retry_after,
    a_new_certificate_is_loaded_and_a_mismatched_one_is_not,
    framing_and_connection_limits_are_as_strict_as_the_partners,
}

async fn the_log_is_verified_with_nothing_but_the_portal(store: TestStore) {
    let (app, public) = open(store, "").await;
    assert_eq!(public.get("/ledger/checkpoint").await.refusal(), (404, "checkpoint_not_found"));
    let (size, _) = grow(&app, 300).await;
    let note = public.get("/ledger/checkpoint").await;
    assert_eq!((note.status, &*note.headers["cache-control"]), (200, "public, max-age=1"));
    let keys = public.get("/ledger/keys").await;
    assert_eq!(keys.headers["cache-control"], "public, max-age=300");
    let checkpoint = Checkpoint::open(std::str::from_utf8(&note.bytes).unwrap(), &verifiers(&keys.json)).unwrap();
    assert_eq!((checkpoint.size, checkpoint.origin.as_str()), (size, keys.json["log"].as_str().unwrap()));
    let mut edge = Edge::default();
    for name in ["000".to_owned(), format!("001.p/{}", size - 256)] {
        let tile = public.get(&format!("/ledger/tile/0/{name}")).await;
        assert_eq!(tile.status, 200, "{name}");
        for hash in tile.bytes.as_chunks::<32>().0 {
            edge.push(*hash);
        }
    }
    assert_eq!(edge.root(), checkpoint.root);
    assert_eq!(public.get("/ledger/tile/0/002").await.refusal(), (404, "tile_not_found"));
    // Entries are for auditors: here no tile has this name.
    for name in ["entries/000", "entries/000.p/1"] {
        assert_eq!(public.get(&format!("/ledger/tile/{name}")).await.refusal(), (404, "tile_not_found"));
    }
}

/// A bank finds the key of a response that it stored long ago.
async fn a_key_stays_in_the_log_with_its_times(store: TestStore) {
    let (app, public) = open(store, "").await;
    let first = public.get("/ledger/keys").await.json;
    let of = |log: &serde_json::Value, purpose: &str| -> Vec<serde_json::Value> {
        log["keys"].as_array().unwrap().iter().filter(|key| key["purpose"] == purpose).cloned().collect()
    };
    for purpose in ["token_signing", "answer_signing", "ledger_signing"] {
        let [key] = &of(&first, purpose)[..] else { panic!("{first}") };
        assert_eq!((key["status"].as_str(), key.get("until")), (Some("active"), None));
        assert_eq!(key.get("verifier").is_some(), purpose == "ledger_signing");
        assert!(key["jwk"].get("d").is_none(), "a private key: {key}");
    }
    assert!(of(&first, "authority").is_empty(), "an authority's key is in its certificate");
    app.advance(Duration::from_secs(60)).await;
    keys::rotate(app.custody(), Purpose::AnswerSigning).await.unwrap();
    let made = keys::rotate(app.custody(), Purpose::LedgerSigning).await.unwrap();
    app.advance(Duration::from_secs(60)).await;
    keys::revoke(app.custody(), made.id, "a test").await.unwrap();
    app.advance(Duration::from_secs(1)).await;
    let log = public.get("/ledger/keys").await.json;
    let answer = of(&log, "answer_signing");
    assert_eq!(answer[0]["kid"], of(&first, "answer_signing")[0]["kid"], "oldest first");
    assert_eq!((answer[0]["status"].as_str(), &answer[0]["until"]), (Some("retired"), &answer[1]["from"]));
    let ledger = of(&log, "ledger_signing");
    let states: Vec<_> = ledger.iter().map(|key| key["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["retired", "revoked", "active"]);
    assert_eq!(ledger[1]["revoked_at"], ledger[2]["from"]);
    assert_eq!(verifiers(&log).len(), 3);
    let jwks = public.get("/.well-known/jwks.json").await.json;
    let published: Vec<_> = jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    assert!(published.contains(&ledger[0]["kid"]) && !published.contains(&ledger[1]["kid"]), "{jwks}");
    // A bank finds the same on its own listener, and the portal in the metadata.
    let bank = app.bank("Bank A").await;
    let same = bank.send(bank.http.get(bank.url("/v1/ledger/keys"))).await;
    assert_eq!(same.json, log);
    let metadata = bank.send(bank.http.get(bank.url("/.well-known/oauth-protected-resource"))).await;
    assert_eq!(metadata.json["medcredit_portal"], "https://localhost:8445");
}

async fn the_portal_serves_nothing_else(store: TestStore) {
    let (app, public) = open(store, "").await;
    let index = public.get("/").await;
    assert!(String::from_utf8(index.bytes).unwrap().contains("/ledger/checkpoint"));
    let token = app.bank("Bank A").await.token().await;
    for path in [
        "/v1/whoami",
        "/v1/consents",
        "/v1/schemes",
        "/v1/ledger/checkpoint",
        "/v1/ledger/tile/entries/000",
        "/oauth2/token",
        "/metrics",
    ] {
        let refused = public.send(public.http.get(public.url(path)).bearer_auth(&token)).await;
        assert_eq!(refused.refusal(), (404, "route_not_found"), "{path}");
    }
    for method in [http::Method::POST, http::Method::PUT, http::Method::DELETE] {
        let refused = public.send(public.http.request(method, public.url("/ledger/checkpoint"))).await;
        assert_eq!(refused.refusal(), (405, "method_not_allowed"));
        assert_eq!(refused.headers["allow"], "GET,HEAD");
    }
    let body = public.send(public.http.get(public.url("/ledger/checkpoint")).body("x")).await;
    assert_eq!(body.refusal(), (413, "body_too_large"));
}

/// A script of another origin, in a browser.
async fn responses_have_cors_and_security_headers(store: TestStore) {
    let (_app, public) = open(store, "public_origin = \"https://credit.example.gov.cn\"").await;
    for path in ["/ledger/keys", "/ledger/tile/0/000", "/nothing"] {
        let answer = public.send(public.http.get(public.url(path)).header("origin", "https://elsewhere.example")).await;
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(answer.headers.get(name).map(String::as_str), Some(value), "{path}");
        }
        assert!(
            !answer.headers.contains_key("access-control-allow-credentials")
                && !answer.headers.contains_key("set-cookie")
        );
        assert!(answer.headers.contains_key("x-fapi-interaction-id"));
    }
    let preflight = public
        .http
        .request(http::Method::OPTIONS, public.url("/ledger/keys"))
        .header("access-control-request-method", "GET");
    let reply = public.send(preflight).await;
    assert_eq!((reply.status, &*reply.headers["access-control-allow-methods"]), (204, "GET, HEAD"));
    let head = public.send(public.http.head(public.url("/ledger/keys"))).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
}

async fn an_address_is_limited_and_gets_retry_after(store: TestStore) {
    let (app, public) = open(store, "per_address = { quota = 5, window_seconds = 60 }").await;
    for left in (0..5).rev() {
        let answer = public.get("/ledger/keys").await;
        assert_eq!(answer.headers["ratelimit-policy"], "\"address\";q=5;w=60");
        assert!(answer.headers["ratelimit"].starts_with(&format!("\"address\";r={left};")), "{:?}", answer.headers);
    }
    let refused = public.get("/nothing").await;
    assert_eq!(refused.refusal(), (429, "rate_limited"));
    assert_eq!((&*refused.headers["retry-after"], &refused.json["violated-policies"][0]), ("12", &"address".into()));
    assert_eq!(refused.headers["access-control-allow-origin"], "*");
    app.store.clock.advance(Duration::from_secs(12));
    assert_eq!(public.get("/ledger/keys").await.status, 200);
    // Banks have quotas of their own.
    assert_eq!(app.bank("Bank A").await.token().await.split('.').count(), 3);
}

async fn a_new_certificate_is_loaded_and_a_mismatched_one_is_not(store: TestStore) {
    let (app, public) = open(store, "").await;
    let server = &app.app.portal.as_ref().unwrap().server;
    assert!(!server.refresh().await);
    let mut profile_values = ProfileValues::default();
    for place in ["name", "organization"] {
        profile_values.subject.insert(place.into(), "portal".into());
    }
    profile_values.hosts = vec!["localhost".into()];
    let request =
        certificates::Request { profile: ProfileName::Server, values: &profile_values, signing_request: None };
    let issued = certificates::issue(app.custody(), &request).await.unwrap();
    let partner = &app.app.config.partner;
    files::write_public(&partner.certificate_file, files::to_pem("CERTIFICATE", &issued.certificate).as_bytes())
        .unwrap();
    assert!(!server.refresh().await, "its key is not in place yet");
    assert_eq!(public.get("/ledger/keys").await.status, 200, "the former one stays in use");
    let facts = CertificateFacts::read(&issued.certificate).unwrap();
    let sealed = server::seal(&app.custody().crypter, &facts, &issued.private_key.unwrap()).unwrap();
    files::write_private(&partner.key_file, sealed.as_bytes()).unwrap();
    assert!(server.refresh().await);
    let again = app.connect_publicly();
    assert_eq!(again.get(public.url("/ledger/keys")).send().await.unwrap().status(), 200);
}

async fn framing_and_connection_limits_are_as_strict_as_the_partners(store: TestStore) {
    let (app, public) = open(store, "max_connections_per_address = 2").await;
    let address = public.origin.strip_prefix("https://").unwrap().to_owned();
    let connect = || async {
        let stream = TcpStream::connect(address.replace("localhost", "127.0.0.1")).await?;
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        tokio_rustls::TlsConnector::from(app.public_tls(&["http/1.1"])).connect(name, stream).await
    };
    let mut smuggler = connect().await.unwrap();
    smuggler
        .write_all(b"POST /ledger/keys HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    let _ = smuggler.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let mut held = Vec::new();
    let mut refused = 0;
    for _ in 0..4 {
        // A connection beyond the limit is closed, before or after the client's handshake ends.
        match connect().await {
            Ok(mut stream) => {
                let sent = stream.write_all(b"GET /ledger/keys HTTP/1.1\r\nhost: x\r\n\r\n").await;
                let mut first = [0; 12];
                match stream.read_exact(&mut first).await {
                    Ok(_) if sent.is_ok() => held.push(stream),
                    _ => refused += 1,
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert_eq!((held.len(), refused), (2, 2));
}
