//! Unified social credit codes and national codes that are wrong, unusual, shared, or passed to another entity.

use medcredit::{importing::Template, store::subjects};

use super::import;
use crate::{
    importing::{ImportHarness, SUBJECTS},
    support::{
        TestStore,
        app::{Bank, ENTITY, HOSPITAL, OTHER_ENTITY, TestApp},
        both_engines,
    },
};

fn clinic(uscc: &str) -> String {
    format!("{SUBJECTS}medical_institution,H33030200090,{uscc},合成诊所,330302,一级,,,,,2019-05-01,active,active\n")
}

both_engines! {
    a_wrong_check_digit_is_rejected_unless_an_operator_accepts_it,
    lower_case_becomes_upper_case_with_a_warning_and_full_width_becomes_ascii,
    one_entity_owns_forty_codes_and_a_consent_covers_those_it_names,
    consents_do_not_cover_a_code_reissued_after_a_merger,
    a_sole_trader_that_became_a_company_consents_again,
    facts_of_unknown_subjects_and_measures_are_rejected_with_their_line,
}

/// A clerk mistypes one character of a code, and one of a code whose inner check alone is wrong.
async fn a_wrong_check_digit_is_rejected_unless_an_operator_accepts_it(store: TestStore) {
    let mut harness = ImportHarness::new(store);
    for uscc in ["91330302MA2AB3C47K", "91330302MA2AB3C57J", "91350203M0001FUE2P"] {
        let report = harness.import(Template::Subjects, clinic(uscc)).await;
        assert_eq!(harness.findings(&report), ["2 uscc uscc_check_mismatch reject"], "{uscc}");
        assert!(harness.subject("H33030200090").await.is_none());
    }
    harness.options.accept_uscc_mismatch = true;
    let report = harness.import(Template::Subjects, clinic("91350203M0001FUE2P")).await;
    assert_eq!((report.accepted, report.warnings), (1, 1), "a real code of an early pilot, checked by an operator");
}

/// A clerk copies codes from two other systems.
async fn lower_case_becomes_upper_case_with_a_warning_and_full_width_becomes_ascii(store: TestStore) {
    let harness = ImportHarness::new(store);
    let report = harness.import(Template::Subjects, clinic("91330302ma2ab3c47j")).await;
    assert_eq!(harness.findings(&report), ["2 uscc uscc_lower_case warning"]);
    assert_eq!(harness.subject("H33030200090").await.unwrap().uscc.as_deref(), Some(ENTITY));
    for uscc in ["91330302MA2AB3C47\u{ff2a}", "\u{ff19}1330302MA2AB3C47J", "91330302MA2AB3C47J\u{3000}"] {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let report = harness.import(Template::Subjects, clinic(uscc)).await;
        assert_eq!((report.accepted, report.warnings), (1, 0), "{uscc}");
        assert_eq!(harness.subject("H33030200090").await.unwrap().uscc.as_deref(), Some(ENTITY));
    }
}

