//! Objections of subjects to their results: while one is open, the subject is marked, and its grade is withheld from banks
//! and platforms.
//!
//! Opening and deciding each change the mark, raise the version that appends compare, and write one ledger entry, in one
//! transaction. Repeating either changes nothing. What a decision means for the grade is done before it, by correcting the
//! facts and `score correct`.

use serde::Serialize;
use serde_json::json;

use super::{GradingError, Rounds};
use crate::{
    domain::{
        Actor, Day, Malformed, Timestamp, WorkCalendar,
        ids::ObjectionId,
        printable::{LONGEST_REASON, check_text},
        words::words,
    },
    ledger::{self, Action, Change},
    outbox::{Event, EventBatch},
    store::{
        DbError, Tx,
        objections::{self, ObjectionRow},
        runs,
    },
};

/// How many times an act is attempted when another transaction is in the way.
const ATTEMPTS: u32 = 3;

words! {
    /// The outcome of an objection.
    ObjectionOutcome: "outcome of an objection" {
        /// It was right: the facts were corrected.
        Upheld = "upheld",
        /// It was wrong: the result stays.
        Rejected = "rejected",
        /// The subject took it back.
        Withdrawn = "withdrawn",
    }
}

/// A request to open an objection.
#[derive(Debug, Clone, Copy)]
pub struct NewObjection<'a> {
    pub subject: &'a str,
    /// The run whose result it is about.
    pub run: Option<&'a str>,
    /// Why: for the bureau only.
    pub reason: &'a str,
    /// The number of working days in which it is to be decided.
    pub decide_within: u16,
    pub actor: &'a Actor,
}

/// A request to decide an objection.
#[derive(Debug, Clone, Copy)]
pub struct ObjectionDecision<'a> {
    /// The id of the objection.
    pub objection: &'a str,
    pub outcome: ObjectionOutcome,
    /// Why: for the bureau only.
    pub reason: &'a str,
    pub actor: &'a Actor,
}

/// An objection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Objection {
    pub id: String,
    pub subject_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    pub reason: String,
    pub opened_at: Timestamp,
    pub opened_by: String,
    /// The last day to decide it.
    pub due_on: Day,
    /// None while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ObjectionOutcome>,
    /// The reason of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
}

impl Objection {
    /// Whether it is open after its last day.
    pub fn is_overdue(&self, today: Day) -> bool {
        self.outcome.is_none() && today > self.due_on
    }
}

/// The outcome of an act on an objection: what is stored, and whether the act changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectionDone {
    #[serde(flatten)]
    pub objection: Objection,
    /// False where the same act was done before.
    pub changed: bool,
}

/// An objection to a subject's result was opened or decided: platforms leave its grade out, mark it, or get it again.
#[derive(Debug, Serialize)]
struct ObjectionChanged<'a> {
    code: &'a str,
    open: bool,
}

impl Event for ObjectionChanged<'_> {
    const NAME: &'static str = "objection.changed";

    fn ordering_key(&self) -> String {
        self.code.to_owned()
    }
}

fn parsed(row: ObjectionRow) -> Result<Objection, DbError> {
    let corrupt = |error: Malformed| DbError::corrupt("objections", error.0);
    Ok(Objection {
        due_on: row.due_on.parse().map_err(corrupt)?,
        outcome: row.outcome.as_deref().map(str::parse).transpose().map_err(corrupt)?,
        id: row.id,
        subject_code: row.subject_code,
        run: row.run_id,
        reason: row.reason,
        opened_at: Timestamp::from_micros(row.opened_at),
        opened_by: row.opened_by,
        decision: row.decision,
        decided_at: row.decided_at.map(Timestamp::from_micros),
        decided_by: row.decided_by,
    })
}

fn check_reason(reason: &str) -> Result<(), GradingError> {
    check_text(reason, LONGEST_REASON).map_err(|_| GradingError::ObjectionReason { longest: LONGEST_REASON })
}

impl Rounds {
    /// Opens an objection and marks its subject. Repeated with the same reason it changes nothing.
    pub async fn open_objection(
        &self,
        of: NewObjection<'_>,
        calendar: &WorkCalendar,
    ) -> Result<ObjectionDone, GradingError> {
        check_reason(of.reason)?;
        let due_on = calendar.deadline(self.env.now().day(), of.decide_within)?.day;
        if let Some(run) = of.run {
            let run = self.find(run).await?;
            let covered = runs::result(&self.env.db.read("objection"), &run.id, of.subject).await;
            let covered = covered.map_err(GradingError::during("looking for the result"))?;
            covered.ok_or_else(|| GradingError::NotCovered(of.subject.to_owned()))?;
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_open(of, due_on).await {
                // Appends of answers take the banks' locks too: the engine may end one of the two. Nothing was changed.
                Err(error) if error.is_contention() && attempt < ATTEMPTS => {}
                done => return done,
            }
        }
    }

