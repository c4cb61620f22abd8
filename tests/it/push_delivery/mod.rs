//! Packages end to end, over a platform of the test's own: made, delivered, answered, corrected, withdrawn.

mod called_back;
mod corrections;
mod faults;
mod killed;
mod life;
mod model;
mod originals;
mod platform;
mod processes;
mod receiver;

use std::{sync::Arc, time::Duration};

use medcredit::{
    domain::{Kinds, region::RegionTable},
    identity::{KeyPair, Suite},
    outbox::{Outbox, Policy},
    push::{
        delivery::{Answered, Delivered, Deliveries, Target, Timing},
        making::{AnswerDays, Made, Maker, MakerTables},
        platform::{Evaluator, Platform},
    },
};

pub use self::platform::{Fault, TestPlatform};
use crate::{
    grading::Bureau,
    push::{BUREAU, platform as shipped, round},
    support::{TestStore, tester},
};

const TIMING: Timing = Timing {
    lease: Duration::from_mins(1),
    failures: 3,
    shortest_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(15),
    receipts: Duration::from_secs(30),
    longest_receipts: Duration::from_hours(1),
};

/// A bureau with a round in force, and platforms that get it.
pub struct City {
    pub bureau: Bureau,
    pub run: String,
    pub deliveries: Arc<Deliveries>,
    /// `municipal-credit-service`: marks objections, and has natural persons by code.
    pub municipal: TestPlatform,
    /// `credit-china`: publishes, and leaves objections out.
    pub public: TestPlatform,
}

pub const MUNICIPAL: &str = "municipal-credit-service";
pub const PUBLIC: &str = "credit-china";

/// Deliveries of a process of its own to platforms.
pub fn deliveries(bureau: &Bureau, targets: &[(Platform, TestPlatform)]) -> Arc<Deliveries> {
    let env = bureau.store.env();
    let key = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
    let key = Arc::new(key);
    let tables = MakerTables {
        library: bureau.library.clone(),
        kinds: Kinds::built_in().unwrap(),
        regions: RegionTable::built_in().unwrap(),
        evaluator: Evaluator { name: Some("示范市医疗保障局".into()), uscc: Some(BUREAU.into()) },
        answer_days: AnswerDays { correction: 3, other: 15 },
    };
    let maker = Maker::new(env.clone(), tables, Arc::new(move || key.clone()));
    let targets = targets
        .iter()
        .map(|(platform, carrier)| Target { platform: Arc::new(platform.clone()), carrier: Arc::new(carrier.clone()) });
    Arc::new(Deliveries::new(maker, Outbox::new(env, Policy::default()), targets.collect(), TIMING))
}

impl City {
    pub async fn with(store: TestStore) -> Self {
        let (bureau, _, run) = round(store).await;
        let (municipal, public) = (TestPlatform::default(), TestPlatform::default());
        let deliveries = Self::process(&bureau, &municipal, &public);
        Self { bureau, run, deliveries, municipal, public }
    }

    fn process(bureau: &Bureau, municipal: &TestPlatform, public: &TestPlatform) -> Arc<Deliveries> {
        let targets = [(shipped(MUNICIPAL), municipal.clone()), (shipped(PUBLIC), public.clone())];
        deliveries(bureau, &targets)
    }

    /// Another process over the same store.
    pub fn another(&self) -> Arc<Deliveries> {
        Self::process(&self.bureau, &self.municipal, &self.public)
    }

    /// The record of a subject in the round.
    pub fn record(&self, code: &str) -> String {
        format!("wenzhou-951:2025-H2:{code}")
    }

    /// Makes what is due and what events say. Returns the packages.
    pub async fn make(&self) -> Vec<Made> {
        let lock = self.deliveries.maker().lock().await.unwrap().expect("nobody else makes packages");
        let routed = self.deliveries.route(tester()).await.unwrap();
        let due = self.deliveries.make_due(&[MUNICIPAL, PUBLIC], tester()).await.unwrap();
        lock.release().await.unwrap();
        assert!(routed.failed.is_empty() && due.failed.is_empty(), "{routed:?} {due:?}");
        routed.made.into_iter().chain(due.made).filter(|made| made.package.is_some()).collect()
    }

    /// Makes a pass over a platform.
    pub async fn pass(&self, platform: &str) -> (Delivered, Answered) {
        let delivered = self.deliveries.deliver(platform, &|| false, &|_| {}).await.unwrap();
        (delivered, self.deliveries.read_answers(platform, true).await.unwrap())
    }

    /// Makes packages and delivers them to both platforms, until nothing is left to do.
    pub async fn settle(&self) {
        self.make().await;
        for platform in [MUNICIPAL, PUBLIC] {
            self.pass(platform).await;
        }
    }

    pub fn advance(&self, by: Duration) {
        self.bureau.store.clock.advance(by);
    }
}

/// An entry of the ledger with a word, how often.
pub async fn entries(bureau: &Bureau, action: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM ledger_entries WHERE body LIKE '%' || $1 || '%'";
    let values = vec![medcredit::store::Arg::Text(format!("\"{action}\""))];
    bureau.db().read("test").fetch_one::<(i64,)>(sql, values).await.unwrap().0
}
