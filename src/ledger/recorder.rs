//! Recording answers: many wait together, one transaction makes them durable, and only then is any of them released.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Semaphore, mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    answers::AnswerJournal,
    batch::{Batcher, IN_TIME},
    delivery::DeliveryRecorder,
    disclosed::{Disclosed, Draft, RecordError},
    faults::Faults,
    history::History,
    leaf_cache::LeafCache,
    recording_problem::RecordingProblem,
    waiting::Waiting,
};
use crate::{
    domain::{ClockTrust, Failure, clock::SharedClock},
    store::Db,
};

/// How a recorder forms batches, and how much it queues.
#[derive(Debug, Clone)]
pub struct RecorderOptions {
    /// How long a batch waits for as many answers as the last one had. A single answer never waits.
    pub linger: Duration,
    /// The most answers in one transaction.
    pub max_batch: usize,
    /// The most answers in the queue; more are refused.
    pub queue: usize,
    /// The most bytes in the queue, answers with their entries; more are refused. A few large answers behind a stalled
    /// writer would fill the memory long before the queue is full.
    pub queue_bytes: usize,
    /// The leaves that the sealer of the same process need not read.
    pub leaf_cache: LeafCache,
    /// The limit of a batch's time, all attempts together, and of an answer's wait in the queue: behind a database that hangs,
    /// every answer would wait without end.
    pub limit: Duration,
    /// Whether the history is current: otherwise nothing is recorded.
    pub history: History,
    /// Where each answer is named before its release; nowhere in tests of the recorder alone.
    pub answers: Option<AnswerJournal>,
    /// Whether the clock may be relied on: otherwise nothing is recorded.
    pub clock_trust: ClockTrust,
    /// Where a test makes it fail.
    pub faults: Faults,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(2),
            max_batch: 512,
            queue: 4096,
            queue_bytes: 64 * 1024 * 1024,
            leaf_cache: LeafCache::default(),
            limit: Duration::from_millis(4250),
            history: History::default(),
            answers: None,
            clock_trust: ClockTrust::default(),
            faults: Faults::default(),
        }
    }
}

const KIBIBYTE: usize = 1024;

/// How much longer than a batch an answer waits: a batch that began with it has then failed by itself.
const GRACE: Duration = Duration::from_millis(250);

/// The memory of a queued answer, in whole kibibytes.
fn kibibytes(draft: &Draft) -> u32 {
    let bytes = draft.answer.body.len() + draft.entry.body().len() + draft.opening.body.len();
    // Rounded up, so that an answer never counts as nothing; the semaphore counts in u32, which bytes could exceed.
    u32::try_from(bytes.div_ceil(KIBIBYTE)).unwrap_or(u32::MAX)
}

/// Makes answers durable, many at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Waiting>,
    /// One permit for each kibibyte of the queue.
    memory: Arc<Semaphore>,
    kibibytes: usize,
    history: History,
    answers: Option<AnswerJournal>,
    limit: Duration,
    problem: RecordingProblem,
    closing: Arc<watch::Sender<bool>>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Recorder {
    /// Starts the task that commits. It ends with [`Recorder::shutdown`], or when the last handle is dropped.
    pub fn start(db: Db, clock: SharedClock, options: RecorderOptions) -> Self {
        // A channel without capacity panics.
        let (queue, waiting) = mpsc::channel(options.queue.max(1));
        // A semaphore with more than its maximum of permits panics.
        let kibibytes = (options.queue_bytes / KIBIBYTE).clamp(1, Semaphore::MAX_PERMITS);
        let (closing, closed) = watch::channel(false);
        let (limit, problem) = (options.limit, RecordingProblem::new(clock.clone()));
        let history = options.history;
        let committer = Committer {
            queue: waiting,
            closed,
            gather: Gather { linger: options.linger, max: options.max_batch.max(1), usual: 1 },
            concurrency: db.concurrent_appends(),
            batcher: Arc::new(Batcher {
                db,
                clock,
                limit,
                problem: problem.clone(),
                leaf_cache: options.leaf_cache,
                history: history.clone(),
                answers: options.answers.clone(),
                clock_trust: options.clock_trust,
                faults: options.faults,
            }),
        };
        let task = Arc::new(Mutex::new(Some(tokio::spawn(committer.run()))));
        let memory = Arc::new(Semaphore::new(kibibytes));
        let answers = options.answers;
        Self { queue, memory, kibibytes, history, answers, limit, problem, closing: Arc::new(closing), task }
    }

    /// Refuses with `history_behind` while the history is not current (I9): before an old consent is judged.
    pub fn require_current(&self) -> Result<(), Failure> {
        self.history.require_current()
    }

    /// A recorder of deliveries, whose lines this one records.
    pub fn of_deliveries(&self, db: Db, faults: Faults) -> DeliveryRecorder {
        DeliveryRecorder::new(db, self.history.clone(), self.answers.clone(), faults)
    }

    /// Waits until the answer's record is durable and returns the answer for release.
    ///
    /// A caller that stops waiting after its batch began loses the answer and not the record: over-recording is safe,
    /// under-recording is not.
    pub async fn record(&self, draft: impl Into<Box<Draft>>) -> Result<Disclosed, RecordError> {
        let draft = draft.into();
        let (reply, outcome) = oneshot::channel();
        let refused = |why: &str| {
            metrics::counter!("medcredit_ledger_refused_total", "reason" => "queue").increment(1);
            RecordError::Unavailable(why.into())
        };
        // Refused and not awaited: a caller that waits holds its answer in memory, which is what the bound is for.
        let memory = self.memory.clone().try_acquire_many_owned(kibibytes(&draft));
        let memory = memory.map_err(|_| refused("the answers that wait to be recorded are too large"))?;
        self.queue.try_send(Waiting::new(draft, reply, memory)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => refused("too many answers wait to be recorded"),
            mpsc::error::TrySendError::Closed(_) => refused("the recorder is shutting down"),
        })?;
        // An answer behind others that hang waits no longer than they do. Its batch may still record it.
        match tokio::time::timeout(self.limit + GRACE, outcome).await {
            // A batch that panicked decided nothing that is known here, so the answer is not released.
            Ok(outcome) => outcome.unwrap_or_else(|_| Err(RecordError::Unavailable("the recorder stopped".into()))),
            Err(_) => Err(RecordError::Unavailable(IN_TIME.into())),
        }
    }

    /// Why the last batch was not recorded, for a while after it: the gateway should get no requests, until it may be tried
    /// again.
    pub fn problem(&self) -> Option<String> {
        self.problem.recent()
    }

    /// The bytes of queued answers with their entries, each in whole kibibytes.
    pub fn waiting_bytes(&self) -> usize {
        self.kibibytes.saturating_sub(self.memory.available_permits()) * KIBIBYTE
    }

    /// Refuses further answers, commits those in the queue, and returns when that is done.
    pub async fn shutdown(&self) {
        self.closing.send_replace(true);
        // Locked so that of two callers the second waits, too, until the first has seen the task end.
        if let Some(task) = self.task.lock().await.take() {
            // A task that panicked has dropped its answers' channels, which their callers notice.
            let _ = task.await;
        }
    }
}

