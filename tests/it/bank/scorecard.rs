//! `GET /v1/consents/{id}/scorecard`.

use medcredit::{consent::Consent, domain::permission::Permission, grading::Rounds};
use serde_json::{Value, json};

use super::{ENVELOPE, keepable, list, members, raise_publication, recorded};
use crate::support::{
    TestStore,
    app::{Bank, CLINIC, HOSPITAL, MEDIUM, OTHER_ENTITY, PHARMACY, TestApp, YOUNG},
    both_engines,
};

async fn consent(app: &TestApp, bank: &Bank) -> Consent {
    app.consent(bank, |new| {
        new.permissions = vec![Permission::Scorecard];
        new.codes.push(PHARMACY.into());
        new.valid_for_days = Some(400);
    })
    .await
}

both_engines! {
    gives_first_level_totals_that_add_up,
    has_points_only_where_a_grade_is_disclosed,
    leaves_out_totals_that_were_not_kept,
    has_these_members_and_no_others,
}

/// A bank with a consent for first-level totals.
async fn gives_first_level_totals_that_add_up(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = consent(&app, &bank).await;
    let path = Bank::data(&consent, "scorecard");
    let token = bank.token().await;
    let reply = bank.get(&token, &path).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    keepable(&app, &bank, &path, &reply);
    let hospital = &reply.json["codes"][0];
    assert_eq!(
        (&hospital["code"], &hospital["status"], &hospital["period"]),
        (&json!(HOSPITAL), &json!("graded"), &json!("2025-H2"))
    );
    assert_eq!(hospital["model"], json!({ "id": "wenzhou-institution", "version": 2 }));
    assert_eq!(hospital["max_milli_points"], 1_000_000);
    let levels = hospital["levels"].as_array().unwrap();
    let sum = |member: &str| levels.iter().map(|level| level[member].as_i64().unwrap()).sum::<i64>();
    assert_eq!(sum("max_milli_points"), 1_000_000);
    assert_eq!(sum("milli_points"), hospital["milli_points"].as_i64().unwrap());
    assert!(levels.iter().all(|level| level["milli_points"].as_i64() <= level["max_milli_points"].as_i64()));
    let first: Vec<_> = levels
        .iter()
        .map(|level| (level["name"].as_str().unwrap(), level["max_milli_points"].as_i64().unwrap()))
        .collect();
    assert_eq!(first[..2], [("基础评价", 30_000), ("自律评价", 110_000)]);
    // The same as the operator sees in the explanation, by name.
    let rounds = Rounds::new(medcredit::store::Env::new(
        app.store.db.clone(),
        app.store.clock.clone(),
        app.store.entropy.clone(),
    ));
    let explained = rounds.explain(HOSPITAL, None).await.unwrap().to_text();
    for level in levels {
        let points = level["milli_points"].as_i64().unwrap();
        let points = medcredit::i18n::number(format!("{}.{:03}", points / 1000, points % 1000));
        let line = format!("{} {points} of", level["name"].as_str().unwrap());
        assert!(explained.contains(&line), "{line}");
    }
    assert_eq!(recorded(&app, &reply, "what").await, json!(["scorecard"]));
    assert_eq!(recorded(&app, &reply, "period").await, Value::Null);
}

/// A bank, of subjects that stand otherwise: no points, of whatever was found.
async fn has_points_only_where_a_grade_is_disclosed(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let ours = consent(&app, &bank).await;
    let theirs = app
        .consent(&bank, |new| {
            new.permissions = vec![Permission::Scorecard];
            new.uscc = OTHER_ENTITY.into();
            new.codes = vec![MEDIUM.into(), YOUNG.into()];
        })
        .await;
    app.sql("UPDATE subjects SET under_objection = 1, version = version + 1 WHERE code = $1", vec![HOSPITAL.into()])
        .await;
    app.app.catch_up().await.unwrap();
    let token = bank.token().await;
    let statuses = |json: &Value| {
        json["codes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| {
                assert_eq!(of["status"] == "graded", of.get("levels").is_some(), "{of}");
                assert_eq!(of["status"] == "graded", of.get("milli_points").is_some(), "{of}");
                assert_eq!(of["status"] == "graded", of.get("model").is_some(), "{of}");
                (of["code"].as_str().unwrap().to_owned(), of["status"].as_str().unwrap().to_owned())
            })
            .collect::<Vec<_>>()
    };
    let pairs = |of: &[(&str, &str)]| {
        of.iter().map(|(code, status)| (code.to_string(), status.to_string())).collect::<Vec<_>>()
    };
    let reply = bank.get(&token, &Bank::data(&ours, "scorecard")).await;
    assert_eq!(
        statuses(&reply.json),
        pairs(&[(HOSPITAL, "under_objection"), (CLINIC, "graded"), (PHARMACY, "not_evaluated")])
    );
    let reply = bank.get(&token, &Bank::data(&theirs, "scorecard")).await;
    assert_eq!(statuses(&reply.json), pairs(&[(MEDIUM, "graded"), (YOUNG, "not_rated")]));
    assert_eq!(reply.json["codes"][1]["not_rated_reason"], "agreement_under_one_year");
    app.advance(std::time::Duration::from_secs(86_400 * 200)).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&ours, "scorecard")).await;
    assert_eq!(statuses(&reply.json)[1].1, "expired");
}

/// A bank, of a round that was published before totals were kept: the sum, and no guess at its parts.
async fn leaves_out_totals_that_were_not_kept(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = consent(&app, &bank).await;
    app.sql("UPDATE assessments SET level_points = NULL", vec![]).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "scorecard")).await;
    assert_eq!(reply.json["codes"][0]["status"], "graded");
    assert!(reply.json["codes"][0]["milli_points"].is_i64());
    assert_eq!(reply.json["codes"][0].get("levels"), None);
    // Totals that do not fit the model are not disclosed either.
    app.sql("UPDATE assessments SET level_points = '[1, 2]'", vec![]).await;
    raise_publication(&app).await;
    assert_eq!(bank.get(&token, &Bank::data(&consent, "scorecard")).await.refusal(), (503, "store_unavailable"));
}

/// I4: what leaves is what is written here; nothing of indicators or records.
async fn has_these_members_and_no_others(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app
        .consent(&bank, |new| {
            new.permissions = vec![Permission::Scorecard];
            new.uscc = OTHER_ENTITY.into();
            new.codes = vec![MEDIUM.into(), YOUNG.into()];
        })
        .await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "scorecard")).await;
    let mut allowed = list(ENVELOPE);
    allowed.extend(list(
        "codes codes[].code codes[].name codes[].kind codes[].status codes[].not_rated_reason codes[].model
             codes[].model.id codes[].model.version codes[].milli_points codes[].max_milli_points codes[].levels
             codes[].levels[].name codes[].levels[].milli_points codes[].levels[].max_milli_points codes[].period
             codes[].evaluated_on codes[].valid_until codes[].run codes[].assessment_version",
    ));
    assert_eq!(members(&reply.json), allowed);
}
