//! Corrections that are due: published results which facts no longer give, because of a decision that came after them.
//!
//! Candidates are the subjects of the rounds in force about which such a decision was imported after the round, or the subject's
//! last correction, had read the facts. Each is recomputed, so that only results are listed that a correction would change. A
//! correction itself remains an act of a person.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{AssessmentSummary, GradingError, Rounds, RunState, correct::differs, period::period_of};
use crate::{
    domain::{Day, Malformed, Timestamp, words::words},
    store::{
        DbError,
        due::{self, DecisionRow},
        rounds::{self, AssessmentRow},
        runs::{self, RunRow},
        voids,
    },
};

words! {
    /// What a decision does to a fact.
    DecisionKind: "kind of decision" {
        /// It was taken back.
        Voided = "voided",
        /// It counts again, because taking it back was an error.
        Restored = "restored",
        /// An adverse fact was withdrawn.
        Withdrawn = "withdrawn",
        /// The credit after an adverse fact was repaired.
        Repaired = "repaired",
        /// The publication of an adverse fact is over.
        Ended = "ended",
        /// An adverse fact that had no effect any more has one again.
        Effective = "effective",
    }
}

/// A decision about a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    pub what: DecisionKind,
    /// The reference of the fact.
    pub reference: String,
    /// The reference of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The day of the decision; that of its import, where the import has none.
    pub on: Day,
    /// The number of its import.
    pub import_seq: i64,
}

/// A published result that is to be corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DueCorrection {
    pub run: String,
    pub subject_code: String,
    pub kind: String,
    pub period: String,
    /// The version in force.
    pub version: i64,
    /// The published result.
    pub before: AssessmentSummary,
    /// The result that the present facts give.
    pub after: AssessmentSummary,
    /// The decisions since the result was computed, in the order of their imports.
    pub decisions: Vec<Decision>,
    /// The last day, counted from the first of the decisions.
    pub due_on: Day,
    pub is_overdue: bool,
}

/// Which decisions are looked at.
#[derive(Debug, Clone, Copy)]
pub enum DueScope<'a> {
    All,
    /// Those about a subject.
    Subject(&'a str),
    /// Those of the import with a number.
    Import(i64),
}

impl DueScope<'_> {
    fn includes(self, row: &DecisionRow) -> bool {
        match self {
            Self::All => true,
            Self::Subject(code) => row.subject_code == code,
            Self::Import(seq) => row.import_seq == seq,
        }
    }
}

/// The state of what corrections depend on. While it is the same, the same corrections are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorrectionState {
    imports_to: i64,
    publication: i64,
}

/// The assessments of a round about whose subjects something was decided since, with the decisions, by subject.
type Candidates = BTreeMap<String, (AssessmentRow, Vec<Decision>)>;

impl Rounds {
    /// The state of what corrections depend on.
    pub async fn correction_state(&self) -> Result<CorrectionState, GradingError> {
        let during = || GradingError::during("looking for new decisions");
        let read = self.env.db.read("due");
        Ok(CorrectionState {
            imports_to: voids::last_import(&read).await.map_err(during())?,
            publication: runs::publication(&read).await.map_err(during())?,
        })
    }

    /// The corrections that are due, by round and subject. A correction is due so many days after its first decision.
    /// `progress` is called with the number of candidates recomputed so far, and of all.
    pub async fn due(
        &self,
        days: u16,
        of: DueScope<'_>,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Vec<DueCorrection>, GradingError> {
        let mut rounds = Vec::new();
        for run in self.list().await?.into_iter().filter(|run| run.state == RunState::Published.as_str()) {
            let candidates = self.candidates(&run, of).await?;
            rounds.push((run, candidates));
        }
        let all = rounds.iter().map(|(_, candidates)| candidates.len()).sum();
        let (mut done, mut found) = (0, Vec::new());
        // Most rounds have none, and reading their inputs is most of the work for one candidate.
        for (run, candidates) in rounds.into_iter().filter(|(_, candidates)| !candidates.is_empty()) {
            let inputs = self.run_inputs(&run).await?;
            for (code, (published, decisions)) in candidates {
                let recomputed = match self.recompute_one(&run, &inputs, &code).await {
                    Ok(recomputed) => Some(recomputed.new),
                    // It is no subject any more: nothing could be corrected.
                    Err(GradingError::NotCovered(_)) => None,
                    Err(error) => return Err(error),
                };
                done += 1;
                progress(done, all);
                if let Some(new) = recomputed.filter(|new| differs(&published, new)) {
                    found.push(self.due_correction(&run, &published, AssessmentSummary::from(&new), decisions, days));
                }
            }
        }
        Ok(found)
    }

    fn due_correction(
        &self,
        run: &RunRow,
        published: &AssessmentRow,
        after: AssessmentSummary,
        decisions: Vec<Decision>,
        days: u16,
    ) -> DueCorrection {
        let today = self.env.clock.now().day();
        let first = decisions.iter().map(|decision| decision.on).min().unwrap_or(today);
        let due_on = first.plus_days(i64::from(days));
        DueCorrection {
            run: run.id.clone(),
            subject_code: published.subject_code.clone(),
            kind: run.kind.clone(),
            period: run.period.clone(),
            version: published.version,
            before: AssessmentSummary::from(published),
            after,
            decisions,
            due_on,
            is_overdue: today > due_on,
        }
    }

    /// The subjects of a round about which something was decided since their results were computed, with the assessments in
    /// force.
    async fn candidates(&self, run: &RunRow, of: DueScope<'_>) -> Result<Candidates, GradingError> {
        let during = || GradingError::during("looking for decisions after the round");
        let read = self.env.db.read("due");
        let end = period_of(run)?.last_month().last_day().to_string();
        let mut rows = due::voids(&read, run.imports_to).await.map_err(during())?;
        rows.extend(due::adverse(&read, run.imports_to, &end).await.map_err(during())?);
        if rows.is_empty() {
            return Ok(Candidates::new());
        }
        let corrected = due::corrected(&read, &run.id).await.map_err(during())?;
        let corrected: BTreeMap<_, _> = corrected.into_iter().map(|row| (row.subject_code, row.imports_to)).collect();
        // A decision that the last correction has read already is no reason for another.
        rows.retain(|row| corrected.get(&row.subject_code).is_none_or(|imports_to| row.import_seq > *imports_to));
        let mut codes: Vec<String> =
            rows.iter().filter(|row| of.includes(row)).map(|row| row.subject_code.clone()).collect();
        codes.sort();
        codes.dedup();
        let published = rounds::published_of(&read, &run.id, &codes).await.map_err(during())?;
        let mut candidates: Candidates =
            published.into_iter().map(|row| (row.subject_code.clone(), (row, Vec::new()))).collect();
        rows.sort_by_key(|row| row.import_seq);
        for row in rows {
            if let Some((_, decisions)) = candidates.get_mut(&row.subject_code) {
                decisions.push(decision(row).map_err(during())?);
            }
        }
        Ok(candidates)
    }
}

fn decision(row: DecisionRow) -> Result<Decision, DbError> {
    let corrupt = |error: Malformed| DbError::corrupt("due", error.0);
    let on = match row.decided_on {
        Some(day) => day.parse().map_err(corrupt)?,
        None => Timestamp::from_micros(row.accepted_at.unwrap_or_default()).day(),
    };
    Ok(Decision {
        what: row.what.parse().map_err(corrupt)?,
        reference: row.reference,
        decision: row.decision,
        on,
        import_seq: row.import_seq,
    })
}
