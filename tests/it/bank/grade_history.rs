//! `GET /v1/consents/{id}/grade-history`.

use std::time::Duration;

use medcredit::{
    consent::{Consent, NewConsent},
    domain::permission::Permission,
};
use serde_json::{Value, json};

use super::{ENVELOPE, keepable, list, members, raise_publication, recorded, round};
use crate::support::{
    TestStore,
    app::{Bank, CLINIC, HOSPITAL, MEDIUM, OTHER_ENTITY, PHARMACY, TestApp},
    both_engines,
};

const DAY: Duration = Duration::from_secs(86_400);

/// The rounds listed for a code: half-year, status and grade.
fn rounds<'a>(json: &'a Value, code: &str) -> Vec<(&'a str, &'a str, Option<&'a str>)> {
    let of = json["codes"].as_array().unwrap().iter().find(|of| of["code"] == code).unwrap();
    let row = |round: &'a Value| {
        (round["period"].as_str().unwrap(), round["status"].as_str().unwrap(), round["grade"]["code"].as_str())
    };
    of["rounds"].as_array().unwrap().iter().map(row).collect()
}

async fn consent(app: &TestApp, bank: &Bank, change: impl FnOnce(&mut NewConsent)) -> Consent {
    app.consent(bank, |new| {
        new.permissions = vec![Permission::Grade, Permission::GradeHistory];
        new.valid_for_days = Some(400);
        change(new);
    })
    .await
}

/// A round of 2025-H1, superseded by the one in force, in which every subject was excellent.
async fn add_former(app: &TestApp) {
    app.sql(
        "INSERT INTO runs (id, model_id, model_digest, scheme, kind, period, state, input_digest, outcome_digest, subject_count, created_at, published_at, valid_until_on)
         SELECT 'run_former', model_id, model_digest, scheme, kind, '2025-H1', 'superseded', '', '', 3, created_at - 1000, published_at - 1000, '2026-01-31' FROM runs WHERE state = 'published'",
        vec![],
    )
    .await;
    app.sql(
        "INSERT INTO assessments (run_id, subject_code, version, status, grade, points, made_at, uscc)
         SELECT 'run_former', code, 1, 'graded', 'excellent', 900000, 1752000000000000, uscc FROM subjects WHERE kind = 'medical_institution'",
        vec![],
    )
    .await;
    raise_publication(app).await;
}

both_engines! {
    lists_published_former_rounds_latest_first,
    withholds_grades_that_an_open_objection_may_concern,
    lists_the_last_round_once_its_validity_is_over,
    of_a_former_owner_is_not_disclosed_by_the_new_owners_consent,
    stays_within_the_whole_half_years_of_the_consent,
    has_these_members_and_no_others,
}

