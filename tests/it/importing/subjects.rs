//! Subjects are written to the core when their file is accepted, and only if they change.

use medcredit::importing::{SubjectChanges, Template};

use super::{ImportHarness, SUBJECTS, THREE};
use crate::support::{TestStore, both_engines};

both_engines! {
    a_changed_subject_gets_the_next_version_and_the_others_keep_theirs,
    changed_personal_data_is_a_change_of_the_subject,
    a_code_that_passes_to_another_legal_entity_is_a_warning,
    one_uscc_owns_many_codes,
    a_failed_check_character_is_refused_until_the_operator_accepts_it,
}

/// A clerk imports the yearly file again, with one change.
async fn a_changed_subject_gets_the_next_version_and_the_others_keep_theirs(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let before = harness.change_number().await;
    let rows = THREE.replace("合成药店", "合成药店二");
    let report = harness.import(Template::Subjects, format!("{SUBJECTS}{rows}")).await;
    assert_eq!(report.subjects, SubjectChanges { new: 0, changed: 1, unchanged: 2 });
    assert_eq!(harness.change_number().await, before + 1);
    let (pharmacy, clinic) =
        (harness.subject("P33030400017").await.unwrap(), harness.subject("H33030200090").await.unwrap());
    assert_eq!((pharmacy.version, pharmacy.name.as_str()), (2, "合成药店二"));
    assert_eq!((clinic.version, clinic.import_seq), (1, 1));
    assert_eq!(
        (clinic.kind.as_str(), clinic.level.as_deref(), clinic.uscc.as_deref()),
        ("medical_institution", Some("一级"), Some("91330302MA2AB3C47J"))
    );
    assert_eq!(clinic.agreement_signed_on.as_deref(), Some("2019-05-01"));
    assert_eq!(harness.subject("D330302000123").await.unwrap().uscc, None);
}

/// A clerk imports a representative's new name: sealed data alone is a change too.
async fn changed_personal_data_is_a_change_of_the_subject(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let report = harness.import(Template::Subjects, format!("{SUBJECTS}{}", THREE.replace("合成甲", "合成乙"))).await;
    assert_eq!(report.subjects, SubjectChanges { new: 0, changed: 1, unchanged: 2 });
}

/// A sole trader has become a company, and a code was reissued after a merger.
async fn a_code_that_passes_to_another_legal_entity_is_a_warning(store: TestStore) {
    let harness = ImportHarness::new(store);
    let row =
        |uscc| format!("{SUBJECTS}pharmacy,P33038101234,{uscc},合成个体药店,330381,,,,,,2020-01-01,active,active\n");
    harness.import(Template::Subjects, row("92330381MA2CD5EF8R")).await;
    let report = harness.import(Template::Subjects, row("91330381MA2HK7LM8Y")).await;
    assert_eq!((report.accepted, report.warnings), (1, 1));
    assert_eq!(harness.findings(&report), ["2 uscc uscc_changed warning"]);
    let subject = harness.subject("P33038101234").await.unwrap();
    assert_eq!((subject.version, subject.uscc.as_deref()), (2, Some("91330381MA2HK7LM8Y")));
}

/// A chain: one legal entity owns forty codes.
async fn one_uscc_owns_many_codes(store: TestStore) {
    let harness = ImportHarness::new(store);
    let rows: String = (1..=40)
            .map(|nth| format!("pharmacy,P330302{nth:05},91330302MA2AB3C47J,合成连锁{nth}号店,330302,,P33030200001,,,,2020-01-01,active,active\n"))
            .collect();
    harness.import(Template::Subjects, format!("{SUBJECTS}{rows}")).await;
    let read = harness.store.db.read("test");
    let owned = medcredit::store::subjects::list_of_uscc(&read, "91330302MA2AB3C47J").await.unwrap();
    assert_eq!(owned.len(), 40);
    assert!(owned.iter().all(|row| row.parent_code.as_deref() == Some("P33030200001")));
}

/// The operator has compared the licence of a subject whose check character is wrong.
async fn a_failed_check_character_is_refused_until_the_operator_accepts_it(store: TestStore) {
    let mut harness = ImportHarness::new(store);
    let row = "medical_institution,H33030200090,91350203M0001FUE2P,合成诊所,330302,,,,,,2019-05-01,active,active\n";
    let report = harness.import(Template::Subjects, format!("{SUBJECTS}{row}")).await;
    assert_eq!(harness.findings(&report), ["2 uscc uscc_check_mismatch reject"]);
    harness.options.accept_uscc_mismatch = true;
    let report = harness.import(Template::Subjects, format!("{SUBJECTS}{row}")).await;
    assert_eq!(harness.findings(&report), ["2 uscc uscc_check_mismatch warning"]);
    assert_eq!(harness.subject("H33030200090").await.unwrap().uscc.as_deref(), Some("91350203M0001FUE2P"));
}
