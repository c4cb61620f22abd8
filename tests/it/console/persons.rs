//! Data about subjects: for a purpose, recorded, and never in a URL.

use super::Site;
use crate::support::{
    TestStore,
    app::{ENTITY, HOSPITAL, MEDIUM},
    both_engines,
};

both_engines! {
    a_look_at_a_subject_has_a_purpose_and_an_entry,
    a_subject_of_another_region_is_like_an_unknown_one,
    a_search_by_subject_puts_nothing_into_a_url,
}

async fn a_look_at_a_subject_has_a_purpose_and_an_entry(store: TestStore) {
    let site = Site::open(store).await;
    let mut browser = site.signed_in("lin", &["scoring_officer"]).await;
    let before = site.entries("subject_viewed", "lin").await;
    let refused = browser.post("/subjects", &[("code", HOSPITAL), ("purpose", "")]).await;
    assert!(refused.status == 200 && refused.body.contains("href=\"#purpose\""), "{}", refused.body);
    assert_eq!(site.entries("subject_viewed", "lin").await, before);
    let page = browser.post("/subjects", &[("code", HOSPITAL), ("purpose", "case 17")]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("Ledger entry ent_") && page.body.contains("good"), "{}", page.body);
    assert!(!page.body.contains("330302198001010019"), "the number of a person is masked");
    assert_eq!(site.entries("subject_viewed", "lin").await, (before.0 + 1, 1));
    let unknown = browser.post("/subjects", &[("code", "H33030299999"), ("purpose", "case 17")]).await;
    assert!(unknown.body.contains("href=\"#code\""), "{}", unknown.body);
}

async fn a_subject_of_another_region_is_like_an_unknown_one(store: TestStore) {
    let site = Site::open(store).await;
    let mut browser = site.signed_in("lin", &["scoring_officer:330302"]).await;
    let own = browser.post("/subjects", &[("code", HOSPITAL), ("purpose", "case 17")]).await;
    assert!(own.body.contains("Ledger entry ent_"), "{}", own.body);
    let before = site.entries("subject_viewed", "lin").await;
    let other = browser.post("/subjects", &[("code", MEDIUM), ("purpose", "case 17")]).await;
    let unknown = browser.post("/subjects", &[("code", "H33030499999"), ("purpose", "case 17")]).await;
    assert_eq!(other.body.replace(MEDIUM, ""), unknown.body.replace("H33030499999", ""));
    assert_eq!(site.entries("subject_viewed", "lin").await, before);
}

async fn a_search_by_subject_puts_nothing_into_a_url(store: TestStore) {
    let site = Site::open(store).await;
    let bank = site.app.bank("Bank A").await;
    let consent = site.app.consent(&bank, |_| {}).await;
    let mut browser = site.signed_in("lin", &["consent_officer"]).await;
    for subject in [HOSPITAL, ENTITY] {
        let found = browser.post("/consents/search", &[("subject", subject)]).await;
        assert_eq!((found.status, &*found.location), (200, ""), "{}", found.body);
        assert!(found.body.contains(&consent.id.to_string()), "{}", found.body);
        // The code is in fields of forms, and in no link or target.
        let targets = found.body.split("href=\"").skip(1).chain(found.body.split("action=\"").skip(1));
        for target in targets.map(|rest| rest.split('"').next().unwrap()) {
            assert!(!target.contains(subject), "{target}");
        }
    }
    let none = browser.post("/consents/search", &[("subject", MEDIUM)]).await;
    assert!(!none.body.contains("con_"), "{}", none.body);
}
