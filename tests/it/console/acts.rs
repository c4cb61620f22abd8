//! Acts: from our own pages, with the session's token and the role, and each with one entry.

use super::{ORIGIN, Site};
use crate::support::{TestStore, both_engines};

both_engines! {
    a_form_of_another_page_is_refused,
    a_suspension_is_one_entry_of_the_operator_and_the_bank_is_refused,
    a_reader_sees_no_act_and_is_refused,
    a_consent_is_suspended_and_revoked_with_one_entry_each,
    a_regional_officer_acts_in_its_regions_only,
    a_certificate_is_revoked_with_one_entry,
    a_client_is_resumed_by_two_operators,
    the_row_after_the_first_page_is_found,
}

async fn a_form_of_another_page_is_refused(store: TestStore) {
    let site = Site::open(store).await;
    let bank = site.app.bank("Bank A").await;
    let path = format!("/banks/{}/suspend", bank.id);
    let mut browser = site.signed_in("lin", &["security"]).await;
    let before = site.entries("client_suspended", "lin").await.0;
    let (csrf, reason) = (browser.csrf.clone(), ("reason", "a drill"));
    let with = |token: &str| browser.form(&path, &[reason, ("csrf", token)]);
    let refused = [
        ("no origin", with(&csrf)),
        ("another origin", with(&csrf).header("origin", "https://evil.example")),
        ("another site", with(&csrf).header("origin", ORIGIN).header("sec-fetch-site", "cross-site")),
        ("no token", browser.form(&path, &[reason]).header("origin", ORIGIN)),
        ("another token", with("AAAA").header("origin", ORIGIN)),
    ];
    for (what, request) in refused {
        let reply = browser.send(request).await;
        assert_eq!(reply.status, 403, "{what}");
        assert!(reply.body.contains("The form was not sent from here") && reply.body.contains("<main"), "{what}");
    }
    // A token of another session.
    let mut other = site.signed_in("wang", &["security"]).await;
    let reply = other.send(other.form(&path, &[reason, ("csrf", &csrf)]).header("origin", ORIGIN)).await;
    assert_eq!(reply.status, 403);
    let after = site.entries("client_suspended", "lin").await;
    assert_eq!(after.1, 0);
    assert!(after.0 > before, "the enrolment of the other operator has entries");
    // From our origin, also for a browser without the newer header.
    let reply = browser.send(browser.form(&path, &[reason, ("csrf", &csrf)]).header("origin", ORIGIN)).await;
    assert_eq!(reply.status, 303, "{}", reply.body);
}

