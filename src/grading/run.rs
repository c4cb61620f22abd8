//! A trial run: every subject of a kind is rated by a model from the facts of a half-year.
//!
//! Subjects are rated page by page, some pages at a time, each on a thread of its own; heads of chains wait until their
//! branches are rated. Order of writing, and what a crash leaves: results page by page in bulk tables (rows of no run,
//! which the next run removes), then one row in `runs`, from which on the run exists whole.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    GradingError, Rounds, TRIAL,
    canonical::{self, BySubject},
    eligibility::Standing,
    inputs::Scope,
    library::InForce,
    rating::{Rated, Rating},
};
use crate::{
    domain::{HalfYear, ids::RunId},
    store::{
        DbError, Exclusive, facts,
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

/// What is gathered while a run is made.
#[derive(Default)]
pub(super) struct Tally {
    input: BySubject,
    outcome: BySubject,
    unknown: u64,
}

impl Tally {
    /// Takes in a page.
    pub(super) fn add(&mut self, rated: &Rated) {
        self.unknown += rated.unknown;
        for (result, input) in rated.results.iter().zip(&rated.inputs) {
            self.input.add(&result.subject_code, input.clone());
            self.outcome.add(&result.subject_code, canonical::outcome(result));
        }
    }

    /// How many subjects were taken in.
    pub(super) fn len(&self) -> usize {
        self.outcome.len()
    }

    /// The digest over what was read of every subject.
    pub(super) fn input_digest(&self) -> String {
        self.input.all("medcredit inputs 2")
    }

    /// The digest over what came of every subject.
    pub(super) fn outcome_digest(&self) -> String {
        self.outcome.all("medcredit outcomes 2")
    }
}

impl Rounds {
    /// Makes a trial run of a model for a half-year. `progress` is told how many of how many subjects are done.
    pub async fn run(
        &self,
        in_force: InForce<'_>,
        period: HalfYear,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<RunDone, GradingError> {
        let lock =
            Exclusive::try_take(&self.env.db, "grading").await.map_err(GradingError::during("taking the lock"))?;
        let Some(lock) = lock else { return Err(GradingError::Busy) };
        self.remove_remains().await?;
        let id = RunId::new(&*self.env.clock, &*self.env.entropy);
        let done = self.rate(in_force, period, id, progress).await;
        if done.is_err() {
            // What is left if this fails too, the next run removes.
            let _ = self.remove_results(&id.to_string()).await;
        }
        // The run is made or not made, whatever becomes of the lock: it ends with this process at the latest.
        let _ = lock.release().await;
        done
    }

    async fn rate(
        &self,
        in_force: InForce<'_>,
        period: HalfYear,
        id: RunId,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<RunDone, GradingError> {
        let imports = facts::accepted(&self.env.db.read("run")).await;
        let imports: BTreeSet<i64> =
            imports.map_err(GradingError::during("listing the imports"))?.into_iter().collect();
        let scope = Scope {
            catalogue: Arc::new(in_force.catalogue.clone()),
            period,
            lookback: in_force.model.lookback(),
            imports: Arc::new(imports),
        };
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
        self.finish(&rating, id, tally).await
    }

    async fn write(&self, id: RunId, results: &[ResultRow]) -> Result<(), GradingError> {
        let step = "writing results";
        let mut tx = self.env.db.begin_bulk("run").await.map_err(GradingError::during(step))?;
        runs::insert_results(&mut tx, &id.to_string(), results).await.map_err(GradingError::during(step))?;
        tx.commit().await.map_err(GradingError::during(step))
    }

    async fn finish(&self, rating: &Rating, id: RunId, tally: Tally) -> Result<RunDone, GradingError> {
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
            state: TRIAL.to_owned(),
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

    async fn remove_remains(&self) -> Result<(), GradingError> {
        let orphans = runs::orphans(&self.env.db.read("run")).await;
        for run in orphans.map_err(GradingError::during("looking for remains"))? {
            self.remove_results(&run).await?;
        }
        Ok(())
    }

    /// Removes what a run found.
    pub(super) async fn remove_results(&self, run: &str) -> Result<(), GradingError> {
        let step = "removing remains";
        let mut tx = self.env.db.begin_bulk("discard").await.map_err(GradingError::during(step))?;
        runs::discard_results(&mut tx, run).await.map_err(GradingError::during(step))?;
        tx.commit().await.map_err(GradingError::during(step))
    }
}
