//! The generated files of bad data: each row has the result that the README names.

use std::collections::BTreeMap;

use medcredit::{
    domain::{Fen, settlement::SettlementStatus},
    importing::Template,
    store::{settlements, subjects},
    synthetic::Request,
};

use super::{make, rows, small};
use crate::{
    importing::ImportHarness,
    support::{TestStore, both_engines},
};

const FILES: [(Template, &str); 7] = [
    (Template::Subjects, "1-subjects.csv"),
    (Template::Subjects, "2-subjects-later.csv"),
    (Template::Settlements, "3-settlements.csv"),
    (Template::Settlements, "4-settlements-revised.csv"),
    (Template::Settlements, "5-settlements-revised.csv"),
    (Template::Settlements, "6-settlements-revised.csv"),
    (Template::Records, "7-records.csv"),
];

both_engines! {
    each_row_has_its_expected_result,
}

/// A clerk imports the files of bad data in their order.
async fn each_row_has_its_expected_result(store: TestStore) {
    let harness = ImportHarness::new(store);
    let city = harness.directory.path().join("city");
    make(&Request { bad_data: true, ..small(1) }, &city);
    let expected = rows(&city.join("bad/expected.csv"));
    for (template, file) in FILES {
        let report = harness.import_file(template, &city.join("bad").join(file)).await.unwrap();
        let found: BTreeMap<String, String> = harness
            .rows_of(&report)
            .iter()
            .map(|row| (row[0].to_owned(), format!("{} {} {}", &row[4], &row[1], &row[2])))
            .collect();
        for case in expected.iter().filter(|case| case["file"] == file) {
            let expected = match case["outcome"].as_str() {
                "taken" => None,
                outcome => Some(format!("{outcome} {} {}", case["column"], case["code"])),
            };
            assert_eq!(found.get(&case["line"]), expected.as_ref(), "{file} line {}: {}", case["line"], case["what"]);
        }
    }
    let read = harness.store.db.read("test");
    let chain = subjects::list_of_uscc(&read, "913303270252641A0B").await.unwrap();
    assert_eq!(chain.len(), 40, "one USCC, forty P codes");
    let company = subjects::find(&read, "P33038190001").await.unwrap().unwrap();
    assert_eq!((company.uscc.as_deref(), company.version), (Some("91330381MA2HK7LM8Y"), 2));
    let (from, to) = ("2025-07".parse().unwrap(), "2025-09".parse().unwrap());
    let codes = ["H33030290005", "H33030290006", "H33030490009"].map(str::to_owned);
    let listed = settlements::list(&read, &codes, from, to).await.unwrap();
    let months: Vec<_> = listed
        .iter()
        .map(|row| {
            (row.subject_code.as_str(), row.settlement.month.to_string(), row.version, row.settlement.identity_gap())
        })
        .collect();
    let july = || "2025-07".to_owned();
    let august = || "2025-08".to_owned();
    assert_eq!(
        months,
        [
            ("H33030290005", july(), 1, Fen(0)),
            ("H33030290005", august(), 1, Fen(0)),
            ("H33030290006", july(), 1, Fen(70_000)),
            ("H33030290006", august(), 4, Fen(0)),
            ("H33030490009", july(), 1, Fen(0)),
            ("H33030490009", august(), 1, Fen(0)),
        ]
    );
    let present = &listed[3].settlement;
    assert_eq!((present.settled, present.status), (Fen(4_700_000), SettlementStatus::Final));
    assert!(listed[0].settlement.paid < Fen(0) && listed[1].settlement.settled == Fen(0));
    assert!(listed[4].settlement.prepaid == listed[5].settlement.offset && listed[4].settlement.prepaid > Fen(0));
}

#[test]
fn the_readme_names_every_case() {
    let directory = tempfile::tempdir().unwrap();
    make(&Request { bad_data: true, ..small(1) }, directory.path());
    let readme = std::fs::read_to_string(directory.path().join("README.txt")).unwrap();
    for case in rows(&directory.path().join("bad/expected.csv")) {
        assert!(readme.contains(&case["what"]), "{}", case["what"]);
    }
    assert!(readme.contains("medcredit import settlements settlements-2025-H2.csv"), "{readme}");
}
