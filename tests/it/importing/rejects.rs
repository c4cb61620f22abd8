//! Every code of the report of findings, each from a row with that fault.

use std::collections::BTreeSet;

use medcredit::{
    importing::{Code, Template},
    store::settlements,
};

use super::{ACCOUNTS, ADVERSE, AFFILIATIONS, ImportHarness, RECORDS, SETTLEMENTS, SUBJECTS, THREE, month};
use crate::support::{TestStore, block_on, both_engines};

/// A valid row of each template. The cases below change it.
const CLINIC: &str = "medical_institution,H33030200091,91330302MA2AB3C47J,合成诊所,330302,一级,,01,330302198001010019,合成甲,2019-05-01,active,active\n";
const FACT: &str = "H33030200090,insurance_commendation,1,2026-01-05,医保局,温医保〔2026〕7号\n";
const PENALTY: &str =
    "H33030200090,温医保罚〔2025〕7号,医保局,general,2025-06-01,2025-06-05,2025-09-05,2026-06-05,effective\n";
const VOID: &str = "H33030200090,insurance_penalty,温医保罚〔2026〕1号,复议撤销,2026-03-01,温政复〔2026〕3号\n";
const VOIDS: &str = "subject_code,measure,reference,reason,decided_on,decision\n";
const PLACE: &str = "D330302000123,H33030200090,1,2024-01-01,2025-01-01\n";
const ACCOUNT: &str = "H33030200090,10210000000012,6222021203000000017,2025-01-01\n";

