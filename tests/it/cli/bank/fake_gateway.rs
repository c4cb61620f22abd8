//! Somebody who answers like a gateway and is none: its TLS is good, and one thing it says is not.

use std::sync::Arc;

use medcredit::{
    authority::files,
    domain::{ManualClock, Timestamp},
    identity::{
        Jwk, KeyPair, Signer as _, Suite,
        signature::{Covered, RequestFacts, content_digest, sign},
        tls,
    },
    ledger::Receipt,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::BankMachine;
use crate::support::pki::{CertificateSpec, NOW, TestCa, trust};

/// What it lies about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    None,
    Body,
    Digest,
    Target,
    Receipt,
    Key,
    /// Its token key signs the answer.
    Purpose,
    /// It does not say what its key is for.
    NoPurpose,
    Disclosure,
    Unsigned,
    Escapes,
    /// It saw another certificate.
    Thumbprint,
}

pub(super) struct FakeGateway {
    machine: BankMachine,
}

impl FakeGateway {
    /// One whose certificate is for `localhost`.
    pub(super) async fn start(lie: Lie) -> Self {
        Self::with(lie, CertificateSpec::server(2)).await
    }

    /// One whose certificate is for another name.
    pub(super) async fn named(host: &str) -> Self {
        Self::with(Lie::None, CertificateSpec { hosts: vec![host.into()], ..CertificateSpec::server(2) }).await
    }

    async fn with(lie: Lie, wanted: CertificateSpec) -> Self {
        let (servers, banks) = (TestCa::root("servers"), TestCa::root("banks"));
        let clock = ManualClock::new(NOW);
        let trust = Arc::new(trust(1, vec![banks.anchor(vec![banks.list(&[])])]));
        let mut config = tls::server_config(trust, servers.issue(&wanted).certified(), clock.clone()).unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", socket.local_addr().unwrap().port());
        let machine = BankMachine { directory: tempfile::tempdir().unwrap(), clock };
        let bank = banks.bank("bank-a", 7);
        machine.put("ca.pem", files::CERTIFICATE, &servers.certificate);
        machine.put("bank.pem", files::CERTIFICATE, &bank.chain[0]);
        machine.put("bank.key", files::PRIVATE_KEY, &bank.key);
        machine.profile(&origin, "");
        let key = Arc::new(KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap());
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let (acceptor, key, origin) = (acceptor.clone(), key.clone(), origin.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut asked = Vec::new();
                    let mut byte = [0];
                    while !asked.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).await.is_ok() {
                        asked.push(byte[0]);
                    }
                    let asked = String::from_utf8_lossy(&asked).into_owned();
                    let path = asked.split(' ').nth(1).unwrap_or_default();
                    let answer = answer(lie, &origin, path, &key);
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { machine }
    }

    pub(super) const fn machine(&self) -> &BankMachine {
        &self.machine
    }
}

fn reply(headers: &[(&str, String)], body: &str) -> String {
    let mut text = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{text}\r\n{body}")
}

fn answer(lie: Lie, origin: &str, path: &str, key: &KeyPair) -> String {
    let json = |value: Value| reply(&[("content-type", "application/json".into())], &value.to_string());
    match path {
        "/oauth2/token" => json(json!({ "access_token": "t", "expires_in": 300, "scope": "grade:read" })),
        "/.well-known/jwks.json" => {
            let other = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
            let shown = if lie == Lie::Key { other.public_key() } else { key.public_key() };
            let purpose = match lie {
                Lie::Purpose => Some("token_signing".to_owned()),
                Lie::NoPurpose => None,
                _ => Some("answer_signing".to_owned()),
            };
            json(json!({ "keys": [Jwk { purpose, ..shown.jwk() }] }))
        }
        "/v1/whoami" => json(json!({
            "client": { "id": "cli_1", "name": "bank", "auth_methods": [], "scopes": [] },
            "connection": { "thumbprint": "somebody-elses" }, "server_time": NOW,
        })),
        _ => grade(lie, origin, path, key),
    }
}

fn grade(lie: Lie, origin: &str, path: &str, key: &KeyPair) -> String {
    let disclosure = "dis_06fzgvc5pqyd2m8s4tbn0xke71";
    let of = if lie == Lie::Disclosure { "dis_06fzgvc5pqyd2m8s4tbn0xke72" } else { disclosure };
    let name = if lie == Lie::Escapes { "\u{1b}[2Jexcellent" } else { "excellent" };
    let body = json!({
        "disclosure": disclosure, "consent": "con_06fzgv9a41wdkxs8q2e7mtb3rc", "purpose": "loan_approval", "uscc": "X",
        "codes": [{ "code": "H1", "name": "N", "status": "graded",
            "grade": { "scheme": "s", "code": "c", "name": name } }], "notice": "政务信息",
    })
    .to_string();
    let digest = content_digest(body.as_bytes());
    let receipt = |id: &str, leaf: u8| {
        let by = Timestamp::from_seconds(NOW.seconds() + 60);
        let receipt = Receipt { id: id.into(), leaf: [leaf; 32], log: "localhost/ledger/1".into(), by };
        receipt.to_header().unwrap().to_str().unwrap().to_owned()
    };
    let (signed_receipt, signed_target) = (receipt(of, 7), format!("{origin}{path}"));
    let covered = Covered {
        status: 200,
        content_digest: &digest,
        interaction_id: "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90",
        disclosure: &signed_receipt,
        request: RequestFacts {
            method: "GET",
            target_uri: if lie == Lie::Target { "https://localhost/else" } else { &signed_target },
            digest: None,
            signature: None,
        },
    };
    let fields = sign(&covered, key, NOW).unwrap();
    let body = match lie {
        Lie::Body | Lie::Digest => body.replace("\"X\"", "\"Y\""),
        _ => body,
    };
    let mut headers = vec![
        ("content-digest", if lie == Lie::Digest { content_digest(body.as_bytes()) } else { digest.clone() }),
        ("x-fapi-interaction-id", covered.interaction_id.to_owned()),
        ("medcredit-disclosure", if lie == Lie::Receipt { receipt(of, 8) } else { signed_receipt.clone() }),
        ("signature-input", fields.input),
    ];
    if lie != Lie::Unsigned {
        headers.push(("signature", fields.signature));
    }
    reply(&headers, &body)
}
