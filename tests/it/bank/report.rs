//! `GET /v1/consents/{id}/report`.

use medcredit::domain::permission::Permission;
use serde_json::{Value, json};

use super::{ENVELOPE, disclosures, keepable, list, members, recorded, round, token};
use crate::support::{
    TestStore,
    app::{Bank, CLINIC, MEDIUM, OTHER_ENTITY, PHARMACY, TestApp, YOUNG},
    both_engines,
};

const ALL: [Permission; 4] =
    [Permission::Grade, Permission::GradeHistory, Permission::Scorecard, Permission::Settlements];

/// An answer without what belongs to its disclosure.
fn bare(json: &Value) -> Value {
    let mut json = json.clone();
    for member in ["disclosure", "disclosed_at", "notice", "onward_supply"] {
        json.as_object_mut().unwrap().remove(member).unwrap();
    }
    json
}

fn sections(json: &Value) -> [&str; 4] {
    ["grade", "grade_history", "scorecard", "settlements"].map(|section| json["sections"][section].as_str().unwrap())
}

both_engines! {
    is_every_section_as_its_endpoint_gives_it_in_one_disclosure,
    leaves_out_and_names_what_is_not_allowed,
    says_that_a_section_is_not_available_and_no_more,
    has_these_members_and_no_others,
}

/// A bank whose consent allows everything, and that may be used twice.
async fn is_every_section_as_its_endpoint_gives_it_in_one_disclosure(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let free_terms = |new: &mut medcredit::consent::NewConsent| {
        new.permissions = [&ALL[..], &[Permission::AccountMatch]].concat();
        new.codes.push(PHARMACY.into());
        new.valid_for_days = Some(400);
    };
    let free = app.consent(&bank, free_terms).await;
    let counted = app
        .consent(&bank, |of| {
            free_terms(of);
            of.max_fetches = Some(2);
        })
        .await;
    app.advance(std::time::Duration::from_secs(86_400 * 92)).await;
    round(&app, "2026-H1", true).await;
    for (code, grade) in [("H33030200001", "good"), (CLINIC, "excellent")] {
        app.sql("UPDATE assessments SET grade = $2 WHERE subject_code = $1", vec![code.into(), grade.into()]).await;
    }
    app.app.catch_up().await.unwrap();
    let token = bank.token().await;
    let path = Bank::data(&counted, "report?purpose=pre_loan_review");
    let before = disclosures(&app).await;
    let reply = bank.get(&token, &path).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    keepable(&app, &bank, &path, &reply);
    assert_eq!(disclosures(&app).await, before + 1);
    assert_eq!(recorded(&app, &reply, "what").await, json!(["grade", "grade_history", "scorecard", "settlements"]));
    assert_eq!(recorded(&app, &reply, "period").await, json!({ "from": "2025-01", "to": "2026-03" }));
    assert_eq!(recorded(&app, &reply, "content_digest").await, reply.headers["content-digest"]);
    assert_eq!(sections(&reply.json), ["included"; 4]);
    let shown = bank.get(&token, &format!("/v1/consents/{}", counted.id)).await;
    assert_eq!(shown.json["fetches"]["used"], 1, "one report is one fetch");

    let reply = bank.get(&token, &Bank::data(&free, "report")).await;
    for (section, endpoint) in [
        ("grade", "grade"),
        ("grade_history", "grade-history"),
        ("scorecard", "scorecard"),
        ("settlements", "settlements"),
    ] {
        let alone = bank.get(&token, &Bank::data(&free, endpoint)).await;
        assert_eq!(reply.json[section], bare(&alone.json), "{endpoint}");
    }
    // Small cells and what they could be computed from are withheld here as there (I4).
    let clinic = &reply.json["settlements"]["codes"][1]["months"][6];
    assert_eq!((&clinic["suppressed"], &clinic["amounts"]), (&json!(true), &Value::Null));
    assert_eq!(reply.json["settlements"]["totals"][3]["amounts"], Value::Null);
}

