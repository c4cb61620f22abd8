//! `POST /v1/platforms/{platform}/receipts`: platforms report what they decided about rows, each about its own.

use medcredit::{
    access::{self, ClientKind, Delivers, SignedRequests, SigningChange},
    domain::permission::Scope,
    store::Arg,
};
use serde_json::{Value, json};

use super::signed::{SigningBank, signer_with};
use crate::{
    ledger::vandal::turn_back,
    support::{
        TestStore,
        app::{Bank, HOSPITAL, Reply, TestApp},
        both_engines, tester,
    },
};

/// A platform that publishes, and another one.
pub const PLATFORM: &str = "city-credit-platform";
const OTHER: &str = "enterprise-publicity";

/// Both get packages, into folders beside the configuration.
pub const PUSH: &str = "[push]\nevaluator_uscc = \"11330300MB1234A561\"\n\
    deliver_to = [\"city-credit-platform\", \"enterprise-publicity\"]";

/// A platform as a client.
pub async fn platform(app: &TestApp, id: &str) -> SigningBank {
    signer_with(app, id, |new| {
        new.kind = ClientKind::Platform;
        new.scopes = ClientKind::Platform.scopes();
        new.signed_requests = SignedRequests::Required;
        new.delivers = Delivers { platform: Some(id.to_owned()), ..Delivers::default() };
    })
    .await
}

/// Makes the packages of the round, and delivers them.
pub async fn deliver(app: &TestApp) {
    for id in [PLATFORM, OTHER] {
        std::fs::create_dir_all(app.path("outgoing").join(id)).unwrap();
    }
    std::fs::create_dir_all(app.path("platforms")).unwrap();
    app.app.catch_up().await.unwrap();
    app.app.make_packages().await;
    for id in [PLATFORM, OTHER] {
        let delivered = app.app.deliveries.deliver(id, &|| false, &|_| {}).await.unwrap();
        assert_eq!((delivered.dead, delivered.failed), (0, 0), "{delivered:?}");
    }
}

pub fn path(platform: &str) -> String {
    format!("/v1/platforms/{platform}/receipts")
}

/// A receipt of acceptance.
pub fn accepted(record: &str) -> Value {
    json!({ "record_id": record, "version": 1, "verdict": "accepted" })
}

async fn send(app: &TestApp, sender: &SigningBank, receipts: Value) -> Reply {
    sender.post(app, &path(PLATFORM), &json!({ "package": 1, "receipts": receipts })).await
}

/// The records of a platform, and the states of their rows.
async fn rows(app: &TestApp, platform: &str) -> Vec<(String, String)> {
    let sql = "SELECT record_id, state FROM push_rows WHERE platform = $1 ORDER BY record_id";
    app.store.db.read("test").fetch_all(sql, vec![Arg::Text(platform.into())]).await.unwrap()
}

/// The number of calls in the ledger.
async fn entries(app: &TestApp) -> i64 {
    let sql = "SELECT COUNT(*) FROM ledger_entries WHERE body LIKE '%receipts_reported%'";
    let (count,): (i64,) = app.store.db.read("test").fetch_one(sql, vec![]).await.unwrap();
    count
}

async fn started(store: TestStore) -> TestApp {
    let app = TestApp::start_with(store, PUSH).await;
    deliver(&app).await;
    app
}

both_engines! {
    a_platform_reports_receipts_until_its_package_closes,
    a_platform_reports_about_its_own_packages_only,
    every_call_is_signed_and_the_registration_stays_so,
    a_call_that_cannot_be_used_changes_nothing,
    no_receipt_is_taken_over_a_database_that_was_turned_back,
}

