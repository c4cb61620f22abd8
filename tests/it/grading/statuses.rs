//! Statuses have dates: a round is judged by what held at the end of its half-year.

use medcredit::{
    grading::{Correction, Library, Rounds},
    importing::Template,
    store::{runs, statuses},
};

use crate::{
    importing::{ImportHarness, SUBJECTS},
    support::{TestStore, both_engines},
};

const CODE: &str = "P33030200017";
const DATED: &str = "agreement_status_on,licence_status_on\n";

/// A bureau that rates one pharmacy by Zhenjiang's model, whose list of subjects that are not rated names every status.
struct Fixture {
    harness: ImportHarness,
    rounds: Rounds,
}

impl Fixture {
    fn new(store: TestStore) -> Self {
        Self { rounds: Rounds::new(store.env()), harness: ImportHarness::new(store) }
    }

    /// Imports the pharmacy's file with statuses and, where they are given, their first days.
    async fn file(&self, statuses: &str, days: Option<&str>) -> Vec<String> {
        let header = days.map_or(SUBJECTS.to_owned(), |_| format!("{},{DATED}", SUBJECTS.trim_end()));
        let days = days.map_or(String::new(), |days| format!(",{days}"));
        let row = format!("pharmacy,{CODE},91330302MA2AB3C47J,合成药店,330302,,,,,,2016-05-04,{statuses}{days}\n");
        let report = self.harness.import(Template::Subjects, format!("{header}{row}")).await;
        assert_eq!(report.rejected, 0, "{:?}", self.harness.findings(&report));
        self.harness.findings(&report)
    }

    async fn run(&self, period: &str) -> String {
        let library = Library::shipped().unwrap();
        let in_force = library.get("zhenjiang-pharmacy").unwrap();
        let period = period.parse().unwrap();
        self.rounds.run(crate::support::tester(), in_force, period, &|_, _| ()).await.unwrap().id.to_string()
    }

    /// The grade in a half-year, or the reason why there is none.
    async fn rated(&self, period: &str) -> String {
        let run = self.run(period).await;
        let row = runs::result(&self.harness.store.db.read("test"), &run, CODE).await.unwrap().unwrap();
        row.grade.or(row.reason).unwrap()
    }

    async fn history(&self) -> Vec<(String, Option<String>, String)> {
        let rows = statuses::of_subject(&self.harness.store.db.read("test"), CODE).await.unwrap();
        rows.into_iter().map(|row| (row.subject_of, row.from_on, row.status)).collect()
    }
}

both_engines! {
    a_suspension_changes_nothing_of_the_half_year_before_it,
    a_published_result_is_not_corrected_by_a_status_of_today,
    a_status_without_a_day_holds_from_the_day_of_its_import,
    a_subject_without_days_has_always_had_its_statuses,
    a_day_is_corrected_by_a_later_file,
}

/// A pharmacy's licence is suspended on 2025-11-05: the round of 2025-H1 is what it was, that of 2025-H2 is not.
async fn a_suspension_changes_nothing_of_the_half_year_before_it(store: TestStore) {
    let fixture = Fixture::new(store);
    fixture.file("active,active", None).await;
    assert_eq!(fixture.rated("2025-H1").await, "three_stars");
    assert!(fixture.file("active,suspended", Some(",2025-11-05")).await.is_empty());
    assert_eq!(fixture.rated("2025-H1").await, "three_stars");
    assert_eq!(fixture.rated("2025-H2").await, "licence_suspended");
    // It is lifted in February: at the end of 2025-H2 it was suspended all the same.
    fixture.file("active,active", Some(",2026-02-01")).await;
    assert_eq!(fixture.rated("2025-H2").await, "licence_suspended");
    assert_eq!(fixture.rated("2026-H1").await, "three_stars");
    let held = |from: Option<&str>, status: &str| ("licence".to_owned(), from.map(str::to_owned), status.to_owned());
    assert_eq!(
        fixture.history().await,
        [held(None, "active"), held(Some("2025-11-05"), "suspended"), held(Some("2026-02-01"), "active")]
    );
    let subject = fixture.harness.subject(CODE).await.unwrap();
    assert_eq!((subject.licence_status.as_str(), subject.licence_status_on.as_deref()), ("active", Some("2026-02-01")));
}

