//! Correction of what was published: a new version of one assessment, with the one event that recalls the former.
//!
//! A grade is never set by hand (I5). Whoever objected and was right has the facts corrected, by an import that delivers
//! them again, or the subject's file; then the result is reckoned again from what is known now, by the model and the
//! catalogue of the round. One transaction adds the version, says how it came about, raises what banks' appends compare,
//! and writes the event. After a crash it is all there or nothing of it, and a correction of what is already corrected
//! changes nothing.

use std::sync::Arc;

use serde::Serialize;

use super::{
    GradingError, Rounds, RunState,
    documents::{read_model, read_model_file},
    eligibility::Standing,
    inputs::Scope,
    period::period_of,
    rating::Rating,
    results::assessment,
    transition::parse_state,
};
use crate::{
    domain::{Actor, Timestamp, money::MilliPoints},
    ledger::{self, Action, Change},
    outbox::{Event, EventBatch},
    store::{
        DbError, Tx,
        assessments::{self, NewAssessment},
        rounds::{self, AssessmentRow, CorrectionRow},
        runs::{self, ResultRow, RunRow},
        subjects,
    },
};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// How often a correction is tried again when another transaction was in the way.
const ATTEMPTS: u32 = 3;

/// What is to be corrected, and who says so.
#[derive(Debug, Clone, Copy)]
pub struct Correction<'a> {
    /// The subject's code.
    pub subject: &'a str,
    /// The round; without it the one in force.
    pub run: Option<&'a str>,
    /// Why: for the bureau's own eyes, and never told outside.
    pub reason: &'a str,
    /// Who does it.
    pub actor: &'a Actor,
}

/// What an assessment says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Says {
    /// graded or not_rated.
    pub status: String,
    /// Why it was not rated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The grade's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    /// The total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<MilliPoints>,
}

/// What became of a correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Corrected {
    /// The round.
    pub run: String,
    /// The subject.
    pub subject_code: String,
    /// The version that counts now.
    pub version: i64,
    /// What was said before.
    pub before: Says,
    /// What is said now.
    pub now: Says,
    /// Whether anything was changed: where the facts come to what was published, nothing is, and nobody is told.
    pub changed: bool,
}

/// A correction that was made.
#[derive(Debug, Clone, Serialize)]
pub struct CorrectionMade {
    /// The subject.
    pub subject_code: String,
    /// The version it made.
    pub version: i64,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub operator: String,
    /// When.
    pub at: Timestamp,
}

/// A published result has a new version. Banks that read the former, and platforms that were sent it, are told from this
/// one event; it says what to ask for again, and not why.
#[derive(Debug, Serialize)]
struct GradeCorrected<'a> {
    code: &'a str,
    kind: &'a str,
    scheme: &'a str,
    run: &'a str,
    period: &'a str,
    version: i64,
}

impl Event for GradeCorrected<'_> {
    const NAME: &'static str = "grade.corrected";

    fn ordering_key(&self) -> String {
        self.code.to_owned()
    }
}

impl From<&AssessmentRow> for Says {
    fn from(row: &AssessmentRow) -> Self {
        Self {
            status: row.status.clone(),
            reason: row.reason.clone(),
            grade: row.grade.clone(),
            points: row.points.map(MilliPoints),
        }
    }
}

impl From<&NewAssessment> for Says {
    fn from(new: &NewAssessment) -> Self {
        Self {
            status: new.status.clone(),
            reason: new.reason.clone(),
            grade: new.grade.clone(),
            points: new.points.map(MilliPoints),
        }
    }
}

/// What was reckoned again, and up to which import.
struct Again {
    result: ResultRow,
    new: NewAssessment,
    imports_to: i64,
}

