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
    leaf_cache::LeafCache,
    recorder::{Disclosed, Draft, RecordError},
};
use crate::{
    domain::{clock::SharedClock, error_chain, ids::ConsentId},
    store::{Db, DbError, Engine, Tx, ledger::append as table},
};

/// How often a batch that another transaction was in the way of is tried.
const ATTEMPTS: u32 = 5;

/// Where an answer's fate is told.
type Reply = oneshot::Sender<Result<Disclosed, RecordError>>;

/// An answer in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Boxed: it is moved from queue to batch to caller.
    draft: Box<Draft>,
    reply: Reply,
    /// Its part of the queue's bytes.
    _room: OwnedSemaphorePermit,
    /// The bank's id, written out.
    bank: String,
}

/// Makes what needs no transaction.
pub(super) fn prepare(draft: Box<Draft>, (reply, room): (Reply, OwnedSemaphorePermit)) -> Waiting {
    let bank = draft.heads.client_id.to_string();
    Waiting { draft, reply, _room: room, bank }
}

/// What the answers rest on, as the append compares it, and for each the position of its bank's row.
///
/// The answers of a bank rest on the same epoch of it, so that is compared once for all of them.
fn heads_of(batch: &[Waiting]) -> (table::HeadColumns, Vec<i64>) {
    let (mut columns, mut places) = (table::HeadColumns::default(), Vec::with_capacity(batch.len()));
    let mut banks: HashMap<(&str, i64), i64> = HashMap::new();
    for (position, waiting) in (0i64..).zip(batch) {
        let heads = &waiting.draft.heads;
        let next = -1 - i64::try_from(banks.len()).unwrap_or(i64::MAX - 1);
        let place = *banks.entry((&waiting.bank, heads.client_epoch)).or_insert(next);
        let client = Some(waiting.bank.clone());
        if place == next {
            let epoch = Some(heads.client_epoch);
            columns.push(table::HeadRow {
                position: place,
                client: client.clone(),
                epoch,
                ..table::HeadRow::default()
            });
        }
        places.push(place);
        let mut subjects = heads.subjects.iter().cloned();
        let consent = (heads.consent_id.to_string(), heads.consent_version, heads.publication, heads.now);
        let (consent, subject) = (Some(consent), subjects.next());
        columns.push(table::HeadRow { position, client, epoch: None, consent, subject });
        for subject in subjects {
            columns.push(table::HeadRow { position, subject: Some(subject), ..table::HeadRow::default() });
        }
    }
    (columns, places)
}

