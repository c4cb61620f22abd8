//! Simulated application (试运行): what would follow if a run were published.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    movement::{Movement, MovementTold},
    outcomes::{Column, Outcomes, RunHead},
    percent,
};
use crate::grading::{GradingError, Rounds, status::GRADED};

/// How many subjects come to a grade before and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BeforeAndNow {
    /// The grade, or that they are not rated.
    #[serde(flatten)]
    pub column: Column,
    /// In the round before.
    pub before: u64,
    /// As a percentage of all it covers.
    pub before_percent: String,
    /// In this run.
    pub now: u64,
    /// As a percentage of all it covers.
    pub now_percent: String,
}

/// A measure (分类监管措施), and for how many subjects it would follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Followed {
    /// The grade that it follows.
    pub grade: String,
    /// How many times in succession the grade must have been earned.
    pub after_consecutive: u8,
    /// What is done.
    pub text_zh: String,
    /// For how many subjects.
    pub subjects: u64,
}

/// What would follow if a run were published.
#[derive(Debug, Clone, Serialize)]
pub struct Simulation {
    /// The run.
    pub run: RunHead,
    /// The round it is seen against; none where nothing was published before.
    pub before: Option<RunHead>,
    /// The distribution before and now.
    pub distribution: Vec<BeforeAndNow>,
    /// Who moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub movement: Option<MovementTold>,
    /// What would be done about whom.
    pub measures: Vec<Followed>,
}

impl Rounds {
    /// What would follow if a run were published. Nothing of it is seen outside.
    pub async fn simulate(&self, run_id: &str) -> Result<Simulation, GradingError> {
        let now = self.outcomes(run_id).await?;
        let before = self.outcomes_before(&now.row).await?;
        let measures = self.measures(&now, before.as_ref()).await?;
        let counts = now.counts(now.subjects.values());
        // By code, because a scheme's grades may have changed between the versions of a model.
        let former: BTreeMap<String, u64> = match &before {
            Some(before) => {
                let columns = before.columns().into_iter().map(|column| column.code);
                columns.zip(before.counts(before.subjects.values())).collect()
            }
            None => BTreeMap::new(),
        };
        let (all, all_before) = (counts.iter().sum(), former.values().sum());
        let distribution = now.columns().into_iter().zip(counts).map(|(column, now)| {
            let before = former.get(&column.code).copied().unwrap_or(0);
            BeforeAndNow {
                column,
                before,
                before_percent: percent(before, all_before),
                now,
                now_percent: percent(now, all),
            }
        });
        Ok(Simulation {
            run: now.head(),
            before: before.as_ref().map(Outcomes::head),
            distribution: distribution.collect(),
            movement: before.as_ref().map(|before| Movement::between(before, &now).everything()),
            measures,
        })
    }

    /// The measures that a run's grades lead to, and for how many subjects.
    pub(super) async fn measures(
        &self,
        now: &Outcomes,
        before: Option<&Outcomes>,
    ) -> Result<Vec<Followed>, GradingError> {
        let consequences = &now.model.consequence;
        let rounds = consequences.iter().map(|one| usize::from(one.after_consecutive)).max().unwrap_or(0);
        // The rounds before the one before, latest first, as far back as a measure looks.
        let mut earlier: Vec<Outcomes> = Vec::new();
        while earlier.len() + 2 < rounds
            && let Some(last) = earlier.last().or(before)
            && let Some(next) = self.outcomes_before(&last.row).await?
        {
            earlier.push(next);
        }
        let succession: Vec<&Outcomes> = std::iter::once(now).chain(before).chain(&earlier).collect();
        let earned = |of: &Outcomes, subject: &str, grade: &str| {
            of.subjects.get(subject).is_some_and(|row| row.status == GRADED && row.grade.as_deref() == Some(grade))
        };
        let followed = consequences.iter().map(|one| {
            let times = usize::from(one.after_consecutive);
            let in_a_row = succession.get(..times).unwrap_or_default();
            let all_of_them = |subject: &&String| {
                !in_a_row.is_empty() && in_a_row.iter().all(|round| earned(round, subject, &one.grade))
            };
            Followed {
                grade: one.grade.clone(),
                after_consecutive: one.after_consecutive,
                text_zh: one.text_zh.clone(),
                subjects: u64::try_from(now.subjects.keys().filter(all_of_them).count()).unwrap_or(u64::MAX),
            }
        });
        Ok(followed.collect())
    }
}
