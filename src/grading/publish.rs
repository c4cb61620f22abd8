//! Publication: a trial or pre-assessment becomes the round in force, in one transaction with the end of the round before.

use super::{
    GRADED, GradingError, Rounds, RunState,
    canonical::{self, BySubject},
    explain::read_model,
    state::must_become,
};
use crate::{
    domain::{Day, HalfYear, Malformed, Timestamp, money::MilliPoints},
    scoring::{ModelFile, first_levels},
    store::{
        DbError,
        assessments::{self, NewAssessment},
        rounds,
        runs::{self, ResultRow, RunRow},
    },
};

/// How many results are read or written at a time.
const PAGE: i64 = 1000;

/// How often a publication is tried again when another transaction was in the way.
const ATTEMPTS: u32 = 3;

/// A round that was put in force.
#[derive(Debug, Clone)]
pub struct Published {
    /// The run.
    pub run: String,
    /// Its half-year.
    pub period: HalfYear,
    /// The run that was in force before.
    pub former: Option<String>,
    /// The number that this publication raised.
    pub publication: i64,
    /// How many subjects it covers.
    pub subjects: usize,
    /// The last day on which its grades are good.
    pub valid_until: Day,
}

impl Rounds {
    /// Puts a trial or a pre-assessment in force. Its grades are good until the half-year after its own is over, and `grace_months` more
    /// for that one's round to be made.
    pub async fn publish(&self, run_id: &str, grace_months: u8) -> Result<Published, GradingError> {
        let run = self.find(run_id).await?;
        must_become(&run.id, &run.state, RunState::Published)?;
        let results = self.results(&run).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.put_in_force(&run, &results, grace_months).await {
                Err(error) if error.is_contention() && attempt < ATTEMPTS => {}
                done => return done,
            }
        }
    }

    /// A run by its id.
    pub(super) async fn find(&self, run_id: &str) -> Result<RunRow, GradingError> {
        let found = runs::find(&self.env.db.read("find_run"), run_id).await;
        found
            .map_err(GradingError::during("looking for the run"))?
            .ok_or_else(|| GradingError::NoSuchRun(run_id.into()))
    }

    /// Refuses a run whose results are no longer exactly those it found.
    pub(super) async fn still_as_found(&self, run: &RunRow) -> Result<(), GradingError> {
        // A published one has no further use for them: what counts are its assessments.
        self.results(run).await.map(|_| ())
    }

    /// The results of a run as assessments, if they are still exactly those it found.
    async fn results(&self, run: &RunRow) -> Result<Vec<NewAssessment>, GradingError> {
        let model = read_model(&self.env.db, &run.model_digest, &run.id).await?;
        let mut results: Vec<NewAssessment> = Vec::new();
        let mut digests = BySubject::default();
        loop {
            let after = results.last().map_or("", |row| row.subject_code.as_str());
            let page = runs::results_page(&self.env.db.read("publish"), &run.id, after, PAGE).await;
            let page = page.map_err(GradingError::during("reading the results"))?;
            if page.is_empty() {
                break;
            }
            for row in page {
                digests.add(&row.subject_code, canonical::outcome(&row));
                results.push(assessment(run, &model, row)?);
            }
        }
        if digests.all("medcredit outcomes 2") == run.outcome_digest {
            Ok(results)
        } else {
            Err(GradingError::Altered(run.id.clone()))
        }
    }

    async fn put_in_force(
        &self,
        run: &RunRow,
        results: &[NewAssessment],
        grace_months: u8,
    ) -> Result<Published, GradingError> {
        let now = self.env.clock.now();
        let period = period_of(run)?;
        let valid_until = valid_until(period, grace_months);
        let step = "publishing";
        let during = || GradingError::during(step);
        let mut tx = self.env.db.begin("publish").await.map_err(during())?;
        let life = rounds::life_in(&mut tx, &run.id).await.map_err(during())?;
        let life = life.ok_or_else(|| GradingError::NoSuchRun(run.id.clone()))?;
        must_become(&run.id, &life.state, RunState::Published)?;
        self.objections_heard(run, &life, now)?;
        let open = rounds::open_preassessment(&mut tx, &run.kind, &run.scheme).await.map_err(during())?;
        if let Some(open) = open.filter(|open| *open != run.id) {
            return Err(GradingError::AnotherOpen { open });
        }
        let former = runs::published(&mut tx, &run.kind, &run.scheme).await.map_err(during())?;
        may_follow(period, former.as_ref(), now)?;
        let size = usize::try_from(PAGE).unwrap_or(1000);
        for page in results.chunks(size) {
            assessments::insert(&mut tx, &run.id, 1, page, now).await.map_err(during())?;
        }
        // From here on answers under way are done or will see the new round: a grade that falls ends access (I2). Taken
        // this late so that they wait for the last statements only.
        let banks = runs::banks(&mut tx).await.map_err(during())?;
        tx.lock_banks_exclusive(&banks).await.map_err(during())?;
        rounds::name_successor(&mut tx, (&run.kind, &run.scheme), &run.id, now).await.map_err(during())?;
        runs::supersede(&mut tx, &run.kind, &run.scheme).await.map_err(during())?;
        if !runs::publish(&mut tx, &run.id, now, &valid_until.to_string()).await.map_err(during())? {
            return Err(GradingError::raced(&run.id, RunState::Published));
        }
        let publication = runs::raise_publication(&mut tx).await.map_err(during())?;
        tx.commit().await.map_err(during())?;
        Ok(Published {
            run: run.id.clone(),
            period,
            former: former.map(|run| run.id),
            publication,
            subjects: results.len(),
            valid_until,
        })
    }
}