/// A bank whose consent or token allows some of it.
async fn leaves_out_and_names_what_is_not_allowed(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let all = app.consent(&bank, |new| new.permissions = ALL.to_vec()).await;
    let two = app.consent(&bank, |new| new.permissions = vec![Permission::Grade, Permission::Scorecard]).await;
    let full = bank.token().await;
    let reply = bank.get(&full, &Bank::data(&two, "report")).await;
    assert_eq!(sections(&reply.json), ["included", "not_permitted", "included", "not_permitted"]);
    assert_eq!((reply.json.get("grade_history"), reply.json.get("settlements")), (None, None));
    assert_eq!(recorded(&app, &reply, "what").await, json!(["grade", "scorecard"]));
    assert_eq!(recorded(&app, &reply, "period").await, Value::Null);

    let narrow = token(&bank, "grade:read grade-history:read").await;
    let reply = bank.get(&narrow, &Bank::data(&all, "report")).await;
    assert_eq!(sections(&reply.json), ["included", "included", "scope_missing", "scope_missing"]);
    assert_eq!((reply.json.get("scorecard"), reply.json.get("settlements")), (None, None));
    assert_eq!(recorded(&app, &reply, "what").await, json!(["grade", "grade_history"]));
    assert_eq!(recorded(&app, &reply, "period").await, json!({ "from": "2025-01", "to": "2025-12" }));
    // Nothing in common between consent and token.
    let other = token(&bank, "settlements:read").await;
    assert_eq!(bank.get(&other, &Bank::data(&two, "report")).await.refusal(), (403, "permission_not_granted"));
    let none = token(&bank, "consents:read disclosures:read").await;
    let reply = bank.get(&none, &Bank::data(&all, "report")).await;
    assert_eq!(reply.refusal(), (403, "insufficient_scope"));
    assert!(
        reply.headers["www-authenticate"]
            .contains("scope=\"grade:read grade-history:read scorecard:read settlements:read\""),
        "{:?}",
        reply.headers
    );
}

/// A bank, of an entity that is not in good standing, and of months without a whole half-year: said, without a reason.
async fn says_that_a_section_is_not_available_and_no_more(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let of = |permissions: &[Permission]| {
        let permissions = permissions.to_vec();
        |new: &mut medcredit::consent::NewConsent| {
            new.permissions = permissions;
            new.uscc = OTHER_ENTITY.into();
            new.codes = vec![MEDIUM.into(), YOUNG.into()];
            new.data_from = Some("2025-08".parse().unwrap());
        }
    };
    let all = app.consent(&bank, of(&ALL)).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&all, "report")).await;
    assert_eq!(sections(&reply.json), ["included", "not_available", "included", "not_available"]);
    assert_eq!((reply.json.get("grade_history"), reply.json.get("settlements")), (None, None));
    // What was not given is not recorded as read.
    assert_eq!(recorded(&app, &reply, "what").await, json!(["grade", "scorecard"]));
    let neither = app.consent(&bank, of(&[Permission::GradeHistory, Permission::Settlements])).await;
    let before = disclosures(&app).await;
    let reply = bank.get(&token, &Bank::data(&neither, "report")).await;
    assert_eq!(reply.refusal(), (403, "report_not_available"));
    assert_eq!(disclosures(&app).await, before + 1, "it says something of the subjects: it is recorded");
}

/// I4: what leaves is what is written here.
async fn has_these_members_and_no_others(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |new| new.permissions = ALL.to_vec()).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "report")).await;
    let mut allowed = list(ENVELOPE);
    allowed.extend(list("sections sections.grade sections.grade_history sections.scorecard sections.settlements"));
    for section in ["grade", "grade_history", "scorecard", "settlements"] {
        allowed.insert(section.to_owned());
        let endpoint = section.replace('_', "-");
        let alone = bank.get(&token, &Bank::data(&consent, &endpoint)).await;
        allowed.extend(members(&bare(&alone.json)).into_iter().map(|member| format!("{section}.{member}")));
    }
    assert_eq!(members(&reply.json), allowed);
    let settlements = bank.get(&token, &Bank::data(&consent, "settlements")).await;
    let mut allowed = list(ENVELOPE);
    allowed.extend(list(
        "from to codes codes[].code codes[].available codes[].months codes[].months[].month
             codes[].months[].insurance codes[].months[].version codes[].months[].status codes[].months[].as_of
             codes[].months[].suppressed codes[].months[].newer_withheld codes[].months[].consistent codes[].months[].amounts totals totals[].month
             totals[].suppressed totals[].provisional totals[].newer_withheld totals[].amounts suppressed_below_visits
             suppressed_below_persons",
    ));
    for amounts in ["codes[].months[].amounts", "totals[].amounts"] {
        for amount in list(
            "visits persons billed_fen claimed_fen settled_fen paid_fen retained_fen disallowed_fen deducted_fen prepaid_fen offset_fen payable_fen",
        ) {
            allowed.insert(format!("{amounts}.{amount}"));
        }
    }
    assert_eq!(members(&settlements.json), allowed);
}
