//! Correction of a published assessment: a new version, with one event for the receivers of the former one.
//!
//! A grade is never set by hand (I5). First the facts are corrected, by an import that delivers them again, or the
//! subject's file. Then the result is recomputed from the present facts, by the model and the catalogue of the round. One
//! transaction adds the version, its reason, the event and the ledger entry, and raises the versions that appends of
//! answers compare. After a crash there is all of it or nothing, and repeating a correction changes nothing.
//!
//! Where the subject is a branch of a chain and its grade changes, the head is recomputed and corrected in the same
//! transaction, and the head above that.

use serde::Serialize;

use super::{GradingError, Rounds, RunState, recompute::Recomputed, transition::parse_state};
use crate::{
    domain::{
        Actor, Timestamp,
        money::MilliPoints,
        printable::{LONGEST_REASON, check_text},
    },
    ledger::{self, Action, Change},
    outbox::{Event, EventBatch},
    store::{
        DbError, Tx,
        assessments::{self, NewAssessment},
        rounds::{self, AssessmentRow, CorrectionRow},
        runs::{self, RunRow},
        subjects,
    },
};

/// How many times a correction is attempted when another transaction is in the way.
const ATTEMPTS: u32 = 3;

/// A request to correct an assessment.
#[derive(Debug, Clone, Copy)]
pub struct Correction<'a> {
    pub subject: &'a str,
    /// The round; the one in force where absent.
    pub run: Option<&'a str>,
    /// Why: for the bureau only, never sent outside.
    pub reason: &'a str,
    /// Who corrects it.
    pub actor: &'a Actor,
}

/// The content of an assessment: status, grade and total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssessmentSummary {
    /// `graded` or `not_rated`.
    pub status: String,
    /// Why it was not rated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<MilliPoints>,
}

/// The outcome of a correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Corrected {
    pub run: String,
    pub subject_code: String,
    /// The version in force.
    pub version: i64,
    /// The assessment before the correction.
    pub before: AssessmentSummary,
    /// The assessment in force.
    pub now: AssessmentSummary,
    /// Whether anything changed. Nothing does, and nobody is notified, where the facts give what was published.
    pub changed: bool,
    /// The heads of its chain whose grades followed, from the nearest up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<Corrected>,
}

/// A correction of a round.
#[derive(Debug, Clone, Serialize)]
pub struct CorrectionMade {
    pub subject_code: String,
    /// The version that it added.
    pub version: i64,
    pub reason: String,
    /// Who corrected it.
    pub operator: String,
    pub at: Timestamp,
}

/// A published assessment has a new version. Banks that read the former one, and platforms that received it, are notified
/// by this event. It names what to fetch again, and not why.
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

impl From<&AssessmentRow> for AssessmentSummary {
    fn from(row: &AssessmentRow) -> Self {
        Self {
            status: row.status.clone(),
            reason: row.reason.clone(),
            grade: row.grade.clone(),
            points: row.points.map(MilliPoints),
        }
    }
}

impl From<&NewAssessment> for AssessmentSummary {
    fn from(new: &NewAssessment) -> Self {
        Self {
            status: new.status.clone(),
            reason: new.reason.clone(),
            grade: new.grade.clone(),
            points: new.points.map(MilliPoints),
        }
    }
}

