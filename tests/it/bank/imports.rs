//! `POST /v1/imports/{template}`: departments' systems send files, each only its own.

use medcredit::{
    access::{self, ClientKind, Delivers},
    domain::permission::Scope,
    store::imports,
};

use crate::support::{
    TestStore,
    app::{Bank, HOSPITAL, Reply, TestApp},
    both_engines,
};

pub const HEADER: &str = "subject_code,measure,value,occurred_on,source,reference\n";

pub fn facts(source: &str, references: std::ops::Range<u32>) -> String {
    references.map(|nth| format!("{HOSPITAL},insurance_commendation,1,2026-01-05,{source},{nth}\n")).collect()
}

pub async fn department(app: &TestApp, name: &str, templates: &[&str], sources: &[&str]) -> Bank {
    app.bank_with(name, |new| {
        new.kind = ClientKind::Department;
        new.scopes = ClientKind::Department.scopes();
        new.delivers = Delivers {
            templates: templates.iter().map(|template| (*template).to_owned()).collect(),
            sources: std::sync::Arc::new(sources.iter().map(|source| (*source).to_owned()).collect()),
            platform: None,
        };
    })
    .await
}

async fn send(sender: &Bank, token: &str, template: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    let request = sender.http.post(sender.url(&format!("/v1/imports/{template}")));
    sender.send(request.bearer_auth(token).header("content-type", media_type).body(body.into())).await
}

pub async fn csv(sender: &Bank, token: &str, template: &str, body: &str) -> Reply {
    send(sender, token, template, "text/csv", body).await
}

/// The bodies of all entries about accepted imports.
async fn import_entries(app: &TestApp) -> Vec<String> {
    let sql = "SELECT body FROM ledger_entries WHERE type = 'operator'";
    let bodies: Vec<(String,)> = app.store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
    bodies.into_iter().map(|(body,)| body).filter(|body| body.contains("import_accepted")).collect()
}

both_engines! {
    a_department_delivers_and_gets_a_report_of_every_rejected_row,
    banks_do_not_deliver_and_departments_do_not_read,
    each_file_that_cannot_be_imported_has_its_own_refusal,
    concurrent_imports_run_one_after_the_other,
    nothing_is_accepted_from_a_sender_that_is_suspended_meanwhile,
}

/// A market supervision bureau sends its commendations, some rows of which are wrong, and reads the report again.
async fn a_department_delivers_and_gets_a_report_of_every_rejected_row(store: TestStore) {
    let app = TestApp::start(store).await;
    // An operator imported the subjects and their months.
    let entries_before = import_entries(&app).await.len();
    let sender = department(&app, "Market supervision", &["records"], &["市场监管局"]).await;
    let token = sender.token().await;
    let body = format!(
        "{HEADER}{}{HOSPITAL},nothing,1,2026-01-05,市场监管局,x\n{}",
        facts("市场监管局", 0..3),
        facts("医保局", 9..10)
    );
    let reply = csv(&sender, &token, "records", &body).await;
    assert_eq!(reply.status, 201, "{:?}", reply.json);
    let report = &reply.json;
    assert_eq!((&report["rows"], &report["accepted"], &report["rejected"]), (&5.into(), &3.into(), &2.into()));
    let listed: Vec<_> = report["listed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {} {} {}", one["row"], one["column"], one["code"], one["severity"]).replace('"', ""))
        .collect();
    // A source of another department: one department cannot deliver for another.
    assert_eq!(listed, ["5 measure measure_unknown reject", "6 source source_foreign reject"]);
    let id = report["id"].as_str().unwrap().to_owned();
    assert_eq!(reply.headers["location"], format!("/v1/imports/{id}"));
    assert_eq!(sender.get(&token, &format!("/v1/imports/{id}")).await.json, *report);
    // Sent again, because the answer was lost.
    let again = csv(&sender, &token, "records", &body).await;
    assert_eq!((again.status, &again.json), (200, report));
    // The act is in the ledger, and its entry names no person.
    let entries = import_entries(&app).await;
    assert!(entries.iter().all(|entry| !entry.contains("Market supervision") && !entry.contains(&id)), "{entries:?}");
    assert_eq!(entries.len(), entries_before + 1);
    // Another department learns only that the file needs no import.
    let other = department(&app, "Health commission", &["records"], &["市场监管局"]).await;
    let token = other.token().await;
    assert_eq!(other.get(&token, &format!("/v1/imports/{id}")).await.refusal(), (404, "import_not_found"));
    assert_eq!(csv(&other, &token, "records", &body).await.refusal(), (409, "file_known"));
}

/// A bank that tries to send a file, and a department that tries to read data.
async fn banks_do_not_deliver_and_departments_do_not_read(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let token = bank.token().await;
    assert_eq!(csv(&bank, &token, "records", HEADER).await.refusal(), (403, "insufficient_scope"));
    let sender = department(&app, "Bureau", &["records"], &["医保局"]).await;
    let token = sender.token().await;
    for path in [
        Bank::data(&consent, "grade"),
        Bank::data(&consent, "settlements"),
        "/v1/consents".into(),
        format!("/v1/consents/{}", consent.id),
    ] {
        assert_eq!(sender.get(&token, &path).await.refusal(), (403, "insufficient_scope"), "{path}");
    }
    let asked = sender.form("/oauth2/token", &[("grant_type", "client_credentials"), ("scope", "grade:read")]).await;
    assert_eq!(asked.refusal(), (400, "invalid_scope"));
    // Registration keeps them apart too.
    assert!(!ClientKind::Bank.may_have(Scope::ImportsWrite) && !ClientKind::Department.may_have(Scope::GradeRead));
}

