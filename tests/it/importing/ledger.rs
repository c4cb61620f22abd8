//! Every accepted import is one entry of the ledger, which names the operator or the department.

use std::collections::BTreeSet;

use crate::{
    bank::imports::{HEADER, csv, department, facts},
    support::{
        TestStore,
        app::TestApp,
        both_engines,
        command::{Outcome, medcredit_at},
    },
};

both_engines! {
    an_import_by_command_is_one_entry_of_its_operator,
    an_upload_is_one_entry_of_its_department,
    a_file_of_which_no_row_is_accepted_is_no_entry,
}

/// The openings of all entries about accepted imports: they name the actor.
async fn entries(app: &TestApp) -> BTreeSet<String> {
    let sql = "SELECT e.body, o.body AS opening FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id \
               WHERE e.type = 'operator'";
    let rows: Vec<(String, String)> = app.store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
    rows.into_iter().filter(|(body, _)| body.contains("import_accepted")).map(|(_, opening)| opening).collect()
}

/// The entries that are not in `before`.
async fn entries_since(app: &TestApp, before: &BTreeSet<String>) -> Vec<String> {
    entries(app).await.difference(before).cloned().collect()
}

async fn import(app: &TestApp, text: &str) -> Outcome {
    let (file, config) = (app.path("records.csv"), app.config_file("import"));
    std::fs::write(&file, text).unwrap();
    let args = ["import", "records", file.to_str().unwrap(), "--operator", "clerk.wang", "--config", config.as_str()];
    medcredit_at(app.store.clock.clone(), &args).await
}

/// A clerk imports a file by command, and imports the same file again.
async fn an_import_by_command_is_one_entry_of_its_operator(store: TestStore) {
    let app = TestApp::start(store).await;
    let before = entries(&app).await;
    let text = format!("{HEADER}{}", facts("医保局", 0..3));
    import(&app, &text).await.done();
    let new = entries_since(&app, &before).await;
    assert!(new.len() == 1 && new[0].contains("operator:clerk.wang"), "{new:?}");
    assert_eq!(import(&app, &text).await.code, medcredit::cli::NOTHING_DONE);
    assert_eq!(entries_since(&app, &before).await.len(), 1, "the same file changes nothing");
}

/// A department uploads a file, and uploads it again.
async fn an_upload_is_one_entry_of_its_department(store: TestStore) {
    let app = TestApp::start(store).await;
    let sender = department(&app, "Bureau", &["records"], &["医保局"]).await;
    let token = sender.token().await;
    let before = entries(&app).await;
    let text = format!("{HEADER}{}", facts("医保局", 0..3));
    assert_eq!(csv(&sender, &token, "records", &text).await.status, 201);
    let new = entries_since(&app, &before).await;
    assert!(new.len() == 1 && new[0].contains(&format!("department:{}", sender.id)), "{new:?}");
    assert_eq!(csv(&sender, &token, "records", &text).await.status, 200);
    assert_eq!(entries_since(&app, &before).await.len(), 1, "the same file changes nothing");
}

/// A clerk imports a file of which every row is rejected.
async fn a_file_of_which_no_row_is_accepted_is_no_entry(store: TestStore) {
    let app = TestApp::start(store).await;
    let before = entries(&app).await;
    let refused = import(&app, &format!("{HEADER}H33030299999,insurance_commendation,1,2026-01-05,医保局,1\n")).await;
    assert_eq!(refused.code, medcredit::cli::FAILED, "{}", refused.err);
    assert_eq!(entries_since(&app, &before).await.len(), 0);
}