async fn a_suspension_is_one_entry_of_the_operator_and_the_bank_is_refused(store: TestStore) {
    let site = Site::open(store).await;
    let bank = site.app.bank("Bank A").await;
    let mut browser = site.signed_in("lin", &["security"]).await;
    site.app.app.catch_up().await.unwrap();
    let token = bank.token().await;
    let overview = browser.get("/").await;
    assert!(overview.status == 200 && overview.body.contains("<svg"), "{}", overview.body);
    let listed = browser.get("/banks?state=active").await;
    assert!(listed.body.contains(&format!("href=\"/banks/{}\"", bank.id)), "{}", listed.body);
    let path = format!("/banks/{}", bank.id);
    let page = browser.get(&path).await;
    assert!(page.body.contains("Suspend this client"), "{}", page.body);
    let before = site.entries("client_suspended", "lin").await;
    let missing = browser.post(&format!("{path}/suspend"), &[("reason", " ")]).await;
    assert!(missing.status == 200 && missing.body.contains("href=\"#reason\""), "{}", missing.body);
    assert_eq!(site.entries("client_suspended", "lin").await, before);
    let done = browser.post(&format!("{path}/suspend"), &[("reason", "a drill & more")]).await;
    assert_eq!((done.status, &*done.location), (303, &*path), "{}", done.body);
    assert_eq!(site.entries("client_suspended", "lin").await, (before.0 + 1, 1));
    let after = browser.get(&path).await;
    assert!(
        after.body.contains("The client was suspended") && after.body.contains("Ledger entry ent_"),
        "{}",
        after.body
    );
    let entry = after.body.split("href=\"/ledger/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let shown = browser.get(&format!("/ledger/{entry}")).await;
    assert!(shown.body.contains("client_suspended") && shown.body.contains("a drill &#38; more"), "{}", shown.body);
    assert!(!browser.get(&path).await.body.contains("The client was suspended"), "the message is shown once");
    // Effective on this gateway before the answer.
    assert_eq!(bank.get(&token, "/v1/whoami").await.status, 401);
    let again = browser.post(&format!("{path}/suspend"), &[("reason", "again")]).await;
    assert_eq!(again.status, 409, "{}", again.body);
    assert_eq!(browser.post("/banks/cli_none/suspend", &[("reason", "x")]).await.status, 404);
}

async fn a_reader_sees_no_act_and_is_refused(store: TestStore) {
    let site = Site::open(store).await;
    let bank = site.app.bank("Bank A").await;
    let consent = site.app.consent(&bank, |_| {}).await;
    let pages = [format!("/banks/{}", bank.id), format!("/consents/{}", consent.id)];
    for (name, role) in [("reader", "read_only"), ("auditor", "audit")] {
        let mut browser = site.signed_in(name, &[role]).await;
        for path in &pages {
            let page = browser.get(path).await;
            assert_eq!(page.status, 200, "{role} {path}");
            // The forms that are left end the session and change how pages are shown.
            assert_eq!(page.body.matches("method=\"post\"").count(), 2, "{role} {path}: {}", page.body);
        }
        let before = site.entries("", name).await.0;
        for path in [
            format!("/banks/{}/suspend", bank.id),
            format!("/consents/{}/suspend", consent.id),
            format!("/consents/{}/revoke", consent.id),
            "/certificates/crt_none/revoke".into(),
            "/platforms/none/pause".into(),
        ] {
            let reply = browser.post(&path, &[("reason", "x")]).await;
            assert_eq!(reply.status, 403, "{role} {path}");
            assert!(reply.body.contains("role_missing"), "{}", reply.body);
        }
        assert_eq!(site.entries("", name).await.0, before);
    }
    let mut reader = site.signed_in("other", &["read_only"]).await;
    for path in ["/subjects", "/ledger", "/operators", "/settings"] {
        assert_eq!(reader.get(path).await.status, 403, "{path}");
    }
    let menu = reader.get("/").await.body;
    assert!(!menu.contains("href=\"/ledger\"") && menu.contains("href=\"/banks\""), "{menu}");
}

async fn a_consent_is_suspended_and_revoked_with_one_entry_each(store: TestStore) {
    let site = Site::open(store).await;
    let bank = site.app.bank("Bank A").await;
    let consent = site.app.consent(&bank, |_| {}).await;
    let mut browser = site.signed_in("lin", &["consent_officer"]).await;
    site.app.app.catch_up().await.unwrap();
    let token = bank.token().await;
    let path = format!("/consents/{}", consent.id);
    let found = browser.get(&format!("/consents?id={}", consent.id)).await;
    assert_eq!((found.status, &*found.location), (303, &*path));
    for (act, event, state) in [("suspend", "suspended", "Suspended"), ("revoke", "revoked", "Revoked")] {
        let before = site.entries(event, "lin").await;
        let done = browser.post(&format!("{path}/{act}"), &[("reason", "asked at the counter")]).await;
        assert_eq!((done.status, &*done.location), (303, &*path), "{}", done.body);
        let after = site.entries(event, "lin").await;
        assert_eq!(after, (before.0 + 1, before.1 + 1), "{act}");
        let page = browser.get(&path).await;
        assert!(page.body.contains("Ledger entry ent_") && page.body.contains(state), "{}", page.body);
    }
    assert_eq!(bank.get(&token, &crate::support::app::Bank::data(&consent, "grade")).await.status, 403);
    let over = browser.post(&format!("{path}/revoke"), &[("reason", "again")]).await;
    assert_eq!(over.status, 409, "{}", over.body);
}

/// A role for some regions: what is elsewhere is not seen, and what belongs to no region is not acted on.
async fn a_regional_officer_acts_in_its_regions_only(store: TestStore) {
    let site = Site::open(store).await;
    let bank = site.app.bank("Bank A").await;
    let consent = site.app.consent(&bank, |_| {}).await;
    let (id, path) = (consent.id.to_string(), format!("/consents/{}", consent.id));
    let code = &consent.codes[0];
    let sql = "SELECT region FROM subjects WHERE code = $1";
    let values = vec![medcredit::store::Arg::Text(code.clone())];
    let (region,): (String,) = site.app.store.db.read("test").fetch_one(sql, values).await.unwrap();
    let city = format!("{}00", &region[..4]);
    let (own, elsewhere) = (format!("consent_officer:{city}"), "consent_officer:110100".to_owned());
    let mut stranger = site.signed_in("other", &[&elsewhere, "security:110100"]).await;
    assert!(!stranger.get("/consents").await.body.contains(&id));
    let searched = stranger.post("/consents/search", &[("subject", code)]).await;
    assert!(searched.status == 200 && !searched.body.contains(&id), "{}", searched.body);
    assert_eq!(stranger.get(&path).await.status, 404);
    let before = site.entries("", "other").await.0;
    for act in ["suspend", "revoke"] {
        assert_eq!(stranger.post(&format!("{path}/{act}"), &[("reason", "x")]).await.status, 404);
    }
    let bank_path = format!("/banks/{}", bank.id);
    let page = stranger.get(&bank_path).await;
    assert!(page.status == 200 && !page.body.contains("Suspend this client"), "{}", page.body);
    let refused = stranger.post(&format!("{bank_path}/suspend"), &[("reason", "x")]).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(site.entries("", "other").await.0, before);

    let mut officer = site.signed_in("lin", &[&own]).await;
    assert!(officer.get("/consents").await.body.contains(&id));
    assert!(officer.post("/consents/search", &[("subject", code)]).await.body.contains(&id));
    let done = officer.post(&format!("{path}/suspend"), &[("reason", "asked at the counter")]).await;
    assert_eq!((done.status, &*done.location), (303, &*path), "{}", done.body);
}

async fn a_certificate_is_revoked_with_one_entry(store: TestStore) {
    let site = Site::open(store).await;
    let bank = site.app.bank("Bank A").await;
    let mut browser = site.signed_in("lin", &["security"]).await;
    let page = browser.get(&format!("/banks/{}", bank.id)).await;
    let path = page.body.split("href=\"/certificates/").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/certificates/{path}");
    assert_eq!(browser.get(&path).await.status, 200);
    let before = site.entries("certificate_revoked", "lin").await;
    let missing = browser.post(&path, &[]).await;
    assert!(missing.body.contains("href=\"#reason\""), "{}", missing.body);
    let done = browser.post(&path, &[("reason", "keyCompromise")]).await;
    assert_eq!((done.status, &*done.location), (303, "/keys"), "{}", done.body);
    assert_eq!(site.entries("certificate_revoked", "lin").await, (before.0 + 1, 1));
    let keys = browser.get("/keys").await;
    assert!(keys.body.contains("The certificate was revoked") && keys.body.contains("Revoked"), "{}", keys.body);
    assert_eq!(browser.post(&path, &[("reason", "keyCompromise")]).await.status, 409);
}

/// One operator proposes, and another approves; each step is one entry.
async fn a_client_is_resumed_by_two_operators(store: TestStore) {
    let site = Site::open(store).await;
    let bank = site.app.bank("Bank A").await;
    let path = format!("/banks/{}", bank.id);
    let mut lin = site.signed_in("lin", &["security"]).await;
    let mut wang = site.signed_in("wang", &["security"]).await;
    let mut push = site.signed_in("push", &["push_officer"]).await;
    lin.post(&format!("{path}/suspend"), &[("reason", "a drill")]).await;
    let before = site.entries("proposal_made", "lin").await;
    let proposed = lin.post(&format!("{path}/resume"), &[("reason", "it is over")]).await;
    assert_eq!(proposed.status, 303, "{}", proposed.body);
    assert_eq!(site.entries("proposal_made", "lin").await, (before.0 + 1, 1));
    let proposal = proposed.location.clone();
    assert!(proposal.starts_with("/approvals/prp_"), "{proposal}");
    let own = lin.get(&proposal).await;
    assert!(own.body.contains("Ledger entry ent_") && own.body.contains("You can withdraw it"), "{}", own.body);
    let approve = format!("{proposal}/approve");
    let before = site.entries("proposal_approved", "wang").await;
    assert_eq!(lin.post(&approve, &[("reason", "mine")]).await.status, 403, "not by oneself");
    assert_eq!(push.post(&approve, &[("reason", "x")]).await.status, 403, "not by another role");
    assert_eq!(site.entries("proposal_approved", "wang").await, before);
    let listed = wang.get("/approvals").await;
    assert!(listed.body.contains(&proposal), "{}", listed.body);
    let done = wang.post(&approve, &[("reason", "checked")]).await;
    assert_eq!((done.status, &*done.location), (303, &*proposal), "{}", done.body);
    // The approval, the change, and that the proposal is executed with it.
    assert_eq!(site.entries("proposal_approved", "wang").await, (before.0 + 3, 1));
    assert_eq!(site.entries("client_resumed", "wang").await.1, 1);
    assert!(wang.get(&proposal).await.body.contains("Carried out"));
    assert!(wang.get(&path).await.body.contains("Suspend this client"), "it is active");
    assert_eq!(wang.post(&approve, &[("reason", "again")]).await.status, 409);
}

/// More clients than a page has rows.
async fn the_row_after_the_first_page_is_found(store: TestStore) {
    let site = Site::open(store).await;
    for number in 0..21 {
        site.app.bank(&format!("Bank {number:02}")).await;
    }
    let mut browser = site.signed_in("lin", &["read_only"]).await;
    let first = browser.get("/banks?kind=bank").await.body;
    assert!(first.contains("Bank 00") && first.contains("Bank 19") && !first.contains("Bank 20"), "{first}");
    let next = first.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    let second = browser.get(&next).await.body;
    assert!(second.contains("Bank 20") && !second.contains("Bank 19"), "{second}");
    let found = browser.get("/banks?name=20").await.body;
    assert!(found.contains("Bank 20") && !found.contains("Bank 00"), "{found}");
}