/// The entries of answers with their openings, in the answers' order.
fn rows_of<'a>(answers: impl Iterator<Item = &'a Waiting>) -> (table::EntryColumns, table::OpeningColumns) {
    let (mut entries, mut openings) = (table::EntryColumns::default(), table::OpeningColumns::default());
    for Waiting { draft, .. } in answers {
        add_entry(&mut entries, &draft.entry);
        add_opening(&mut openings, draft.entry.id(), &draft.opening);
    }
    (entries, openings)
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

/// What the comparison alone decides: an answer falls with a row of its own, and with its bank's.
fn verdicts_of(banks: &[i64], stale: &[i64]) -> Vec<Verdict> {
    let stale: HashSet<_> = stale.iter().copied().collect();
    let verdict = |(position, bank): (i64, &i64)| {
        if stale.contains(&position) || stale.contains(bank) { Verdict::Stale } else { Verdict::Recorded(None) }
    };
    (0i64..).zip(banks).map(verdict).collect()
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
    pub(super) fresh: LeafCache,
    pub(super) faults: Faults,
}

impl Batcher {
    /// Decides about every answer of a batch and tells each caller.
    pub(super) async fn commit(&self, batch: Vec<Waiting>) {
        let mut seen = HashSet::new();
        let (batch, again): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|waiting| seen.insert(waiting.draft.entry.id().to_owned()));
        for waiting in again {
            refuse(waiting, "another of its id waits with it");
        }
        if batch.is_empty() {
            return;
        }
        match self.attempt(&batch).await {
            Ok(verdicts) => self.tell(batch, &verdicts),
            // One entry is at fault and its neighbours are not: each is tried alone.
            Err(Broken::Constraint(_)) if batch.len() > 1 => {
                for waiting in batch {
                    match self.attempt(std::slice::from_ref(&waiting)).await {
                        Ok(verdicts) => self.tell(vec![waiting], &verdicts),
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

    /// One turn of the engine, unless uses are to be counted, or SQLite has none for this batch.
    async fn transaction(&self, batch: &[Waiting]) -> Result<Vec<Verdict>, Broken> {
        let began = self.clock.now();
        let counted = batch.iter().any(|waiting| waiting.draft.budget.is_limited());
        let commit_single_roundtrip = if counted { None } else { self.commit_single_roundtrip(batch).await? };
        let verdicts = match commit_single_roundtrip {
            Some(verdicts) => verdicts,
            None => self.commit_stepwise(batch).await?,
        };
        let recorded = verdicts.iter().filter(|verdict| verdict.is_recorded()).count();
        metrics::histogram!("medcredit_ledger_batch_entries").record(u32::try_from(recorded).unwrap_or(u32::MAX));
        metrics::histogram!("medcredit_ledger_commit_seconds").record(self.clock.now().since(began).as_secs_f64());
        Ok(verdicts)
    }

    /// Locks, comparison, entries and commit in one turn. A crash in the midst of it leaves all or nothing, as between the
    /// steps of [`Batcher::commit_stepwise`]. SQLite records all answers or, where one is stale or they are many,
    /// none: then nothing is decided.
    async fn commit_single_roundtrip(&self, batch: &[Waiting]) -> Result<Option<Vec<Verdict>>, Broken> {
        for step in [Step::Begin, Step::Lock, Step::ReadVersions, Step::Budget, Step::Insert, Step::Commit] {
            self.faults.at(step).await.map_err(Broken::before_commit)?;
        }
        let (entries, openings) = rows_of(batch.iter());
        let (heads, banks) = heads_of(batch);
        let now = self.clock.now();
        let stale = match self.db.engine() {
            Engine::Postgres => table::record(&self.db, (heads, banks.clone()), entries, openings, now).await.map(Some),
            Engine::Sqlite => {
                let recorded = table::record_unless_stale(&self.db, heads, entries, openings, now).await;
                recorded.map(|recorded| recorded.then(Vec::new))
            }
        };
        let Some(stale) = stale.map_err(Broken::before_commit)? else { return Ok(None) };
        self.faults.at(Step::Committed).await.map_err(Broken::Failed)?;
        Ok(Some(verdicts_of(&banks, &stale)))
    }

    async fn commit_stepwise(&self, batch: &[Waiting]) -> Result<Vec<Verdict>, Broken> {
        let (tx, verdicts) = self.write(batch).await.map_err(Broken::before_commit)?;
        if !verdicts.iter().any(|verdict| verdict.is_recorded()) {
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
        Ok(verdicts)
    }

    /// Everything up to the commit.
    async fn write(&self, batch: &[Waiting]) -> Result<(Tx, Vec<Verdict>), DbError> {
        self.faults.at(Step::Begin).await?;
        self.faults.at(Step::Lock).await?;
        let banks: BTreeSet<_> = batch.iter().map(|waiting| waiting.bank.clone()).collect();
        let mut tx = self.db.begin_with_banks("ledger.record", &banks).await?;
        self.faults.at(Step::ReadVersions).await?;
        // From here to the commit no narrowing of these banks' access can commit: what matches now matches then.
        let (heads, places) = heads_of(batch);
        let mut verdicts = verdicts_of(&places, &table::stale_heads(&mut tx, heads, self.clock.now()).await?);
        self.faults.at(Step::Budget).await?;
        charge(&mut tx, batch, &mut verdicts).await?;
        let kept: Vec<_> = batch.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_recorded()).collect();
        let kept: Vec<_> = kept.into_iter().map(|(waiting, _)| waiting).collect();
        if !kept.is_empty() {
            self.faults.at(Step::Insert).await?;
            let (entries, openings) = rows_of(kept.into_iter());
            table::insert(&mut tx, entries, openings, self.clock.now()).await?;
        }
        Ok((tx, verdicts))
    }

    /// Only ever called after the commit was acknowledged, or for verdicts that release nothing.
    fn tell(&self, batch: Vec<Waiting>, verdicts: &[Verdict]) {
        let now = self.clock.now();
        for (waiting, verdict) in batch.into_iter().zip(verdicts) {
            let Waiting { draft, reply, .. } = waiting;
            let Draft { heads, entry, answer, .. } = *draft;
            if verdict.is_recorded() {
                self.fresh.put(entry.id(), entry.leaf());
            }
            let (outcome, reason) = match verdict {
                // It waited until its consent had ended: recorded, and not released.
                Verdict::Recorded(_) if heads.expires_at <= now => (Err(RecordError::Stale), Some("stale")),
                Verdict::Recorded(used) => (Ok(Disclosed::after_commit(entry.into_id(), answer, *used)), None),
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
}

/// Counts the answers of consents that limit their use, in the batch's order, and refuses those beyond.
async fn charge(tx: &mut Tx, batch: &[Waiting], verdicts: &mut [Verdict]) -> Result<(), DbError> {
    let limited = |draft: &Draft| draft.budget.is_limited();
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

fn give_up(batch: Vec<Waiting>, broken: &Broken) {
    let (Broken::Contention(error) | Broken::Constraint(error) | Broken::Failed(error)) = broken;
    let why = error_chain(error);
    tracing::error!(count = batch.len(), error = %why, "disclosures could not be recorded: they are not released");
    for waiting in batch {
        refuse(waiting, &why);
    }
}

fn refuse(waiting: Waiting, why: &str) {
    metrics::counter!("medcredit_ledger_refused_total", "reason" => "failed").increment(1);
    let _ = waiting.reply.send(Err(RecordError::Unavailable(why.to_owned())));
}
