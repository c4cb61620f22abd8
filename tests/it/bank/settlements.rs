//! `GET /v1/consents/{id}/settlements`.

use medcredit::importing::Template;
use serde_json::{Value, json};

use crate::{
    bad_data::import,
    support::{
        TestStore,
        app::{Bank, CLINIC, HOSPITAL, MEDIUM, OTHER_ENTITY, PHARMACY, TestApp},
        both_engines,
    },
};

fn code<'a>(json: &'a Value, code: &str) -> &'a Value {
    json["codes"].as_array().unwrap().iter().find(|of| of["code"] == code).unwrap()
}

both_engines! {
    gives_each_month_with_version_status_and_totals,
    suppresses_small_cells_and_what_they_could_be_computed_from,
    a_revision_that_differs_by_few_is_not_disclosed_beside_the_version_before,
    are_given_only_while_the_subject_is_in_good_standing,
    stay_within_the_consents_period,
}

/// A bank with a consent for settlements.
async fn gives_each_month_with_version_status_and_totals(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |new| new.codes.push(PHARMACY.into())).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "settlements?from=2025-01&to=2026-02")).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    let hospital = code(&reply.json, HOSPITAL);
    assert_eq!(hospital["available"], true);
    assert_eq!(hospital["months"].as_array().unwrap().len(), 28);
    let first = &hospital["months"][0];
    assert_eq!(
        (&first["month"], &first["insurance"], &first["version"], &first["status"]),
        (&json!("2025-01"), &json!("employee"), &json!(1), &json!("final"))
    );
    assert_eq!(
        (&first["as_of"], &first["consistent"], &first["suppressed"]),
        (&json!("2025-02-28"), &json!(true), &json!(false))
    );
    assert_eq!(first["amounts"]["paid_fen"], 976_000);
    assert_eq!(first["amounts"]["prepaid_fen"], 0);
    assert_eq!(hospital["months"][27]["status"], "provisional");
    // The pharmacy has no grade, so it is not in good standing: said, without a reason.
    assert_eq!(code(&reply.json, PHARMACY), &json!({ "code": PHARMACY, "available": false, "months": [] }));
    let total = &reply.json["totals"][0];
    assert_eq!((&total["month"], &total["amounts"]["paid_fen"]), (&json!("2025-01"), &json!(4 * 976_000)));
    assert_eq!(reply.json["totals"][13]["provisional"], true);
}

/// A bank, of a month with few visits (I4).
async fn suppresses_small_cells_and_what_they_could_be_computed_from(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "settlements")).await;
    let small = &code(&reply.json, CLINIC)["months"][6];
    assert_eq!(small["month"], "2025-04");
    assert_eq!(
        (&small["suppressed"], &small["amounts"], &small["consistent"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    let total = &reply.json["totals"][3];
    assert_eq!(
        (&total["month"], &total["suppressed"], &total["amounts"]),
        (&json!("2025-04"), &json!(true), &Value::Null)
    );
    assert!(!reply.json["totals"][2]["suppressed"].as_bool().unwrap());
    assert_eq!(
        (&reply.json["suppressed_below_visits"], &reply.json["suppressed_below_persons"]),
        (&json!(10), &json!(10))
    );
    // Many visits of few persons are no less small.
    revise(&app, "40,9", 900_000).await;
    let reply = bank.get(&token, &Bank::data(&consent, &format!("settlements?from={REVISED}&to={REVISED}"))).await;
    let few = &code(&reply.json, HOSPITAL)["months"][0];
    assert_eq!((&few["version"], &few["suppressed"], &few["amounts"]), (&json!(2), &json!(true), &Value::Null));
    assert_eq!(reply.json["totals"][0]["suppressed"], true);
}

/// The month that tests revise: the hospital's, of employees, with 106 visits of as many persons.
const REVISED: &str = "2025-07";

/// A clerk imports a newer version of the month.
async fn revise(app: &TestApp, counts: &str, paid: i64) {
    let settled = paid + 24_000;
    let row = format!(
        "{HOSPITAL},{REVISED},employee,{counts},2000000,1200000,{settled},{paid},20000,3000,1000,0,0,{paid},final,2025-09-30\n"
    );
    let report = import(app, Template::Settlements, &row).await;
    assert_eq!((report.accepted, report.warnings), (1, 0));
}

/// A bank reads a month after each revision, alone and in a delivery: two versions never show the figures of a few (I4).
async fn a_revision_that_differs_by_few_is_not_disclosed_beside_the_version_before(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |wish| wish.codes = vec![HOSPITAL.into()]).await;
    let token = bank.token().await;
    let read = async || {
        let path = format!("settlements?from={REVISED}&to={REVISED}");
        let alone = bank.get(&token, &Bank::data(&consent, &path)).await.json;
        let wish = json!({ "month": REVISED, "what": ["settlements"], "purpose": "pre_loan_review" });
        let delivery = bank.post(&token, "/v1/deliveries", &wish).await;
        let line = delivery.bytes.split(|byte| *byte == b'\n').next().unwrap();
        let line: Value = serde_json::from_slice(line).unwrap();
        for member in ["codes", "totals"] {
            assert_eq!(line["settlements"][member], alone[member], "a delivery discloses the same");
        }
        let month = &alone["codes"][0]["months"][0];
        assert_eq!(month["newer_withheld"], alone["totals"][0]["newer_withheld"]);
        (
            month["version"].as_i64().unwrap(),
            month["newer_withheld"] == true,
            month["amounts"]["visits"].as_i64().unwrap(),
        )
    };
    assert_eq!(read().await, (1, false, 106));
    revise(&app, "107,106", 981_000).await;
    assert_eq!(read().await, (1, true, 106), "one visit more would be disclosed by the difference");
    revise(&app, "120,107", 990_000).await;
    assert_eq!(read().await, (1, true, 106), "and so would one person more");
    revise(&app, "106,106", 970_000).await;
    assert_eq!(read().await, (4, false, 106), "equal counts disclose nobody");
    revise(&app, "126,116", 999_000).await;
    assert_eq!(read().await, (5, false, 126));
    revise(&app, "107,100", 976_000).await;
    assert_eq!(read().await, (5, true, 126), "every version that was disclosed is compared, not the newest alone");
}

/// A bank, of an entity that is not in good standing (domain 0.5).
async fn are_given_only_while_the_subject_is_in_good_standing(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app
        .consent(&bank, |new| {
            new.uscc = OTHER_ENTITY.into();
            new.codes = vec![MEDIUM.into()];
        })
        .await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "settlements")).await;
    assert_eq!(reply.refusal(), (403, "settlements_not_available"));
    assert!(!reply.json.to_string().contains("medium"));
    app.sql("UPDATE assessments SET grade = 'good' WHERE subject_code = $1", vec![MEDIUM.into()]).await;
    assert_eq!(bank.get(&token, &Bank::data(&consent, "settlements")).await.status, 200);
}

/// A bank that asks beyond its months.
async fn stay_within_the_consents_period(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let token = bank.token().await;
    for (query, refusal) in [
        ("from=2024-12", (403, "period_outside_consent")),
        ("to=2026-04", (403, "period_outside_consent")),
        ("from=2026-02&to=2026-01", (400, "invalid_request")),
        ("from=2026-13", (400, "invalid_request")),
        ("from=2026-01&from=2026-01", (400, "invalid_request")),
    ] {
        let reply = bank.get(&token, &Bank::data(&consent, &format!("settlements?{query}"))).await;
        assert_eq!(reply.refusal(), refusal, "{query}: {:?}", reply.json);
    }
}