/// A platform reports some rows, is unsure whether its call arrived, and reports the rest.
async fn a_platform_reports_receipts_until_its_package_closes(store: TestStore) {
    let app = started(store).await;
    let sender = platform(&app, PLATFORM).await;
    let records: Vec<String> = rows(&app, PLATFORM).await.into_iter().map(|(record, _)| record).collect();
    let [first, second, rest @ ..] = records.as_slice() else { panic!("{records:?}") };
    assert!(!rest.is_empty());
    let some = json!([
        accepted(first),
        { "记录编号": second, "版本": "1", "结果": "驳回", "原因代码": "R02", "说明": "名称不一致" },
        { "record_id": rest[0], "verdict": "accepted" },
        accepted("wenzhou-951:2025-H2:H33030299999"),
    ]);
    let reply = send(&app, &sender, some.clone()).await;
    let unreadable = json!([{ "position": 2, "problem": "it has no version / 版本" }]);
    let applied = |accepted: u64, rejected: u64| json!({ "accepted": accepted, "rejected": rejected, "unreadable": unreadable, "package_closed": false });
    assert_eq!((reply.status, &reply.json), (200, &applied(1, 1)));
    let again = send(&app, &sender, some).await;
    assert_eq!((again.status, &again.json), (200, &applied(0, 0)), "repeated, it changes nothing");
    assert_eq!(entries(&app).await, 1, "and only the call that changed something is an entry");
    let rejected = app.app.deliveries.rejected(PLATFORM).await.unwrap();
    let [row] = rejected.as_slice() else { panic!("{rejected:?}") };
    assert_eq!((&row.record_id, row.reason.as_str(), row.note.as_deref()), (second, "R02", Some("名称不一致")));

    // What was rejected is accepted after all.
    let all: Vec<Value> = [second].into_iter().chain(rest).map(|record| accepted(record)).collect();
    let new = all.len();
    let reply = send(&app, &sender, all.clone().into()).await;
    assert_eq!(reply.json, json!({ "accepted": new, "rejected": 0, "unreadable": [], "package_closed": true }));
    let late = send(&app, &sender, json!([{ "record_id": first, "version": 1, "verdict": "rejected" }])).await;
    assert_eq!(late.json, json!({ "accepted": 0, "rejected": 0, "unreadable": [], "package_closed": true }));
    assert!(rows(&app, PLATFORM).await.iter().all(|(_, state)| state == "accepted"));
    let state = app.app.deliveries.state(PLATFORM).await.unwrap();
    assert_eq!((state.packages[0].state.as_str(), state.waiting), ("closed", 0));
    assert!(rows(&app, OTHER).await.iter().all(|(_, state)| state == "open"), "nobody answered for the other one");
}

/// A platform that reports for another one, and clients that are none.
async fn a_platform_reports_about_its_own_packages_only(store: TestStore) {
    let app = started(store).await;
    let other = platform(&app, OTHER).await;
    let records: Vec<Value> = rows(&app, PLATFORM).await.iter().map(|(record, _)| accepted(record)).collect();
    let foreign = send(&app, &other, records.clone().into()).await;
    let unknown = other.post(&app, &path("nobody"), &json!({ "package": 1, "receipts": records })).await;
    assert_eq!(foreign.refusal(), (404, "platform_not_found"));
    assert_eq!(foreign.json["detail"], unknown.json["detail"], "nobody learns which platforms there are");
    assert!(rows(&app, PLATFORM).await.iter().all(|(_, state)| state == "open"));
    // Its records have the same ids there, and are its own.
    let own = other.post(&app, &path(OTHER), &json!({ "package": 1, "receipts": records })).await;
    assert_eq!(own.json["package_closed"], true, "{:?}", own.json);
    assert!(rows(&app, PLATFORM).await.iter().all(|(_, state)| state == "open"));

    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let body = json!({ "package": 1, "receipts": records });
    assert_eq!(bank.post(&bank.token().await, &path(PLATFORM), &body).await.refusal(), (403, "insufficient_scope"));
    for read in [Bank::data(&consent, "grade"), "/v1/consents".to_owned()] {
        let refused = other.send(&app, "GET", &read, None, super::signed::Twist::default()).await;
        assert_eq!(refused.refusal(), (403, "insufficient_scope"), "{read}");
    }
    let asked = other.bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("scope", "grade:read")]);
    assert_eq!(asked.await.refusal(), (400, "invalid_scope"));
    assert_eq!(ClientKind::Platform.scopes(), [Scope::ReceiptsWrite]);
    assert!(!ClientKind::Bank.may_have(Scope::ReceiptsWrite) && !ClientKind::Department.may_have(Scope::ReceiptsWrite));
}

