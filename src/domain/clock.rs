//! Time as a parameter: the only file that reads the system's clock.

use std::{
    fmt::Debug,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::time::Timestamp;

/// Source of the current time. Production uses [`SystemClock`], tests advance a [`ManualClock`].
pub trait Clock: Debug + Send + Sync + 'static {
    /// Returns the current instant, in UTC. It jumps when somebody sets the clock: for dates, and for what other machines
    /// compare.
    fn now(&self) -> Timestamp;

    /// Returns the time since an arbitrary moment in this process. It never jumps: for how long something takes or lasts
    /// here.
    fn monotonic(&self) -> Duration;
}

/// A clock shared between rooms.
pub type SharedClock = Arc<dyn Clock>;

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The moment from which [`SystemClock`] counts monotonic time: its first use in the process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's monotonic clock")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        ORIGIN.elapsed()
    }
}

/// A clock that changes only by [`ManualClock::advance`] and [`ManualClock::set`].
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    /// In microseconds.
    monotonic: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(start.micros()), monotonic: AtomicU64::new(0) })
    }

    /// Lets time pass, by which both readings move.
    pub fn advance(&self, by: Duration) {
        self.monotonic.fetch_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
        self.wall.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the clock, forwards or backwards. No time passes: the monotonic reading stays.
    pub fn set(&self, to: Timestamp) {
        self.wall.store(to.micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic.load(Ordering::SeqCst))
    }
}
