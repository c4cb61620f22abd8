//! One batch of answers, one transaction. The comments say what a crash at each step leaves.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use super::{
    answers::AnswerJournal,
    charge::{Verdict, charge, verdicts_of},
    disclosed::{Disclosed, Draft, RecordError},
    faults::{Faults, Step},
    history::{History, HistoryState},
    leaf_cache::LeafCache,
    recording_problem::RecordingProblem,
    waiting::{BatchVersions, Waiting, rows_of, versions_of},
};
use crate::{
    domain::{ClockTrust, clock::SharedClock, error_chain},
    store::{Db, DbError, Engine, Tx, ledger::append as table},
};

/// How often a batch is tried that conflicts with another transaction.
const ATTEMPTS: u32 = 5;

/// The reason of a refusal when the time is up.
pub(super) const IN_TIME: &str = "the database did not answer in time";

/// Why a batch decided nothing.
enum BatchError {
    /// Nothing was written, and another attempt may succeed.
    Contention(DbError),
    /// Nothing was written: one of the entries violates a constraint of the tables.
    Constraint(DbError),
    /// The outcome is unknown, or nothing can be written.
    Failed(DbError),
    /// Nothing was written: the database lacks what this process knows of the ledger.
    Behind,
}

impl BatchError {
    fn before_commit(error: DbError) -> Self {
        if error.is_contention() {
            Self::Contention(error)
        } else if error.is_constraint() {
            Self::Constraint(error)
        } else {
            Self::Failed(error)
        }
    }
}

/// A batch written and not committed yet.
struct Written {
    tx: Tx,
    verdicts: Vec<Verdict>,
    /// Whether there is something to commit.
    is_changed: bool,
}

/// Commits batches.
#[derive(Debug)]
pub(super) struct Batcher {
    pub(super) db: Db,
    pub(super) clock: SharedClock,
    pub(super) limit: Duration,
    pub(super) problem: RecordingProblem,
    pub(super) leaf_cache: LeafCache,
    pub(super) history: History,
    pub(super) answers: Option<AnswerJournal>,
    pub(super) clock_trust: ClockTrust,
    pub(super) faults: Faults,
}

impl Batcher {
    /// Decides every answer of a batch and replies to each caller.
    pub(super) async fn commit(&self, batch: Vec<Waiting>) {
        // Callers who left before their batch began get no record either: behind a database that hung, a queue of them would
        // be recorded, and charged to consents, for nobody.
        let batch = batch.into_iter().filter(|waiting| !waiting.reply.is_closed());
        // A repeated id would violate the primary key, and every answer of the batch would have to be tried alone.
        let mut seen = HashSet::new();
        let (batch, duplicates): (Vec<_>, Vec<_>) =
            batch.partition(|waiting| seen.insert(waiting.draft.entry.id().to_owned()));
        for waiting in duplicates {
            refuse(waiting, "another answer of this batch has the same id");
        }
        if batch.is_empty() {
            return;
        }
        // Once more here: the state may have changed while the answers waited, or the clock was set. Held until each answer is
        // decided.
        let _in_progress = match self.history.begin().await {
            Ok(guard) => guard,
            Err(history) => return refuse_behind(batch, &history),
        };
        if let Err(reason) = self.clock_trust.check(&*self.clock) {
            return refuse_untimely(batch, &reason);
        }
        match self.attempt(&batch).await {
            Ok(verdicts) => self.reply(batch, &verdicts).await,
            // One entry is at fault and the others are not: each is tried alone.
            Err(BatchError::Constraint(_)) if batch.len() > 1 => {
                for waiting in batch {
                    match self.attempt(std::slice::from_ref(&waiting)).await {
                        Ok(verdicts) => self.reply(vec![waiting], &verdicts).await,
                        Err(error) => self.refuse_all(vec![waiting], &error),
                    }
                }
            }
            Err(error) => self.refuse_all(batch, &error),
        }
    }

