//! A trial run: every subject of a kind is rated by a model from the records of a half-year.
//!
//! Order of writing, and what a crash leaves: results page by page in bulk tables (rows of no run, which the next run
//! removes), then one row in `runs`, from which on the run exists whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    GRADED, GradingError, NOT_RATED, Rounds, TRIAL,
    canonical::{self, BySubject},
    eligibility::Standing,
    library::InForce,
};
use crate::{
    domain::{Day, HalfYear, ids::RunId},
    scoring::{Decimal, Fact, Measures, evaluate},
    store::{
        DbError, Exclusive,
        records_read::{self, RecordRow},
        runs::{self, ResultRow, RunRow},
    },
};

/// How many subjects are read, rated and written at a time.
const PAGE: usize = 200;

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
struct Tally {
    input: BySubject,
    outcome: BySubject,
    unknown: u64,
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
            let _ = self.discard(&id.to_string()).await;
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
        let read = self.db.read("run");
        let accepted: BTreeSet<i64> = records_read::accepted(&read)
            .await
            .map_err(GradingError::during("listing the imports"))?
            .into_iter()
            .collect();
        let subjects = self.subjects(in_force.model.kind()).await?;
        let mut tally = Tally::default();
        progress(0, subjects.len());
        for page in subjects.chunks(PAGE) {
            let results = self.rate_page(in_force, period, page, &accepted, &mut tally).await?;
            let step = "writing results";
            let mut tx = self.db.begin_bulk("run").await.map_err(GradingError::during(step))?;
            runs::insert_results(&mut tx, &id.to_string(), &results).await.map_err(GradingError::during(step))?;
            tx.commit().await.map_err(GradingError::during(step))?;
            progress(tally.outcome.len(), subjects.len());
        }
        self.finish(in_force, period, id, tally).await
    }

    async fn finish(
        &self,
        in_force: InForce<'_>,
        period: HalfYear,
        id: RunId,
        tally: Tally,
    ) -> Result<RunDone, GradingError> {
        let model = in_force.model;
        let body = model.canonical();
        let now = self.clock.now();
        let run = RunRow {
            id: id.to_string(),
            model_id: model.id().to_owned(),
            model_digest: canonical::model(&body),
            scheme: model.scheme().id.clone(),
            kind: model.kind().to_owned(),
            period: period.to_string(),
            state: TRIAL.to_owned(),
            input_digest: tally.input.all("medcredit inputs 1"),
            outcome_digest: tally.outcome.all("medcredit outcomes 1"),
            subject_count: i64::try_from(tally.outcome.len()).unwrap_or(i64::MAX),
            created_at: now.micros(),
            published_at: None,
            valid_until_on: None,
        };
        let step = "adding the run";
        let mut tx = self.db.begin("run").await.map_err(GradingError::during(step))?;
        runs::keep_model(&mut tx, &run.model_digest, &run.model_id, &body, now)
            .await
            .map_err(GradingError::during(step))?;
        runs::insert(&mut tx, &run).await.map_err(GradingError::during(step))?;
        tx.commit().await.map_err(GradingError::during(step))?;
        Ok(RunDone {
            id,
            subjects: tally.outcome.len(),
            unknown: tally.unknown,
            input_digest: run.input_digest,
            outcome_digest: run.outcome_digest,
        })
    }

    /// The subjects of a kind, by code as bytes: engines differ in how they order text.
    async fn subjects(&self, kind: &str) -> Result<Vec<Standing>, GradingError> {
        let step = "listing the subjects";
        let rows = runs::subjects(&self.db.read("run"), kind).await.map_err(GradingError::during(step))?;
        let subjects: Result<Vec<Standing>, DbError> = rows.into_iter().map(Standing::try_from).collect();
        let mut subjects = subjects.map_err(GradingError::during(step))?;
        subjects.sort_by(|one, other| one.code.cmp(&other.code));
        Ok(subjects)
    }

    async fn rate_page(
        &self,
        in_force: InForce<'_>,
        period: HalfYear,
        page: &[Standing],
        accepted: &BTreeSet<i64>,
        tally: &mut Tally,
    ) -> Result<Vec<ResultRow>, GradingError> {
        let from = period.plus(-i32::from(in_force.model.lookback())).first_month().first_day();
        let to = period.last_month().last_day();
        let codes: Vec<&str> = page.iter().map(|standing| standing.code.as_str()).collect();
        let step = "reading the records";
        let rows = records_read::of_subjects(&self.db.read("run"), &codes, from, to)
            .await
            .map_err(GradingError::during(step))?;
        let mut facts: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
        for row in rows.into_iter().filter(|row| accepted.contains(&row.import_seq)) {
            let Some(measure) = in_force.catalogue.place(&row.measure) else {
                tally.unknown += 1;
                continue;
            };
            let subject = row.subject_code.clone();
            facts.entry(subject).or_default().push(fact(row, measure).map_err(GradingError::during(step))?);
        }
        page.iter()
            .map(|standing| {
                let facts = facts.remove(&standing.code).unwrap_or_default();
                rate_subject(in_force, period, standing, facts, tally)
            })
            .collect()
    }

    async fn remove_remains(&self) -> Result<(), GradingError> {
        let orphans = runs::orphans(&self.db.read("run")).await;
        for run in orphans.map_err(GradingError::during("looking for remains"))? {
            self.discard(&run).await?;
        }
        Ok(())
    }

    async fn discard(&self, run: &str) -> Result<(), GradingError> {
        let step = "removing remains";
        let mut tx = self.db.begin_bulk("discard").await.map_err(GradingError::during(step))?;
        runs::discard_results(&mut tx, run).await.map_err(GradingError::during(step))?;
        tx.commit().await.map_err(GradingError::during(step))
    }
}

fn fact(row: RecordRow, measure: usize) -> Result<Fact, DbError> {
    let occurred_on = row.occurred_on.parse::<Day>();
    Ok(Fact {
        measure,
        occurred_on: occurred_on.map_err(|error| DbError::corrupt("records_read::of_subjects", error.0))?,
        value: Decimal(row.value_e4),
        source: row.source,
        reference: row.reference,
        import_seq: row.import_seq,
    })
}

/// Rates one subject, or says why it is not rated.
fn rate_subject(
    in_force: InForce<'_>,
    period: HalfYear,
    standing: &Standing,
    facts: Vec<Fact>,
    tally: &mut Tally,
) -> Result<ResultRow, GradingError> {
    let InForce { model, catalogue } = in_force;
    let result = if let Some(reason) = standing.not_rated(model, period) {
        tally.input.add(&standing.code, canonical::input(standing, None, catalogue));
        ResultRow {
            subject_code: standing.code.clone(),
            status: NOT_RATED.to_owned(),
            reason: Some(reason.as_str().to_owned()),
            grade: None,
            points: None,
            explanation: "{}".to_owned(),
        }
    } else {
        let measures = Measures::collect(catalogue, period, model.lookback(), standing.agreement_signed_on, facts)
            .map_err(|source| GradingError::Data { subject: standing.code.clone(), source })?;
        tally.input.add(&standing.code, canonical::input(standing, Some(&measures), catalogue));
        let assessment = evaluate(model, &measures);
        ResultRow {
            subject_code: standing.code.clone(),
            status: GRADED.to_owned(),
            reason: None,
            // Infallible: the type holds only texts, numbers and lists of them.
            explanation: serde_json::to_string(&assessment).unwrap_or_default(),
            points: Some(assessment.points.0),
            grade: Some(assessment.grade),
        }
    };
    tally.outcome.add(&standing.code, canonical::outcome(&result));
    Ok(result)
}
