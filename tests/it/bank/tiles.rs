//! `GET /v1/ledger/tile/...`: the tree as banks and auditors compute it, from bytes alone.

use medcredit::{
    access::{self, ClientKind},
    domain::permission::Scope,
    ledger::{self, Action, Change},
    merkle::{Edge, Hash, leaf_hash},
};

use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

/// Fills the log with some operators' entries and seals it; returns the checkpoint's size and root.
pub async fn grow(app: &TestApp, count: usize) -> (u64, Hash) {
    let mut tx = app.store.db.begin("test").await.unwrap();
    for number in 0..count {
        let change = Change::of(serde_json::json!({ "number": number }));
        let env = app.store.env();
        ledger::audit(&mut tx, &env, crate::support::tester(), Action::ClientSuspended, None, change).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut sealed = app.app.sealer.seal_once().await.unwrap().unwrap();
    // A round takes a part of many.
    while let Some(more) = app.app.sealer.seal_once().await.unwrap() {
        sealed = more;
    }
    (sealed.size, sealed.root)
}

/// A registered auditor.
async fn auditor(app: &TestApp) -> Bank {
    app.bank_with("Auditor", |new| {
        new.kind = ClientKind::Auditor;
        new.scopes = ClientKind::Auditor.scopes();
    })
    .await
}

both_engines! {
    the_root_is_computed_from_tiles_alone,
    an_auditor_reads_every_entry_and_finds_no_opening_in_it,
    a_bank_gets_no_entries,
    nobody_is_registered_for_both_entries_and_data,
}

/// A bank that follows the log.
async fn the_root_is_computed_from_tiles_alone(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let early = bank.send(bank.http.get(bank.url("/v1/ledger/tile/0/000"))).await;
    assert_eq!(early.refusal(), (404, "tile_not_found"), "nothing is sealed");
    let (size, root) = grow(&app, 300).await;
    let get = |path: String| bank.send(bank.http.get(bank.url(&format!("/v1/ledger/tile/{path}"))));
    let full = get("0/000".into()).await;
    assert_eq!((full.status, full.bytes.len()), (200, 8192));
    assert_eq!(full.headers["content-type"], "application/octet-stream");
    assert_eq!(full.headers["cache-control"], "public, max-age=31536000, immutable");
    let width = size - 256;
    let partial = get(format!("0/001.p/{width}")).await;
    assert_eq!(partial.headers["cache-control"], "public, max-age=60");
    let mut edge = Edge::default();
    for hash in [full.bytes.clone(), partial.bytes].concat().as_chunks::<32>().0 {
        edge.push(*hash);
    }
    assert_eq!((edge.size(), edge.root()), (size, root));
    // A client that encodes what stands in a path.
    assert_eq!(get("0%2F000".into()).await.bytes, full.bytes);
    for name in [
        "0/001".to_owned(),
        format!("0/001.p/{}", width + 1),
        "0/0".into(),
        "0/x000/000".into(),
        "0/000.p/256".into(),
        "8/000".into(),
        "0".into(),
        "a/b".into(),
        "0/000/".into(),
    ] {
        let refused = get(name.clone()).await;
        assert_eq!(refused.refusal(), (404, "tile_not_found"), "{name}");
        assert_eq!(refused.headers["cache-control"], "no-store", "{name}: what is not there yet may be there soon");
    }
}

/// An auditor.
async fn an_auditor_reads_every_entry_and_finds_no_opening_in_it(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let read = bank.get(&bank.token().await, &Bank::data(&consent, "grade")).await;
    assert_eq!(read.status, 200);
    let auditor = auditor(&app).await;
    let token = auditor.token().await;
    let (size, _) = grow(&app, 1).await;
    let leaves = auditor.get(&token, &format!("/v1/ledger/tile/0/000.p/{size}")).await;
    let bundle = auditor.get(&token, &format!("/v1/ledger/tile/entries/000.p/{size}")).await;
    assert_eq!(bundle.status, 200, "{:?}", bundle.json);
    assert_eq!(bundle.headers["cache-control"], "private, max-age=60");
    let (mut rest, mut hashes, mut texts) = (bundle.bytes.as_slice(), Vec::new(), Vec::new());
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let (entry, more) = more.split_at(usize::from(u16::from_be_bytes(*length)));
        hashes.extend(leaf_hash(entry));
        texts.push(String::from_utf8(entry.to_vec()).unwrap());
        rest = more;
    }
    assert_eq!(hashes, leaves.bytes, "the entries are those the tree is made of");
    assert!(texts.iter().any(|text| text.contains(r#""type":"disclosure""#)));
    for secret in [bank.id.to_string(), consent.id.to_string(), crate::support::app::HOSPITAL.to_owned(), "salt".into()]
    {
        assert!(!texts.iter().any(|text| text.contains(&secret)), "{secret} stands in an entry");
    }
    let beyond = auditor.get(&token, &format!("/v1/ledger/tile/entries/000.p/{}", size + 1)).await;
    assert_eq!(beyond.refusal(), (404, "tile_not_found"));
    // I4: an auditor reads no subject's data.
    assert_eq!(auditor.get(&token, &Bank::data(&consent, "grade")).await.refusal(), (403, "insufficient_scope"));
}

/// A bank that would like to see what others read.
async fn a_bank_gets_no_entries(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    grow(&app, 1).await;
    assert_eq!(
        bank.get(&bank.token().await, "/v1/ledger/tile/entries/000.p/1").await.refusal(),
        (403, "insufficient_scope")
    );
    let wished = bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("scope", "ledger:audit")]).await;
    assert_eq!(wished.refusal(), (400, "invalid_scope"));
}

/// An operator who registers.
async fn nobody_is_registered_for_both_entries_and_data(store: TestStore) {
    let app = TestApp::start(store).await;
    for (kind, scopes) in [
        (ClientKind::Bank, vec![Scope::GradeRead, Scope::LedgerAudit]),
        (ClientKind::Department, vec![Scope::LedgerAudit]),
        (ClientKind::Auditor, vec![Scope::LedgerAudit, Scope::GradeRead]),
    ] {
        let new = access::NewClient {
            name: kind.to_string(),
            kind,
            authority: app.authority,
            subject: "CN=x".into(),
            auth_methods: vec![access::AuthMethod::TlsClientAuth],
            jwks: None,
            signed_requests: access::SignedRequests::Ignored,
            scopes,
            limits: access::LimitOverrides::default(),
            delivers: access::Delivers::default(),
            max_pending: 1,
        };
        let refused = access::register(&app.store.env(), crate::support::tester(), &new).await.unwrap_err();
        assert!(refused.public.contains("cannot have the scope"), "{}", refused.public);
    }
}
