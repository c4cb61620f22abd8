//! Delivers frozen packages: one gateway at a time for each platform, with a circuit breaker, and reads what platforms answer.
//!
//! - A gateway leases a platform. When it dies, the lease ends by itself, and the next gateway continues where the outbox stands.
//! - Pages of different lanes are under way at the same time, pages of one lane in order.
//! - What a platform may have is judged again at the moment of sending (I4): rows that it may no longer have are withheld, and the
//!   page goes without them under another key.
//! - A platform that fails several times in succession gets nothing for a while, then one page as a probe.

mod acts;
mod answers;
mod breaker;
mod called_back;
mod correction;
mod gauges;
mod page;
mod reconciliation;
mod state;
mod work;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

pub use answers::Answered;
pub use called_back::{CalledBack, MOST_RECEIPTS, Unreadable};
pub use correction::Routed;
pub use page::{DeliveredPage, PageOutcome};
pub use reconciliation::{Difference, Reconciliation};
pub use state::{DeadPage, Holder, PackageState, PlatformState, RejectedRow, holders};
pub use work::{Delivered, Due};

use self::breaker::Breaker;
use super::{PushError, carrier::Carrier, making::Maker, platform::Platform};
use crate::{domain::ids::EntryId, outbox::Outbox};

/// The most rejected rows of a list.
const MOST_REJECTED: i64 = 10_000;

/// A platform that packages are delivered to.
#[derive(Debug, Clone)]
pub struct Target {
    pub platform: Arc<Platform>,
    pub carrier: Arc<dyn Carrier>,
}

impl Target {
    /// The most pages that are under way at a time.
    fn in_flight(&self) -> usize {
        usize::try_from(self.platform.carrier.in_flight()).unwrap_or(1).max(1)
    }
}

/// How deliveries are timed.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a gateway may have a platform without extending it.
    pub lease: Duration,
    /// Failures in succession after which nothing is delivered for a while.
    pub failures: u32,
    /// The first wait after that; it doubles with every failed probe.
    pub shortest_wait: Duration,
    pub longest_wait: Duration,
    /// The first wait between two readings of receipts; it doubles while there are none.
    pub receipts: Duration,
    pub longest_receipts: Duration,
}

/// Delivers packages to platforms.
pub struct Deliveries {
    maker: Maker,
    outbox: Outbox,
    targets: BTreeMap<String, Target>,
    timing: Timing,
    /// The name of this process in leases, made when it is first needed.
    owner: OnceLock<String>,
    breakers: Mutex<BTreeMap<String, Breaker>>,
    /// When each platform's lease was last extended, in this process's monotonic time.
    leased: Mutex<BTreeMap<String, Duration>>,
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("owner", &self.owner.get())
            .field("targets", &self.targets)
            .finish_non_exhaustive()
    }
}

impl Deliveries {
    /// Deliveries to platforms.
    pub fn new(maker: Maker, outbox: Outbox, targets: Vec<Target>, timing: Timing) -> Self {
        let targets = targets.into_iter().map(|target| (target.platform.id.clone(), target)).collect();
        let owner = OnceLock::new();
        Self { maker, outbox, targets, timing, owner, breakers: Mutex::default(), leased: Mutex::default() }
    }

    /// The name of this process in leases. Random: a process that starts again is another one, and what its predecessor had under way
    /// is begun again.
    fn owner(&self) -> &str {
        let env = &self.maker.env;
        self.owner.get_or_init(|| EntryId::new(&*env.clock, &*env.entropy).to_string())
    }

    /// The ids of the platforms.
    pub fn platforms(&self) -> impl Iterator<Item = &str> {
        self.targets.keys().map(String::as_str)
    }

    /// Makes the packages of these platforms.
    pub const fn maker(&self) -> &Maker {
        &self.maker
    }

    /// A platform that packages are delivered to.
    pub fn target(&self, platform: &str) -> Result<&Target, PushError> {
        self.targets.get(platform).ok_or_else(|| PushError::NotActive {
            platform: platform.to_owned(),
            active: self.targets.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        })
    }
}