impl Rounds {
    /// Corrects a published assessment: recomputes it from the present facts.
    pub async fn correct(&self, of: Correction<'_>) -> Result<Corrected, GradingError> {
        if check_text(of.reason, LONGEST_REASON).is_err() {
            return Err(GradingError::Reason { longest: LONGEST_REASON });
        }
        let run = self.round_of(&of).await?;
        // Outside the transaction, because it reads many facts and the banks' locks would be held for as long.
        let mut recomputed = self.recompute_chain(&run, of.subject).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.apply_correction(&run, of, &recomputed).await {
                // Appends of answers take the banks' locks too: the engine may end one of the two. Nothing was changed.
                Err(error) if error.is_contention() && attempt < ATTEMPTS => {}
                // Another branch was corrected meanwhile, so the heads are counted again.
                Ok(None) if attempt < ATTEMPTS => recomputed = self.recompute_chain(&run, of.subject).await?,
                Ok(None) => return Err(GradingError::ChainMoved(of.subject.to_owned())),
                Ok(Some(done)) => return Ok(done),
                Err(error) => return Err(error),
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

    /// The round to correct: the requested one, or the one in force of the subject's kind.
    async fn round_of(&self, of: &Correction<'_>) -> Result<RunRow, GradingError> {
        let during = || GradingError::during("looking for the round");
        let run = if let Some(run) = of.run {
            self.find(run).await?
        } else {
            let subject = subjects::find(&self.env.db.read("correct"), of.subject).await.map_err(during())?;
            let subject = subject.ok_or_else(|| GradingError::NotCovered(of.subject.to_owned()))?;
            let all = runs::list(&self.env.db.read("correct")).await.map_err(during())?;
            let in_force = |run: &RunRow| run.state == RunState::Published.as_str() && run.kind == subject.kind;
            // At most one for each scheme of the kind.
            let mut in_force: Vec<RunRow> = all.into_iter().filter(in_force).collect();
            match (in_force.pop(), in_force.is_empty()) {
                (Some(run), true) => run,
                // Of several schemes none is chosen here: a correction of the wrong round would be published.
                (Some(run), false) => return Err(GradingError::SeveralRounds { kind: run.kind }),
                (None, _) => return Err(GradingError::NotCovered(of.subject.to_owned())),
            }
        };
        let state = parse_state(&run.state)?;
        if state.was_published() { Ok(run) } else { Err(GradingError::NeverPublished { run: run.id, state }) }
    }

    /// Applies a correction; `None` where another correction has changed the chain since it was recomputed.
    async fn apply_correction(
        &self,
        run: &RunRow,
        of: Correction<'_>,
        all: &[Recomputed],
    ) -> Result<Option<Corrected>, GradingError> {
        let during = || GradingError::during("correcting the result");
        let mut tx = self.env.db.begin("correct").await.map_err(during())?;
        // Appends that hold these locks commit first, and later ones see the new version: a grade that falls ends access (I2).
        let banks = runs::client_ids(&mut tx).await.map_err(during())?;
        tx.lock_banks_exclusive(&banks).await.map_err(during())?;
        let mut done: Option<Corrected> = None;
        // The subject itself, then the heads above it, each of which follows from the one before.
        for recomputed in all {
            // The update also locks the row of the subject, so that two corrections of one subject run one after the other.
            let code = recomputed.new.subject_code.as_str();
            rounds::raise_subject(&mut tx, code).await.map_err(during())?;
            if done.is_some() && !self.still_has(&mut tx, run, recomputed).await? {
                return Ok(None);
            }
            let made = self.correct_one(&mut tx, run, of, recomputed, done.is_some()).await?;
            match &mut done {
                // The transaction is dropped and rolls back, so the raised version of the subject is not stored.
                None if !made.changed => return Ok(Some(made)),
                None => done = Some(made),
                Some(first) if made.changed => first.heads.push(made),
                Some(_) => {}
            }
        }
        // Last, because appends compare this row: it is locked only until the commit below.
        runs::raise_publication(&mut tx).await.map_err(during())?;
        tx.commit().await.map_err(during())?;
        Ok(done)
    }

    /// Adds the next version of one assessment, with its event and its ledger entry, unless nothing changed.
    async fn correct_one(
        &self,
        tx: &mut Tx,
        run: &RunRow,
        of: Correction<'_>,
        recomputed: &Recomputed,
        is_head: bool,
    ) -> Result<Corrected, GradingError> {
        let during = || GradingError::during("correcting the result");
        let now = self.env.clock.now();
        let code = recomputed.new.subject_code.as_str();
        let newest = rounds::newest(tx, code, &run.id).await.map_err(during())?;
        let newest = newest.ok_or_else(|| GradingError::NotCovered(code.to_owned()))?;
        let (before, after) = (AssessmentSummary::from(&newest), AssessmentSummary::from(&recomputed.new));
        let mut done = Corrected {
            run: run.id.clone(),
            subject_code: code.to_owned(),
            version: newest.version,
            changed: differs(&newest, &recomputed.new),
            before,
            now: after,
            heads: Vec::new(),
        };
        if !done.changed {
            return Ok(done);
        }
        done.version += 1;
        let new = std::slice::from_ref(&recomputed.new);
        assessments::insert(tx, &run.id, done.version, new, now).await.map_err(during())?;
        let row = correction_row(&done, of, recomputed, now);
        rounds::insert_correction(tx, &row).await.map_err(during())?;
        // In the same transaction (I6): a correction that is committed is always announced.
        self.enqueue_event(tx, run, &done, now).await?;
        self.record_correction(tx, &done, of, is_head).await?;
        Ok(done)
    }

    /// Puts the event of a correction into the outbox.
    async fn enqueue_event(
        &self,
        tx: &mut Tx,
        run: &RunRow,
        done: &Corrected,
        now: Timestamp,
    ) -> Result<(), GradingError> {
        let event = GradeCorrected {
            code: &done.subject_code,
            kind: &run.kind,
            scheme: &run.scheme,
            run: &run.id,
            period: &run.period,
            version: done.version,
        };
        // One event, in the form that batches of events are written in.
        let mut batch = EventBatch::new();
        batch.add(&self.env, &event).map_err(|error| GradingError::Store {
            step: "writing the event of the correction",
            source: DbError::corrupt("grade.corrected", error.to_string()),
        })?;
        batch.write(tx, now).await.map_err(GradingError::during("writing the event of the correction"))
    }

    /// Appends the ledger entry of a correction.
    async fn record_correction(
        &self,
        tx: &mut Tx,
        done: &Corrected,
        of: Correction<'_>,
        is_head: bool,
    ) -> Result<(), GradingError> {
        let mut detail =
            serde_json::json!({ "run": done.run, "version": done.version, "before": done.before, "now": done.now });
        if let (true, Some(members)) = (is_head, detail.as_object_mut()) {
            members.insert("branch".to_owned(), of.subject.into());
        }
        let change = Change::of(detail);
        let change = change.because(Some(of.reason));
        let target = Some(done.subject_code.as_str());
        let recorded = ledger::audit(tx, &self.env, of.actor, Action::GradeCorrected, target, change).await;
        recorded.map(drop).map_err(GradingError::recording("recording the correction in the ledger"))
    }
}

fn correction_row(done: &Corrected, of: Correction<'_>, recomputed: &Recomputed, now: Timestamp) -> CorrectionRow {
    CorrectionRow {
        run_id: done.run.clone(),
        subject_code: done.subject_code.clone(),
        version: done.version,
        reason: of.reason.to_owned(),
        operator: of.actor.name(),
        imports_to: recomputed.imports_to,
        counting: recomputed.counting,
        findings: recomputed.result.findings.clone(),
        standing: recomputed.result.standing.clone(),
        made_at: now.micros(),
    }
}

/// Whether a recomputed assessment differs from a published one.
pub(super) fn differs(published: &AssessmentRow, new: &NewAssessment) -> bool {
    AssessmentSummary::from(published) != AssessmentSummary::from(new) || !same_levels(published, new)
}

/// Whether the first-level totals are the same. Assessments published before totals were stored have none to compare.
fn same_levels(stored: &AssessmentRow, new: &NewAssessment) -> bool {
    let levels = new.level_points.as_ref().map(|levels| serde_json::json!(levels).to_string());
    stored.level_points.is_none() || stored.level_points == levels
}