/// A bank with a consent for former grades, over the years.
async fn lists_published_former_rounds_latest_first(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = consent(&app, &bank, |new| new.codes.push(PHARMACY.into())).await;
    let path = Bank::data(&consent, "grade-history");
    let token = bank.token().await;
    // The round in force is in `grade`, under its permission, and not here; a trial run is nowhere.
    round(&app, "2025-H2", false).await;
    assert_eq!(rounds(&bank.get(&token, &path).await.json, HOSPITAL), []);
    add_former(&app).await;
    let reply = bank.get(&token, &path).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    keepable(&app, &bank, &path, &reply);
    assert_eq!((&reply.json["from"], &reply.json["to"]), (&json!("2025-H1"), &json!("2025-H2")));
    assert_eq!(rounds(&reply.json, HOSPITAL), [("2025-H1", "graded", Some("excellent"))]);
    assert_eq!(rounds(&reply.json, PHARMACY), []);
    assert_eq!(
        reply.json["codes"][0]["rounds"][0],
        json!({
            "period": "2025-H1", "status": "graded",
            "grade": { "scheme": "wenzhou-951", "scheme_version": 1, "code": "excellent", "name": "优秀", "ordinal": 1 },
            "evaluated_on": "2025-07-09", "valid_until": "2026-01-31", "superseded": true, "corrected": false,
            "run": "run_former", "assessment_version": 1,
        })
    );
    assert_eq!(recorded(&app, &reply, "what").await, json!(["grade_history"]));
    assert_eq!(recorded(&app, &reply, "period").await, json!({ "from": "2025-01", "to": "2025-12" }));

    // The round of 2025-H2 is repeated: its first publication is not disclosed any more.
    round(&app, "2025-H2", true).await;
    assert_eq!(rounds(&bank.get(&token, &path).await.json, HOSPITAL).len(), 1);
    app.advance(DAY * 92).await;
    round(&app, "2026-H1", true).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &path).await;
    let listed: Vec<_> = rounds(&reply.json, HOSPITAL).into_iter().map(|(period, ..)| period).collect();
    assert_eq!(listed, ["2025-H2", "2025-H1"]);
    let latest = &reply.json["codes"][0]["rounds"][0];
    assert_eq!((&latest["corrected"], &latest["superseded"]), (&json!(true), &json!(true)));
    // A corrected assessment is listed in its latest version.
    app.sql("INSERT INTO assessments (run_id, subject_code, version, status, reason, made_at, uscc) SELECT run_id, subject_code, 2, 'not_rated', 'other', made_at + 1, uscc FROM assessments WHERE run_id = 'run_former' AND subject_code = $1", vec![HOSPITAL.into()]).await;
    raise_publication(&app).await;
    let reply = bank.get(&token, &path).await;
    let corrected = &reply.json["codes"][0]["rounds"][1];
    assert_eq!(
        (&corrected["status"], &corrected["not_rated_reason"], &corrected["corrected"]),
        (&json!("not_rated"), &json!("other"), &json!(true))
    );
    assert_eq!(corrected["grade"], Value::Null);
}

/// A bank, of an institution that objects.
async fn withholds_grades_that_an_open_objection_may_concern(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = consent(&app, &bank, |_| {}).await;
    let path = Bank::data(&consent, "grade-history");
    add_former(&app).await;
    app.advance(DAY * 92).await;
    round(&app, "2026-H1", true).await;
    app.sql("UPDATE subjects SET under_objection = 1, version = version + 1 WHERE code = $1", vec![HOSPITAL.into()])
        .await;
    app.app.catch_up().await.unwrap();
    let token = bank.token().await;
    let reply = bank.get(&token, &path).await;
    // Grades of 2025-H2 are valid until the end of July, whatever was published since.
    assert_eq!(
        rounds(&reply.json, HOSPITAL),
        [("2025-H2", "under_objection", None), ("2025-H1", "graded", Some("excellent"))]
    );
    assert_eq!(rounds(&reply.json, CLINIC)[0], ("2025-H2", "graded", Some("excellent")));
    app.advance(DAY * 30).await;
    let token = bank.token().await;
    assert_eq!(rounds(&bank.get(&token, &path).await.json, HOSPITAL)[0], ("2025-H2", "graded", Some("good")));
}

/// A bank, after the validity of the last round is over and no other was published.
async fn lists_the_last_round_once_its_validity_is_over(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = consent(&app, &bank, |_| {}).await;
    let path = Bank::data(&consent, "grade-history");
    app.advance(DAY * 121).await;
    let token = bank.token().await;
    assert_eq!(rounds(&bank.get(&token, &path).await.json, HOSPITAL), [], "31 July is the last day");
    app.advance(DAY).await;
    let token = bank.token().await;
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.json["codes"][0]["status"], "expired");
    let reply = bank.get(&token, &path).await;
    assert_eq!(rounds(&reply.json, HOSPITAL), [("2025-H2", "graded", Some("good"))]);
    assert_eq!(reply.json["codes"][0]["rounds"][0]["superseded"], false);
    app.sql("UPDATE subjects SET under_objection = 1, version = version + 1 WHERE code = $1", vec![HOSPITAL.into()])
        .await;
    app.app.catch_up().await.unwrap();
    assert_eq!(rounds(&bank.get(&token, &path).await.json, HOSPITAL), [("2025-H2", "under_objection", None)]);
}

