//! Whatever changes about a subject reaches every platform that has it, in order.

use std::time::Duration;

use medcredit::{
    domain::WorkCalendar,
    grading::{Correction, NewObjection, ObjectionDecision, ObjectionOutcome},
    push::{delivery::holders, platform::Operation},
};

use super::{City, Fault, MUNICIPAL, PUBLIC};
use crate::{
    grading::{line, periods},
    support::{TestStore, both_engines, tester},
};

const CODE: &str = "H33030200011";

both_engines! {
    a_correction_reaches_every_platform_that_has_the_result,
    a_correction_waits_for_the_result_that_it_corrects,
    an_objection_withdraws_or_marks_and_its_decision_restores,
    an_objection_that_comes_before_the_page_leaves_withholds_the_row,
    a_row_that_may_have_arrived_before_it_was_withheld_is_withdrawn,
    a_withdrawal_behind_a_row_that_may_have_arrived_follows_it,
    a_name_that_became_a_natural_persons_does_not_leave,
    a_correction_of_a_round_before_is_by_the_last_of_its_runs,
    a_platform_that_was_away_is_compared_as_a_whole,
    a_subject_that_closes_is_withdrawn_everywhere,
    a_round_that_is_published_again_updates_its_records,
}

async fn correct(city: &City, seq: i64) {
    city.bureau.import(seq, &[line(CODE, "market_penalty", seq, &format!("2025-12-{:02}", 10 + seq))], true).await;
    let correction = Correction { subject: CODE, run: None, reason: "late", actor: tester() };
    assert!(city.bureau.rounds.correct(correction).await.unwrap().changed);
}

async fn object(city: &City) -> String {
    let objection =
        NewObjection { subject: CODE, run: None, reason: "扣分有误", decide_within: 15, actor: tester() };
    let calendar = WorkCalendar::built_in().unwrap();
    city.bureau.rounds.open_objection(objection, &calendar).await.unwrap().objection.id
}

async fn decide(city: &City, id: &str) {
    let decision =
        ObjectionDecision { objection: id, outcome: ObjectionOutcome::Rejected, reason: "无误", actor: tester() };
    assert!(city.bureau.rounds.decide_objection(decision).await.unwrap().changed);
}

