//! 三(一)4: heads of chains, from imported files through a run to its results.

use std::{collections::BTreeMap, fmt::Write};

use medcredit::{
    grading::{Correction, Explained, Library, Rounds},
    importing::Template,
    scoring::{Basis, OwnWorseOutcome, Part},
    store::runs,
};

use super::PHARMACY;
use crate::{
    importing::{ImportHarness, SUBJECTS},
    support::{TestStore, block_on, both_engines},
};

/// The head of the chain.
const HEAD: &str = "P33030200000";
/// The number of its branches.
const BRANCHES: usize = 14;

pub struct City {
    harness: ImportHarness,
    rounds: Rounds,
    library: Library,
    subjects: String,
    records: String,
}

/// A branch's code.
fn branch(nth: usize) -> String {
    format!("P330302{:05}", nth + 1)
}

impl City {
    pub fn new(store: TestStore) -> Self {
        let rounds = Rounds::new(store.env());
        let records = "subject_code,measure,value,occurred_on,source,reference\n".to_owned();
        let library = Library::shipped().unwrap();
        Self { harness: ImportHarness::new(store), rounds, library, subjects: SUBJECTS.to_owned(), records }
    }

    /// A chain: a head with fourteen branches.
    fn chain(store: TestStore) -> Self {
        let mut city = Self::new(store);
        city.pharmacy(HEAD, "", "2016-05-04", "active", "active");
        for nth in 0..BRANCHES {
            city.pharmacy(&branch(nth), HEAD, "2016-05-04", "active", "active");
        }
        city
    }

    pub fn pharmacy(&mut self, code: &str, parent: &str, signed: &str, agreement: &str, licence: &str) {
        writeln!(
            self.subjects,
            "pharmacy,{code},91330302MA2AB3C47J,合成药店{code},330302,,{parent},,,,{signed},{agreement},{licence}"
        )
        .unwrap();
    }

    pub fn event(&mut self, code: &str, measure: &str) {
        // Each act has a document of its own.
        let nth = self.records.lines().count();
        writeln!(self.records, "{code},{measure},1,2025-09-01,医保局,镇医保〔2025〕{nth}号").unwrap();
    }

    /// Gives some branches one star of their own.
    fn one_star_branches(&mut self, count: usize) {
        for nth in 0..count {
            self.event(&branch(nth), "fraud_finding");
        }
    }

    /// Imports the files and rates the pharmacies; returns the run.
    pub async fn run(&self) -> String {
        for (template, text) in [(Template::Subjects, &self.subjects), (Template::Records, &self.records)] {
            if text.lines().count() > 1 {
                let report = self.harness.import(template, text).await;
                assert_eq!(report.rejected, 0, "{:?}", self.harness.findings(&report));
            }
        }
        let in_force = self.library.get(PHARMACY).unwrap();
        self.rounds
            .run(crate::support::tester(), in_force, "2025-H2".parse().unwrap(), &|_, _| ())
            .await
            .unwrap()
            .id
            .to_string()
    }

    /// The grade, or the reason why there is none.
    pub async fn result(&self, run: &str, code: &str) -> String {
        let row = runs::result(&self.harness.store.db.read("test"), run, code).await.unwrap().unwrap();
        assert_eq!(row.points, None, "a rule model has no points");
        row.grade.or(row.reason).unwrap()
    }

    async fn head(&self) -> String {
        let run = self.run().await;
        self.result(&run, HEAD).await
    }

    async fn explained(&self, run: &str, code: &str) -> Explained {
        self.rounds.explain(code, Some(run)).await.unwrap()
    }
}

both_engines! {
    没有一家被评为一星级_the_heads_own_grade_stands,
    有一家_not_three_stars,
    有三家_two_stars_directly,
    有四家以上_one_star_directly,
    a_head_is_corrected_with_its_branch,
}