/// A bank with the consent of a code's new owner: the grades of the former owner are not covered by it.
async fn of_a_former_owner_is_not_disclosed_by_the_new_owners_consent(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    add_former(&app).await;
    let former = consent(&app, &bank, |_| {}).await;
    app.sql(
        "UPDATE subjects SET uscc = $2, version = version + 1 WHERE code = $1",
        vec![CLINIC.into(), OTHER_ENTITY.into()],
    )
    .await;
    app.app.catch_up().await.unwrap();
    let present = consent(&app, &bank, |new| {
        new.uscc = OTHER_ENTITY.into();
        new.codes = vec![CLINIC.into(), MEDIUM.into()];
    })
    .await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&present, "grade-history")).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    assert_eq!(rounds(&reply.json, CLINIC), []);
    assert_eq!(rounds(&reply.json, MEDIUM), [("2025-H1", "graded", Some("excellent"))]);
    assert_eq!(bank.get(&token, &Bank::data(&former, "grade-history")).await.refusal(), (403, "entity_changed"));
}

/// A bank that asks beyond its consent's months.
async fn stays_within_the_whole_half_years_of_the_consent(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    add_former(&app).await;
    let token = bank.token().await;
    let wide = consent(&app, &bank, |_| {}).await;
    for (query, refusal) in [
        ("from=2024-H2", (403, "period_outside_consent")),
        ("to=2026-H1", (403, "period_outside_consent")),
        ("from=2025-H2&to=2025-H1", (400, "invalid_request")),
        ("from=2025-H3", (400, "invalid_request")),
        ("from=2025-01", (400, "invalid_request")),
        ("from=2025-H1&from=2025-H1", (400, "invalid_request")),
    ] {
        let reply = bank.get(&token, &Bank::data(&wide, &format!("grade-history?{query}"))).await;
        assert_eq!(reply.refusal(), refusal, "{query}: {:?}", reply.json);
    }
    let reply = bank.get(&token, &Bank::data(&wide, "grade-history?from=2025-H2&to=2025-H2")).await;
    assert_eq!(rounds(&reply.json, HOSPITAL), []);
    // February to March of the next year: only the second half of 2025 is whole.
    let late = consent(&app, &bank, |new| new.data_from = Some("2025-02".parse().unwrap())).await;
    let reply = bank.get(&token, &Bank::data(&late, "grade-history")).await;
    assert_eq!((&reply.json["from"], &reply.json["to"]), (&json!("2025-H2"), &json!("2025-H2")));
    assert_eq!(
        bank.get(&token, &Bank::data(&late, "grade-history?from=2025-H1")).await.refusal(),
        (403, "period_outside_consent")
    );
    let narrow = consent(&app, &bank, |new| new.data_from = Some("2025-08".parse().unwrap())).await;
    assert_eq!(
        bank.get(&token, &Bank::data(&narrow, "grade-history")).await.refusal(),
        (403, "period_outside_consent")
    );
}

/// I4: only the members listed here leave.
async fn has_these_members_and_no_others(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = consent(&app, &bank, |_| {}).await;
    add_former(&app).await;
    app.sql("UPDATE assessments SET status = 'not_rated', reason = 'other', grade = NULL WHERE run_id = 'run_former' AND subject_code = $1", vec![CLINIC.into()]).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "grade-history")).await;
    let mut allowed = list(ENVELOPE);
    allowed.extend(list(
        "from to codes codes[].code codes[].name codes[].kind codes[].rounds codes[].rounds[].period
             codes[].rounds[].status codes[].rounds[].not_rated_reason codes[].rounds[].grade
             codes[].rounds[].grade.scheme codes[].rounds[].grade.scheme_version codes[].rounds[].grade.code
             codes[].rounds[].grade.name codes[].rounds[].grade.ordinal codes[].rounds[].evaluated_on
             codes[].rounds[].valid_until codes[].rounds[].superseded codes[].rounds[].corrected codes[].rounds[].run
             codes[].rounds[].assessment_version",
    ));
    assert_eq!(members(&reply.json), allowed);
}
