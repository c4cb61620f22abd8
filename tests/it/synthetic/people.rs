//! Staff of the city's institutions, its agencies, companies and employers, and a sample of insured persons.

use std::collections::{BTreeMap, BTreeSet};

use medcredit::{
    domain::{Kinds, ResidentId, Uscc, kinds::Person},
    grading::{Library, Rounds},
    synthetic::Request,
};

use super::{bytes_of, make, rows, rules, small, today};
use crate::{
    importing::ImportHarness,
    support::{TestStore, both_engines},
};

/// A small city with everybody in it.
fn peopled(seed: u64) -> Request {
    Request { staff_e4: 1_000, half_years: vec!["2025-H1".parse().unwrap(), "2025-H2".parse().unwrap()], ..small(seed) }
}

#[test]
fn everybody_has_a_code_of_their_kind_and_nobody_exists() {
    let directory = tempfile::tempdir().unwrap();
    let summary = make(&peopled(1), directory.path());
    let counts: Vec<(&str, u64)> = summary.others.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    let expected = [
        ("agency", 1),
        ("doctor", 34),
        ("employer", 14),
        ("insured_person", 100),
        ("medical_company", 1),
        ("nurse", 38),
        ("pharmacist", 9),
    ];
    assert_eq!(counts, expected);
    let kinds = Kinds::built_in().unwrap();
    let subjects = rows(&directory.path().join("subjects.csv"));
    let codes: BTreeSet<&str> = subjects.iter().map(|row| row["code"].as_str()).collect();
    assert_eq!(codes.len(), subjects.len());
    let mut numbers = BTreeSet::new();
    for row in &subjects {
        let kind = kinds.check(&row["kind"], &row["code"]).unwrap_or_else(|error| panic!("{}: {error}", row["code"]));
        assert!(row["name"].starts_with("合成"), "{}", row["name"]);
        let id = ResidentId::parse(&row["id_number"], today()).unwrap();
        assert!(id.reveal().starts_with("339999"), "a region that does not exist");
        if kind.person == Person::Natural {
            assert!(row["uscc"].is_empty() && numbers.insert(row["id_number"].clone()), "{}", row["code"]);
        } else {
            let uscc = Uscc::parse(&row["uscc"]).unwrap();
            assert!(uscc.mismatches().is_empty() && uscc.as_str().as_bytes()[8] == b'Y', "{uscc}");
        }
    }
}

#[test]
fn staff_practise_somewhere_and_some_in_a_second_place() {
    let directory = tempfile::tempdir().unwrap();
    let month = "2025-11".parse().unwrap();
    let half_years = vec!["2025-H2".parse().unwrap()];
    let request = Request { staff_e4: 10_000, scale_e4: 300, from: month, to: month, half_years, ..small(4) };
    make(&request, directory.path());
    let subjects = rows(&directory.path().join("subjects.csv"));
    let staff: BTreeSet<&str> = subjects
        .iter()
        .filter(|row| ["doctor", "nurse", "pharmacist"].contains(&row["kind"].as_str()))
        .map(|row| row["code"].as_str())
        .collect();
    let mut places: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in rows(&directory.path().join("affiliations.csv")) {
        let place = (row["institution_code"].clone(), row["main"].clone());
        places.entry(row["person_code"].clone()).or_default().push(place);
    }
    assert_eq!(places.keys().map(String::as_str).collect::<BTreeSet<_>>(), staff);
    for (person, places) in &places {
        assert_eq!(places.iter().filter(|(_, main)| main == "1").count(), 1, "{person}");
        let pharmacy = places[0].0.starts_with('P');
        assert_eq!(person.starts_with("LY"), pharmacy, "{person} of {}", places[0].0);
    }
    let doctors = places.iter().filter(|(person, _)| person.starts_with('D'));
    let (all, several) =
        doctors.fold((0, 0), |(all, several), (_, places)| (all + 1, several + i32::from(places.len() > 1)));
    assert!((8..=16).contains(&(several * 100 / all)), "{several} of {all} doctors practise in two places");
    let shops = subjects.iter().filter(|row| row["kind"] == "pharmacy").count();
    let with: BTreeSet<&str> =
        places.values().map(|places| places[0].0.as_str()).filter(|code| code.starts_with('P')).collect();
    assert_eq!(with.len(), shops, "every shop has its pharmacist");
}

