//! Values whose form is right and whose meaning is not: codes that are nobody's, numbers of persons where they do not
//! belong, and names that cannot be found again.

use medcredit::importing::Template;

use super::{ADVERSE, AFFILIATIONS, ImportHarness, RECORDS, SUBJECTS};
use crate::support::{
    TestStore, block_on, both_engines,
    logs::never_logged,
    raw::{everything, holds},
};

/// A number of a person that no other test has.
const NUMBER: &str = "330303197811120019";

fn clinic(uscc: &str) -> String {
    format!("{SUBJECTS}medical_institution,H33030295101,{uscc},合成某诊所,330302,,,,,,2020-01-05,active,active\n")
}

#[test]
fn a_unified_social_credit_code_that_no_register_assigns_is_rejected() {
    block_on(async {
        let mut harness = ImportHarness::new(TestStore::sqlite().await);
        harness.options.check_only = true;
        for (uscc, words) in [
            ("000000000000000000", "one repeated character"),
            (NUMBER, "is a resident identity number"),
            ("91330302000000000K", "characters 9 to 16 are zeros"),
            ("91990302MA2AB3C470", "not an administrative division"),
            ("91330001MA2AB3C470", "not an administrative division"),
            // Not in the table of the city; of other cities' regions nothing is known.
            ("91330377MA2AB3C470", "which the table of regions does not have"),
        ] {
            let report = harness.import(Template::Subjects, clinic(uscc)).await;
            assert_eq!(harness.findings(&report), ["2 uscc uscc_invalid reject"], "{uscc}");
            assert!(harness.messages(&report)[0].contains(words), "{uscc}: {:?}", harness.messages(&report));
        }
        // An operator who has compared the code with the licence accepts a region that the table does not have, but no
        // code that is nobody's.
        harness.options.accept_uscc_mismatch = true;
        let report = harness.import(Template::Subjects, clinic("91330377MA2AB3C470")).await;
        let found = harness.findings(&report);
        assert_eq!(found, ["2 uscc region_unknown warning", "2 uscc uscc_check_mismatch warning"]);
        let report = harness.import(Template::Subjects, clinic("000000000000000000")).await;
        assert_eq!(harness.findings(&report), ["2 uscc uscc_invalid reject"]);
    });
}

both_engines! {
    a_number_of_a_person_is_never_stored_in_the_clear_whatever_column_it_came_in,
}

/// A clerk's rows have a person's number where a code, a name, a document or a source belongs.
async fn a_number_of_a_person_is_never_stored_in_the_clear_whatever_column_it_came_in(store: TestStore) {
    let _ = never_logged(NUMBER);
    let harness = ImportHarness::with_subjects(store).await;
    let (head, tail) = NUMBER.split_at(6);
    let written =
        [NUMBER.to_owned(), format!("身份证{NUMBER}号"), format!("{head} {tail}"), NUMBER.replace('3', "\u{ff13}")];
    let good = "medical_institution,H33030295101,12330300470001016F,合成某诊所,330302,一级,,,,合成某甲,2020-01-05,active,active\n";
    let fact = "H33030200090,insurance_commendation,1,2026-01-05,医保局,温医保〔2026〕7号\n";
    let penalty = "H33030200090,温医保罚〔2025〕7号,医保局,general,2025-06-01,2025-06-05,,,effective\n";
    let place = "D330302000123,H33030200090,1,2024-01-01,2025-01-01\n";
    for (template, header, row, fields) in [
        (
            Template::Subjects,
            SUBJECTS,
            good,
            &["H33030295101", "合成某诊所", "一级", "合成某甲", "12330300470001016F"][..],
        ),
        (Template::Records, RECORDS, fact, &["H33030200090", "insurance_commendation", "医保局", "温医保〔2026〕7号"]),
        (Template::Adverse, ADVERSE, penalty, &["H33030200090", "温医保罚〔2025〕7号", "医保局", "general"]),
        (Template::Affiliations, AFFILIATIONS, place, &["D330302000123", "H33030200090"]),
    ] {
        for number in &written {
            let rows: String = fields.iter().map(|field| row.replacen(field, number, 1)).collect();
            let report = harness.import(template, format!("{header}{rows}")).await;
            assert_eq!(report.accepted, 0, "{template} {number}: {:?}", harness.findings(&report));
            let text = std::fs::read_to_string(report.rejects.unwrap()).unwrap();
            assert!(!text.contains(NUMBER) && !text.contains(tail), "{text}");
        }
    }
    // The fast path of plain lines, beside rows that pass.
    let rows =
        format!("{fact}{}{}", fact.replace("温医保", NUMBER), fact.replace("医保局,", &format!("{NUMBER}医保局,")));
    let report = harness.import(Template::Records, format!("{RECORDS}{rows}")).await;
    assert_eq!(harness.findings(&report), ["3 reference resident_number reject", "4 source resident_number reject"]);
    let all = everything(&harness.store).await;
    assert!(holds(&all, "温医保〔2026〕7号") || holds(&all, "H33030200090"), "the search finds what is there");
    assert!(!holds(&all, NUMBER) && !holds(&all, tail), "a number is in the store");
}

#[test]
fn a_name_with_a_character_that_was_lost_or_cannot_be_seen_is_rejected() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let names = [
            ("张\u{200b}三", "control_character"),
            ("张\u{a0}三", "control_character"),
            ("张\u{feff}三", "control_character"),
            ("张\u{fffd}三", "character_lost"),
            ("王\u{e01e}", "character_lost"),
            ("??", "character_lost"),
            ("张三?", "character_lost"),
            ("张*", "masked_value"),
            ("\u{200b}\u{3000}", "empty"),
        ];
        let rows: String = names
            .iter()
            .enumerate()
            .map(|(nth, (name, _))| format!("doctor,D3303029902{nth:02},,{name},330302,,,,,,,active,active\n"))
            .collect();
        let report = harness.import(Template::Subjects, format!("{SUBJECTS}{rows}")).await;
        let expected: Vec<_> =
            names.iter().enumerate().map(|(nth, (_, code))| format!("{} name {code} reject", nth + 2)).collect();
        assert_eq!(harness.findings(&report), expected);
    });
}
