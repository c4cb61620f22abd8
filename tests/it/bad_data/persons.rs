//! Identity numbers that end in X, days that are in leap years only.

use medcredit::{importing::Template, store::personal::Personal};

use crate::{
    importing::{ImportHarness, RECORDS, SUBJECTS},
    support::{TestStore, both_engines, logs::never_logged},
};

const DOCTOR: &str = "D330302000123";

fn doctor(number: &str) -> String {
    format!("{SUBJECTS}doctor,{DOCTOR},,合成医师,330302,,,01,{number},,,active,active\n")
}

both_engines! {
    a_number_that_ends_in_x_is_one_number,
    the_29th_of_february_is_a_day_of_leap_years,
}

/// A clerk imports a number that ends in X, then the same number with a lower-case x.
async fn a_number_that_ends_in_x_is_one_number(store: TestStore) {
    let number = never_logged("33030319660704005X");
    let harness = ImportHarness::new(store);
    let report = harness.import(Template::Subjects, doctor(number)).await;
    assert_eq!((report.accepted, report.warnings), (1, 0));
    // With a lower-case x it is the same person: nothing has changed, and one number finds them.
    let report = harness.import(Template::Subjects, doctor(&number.to_lowercase())).await;
    assert_eq!((report.subjects.unchanged, report.subjects.changed, report.rejected), (1, 0, 0));
    let sealed = harness.subject(DOCTOR).await.unwrap().sealed_identity.unwrap();
    assert_eq!(Personal::open(&harness.crypter, DOCTOR, &sealed).unwrap().id_number.as_deref(), Some(number));
    let report = harness.import(Template::Subjects, doctor("330303196607040051")).await;
    assert_eq!(
        harness.findings(&report),
        ["2 id_number id_number_invalid reject"],
        "its check character is X and no other"
    );
}

/// A clerk imports people and facts of a 29th of February.
async fn the_29th_of_february_is_a_day_of_leap_years(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    for (number, findings) in [
        ("330381199202292040", vec![]),
        ("330381199302292040", vec!["2 id_number id_number_invalid reject".to_owned()]),
    ] {
        let report = harness.import(Template::Subjects, doctor(number)).await;
        assert_eq!(harness.findings(&report), findings);
    }
    let rows = "H33030200090,insurance_commendation,1,2024-02-29,医保局,a\nH33030200090,insurance_commendation,1,2026-02-29,医保局,b\n";
    let report = harness.import(Template::Records, format!("{RECORDS}{rows}")).await;
    let findings = harness.findings(&report);
    assert!(findings.contains(&"3 occurred_on date_malformed reject".to_owned()), "{findings:?}");
    assert!(!findings.iter().any(|finding| finding.starts_with("2 occurred_on date_malformed")), "{findings:?}");
}