/// A department that sends a template it is not registered for, one that does not exist, and bodies that are no file.
async fn each_file_that_cannot_be_imported_has_its_own_refusal(store: TestStore) {
    let app = TestApp::start_with(store, "[imports]\nmax_bytes = 300000\nmax_rows = 50").await;
    let sender = department(&app, "Bureau", &["records", "settlements"], &["医保局"]).await;
    let token = sender.token().await;
    let good = format!("{HEADER}{}", facts("医保局", 0..2));
    assert_eq!(csv(&sender, &token, "subjects", &good).await.refusal(), (403, "template_not_yours"));
    assert_eq!(csv(&sender, &token, "recipes", &good).await.refusal(), (404, "template_not_found"));
    for media_type in ["application/json", "text/csv; charset=big5", "application/octet-stream"] {
        let refusal = send(&sender, &token, "records", media_type, good.clone()).await;
        assert_eq!(refusal.refusal(), (415, "unsupported_media_type"), "{media_type}");
    }
    assert_eq!(csv(&sender, &token, "settlements", &good).await.refusal(), (422, "file_columns"));
    assert_eq!(csv(&sender, &token, "records", "").await.refusal(), (422, "file_unreadable"));
    let gb = encoding_rs::GB18030.encode(&good).0.into_owned();
    assert_eq!(send(&sender, &token, "records", "text/csv", gb.clone()).await.refusal(), (422, "file_unreadable"));
    let refusal = send(&sender, &token, "records", "application/vnd.apache.parquet", good.clone()).await;
    assert_eq!(refusal.refusal(), (422, "file_unreadable"));
    let many = format!("{HEADER}{}", facts("医保局", 0..51));
    assert_eq!(csv(&sender, &token, "records", &many).await.refusal(), (422, "too_many_rows"));
    // Larger than the listener accepts elsewhere, and larger than it accepts here.
    let padded = |bytes: usize| format!("{HEADER}{}{}", facts("医保局", 0..1), "\n".repeat(bytes));
    assert_eq!(csv(&sender, &token, "records", &padded(280_000)).await.status, 201);
    assert_eq!(csv(&sender, &token, "records", &padded(310_000)).await.refusal(), (413, "body_too_large"));
    let nothing = csv(&sender, &token, "records", &format!("{HEADER}{}", facts("市场监管局", 0..1))).await;
    assert_eq!(nothing.refusal(), (422, "nothing_taken"));
    let report = sender.get(&token, &nothing.headers["location"]).await;
    assert_eq!((&report.json["status"], &report.json["rejected"]), (&"nothing_taken".into(), &1.into()));
    // The same in another encoding.
    assert_eq!(send(&sender, &token, "records", "text/csv; charset=GB18030", gb).await.status, 201);
    let read = app.store.db.read("test");
    assert!(imports::list(&read, "staging").await.unwrap().is_empty());
}

/// Two departments that send files at the same time.
async fn concurrent_imports_run_one_after_the_other(store: TestStore) {
    let app = TestApp::start(store).await;
    let mut senders = Vec::new();
    for (name, source) in [("Bureau", "医保局"), ("Market supervision", "市场监管局")] {
        let sender = department(&app, name, &["records"], &[source]).await;
        let token = sender.token().await;
        senders.push((sender, token, source));
    }
    let sending = senders.iter().flat_map(|(sender, token, source)| {
        (0..3).map(move |nth| async move {
            let body = format!("{HEADER}{}", facts(source, nth * 100..nth * 100 + 50));
            csv(sender, token, "records", &body).await
        })
    });
    for reply in futures_util::future::join_all(sending).await {
        assert_eq!((reply.status, &reply.json["accepted"]), (201, &50.into()), "{:?}", reply.json);
    }
    let read = app.store.db.read("test");
    let delivered: Vec<_> =
        imports::list(&read, "accepted").await.unwrap().into_iter().filter_map(|row| row.client_id).collect();
    assert_eq!(delivered.len(), 6);
}

/// A department that is suspended between the check of its token and the last transaction of its import.
async fn nothing_is_accepted_from_a_sender_that_is_suspended_meanwhile(store: TestStore) {
    let app = TestApp::start(store).await;
    let sender = department(&app, "Bureau", &["records"], &["医保局"]).await;
    let directory = app.app.access.directory();
    let proved = directory.client(&sender.id).unwrap();
    let upload = |references| medcredit::importing::Upload {
        sender: medcredit::importing::Sender {
            client: sender.id,
            epoch: proved.epoch,
            sources: proved.delivers.sources.clone(),
        },
        template: medcredit::importing::Template::Records,
        format: medcredit::importing::Format::Csv(medcredit::importing::Encoding::Utf8),
        replaces: None,
        bytes: format!("{HEADER}{}", facts("医保局", references)).into(),
    };
    app.app.imports.import(upload(0..2)).await.unwrap();
    access::suspend(&app.store.env(), crate::support::tester(), None, &sender.id).await.unwrap();
    let before = imports::list(&app.store.db.read("test"), "accepted").await.unwrap().len();
    let refused = app.app.imports.import(upload(5..7)).await.unwrap_err();
    assert_eq!(refused.code, "state_moving");
    let read = app.store.db.read("test");
    assert_eq!(imports::list(&read, "accepted").await.unwrap().len(), before);
    assert_eq!(imports::list(&read, "discarded").await.unwrap().len(), 1);
}