/// Template, text of the valid row, its replacement, and the expected findings as `column code`.
const CASES: &[(Template, &str, &str, &[&str])] = &[
    (Template::Subjects, "medical_institution", "hospital", &["kind kind_unknown"]),
    (Template::Subjects, "medical_institution", "employer", &["code code_malformed"]),
    (
        Template::Subjects,
        "medical_institution,H33030200091,91330302MA2AB3C47J",
        "employer,DW12330300470001016F,91330302MA2AB3C47J",
        &["uscc code_malformed"],
    ),
    (
        Template::Subjects,
        "medical_institution,H33030200091,91330302MA2AB3C47J,合成诊所,330302,一级,,01,330302198001010019,合成甲,",
        "insured_person,CB33030000012345,,合成参保人,330302,,,,,,",
        &["id_number empty"],
    ),
    (Template::Subjects, "medical_institution", "pharmacy", &["code code_malformed"]),
    (Template::Subjects, "H33030200091", "", &["code empty"]),
    (Template::Subjects, "91330302MA2AB3C47J", "", &["uscc empty"]),
    (Template::Subjects, "91330302MA2AB3C47J", "91330302MA2AB3C47", &["uscc uscc_invalid"]),
    (Template::Subjects, "91330302MA2AB3C47J", "9133030\u{ff12}MA2AB3C47", &["uscc uscc_invalid"]),
    (Template::Subjects, "91330302MA2AB3C47J", "9.13303E+17", &["uscc excel_changed"]),
    (Template::Subjects, "330302198001010019", "330302198001020000", &["id_number excel_changed"]),
    (Template::Subjects, "91330302MA2AB3C47J", "91330302MA2AB3C47K", &["uscc uscc_check_mismatch"]),
    (Template::Subjects, "91330302MA2AB3C47J", "91330302ma2ab3c47j", &["uscc uscc_lower_case"]),
    (Template::Subjects, "合成诊所", "", &["name empty"]),
    (Template::Subjects, "合成诊所", "\"合成\n诊所\"", &["name control_character"]),
    (Template::Subjects, "合成诊所", "合成\u{200b}诊所", &["name control_character"]),
    (Template::Subjects, "合成甲", "合\u{202e}成甲", &["legal_representative control_character"]),
    (Template::Subjects, "合成诊所", "合成\u{fffd}所", &["name character_lost"]),
    (Template::Subjects, "合成诊所", "合成**", &["name masked_value"]),
    (Template::Subjects, "合成甲", "330302198001010019", &["legal_representative resident_number"]),
    (Template::Subjects, ",一级,,", ",330302198001010019,,", &["level resident_number"]),
    (Template::Subjects, "91330302MA2AB3C47J", "000000000000000000", &["uscc uscc_invalid"]),
    (Template::Records, "温医保〔2026〕7号", "330302198001010019", &["reference resident_number"]),
    (Template::Records, "医保局", "医\u{2066}保局", &["source control_character"]),
    (Template::Records, "7号", "7号\u{feff}", &["reference control_character"]),
    (Template::Subjects, ",330302,", ",33030,", &["region region_malformed"]),
    (Template::Subjects, ",330302,", ",330322,", &["region region_unknown"]),
    (Template::Subjects, ",一级,,", ",一级一级一级一级一级一级一级一级一级一级一,,", &["level too_long"]),
    (Template::Subjects, ",一级,,", ",一级,P33030200017,", &["parent_code code_malformed"]),
    (Template::Subjects, "330302198001010019", "330302198001010018", &["id_number id_number_invalid"]),
    (Template::Subjects, "330302198001010019", "330302800101001", &["id_number id_number_invalid"]),
    (Template::Subjects, "330302198001010019", "330302198102290015", &["id_number id_number_invalid"]),
    (Template::Subjects, "330302198001010019", "", &["id_number empty"]),
    (Template::Subjects, ",01,", ",,", &["id_type id_type_malformed"]),
    (Template::Subjects, ",01,", ",护照,", &["id_type id_type_malformed"]),
    (Template::Subjects, "2019-05-01", "2019-5-32", &["agreement_signed_on date_malformed"]),
    (Template::Subjects, "2019-05-01", "2026-04-02", &["agreement_signed_on date_in_future"]),
    (Template::Subjects, "active,active", "有效,active", &["agreement_status word_unknown"]),
    (Template::Subjects, "active,active", "active,", &["licence_status empty"]),
    (Template::Subjects, "active,active", "active,active,", &[" column_count"]),
    (Template::Records, "H33030200090", "H33030299999", &["subject_code subject_unknown"]),
    (Template::Records, "H33030200090", "H3303020009", &["subject_code code_malformed"]),
    (Template::Records, "insurance_commendation", "insurance_commendations", &["measure measure_unknown"]),
    (Template::Records, "insurance_commendation", "pharmacist_hours", &["measure measure_unknown"]),
    (Template::Records, ",1,", ",1.00001,", &["value value_malformed"]),
    (Template::Records, ",1,", ",5.001%,", &["value value_malformed"]),
    (Template::Records, ",1,", ",-1,", &["value value_out_of_range"]),
    (Template::Records, "2026-01-05", "2026-02-29", &["occurred_on date_malformed"]),
    (Template::Records, "2026-01-05", "2026-04-02", &["occurred_on date_in_future"]),
    (Template::Records, "2026-01-05", "1999-01-05", &["occurred_on fact_expired"]),
    (Template::Records, "医保局", "", &["source empty"]),
    (Template::Records, "医保局", "教育局", &["source provider_unexpected"]),
    (
        Template::Records,
        "insurance_commendation,1,2026-01-05,医保局,温医保〔2026〕7号",
        "insurance_penalty,1,2026-01-05,医保局,",
        &["reference reference_missing"],
    ),
    (Template::Voids, "insurance_penalty", "fines", &["measure measure_unknown"]),
    (Template::Voids, "温医保罚〔2026〕1号", "\u{3000}", &["reference empty"]),
    (Template::Voids, "复议撤销", "", &["reason empty"]),
    (Template::Voids, "2026-03-01", "2026-04-02", &["decided_on date_in_future"]),
    (Template::Voids, "H33030200090", "H33030299999", &["subject_code subject_unknown"]),
    (Template::Voids, "1号", "2号", &["reference fact_unknown"]),
    (Template::Adverse, "general", "medium", &["tier word_unknown"]),
    (Template::Adverse, "effective", "gone", &["status word_unknown"]),
    (Template::Adverse, "2025-06-05", "2025-05-31", &["publish_from_on date_order"]),
    (Template::Adverse, "2026-06-05", "2025-09-04", &["latest_end_on date_order"]),
    (Template::Adverse, "温医保罚〔2025〕7号", "", &["reference empty"]),
    (Template::Affiliations, "2025-01-01", "2023-12-31", &["to_on date_order"]),
    (Template::Affiliations, ",1,", ",yes,", &["main word_unknown"]),
    (
        Template::Affiliations,
        "D330302000123,H33030200090",
        "H33030200090,D330302000123",
        &["institution_code code_malformed", "person_code code_malformed"],
    ),
    (Template::Affiliations, "D330302000123", "D330302000124", &["person_code subject_unknown"]),
    (Template::Affiliations, "H33030200090", "H33030200099", &["institution_code subject_unknown"]),
    (Template::Accounts, "10210000000012", "102", &["bank_code bank_code_malformed"]),
    (Template::Accounts, "6222021203000000017", "6222 0212 0300 0000 017", &["account_number account_malformed"]),
    (Template::Settlements, "2026-01", "2026-13", &["month month_malformed"]),
    (Template::Settlements, "2026-01", "2026-05", &["month month_in_future"]),
    (Template::Settlements, "employee", "城镇", &["insurance word_unknown"]),
    (Template::Settlements, ",120,90,", ",-1,90,", &["visits count_malformed"]),
    (Template::Settlements, ",120,90,", ",120,+9,", &["persons count_malformed"]),
    (Template::Settlements, "100000,100000,100000,", "1000.00,100000,100000,", &["billed_fen amount_malformed"]),
    (Template::Settlements, "100000,100000,100000,", "100000,1e5,100000,", &["claimed_fen amount_malformed"]),
    (
        Template::Settlements,
        "100000,100000,100000,",
        "100000,9999999999999999999,100000,",
        &["claimed_fen amount_too_large"],
    ),
    // The least number has no absolute value of its own type.
    (
        Template::Settlements,
        "100000,100000,100000,",
        "100000,-9223372036854775808,100000,",
        &["claimed_fen amount_too_large"],
    ),
    (Template::Settlements, "100000,100000,100000,", "100000,100000,100001,", &["paid_fen identity_gap"]),
    (Template::Settlements, "final", "settled", &["status word_unknown"]),
    (Template::Settlements, "2026-03-25", "2025-12-31", &["as_of date_order"]),
    (Template::Settlements, "2026-03-25", "2026-04-02", &["as_of date_in_future"]),
    (
        Template::Settlements,
        ",employee,120,90,",
        ",,x,y,",
        &["insurance empty", "persons count_malformed", "visits count_malformed"],
    ),
];

