//! One batch of answers, one transaction. The comments tell what a crash at each step leaves.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    append::{add_entry, add_opening},
    budget::{Budget, BudgetUse},
    faults::{Faults, Step},
    recorder::{Disclosed, Draft, RecordError},
};
use crate::{
    domain::{clock::SharedClock, ids::ConsentId},
    merkle::leaf_hash,
    store::{Db, DbError, Tx, ledger::append as table},
};

/// How often a batch that another transaction was in the way of is tried.
const ATTEMPTS: u32 = 5;

/// Where an answer's fate is told.
type Reply = oneshot::Sender<Result<Disclosed, RecordError>>;

/// An answer in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    draft: Draft,
    reply: Reply,
    /// Its part of the queue's bytes.
    _room: OwnedSemaphorePermit,
    /// The bank's id, written out.
    bank: String,
    /// The entry's text hashes to its leaf.
    sound: bool,
}

/// Makes what needs no transaction.
pub(super) fn prepare(draft: Draft, (reply, room): (Reply, OwnedSemaphorePermit)) -> Waiting {
    let bank = draft.heads.client_id.to_string();
    let sound = leaf_hash(draft.entry.body.as_bytes()) == draft.entry.leaf;
    Waiting { draft, reply, _room: room, bank, sound }
}

/// What the answers rest on, as the append compares it.
fn heads_of(batch: &[Waiting]) -> table::HeadColumns {
    let mut columns = table::HeadColumns::default();
    for (position, waiting) in (0i64..).zip(batch) {
        let heads = &waiting.draft.heads;
        let mut subjects = heads.subjects.iter();
        let first = subjects.next();
        columns.position.push(position);
        columns.client.push(Some(waiting.bank.clone()));
        columns.epoch.push(Some(heads.client_epoch));
        columns.consent.push(Some(heads.consent_id.to_string()));
        columns.consent_version.push(Some(heads.consent_version));
        columns.publication.push(Some(heads.publication));
        columns.rendered_at.push(Some(heads.now.micros()));
        columns.subject.push(first.map(|(code, _)| code.clone()));
        columns.subject_version.push(first.map(|(_, version)| *version));
        for (code, version) in subjects {
            columns.position.push(position);
            columns.client.push(None);
            columns.epoch.push(None);
            columns.consent.push(None);
            columns.consent_version.push(None);
            columns.publication.push(None);
            columns.rendered_at.push(None);
            columns.subject.push(Some(code.clone()));
            columns.subject_version.push(Some(*version));
        }
    }
    columns
}

/// What a batch decided about one of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// With what of the budget is used then, where there is one.
    Recorded(Option<BudgetUse>),
    Stale,
    TotalUsedUp(BudgetUse),
    DayUsedUp(BudgetUse),
}

impl Verdict {
    const fn is_recorded(self) -> bool {
        matches!(self, Self::Recorded(_))
    }
}

/// Why a batch decided nothing.
enum Broken {
    /// Nothing was written, and trying again may help.
    Contention(DbError),
    /// Nothing was written: one of the entries contradicts a rule of the tables.
    Constraint(DbError),
    /// Something may have been written, or nothing can be.
    Failed(DbError),
}

impl Broken {
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

/// Commits batches.
#[derive(Debug)]
pub(super) struct Batcher {
    pub(super) db: Db,
    pub(super) clock: SharedClock,
    pub(super) limit: Duration,
    pub(super) faults: Faults,
}

impl Batcher {
    /// Decides about every answer of a batch and tells each caller.
    pub(super) async fn commit(&self, batch: Vec<Waiting>) {
        let mut seen = HashSet::new();
        let (batch, broken): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|waiting| waiting.sound && seen.insert(waiting.draft.entry.id.clone()));
        for waiting in broken {
            refuse(waiting, "its entry is not sound");
        }
        if batch.is_empty() {
            return;
        }
        match self.attempt(&batch).await {
            Ok(verdicts) => tell(batch, &verdicts),
            // One entry is at fault and its neighbours are not: each is tried alone.
            Err(Broken::Constraint(_)) if batch.len() > 1 => {
                for waiting in batch {
                    match self.attempt(std::slice::from_ref(&waiting)).await {
                        Ok(verdicts) => tell(vec![waiting], &verdicts),
                        Err(broken) => give_up(vec![waiting], &broken),
                    }
                }
            }
            Err(broken) => give_up(batch, &broken),
        }
    }

