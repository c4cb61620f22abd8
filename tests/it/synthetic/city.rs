//! The same seed gives the same city; a city of full size has the magnitudes of Wenzhou; and nobody in it exists.

use std::collections::{BTreeMap, BTreeSet};

use medcredit::{
    domain::{Kinds, ResidentId, Uscc},
    synthetic::{Request, Summary},
};

use super::{bytes_of, make, rows, small, today};

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let directory = tempfile::tempdir().unwrap();
    let city = |name: &str, seed| {
        let out = directory.path().join(name);
        make(&Request { bad_data: true, unrated: 5, ..small(seed) }, &out);
        bytes_of(&out)
    };
    let (one, again, other) = (city("one", 7), city("again", 7), city("other", 8));
    assert_eq!(one, again);
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for name in ["subjects.csv", "settlements-2025-H2.csv", "records-2025-H2.csv", "accounts.csv"] {
        assert_ne!(one[name], other[name], "{name}");
    }
}

#[test]
fn this_seed_gives_these_files_on_every_machine() {
    let directory = tempfile::tempdir().unwrap();
    make(&small(1), directory.path());
    let digests: Vec<String> = ["subjects.csv", "settlements-2025-H2.csv"]
        .iter()
        .map(|name| {
            use sha2::Digest;
            let bytes = std::fs::read(directory.path().join(name)).unwrap();
            data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))[..16].to_owned()
        })
        .collect();
    assert_eq!(digests.join(" "), "31f7240470e83ebf fa39b9c99a599fa0");
}

#[test]
fn every_seed_gives_a_city() {
    let directory = tempfile::tempdir().unwrap();
    for seed in 100..108 {
        let half_years = ["2024-H1", "2024-H2", "2025-H1", "2025-H2"].map(|half| half.parse().unwrap()).to_vec();
        let to = "2025-11".parse().unwrap();
        make(&Request { half_years, scale_e4: 300, to, ..small(seed) }, directory.path());
    }
}

#[test]
fn the_requested_number_of_credit_facts_is_generated() {
    let directory = tempfile::tempdir().unwrap();
    let summary = make(&Request { records: Some(12_345), ..small(3) }, directory.path());
    assert_eq!(summary.records, 12_345);
    assert_eq!(rows(&directory.path().join("records-2025-H2.csv")).len(), 12_345);
}

#[test]
fn institutions_that_are_not_graded_have_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let summary = make(&Request { unrated: 4, ..small(3) }, directory.path());
    let subjects = rows(&directory.path().join("subjects.csv"));
    let last: Vec<_> = subjects[subjects.len() - 4..]
        .iter()
        .map(|row| {
            (row["agreement_status"].as_str(), row["licence_status"].as_str(), row["agreement_signed_on"].as_str())
        })
        .collect();
    assert!(last[0].2 > "2025-04-01", "an agreement younger than a year");
    assert_eq!(last[1].0, "ended_by_subject");
    assert_eq!(last[2].0, "ended_by_bureau");
    assert_eq!(last[3].1, "suspended");
    assert_eq!(summary.institutions + summary.pharmacies, u64::try_from(subjects.len()).unwrap());
}

/// One city at full size for the tests below, with one month of settlements.
fn full() -> (tempfile::TempDir, Summary) {
    let directory = tempfile::tempdir().unwrap();
    let month = "2025-11".parse().unwrap();
    let summary = make(&Request { scale_e4: 10_000, from: month, to: month, ..small(1) }, directory.path());
    (directory, summary)
}

#[test]
fn a_city_of_full_size_has_the_magnitudes_of_wenzhou_and_nobody_in_it_exists() {
    let (directory, summary) = full();
    assert_eq!((summary.institutions, summary.pharmacies), (2_000, 2_400));
    let subjects = rows(&directory.path().join("subjects.csv"));
    levels_and_codes(&subjects);
    chains(&subjects);
    nobody(&subjects);
    a_month(&rows(&directory.path().join("settlements-2025-H2.csv")));
}

fn levels_and_codes(subjects: &[BTreeMap<String, String>]) {
    let of_level = |level: &str| {
        subjects.iter().filter(|row| row["level"] == level && row["kind"] == "medical_institution").count()
    };
    assert_eq!(["三级", "二级", "一级", "未定级"].map(of_level), [14, 60, 220, 1_706]);
    let kinds = Kinds::built_in().unwrap();
    let codes: BTreeSet<&str> = subjects.iter().map(|row| row["code"].as_str()).collect();
    assert_eq!(codes.len(), subjects.len());
    assert!(subjects.iter().all(|row| kinds.check(&row["kind"], &row["code"]).is_ok()));
    let regions: BTreeSet<&str> = subjects.iter().map(|row| row["region"].as_str()).collect();
    assert_eq!(regions.len(), 12, "the city's twelve");
    let sorts: BTreeSet<&str> = subjects.iter().map(|row| &row["uscc"][..2]).collect();
    assert_eq!(sorts.into_iter().collect::<Vec<_>>(), ["12", "52", "91", "92"]);
}