    async fn try_open(&self, of: NewObjection<'_>, due_on: Day) -> Result<ObjectionDone, GradingError> {
        let during = || GradingError::during("opening the objection");
        let mut tx = self.env.db.begin("open_objection").await.map_err(during())?;
        self.lock_answers(&mut tx).await?;
        // The update also locks the row of the subject: two objections of one subject come one after the other.
        if !objections::mark(&mut tx, of.subject, true).await.map_err(during())? {
            return Err(GradingError::NoSuchSubject(of.subject.to_owned()));
        }
        if let Some(open) = objections::open_of(&mut tx, of.subject).await.map_err(during())? {
            let same = open.reason == of.reason && open.run_id.as_deref() == of.run;
            let objection = parsed(open).map_err(during())?;
            // The transaction is dropped and rolls back: the subject is marked already.
            return if same {
                Ok(ObjectionDone { objection, changed: false })
            } else {
                Err(GradingError::ObjectionOpen { subject: of.subject.to_owned(), id: objection.id })
            };
        }
        let row = ObjectionRow {
            id: ObjectionId::new(&*self.env.clock, &*self.env.entropy).to_string(),
            subject_code: of.subject.to_owned(),
            run_id: of.run.map(str::to_owned),
            reason: of.reason.to_owned(),
            opened_at: self.env.now().micros(),
            opened_by: of.actor.name(),
            due_on: due_on.to_string(),
            outcome: None,
            decision: None,
            decided_at: None,
            decided_by: None,
        };
        objections::insert(&mut tx, &row).await.map_err(during())?;
        self.write_event(&mut tx, of.subject, true).await?;
        let detail = json!({ "objection": row.id, "run": row.run_id, "due_on": row.due_on });
        let change = Change::of(detail).because(Some(of.reason));
        self.record_objection(&mut tx, of.actor, Action::ObjectionOpened, of.subject, change).await?;
        tx.commit().await.map_err(during())?;
        Ok(ObjectionDone { objection: parsed(row).map_err(during())?, changed: true })
    }

    /// Decides an objection and releases its subject. Repeated with the same outcome and reason it changes nothing.
    pub async fn decide_objection(&self, of: ObjectionDecision<'_>) -> Result<ObjectionDone, GradingError> {
        check_reason(of.reason)?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_decide(of).await {
                Err(error) if error.is_contention() && attempt < ATTEMPTS => {}
                done => return done,
            }
        }
    }

    async fn try_decide(&self, of: ObjectionDecision<'_>) -> Result<ObjectionDone, GradingError> {
        let during = || GradingError::during("deciding the objection");
        let mut tx = self.env.db.begin("decide_objection").await.map_err(during())?;
        self.lock_answers(&mut tx).await?;
        let row = objections::find(&mut tx, of.objection).await.map_err(during())?;
        let mut row = row.ok_or_else(|| GradingError::NoSuchObjection(of.objection.to_owned()))?;
        if row.outcome.is_some() {
            let same =
                row.outcome.as_deref() == Some(of.outcome.as_str()) && row.decision.as_deref() == Some(of.reason);
            let objection = parsed(row).map_err(during())?;
            return if same {
                Ok(ObjectionDone { objection, changed: false })
            } else {
                Err(GradingError::ObjectionDecided { id: objection.id })
            };
        }
        let (now, by) = (self.env.now(), of.actor.name());
        // The update decides: of two operators at the same time one changes no row.
        let outcome = (of.outcome.as_str(), of.reason);
        if !objections::decide(&mut tx, of.objection, outcome, now, &by).await.map_err(during())? {
            return Err(GradingError::ObjectionDecided { id: row.id });
        }
        objections::mark(&mut tx, &row.subject_code, false).await.map_err(during())?;
        self.write_event(&mut tx, &row.subject_code, false).await?;
        let detail = json!({ "objection": row.id, "run": row.run_id, "outcome": of.outcome.as_str() });
        let change = Change::of(detail).because(Some(of.reason));
        self.record_objection(&mut tx, of.actor, Action::ObjectionDecided, &row.subject_code, change).await?;
        tx.commit().await.map_err(during())?;
        row.outcome = Some(of.outcome.as_str().to_owned());
        row.decision = Some(of.reason.to_owned());
        (row.decided_at, row.decided_by) = (Some(now.micros()), Some(by));
        Ok(ObjectionDone { objection: parsed(row).map_err(during())?, changed: true })
    }

    /// The open objections, or all of them: those due first come first.
    pub async fn objections(&self, all: bool) -> Result<Vec<Objection>, GradingError> {
        let during = || GradingError::during("listing the objections");
        let rows = objections::list(&self.env.db.read("objections"), all).await.map_err(during())?;
        rows.into_iter().map(parsed).collect::<Result<_, _>>().map_err(during())
    }

    /// Writes the event by which platforms that have the subject's grade are sent.
    async fn write_event(&self, tx: &mut Tx, code: &str, open: bool) -> Result<(), GradingError> {
        let during = || GradingError::during("writing the event of the objection");
        let mut batch = EventBatch::new();
        let event = ObjectionChanged { code, open };
        // A code and a flag always serialize.
        batch.add(&self.env, &event).map_err(|error| during()(DbError::corrupt("objections", error.to_string())))?;
        batch.write(tx, self.env.now()).await.map_err(during())
    }

    /// Waits for the answers that are being recorded: those recorded later have the new mark (I2).
    async fn lock_answers(&self, tx: &mut Tx) -> Result<(), GradingError> {
        let during = || GradingError::during("waiting for answers that are being recorded");
        let banks = runs::client_ids(tx).await.map_err(during())?;
        tx.lock_banks_exclusive(&banks).await.map_err(during())
    }

    async fn record_objection(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: Action,
        subject: &str,
        change: Change,
    ) -> Result<(), GradingError> {
        let recorded = ledger::audit(tx, &self.env, actor, action, Some(subject), change).await;
        recorded.map(drop).map_err(GradingError::recording("recording the objection in the ledger"))
    }
}
