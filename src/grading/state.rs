//! The states of a run.

use crate::domain::words::words;

words! {
    /// The state of a run. Only published results leave the gateway.
    RunState: "state of a run" {
        /// Made, and visible to the bureau only.
        Trial = "trial",
        /// Open to objections of its subjects before it counts (预评定); no bank sees it.
        Preassessment = "preassessment",
        /// In force: a round.
        Published = "published",
        /// A former round, replaced by a later one.
        Superseded = "superseded",
        /// Given up before publication; its results are deleted.
        Discarded = "discarded",
    }
}

impl RunState {
    /// Whether a run may go from this state to another. No transition goes back, and none skips a rule.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Trial, Self::Preassessment | Self::Published | Self::Discarded)
                | (Self::Preassessment, Self::Published | Self::Discarded)
                | (Self::Published, Self::Superseded)
        )
    }

    /// Whether the run is or was a round, so that its results have left the gateway.
    pub const fn was_published(self) -> bool {
        matches!(self, Self::Published | Self::Superseded)
    }
}

#[cfg(test)]
mod tests {
    use super::RunState::{Discarded, Preassessment, Published, Superseded, Trial};
    use super::*;

    #[test]
    fn runs_only_move_forward() {
        let all = || RunState::ALL.iter().copied();
        let transitions: Vec<_> =
            all().flat_map(|from| all().map(move |to| (from, to))).filter(|(from, to)| from.may_become(*to)).collect();
        assert_eq!(
            transitions,
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
}