/// No branch has one star: the head keeps the grade of its own.
async fn 没有一家被评为一星级_the_heads_own_grade_stands(store: TestStore) {
    let city = City::chain(store);
    let run = city.run().await;
    assert_eq!(city.result(&run, HEAD).await, "three_stars");
    assert_eq!(city.result(&run, &branch(3)).await, "three_stars");
    let text = city.explained(&run, HEAD).await.to_text();
    assert!(text.contains("head of a chain: none of 14 graded branches is one_star"), "{text}");
}

/// 有一家被评为★级的,则该定点零售药店原则上不得评为★★★级.
async fn 有一家_not_three_stars(store: TestStore) {
    let mut city = City::chain(store);
    city.one_star_branches(1);
    let run = city.run().await;
    assert_eq!(city.result(&run, &branch(0)).await, "one_star");
    assert_eq!(city.result(&run, HEAD).await, "two_stars");
    // The chain's rule is explained with the numbers, and is what blocks three stars.
    let explained = city.explained(&run, HEAD).await;
    let assessment = explained.assessment.clone().unwrap();
    let chain = assessment.decisions.iter().find(|decision| decision.part == Part::Chain).unwrap();
    assert!(chain.decides);
    assert_eq!(chain.because, ["1 of 14 graded branches are one_star"]);
    let raise = assessment.raise.unwrap();
    assert_eq!((raise.to.as_str(), raise.must_end.len()), ("three_stars", 1));
    assert_eq!(raise.must_end[0].conditions, ["branches that are one_star: 1, at most 0 allowed"]);
}

/// 有三家被评为★级的,该定点零售药店直接评定为★★级.
async fn 有三家_two_stars_directly(store: TestStore) {
    let mut city = City::chain(store);
    city.one_star_branches(3);
    assert_eq!(city.head().await, "two_stars");
}