/// A platform without signatures, whose registration an operator would like to relax.
async fn every_call_is_signed_and_the_registration_stays_so(store: TestStore) {
    let app = started(store).await;
    let sender = platform(&app, PLATFORM).await;
    let body = json!({ "package": 1, "receipts": [accepted(HOSPITAL)] });
    let unsigned = sender.send_with("POST", &path(PLATFORM), Some(body.to_string().as_bytes()), None).await;
    assert_eq!(unsigned.refusal(), (401, "request_signature_required"));
    for way in [SignedRequests::Allowed, SignedRequests::Ignored] {
        let change = SigningChange { signed_requests: Some(way), jwks: None };
        let refused = access::change_signing(&app.store.env(), tester(), None, &sender.bank.id, change).await;
        assert!(refused.unwrap_err().public.contains("must be signed"), "{way}");
    }
    let listed = access::list(&app.store.db).await.unwrap();
    let registered = listed.iter().find(|client| client.id == sender.bank.id).unwrap();
    assert_eq!(registered.signed_requests, SignedRequests::Required);
    let own = Delivers { platform: Some("p".into()), ..Delivers::default() };
    let templates = Delivers { templates: vec!["records".into()], ..own.clone() };
    for (kind, signed_requests, delivers, problem) in [
        (ClientKind::Platform, SignedRequests::Ignored, own.clone(), "must be signed"),
        (ClientKind::Platform, SignedRequests::Required, Delivers::default(), "needs the id of its file"),
        (ClientKind::Platform, SignedRequests::Required, templates.clone(), "neither templates nor sources"),
        (ClientKind::Department, SignedRequests::Ignored, templates, "for no platform"),
        (ClientKind::Bank, SignedRequests::Ignored, own, "delivers nothing"),
    ] {
        let new = access::NewClient {
            name: "another".into(),
            kind,
            authority: app.authority,
            subject: "CN=another".into(),
            auth_methods: vec![access::AuthMethod::TlsClientAuth],
            jwks: None,
            signed_requests,
            scopes: kind.scopes(),
            limits: access::LimitOverrides::default(),
            delivers,
            max_pending: 1,
        };
        let refused = access::register(&app.store.env(), tester(), &new).await.unwrap_err();
        assert!(refused.public.contains(problem), "{kind}: {}", refused.public);
    }
}

/// A platform that sends too much, for a package that it never got, or in another form.
async fn a_call_that_cannot_be_used_changes_nothing(store: TestStore) {
    let app = started(store).await;
    let sender = platform(&app, PLATFORM).await;
    let own = path(PLATFORM);
    let record = rows(&app, PLATFORM).await.remove(0).0;
    let receipts = vec![accepted(&record); 1_001];
    let of = |package: i64, receipts: &[Value]| json!({ "package": package, "receipts": receipts });
    let many = sender.post(&app, &own, &of(1, &receipts)).await;
    assert_eq!(many.refusal(), (422, "too_many_rows"));
    for package in [0, 2, i64::MAX] {
        let unknown = sender.post(&app, &own, &of(package, &receipts[..1])).await;
        assert_eq!(unknown.refusal(), (404, "package_not_found"), "{package}");
    }
    for body in [
        json!([]),
        json!({ "package": 1 }),
        json!({ "package": "1", "receipts": [] }),
        json!({ "package": 1, "receipts": [], "x": 1 }),
    ] {
        assert_eq!(sender.post(&app, &own, &body).await.refusal(), (400, "invalid_request"), "{body}");
    }
    assert!(rows(&app, PLATFORM).await.iter().all(|(_, state)| state == "open"));
    // As many as are allowed, all the same.
    assert_eq!(sender.post(&app, &own, &of(1, &receipts[1..])).await.json["accepted"], 1);
}

/// A platform reports about rows of a package that a restored database does not have yet: it is to report again later (I9).
async fn no_receipt_is_taken_over_a_database_that_was_turned_back(store: TestStore) {
    let app = started(store).await;
    let sender = platform(&app, PLATFORM).await;
    let record = rows(&app, PLATFORM).await.remove(0).0;
    app.app.sealer.seal_once().await.unwrap();
    turn_back(&app.store, 1).await;
    app.app.catch_up().await.unwrap();
    let refused = send(&app, &sender, json!([accepted(&record)])).await;
    assert_eq!(refused.refusal(), (503, "history_behind"));
    assert!(refused.headers.contains_key("retry-after"));
    assert!(rows(&app, PLATFORM).await.iter().all(|(_, state)| state == "open"));
}
