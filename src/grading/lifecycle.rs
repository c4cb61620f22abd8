//! The steps of a run apart from publication: it is opened to objections, or discarded.

use serde_json::json;

use super::{
    GradingError, Rounds, RunState,
    period::period_of,
    transition::{may_follow, must_become, parse_state},
};
use crate::{
    domain::{Actor, Day, Malformed, Timestamp},
    ledger::Action,
    store::{
        DbError,
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
        let open_until = self.open_until(now)?;
        if !rounds::preassess(&mut tx, &run.id, now, open_until).await.map_err(during())? {
            return Err(GradingError::raced(&run.id, RunState::Preassessment));
        }
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
        let row = row.ok_or_else(|| GradingError::NoSuchRun(run_id.to_owned()))?;
        let open_until = self.promised_until(&row)?;
        let RunHistoryRow { state, preassessed_at, superseded_by, ended_at, .. } = row;
        Ok(RunHistory {
            state: parse_state(&state)?,
            preassessed_at: preassessed_at.map(Timestamp::from_micros),
            open_until,
            superseded_by,
            ended_at: ended_at.map(Timestamp::from_micros),
        })
    }

    /// The last day of objections to a run that is opened to them at a time.
    fn open_until(&self, opened_at: Timestamp) -> Result<Option<Day>, GradingError> {
        let Some((working_days, calendar)) = &self.objections else { return Ok(None) };
        Ok(Some(calendar.deadline(opened_at.day(), *working_days)?.day))
    }

    /// The last day of objections that was promised when a run was opened to them. It does not move if the calendar or the
    /// configured number of days changes.
    fn promised_until(&self, history: &RunHistoryRow) -> Result<Option<Day>, GradingError> {
        match (&history.objections_until_on, history.preassessed_at) {
            (Some(day), _) => day.parse().map(Some).map_err(|error: Malformed| GradingError::Store {
                step: "reading the run",
                source: DbError::corrupt("rounds::history", error.0),
            }),
            // Opened without a number of days, or before the last day was stored.
            (None, Some(at)) => self.open_until(Timestamp::from_micros(at)),
            (None, None) => Ok(None),
        }
    }

    /// Refuses to publish a run that was not open to objections for the configured days.
    pub(super) fn must_have_heard_objections(
        &self,
        run: &RunRow,
        history: &RunHistoryRow,
        now: Timestamp,
    ) -> Result<(), GradingError> {
        let Some((days, _)) = &self.objections else { return Ok(()) };
        match self.promised_until(history)? {
            None => Err(GradingError::NotPreassessed { run: run.id.clone(), days: *days }),
            Some(until) if now.day() <= until => Err(GradingError::StillOpen { run: run.id.clone(), until }),
            Some(_) => Ok(()),
        }
    }
}
