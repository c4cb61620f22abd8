//! docs/THREATS.md names every store, key and file with the test that shows what tampering with it achieves; and those of
//! these tests that have no other place.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use medcredit::{
    authority::Purpose,
    config::DEFAULTS,
    ledger::{ProofStatus, Receipt, prove},
    store::grants::RIGHTS,
};

use crate::{
    invariants::test_file,
    support::{
        TestStore,
        app::{Bank, HOSPITAL, TestApp},
        both_engines, decided_by, order,
    },
};

both_engines! {
    a_consent_revived_in_the_table_is_read_and_every_reading_is_recorded,
    a_budget_reset_in_the_table_allows_more_and_every_reading_is_recorded,
    a_revoked_token_whose_row_is_removed_lives_no_longer_than_its_time,
    a_changed_figure_is_answered_and_the_earlier_answer_is_still_proved,
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/THREATS.md")).unwrap()
}

/// The texts in backquotes of a part of the page.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The paragraphs that say what tampering achieves.
fn entries(page: &str) -> Vec<&str> {
    let sections = page.split("\n## ").filter(|section| {
        ["Keys\n", "Files\n", "Tables: ", "The process"].iter().any(|title| section.starts_with(title))
    });
    sections.flat_map(|section| section.split("\n\n").skip(1)).filter(|text| !text.trim().is_empty()).collect()
}

#[test]
fn every_entry_names_tests_and_each_is_there() {
    let page = page();
    let entries = entries(&page);
    assert!(entries.len() > 50, "the page was read: {}", entries.len());
    for entry in entries {
        let tests: Vec<_> = quoted(entry).into_iter().filter_map(|code| code.split_once(".rs::")).collect();
        assert!(!tests.is_empty(), "no test: {entry}");
        for (file, name) in tests {
            let text = fs::read_to_string(test_file(file)).unwrap_or_default();
            assert!(text.contains(&format!("fn {name}(")), "{file}.rs::{name} is not there");
        }
    }
}

#[test]
fn every_table_is_on_the_page_and_no_other() {
    let page = page();
    let named: BTreeSet<_> =
        quoted(&page).into_iter().filter(|text| text.starts_with("core.") || text.starts_with("bulk.")).collect();
    let named: BTreeSet<_> = named.into_iter().filter(|text| !text.ends_with(".db")).collect();
    let there: BTreeSet<_> = RIGHTS.iter().map(|(table, _)| *table).collect();
    assert_eq!(named, there);
}

#[test]
fn every_setting_that_names_a_file_is_on_the_page() {
    let (page, mut section, mut seen) = (page(), "", 0);
    let named = quoted(&page);
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        }
        let key = line.trim_start_matches("# ").split(" = ").next().unwrap();
        let is_path = ["file", "files", "directory"].iter().any(|end| key == *end || key.ends_with(&format!("_{end}")));
        if is_path && line.contains(" = ") {
            seen += 1;
            assert!(named.contains(&*format!("{section}.{key}")), "docs/THREATS.md has no {section}.{key}");
        }
    }
    assert!(seen >= 14, "the defaults were read: {seen}");
}

#[test]
fn every_purpose_of_a_key_is_on_the_page() {
    let page = page();
    for purpose in Purpose::SIGNING.into_iter().chain([Purpose::Authority]) {
        assert!(page.contains(&format!("**The `{purpose}` key**")), "{purpose}");
    }
}

/// An administrator of the database who makes a revoked consent active again.
async fn a_consent_revived_in_the_table_is_read_and_every_reading_is_recorded(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let (token, path, id) = (bank.token().await, Bank::data(&consent, "grade"), consent.id.to_string());
    app.app.consents.revoke(&id, None, &decided_by("tester")).await.unwrap();
    assert_eq!(bank.get(&token, &path).await.refusal(), (403, "consent_not_active"));
    app.sql("UPDATE consents SET state = 'active'", vec![]).await;
    assert_eq!(bank.get(&token, &path).await.status, 200, "the table is trusted for the present state");
    assert_eq!(order::recorded_under(&app.store.db, &id).await, 1, "but nothing is read without a record");
}

/// An administrator of the database who resets what a consent has used.
async fn a_budget_reset_in_the_table_allows_more_and_every_reading_is_recorded(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |wish| wish.max_fetches = Some(1)).await;
    let (token, path, id) = (bank.token().await, Bank::data(&consent, "grade"), consent.id.to_string());
    assert_eq!(bank.get(&token, &path).await.status, 200);
    assert_eq!(bank.get(&token, &path).await.refusal(), (429, "consent_used_up"));
    app.sql("UPDATE consent_use SET used = 0", vec![]).await;
    assert_eq!(bank.get(&token, &path).await.status, 200, "the table is trusted for the count");
    assert_eq!(order::recorded_under(&app.store.db, &id).await, 2, "but the ledger has both readings");
}

/// An administrator of the database who removes the revocation of a stolen token.
async fn a_revoked_token_whose_row_is_removed_lives_no_longer_than_its_time(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let (token, path) = (bank.token().await, Bank::data(&consent, "grade"));
    assert_eq!(bank.form("/oauth2/revoke", &[("token", &token)]).await.status, 200);
    assert_eq!(bank.get(&token, &path).await.status, 401);
    app.sql("DELETE FROM revoked_tokens", vec![]).await;
    app.sql("UPDATE change_counter SET number = number + 1", vec![]).await;
    app.app.catch_up().await.unwrap();
    assert_eq!(bank.get(&token, &path).await.status, 200, "the table is trusted for revocations");
    app.advance(Duration::from_secs(u64::try_from(app.app.config.tokens.lifetime_seconds).unwrap() + 1)).await;
    assert_eq!(bank.get(&token, &path).await.status, 401, "but the token carries its end, signed");
}

/// An administrator of the database who changes a figure between two readings.
async fn a_changed_figure_is_answered_and_the_earlier_answer_is_still_proved(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |wish| wish.codes = vec![HOSPITAL.into()]).await;
    let (token, path) = (bank.token().await, Bank::data(&consent, "settlements?from=2025-07&to=2025-07"));
    let before = bank.get(&token, &path).await;
    let mut bulk = app.store.db.begin_bulk("test").await.unwrap();
    bulk.execute("UPDATE bulk.settlements SET paid_fen = paid_fen + 100", vec![]).await.unwrap();
    bulk.commit().await.unwrap();
    let second = app.second_gateway("second", medcredit::ledger::Faults::default()).await;
    let after = bank.at(&second.origin).get(&token, &path).await;
    assert_eq!((before.status, after.status), (200, 200), "{:?}", after.json);
    assert_ne!(before.json["codes"], after.json["codes"], "the table is trusted for the figures");
    app.app.sealer.seal_once().await.unwrap();
    let receipt = Receipt::parse(&before.headers["medcredit-disclosure"]).unwrap();
    let Some(ProofStatus::Sealed(proof)) = prove(&app.store.db, &receipt.id, None).await.unwrap() else {
        panic!("the entry is sealed")
    };
    let digest = &proof.opening.as_ref().unwrap().to_string();
    let expected = &before.headers["content-digest"];
    assert!(digest.contains(expected.as_str()), "the entry has the digest of what was answered: {digest}");
}
