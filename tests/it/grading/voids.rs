//! Facts that were taken back, adverse facts whose consequences ended, and documents that were delivered twice do not count:
//! in runs, corrections and explanations, and a replay computes the same again.

use medcredit::{
    domain::Clock,
    grading::Correction,
    store::{
        Arg,
        voids::{self, NewVoid},
    },
};

use super::{Bureau, File, Line, line, periods};
use crate::support::{TestStore, both_engines};

pub(super) const CODE: &str = "H33030200001";
pub(super) const NOTICE: &str = "温医保罚〔2025〕7号";

/// A penalty of the second half of 2025: thirty points of indicator 27.
pub(super) fn penalty(on: &str, source: &str, reference: &str) -> Line {
    penalty_of(CODE, on, source, reference)
}

/// The same of another subject.
pub(super) fn penalty_of(code: &str, on: &str, source: &str, reference: &str) -> Line {
    Line { source: source.into(), reference: reference.into(), ..line(code, "insurance_penalty", 1, on) }
}

impl Bureau {
    /// Accepts an import now.
    pub(super) async fn accept(&self, seq: i64, template: &str) {
        let mut tx = self.db().begin("test").await.unwrap();
        let sql = "INSERT INTO imports (seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at, identity, accepted_at)
                   VALUES ($1, $2, $3, 'f', $2, 1, 1, 0, 'accepted', 1, 2, $4)";
        let id = format!("imp_{seq}");
        let now = Arg::Int(self.store.clock.now().micros());
        tx.execute(sql, vec![Arg::Int(seq), Arg::Text(id), Arg::Text(template.into()), now]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn decide(&self, seq: i64, restored: bool) {
        self.decide_about(CODE, NOTICE, seq, restored).await;
    }

    /// Takes a penalty back, or restores it.
    pub(super) async fn decide_about(&self, code: &str, reference: &str, seq: i64, restored: bool) {
        let document = medcredit::domain::document_of(reference);
        let new = NewVoid {
            subject_code: code,
            measure: "insurance_penalty",
            document: &document,
            reference,
            reason: "复议撤销",
            decided_on: "2026-02-01",
            decision: None,
            restored,
        };
        let mut tx = self.db().begin_bulk("test").await.unwrap();
        voids::insert(&mut tx, seq, new).await.unwrap();
        tx.commit().await.unwrap();
        self.accept(seq, "voids").await;
    }

    pub(super) async fn adverse(&self, seq: i64, reference: &str, status: &str, latest_end_on: &str) {
        let mut tx = self.db().begin_bulk("test").await.unwrap();
        let sql = "INSERT INTO bulk.adverse (subject_code, reference, import_seq, source, tier, decided_on, latest_end_on, status)
                   VALUES ($1, $2, $3, '医保局', 'general', '2025-08-01', $4, $5)";
        let args = [CODE, reference].map(|text| Arg::Text(text.into()));
        let rest = [latest_end_on, status].map(|text| Arg::Text(text.into()));
        tx.execute(sql, [&args[..], &[Arg::Int(seq)], &rest[..]].concat()).await.unwrap();
        tx.commit().await.unwrap();
        self.accept(seq, "adverse").await;
    }

    /// The points of a new run, and whether its replay is proven.
    async fn points(&self) -> String {
        let run = self.run(periods()[1]).await.id.to_string();
        let explained = self.rounds.explain(CODE, Some(&run)).await.unwrap();
        let replayed = self.rounds.replay(&run, &|_, _| ()).await.unwrap();
        assert!(replayed.is_proven(), "{replayed:?}");
        explained.assessment.unwrap().points.unwrap().to_string()
    }
}

async fn bureau(store: TestStore, lines: &[Line]) -> Bureau {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    let score = line(CODE, "public_credit_score", 900, "2025-12-31");
    bureau.import(1, &[&[score], lines].concat(), true).await;
    bureau
}

fn correction(reason: &'static str) -> Correction<'static> {
    Correction { subject: CODE, run: None, reason, actor: crate::support::tester() }
}

both_engines! {
    a_penalty_that_is_withdrawn_after_the_round_is_corrected,
    a_restored_fact_counts_again,
    adverse_facts_count_until_they_are_withdrawn_repaired_or_over,
    one_notice_of_two_sources_counts_once,
    a_notice_that_moved_to_another_half_year_counts_there_only,
    a_replaced_file_does_not_count,
    a_run_is_replayed_as_it_counted,
}

/// A reconsideration withdraws a penalty after publication: 三(三)3 更正.
async fn a_penalty_that_is_withdrawn_after_the_round_is_corrected(store: TestStore) {
    let bureau = bureau(store, &[penalty("2025-08-01", "医保局", NOTICE)]).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    assert!(!bureau.rounds.correct(correction("nothing yet")).await.unwrap().changed);
    bureau.decide(2, false).await;
    let done = bureau.rounds.correct(correction("温政复〔2026〕3号")).await.unwrap();
    assert!(done.changed, "{done:?}");
    let points = |milli: Option<medcredit::domain::money::MilliPoints>| milli.unwrap().0;
    assert_eq!(points(done.now.points) - points(done.before.points), 30_000);
    let replayed = bureau.rounds.replay(&done.run, &|_, _| ()).await.unwrap();
    assert!(replayed.is_proven() && replayed.corrections == 1, "{replayed:?}");
    // The version in force is explained, which does not count the penalty, and what it was before.
    let explained = bureau.rounds.explain(CODE, Some(&done.run)).await.unwrap().to_text();
    assert!(explained.contains("version 1 of") && explained.contains("version 2 of"), "{explained}");
    assert!(explained.contains("温政复〔2026〕3号") && !explained.contains(NOTICE), "{explained}");
    let run = bureau.run(periods()[1]).await.id.to_string();
    let explained = bureau.rounds.explain(CODE, Some(&run)).await.unwrap().to_text();
    assert!(!explained.contains(NOTICE), "{explained}");
}

/// A penalty was taken back by mistake.
async fn a_restored_fact_counts_again(store: TestStore) {
    let bureau = bureau(store, &[penalty("2025-08-01", "医保局", NOTICE)]).await;
    let before = bureau.points().await;
    bureau.decide(2, false).await;
    let without = bureau.points().await;
    assert_ne!(before, without);
    // Delivered again, the document is still the one that was taken back.
    bureau.import(3, &[penalty("2025-08-02", "医保局", "温医保罚[2025]7号")], true).await;
    assert_eq!(bureau.points().await, without);
    bureau.decide(4, true).await;
    assert_eq!(bureau.points().await, before);
}

/// The credit platform reports how an adverse fact ended.
async fn adverse_facts_count_until_they_are_withdrawn_repaired_or_over(store: TestStore) {
    let bureau = bureau(store, &[penalty("2025-08-01", "医保局", NOTICE)]).await;
    let with = bureau.points().await;
    bureau.adverse(2, NOTICE, "effective", "2025-12-31").await;
    assert_eq!(bureau.points().await, with, "it lasts to the end of the half-year");
    bureau.adverse(3, "温医保罚(2025) 7号", "withdrawn", "2026-12-31").await;
    let without = bureau.points().await;
    assert_ne!(without, with);
    bureau.adverse(4, "温医保罚(2025) 7号", "effective", "2026-12-31").await;
    assert_eq!(bureau.points().await, with, "the last row of a reference decides");
    bureau.adverse(5, &format!("insurance_penalty/{NOTICE}"), "repaired", "2026-12-31").await;
    assert_eq!(bureau.points().await, without);
    bureau.adverse(6, &format!("insurance_penalty/{NOTICE}"), "effective", "2026-12-31").await;
    bureau.adverse(7, NOTICE, "effective", "2025-12-30").await;
    assert_eq!(bureau.points().await, without, "its publication ended within the half-year");
}

/// One notice is reported by two sources, or with `[2025]` for `〔2025〕`: 2(1) 不超过一次.
async fn one_notice_of_two_sources_counts_once(store: TestStore) {
    let one = penalty("2025-08-01", "医保局", NOTICE);
    // In one file of a version that distinguished facts by day and source, and in a file of its own.
    let twice = [one, penalty("2025-08-05", "市监局", "温医保罚[2025]7号")];
    let bureau = bureau(store, &twice).await;
    let merged = bureau.points().await;
    bureau.import(2, &[penalty("2025-09-01", "鹿城区医保局", "温医保罚（2025） 7号")], true).await;
    assert_eq!(bureau.points().await, merged);
    bureau.import(3, &[penalty("2025-09-01", "医保局", "温医保罚〔2025〕8号")], true).await;
    let two = bureau.points().await;
    assert_ne!(two, merged, "another notice is another act");
    bureau.import(4, &[penalty("2025-09-01", "医保局", "温医保罚〔2025〕9号")], true).await;
    assert_eq!(bureau.points().await, two, "two took all sixty points: {two}, {merged}");
}

/// A notice of January was reported with a day of December.
async fn a_notice_that_moved_to_another_half_year_counts_there_only(store: TestStore) {
    let bureau = bureau(store, &[penalty("2025-12-30", "医保局", NOTICE)]).await;
    let with = bureau.points().await;
    bureau.import(2, &[penalty("2026-01-02", "医保局", NOTICE)], true).await;
    let mut tx = bureau.db().begin_bulk("test").await.unwrap();
    let document = medcredit::domain::document_of(NOTICE);
    medcredit::store::facts::insert_revision(&mut tx, 2, (CODE, "insurance_penalty", &document)).await.unwrap();
    tx.commit().await.unwrap();
    assert_ne!(bureau.points().await, with);
}

/// A file of facts was replaced by one without the penalty.
async fn a_replaced_file_does_not_count(store: TestStore) {
    let bureau = bureau(store, &[]).await;
    let without = bureau.points().await;
    bureau.import(2, &[penalty("2025-08-01", "医保局", NOTICE)], true).await;
    let with = bureau.points().await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    bureau.import(3, &[], true).await;
    bureau.set("3", "UPDATE imports SET replaced_by = 3 WHERE seq = 2 AND $1 <> ''").await;
    assert_eq!((bureau.points().await, with == without), (without, false));
    let done = bureau.rounds.correct(correction("the file was resent")).await.unwrap();
    assert!(done.changed, "{done:?}");
    assert!(bureau.rounds.replay(&done.run, &|_, _| ()).await.unwrap().is_proven(), "the round read the former file");
}

/// An auditor replays a run of a version that counted by day and source.
async fn a_run_is_replayed_as_it_counted(store: TestStore) {
    let twice = [penalty("2025-08-01", "医保局", NOTICE), penalty("2025-08-05", "市监局", NOTICE)];
    let bureau = bureau(store, &twice).await;
    let run = bureau.run(periods()[1]).await.id.to_string();
    assert!(bureau.rounds.replay(&run, &|_, _| ()).await.unwrap().is_proven());
    bureau.set(&run, "UPDATE runs SET counting = 1 WHERE id = $1").await;
    let replayed = bureau.rounds.replay(&run, &|_, _| ()).await.unwrap();
    let (kept, found) = (&replayed.differences[0].kept, &replayed.differences[0].found);
    assert!(!replayed.is_proven() && kept != found, "two penalties were counted then: {kept}, {found}");
}
