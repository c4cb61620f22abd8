//! Bodies of requests in memory: never before their sender is proved, and within a budget with a share for each client.

use std::{sync::Arc, time::Duration};

use medcredit::{
    access::{self, SignedRequests},
    identity::signature::content_digest,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::imports::department;
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

const MIB: usize = 1024 * 1024;
const SOURCE: &str = "市场监管局";

/// A request whose body the test sends by hand, or not at all.
struct Sending(TlsStream<TcpStream>);

impl Sending {
    /// Connects and sends the header of a POST, without any of its body.
    async fn begin(app: &TestApp, sender: &Bank, path: &str, fields: &str) -> Self {
        let config = app.tls(&sender.certificate, &sender.key, &["http/1.1"]);
        let address = app.origin.replace("https://localhost", "127.0.0.1");
        let stream = TcpStream::connect(address).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// The same for an upload.
    async fn upload(app: &TestApp, sender: &Bank, token: &str, fields: &str) -> Self {
        let fields = format!("authorization: Bearer {token}\r\ncontent-type: text/csv\r\n{fields}");
        Self::begin(app, sender, "/v1/imports/records", &fields).await
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The header and the problem of the answer, which must come within the time that a body may take.
    async fn answer(&mut self) -> (String, Value) {
        let read = async {
            let mut bytes = Vec::new();
            loop {
                let text = String::from_utf8_lossy(&bytes);
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
                    if body.len() >= length.parse().unwrap() {
                        return (head.to_owned(), serde_json::from_str(body).unwrap());
                    }
                }
                assert!(self.0.read_buf(&mut bytes).await.unwrap() > 0, "the connection ended: {bytes:?}");
            }
        };
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer before the body")
    }

    /// Status and code of the answer.
    async fn refusal(mut self) -> (u16, String) {
        let (head, problem) = self.answer().await;
        let code = problem["code"].as_str().or_else(|| problem["error"].as_str()).unwrap_or_default();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), code.to_owned())
    }
}

/// Waits until this many bytes of bodies are counted.
async fn held(app: &TestApp, bytes: usize) {
    for _ in 0..500 {
        if app.app.buffered_bytes.held() == bytes {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} bytes are held and not {bytes}", app.app.buffered_bytes.held());
}

both_engines! {
    nobody_unproved_has_a_body_in_memory,
    bodies_have_a_budget_and_each_client_a_share,
    a_digest_and_a_signature_are_verified_whatever_length_is_stated,
}

/// Callers that announce 8 MiB with a digest and send nothing: each is refused for what it is, not for its body.
async fn nobody_unproved_has_a_body_in_memory(store: TestStore) {
    let app = TestApp::start(store).await;
    let sender = department(&app, "Market supervision", &["records"], &[SOURCE]).await;
    let token = sender.token().await;
    let bank = app.bank("Bank A").await;
    let mut nobody = sender.clone();
    (nobody.certificate, nobody.key) = app.certificate("Nobody").await;
    let body = format!("content-length: {}\r\ncontent-digest: {}\r\n", 8 * MIB, content_digest(b"other"));
    let upload = async |sender: &Bank, token: &str| Sending::upload(&app, sender, token, &body).await.refusal().await;
    let refused = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(upload(&nobody, &token).await, refused(401, "invalid_token"), "a certificate of no client");
    assert_eq!(upload(&bank, &token).await, refused(401, "invalid_token"), "a token of another client");
    assert_eq!(upload(&sender, "nonsense").await, refused(401, "invalid_token"));
    assert_eq!(upload(&bank, &bank.token().await).await, refused(403, "insufficient_scope"));
    let form = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 262144\r\n";
    for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"] {
        let sending = Sending::begin(&app, &nobody, path, form).await;
        assert_eq!(sending.refusal().await, refused(401, "invalid_client"), "{path}");
    }
    let often = app.bank_with("Often", |new| new.limits.0 = [("burst".to_owned(), 1)].into()).await;
    let requested = format!("authorization: Bearer {}\r\ncontent-type: application/json\r\n", often.token().await);
    let requested = requested + &body.replace(&(8 * MIB).to_string(), "262144");
    let sending = Sending::begin(&app, &often, "/v1/consents", &requested).await;
    assert_eq!(sending.refusal().await, refused(429, "rate_limited"));
    let signs = app
        .bank_with("Signs", |new| {
            new.jwks = Some(super::signed::jwks(&super::signed::key()));
            new.signed_requests = SignedRequests::Required;
        })
        .await;
    let unsigned = format!(
        "authorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 262144\r\n\
         signature-input: a=();tag=\"x\"\r\n",
        signs.token().await
    );
    let sending = Sending::begin(&app, &signs, "/v1/consents", &unsigned).await;
    assert_eq!(sending.refusal().await.0, 401, "its signature is refused by the header alone");
    access::suspend(&app.store.env(), crate::support::tester(), None, &sender.id).await.unwrap();
    assert_eq!(upload(&sender, &token).await, refused(401, "invalid_token"), "a client suspended a moment ago");
    assert_eq!(app.app.buffered_bytes.held(), 0);
}