    // Logged once a batch and not once an answer: a failing database would otherwise flood the log under load.
    fn refuse_all(&self, batch: Vec<Waiting>, error: &BatchError) {
        let (BatchError::Contention(error) | BatchError::Constraint(error) | BatchError::Failed(error)) = error else {
            self.history.overtaken();
            return refuse_behind(batch, &self.history.state());
        };
        let why = error_chain(error);
        tracing::error!(count = batch.len(), error = %why, "disclosures could not be recorded: they are not released");
        if !error.is_constraint() {
            self.problem.set(&why);
        }
        for waiting in batch {
            refuse(waiting, &why);
        }
    }

    async fn attempt(&self, batch: &[Waiting]) -> Result<Vec<Verdict>, BatchError> {
        let attempts = async {
            let mut attempt = 1;
            loop {
                // Only contention is retried, because then it is certain that nothing was written.
                match self.transaction(batch).await {
                    // Bounded: under lasting contention the callers get an error that they may retry, and the batches
                    // behind get their turn.
                    Err(BatchError::Contention(_)) if attempt < ATTEMPTS => {
                        metrics::counter!("medcredit_ledger_retries_total").increment(1);
                        attempt += 1;
                    }
                    outcome => return outcome,
                }
            }
        };
        // After a timeout in the middle the outcome is unknown: the answers are not released. One limit for all attempts: a
        // bank must not wait five times as long where each of them takes its time.
        let timed_out = |_| Err(BatchError::Failed(DbError::Setup(IN_TIME.into())));
        let outcome = tokio::time::timeout(self.limit, attempts).await.unwrap_or_else(timed_out);
        // Only a record shows that recording works: answers that were refused wrote nothing.
        if outcome.as_ref().is_ok_and(|verdicts| verdicts.iter().any(|verdict| verdict.is_recorded())) {
            self.problem.clear();
        }
        outcome
    }

    /// Commits in one round trip, unless a budget is to be charged or SQLite cannot do this batch in one.
    async fn transaction(&self, batch: &[Waiting]) -> Result<Vec<Verdict>, BatchError> {
        let began = self.clock.monotonic();
        let is_charged = batch.iter().any(|waiting| waiting.draft.budget.is_limited());
        // A limit is compared with a count that is read, changed and written back under row locks, which takes several
        // statements: not one round trip.
        let decided = if is_charged { None } else { self.commit_single_roundtrip(batch).await? };
        let verdicts = match decided {
            Some(verdicts) => verdicts,
            // Nothing was decided and nothing written: the same batch is processed statement by statement.
            None => self.commit_stepwise(batch).await?,
        };
        let recorded = verdicts.iter().filter(|verdict| verdict.is_recorded()).count();
        // As u32, which converts to the histogram's f64 without loss.
        metrics::histogram!("medcredit_ledger_batch_entries").record(u32::try_from(recorded).unwrap_or(u32::MAX));
        metrics::histogram!("medcredit_ledger_commit_seconds")
            .record(self.clock.monotonic().saturating_sub(began).as_secs_f64());
        Ok(verdicts)
    }

    /// Locks, comparison, entries and commit in one round trip. A crash during it leaves everything or nothing, as between
    /// the steps of [`Batcher::commit_stepwise`]. SQLite records all answers or, where one is stale or there are many, none:
    /// `None` then, because nothing is decided.
    async fn commit_single_roundtrip(&self, batch: &[Waiting]) -> Result<Option<Vec<Verdict>>, BatchError> {
        // All at the beginning: nothing can interrupt a single round trip from here, so these steps are one point in
        // time.
        for step in [Step::Begin, Step::Lock, Step::ReadVersions, Step::Budget, Step::Insert, Step::Commit] {
            self.faults.at(step).await.map_err(BatchError::before_commit)?;
        }
        let BatchVersions { columns, bank_positions } = versions_of(batch);
        let rows = table::BatchRows {
            known: self.history.known(),
            versions: columns,
            bank_positions: bank_positions.clone(),
            rows: rows_of(batch.iter()),
        };
        let now = self.clock.now();
        let stale = match self.db.engine() {
            Engine::Postgres => table::record(&self.db, rows, now).await.map(Some),
            Engine::Sqlite => {
                table::record_unless_stale(&self.db, rows, now).await.map(|recorded| recorded.then(Vec::new))
            }
        };
        let Some(stale) = stale.map_err(BatchError::before_commit)? else { return Ok(None) };
        if stale.contains(&table::HISTORY_BEHIND) {
            return Err(BatchError::Behind);
        }
        // Not retried: the entries are committed, so only the release of their answers is lost.
        self.faults.at(Step::Committed).await.map_err(BatchError::Failed)?;
        Ok(Some(verdicts_of(&bank_positions, &stale)))
    }