fn good(template: Template) -> (&'static str, String) {
    match template {
        Template::Subjects => (SUBJECTS, CLINIC.into()),
        Template::Records => (RECORDS, FACT.into()),
        Template::Adverse => (ADVERSE, PENALTY.into()),
        Template::Affiliations => (AFFILIATIONS, PLACE.into()),
        Template::Accounts => (ACCOUNTS, ACCOUNT.into()),
        Template::Voids => (VOIDS, VOID.into()),
        Template::Settlements => (SETTLEMENTS, month("H33030200090", "2026-01", 100_000, "final")),
    }
}

#[test]
fn every_fault_is_reported_with_line_column_and_code() {
    block_on(async {
        let mut harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        harness.options.check_only = true;
        let mut seen = BTreeSet::new();
        for (template, from, to, expected) in CASES {
            let (header, row) = good(*template);
            assert!(row.contains(from), "{template}: {from} is part of the good row");
            let report = harness.import(*template, format!("{header}{}", row.replacen(from, to, 1))).await;
            let found: Vec<_> = harness.rows_of(&report).iter().map(|row| format!("{} {}", &row[1], &row[2])).collect();
            assert_eq!(found, *expected, "{template}: {from} -> {to}");
            assert!(harness.rows_of(&report).iter().all(|row| &row[0] == "2"));
            let warned = harness.rows_of(&report).iter().all(|row| &row[4] == "warning");
            assert_eq!(report.accepted, u64::from(warned), "{template}: {from} -> {to}");
            seen.extend(harness.rows_of(&report).iter().map(|row| row[2].to_owned()));
        }
        // These need more than one changed field; their tests are in `bytes`, `encodings`, `subjects`, `voids`, `documents`,
        // `workbooks`, `bank::imports`, `catalogue` and below.
        let elsewhere = [
            "already_void",
            "cell_error",
            "duplicate_row",
            "not_gb18030",
            "not_utf16",
            "not_utf8",
            "region_outside",
            "repetition",
            "same_document",
            "source_foreign",
            "status_undated",
            "uscc_changed",
            "voided_document",
        ];
        seen.extend(elsewhere.map(str::to_owned));
        let all: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
        assert_eq!(all.difference(&seen).collect::<Vec<_>>(), Vec::<&String>::new());
    });
}

#[test]
fn the_valid_rows_are_accepted() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        // A void needs the fact that it takes back: see `voids`.
        for template in Template::ALL.iter().copied().filter(|template| *template != Template::Voids) {
            let (header, row) = good(template);
            let report = harness.import(template, format!("{header}{row}")).await;
            assert_eq!((report.accepted, report.rejects, report.workbook), (1, None, None), "{template}");
        }
    });
}