impl Rounds {
    /// Corrects a published result: reckons it again from what is known now.
    pub async fn correct(&self, of: Correction<'_>) -> Result<Corrected, GradingError> {
        if of.reason.trim().is_empty() || of.reason.chars().count() > LONGEST_REASON || has_control(of.reason) {
            return Err(GradingError::Reason { longest: LONGEST_REASON });
        }
        let run = self.round_of(&of).await?;
        let again = self.reckon_again(&run, of.subject).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.put_right(&run, of, &again).await {
                Err(error) if error.is_contention() && attempt < ATTEMPTS => {}
                done => return done,
            }
        }
    }

    /// Every correction of a round, in the order they were made.
    pub async fn corrections(&self, run_id: &str) -> Result<Vec<CorrectionMade>, GradingError> {
        let rows = rounds::corrections(&self.env.db.read("corrections"), run_id).await;
        let rows = rows.map_err(GradingError::during("listing the corrections"))?;
        Ok(rows
            .into_iter()
            .map(|row| CorrectionMade {
                subject_code: row.subject_code,
                version: row.version,
                reason: row.reason,
                operator: row.operator,
                at: Timestamp::from_micros(row.made_at),
            })
            .collect())
    }

    /// The round that is corrected: the one named, or the one in force of the subject's kind.
    async fn round_of(&self, of: &Correction<'_>) -> Result<RunRow, GradingError> {
        let during = || GradingError::during("looking for the round");
        let run = if let Some(run) = of.run {
            self.find(run).await?
        } else {
            let subject = subjects::find(&self.env.db.read("correct"), of.subject).await.map_err(during())?;
            let subject = subject.ok_or_else(|| GradingError::NotCovered(of.subject.to_owned()))?;
            let all = runs::list(&self.env.db.read("correct")).await.map_err(during())?;
            let in_force = |run: &RunRow| run.state == RunState::Published.as_str() && run.kind == subject.kind;
            let mut in_force: Vec<RunRow> = all.into_iter().filter(in_force).collect();
            match (in_force.pop(), in_force.is_empty()) {
                (Some(run), true) => run,
                (Some(run), false) => return Err(GradingError::SeveralRounds { kind: run.kind }),
                (None, _) => return Err(GradingError::NotCovered(of.subject.to_owned())),
            }
        };
        let state = parse_state(&run.state)?;
        if state.was_published() { Ok(run) } else { Err(GradingError::NeverPublished { run: run.id, state }) }
    }

    /// Reckons one result from the facts and the file of now, as a run would.
    async fn reckon_again(&self, run: &RunRow, subject: &str) -> Result<Again, GradingError> {
        let (model, catalogue) = read_model(&self.env.db, run).await?;
        let scope = Scope::of_period(&self.env.db, period_of(run)?, &model, catalogue).await?;
        let imports_to = scope.imports.last().copied().unwrap_or(0);
        let standing = self.subjects(&run.kind).await?.into_iter().find(|standing| standing.code == subject);
        let standing = standing.ok_or_else(|| GradingError::NotCovered(subject.to_owned()))?;
        // How it stands towards others is as the run found it: theirs is not reckoned again.
        let found = runs::result(&self.env.db.read("correct"), &run.id, subject).await;
        let during = || GradingError::during("reading the result");
        let found = found.map_err(during())?;
        let standing = match found {
            Some(found) => standing.beside(&Standing::from_json(subject, &found.standing).map_err(during())?),
            None => standing,
        };
        let rating = Rating::alone(self.env.db.clone(), Arc::new(model), scope, standing);
        let result = rating.only().await?;
        let file = read_model_file(&self.env.db, &run.model_digest, &run.id).await?;
        let new = assessment(run, &file, result.clone())?;
        Ok(Again { result, new, imports_to })
    }

    async fn put_right(&self, run: &RunRow, of: Correction<'_>, again: &Again) -> Result<Corrected, GradingError> {
        let during = || GradingError::during("correcting the result");
        let now = self.env.clock.now();
        let mut tx = self.env.db.begin("correct").await.map_err(during())?;
        // Answers under way are done or will see the new version: a grade that falls ends access (I2).
        let banks = runs::banks(&mut tx).await.map_err(during())?;
        tx.lock_banks_exclusive(&banks).await.map_err(during())?;
        // This row is also what two corrections of one subject wait for.
        rounds::raise_subject(&mut tx, of.subject).await.map_err(during())?;
        let newest = rounds::newest(&mut tx, of.subject, &run.id).await.map_err(during())?;
        let newest = newest.ok_or_else(|| GradingError::NotCovered(of.subject.to_owned()))?;
        let (before, now_says) = (Says::from(&newest), Says::from(&again.new));
        let mut done = Corrected {
            run: run.id.clone(),
            subject_code: of.subject.to_owned(),
            version: newest.version,
            changed: before != now_says || !same_levels(&newest, &again.new),
            before,
            now: now_says,
        };
        if !done.changed {
            return Ok(done);
        }
        done.version += 1;
        let new = std::slice::from_ref(&again.new);
        assessments::insert(&mut tx, &run.id, done.version, new, now).await.map_err(during())?;
        let row = correction_row(&done, of, again, now);
        rounds::insert_correction(&mut tx, &row).await.map_err(during())?;
        self.tell(&mut tx, run, &done, now).await?;
        self.enter(&mut tx, &done, of).await?;
        runs::raise_publication(&mut tx).await.map_err(during())?;
        tx.commit().await.map_err(during())?;
        Ok(done)
    }

    /// The one event of a correction.
    async fn tell(&self, tx: &mut Tx, run: &RunRow, done: &Corrected, now: Timestamp) -> Result<(), GradingError> {
        let event = GradeCorrected {
            code: &done.subject_code,
            kind: &run.kind,
            scheme: &run.scheme,
            run: &run.id,
            period: &run.period,
            version: done.version,
        };
        let mut batch = EventBatch::new();
        batch.add(&self.env, &event).map_err(|error| GradingError::Store {
            step: "telling of the correction",
            source: DbError::corrupt("grade.corrected", error.to_string()),
        })?;
        batch.write(tx, now).await.map_err(GradingError::during("telling of the correction"))
    }

    /// The entry of the ledger: who changed what was published is not to be changed unseen either.
    async fn enter(&self, tx: &mut Tx, done: &Corrected, of: Correction<'_>) -> Result<(), GradingError> {
        let change = Change::of(
            serde_json::json!({ "run": done.run, "version": done.version, "before": done.before, "now": done.now }),
        );
        let change = change.because(Some(of.reason));
        let target = Some(done.subject_code.as_str());
        let entered = ledger::audit(tx, &self.env, of.actor, Action::GradeCorrected, target, change).await;
        entered.map(drop).map_err(GradingError::recording("recording the correction in the ledger"))
    }
}

fn correction_row(done: &Corrected, of: Correction<'_>, again: &Again, now: Timestamp) -> CorrectionRow {
    CorrectionRow {
        run_id: done.run.clone(),
        subject_code: done.subject_code.clone(),
        version: done.version,
        reason: of.reason.to_owned(),
        operator: of.actor.to_string(),
        imports_to: again.imports_to,
        findings: again.result.findings.clone(),
        standing: again.result.standing.clone(),
        made_at: now.micros(),
    }
}

/// Whether the first-level totals are the same; of before they were kept nothing is known, and nothing told.
fn same_levels(kept: &AssessmentRow, new: &NewAssessment) -> bool {
    let levels = new.level_points.as_ref().map(|levels| serde_json::json!(levels).to_string());
    kept.level_points.is_none() || kept.level_points == levels
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}