    async fn attempt(&self, batch: &[Waiting]) -> Result<Vec<Verdict>, Broken> {
        let mut attempt = 1;
        loop {
            // Cut off in the middle, its outcome is unknown: the answers are not released.
            let unanswered = |_| Err(Broken::Failed(DbError::Setup("the database did not answer in time".into())));
            match tokio::time::timeout(self.limit, self.transaction(batch)).await.unwrap_or_else(unanswered) {
                Err(Broken::Contention(_)) if attempt < ATTEMPTS => {
                    metrics::counter!("medcredit_ledger_retries_total").increment(1);
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn transaction(&self, batch: &[Waiting]) -> Result<Vec<Verdict>, Broken> {
        let began = self.clock.now();
        let (tx, verdicts, recorded) = self.write(batch).await.map_err(Broken::before_commit)?;
        if recorded == 0 {
            // Nothing to keep: the transaction is rolled back, and every refusal stands.
            return Ok(verdicts);
        }
        // A crash before the commit is answered: nobody was told, so no data left. Whether the entries are there or not,
        // they are not answers; a bank that asks again gets another disclosure.
        self.faults.at(Step::Commit).await.map_err(Broken::before_commit)?;
        tx.commit()
            .await
            .map_err(|error| if error.is_contention() { Broken::Contention(error) } else { Broken::Failed(error) })?;
        // A crash here leaves entries whose answers were never released: recorded too much, never too little.
        self.faults.at(Step::Committed).await.map_err(Broken::Failed)?;
        metrics::histogram!("medcredit_ledger_batch_entries").record(f64::from(recorded));
        metrics::histogram!("medcredit_ledger_commit_seconds").record(self.clock.now().since(began).as_secs_f64());
        Ok(verdicts)
    }

    /// Everything up to the commit.
    async fn write(&self, batch: &[Waiting]) -> Result<(Tx, Vec<Verdict>, u32), DbError> {
        self.faults.at(Step::Begin).await?;
        self.faults.at(Step::Lock).await?;
        let banks: BTreeSet<_> = batch.iter().map(|waiting| waiting.bank.clone()).collect();
        let mut tx = self.db.begin_with_banks("ledger.record", &banks).await?;
        self.faults.at(Step::Heads).await?;
        // From here to the commit no narrowing of these banks' access can commit: what matches now matches then.
        let stale = table::stale_heads(&mut tx, heads_of(batch), self.clock.now()).await?;
        let stale: HashSet<_> = stale.into_iter().collect();
        let mut verdicts: Vec<_> = (0i64..)
            .zip(batch)
            .map(|(position, _)| if stale.contains(&position) { Verdict::Stale } else { Verdict::Recorded(None) })
            .collect();
        self.faults.at(Step::Budget).await?;
        charge(&mut tx, batch, &mut verdicts).await?;
        let kept: Vec<_> = batch.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_recorded()).collect();
        let kept: Vec<_> = kept.into_iter().map(|(waiting, _)| waiting).collect();
        if !kept.is_empty() {
            self.faults.at(Step::Insert).await?;
            let (mut entries, mut openings) = (table::EntryColumns::default(), table::OpeningColumns::default());
            for Waiting { draft, .. } in &kept {
                add_entry(&mut entries, &draft.entry);
                add_opening(&mut openings, &draft.entry.id, &draft.opening);
            }
            table::insert(&mut tx, entries, openings, self.clock.now()).await?;
        }
        Ok((tx, verdicts, u32::try_from(kept.len()).unwrap_or(u32::MAX)))
    }
}

/// Counts the answers of consents that limit their use, in the batch's order, and refuses those beyond.
async fn charge(tx: &mut Tx, batch: &[Waiting], verdicts: &mut [Verdict]) -> Result<(), DbError> {
    let limited = |draft: &Draft| draft.budget.max_fetches.is_some() || draft.budget.per_day.is_some();
    let days: HashMap<ConsentId, String> = batch
        .iter()
        .zip(verdicts.iter())
        .filter(|(waiting, verdict)| verdict.is_recorded() && limited(&waiting.draft))
        .map(|(waiting, _)| (waiting.draft.heads.consent_id, waiting.draft.budget.day.to_string()))
        .collect();
    if days.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = days.iter().map(|(consent, day)| json!({ "consent": consent, "day": day })).collect();
    let rows = table::lock_use(tx, serde_json::Value::from(rows).to_string()).await?;
    let mut used: HashMap<String, table::UseRow> = rows.into_iter().map(|row| (row.consent_id.clone(), row)).collect();
    for (waiting, verdict) in batch.iter().zip(verdicts).filter(|(waiting, _)| limited(&waiting.draft)) {
        if verdict.is_recorded()
            && let Some(row) = used.get_mut(&waiting.draft.heads.consent_id.to_string())
        {
            *verdict = use_once(row, waiting.draft.budget);
        }
    }
    let rows: Vec<_> = used
        .values()
        .map(|row| json!({ "consent": row.consent_id, "used": row.used, "day": row.day, "used_today": row.used_today }))
        .collect();
    table::set_use(tx, serde_json::Value::from(rows).to_string()).await
}

fn use_once(row: &mut table::UseRow, budget: Budget) -> Verdict {
    // ISO days sort as text. An answer rendered before midnight and committed after another of the new day counts on the
    // new one: a day's budget is never opened again.
    let day = budget.day.to_string();
    let (today, counted_on) =
        if day > row.day { (0, budget.day) } else { (row.used_today, row.day.parse().unwrap_or(budget.day)) };
    let budget = Budget { day: counted_on, ..budget };
    let stands = |used, used_today| BudgetUse { budget, used, used_today };
    if budget.max_fetches.is_some_and(|max| row.used >= max) {
        return Verdict::TotalUsedUp(stands(row.used, today));
    }
    if budget.per_day.is_some_and(|max| today >= max) {
        return Verdict::DayUsedUp(stands(row.used, today));
    }
    row.used += 1;
    row.used_today = today + 1;
    if day > row.day {
        row.day = day;
    }
    Verdict::Recorded(Some(stands(row.used, row.used_today)))
}

/// Only ever called after the commit was acknowledged, or for verdicts that release nothing.
fn tell(batch: Vec<Waiting>, verdicts: &[Verdict]) {
    for (waiting, verdict) in batch.into_iter().zip(verdicts) {
        let Waiting { draft, reply, .. } = waiting;
        let (outcome, reason) = match verdict {
            Verdict::Recorded(used) => (Ok(Disclosed::after_commit(draft.entry.id, draft.answer, *used)), None),
            Verdict::Stale => (Err(RecordError::Stale), Some("stale")),
            Verdict::TotalUsedUp(used) => (Err(RecordError::TotalUsedUp(*used)), Some("total")),
            Verdict::DayUsedUp(used) => (Err(RecordError::DayUsedUp(*used)), Some("day")),
        };
        if let Some(reason) = reason {
            metrics::counter!("medcredit_ledger_refused_total", "reason" => reason).increment(1);
        }
        // The caller may have gone; the record stays.
        let _ = reply.send(outcome);
    }
}

fn give_up(batch: Vec<Waiting>, broken: &Broken) {
    let (Broken::Contention(error) | Broken::Constraint(error) | Broken::Failed(error)) = broken;
    let mut why = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        why = format!("{why}: {cause}");
    }
    tracing::error!(count = batch.len(), error = %why, "disclosures could not be recorded: they are not released");
    for waiting in batch {
        refuse(waiting, &why);
    }
}

fn refuse(waiting: Waiting, why: &str) {
    metrics::counter!("medcredit_ledger_refused_total", "reason" => "failed").increment(1);
    let _ = waiting.reply.send(Err(RecordError::Unavailable(why.to_owned())));
}