both_engines! {
    a_row_that_repeats_a_key_of_the_file_is_rejected_wherever_it_is,
}

/// A clerk's file has rows twice: next to each other, far apart, and in a later statement.
async fn a_row_that_repeats_a_key_of_the_file_is_rejected_wherever_it_is(store: TestStore) {
    let mut harness = ImportHarness::with_subjects(store).await;
    harness.options.chunk_rows = 3;
    let keyed =
        [Template::Records, Template::Settlements, Template::Adverse, Template::Affiliations, Template::Accounts];
    for template in keyed {
        let (header, row) = good(template);
        let other = match template {
            Template::Records => row.replacen("7号", "8号", 1),
            _ => row.replacen("H33030200090", "P33030400017", 1),
        };
        let rows = format!("{row}{row}{other}{other}{row}");
        let report = harness.import(template, format!("{header}{rows}")).await;
        assert_eq!(
            harness.findings(&report),
            ["3  duplicate_row reject", "5  duplicate_row reject", "6  duplicate_row reject"],
            "{template}"
        );
        assert_eq!((report.rows, report.accepted, report.rejected), (5, 2, 3), "{template}");
    }
    let report = harness.import(Template::Subjects, format!("{SUBJECTS}{CLINIC}{THREE}{CLINIC}")).await;
    assert_eq!(harness.findings(&report), ["6 code duplicate_row reject"]);
}

both_engines! {
    a_late_repeated_row_does_not_lose_the_rows_before_it,
}

/// A clerk's file repeats its first row at its end, after batches that are written and not yet committed.
async fn a_late_repeated_row_does_not_lose_the_rows_before_it(store: TestStore) {
    let mut harness = ImportHarness::with_subjects(store).await;
    harness.options.chunk_rows = 3;
    let months: Vec<String> =
        (1..=12).map(|nth| month("H33030200090", &format!("2025-{nth:02}"), 1_000 * nth, "final")).collect();
    let rows = format!("{}{}{}", months[..8].concat(), months[0], months[8..].concat());
    let report = harness.import(Template::Settlements, format!("{SETTLEMENTS}{rows}")).await;
    assert_eq!(harness.findings(&report), ["10  duplicate_row reject"]);
    assert_eq!((report.rows, report.accepted, report.rejected), (13, 12, 1));
    let (from, to) = ("2025-01".parse().unwrap(), "2025-12".parse().unwrap());
    let read = harness.store.db.read("test");
    let listed = settlements::list(&read, &["H33030200090".to_owned()], from, to).await.unwrap();
    let settled: Vec<i64> = listed.iter().map(|row| row.settlement.settled.0).collect();
    assert_eq!(settled, (1..=12).map(|nth| 1_000 * nth).collect::<Vec<_>>());
}

/// A file may contain text that a spreadsheet would evaluate.
#[test]
fn a_report_has_no_formula_and_no_personal_number() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let row = CLINIC.replace("330302198001010019", "330302198001010018").replacen("active", "=1+1", 1);
        let report = harness.import(Template::Subjects, format!("{SUBJECTS}{row}")).await;
        let text = std::fs::read_to_string(report.rejects.unwrap()).unwrap();
        assert!(!text.contains("330302198001010018"), "{text}");
        assert!(!text.contains(",=") && !text.contains(",\"="), "{text}");
    });
}

#[test]
fn the_report_is_beside_the_file_or_at_the_given_path() {
    block_on(async {
        let mut harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let text = format!("{RECORDS}{}", FACT.replace("2026-01-05", "yesterday"));
        let report = harness.import(Template::Records, &text).await;
        assert_eq!(report.rejects, Some(harness.directory.path().join("records.csv.rejects.csv")));
        let elsewhere = harness.directory.path().join("to the clerk.csv");
        harness.options.rejects = Some(elsewhere.clone());
        let report = harness.import(Template::Records, &text).await;
        assert_eq!(report.rejects, Some(elsewhere));
        assert_eq!(report.findings.into_iter().collect::<Vec<_>>(), [("date_malformed", 1)]);
    });
}

#[test]
fn the_documentation_explains_every_code_and_names_every_column() {
    let page = include_str!("../../../docs/IMPORT.md");
    for code in Code::ALL {
        assert!(page.contains(&format!("| `{}` | ", code.as_str())), "{}", code.as_str());
    }
    for template in Template::ALL.iter().copied() {
        assert!(page.contains(&format!("| `{template}` | `{}` |", template.columns().join(", "))), "{template}");
    }
}
