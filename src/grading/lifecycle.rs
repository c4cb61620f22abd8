//! The steps of a run apart from publication: it is opened to objections, or discarded.

use serde_json::json;

use super::{
    GradingError, Rounds, RunState,
    period::period_of,
    transition::{may_follow, must_become, parse_state},
};
use crate::{
    domain::{Actor, Day, Timestamp},
    ledger::Action,
    store::{
        rounds::{self, RunHistoryRow},
        runs::{self, RunRow},
    },
};

/// A run that was opened to its subjects' objections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preassessed {
    /// The run's id.
    pub run: String,
    /// The number of subjects that it covers.
    pub subjects: i64,
    /// The last day of objections, where a number of days is configured.
    pub open_until: Option<Day>,
}

/// The state of a run, and when it came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHistory {
    /// The present state.
    pub state: RunState,
    /// When it was opened to objections.
    pub preassessed_at: Option<Timestamp>,
    /// The last day of objections, where a number of days is configured.
    pub open_until: Option<Day>,
    /// The run that replaced it.
    pub superseded_by: Option<String>,
    /// When it was superseded or discarded.
    pub ended_at: Option<Timestamp>,
}

impl Rounds {
    /// Opens a trial to objections: its subjects can see their results, which do not count yet.
    pub async fn preassess(&self, actor: &Actor, run_id: &str) -> Result<Preassessed, GradingError> {
        let run = self.find(run_id).await?;
        must_become(&run.id, &run.state, RunState::Preassessment)?;
        // Nobody should object to results that can no longer be published.
        self.verified_results(&run).await?;
        let now = self.env.now();
        let during = || GradingError::during("opening the run to objections");
        let mut tx = self.env.db.begin("preassess").await.map_err(during())?;
        // Read again inside the transaction: another process may have changed the state since.
        let history = rounds::history_in(&mut tx, &run.id).await.map_err(during())?;
        must_become(&run.id, &history.map(|history| history.state).unwrap_or_default(), RunState::Preassessment)?;
        let former = runs::published(&mut tx, &run.kind, &run.scheme).await.map_err(during())?;
        may_follow(period_of(&run)?, former.as_ref(), now)?;
        if let Some(open) = rounds::open_preassessment(&mut tx, &run.kind, &run.scheme).await.map_err(during())? {
            return Err(GradingError::AnotherOpen { open });
        }
        // The update decides: of two operators at the same time one changes no row.
        if !rounds::preassess(&mut tx, &run.id, now).await.map_err(during())? {
            return Err(GradingError::raced(&run.id, RunState::Preassessment));
        }
        let open_until = self.open_until(now);
        let detail = json!({ "open_until": open_until.map(|day| day.to_string()) });
        self.record(&mut tx, actor, Action::RunPreassessed, &run, detail).await?;
        tx.commit().await.map_err(during())?;
        Ok(Preassessed { run: run.id, subjects: run.subject_count, open_until })
    }

    /// Gives up a run that was never published, and deletes its results. Its row, model and catalogue stay, so that the
    /// run can still be found and is seen to be discarded.
    pub async fn discard(&self, actor: &Actor, run_id: &str) -> Result<(), GradingError> {
        let run = self.find(run_id).await?;
        let now = self.env.now();
        let during = || GradingError::during("discarding the run");
        let mut tx = self.env.db.begin("discard").await.map_err(during())?;
        let history = rounds::history_in(&mut tx, &run.id).await.map_err(during())?;
        must_become(&run.id, &history.map(|history| history.state).unwrap_or_default(), RunState::Discarded)?;
        if !rounds::discard(&mut tx, &run.id, now).await.map_err(during())? {
            return Err(GradingError::raced(&run.id, RunState::Discarded));
        }
        self.record(&mut tx, actor, Action::RunDiscarded, &run, json!({})).await?;
        // First the state, then the results: the other order could leave a trial without results.
        tx.commit().await.map_err(during())?;
        // A crash here leaves results of a discarded run, which the next run deletes.
        self.delete_results(&run.id).await
    }

    /// The state of a run, and when it came to it.
    pub async fn history(&self, run_id: &str) -> Result<RunHistory, GradingError> {
        let row = rounds::history(&self.env.db.read("history"), run_id)
            .await
            .map_err(GradingError::during("reading the run"))?;
        let RunHistoryRow { state, preassessed_at, superseded_by, ended_at } =
            row.ok_or_else(|| GradingError::NoSuchRun(run_id.to_owned()))?;
        let preassessed_at = preassessed_at.map(Timestamp::from_micros);
        Ok(RunHistory {
            state: parse_state(&state)?,
            preassessed_at,
            open_until: preassessed_at.and_then(|at| self.open_until(at)),
            superseded_by,
            ended_at: ended_at.map(Timestamp::from_micros),
        })
    }

    /// The last day of objections to a run that was opened to them at a time.
    fn open_until(&self, opened_at: Timestamp) -> Option<Day> {
        (self.objection_days > 0).then(|| opened_at.day().plus_days(i64::from(self.objection_days)))
    }

    /// Refuses to publish a run that was not open to objections for the configured days.
    pub(super) fn must_have_heard_objections(
        &self,
        run: &RunRow,
        history: &RunHistoryRow,
        now: Timestamp,
    ) -> Result<(), GradingError> {
        if self.objection_days == 0 {
            return Ok(());
        }
        let opened = history.preassessed_at.map(Timestamp::from_micros);
        match opened.and_then(|at| self.open_until(at)) {
            None => Err(GradingError::NotPreassessed { run: run.id.clone(), days: self.objection_days }),
            Some(until) if now.day() <= until => Err(GradingError::StillOpen { run: run.id.clone(), until }),
            Some(_) => Ok(()),
        }
    }
}
