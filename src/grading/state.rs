//! The states of a run, and what befalls one before it is published.

use super::{GradingError, Rounds, publish::may_follow, publish::period_of};
use crate::{
    domain::{Day, Malformed, Timestamp, words::words},
    store::{
        DbError,
        rounds::{self, LifeRow},
        runs::{self, RunRow},
    },
};

words! {
    /// Where a run stands. Only what was published is ever told outside.
    RunState: "state of a run" {
        /// Made, and seen by nobody outside.
        Trial = "trial",
        /// Open to objections of its subjects before it counts (预评定); no bank sees it.
        Preassessment = "preassessment",
        /// In force: a round.
        Published = "published",
        /// A round whose place a later one has taken.
        Superseded = "superseded",
        /// Given up before it was published; its results are gone.
        Discarded = "discarded",
    }
}

impl RunState {
    /// Whether a run in this state may be put into another. There is no way back, and none around.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Trial, Self::Preassessment | Self::Published | Self::Discarded)
                | (Self::Preassessment, Self::Published | Self::Discarded)
                | (Self::Published, Self::Superseded)
        )
    }

    /// Whether it is or was a round, so that others were told of it.
    pub const fn was_published(self) -> bool {
        matches!(self, Self::Published | Self::Superseded)
    }

    /// The state a row says.
    pub(super) fn of(word: &str) -> Result<Self, GradingError> {
        word.parse().map_err(|error: Malformed| GradingError::Store {
            step: "reading the run",
            source: DbError::corrupt("runs::find", error),
        })
    }
}

/// A run that its subjects may object to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preassessed {
    /// The run.
    pub run: String,
    /// How many subjects it covers.
    pub subjects: i64,
    /// The last day of objections, where days were set for them.
    pub open_until: Option<Day>,
}

/// When things befell a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHistory {
    /// Where it stands.
    pub state: RunState,
    /// Since when subjects may object to it.
    pub preassessed_at: Option<Timestamp>,
    /// The last day of objections, where days were set for them.
    pub open_until: Option<Day>,
    /// The run that took its place.
    pub superseded_by: Option<String>,
    /// When it was superseded or discarded.
    pub ended_at: Option<Timestamp>,
}

impl Rounds {
    /// Opens a trial to objections: its subjects may look at their results, and nothing counts yet.
    pub async fn preassess(&self, run_id: &str) -> Result<Preassessed, GradingError> {
        let run = self.find(run_id).await?;
        must_become(&run.id, &run.state, RunState::Preassessment)?;
        self.still_as_found(&run).await?;
        let now = self.env.clock.now();
        let during = || GradingError::during("opening the run to objections");
        let mut tx = self.env.db.begin("preassess").await.map_err(during())?;
        let life = rounds::life_in(&mut tx, &run.id).await.map_err(during())?;
        must_become(&run.id, &life.map(|life| life.state).unwrap_or_default(), RunState::Preassessment)?;
        let former = runs::published(&mut tx, &run.kind, &run.scheme).await.map_err(during())?;
        may_follow(period_of(&run)?, former.as_ref(), now)?;
        if let Some(open) = rounds::open_preassessment(&mut tx, &run.kind, &run.scheme).await.map_err(during())? {
            return Err(GradingError::AnotherOpen { open });
        }
        if !rounds::preassess(&mut tx, &run.id, now).await.map_err(during())? {
            return Err(GradingError::raced(&run.id, RunState::Preassessment));
        }
        tx.commit().await.map_err(during())?;
        Ok(Preassessed { run: run.id, subjects: run.subject_count, open_until: self.open_until(now) })
    }

    /// Gives up a run that was never published, and removes its results. What it was made from stays, and who looks for
    /// it finds that it was discarded.
    pub async fn discard(&self, run_id: &str) -> Result<(), GradingError> {
        let run = self.find(run_id).await?;
        let now = self.env.clock.now();
        let during = || GradingError::during("discarding the run");
        let mut tx = self.env.db.begin("discard").await.map_err(during())?;
        let life = rounds::life_in(&mut tx, &run.id).await.map_err(during())?;
        must_become(&run.id, &life.map(|life| life.state).unwrap_or_default(), RunState::Discarded)?;
        if !rounds::discard(&mut tx, &run.id, now).await.map_err(during())? {
            return Err(GradingError::raced(&run.id, RunState::Discarded));
        }
        tx.commit().await.map_err(during())?;
        // After a crash here the results are remains, which the next run removes.
        self.remove_results(&run.id).await
    }

    /// What befell a run.
    pub async fn life(&self, run_id: &str) -> Result<RunHistory, GradingError> {
        let row =
            rounds::life(&self.env.db.read("life"), run_id).await.map_err(GradingError::during("reading the run"))?;
        let LifeRow { state, preassessed_at, superseded_by, ended_at } =
            row.ok_or_else(|| GradingError::NoSuchRun(run_id.to_owned()))?;
        let preassessed_at = preassessed_at.map(Timestamp::from_micros);
        Ok(RunHistory {
            state: RunState::of(&state)?,
            preassessed_at,
            open_until: preassessed_at.and_then(|at| self.open_until(at)),
            superseded_by,
            ended_at: ended_at.map(Timestamp::from_micros),
        })
    }

    /// The last day of objections to what was opened to them at a time.
    fn open_until(&self, opened_at: Timestamp) -> Option<Day> {
        (self.objection_days > 0).then(|| opened_at.day().plus_days(i64::from(self.objection_days)))
    }

    /// Refuses to publish what its subjects could not object to for as long as was set.
    pub(super) fn objections_heard(&self, run: &RunRow, life: &LifeRow, now: Timestamp) -> Result<(), GradingError> {
        if self.objection_days == 0 {
            return Ok(());
        }
        let opened = life.preassessed_at.map(Timestamp::from_micros);
        match opened.and_then(|at| self.open_until(at)) {
            None => Err(GradingError::NotPreassessed { run: run.id.clone(), days: self.objection_days }),
            Some(until) if now.day() <= until => Err(GradingError::StillOpen { run: run.id.clone(), until }),
            Some(_) => Ok(()),
        }
    }
}

/// Refuses what a run in its present state cannot become.
pub(super) fn must_become(run: &str, state: &str, next: RunState) -> Result<(), GradingError> {
    let state = RunState::of(state)?;
    if state.may_become(next) { Ok(()) } else { Err(GradingError::WrongState { run: run.to_owned(), state, next }) }
}

#[cfg(test)]
mod tests {
    use super::RunState::{Discarded, Preassessment, Published, Superseded, Trial};
    use super::*;

    #[test]
    fn there_is_no_way_back_and_none_around() {
        let ways: Vec<_> = RunState::ALL
            .iter()
            .copied()
            .flat_map(|from| RunState::ALL.iter().copied().map(move |to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        assert_eq!(
            ways,
            [
                (Trial, Preassessment),
                (Trial, Published),
                (Trial, Discarded),
                (Preassessment, Published),
                (Preassessment, Discarded),
                (Published, Superseded),
            ]
        );
    }

    #[test]
    fn words_name_states() {
        for state in RunState::ALL.iter().copied() {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("secret".parse::<RunState>().is_err());
    }
}
