//! A trial run: a model rates every subject of a kind from the facts of a half-year.
//!
//! Subjects are rated page by page, some pages in parallel; heads of chains wait until their branches are rated. Results
//! are written page by page to a bulk table. The run exists from the moment its row in `runs` is committed, together with
//! its ledger entry. A crash before that leaves results without a run, which the next run deletes.

use std::sync::Arc;

use serde_json::json;

use super::{
    GradingError, Rounds, RunState, canonical,
    eligibility::Standing,
    fact_page::SourceConflict,
    library::InForce,
    rating::{Rating, Tally},
    scope::Scope,
    status_history::StatusHistory,
};
use crate::{
    domain::{Actor, HalfYear, ids::RunId},
    ledger::Action,
    scoring::Method,
    store::{
        DbError, JobLock,
        runs::{self, ResultRow, RunRow},
        statuses,
    },
};

/// The outcome of making a run.
#[derive(Debug, Clone)]
pub struct RunDone {
    /// The id of the run.
    pub id: RunId,
    /// The number of subjects that the run covers.
    pub subjects: usize,
    /// The number of facts of measures that the catalogue does not have. Import refuses such facts, so they were accepted
    /// before the catalogue was changed.
    pub unknown: u64,
    /// The stocks for which two sources reported different values on one day: the later delivery counts.
    pub conflicts: Vec<SourceConflict>,
    /// The digest of the inputs.
    pub input_digest: String,
    /// The digest of the results.
    pub outcome_digest: String,
}

