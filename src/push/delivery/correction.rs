//! Turns events into corrections: whatever changed about a subject, each platform is compared with what it was sent.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Deliveries, Target};
use crate::{
    domain::{Actor, error_chain},
    grading::Rounds,
    outbox::{StoredEvent, mark_routed},
    push::{
        PushError,
        making::{Cause, GradesOf, Made, Scope},
    },
    store::{
        push::{packages, rows},
        runs::RunRow,
    },
};

/// How many events are routed at a time.
const EVENTS: i64 = 500;
/// Events after which platforms may have to be sent something else about a subject.
const TOPICS: [&str; 3] = ["grade.corrected", "objection.changed", "subject.changed"];

/// What a pass over the events did.
#[derive(Debug, Default)]
pub struct Routed {
    /// Events that were routed.
    pub events: usize,
    pub made: Vec<Made>,
    /// What could not be made, by platform.
    pub failed: Vec<(String, PushError)>,
}

/// The subject of an event.
#[derive(Debug, Deserialize)]
struct Subject {
    code: String,
}

impl Deliveries {
    /// Routes the events there are: subjects of which something changed are compared for every platform. The caller holds the lock of
    /// packages. Events that were routed twice after a crash change nothing the second time.
    pub async fn route(&self, actor: &Actor) -> Result<Routed, PushError> {
        let mut done = Routed::default();
        loop {
            let events = self.outbox.unrouted(EVENTS).await.map_err(PushError::Outbox)?;
            if events.is_empty() {
                return Ok(done);
            }
            let codes = subjects(&events);
            if !codes.is_empty() {
                self.correct(&codes, actor, &mut done).await?;
            }
            let during = || PushError::store("marking events as routed");
            let ids: Vec<_> = events.iter().map(|event| event.id).collect();
            let mut tx = self.maker.env.db.begin("push::routed").await.map_err(during())?;
            // The lock of packages is held, so that no other router was first.
            mark_routed(&mut tx, &ids, self.maker.env.now()).await.map_err(PushError::Outbox)?;
            tx.commit().await.map_err(during())?;
            done.events += events.len();
        }
    }

    /// Compares some subjects for every platform.
    async fn correct(&self, codes: &[String], actor: &Actor, done: &mut Routed) -> Result<(), PushError> {
        let runs = Rounds::new(self.maker.env.clone()).list().await.map_err(PushError::Grading)?;
        for (id, target) in &self.targets {
            match self.correct_on(target, codes, &runs, actor).await {
                Ok(made) => done.made.extend(made),
                Err(error) => {
                    tracing::warn!(platform = id, error = %error_chain(&error), "a correction could not be made");
                    done.failed.push((id.clone(), error));
                }
            }
        }
        Ok(())
    }

    async fn correct_on(
        &self,
        target: &Target,
        codes: &[String],
        runs: &[RunRow],
        actor: &Actor,
    ) -> Result<Vec<Made>, PushError> {
        let platform = &*target.platform;
        if platform.grades.is_none() {
            return Ok(Vec::new());
        }
        let mut made = Vec::new();
        for (run, codes) in self.runs_for(target, codes, runs).await? {
            let scope = Scope::Subjects { codes, again: false };
            let of = GradesOf { platform, run: &run, scope: &scope };
            let outcome = self.maker.make_grades(of, Cause::Correction, None, actor).await?;
            made.extend(outcome.package.is_some().then_some(outcome));
        }
        Ok(made)
    }

    /// The runs whose records a platform may have of some subjects: of each scheme and period the one in force, or the last. A round in
    /// force counts once its package was made: until then the package has what is right.
    async fn runs_for(
        &self,
        target: &Target,
        codes: &[String],
        runs: &[RunRow],
    ) -> Result<BTreeMap<String, Vec<String>>, PushError> {
        let during = || PushError::store("looking for what a platform was sent");
        let platform = &*target.platform;
        let read = self.maker.env.db.read("push::runs_of");
        let asked: Vec<_> = codes.iter().map(|code| json!([code])).collect();
        let sent = rows::runs_of(&read, &platform.id, Value::from(asked).to_string()).await.map_err(during())?;
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in sent {
            found.entry(successor(&row.run_id, runs)).or_default().insert(row.code);
        }
        // Subjects that were left out of the package, and may now be in it.
        for run in runs.iter().filter(|run| run.state == "published" && platform.kinds.contains(&run.kind)) {
            let made =
                packages::was_compared(&self.maker.env.db.read("push::was_compared"), &platform.id, &run.id).await;
            if made.map_err(during())? {
                found.entry(run.id.clone()).or_default().extend(codes.iter().cloned());
            }
        }
        Ok(found.into_iter().map(|(run, codes)| (run, codes.into_iter().collect())).collect())
    }
}

/// The run that is to be compared in place of one: the round in force of the same scheme and period, if there is one.
fn successor(run_id: &str, runs: &[RunRow]) -> String {
    let run = runs.iter().find(|run| run.id == run_id);
    let successor = run.and_then(|run| {
        runs.iter().find(|other| {
            other.state == "published"
                && (&other.kind, &other.scheme, &other.period) == (&run.kind, &run.scheme, &run.period)
        })
    });
    successor.map_or(run_id, |run| &run.id).to_owned()
}

/// The subjects of events, each once.
fn subjects(events: &[StoredEvent]) -> Vec<String> {
    let codes: BTreeSet<String> = events
        .iter()
        .filter(|event| TOPICS.contains(&event.topic.as_str()))
        .filter_map(|event| serde_json::from_str::<Subject>(&event.body).ok())
        .map(|subject| subject.code)
        .collect();
    codes.into_iter().collect()
}
