//! Recording answers: many wait at once, one transaction makes them durable, and only then is any of them released.

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderMap;
use tokio::{
    sync::{Mutex, Semaphore, mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    batch::{self, Batcher, Waiting},
    body::AnswerBody,
    budget::{Budget, BudgetUse},
    entry::{Entry, Opening},
    faults::Faults,
    leaf_cache::LeafCache,
};
use crate::{
    domain::{
        Timestamp,
        clock::SharedClock,
        ids::{ClientId, ConsentId},
    },
    store::Db,
};

/// What an answer rests on, as it was when the answer was rendered. Compared again in the append (I2).
#[derive(Debug, Clone)]
pub struct ReadVersions {
    /// The bank.
    pub client_id: ClientId,
    /// The bank's epoch, raised when it is suspended or a certificate or token of it is revoked.
    pub client_epoch: i64,
    /// The consent.
    pub consent_id: ConsentId,
    /// The consent's version.
    pub consent_version: i64,
    /// The subjects answered about, with their versions.
    pub subjects: Vec<(String, i64)>,
    /// The number of the published grades in force.
    pub publication: i64,
    /// The consent must be active and unexpired at this time, and at the time of the commit.
    pub now: Timestamp,
    /// When the consent ends by itself: looked at once more after the commit, which may have waited for a lock.
    pub expires_at: Timestamp,
}

/// The exact bytes of an answer, already digested and signed.
#[derive(Clone)]
pub struct Answer {
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is a subject's data (I8).
        write!(f, "Answer({} bytes)", self.body.len())
    }
}

/// An answer that waits to be recorded.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What it rests on.
    pub heads: ReadVersions,
    /// What it uses up.
    pub budget: Budget,
    /// Its entry.
    pub entry: Entry,
    /// The entry's opening.
    pub opening: Opening,
    /// Itself.
    pub answer: Answer,
}

/// An answer whose record is durable. Nothing else can be released to a bank, and nothing else makes one of these.
#[derive(Debug)]
pub struct Disclosed {
    id: String,
    answer: Answer,
    budget: Option<BudgetUse>,
}

impl Disclosed {
    /// Private to this room: whoever calls this has seen the commit succeed.
    pub(super) const fn after_commit(id: String, answer: Answer, budget: Option<BudgetUse>) -> Self {
        Self { id, answer, budget }
    }

    /// The disclosure's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What of the consent's budget is used with this answer, where it has one.
    pub const fn budget(&self) -> Option<BudgetUse> {
        self.budget
    }

    /// The answer, to be released.
    pub fn into_answer(self) -> Answer {
        self.answer
    }
}

/// Why an answer may not be released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// What it rests on has moved. It may be rendered again, once.
    #[error("the consent, the bank, a subject or the published grades changed while the answer was made")]
    Stale,
    /// The consent has been used as often as it may be.
    #[error("the consent is used up")]
    TotalUsedUp(BudgetUse),
    /// The consent has been used as often as it may be on one day.
    #[error("the consent is used up for the day")]
    DayUsedUp(BudgetUse),
    /// The record failed, or nobody knows whether it did: there is no answer (I1).
    #[error("the disclosure could not be recorded: {0}")]
    Unavailable(String),
}

/// How a recorder gathers and how much it lets wait.
#[derive(Debug, Clone)]
pub struct RecorderOptions {
    /// How long a batch waits for the companions that the last one had. A lone answer never waits.
    pub linger: Duration,
    /// The most answers in one transaction.
    pub max_batch: usize,
    /// The most answers that wait; more are refused.
    pub queue: usize,
    /// The most bytes that they have together, with their entries; more are refused. A few large answers behind a writer
    /// that is held up would fill the memory long before the queue is full.
    pub queue_bytes: usize,
    /// What the sealer beside it need not read.
    pub fresh: LeafCache,
    /// How long a transaction may take: behind a database that hangs, every answer would wait for ever.
    pub limit: Duration,
    /// Where a test breaks it.
    pub faults: Faults,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(2),
            max_batch: 512,
            queue: 4096,
            queue_bytes: 64 * 1024 * 1024,
            fresh: LeafCache::default(),
            limit: Duration::from_secs(10),
            faults: Faults::default(),
        }
    }
}

const KIBIBYTE: usize = 1024;

/// What an answer that waits takes.
fn kibibytes(draft: &Draft) -> u32 {
    let bytes = draft.answer.body.len() + draft.entry.body().len() + draft.opening.body.len();
    u32::try_from(bytes.div_ceil(KIBIBYTE)).unwrap_or(u32::MAX)
}

