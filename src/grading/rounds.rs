//! The entry point of every use-case on runs and rounds.

use std::sync::Arc;

use serde_json::{Value, json};

use super::GradingError;
use crate::{
    domain::{Actor, WorkCalendar},
    ledger::{self, Action, Change},
    store::{
        Env, Tx,
        runs::{self, RunRow},
    },
};

/// The use-cases on runs and rounds of a store.
#[derive(Debug, Clone)]
pub struct Rounds {
    pub(super) env: Env,
    /// The number of working days for objections, by a calendar; none where a run needs no time for them.
    pub(super) objections: Option<(u16, Arc<WorkCalendar>)>,
}

impl Rounds {
    /// Rounds of a store, without a period for objections.
    pub const fn new(env: Env) -> Self {
        Self { env, objections: None }
    }

    /// The same, but a run must be open to objections for this many working days before it can be published; none with 0.
    #[must_use]
    pub fn with_objections(mut self, working_days: u16, calendar: WorkCalendar) -> Self {
        self.objections = (working_days > 0).then(|| (working_days, Arc::new(calendar)));
        self
    }

    /// Every run, latest first.
    pub async fn list(&self) -> Result<Vec<RunRow>, GradingError> {
        runs::list(&self.env.db.read("list_runs")).await.map_err(GradingError::during("listing the runs"))
    }

    /// A page of runs before an id, latest first; of one kind and state, or of all.
    pub async fn page(&self, before: &str, kind: &str, state: &str, limit: i64) -> Result<Vec<RunRow>, GradingError> {
        let rows = runs::page(&self.env.db.read("runs::page"), before, kind, state, limit).await;
        rows.map_err(GradingError::during("listing the runs"))
    }

    /// A run by its id.
    pub(super) async fn find(&self, run_id: &str) -> Result<RunRow, GradingError> {
        let found = runs::find(&self.env.db.read("find_run"), run_id).await;
        found
            .map_err(GradingError::during("looking for the run"))?
            .ok_or_else(|| GradingError::NoSuchRun(run_id.into()))
    }

    /// Appends the ledger entry of an act on a run, in the transaction of the change: both are durable, or neither.
    /// `more` is an object of what only this act has.
    pub(super) async fn record(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: Action,
        run: &RunRow,
        more: Value,
    ) -> Result<(), GradingError> {
        let mut detail = json!({
            "kind": run.kind,
            "scheme": run.scheme,
            "period": run.period,
            "model": run.model_id,
            "model_digest": run.model_digest,
            "outcome_digest": run.outcome_digest,
            "subjects": run.subject_count,
        });
        if let (Value::Object(members), Value::Object(more)) = (&mut detail, more) {
            members.extend(more);
        }
        let recorded = ledger::audit(tx, &self.env, actor, action, Some(&run.id), Change::of(detail)).await;
        recorded.map(drop).map_err(GradingError::recording("recording the act in the ledger"))
    }
}