/// What is published of a result: of what its indicators came to the first-level totals, and nothing else.
pub(super) fn assessment(run: &RunRow, model: &ModelFile, row: ResultRow) -> Result<NewAssessment, GradingError> {
    // Rules have no points, and nothing beneath them is published.
    let level_points = if row.status == GRADED && model.by_points() {
        let points: Vec<MilliPoints> =
            serde_json::from_str(&row.findings).map_err(|_| GradingError::Altered(run.id.clone()))?;
        Some(first_levels(model, &points).into_iter().map(|points| points.0).collect())
    } else {
        None
    };
    Ok(NewAssessment {
        subject_code: row.subject_code,
        status: row.status,
        reason: row.reason,
        grade: row.grade,
        points: row.points,
        level_points,
    })
}

/// The half-year of a run.
pub(super) fn period_of(run: &RunRow) -> Result<HalfYear, GradingError> {
    run.period.parse().map_err(|error: Malformed| GradingError::Store {
        step: "reading the run",
        source: DbError::corrupt("runs::find", error),
    })
}

/// A round needs its whole half-year, and never replaces a later one.
pub(super) fn may_follow(period: HalfYear, former: Option<&RunRow>, now: Timestamp) -> Result<(), GradingError> {
    let today = now.day();
    if today <= period.last_month().last_day() {
        return Err(GradingError::NotOver { period, today });
    }
    match former.map(period_of).transpose()? {
        Some(in_force) if in_force > period => Err(GradingError::Backwards { period, in_force }),
        _ => Ok(()),
    }
}

/// The last day on which grades of a half-year are good: the end of the next one, and the grace after it.
fn valid_until(period: HalfYear, grace_months: u8) -> Day {
    period.plus(1).last_month().plus(i32::from(grace_months)).last_day()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_good_until_the_next_half_year_is_over_and_a_month_more() {
        assert_eq!(valid_until("2025-H2".parse().unwrap(), 1).to_string(), "2026-07-31");
        assert_eq!(valid_until("2026-H1".parse().unwrap(), 2).to_string(), "2027-02-28");
        assert_eq!(valid_until("2026-H1".parse().unwrap(), 0).to_string(), "2026-12-31");
    }
}