impl Rounds {
    /// Makes a trial run of a model for a half-year. `progress` is called with the number of subjects rated so far, and
    /// of all.
    pub async fn run(
        &self,
        actor: &Actor,
        in_force: InForce<'_>,
        period: HalfYear,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<RunDone, GradingError> {
        // One run at a time: two would compete for the whole database, and one would delete the other's results as
        // orphans.
        let lock =
            JobLock::try_acquire(&self.env.db, "grading").await.map_err(GradingError::during("taking the lock"))?;
        let Some(lock) = lock else { return Err(GradingError::Busy) };
        self.delete_orphans().await?;
        let id = RunId::new(&*self.env.clock, &*self.env.entropy);
        let done = self.rate(actor, in_force, period, id, progress).await;
        if done.is_err() {
            // If this fails too, the next run deletes the results.
            let _ = self.delete_results(&id.to_string()).await;
        }
        // The outcome of the run does not depend on the release: the lock ends with this process at the latest.
        let _ = lock.release().await;
        done
    }

    async fn rate(
        &self,
        actor: &Actor,
        in_force: InForce<'_>,
        period: HalfYear,
        id: RunId,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<RunDone, GradingError> {
        let (model, catalogue) = (in_force.model, in_force.catalogue.clone());
        let scope = Scope::of_period(&self.env.db, period, model, catalogue, Method::CURRENT, None).await?;
        let subjects = self.subjects(in_force.model.kind(), period).await?;
        let rating = Rating::new(self.env.db.clone(), Arc::new(in_force.model.clone()), scope, subjects).await?;
        let mut tally = Tally::default();
        let all = rating.subjects();
        progress(0, all);
        let mut pages = rating.pages();
        while let Some(rated) = pages.next().await? {
            // A transaction for each page: one for all would hold the only writer of SQLite for minutes.
            self.write(id, &rated.results).await?;
            tally.add(&rated);
            progress(tally.len(), all);
        }
        self.finish(actor, &rating, id, tally).await
    }

    async fn write(&self, id: RunId, results: &[ResultRow]) -> Result<(), GradingError> {
        let step = "writing results";
        let mut tx = self.env.db.begin_bulk("run").await.map_err(GradingError::during(step))?;
        runs::insert_results(&mut tx, &id.to_string(), results).await.map_err(GradingError::during(step))?;
        tx.commit().await.map_err(GradingError::during(step))
    }

    async fn finish(&self, actor: &Actor, rating: &Rating, id: RunId, tally: Tally) -> Result<RunDone, GradingError> {
        let (model, scope) = (rating.model(), rating.scope());
        let (body, catalogue) = (model.canonical(), scope.catalogue.canonical());
        let now = self.env.clock.now();
        let run = RunRow {
            id: id.to_string(),
            model_id: model.id().to_owned(),
            model_digest: canonical::document(&body),
            scheme: model.scheme().id.clone(),
            kind: model.kind().to_owned(),
            period: scope.period.to_string(),
            state: RunState::Trial.as_str().to_owned(),
            input_digest: tally.input_digest(),
            outcome_digest: tally.outcome_digest(),
            subject_count: i64::try_from(tally.len()).unwrap_or(i64::MAX),
            created_at: now.micros(),
            published_at: None,
            valid_until_on: None,
            catalogue_digest: canonical::document(&catalogue),
            imports_to: scope.imports_to,
            counting: scope.counting.number(),
            method: scope.method.number(),
        };
        let step = "adding the run";
        let mut tx = self.env.db.begin("run").await.map_err(GradingError::during(step))?;
        runs::insert_model(&mut tx, &run.model_digest, &run.model_id, &body, now)
            .await
            .map_err(GradingError::during(step))?;
        let of_kind = format!("catalogue:{}", run.kind);
        runs::insert_model(&mut tx, &run.catalogue_digest, &of_kind, &catalogue, now)
            .await
            .map_err(GradingError::during(step))?;
        // The row of the run comes last: until then its results are orphans, which the next run deletes.
        runs::insert(&mut tx, &run).await.map_err(GradingError::during(step))?;
        let detail = json!({ "input_digest": run.input_digest, "catalogue_digest": run.catalogue_digest });
        self.record(&mut tx, actor, Action::RunMade, &run, detail).await?;
        tx.commit().await.map_err(GradingError::during(step))?;
        Ok(RunDone {
            id,
            subjects: tally.len(),
            unknown: tally.unknown,
            conflicts: tally.conflicts.into_iter().collect(),
            input_digest: run.input_digest,
            outcome_digest: run.outcome_digest,
        })
    }

    /// The subjects of a kind with the statuses that held at the end of a half-year, in byte order of codes: engines differ
    /// in how they order text.
    pub(super) async fn subjects(&self, kind: &str, period: HalfYear) -> Result<Vec<Standing>, GradingError> {
        let step = "listing the subjects";
        let rows = runs::subjects(&self.env.db.read("run"), kind).await.map_err(GradingError::during(step))?;
        // After the subjects: a change that is accepted between the two statements is then in the history, with what held
        // before it.
        let history = statuses::of_kind(&self.env.db.read("run"), kind).await.map_err(GradingError::during(step))?;
        let history = StatusHistory::of(history).map_err(GradingError::during(step))?;
        let subjects: Result<Vec<Standing>, DbError> = rows.into_iter().map(Standing::try_from).collect();
        let mut subjects = subjects.map_err(GradingError::during(step))?;
        for subject in &mut subjects {
            subject.take_statuses(&history, period);
        }
        subjects.sort_by(|one, other| one.code.cmp(&other.code));
        Ok(subjects)
    }

    /// Deletes results of runs that a crash or an error cut short, or that were discarded.
    async fn delete_orphans(&self) -> Result<(), GradingError> {
        let orphans = runs::orphans(&self.env.db.read("run")).await;
        for run in orphans.map_err(GradingError::during("looking for results without a run"))? {
            self.delete_results(&run).await?;
        }
        Ok(())
    }

    /// Deletes the results of a run.
    pub(super) async fn delete_results(&self, run: &str) -> Result<(), GradingError> {
        let step = "deleting results";
        let mut tx = self.env.db.begin_bulk("discard").await.map_err(GradingError::during(step))?;
        runs::discard_results(&mut tx, run).await.map_err(GradingError::during(step))?;
        tx.commit().await.map_err(GradingError::during(step))
    }
}
