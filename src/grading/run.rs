//! A trial run: every subject of a kind is rated by a model from the facts of a half-year.
//!
//! Subjects are rated page by page, some pages at a time, each on a thread of its own. Order of writing, and what a crash
//! leaves: results page by page in bulk tables (rows of no run, which the next run removes), then one row in `runs`, from
//! which on the run exists whole.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::JoinSet;

use super::{
    GRADED, GradingError, NOT_RATED, Rounds, TRIAL,
    canonical::{self, BySubject},
    eligibility::Standing,
    gather::{Page, Scope, SumsOf, data},
    library::InForce,
};
use crate::{
    domain::{HalfYear, ids::RunId, money::MilliPoints},
    scoring::{Catalogue, Measures, Model, points_by_indicator},
    store::{
        Db, DbError, Exclusive, facts,
        runs::{self, ResultRow, RunRow},
    },
};

/// How many subjects are read, rated and written at a time.
const PAGE: usize = 2_000;

/// How many pages are under way at once.
const PAGES_UNDER_WAY: usize = 3;

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

/// What every page of a run is rated by.
#[derive(Debug, Clone)]
pub(super) struct Rating {
    pub(super) db: Db,
    pub(super) model: Arc<Model>,
    pub(super) scope: Scope,
    /// By code as bytes.
    pub(super) subjects: Arc<[Standing]>,
}

/// What came of a page.
pub(super) struct Rated {
    pub(super) results: Vec<ResultRow>,
    /// The digests of what was read, of each result.
    inputs: Vec<String>,
    unknown: u64,
}

/// The pages of a rating, some of them under way at once; they come in no particular order.
pub(super) struct Pages {
    rating: Rating,
    start: usize,
    under_way: JoinSet<Result<Rated, GradingError>>,
}

impl Pages {
    /// The next page that is done.
    pub(super) async fn next(&mut self) -> Result<Option<Rated>, GradingError> {
        while self.under_way.len() < PAGES_UNDER_WAY && self.start < self.rating.subjects.len() {
            self.under_way.spawn(self.rating.clone().page(self.start));
            self.start += PAGE;
        }
        match self.under_way.join_next().await {
            Some(rated) => rated.unwrap_or(Err(GradingError::Stopped)).map(Some),
            None => Ok(None),
        }
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
        let lock = Exclusive::try_take(&self.db, "grading").await.map_err(GradingError::during("taking the lock"))?;
        let Some(lock) = lock else { return Err(GradingError::Busy) };
        self.remove_remains().await?;
        let id = RunId::new(&*self.clock, &*self.entropy);
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
        let imports = facts::accepted(&self.db.read("run")).await;
        let imports: BTreeSet<i64> =
            imports.map_err(GradingError::during("listing the imports"))?.into_iter().collect();
        let rating = Rating {
            db: self.db.clone(),
            model: Arc::new(in_force.model.clone()),
            scope: Scope {
                catalogue: Arc::new(in_force.catalogue.clone()),
                period,
                lookback: in_force.model.lookback(),
                imports: Arc::new(imports),
            },
            subjects: self.subjects(in_force.model.kind()).await?.into(),
        };
        let mut tally = Tally::default();
        let all = rating.subjects.len();
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
        let mut tx = self.db.begin_bulk("run").await.map_err(GradingError::during(step))?;
        runs::insert_results(&mut tx, &id.to_string(), results).await.map_err(GradingError::during(step))?;
        tx.commit().await.map_err(GradingError::during(step))
    }

    async fn finish(&self, rating: &Rating, id: RunId, tally: Tally) -> Result<RunDone, GradingError> {
        let Rating { model, scope, .. } = rating;
        let (body, catalogue) = (model.canonical(), scope.catalogue.canonical());
        let now = self.clock.now();
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
        let mut tx = self.db.begin("run").await.map_err(GradingError::during(step))?;
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
        let rows = runs::subjects(&self.db.read("run"), kind).await.map_err(GradingError::during(step))?;
        let subjects: Result<Vec<Standing>, DbError> = rows.into_iter().map(Standing::try_from).collect();
        let mut subjects = subjects.map_err(GradingError::during(step))?;
        subjects.sort_by(|one, other| one.code.cmp(&other.code));
        Ok(subjects)
    }

