//! Random schedules of corrections, objections, failures and restarts: in the end every platform has exactly what is right.

use std::time::Duration;

use medcredit::{
    domain::WorkCalendar,
    grading::{Correction, NewObjection, ObjectionDecision, ObjectionOutcome},
    push::{
        carrier::RejectReason,
        making::{GradesOf, Scope},
    },
};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use super::{City, Fault, MUNICIPAL, PUBLIC};
use crate::{
    grading::line,
    support::{TestStore, both_engines, tester},
};

both_engines! {
    random_schedules_end_with_what_is_right,
}

#[derive(Debug, Clone)]
enum Step {
    Correct(u8),
    Object(u8),
    Decide,
    Close(u8),
    Fail(bool, Vec<Fault>),
    Reject(bool, bool),
    Make,
    Pass(bool),
    Restart,
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![Just(Fault::Refuse), Just(Fault::LoseAnswer), Just(Fault::Final)];
    prop_oneof![
        3 => (0..12u8).prop_map(Step::Correct),
        2 => (0..12u8).prop_map(Step::Object),
        2 => Just(Step::Decide),
        1 => (0..12u8).prop_map(Step::Close),
        2 => (any::<bool>(), prop::collection::vec(fault, 0..6)).prop_map(|(which, faults)| Step::Fail(which, faults)),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(which, on)| Step::Reject(which, on)),
        4 => Just(Step::Make),
        4 => any::<bool>().prop_map(Step::Pass),
        1 => Just(Step::Restart),
        3 => (0..4000u16).prop_map(Step::Wait),
    ]
}

/// A run of a schedule.
struct Play {
    city: City,
    seq: i64,
    open: Vec<String>,
}

impl Play {
    async fn step(&mut self, step: &Step) {
        let code = |nth: &u8| format!("H330302{nth:05}");
        let which = |public: &bool| if *public { &self.city.public } else { &self.city.municipal };
        match step {
            Step::Correct(nth) => {
                self.seq += 1;
                let day = format!("2025-{:02}-{:02}", 7 + self.seq % 6, 1 + self.seq % 28);
                self.city.bureau.import(self.seq, &[line(&code(nth), "market_penalty", 1, &day)], true).await;
                let correction = Correction { subject: &code(nth), run: None, reason: "late", actor: tester() };
                self.city.bureau.rounds.correct(correction).await.unwrap();
            }
            Step::Object(nth) => {
                let (subject, calendar) = (code(nth), WorkCalendar::built_in().unwrap());
                let of =
                    NewObjection { subject: &subject, run: None, reason: "有误", decide_within: 15, actor: tester() };
                if let Ok(done) = self.city.bureau.rounds.open_objection(of, &calendar).await
                    && done.changed
                {
                    self.open.push(done.objection.id);
                }
            }
            Step::Decide => {
                if let Some(id) = self.open.pop() {
                    let of = ObjectionDecision {
                        objection: &id,
                        outcome: ObjectionOutcome::Rejected,
                        reason: "无误",
                        actor: tester(),
                    };
                    self.city.bureau.rounds.decide_objection(of).await.unwrap();
                }
            }
            Step::Close(nth) => {
                self.seq += 1;
                self.city
                    .bureau
                    .set(&code(nth), "UPDATE subjects SET licence_status = 'revoked' WHERE code = $1")
                    .await;
                let sql: &'static str = "INSERT INTO outbox_events (id, topic, ordering_key, body, happened_at)
                     SELECT 'evt_01kn38vvm0e6tsabbc6k' || (100000 + (SELECT COUNT(*) FROM outbox_events)), 'subject.changed', 'x',
                            '{\"code\":\"' || $1 || '\"}', 1";
                self.city.bureau.set(&code(nth), sql).await;
            }
            Step::Fail(public, faults) => which(public).fails(faults.iter().copied()),
            Step::Reject(public, on) => {
                let rejects: super::platform::Rejects =
                    |row| (row.version % 3 == 2).then_some(RejectReason::DateIllogical);
                which(public).rejects(on.then_some(rejects));
            }
            Step::Make => {
                self.city.make().await;
            }
            Step::Pass(public) => {
                self.city.pass(if *public { PUBLIC } else { MUNICIPAL }).await;
            }
            // Killed: its leases are not given back.
            Step::Restart => self.city.deliveries = self.city.another(),
            Step::Wait(seconds) => self.city.advance(Duration::from_secs(u64::from(*seconds))),
        }
    }

    /// The platforms work again, an operator does what there is to do, and everything settles.
    async fn end(&self) {
        for platform in [&self.city.municipal, &self.city.public] {
            platform.fails([]);
            platform.rejects(None);
        }
        for _ in 0..6 {
            self.city.advance(Duration::from_hours(30));
            self.city.make().await;
            for platform in [MUNICIPAL, PUBLIC] {
                self.city.deliveries.resume(platform, tester()).await.unwrap();
                self.city.deliveries.redrive(platform, tester()).await.unwrap();
                self.city.pass(platform).await;
                let lock = self.city.deliveries.maker().lock().await.unwrap().unwrap();
                self.city.deliveries.resend(platform, None, tester()).await.unwrap();
                lock.release().await.unwrap();
                self.city.pass(platform).await;
            }
        }
    }

    async fn check(&self) {
        for platform in [MUNICIPAL, PUBLIC] {
            let target = self.city.deliveries.target(platform).unwrap();
            let of = GradesOf { platform: &target.platform, run: &self.city.run, scope: &Scope::All };
            let plan = self.city.deliveries.maker().plan_grades(of).await.unwrap();
            assert_eq!((plan.rows(), plan.rejected, plan.waived), (0, 0, 0), "{platform} has everything: {plan:?}");
            let held = self.city.deliveries.reconcile(platform).await.unwrap();
            assert_eq!((held.different, held.unanswered), (0, 0), "{platform}: {held:?}");
            let shown = if platform == PUBLIC { &self.city.public } else { &self.city.municipal };
            let grades = shown.shows().keys().filter(|record| record.starts_with("wenzhou")).count();
            assert_eq!(u64::try_from(grades).unwrap(), plan.unchanged, "{platform} shows what it should");
            let state = self.city.deliveries.state(platform).await.unwrap();
            assert!(state.packages.iter().all(|package| package.state == "closed"), "{platform}: {state:?}");
        }
    }
}

async fn random_schedules_end_with_what_is_right(store: TestStore) {
    // One store and many schedules after each other: each begins where the one before ended.
    let mut play = Play { city: City::with(store).await, seq: 1, open: Vec::new() };
    let mut runner = TestRunner::deterministic();
    for _ in 0..6 {
        let steps = prop::collection::vec(step(), 10..40).new_tree(&mut runner).unwrap().current();
        for step in &steps {
            play.step(step).await;
        }
        play.end().await;
        play.check().await;
    }
}
