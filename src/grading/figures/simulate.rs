//! Simulated application (试运行): the consequences that publishing a run would have.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    movement::{Movement, MovementTable},
    outcomes::{Column, Outcomes, RunHead},
};
use crate::grading::{GradingError, Rounds, percent::percent, status::GRADED};

/// The number of subjects with a grade in the round before and in this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BeforeAndNow {
    /// The grade, or not rated.
    #[serde(flatten)]
    pub column: Column,
    /// The number in the round before.
    pub before: u64,
    /// The same as a percentage of all subjects.
    pub before_percent: String,
    /// The number in this run.
    pub now: u64,
    /// The same as a percentage of all subjects.
    pub now_percent: String,
}

/// A supervisory measure (分类监管措施), and the number of subjects that it would apply to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeasureCount {
    /// The grade that leads to the measure.
    pub grade: String,
    /// The number of rounds in a row with this grade.
    pub after_consecutive: u8,
    /// The measure in words.
    pub text_zh: String,
    /// The number of subjects.
    pub subjects: u64,
}

/// The consequences that publishing a run would have.
#[derive(Debug, Clone, Serialize)]
pub struct Simulation {
    pub run: RunHead,
    /// The round it is compared with; none where nothing was published before.
    pub before: Option<RunHead>,
    /// The distribution before and now.
    pub distribution: Vec<BeforeAndNow>,
    /// The movement since the round before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub movement: Option<MovementTable>,
    /// The measures that would apply.
    pub measures: Vec<MeasureCount>,
}

impl Rounds {
    /// Computes the consequences of publishing a run, without publishing anything.
    pub async fn simulate(&self, run_id: &str) -> Result<Simulation, GradingError> {
        let now = self.outcomes(run_id).await?;
        let before = self.outcomes_before(&now.row).await?;
        let measures = self.measures(&now, before.as_ref()).await?;
        let counts = now.counts(now.subjects.values());
        // By code, because the grades of a scheme may differ between versions of a model.
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
            movement: before.as_ref().map(|before| Movement::between(before, &now).internal_table()),
            measures,
        })
    }

    /// The measures that the grades of a run lead to, with the number of subjects.
    pub(super) async fn measures(
        &self,
        now: &Outcomes,
        before: Option<&Outcomes>,
    ) -> Result<Vec<MeasureCount>, GradingError> {
        let all = self.measures_with_subjects(now, before).await?;
        Ok(all.into_iter().map(|(measure, _)| measure).collect())
    }

    /// The same, with the codes of the subjects.
    pub(in crate::grading) async fn measures_with_subjects(
        &self,
        now: &Outcomes,
        before: Option<&Outcomes>,
    ) -> Result<Vec<(MeasureCount, Vec<String>)>, GradingError> {
        let consequences = &now.model.consequence;
        let rounds = consequences.iter().map(|one| usize::from(one.after_consecutive)).max().unwrap_or(0);
        // The rounds before `before`, latest first, as far back as a measure looks.
        let mut earlier: Vec<Outcomes> = Vec::new();
        while earlier.len() + 2 < rounds
            // Each round is read whole, so no farther back than some measure looks.
            && let Some(last) = earlier.last().or(before)
            && let Some(next) = self.outcomes_before(&last.row).await?
        {
            earlier.push(next);
        }
        let succession: Vec<&Outcomes> = std::iter::once(now).chain(before).chain(&earlier).collect();
        let earned = |of: &Outcomes, subject: &str, grade: &str| {
            of.subjects.get(subject).is_some_and(|row| row.status == GRADED && row.grade.as_deref() == Some(grade))
        };
        let counts = consequences.iter().map(|one| {
            let times = usize::from(one.after_consecutive);
            // With fewer rounds than the measure asks for there is no such succession, and it applies to nobody.
            let in_a_row = succession.get(..times).unwrap_or_default();
            let all_of_them = |subject: &&String| {
                !in_a_row.is_empty() && in_a_row.iter().all(|round| earned(round, subject, &one.grade))
            };
            let subjects: Vec<String> = now.subjects.keys().filter(all_of_them).cloned().collect();
            let measure = MeasureCount {
                grade: one.grade.clone(),
                after_consecutive: one.after_consecutive,
                text_zh: one.text_zh.clone(),
                subjects: u64::try_from(subjects.len()).unwrap_or(u64::MAX),
            };
            (measure, subjects)
        });
        Ok(counts.collect())
    }
}