/// Makes answers durable, many at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Waiting>,
    /// A permit for each kibibyte, and how many there are.
    room: Arc<Semaphore>,
    kibibytes: usize,
    closing: Arc<watch::Sender<bool>>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Recorder {
    /// Starts the task that commits. It ends with [`Recorder::shutdown`], or when the last handle is dropped.
    pub fn start(db: Db, clock: SharedClock, options: RecorderOptions) -> Self {
        let (queue, waiting) = mpsc::channel(options.queue.max(1));
        let kibibytes = (options.queue_bytes / KIBIBYTE).clamp(1, Semaphore::MAX_PERMITS);
        let (closing, closed) = watch::channel(false);
        let turns = db.appends_at_once();
        let batcher =
            Arc::new(Batcher { db, clock, limit: options.limit, fresh: options.fresh, faults: options.faults });
        let gather = Gather { linger: options.linger, max: options.max_batch.max(1), usual: 1 };
        let task = tokio::spawn(run(waiting, closed, gather, (batcher, turns)));
        let task = Arc::new(Mutex::new(Some(task)));
        Self { queue, room: Arc::new(Semaphore::new(kibibytes)), kibibytes, closing: Arc::new(closing), task }
    }

    /// Waits until the answer's record is durable and hands the answer back for release.
    ///
    /// A caller that stops waiting loses the answer and not the record: over-recording is safe, under-recording is not.
    pub async fn record(&self, draft: impl Into<Box<Draft>>) -> Result<Disclosed, RecordError> {
        let draft = draft.into();
        let (reply, decided) = oneshot::channel();
        let refused = |why: &str| {
            metrics::counter!("medcredit_ledger_refused_total", "reason" => "queue").increment(1);
            RecordError::Unavailable(why.into())
        };
        // Given back when the answer is decided about.
        let room = self.room.clone().try_acquire_many_owned(kibibytes(&draft));
        let room = room.map_err(|_| refused("the answers that wait to be recorded are too large"))?;
        // Everything that needs no transaction is made here, on the caller's own task.
        let waiting = batch::prepare(draft, (reply, room));
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => refused("too many answers wait to be recorded"),
            mpsc::error::TrySendError::Closed(_) => refused("the recorder is shutting down"),
        })?;
        decided.await.unwrap_or_else(|_| Err(RecordError::Unavailable("the recorder stopped".into())))
    }

    /// The bytes of answers and entries that wait, in whole kibibytes each.
    pub fn waiting_bytes(&self) -> usize {
        self.kibibytes.saturating_sub(self.room.available_permits()) * KIBIBYTE
    }

    /// Takes no more answers, commits those that wait, and returns when that is done.
    pub async fn shutdown(&self) {
        self.closing.send_replace(true);
        if let Some(task) = self.task.lock().await.take() {
            // A task that panicked has dropped its answers' channels: their callers know.
            let _ = task.await;
        }
    }
}

/// How the next batch is gathered.
struct Gather {
    linger: Duration,
    max: usize,
    /// How many the last batch had: as many are expected again.
    usual: usize,
}

/// Commits batch after batch, and on an engine with several writers the next while the last is under way: the gateway would
/// be idle for as long as the server works. Two batches are to each other like those of two gateways.
async fn run(
    mut queue: mpsc::Receiver<Waiting>,
    mut closed: watch::Receiver<bool>,
    mut gather: Gather,
    (batcher, turns): (Arc<Batcher>, u32),
) {
    let under_way = Arc::new(Semaphore::new(usize::try_from(turns).unwrap_or(1)));
    loop {
        let first = tokio::select! {
            biased;
            // Also when the last handle is gone. What waits is still received.
            _ = closed.wait_for(|closing| *closing), if !queue.is_closed() => {
                queue.close();
                continue;
            }
            first = queue.recv() => first,
        };
        // Taken before the others are: whoever comes while no turn is free is in this batch. It is never closed.
        let (Some(first), Ok(turn)) = (first, under_way.clone().acquire_owned().await) else { break };
        let batch = gather.from(first, &mut queue).await;
        metrics::gauge!("medcredit_ledger_queue").set(count(queue.len()));
        let batcher = batcher.clone();
        tokio::spawn(async move {
            batcher.commit(batch).await;
            drop(turn);
        });
    }
    // Every turn back: whoever waits for the end of this task waits for every commit. A batch that panicked has dropped
    // its answers' channels: their callers know.
    let _ = under_way.acquire_many(turns).await;
}

#[expect(clippy::cast_precision_loss, reason = "a queue of 2^53 answers is not reached")]
const fn count(answers: usize) -> f64 {
    answers as f64
}

impl Gather {
    /// Takes all that wait; and, while answers come in company, waits a little for as many as came the last time.
    ///
    /// Whoever is answered tends to ask again at once: without the wait every second batch would be nearly empty.
    async fn from(&mut self, first: Waiting, queue: &mut mpsc::Receiver<Waiting>) -> Vec<Waiting> {
        let mut batch = Vec::with_capacity(self.usual.min(self.max));
        batch.push(first);
        loop {
            let before = batch.len();
            // Whoever is ready to ask now asks before the commit and not behind it. When nobody is, nothing is lost.
            tokio::task::yield_now().await;
            while batch.len() < self.max
                && let Ok(next) = queue.try_recv()
            {
                batch.push(next);
            }
            if batch.len() == before || batch.len() == self.max {
                break;
            }
        }
        let expected = self.usual.min(self.max);
        if batch.len() < expected {
            let fill = async {
                while batch.len() < expected
                    && let Some(next) = queue.recv().await
                {
                    batch.push(next);
                }
            };
            // Running out of time is the ordinary end.
            let _ = tokio::time::timeout(self.linger, fill).await;
        }
        self.usual = batch.len();
        batch
    }
}