async fn a_correction_reaches_every_platform_that_has_the_result(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    correct(&city, 2).await;
    let made = city.make().await;
    let made: Vec<_> =
        made.iter().map(|made| (made.plan.platform.as_str(), made.plan.changed, made.plan.new)).collect();
    assert_eq!(made, [(PUBLIC, 1, 0), (MUNICIPAL, 1, 0)], "and nothing else");
    city.settle().await;
    for platform in [&city.municipal, &city.public] {
        let row = platform.row(&city.record(CODE)).unwrap();
        assert_eq!((row.version, row.operation), (2, Operation::Update));
    }
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    let package = &state.packages[0];
    assert_eq!((package.cause.as_str(), package.state.as_str(), package.rows), ("correction", "closed", 1));
    assert_eq!(package.due_at, package.made_at.plus(Duration::from_hours(72)), "three days to answer");
    let held = holders(&city.bureau.store.env(), CODE).await.unwrap();
    let held: Vec<_> = held.iter().map(|of| (of.platform.as_str(), of.version, of.holds, of.has)).collect();
    assert_eq!(held, [(PUBLIC, 2, true, None), (MUNICIPAL, 2, true, None)]);
    // The same events again, after a crash before they were marked, change nothing.
    let mut tx = city.bureau.db().begin("test").await.unwrap();
    tx.execute("UPDATE outbox_events SET routed_at = NULL", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(city.make().await.is_empty());
}

async fn a_correction_waits_for_the_result_that_it_corrects(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    // The page with the original fails; the correction is in the same lane and stays behind it.
    city.public.fails([Fault::LoseAnswer]);
    city.pass(PUBLIC).await;
    correct(&city, 2).await;
    city.make().await;
    city.pass(PUBLIC).await;
    assert_eq!(city.public.row(&city.record(CODE)).unwrap().version, 1, "the first page is tried again later");
    city.advance(Duration::from_secs(10));
    city.pass(PUBLIC).await;
    assert_eq!(city.public.row(&city.record(CODE)).unwrap().version, 2);
    assert!(city.deliveries.state(PUBLIC).await.unwrap().packages.iter().all(|package| package.state == "closed"));
}

async fn an_objection_withdraws_or_marks_and_its_decision_restores(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    let id = object(&city).await;
    city.settle().await;
    let record = city.record(CODE);
    let public = city.public.row(&record).unwrap();
    assert_eq!((public.version, public.operation), (2, Operation::Delete), "it leaves objections out");
    let operation = public.fields.iter().find(|(name, _)| &**name == "PJ_CZ").unwrap();
    assert_eq!(operation.1, "3", "the platform's own code");
    let municipal = city.municipal.row(&record).unwrap();
    let remark = municipal.fields.iter().find(|(name, _)| &**name == "remark").unwrap();
    assert_eq!((municipal.operation, remark.1.as_str()), (Operation::Update, "异议处理中"), "it marks them");
    decide(&city, &id).await;
    city.settle().await;
    let public = city.public.row(&record).unwrap();
    assert_eq!((public.version, public.operation), (3, Operation::Insert));
    assert_eq!(city.municipal.row(&record).unwrap().version, 3);
    assert_eq!(city.public.shows().len(), 30);
}

async fn an_objection_that_comes_before_the_page_leaves_withholds_the_row(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    let id = object(&city).await;
    let (delivered, _) = city.pass(PUBLIC).await;
    assert_eq!((delivered.withheld, delivered.rows), (1, 29));
    assert_eq!(city.public.row(&city.record(CODE)), None);
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    assert_eq!((state.packages[0].state.as_str(), state.packages[0].withheld), ("closed", 1));
    decide(&city, &id).await;
    city.settle().await;
    let row = city.public.row(&city.record(CODE)).unwrap();
    assert_eq!((row.version, row.operation), (2, Operation::Insert));
}

async fn a_subject_that_closes_is_withdrawn_everywhere(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    city.bureau.set(CODE, "UPDATE subjects SET agreement_status = 'ended_by_subject' WHERE code = $1").await;
    changed(&city).await;
    city.settle().await;
    for platform in [&city.municipal, &city.public] {
        assert_eq!(platform.row(&city.record(CODE)).unwrap().operation, Operation::Delete);
    }
    let held = holders(&city.bureau.store.env(), CODE).await.unwrap();
    assert!(held.iter().all(|of| !of.holds));
}

async fn a_round_that_is_published_again_updates_its_records(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    city.bureau.import(2, &[line(CODE, "market_penalty", 1, "2025-12-30")], true).await;
    city.bureau.set("H33030200012", "DELETE FROM subjects WHERE code = $1").await;
    let run = city.bureau.run(periods()[1]).await;
    city.bureau.publish(&run).await;
    city.settle().await;
    let row = city.public.row(&city.record(CODE)).unwrap();
    assert_eq!((row.version, row.operation), (2, Operation::Update), "the same record");
    let gone = city.public.row(&city.record("H33030200012")).unwrap();
    assert_eq!(gone.operation, Operation::Delete, "the new run does not cover it");
    assert_eq!(city.public.shows().len(), 29);
}

/// The platform takes a page, and its answer is lost; then the row must be withheld.
async fn withheld_after_an_attempt(city: City, is_routed_first: bool) {
    city.make().await;
    city.public.fails([Fault::LoseAnswer]);
    city.pass(PUBLIC).await;
    object(&city).await;
    if is_routed_first {
        city.make().await;
    }
    city.advance(Duration::from_secs(10));
    city.pass(PUBLIC).await;
    city.settle().await;
    let row = city.public.row(&city.record(CODE)).unwrap();
    assert_eq!((row.version, row.operation), (2, Operation::Delete));
    assert_eq!(city.deliveries.reconcile(PUBLIC).await.unwrap().different, 0);
    assert!(city.deliveries.state(PUBLIC).await.unwrap().packages.iter().all(|package| package.state == "closed"));
}

async fn a_row_that_may_have_arrived_before_it_was_withheld_is_withdrawn(store: TestStore) {
    withheld_after_an_attempt(City::with(store).await, false).await;
}

async fn a_withdrawal_behind_a_row_that_may_have_arrived_follows_it(store: TestStore) {
    withheld_after_an_attempt(City::with(store).await, true).await;
}

async fn a_name_that_became_a_natural_persons_does_not_leave(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    city.bureau.set(CODE, "UPDATE subjects SET uscc = '92330381MA2CD5EF8R' WHERE code = $1").await;
    let (delivered, _) = city.pass(MUNICIPAL).await;
    assert_eq!((delivered.withheld, city.municipal.row(&city.record(CODE))), (1, None));
    changed(&city).await;
    city.settle().await;
    let row = city.municipal.row(&city.record(CODE)).unwrap();
    let field = |name: &str| row.fields.iter().find(|(other, _)| &**other == name).unwrap().1.as_str();
    assert_eq!((field("subjectName"), field("creditCode"), row.version), ("", "", 2), "its code and grade alone");
}

/// The event that an import writes.
async fn changed(city: &City) {
    let event = "INSERT INTO outbox_events (id, topic, ordering_key, body, happened_at)
                 VALUES ('evt_01kn38vvm0e6tsabbc6kwxrvz3', 'subject.changed', 'x', '{\"code\":\"' || $1 || '\"}', 1)";
    city.bureau.set(CODE, event).await;
}

async fn a_correction_of_a_round_before_is_by_the_last_of_its_runs(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    // Published again with a penalty that came late, and then over: a run of the next period takes its place.
    city.bureau.import(2, &[line(CODE, "market_penalty", 1, "2025-12-30")], true).await;
    city.bureau.publish(&city.bureau.run(periods()[1]).await).await;
    city.settle().await;
    let before = city.public.row(&city.record(CODE)).unwrap();
    let over =
        "UPDATE runs SET state = 'superseded' WHERE state = 'published' AND kind = 'medical_institution' AND $1 <> ''";
    city.bureau.set(CODE, over).await;
    changed(&city).await;
    city.settle().await;
    assert_eq!(city.public.row(&city.record(CODE)).unwrap(), before, "the earlier run sends nothing any more");
}

async fn a_platform_that_was_away_is_compared_as_a_whole(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    // Its id is taken out of the configuration, and a grade is corrected.
    let alone = super::deliveries(&city.bureau, &[(crate::push::platform(MUNICIPAL), city.municipal.clone())]);
    correct(&city, 2).await;
    let lock = alone.maker().lock().await.unwrap().unwrap();
    assert_eq!(alone.route(tester()).await.unwrap().made.len(), 1);
    lock.release().await.unwrap();
    assert_eq!(city.public.row(&city.record(CODE)).unwrap().version, 1);
    // It gets packages again.
    city.settle().await;
    assert_eq!(city.public.row(&city.record(CODE)).unwrap().version, 2);
}