/// 有四家以上被评为★级的,该定点零售药店直接评定为★级. Both engines find the same.
async fn 有四家以上_one_star_directly(store: TestStore) {
    let mut city = City::chain(store);
    city.one_star_branches(4);
    let run = city.run().await;
    assert_eq!(city.result(&run, HEAD).await, "one_star");
    assert_eq!(city.result(&run, &branch(4)).await, "three_stars", "the other branches are as they were");
    let row = runs::result(&city.harness.store.db.read("test"), &run, HEAD).await.unwrap().unwrap();
    assert!(row.standing.contains(r#""branches":{"of":14,"one_star":4}"#), "{}", row.standing);
}

async fn with_branches(count: usize) -> String {
    let mut city = City::chain(TestStore::sqlite().await);
    city.one_star_branches(count);
    city.head().await
}

#[test]
fn 有四家以上_has_no_upper_end() {
    block_on(async {
        assert_eq!(with_branches(5).await, "one_star");
        assert_eq!(with_branches(BRANCHES).await, "one_star");
    });
}

#[test]
fn two_branches_are_open_in_the_text_so_our_reading_says_that_it_is_ours() {
    block_on(async {
        assert_eq!(with_branches(2).await, "two_stars");
        let library = Library::shipped().unwrap();
        let chain = library.get(PHARMACY).unwrap().model.file().chain.clone().unwrap();
        let said: Vec<_> = chain.rule.iter().map(|rule| (rule.from, rule.to, rule.basis)).collect();
        let published = Basis::Published;
        assert_eq!(
            said,
            [(1, Some(1), published), (2, Some(2), Basis::Default), (3, Some(3), published), (4, None, published)]
        );
        assert!(chain.rule[1].reason.as_deref().unwrap().contains("silent about two"));
    });
}

#[test]
fn 原则上_the_bureau_may_make_an_exception_for_one_branch_and_not_for_more() {
    block_on(async {
        for (branches, grade) in [(1, "three_stars"), (2, "two_stars"), (3, "two_stars"), (4, "one_star")] {
            let mut city = City::chain(TestStore::sqlite().await);
            city.one_star_branches(branches);
            city.event(HEAD, "chain_exception");
            assert_eq!(city.head().await, grade, "{branches} branches");
        }
    });
}

#[test]
fn 不得评为三星级_does_not_lift_a_head_that_has_one_star_of_its_own() {
    block_on(async {
        let mut city = City::chain(TestStore::sqlite().await);
        city.one_star_branches(1);
        city.event(HEAD, "fraud_finding");
        assert_eq!(city.head().await, "one_star");
    });
}

#[test]
fn 直接评定为二星级_where_the_head_itself_is_worse_is_open_so_configuration_says_which_counts() {
    block_on(async {
        let mut city = City::chain(TestStore::sqlite().await);
        city.one_star_branches(3);
        city.event(HEAD, "fraud_finding");
        assert_eq!(city.head().await, "one_star", "a chain's rule does not lift its head");
        let own = &city.library.get(PHARMACY).unwrap().model.file().chain.as_ref().unwrap().own_worse;
        assert_eq!((own.outcome, own.basis), (OwnWorseOutcome::Stands, Basis::Default));
    });
}

#[test]
fn only_branches_that_are_rated_count() {
    block_on(async {
        let mut city = City::chain(TestStore::sqlite().await);
        // Its agreement is too young: it is not rated, whatever its facts.
        city.pharmacy("P33030200090", HEAD, "2025-05-04", "active", "active");
        city.event("P33030200090", "fraud_finding");
        let run = city.run().await;
        assert_eq!(city.result(&run, HEAD).await, "three_stars");
        let row = runs::result(&city.harness.store.db.read("test"), &run, HEAD).await.unwrap().unwrap();
        assert!(row.standing.contains(r#""branches":{"of":14,"one_star":0}"#), "{}", row.standing);
    });
}

/// 其下属零售药店: the shops below a company that is not rated are shops of the head above it.
#[test]
fn 下属零售药店_under_a_company_that_is_not_rated_count_for_the_top() {
    block_on(async {
        for (shops, grade) in [(1, "two_stars"), (3, "two_stars"), (4, "one_star")] {
            let mut city = City::new(TestStore::sqlite().await);
            // The codes of the companies come before and after those of their shops: the order must not matter.
            for (top, middle) in [("P33030200099", "P33030200001"), ("P33030200000", "P33030200098")] {
                city.pharmacy(top, "", "2016-05-04", "active", "active");
                city.pharmacy(middle, top, "2025-10-01", "active", "active");
                for nth in 0..shops {
                    let code = format!("P3303021{}{nth:02}", &middle[10..]);
                    city.pharmacy(&code, middle, "2016-05-04", "active", "active");
                    city.event(&code, "fraud_finding");
                }
            }
            let run = city.run().await;
            for (top, middle) in [("P33030200099", "P33030200001"), ("P33030200000", "P33030200098")] {
                assert_eq!(city.result(&run, middle).await, "agreement_under_one_year");
                assert_eq!(city.result(&run, top).await, grade, "{shops} shops");
            }
        }
    });
}

/// A branch is corrected after its round was published: its head follows in the same correction, and the head above it.
async fn a_head_is_corrected_with_its_branch(store: TestStore) {
    let mut city = City::new(store);
    let (group, region) = ("P33030200099", "P33030200001");
    city.pharmacy(group, "", "2016-05-04", "active", "active");
    city.pharmacy(region, group, "2016-05-04", "active", "active");
    for nth in 2..6 {
        let code = format!("P330302{nth:05}");
        city.pharmacy(&code, region, "2016-05-04", "active", "active");
        if nth > 2 {
            city.event(&code, "fraud_finding");
        }
    }
    let run = city.run().await;
    assert_eq!(
        (city.result(&run, region).await.as_str(), city.result(&run, group).await.as_str()),
        ("two_stars", "three_stars")
    );
    city.rounds.publish(crate::support::tester(), &run, 1).await.unwrap();
    let branch = "P33030200002";
    let correct = async || {
        let of =
            Correction { subject: branch, run: None, reason: "a finding came late", actor: crate::support::tester() };
        city.rounds.correct(of).await.unwrap()
    };
    let late = format!(
        "subject_code,measure,value,occurred_on,source,reference\n{branch},fraud_finding,1,2025-12-01,医保局,L1\n"
    );
    assert_eq!(city.harness.import(Template::Records, &late).await.rejected, 0);
    let done = correct().await;
    assert_eq!(done.now.grade.as_deref(), Some("one_star"));
    let followed: Vec<_> = done
        .heads
        .iter()
        .map(|head| (head.subject_code.as_str(), head.version, head.before.grade.as_deref(), head.now.grade.as_deref()))
        .collect();
    assert_eq!(
        followed,
        [(region, 2, Some("two_stars"), Some("one_star")), (group, 2, Some("three_stars"), Some("two_stars"))]
    );
    assert!(!correct().await.changed, "repeated, it changes nothing");
    // All three corrections are replayed from what they stored, and each was announced.
    let replayed = city.rounds.replay(&run, &|_, _| ()).await.unwrap();
    assert!(replayed.is_proven() && replayed.corrections == 3, "{replayed:?}");
    let sql = "SELECT COUNT(*) FROM outbox_events WHERE topic = 'grade.corrected'";
    let (events,): (i64,) = city.harness.store.db.read("test").fetch_one(sql, vec![]).await.unwrap();
    assert_eq!(events, 3);
}

#[test]
fn a_head_that_is_not_rated_is_passed_over_by_a_correction_of_its_branch() {
    block_on(async {
        let mut city = City::new(TestStore::sqlite().await);
        let (top, middle, branch) = ("P33030200099", "P33030200001", "P33030200002");
        city.pharmacy(top, "", "2016-05-04", "active", "active");
        city.pharmacy(middle, top, "2025-10-01", "active", "active");
        city.pharmacy(branch, middle, "2016-05-04", "active", "active");
        let run = city.run().await;
        city.rounds.publish(crate::support::tester(), &run, 1).await.unwrap();
        let late = format!(
            "subject_code,measure,value,occurred_on,source,reference\n{branch},fraud_finding,1,2025-12-01,医保局,L1\n"
        );
        assert_eq!(city.harness.import(Template::Records, &late).await.rejected, 0);
        let of = Correction { subject: branch, run: None, reason: "late", actor: crate::support::tester() };
        let done = city.rounds.correct(of).await.unwrap();
        let heads: Vec<_> =
            done.heads.iter().map(|head| (head.subject_code.as_str(), head.now.grade.as_deref())).collect();
        assert_eq!(heads, [(top, Some("two_stars"))]);
    });
}

#[test]
fn a_branch_that_is_a_head_itself_counts_with_what_its_own_branches_made_of_it() {
    block_on(async {
        let mut city = City::new(TestStore::sqlite().await);
        // A group, whose regional head (its code comes first) has four branches with one star.
        let (group, region) = ("P33030200099", "P33030200001");
        city.pharmacy(group, "", "2016-05-04", "active", "active");
        city.pharmacy(region, group, "2016-05-04", "active", "active");
        for nth in 2..6 {
            let code = format!("P330302{nth:05}");
            city.pharmacy(&code, region, "2016-05-04", "active", "active");
            city.event(&code, "fraud_finding");
        }
        let run = city.run().await;
        assert_eq!(city.result(&run, region).await, "one_star");
        assert_eq!(city.result(&run, group).await, "two_stars", "one branch with one star");
    });
}

#[test]
fn a_circle_of_heads_is_rated_all_the_same_and_always_alike() {
    block_on(async {
        let mut grades = BTreeMap::new();
        for store in [TestStore::sqlite().await, TestStore::postgres().await] {
            let mut city = City::new(store);
            city.pharmacy("P33030200001", "P33030200002", "2016-05-04", "active", "active");
            city.pharmacy("P33030200002", "P33030200001", "2016-05-04", "active", "active");
            city.event("P33030200001", "fraud_finding");
            let run = city.run().await;
            for code in ["P33030200001", "P33030200002"] {
                grades.entry(code).or_insert_with(Vec::new).push(city.result(&run, code).await);
            }
        }
        assert_eq!(grades["P33030200001"], ["one_star", "one_star"]);
        assert_eq!(grades["P33030200002"], ["two_stars", "two_stars"]);
    });
}