/// Departments that begin to upload 1 MiB each, where all may hold 2 MiB.
async fn bodies_have_a_budget_and_each_client_a_share(store: TestStore) {
    let settings = format!(
        "[partner]\nmax_buffered_bytes = {}\nmax_buffered_bytes_per_client = {MIB}\n[imports]\nmax_bytes = {MIB}",
        2 * MIB
    );
    let app = TestApp::start_with(store, &settings).await;
    let mut senders = Vec::new();
    for name in ["A", "B", "C"] {
        let sender = department(&app, name, &["records"], &[SOURCE]).await;
        let token = sender.token().await;
        senders.push((sender, token));
    }
    held(&app, 0).await;
    let begin = async |nth: usize, length: usize| {
        let (sender, token) = &senders[nth];
        Sending::upload(&app, sender, token, &format!("content-length: {length}\r\n")).await
    };
    let of_a = begin(0, MIB).await;
    held(&app, MIB).await;
    let mut beyond = begin(0, 1).await;
    let (head, problem) = beyond.answer().await;
    assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("retry-after: 5"), "{head}");
    assert_eq!(
        (&problem["code"], &problem["violated-policies"][0]),
        (&"body_share_used_up".into(), &"buffered-bytes".into())
    );
    let mut of_b = begin(1, MIB).await;
    held(&app, 2 * MIB).await;
    let mut late = begin(2, 1).await;
    let (head, problem) = late.answer().await;
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 5"), "{head}");
    assert_eq!(problem["code"], "body_budget_used_up");
    // A form counts too.
    let form = senders[2].0.form("/oauth2/token", &[("grant_type", "client_credentials")]).await;
    assert_eq!(form.refusal(), (503, "temporarily_unavailable"));
    assert_eq!(form.headers["retry-after"], "5");
    // A client that is gone no longer holds anything.
    drop(of_a);
    held(&app, MIB).await;
    // Without a length, bytes count as they arrive.
    let (sender, token) = &senders[2];
    let mut chunked = Sending::upload(&app, sender, token, "transfer-encoding: chunked\r\n").await;
    let chunk = |bytes: usize| format!("{bytes:x}\r\n{}\r\n", "x".repeat(bytes));
    chunked.send(chunk(MIB / 2).as_bytes()).await;
    held(&app, MIB + MIB / 2).await;
    let half = begin(0, MIB / 2).await;
    held(&app, 2 * MIB).await;
    chunked.send(chunk(1).as_bytes()).await;
    assert_eq!(chunked.refusal().await, (503, "body_budget_used_up".to_owned()));
    drop(half);
    held(&app, MIB).await;
    // A body that was begun ends as any other: with an answer about what is in it.
    of_b.send(&vec![b'x'; MIB]).await;
    let (head, problem) = of_b.answer().await;
    assert!(head.starts_with("HTTP/1.1 422 "), "{head}: {problem}");
    held(&app, 0).await;
}

/// Banks that state no length: the digest of what arrives is verified, and a signature without one covers no content.
async fn a_digest_and_a_signature_are_verified_whatever_length_is_stated(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let fields = |digest: &str, token: &str| {
        format!(
            "authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-digest: {digest}\r\n\
             transfer-encoding: chunked\r\n"
        )
    };
    let body = super::content::consent_request();
    let token = bank.token().await;
    for (digest, expected) in [(content_digest(&body), 201), (content_digest(b"other"), 400)] {
        let mut sending = Sending::begin(&app, &bank, "/v1/consents", &fields(&digest, &token)).await;
        for part in body.chunks(40) {
            sending.send(&[format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat()).await;
        }
        sending.send(b"0\r\n\r\n").await;
        let (head, answer) = sending.answer().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {expected} ")), "{head}: {answer}");
    }
    // A request that takes no content is verified as well.
    let request = bank.http.get(bank.url("/v1/consents")).bearer_auth(&token);
    let request = request.header("content-digest", content_digest(b"other")).body("x");
    assert_eq!(bank.send(request).await.refusal(), (400, "content_digest_mismatch"));
    let signer = super::signed::signer(&app, "Bank B", SignedRequests::Required).await;
    for (body, expected) in [(&b""[..], None), (b"x", Some("request_signature_incomplete"))] {
        let fields = signer.fields(&app, "POST", "/v1/consents", None, &super::signed::Twist::default());
        let fields = format!(
            "authorization: Bearer {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\
             signature-input: {}\r\nsignature: {}\r\n",
            signer.token, fields.input, fields.signature
        );
        let mut sending = Sending::begin(&app, &signer.bank, "/v1/consents", &fields).await;
        if !body.is_empty() {
            sending.send(b"1\r\nx\r\n").await;
        }
        sending.send(b"0\r\n\r\n").await;
        let (status, code) = sending.refusal().await;
        match expected {
            Some(expected) => assert_eq!((status, &*code), (401, expected)),
            // The signature is right; what is wrong is that there is no JSON.
            None => assert_eq!((status, &*code), (400, "invalid_request")),
        }
    }
}