fn chains(subjects: &[BTreeMap<String, String>]) {
    let mut shops: BTreeMap<&str, usize> = BTreeMap::new();
    for row in subjects.iter().filter(|row| row["kind"] == "pharmacy") {
        *shops.entry(row["uscc"].as_str()).or_default() += 1;
    }
    let chains: Vec<usize> = shops.values().copied().filter(|shops| *shops > 1).collect();
    assert_eq!(chains.iter().sum::<usize>(), 1_440, "60 % of the pharmacies are in chains");
    assert!(chains.iter().all(|shops| (20..=220).contains(shops)), "{chains:?}");
    let head = |row: &BTreeMap<String, String>| row["kind"] == "pharmacy" && !row["parent_code"].is_empty();
    assert_eq!(subjects.iter().filter(|row| head(row)).count(), 1_440 - chains.len());
}

fn nobody(subjects: &[BTreeMap<String, String>]) {
    for row in subjects {
        assert!(row["name"].starts_with("合成") && row["legal_representative"].starts_with("合成"), "{row:?}");
        let uscc = Uscc::parse(&row["uscc"]).unwrap();
        assert!(uscc.mismatches().is_empty() && uscc.as_str().as_bytes()[8] == b'Y', "{uscc}");
        let id = ResidentId::parse(&row["id_number"], today()).unwrap();
        assert!(id.reveal().starts_with("339999"), "a region that does not exist");
    }
}

fn a_month(settlements: &[BTreeMap<String, String>]) {
    let fen = |row: &BTreeMap<String, String>, column: &str| row[column].parse::<i64>().unwrap();
    let total: i64 = settlements.iter().map(|row| fen(row, "settled_fen")).sum();
    let yi = 10_000_000_000;
    assert!((10 * yi..12 * yi).contains(&total), "about 1.1 thousand million yuan a month, not {total} fen");
    for row in settlements {
        let held = fen(row, "retained_fen") + fen(row, "disallowed_fen") + fen(row, "deducted_fen");
        let ahead = fen(row, "prepaid_fen") - fen(row, "offset_fen");
        assert_eq!(fen(row, "paid_fen"), fen(row, "settled_fen") - held + ahead);
        assert!(fen(row, "billed_fen") >= fen(row, "claimed_fen") && fen(row, "persons") <= fen(row, "visits"));
    }
    let few = settlements.iter().filter(|row| fen(row, "visits") < 10).count();
    assert!(few > 0, "some months have too few visits to be shown");
    let deducted = settlements.iter().filter(|row| fen(row, "deducted_fen") > 0).count();
    assert!((3..=7).contains(&(deducted * 100 / settlements.len())), "deductions in about 5 % of the months");
}

#[test]
fn seasons_prepayments_and_clearing_are_seen_over_a_year() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = ("2025-01".parse().unwrap(), "2026-03".parse().unwrap());
    make(&Request { scale_e4: 1_000, from, to, ..small(3) }, directory.path());
    let mut settled: BTreeMap<String, i64> = BTreeMap::new();
    let (mut prepaid, mut offset) = (BTreeMap::new(), BTreeMap::new());
    let mut status: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for half in ["2025-H1", "2025-H2", "2026-H1"] {
        for row in rows(&directory.path().join(format!("settlements-{half}.csv"))) {
            let fen = |column: &str| row[column].parse::<i64>().unwrap();
            *settled.entry(row["month"].clone()).or_default() += fen("settled_fen");
            if row["month"].starts_with("2025") {
                let key = (row["subject_code"].clone(), row["insurance"].clone());
                *prepaid.entry(key.clone()).or_insert(0) += fen("prepaid_fen");
                *offset.entry(key).or_insert(0) += fen("offset_fen");
            }
            status.entry(row["month"].clone()).or_default().insert(row["status"].clone());
        }
    }
    let percent = |month: &str| settled[month] * 100 / settled["2025-09"];
    assert!((66..=82).contains(&percent("2025-02")), "February {}", percent("2025-02"));
    assert!((103..=115).contains(&percent("2025-12")), "December {}", percent("2025-12"));
    assert!(prepaid.values().any(|fen| *fen > 0), "some hospital was prepaid");
    assert_eq!(prepaid, offset, "prepayments are offset within the year");
    let only = |month: &str| status[month].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        (only("2026-01"), only("2026-02")),
        (vec!["final"], vec!["provisional"]),
        "cleared 60 days after its end"
    );
}