/// A bank lends to a chain of forty shops, and has a consent for one of them.
async fn one_entity_owns_forty_codes_and_a_consent_covers_those_it_names(store: TestStore) {
    let app = TestApp::start(store).await;
    let rows: String = (1..=40)
        .map(|shop| {
            format!(
                "pharmacy,P330302{:05},913303270252641A0B,合成连锁{shop}店,330302,,,,,,2019-05-01,active,active\n",
                91_000 + shop
            )
        })
        .collect();
    let report = import(&app, Template::Subjects, &rows).await;
    assert_eq!((report.accepted, report.warnings), (40, 0));
    let owned = subjects::list_of_uscc(&app.store.db.read("test"), "913303270252641A0B").await.unwrap();
    assert_eq!(owned.len(), 40);
    let bank = app.bank("Bank A").await;
    let consent = app
        .consent(&bank, |wish| {
            wish.uscc = "913303270252641A0B".into();
            wish.codes = vec!["P33030291007".into()];
        })
        .await;
    let reply = bank.get(&bank.token().await, &Bank::data(&consent, "grade")).await;
    assert_eq!((reply.status, reply.json["codes"].as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!(reply.json["codes"][0]["code"], "P33030291007");
    let all: Vec<String> = owned.iter().map(|row| row.code.clone()).collect();
    let consent = app
        .consent(&bank, |wish| {
            wish.uscc = "913303270252641A0B".into();
            wish.codes.clone_from(&all);
        })
        .await;
    let reply = bank.get(&bank.token().await, &Bank::data(&consent, "grade")).await;
    assert_eq!(reply.json["total"]["codes"], 40);
}

/// A bank has the consent of a hospital that merged, and whose code was reissued to another entity.
async fn consents_do_not_cover_a_code_reissued_after_a_merger(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |wish| wish.codes = vec![HOSPITAL.into()]).await;
    let token = bank.token().await;
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200);
    let row = format!(
        "medical_institution,{HOSPITAL},{OTHER_ENTITY},合成合并医院,330302,二级,,,,,2026-01-01,active,active\n"
    );
    let report = import(&app, Template::Subjects, &row).await;
    assert_eq!(report.findings.get("uscc_changed"), Some(&1), "taken, with a warning");
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.refusal(), (403, "entity_changed"));
    let renewed = app
        .consent(&bank, |wish| {
            wish.uscc = OTHER_ENTITY.into();
            wish.codes = vec![HOSPITAL.into()];
        })
        .await;
    assert_eq!(
        bank.get(&token, &Bank::data(&renewed, "grade")).await.status,
        200,
        "the new entity consents for itself"
    );
}

/// A sole trader has become a company (个转企): the code is the same, the entity is another.
async fn a_sole_trader_that_became_a_company_consents_again(store: TestStore) {
    let app = TestApp::start(store).await;
    let row = |uscc: &str| format!("pharmacy,P33038101234,{uscc},合成个体药店,330381,,,,,,2019-05-01,active,active\n");
    import(&app, Template::Subjects, &row("92330381MA2CD5EF8R")).await;
    let bank = app.bank("Bank A").await;
    let consent = app
        .consent(&bank, |wish| {
            wish.uscc = "92330381MA2CD5EF8R".into();
            wish.codes = vec!["P33038101234".into()];
        })
        .await;
    let token = bank.token().await;
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200);
    let report = import(&app, Template::Subjects, &row("91330381MA2HK7LM8Y")).await;
    assert_eq!((report.findings.get("uscc_changed"), report.subjects.changed), (Some(&1), 1));
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.refusal(), (403, "entity_changed"));
    let owned = subjects::list_of_uscc(&app.store.db.read("test"), "92330381MA2CD5EF8R").await.unwrap();
    assert!(owned.is_empty(), "the old entity owns no code");
}

/// A clerk imports facts of an unknown subject and of an unknown measure: each is reported with its line.
async fn facts_of_unknown_subjects_and_measures_are_rejected_with_their_line(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let rows = "H33030299999,insurance_commendation,1,2026-01-05,医保局,a\n\
                    H33030200090,insurance_commendation,1,2026-01-05,医保局,b\n\
                    H33030200090,nonsense,1,2026-01-05,医保局,c\n\
                    P33030400017,insurance_experts,1,2026-01-05,医保局,d\n";
    let report = harness.import(Template::Records, format!("{}{rows}", crate::importing::RECORDS)).await;
    let findings: Vec<_> = harness.findings(&report);
    assert_eq!((report.rows, report.accepted + report.rejected), (4, 4), "every row is accepted or reported");
    assert!(findings.contains(&"2 subject_code subject_unknown reject".to_owned()), "{findings:?}");
    assert!(findings.contains(&"4 measure measure_unknown reject".to_owned()), "{findings:?}");
}