/// The round of 2025-H1 is in force; the licence was suspended in November.
async fn a_published_result_is_not_corrected_by_a_status_of_today(store: TestStore) {
    let fixture = Fixture::new(store);
    fixture.file("active,active", None).await;
    let run = fixture.run("2025-H1").await;
    fixture.rounds.publish(crate::support::tester(), &run, 1).await.unwrap();
    let correct = async || {
        let of = Correction { subject: CODE, run: None, reason: "looked at again", actor: crate::support::tester() };
        fixture.rounds.correct(of).await.unwrap()
    };
    fixture.file("active,suspended", Some(",2025-11-05")).await;
    assert!(!correct().await.changed);
    // An agreement that ended within the half-year is another matter: that was not known when the round was made.
    fixture.file("ended_by_subject,suspended", Some("2025-06-30,2025-11-05")).await;
    let done = correct().await;
    assert_eq!((done.changed, done.now.reason.as_deref()), (true, Some("agreement_ended_by_subject")));
    let replayed = fixture.rounds.replay(&run, &|_, _| ()).await.unwrap();
    assert!(replayed.is_proven(), "{replayed:?}");
}

/// A clerk delivers today's file as before, without a day: until today the other status was on record.
async fn a_status_without_a_day_holds_from_the_day_of_its_import(store: TestStore) {
    let fixture = Fixture::new(store);
    fixture.file("active,active", None).await;
    assert_eq!(fixture.file("active,suspended", None).await, ["2 licence_status status_undated warning"]);
    // The test's day is 2026-04-01.
    assert_eq!(fixture.rated("2025-H2").await, "three_stars");
    assert_eq!(fixture.rated("2026-H1").await, "licence_suspended");
    // A day that is none is named by its column, though files may leave that out.
    let wrong = format!(
        "{},{DATED}pharmacy,{CODE},91330302MA2AB3C47J,合成药店,330302,,,,,,2016-05-04,active,suspended,,2025-02-30\n",
        SUBJECTS.trim_end()
    );
    let report = fixture.harness.import(Template::Subjects, wrong).await;
    assert_eq!(fixture.harness.findings(&report), ["2 licence_status_on date_malformed reject"]);
    // The same file again, and a file with the day, which says more.
    assert!(fixture.file("active,suspended", None).await.is_empty());
    assert!(fixture.file("active,suspended", Some(",2025-12-31")).await.is_empty());
    assert_eq!(fixture.rated("2025-H2").await, "licence_suspended");
}

/// Files of earlier versions, and subjects that are new, have no days.
async fn a_subject_without_days_has_always_had_its_statuses(store: TestStore) {
    let fixture = Fixture::new(store);
    fixture.file("active,suspended", None).await;
    assert_eq!(fixture.rated("2025-H1").await, "licence_suspended");
    assert!(fixture.history().await.is_empty());
}

/// A new subject comes with its day, and the day was wrong.
async fn a_day_is_corrected_by_a_later_file(store: TestStore) {
    let fixture = Fixture::new(store);
    fixture.file("active,suspended", Some(",2025-07-01")).await;
    assert_eq!(fixture.rated("2025-H1").await, "three_stars");
    fixture.file("active,suspended", Some(",2025-06-01")).await;
    assert_eq!(fixture.rated("2025-H1").await, "licence_suspended");
    // There was no suspension at all.
    fixture.file("active,active", Some(",2025-06-01")).await;
    assert_eq!(fixture.rated("2025-H1").await, "three_stars");
    assert_eq!(fixture.rated("2025-H2").await, "three_stars");
}
