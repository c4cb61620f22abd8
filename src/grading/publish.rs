//! Publication: a trial or pre-assessment becomes the round in force, in one transaction with the end of the round before.

use serde_json::json;

use super::{
    GradingError, Rounds, RunState,
    period::{period_of, valid_until},
    transition::{may_follow, must_become},
};
use crate::{
    domain::{Actor, Day, HalfYear},
    ledger::Action,
    store::{
        assessments::{self, NewAssessment},
        rounds,
        runs::{self, RunRow},
    },
};

/// How many assessments are written by one statement.
const PAGE: usize = 1000;

/// How many times a publication is attempted when another transaction is in the way.
const ATTEMPTS: u32 = 3;

/// The outcome of a publication.
#[derive(Debug, Clone)]
pub struct Published {
    /// The run's id.
    pub run: String,
    /// The half-year of the round.
    pub period: HalfYear,
    /// The run that was in force before.
    pub former: Option<String>,
    /// The publication number, which every publication and correction raises.
    pub publication: i64,
    /// The number of subjects that the round covers.
    pub subjects: usize,
    /// The last day on which the grades are valid.
    pub valid_until: Day,
}

impl Rounds {
    /// Puts a trial or a pre-assessment in force. Its grades are valid until the half-year after its own is over, and
    /// `grace_months` more, in which the next round is made.
    pub async fn publish(&self, actor: &Actor, run_id: &str, grace_months: u8) -> Result<Published, GradingError> {
        let run = self.find(run_id).await?;
        must_become(&run.id, &run.state, RunState::Published)?;
        // Before the transaction: reading and digesting all results takes long.
        let results = self.verified_results(&run).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.put_in_force(actor, &run, &results, grace_months).await {
                // Appends of answers take the banks' locks too: the engine may end one of the two. Nothing was changed.
                Err(error) if error.is_contention() && attempt < ATTEMPTS => {}
                done => return done,
            }
        }
    }

    async fn put_in_force(
        &self,
        actor: &Actor,
        run: &RunRow,
        results: &[NewAssessment],
        grace_months: u8,
    ) -> Result<Published, GradingError> {
        let now = self.env.now();
        let period = period_of(run)?;
        let valid_until = valid_until(period, grace_months);
        let during = || GradingError::during("publishing");
        let mut tx = self.env.db.begin("publish").await.map_err(during())?;
        // Read again inside the transaction: another process may have discarded the run since.
        let history = rounds::history_in(&mut tx, &run.id).await.map_err(during())?;
        let history = history.ok_or_else(|| GradingError::NoSuchRun(run.id.clone()))?;
        must_become(&run.id, &history.state, RunState::Published)?;
        self.must_have_heard_objections(run, &history, now)?;
        let open = rounds::open_preassessment(&mut tx, &run.kind, &run.scheme).await.map_err(during())?;
        if let Some(open) = open.filter(|open| *open != run.id) {
            return Err(GradingError::AnotherOpen { open });
        }
        let former = runs::published(&mut tx, &run.kind, &run.scheme).await.map_err(during())?;
        may_follow(period, former.as_ref(), now)?;
        // By pages, which bounds the size of a statement.
        for page in results.chunks(PAGE) {
            assessments::insert(&mut tx, &run.id, 1, page, now).await.map_err(during())?;
        }
        let former = former.map(|run| run.id);
        let detail = json!({ "former": former, "valid_until": valid_until.to_string() });
        self.record(&mut tx, actor, Action::RunPublished, run, detail).await?;
        // Appends that hold these locks commit first, and later ones see the new round: a grade that falls ends access
        // (I2). Taken after the bulk of the statements, so that appends wait for the last few only.
        let banks = runs::client_ids(&mut tx).await.map_err(during())?;
        tx.lock_banks_exclusive(&banks).await.map_err(during())?;
        rounds::name_successor(&mut tx, &run.kind, &run.scheme, &run.id, now).await.map_err(during())?;
        runs::supersede(&mut tx, &run.kind, &run.scheme).await.map_err(during())?;
        // The update decides, whatever was read before.
        if !runs::publish(&mut tx, &run.id, now, &valid_until.to_string()).await.map_err(during())? {
            return Err(GradingError::raced(&run.id, RunState::Published));
        }
        let publication = runs::raise_publication(&mut tx).await.map_err(during())?;
        tx.commit().await.map_err(during())?;
        Ok(Published { run: run.id.clone(), period, former, publication, subjects: results.len(), valid_until })
    }
}