    async fn remove_remains(&self) -> Result<(), GradingError> {
        let orphans = runs::orphans(&self.db.read("run")).await;
        for run in orphans.map_err(GradingError::during("looking for remains"))? {
            self.remove_results(&run).await?;
        }
        Ok(())
    }

    /// Removes what a run found.
    pub(super) async fn remove_results(&self, run: &str) -> Result<(), GradingError> {
        let step = "removing remains";
        let mut tx = self.db.begin_bulk("discard").await.map_err(GradingError::during(step))?;
        runs::discard_results(&mut tx, run).await.map_err(GradingError::during(step))?;
        tx.commit().await.map_err(GradingError::during(step))
    }
}

impl Rating {
    /// Begins to rate every subject.
    pub(super) fn pages(&self) -> Pages {
        Pages { rating: self.clone(), start: 0, under_way: JoinSet::new() }
    }

    /// Rates the only subject there is.
    pub(super) async fn only(&self) -> Result<ResultRow, GradingError> {
        let rated = self.clone().page(0).await?;
        rated.results.into_iter().next().ok_or(GradingError::Stopped)
    }

    /// Rates the subjects from one on.
    async fn page(self, start: usize) -> Result<Rated, GradingError> {
        let subjects = self.subjects.get(start..).unwrap_or_default();
        let codes: Vec<String> = subjects.iter().take(PAGE).map(|standing| standing.code.clone()).collect();
        let page = self.scope.page(&self.db, &codes).await?;
        let rated = tokio::task::spawn_blocking(move || self.rate_page(start, page));
        rated.await.unwrap_or(Err(GradingError::Stopped))
    }

    fn rate_page(&self, start: usize, mut page: Page) -> Result<Rated, GradingError> {
        let subjects = self.subjects.get(start..).unwrap_or_default();
        let mut rated = Rated { results: Vec::with_capacity(PAGE), inputs: Vec::with_capacity(PAGE), unknown: 0 };
        for standing in subjects.iter().take(PAGE) {
            let sums = page.sums(&self.scope, &standing.code)?;
            let (result, input) = self.rate_subject(standing, sums)?;
            rated.results.push(result);
            rated.inputs.push(input);
        }
        rated.unknown = page.unknown;
        Ok(rated)
    }

    /// Rates one subject, or says why it is not rated; and tells the digest of what was read of it.
    fn rate_subject(&self, standing: &Standing, sums: SumsOf) -> Result<(ResultRow, String), GradingError> {
        let Self { model, scope, .. } = self;
        let mut result = ResultRow {
            subject_code: standing.code.clone(),
            status: NOT_RATED.to_owned(),
            reason: None,
            grade: None,
            points: None,
            findings: "[]".to_owned(),
            standing: standing.to_json(),
        };
        if let Some(reason) = standing.not_rated(model, scope.period) {
            result.reason = Some(reason.as_str().to_owned());
            return Ok((result, canonical::input(standing, None, &scope.catalogue)));
        }
        let measures = measures_of(&scope.catalogue, scope, standing, sums)?;
        let input = canonical::input(standing, Some(&measures), &scope.catalogue);
        let points = points_by_indicator(model, &measures);
        let total = MilliPoints(points.iter().fold(0i64, |sum, points| sum.saturating_add(points.0)));
        GRADED.clone_into(&mut result.status);
        result.grade = Some(model.grade_of(total));
        result.points = Some(total.0);
        // Infallible: a list of numbers.
        result.findings = serde_json::to_string(&points).unwrap_or_default();
        Ok((result, input))
    }
}

fn measures_of(
    catalogue: &Catalogue,
    scope: &Scope,
    standing: &Standing,
    sums: SumsOf,
) -> Result<Measures, GradingError> {
    Measures::of_sums(catalogue, scope.period, scope.lookback, standing.agreement_signed_on, sums)
        .map_err(|source| data(&standing.code, source))
}