#[test]
fn the_same_seed_gives_the_same_people() {
    let directory = tempfile::tempdir().unwrap();
    let city = |name: &str, request: &Request| {
        let out = directory.path().join(name);
        make(request, &out);
        bytes_of(&out)
    };
    let one = city("one", &peopled(7));
    assert_eq!(one, city("again", &peopled(7)));
    assert_ne!(one["records-2025-H2.csv"], city("other", &peopled(8))["records-2025-H2.csv"]);
    let alone = city("alone", &Request { staff_e4: 0, ..peopled(7) });
    let institutions = String::from_utf8(alone["subjects.csv"].clone()).unwrap();
    let everybody = String::from_utf8(one["subjects.csv"].clone()).unwrap();
    assert!(everybody.starts_with(&institutions), "staff come after the institutions and do not change them");
}

#[test]
fn the_facts_of_all_kinds_add_up_to_the_requested_number() {
    let directory = tempfile::tempdir().unwrap();
    let summary = make(&Request { records: Some(60_000), ..peopled(3) }, directory.path());
    assert_eq!(summary.records, 60_000);
    let halves = ["2025-H1", "2025-H2"].map(|half| rows(&directory.path().join(format!("records-{half}.csv"))).len());
    assert_eq!(halves.iter().sum::<usize>(), 60_000);
}

both_engines! {
    every_subject_of_every_kind_gets_a_grade_or_a_reason,
}

/// A bureau imports a whole city and rates each kind by its own model.
async fn every_subject_of_every_kind_gets_a_grade_or_a_reason(store: TestStore) {
    let harness = ImportHarness::new(store);
    let request = Request { scale_e4: 500, unrated: 3, ..peopled(11) };
    let summary = make(&request, &harness.directory.path().join("city"));
    for file in &summary.files {
        let name = file.file_name().unwrap().to_str().unwrap();
        if name.starts_with("settlements") {
            continue;
        }
        let template = name.split(['.', '-']).next().unwrap();
        let report = harness.import_file(template.parse().unwrap(), file).await.unwrap();
        assert_eq!((report.rejected, report.warnings), (0, 0), "{name}: {:?}", harness.findings(&report));
    }
    let library = Library::shipped().unwrap();
    let rounds = Rounds::new(medcredit::store::Env::new(
        harness.store.db.clone(),
        harness.store.clock.clone(),
        harness.store.entropy.clone(),
    ));
    for rules in rules(&library) {
        let kind = rules.model.kind();
        let in_force = library.get(rules.model.id()).unwrap();
        let run = rounds.run(crate::support::tester(), in_force, "2025-H2".parse().unwrap(), &|_, _| ()).await.unwrap();
        assert_eq!(run.unknown, 0, "{kind}");
        let report = rounds.report(&run.id.to_string()).await.unwrap();
        let there = match kind {
            "medical_institution" => summary.institutions,
            "pharmacy" => summary.pharmacies,
            other => summary.others[other],
        };
        let not_rated: i64 = report.not_rated.values().sum();
        assert_eq!(u64::try_from(report.graded + not_rated).unwrap(), there, "{kind}");
        // Institutions and pharmacies as published or likely; good and excellent are most of every kind.
        let counts: Vec<i64> = report.grades.iter().map(|grade| grade.count).collect();
        assert_eq!(counts.iter().sum::<i64>(), report.graded, "{kind}");
        let best = (counts[0] + counts[1]) * 100 / report.graded.max(1);
        let expected = match kind {
            "doctor" | "nurse" | "pharmacist" | "insured_person" => 90,
            "medical_institution" => 72,
            _ => 66,
        };
        if report.graded >= 50 {
            assert!((best - expected).abs() <= 3, "{kind}: {best} % excellent or good, not {expected}: {counts:?}");
        }
    }
}