    async fn commit_stepwise(&self, batch: &[Waiting]) -> Result<Vec<Verdict>, BatchError> {
        let written = self.write(batch).await.map_err(BatchError::before_commit)?;
        let Some(Written { tx, verdicts, is_changed }) = written else { return Err(BatchError::Behind) };
        if !is_changed {
            // Nothing was inserted: dropping the transaction rolls it back, and the refusals remain correct.
            return Ok(verdicts);
        }
        // A crash before the commit is acknowledged: no caller has a reply, so no data left. Whether or not the entries are
        // there, they are not answers; a bank that asks again gets another disclosure.
        self.faults.at(Step::Commit).await.map_err(BatchError::before_commit)?;
        // A conflict is reported before anything is durable. Any other error of a commit leaves its outcome unknown.
        tx.commit().await.map_err(|error| {
            if error.is_contention() { BatchError::Contention(error) } else { BatchError::Failed(error) }
        })?;
        // A crash here leaves entries whose answers were never released: recorded too much, never too little.
        self.faults.at(Step::Committed).await.map_err(BatchError::Failed)?;
        Ok(verdicts)
    }

    /// Everything up to the commit; `None` when the database lacks what this process knows of the ledger.
    async fn write(&self, batch: &[Waiting]) -> Result<Option<Written>, DbError> {
        self.faults.at(Step::Begin).await?;
        self.faults.at(Step::Lock).await?;
        // Sorted and without duplicates: batches that take their locks in one order cannot deadlock.
        let banks: BTreeSet<_> = batch.iter().map(|waiting| waiting.bank.clone()).collect();
        let mut tx = self.db.begin_with_banks("ledger.record", &banks).await?;
        self.faults.at(Step::ReadVersions).await?;
        // With the locks held, no change that narrows these banks' access can commit before this transaction does: the
        // versions compared here are the versions at the commit.
        let BatchVersions { columns, bank_positions } = versions_of(batch);
        if table::is_behind(&mut tx, self.history.known()).await? {
            return Ok(None);
        }
        let stale = table::stale_versions(&mut tx, columns, self.clock.now()).await?;
        let mut verdicts = verdicts_of(&bank_positions, &stale);
        self.faults.at(Step::Budget).await?;
        // After the comparison: a stale answer must not use up its consent's budget.
        let is_day_corrected = charge(&mut tx, batch.iter().map(|waiting| &*waiting.draft), &mut verdicts).await?;
        let recorded = batch.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_recorded());
        let rows = rows_of(recorded.map(|(waiting, _)| waiting));
        let is_recorded = !rows.entries.id.is_empty();
        if is_recorded {
            self.faults.at(Step::Insert).await?;
            table::insert(&mut tx, rows, self.clock.now()).await?;
        }
        Ok(Some(Written { tx, verdicts, is_changed: is_recorded || is_day_corrected }))
    }

    /// Writes the names of recorded answers to the journal.
    async fn name(&self, batch: &[Waiting], verdicts: &[Verdict]) -> Result<(), String> {
        let Some(journal) = &self.answers else { return Ok(()) };
        let recorded = batch.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_recorded());
        let answers: Vec<_> = recorded.map(|(waiting, _)| waiting.given()).collect();
        if answers.is_empty() {
            return Ok(());
        }
        journal.append(&answers).await.map_err(|error| {
            let why = format!("the journal of answers could not be written: {}", error_chain(&error));
            tracing::error!(error = %why, "disclosures are recorded and not released");
            self.problem.set(&why);
            why
        })
    }

    /// Called only after the commit was acknowledged, or for verdicts that release nothing.
    async fn reply(&self, batch: Vec<Waiting>, verdicts: &[Verdict]) {
        // First: the clock is looked at when nothing more is waited for.
        let unnamed = self.name(&batch, verdicts).await.err();
        let now = self.clock.now();
        // After the time is read: a clock that was set back before that is found here.
        let untrusted = self.clock_trust.check(&*self.clock).err();
        // Before any answer leaves: from here on the database must have this entry, or nothing more is recorded.
        if let Some((waiting, _)) = batch.iter().zip(verdicts).rfind(|(_, verdict)| verdict.is_recorded()) {
            self.history.committed(waiting.draft.entry.id());
        }
        for (waiting, verdict) in batch.into_iter().zip(verdicts) {
            let Waiting { draft, reply, .. } = waiting;
            let Draft { versions, entry, answer, .. } = *draft;
            if verdict.is_recorded() {
                // Also for an answer that is not released below: its entry is committed, so it will be sealed.
                self.leaf_cache.put(entry.id(), entry.leaf());
            }
            let (outcome, refusal) = match verdict {
                // Whether the consent has expired meanwhile is unknown: recorded, and not released.
                Verdict::Recorded(_) if untrusted.is_some() => {
                    (Err(RecordError::ClockUntrusted(untrusted.clone().unwrap_or_default())), Some("clock"))
                }
                // It would be an answer that nobody could name if its record were lost: recorded, and not released.
                Verdict::Recorded(_) if unnamed.is_some() => {
                    (Err(RecordError::Unavailable(unnamed.clone().unwrap_or_default())), Some("failed"))
                }
                // The consent expired while the commit waited: recorded, and not released.
                Verdict::Recorded(_) if versions.expires_at <= now => (Err(RecordError::Stale), Some("stale")),
                Verdict::Recorded(used) => (Ok(Disclosed::after_commit(entry.into_id(), answer, *used)), None),
                Verdict::Stale => (Err(RecordError::Stale), Some("stale")),
                Verdict::TotalUsedUp(used) => (Err(RecordError::TotalUsedUp(*used)), Some("total")),
                Verdict::DayUsedUp(used) => (Err(RecordError::DayUsedUp(*used)), Some("day")),
            };
            if let Some(reason) = refusal {
                metrics::counter!("medcredit_ledger_refused_total", "reason" => reason).increment(1);
            }
            // The caller may be gone; the record remains.
            let _ = reply.send(outcome);
        }
    }
}

fn refuse_behind(batch: Vec<Waiting>, history: &HistoryState) {
    for waiting in batch {
        metrics::counter!("medcredit_ledger_refused_total", "reason" => "history").increment(1);
        let _ = waiting.reply.send(Err(RecordError::HistoryBehind(history.to_string())));
    }
}

fn refuse_untimely(batch: Vec<Waiting>, reason: &str) {
    for waiting in batch {
        metrics::counter!("medcredit_ledger_refused_total", "reason" => "clock").increment(1);
        // The caller may be gone; there is nothing to release to it.
        let _ = waiting.reply.send(Err(RecordError::ClockUntrusted(reason.to_owned())));
    }
}

fn refuse(waiting: Waiting, why: &str) {
    metrics::counter!("medcredit_ledger_refused_total", "reason" => "failed").increment(1);
    // The caller may be gone; there is nothing to release to it.
    let _ = waiting.reply.send(Err(RecordError::Unavailable(why.to_owned())));
}
