//! A trial run: every subject of a kind is rated by a model from the facts of a half-year.
//!
//! Subjects are rated page by page, some pages at a time, each on a thread of its own; heads of chains wait until their
//! branches are rated. Order of writing, and what a crash leaves: results page by page in bulk tables (rows of no run,
//! which the next run removes), then one row in `runs`, from which on the run exists whole.

use std::sync::Arc;

use serde_json::json;

use super::{
    GradingError, Rounds, RunState, canonical,
    eligibility::Standing,
    inputs::Scope,
    library::InForce,
    rating::{Rating, Tally},
};
use crate::{
    domain::{Actor, HalfYear, ids::RunId},
    ledger::Action,
    store::{
        DbError, Exclusive,
        runs::{self, ResultRow, RunRow},
    },
};

/// A run that was made.
#[derive(Debug, Clone)]
pub struct RunDone {
    /// Its id.
    pub id: RunId,
    /// How many subjects it covers.
    pub subjects: usize,
    /// How many facts were read of measures that the catalogue does not have. Import refuses such facts, so they are from
    /// before the catalogue was changed.
    pub unknown: u64,
    /// The digest of what was read.
    pub input_digest: String,
    /// The digest of what came of it.
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
        let lock =
            Exclusive::try_take(&self.env.db, "grading").await.map_err(GradingError::during("taking the lock"))?;
        let Some(lock) = lock else { return Err(GradingError::Busy) };
        self.delete_orphans().await?;
        let id = RunId::new(&*self.env.clock, &*self.env.entropy);
        let done = self.rate(actor, in_force, period, id, progress).await;
        if done.is_err() {
            // What is left if this fails too, the next run removes.
            let _ = self.delete_results(&id.to_string()).await;
        }
        // The run is made or not made, whatever becomes of the lock: it ends with this process at the latest.
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
        let scope = Scope::of_period(&self.env.db, period, in_force.model, in_force.catalogue.clone()).await?;
        let subjects = self.subjects(in_force.model.kind()).await?;
        let rating = Rating::new(self.env.db.clone(), Arc::new(in_force.model.clone()), scope, subjects).await?;
        let mut tally = Tally::default();
        let all = rating.subjects();
        progress(0, all);
        let mut pages = rating.pages();
        while let Some(rated) = pages.next().await? {
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
            imports_to: scope.imports.last().copied().unwrap_or(0),
        };
        let step = "adding the run";
        let mut tx = self.env.db.begin("run").await.map_err(GradingError::during(step))?;
        runs::keep_model(&mut tx, &run.model_digest, &run.model_id, &body, now)
            .await
            .map_err(GradingError::during(step))?;
        let of_kind = format!("catalogue:{}", run.kind);
        runs::keep_model(&mut tx, &run.catalogue_digest, &of_kind, &catalogue, now)
            .await
            .map_err(GradingError::during(step))?;
        runs::insert(&mut tx, &run).await.map_err(GradingError::during(step))?;
        let detail = json!({ "input_digest": run.input_digest, "catalogue_digest": run.catalogue_digest });
        self.record(&mut tx, actor, Action::RunMade, &run, detail).await?;
        tx.commit().await.map_err(GradingError::during(step))?;
        Ok(RunDone {
            id,
            subjects: tally.len(),
            unknown: tally.unknown,
            input_digest: run.input_digest,
            outcome_digest: run.outcome_digest,
        })
    }

    /// The subjects of a kind, by code as bytes: engines differ in how they order text.
    pub(super) async fn subjects(&self, kind: &str) -> Result<Vec<Standing>, GradingError> {
        let step = "listing the subjects";
        let rows = runs::subjects(&self.env.db.read("run"), kind).await.map_err(GradingError::during(step))?;
        let subjects: Result<Vec<Standing>, DbError> = rows.into_iter().map(Standing::try_from).collect();
        let mut subjects = subjects.map_err(GradingError::during(step))?;
        subjects.sort_by(|one, other| one.code.cmp(&other.code));
        Ok(subjects)
    }

    async fn delete_orphans(&self) -> Result<(), GradingError> {
        let orphans = runs::orphans(&self.env.db.read("run")).await;
        for run in orphans.map_err(GradingError::during("looking for remains"))? {
            self.delete_results(&run).await?;
        }
        Ok(())
    }

    /// Removes what a run found.
    pub(super) async fn delete_results(&self, run: &str) -> Result<(), GradingError> {
        let step = "removing remains";
        let mut tx = self.env.db.begin_bulk("discard").await.map_err(GradingError::during(step))?;
        runs::discard_results(&mut tx, run).await.map_err(GradingError::during(step))?;
        tx.commit().await.map_err(GradingError::during(step))
    }
}
