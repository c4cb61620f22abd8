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
const TOPICS: [&str; 4] = ["grade.corrected", "objection.changed", "subject.changed", "push.original_missing"];

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
            let failed = match self.correct_on(target, codes, &runs, actor).await {
                Ok((made, failed)) => {
                    done.made.extend(made);
                    failed
                }
                Err(error) => Some(error),
            };
            if let Some(error) = failed {
                tracing::warn!(platform = id, error = %error_chain(&error), "a correction could not be made");
                // The events are routed all the same: the rounds in force are compared as a whole when it can be made.
                self.compare_again(&[id]).await?;
                done.failed.push((id.clone(), error));
            }
        }
        // So are those of platforms that get nothing at present, when they get packages again.
        let read = self.maker.env.db.read("push::compared");
        let compared = packages::compared(&read).await.map_err(PushError::store("reading what was compared"))?;
        let absent: Vec<&String> = compared.iter().filter(|platform| !self.targets.contains_key(*platform)).collect();
        self.compare_again(&absent).await
    }

    /// Lets the schedules compare the rounds in force as a whole again.
    async fn compare_again(&self, platforms: &[&String]) -> Result<(), PushError> {
        let during = || PushError::store("noting that platforms are to be compared again");
        for platform in platforms {
            let mut tx = self.maker.env.db.begin("push::forget_made").await.map_err(during())?;
            packages::forget_made(&mut tx, platform).await.map_err(during())?;
            tx.commit().await.map_err(during())?;
        }
        Ok(())
    }

    async fn correct_on(
        &self,
        target: &Target,
        codes: &[String],
        runs: &[RunRow],
        actor: &Actor,
    ) -> Result<(Vec<Made>, Option<PushError>), PushError> {
        let platform = &*target.platform;
        if platform.grades.is_none() {
            return Ok((Vec::new(), None));
        }
        let (mut made, mut failed) = (Vec::new(), None);
        for (run, codes) in self.runs_for(target, codes, runs).await? {
            let scope = Scope::Subjects { codes, again: false };
            let of = GradesOf { platform, run: &run, scope: &scope };
            // What is wrong with one run keeps no correction of another from its way.
            match self.maker.make_grades(of, Cause::Correction, None, actor).await {
                Ok(outcome) => made.extend(outcome.package.is_some().then_some(outcome)),
                Err(error) => failed = Some(error),
            }
        }
        Ok((made, failed))
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

/// The run that is to be compared in place of one: the last that was published of the same kind, scheme and period. An earlier one
/// of the same records would send what is no longer right.
pub(super) fn successor(run_id: &str, runs: &[RunRow]) -> String {
    let of = |run: &RunRow| (run.kind.clone(), run.scheme.clone(), run.period.clone());
    let wanted = runs.iter().find(|run| run.id == run_id).map(of);
    let same = runs.iter().filter(|other| other.published_at.is_some() && Some(of(other)) == wanted);
    same.max_by_key(|run| run.published_at).map_or(run_id, |run| &run.id).to_owned()
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