/// Forms the next batch.
struct Gather {
    linger: Duration,
    max: usize,
    /// The size of the last batch: the next is expected to be as large.
    usual: usize,
}

/// The task behind a [`Recorder`].
struct Committer {
    queue: mpsc::Receiver<Waiting>,
    closed: watch::Receiver<bool>,
    gather: Gather,
    batcher: Arc<Batcher>,
    /// How many batches may be committed concurrently.
    concurrency: u32,
}

impl Committer {
    /// Commits batch after batch. On an engine with several writers it commits the next batch while the last one is in
    /// progress: otherwise the gateway would be idle while the server works. Two concurrent batches relate to each other
    /// like those of two gateways.
    async fn run(mut self) {
        let in_progress = Arc::new(Semaphore::new(usize::try_from(self.concurrency).unwrap_or(1)));
        loop {
            let first = tokio::select! {
                // Closing is looked at first: a queue that never runs empty must not hide the shutdown.
                biased;
                // `wait_for` also returns when the last handle is dropped. What is queued is still received.
                _ = self.closed.wait_for(|closing| *closing), if !self.queue.is_closed() => {
                    // Closed and not dropped: senders fail from now on, and what was accepted is still committed.
                    self.queue.close();
                    continue;
                }
                first = self.queue.recv() => first,
            };
            // The permit is acquired before the rest of the batch is received: answers that arrive while all permits are
            // taken join this batch. The semaphore is never closed.
            let (Some(first), Ok(permit)) = (first, in_progress.clone().acquire_owned().await) else { break };
            let batch = self.gather.receive(first, &mut self.queue).await;
            metrics::gauge!("medcredit_ledger_queue").set(gauge_value(self.queue.len()));
            let batcher = self.batcher.clone();
            // A task of its own: a panic in one batch ends that batch and not the recorder.
            tokio::spawn(async move {
                batcher.commit(batch).await;
                // Only after the commit: the permits bound the commits in progress, and the task's end waits for all of
                // them.
                drop(permit);
            });
        }
        // With every permit returned all commits have ended, so the end of this task is the end of recording. A batch that
        // panicked has dropped its answers' channels, which their callers notice.
        let _ = in_progress.acquire_many(self.concurrency).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a queue of 2^53 answers is not reached")]
const fn gauge_value(answers: usize) -> f64 {
    answers as f64
}

impl Gather {
    /// Takes everything in the queue; and, while answers arrive in groups, waits briefly for a batch as large as the last.
    ///
    /// A client that has received an answer tends to send its next request immediately: without the wait every second batch
    /// would be nearly empty.
    async fn receive(&mut self, first: Waiting, queue: &mut mpsc::Receiver<Waiting>) -> Vec<Waiting> {
        let mut batch = Vec::with_capacity(self.usual.min(self.max));
        batch.push(first);
        loop {
            let before = batch.len();
            // Lets tasks that are ready to queue an answer do so before this commit. When there are none, nothing is lost.
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
        // The size reached and not the one hoped for: when there are fewer clients, only one batch waits in vain.
        self.usual = batch.len();
        batch
    }
}
