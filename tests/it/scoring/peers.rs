//! Comparison with peers, from imported files through a run to results and explanations: ties, small groups, and subjects
//! that are no peers.

use std::fmt::Write;

use medcredit::{
    grading::{Library, Rounds},
    importing::Template,
    store::runs,
};

use crate::{
    importing::{ImportHarness, RECORDS, SUBJECTS},
    support::{TestStore, block_on, both_engines},
};

const ID: &str = "hengyang-institution";
const COST: &str = "percentile of inpatient_cost / discharges among the level";

struct City {
    harness: ImportHarness,
    rounds: Rounds,
    run: String,
}

/// Institutions by level and cost of a stay; without a cost no stays were reported.
async fn city(store: TestStore, institutions: &[(&str, Option<i64>)]) -> City {
    let rounds = Rounds::new(store.env());
    let harness = ImportHarness::new(store);
    let (mut subjects, mut records) = (SUBJECTS.to_owned(), RECORDS.to_owned());
    for (nth, (level, cost)) in institutions.iter().enumerate() {
        let code = code(nth);
        // The agreement of the last one has ended: it takes no part and is nobody's peer.
        let agreement = if nth + 1 == institutions.len() { "ended_by_bureau" } else { "active" };
        writeln!(
            subjects,
            "medical_institution,{code},91330302MA2AB3C47J,合成{code},330302,{level},,,,,2016-05-04,{agreement},active"
        )
        .unwrap();
        if let Some(cost) = cost {
            writeln!(records, "{code},inpatient_cost,{},2025-09-01,医保局,", cost * 100).unwrap();
            writeln!(records, "{code},discharges,100,2025-09-01,医保局,").unwrap();
        }
    }
    for (template, text) in [(Template::Subjects, subjects), (Template::Records, records)] {
        let report = harness.import(template, text).await;
        assert_eq!(report.rejected, 0, "{:?}", harness.findings(&report));
    }
    let library = Library::shipped().unwrap();
    let run = rounds
        .run(crate::support::tester(), library.get(ID).unwrap(), "2025-H2".parse().unwrap(), &|_, _| ())
        .await
        .unwrap();
    City { harness, rounds, run: run.id.to_string() }
}

fn code(nth: usize) -> String {
    format!("H330302{nth:05}")
}

impl City {
    /// The stored rank: below, equal, and all others.
    async fn rank(&self, nth: usize) -> Option<(u64, u64, u64)> {
        let row = runs::result(&self.harness.store.db.read("test"), &self.run, &code(nth)).await.unwrap().unwrap();
        let standing: serde_json::Value = serde_json::from_str(&row.standing).unwrap();
        let peer = standing["peers"].get(COST)?;
        Some((peer["below"].as_u64()?, peer["equal"].as_u64()?, peer["of"].as_u64()?))
    }

    /// The value and points of the indicator.
    async fn finding(&self, nth: usize) -> (String, i64) {
        let explained = self.rounds.explain(&code(nth), Some(&self.run)).await.unwrap();
        let assessment = explained.assessment.unwrap();
        let library = Library::shipped().unwrap();
        let model = library.get(ID).unwrap().model;
        let no =
            model.indicators().find(|placed| placed.indicator.name_zh == "次均住院费用同级位次").unwrap().indicator.no;
        let finding = assessment.findings.into_iter().find(|finding| finding.no == no).unwrap();
        let value = finding.value.unwrap_or_else(|| serde_json::to_string(&finding.missing).unwrap());
        (value, finding.points.0)
    }
}

/// Seven of one level, two of them with the same cost; three of another; the last takes no part.
const CITY: [(&str, Option<i64>); 12] = [
    ("二级", Some(100)),
    ("二级", Some(200)),
    ("二级", Some(300)),
    ("二级", Some(300)),
    ("二级", Some(500)),
    ("二级", Some(600)),
    ("二级", Some(900)),
    ("二级", None),
    ("三级", Some(100)),
    ("三级", Some(200)),
    ("三级", Some(300)),
    ("二级", Some(50)),
];

both_engines! {
    subjects_are_compared_with_the_others_of_their_level,
}

/// A bureau rates institutions of several levels: each is compared with those of its own.
async fn subjects_are_compared_with_the_others_of_their_level(store: TestStore) {
    let city = city(store, &CITY).await;
    assert_eq!(city.rank(0).await, Some((0, 0, 6)), "the cheapest: nobody that takes part is below");
    assert_eq!(city.rank(2).await, Some((2, 1, 6)), "a tie is counted");
    assert_eq!(city.rank(3).await, Some((2, 1, 6)), "and is the same from both sides");
    assert_eq!(city.rank(6).await, Some((6, 0, 6)), "the dearest");
    assert_eq!(city.rank(7).await, None, "nothing was reported of it");
    assert_eq!(city.rank(8).await, Some((0, 0, 2)), "another level");
    // Each other of the same value counts half: (2 + 1/2) / 6.
    assert_eq!(city.finding(2).await, ("5/12".to_owned(), 29_166));
    assert_eq!(city.finding(0).await, ("0".to_owned(), 30_000));
    assert_eq!(city.finding(6).await, ("1".to_owned(), 0));
    // Too few peers, and no value: the policy for missing data applies.
    assert_eq!(city.finding(8).await, ("\"few_peers\"".to_owned(), 18_000));
    assert_eq!(city.finding(7).await, ("\"no_data\"".to_owned(), 18_000));
}

#[test]
fn a_run_with_comparisons_is_replayed_to_the_same_digests() {
    block_on(async {
        let city = city(TestStore::sqlite().await, &CITY).await;
        let replayed = city.rounds.replay(&city.run, &|_, _| ()).await.unwrap();
        assert_eq!(replayed.differing, 0, "{replayed:?}");
    });
}
