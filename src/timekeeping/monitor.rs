//! The comparison at each poll.

use std::time::Duration;

use tokio::sync::Mutex;

use super::{
    judge::{Bounds, Disagreement, Observation, judge, was_set},
    peers::Peers,
};
use crate::{
    domain::{ClockTrust, Failure, Timestamp, clock_trust::offset_of},
    store::{DbError, Env, Tx, clocks, durability},
};

/// How long the reading of a gateway that stopped is stored.
const READING_RETENTION: Duration = Duration::from_hours(24);

#[derive(Debug, Default)]
struct State {
    /// The number under which this gateway writes its readings.
    number: Option<i64>,
    /// The offset at which the clock last agreed; none before it has.
    anchor: Option<i64>,
    /// Whether the clock agrees with the database's and its own past, apart from other gateways.
    consistent: bool,
    peers: Peers,
    /// Whether any running gateway's clock differs.
    dissent: bool,
    /// The time that an operator accepted, as last read.
    accepted: Option<i64>,
    /// How far the last time that the store had seen, when this clock first agreed, is ahead of monotonic time; none where
    /// another clock shows that the time since then has passed.
    proved: Option<i64>,
}

/// Compares this gateway's clock with others.
#[derive(Debug)]
pub struct ClockMonitor {
    env: Env,
    bounds: Bounds,
    /// Locked by comparisons only, never by a request.
    state: Mutex<State>,
}

impl ClockMonitor {
    /// A monitor of the environment's clock, which sets the environment's trust in it.
    pub fn new(env: Env, bounds: Bounds) -> Self {
        Self { env, bounds, state: Mutex::default() }
    }

    /// The result of the last comparison.
    pub fn trust(&self) -> ClockTrust {
        self.env.clock_trust.clone()
    }

    /// Compares the clock with all others. An error means that nothing was compared, and changes nothing.
    pub async fn compare(&self) -> Result<(), DbError> {
        let mut state = self.state.lock().await;
        let (clock, db) = (&self.env.clock, &self.env.db);
        let began = clock.monotonic();
        let rows = clocks::list(db).await?;
        let sealed = clocks::last_sealed(db).await?;
        let database = durability::database_clock(db).await?;
        let (now, offset, monotonic) = (clock.now(), offset_of(&**clock), clock.monotonic());
        let accepted = rows.iter().find(|row| row.gateway == clocks::ACCEPTED).map(|row| row.reading_at);
        if accepted != state.accepted {
            // An operator has confirmed the clock: what was before does not count.
            (state.accepted, state.anchor, state.proved) = (accepted, None, None);
        }
        let believed = rows.iter().filter(|row| row.consistent == 1).map(|row| row.reading_at);
        let seen = Observation {
            now,
            offset,
            took: monotonic.saturating_sub(began),
            database,
            sealed,
            last_seen: believed.max().map(Timestamp::from_micros),
        };
        let own = judge(&seen, state.anchor, self.bounds);
        state.consistent = own.is_ok();
        if let Ok(anchor) = own {
            if state.anchor.is_none() {
                // The first agreement. Without another clock nothing shows how long the gateways were stopped.
                let monotonic = micros(monotonic);
                state.proved = seen.last_seen.filter(|_| database.is_none()).map(|at| at.micros() - monotonic);
            }
            state.anchor = Some(anchor);
        }
        let number = state.number;
        state.peers.look(&rows, number, monotonic);
        let reading = (offset, monotonic);
        state.dissent = state.peers.dissenter(false, self.bounds.max_offset, reading).is_some();
        let peer = state.peers.dissenter(true, self.bounds.max_offset, reading);
        let found = own.and_then(|_| peer.map_or(Ok(()), Err));
        self.conclude(&seen, found);
        Ok(())
    }

    /// Sets the trust, and raises the alarm when it changes.
    fn conclude(&self, seen: &Observation, found: Result<(), Disagreement>) {
        let trust = &self.env.clock_trust;
        let before = trust.is_disagreed();
        metrics::gauge!("medcredit_clock_trusted").set(f64::from(u8::from(found.is_ok())));
        if let Some(theirs) = seen.database {
            let ahead = seen.now.since(theirs).as_secs_f64() - theirs.since(seen.now).as_secs_f64();
            metrics::gauge!("medcredit_clock_offset_seconds").set(ahead);
        }
        match found {
            Ok(()) => {
                trust.agrees(seen.offset, self.bounds.max_offset);
                if before {
                    tracing::info!("the clock agrees with the others again: data requests are answered");
                }
            }
            Err(with) => {
                let reason = with.explain(seen.now);
                if !before {
                    tracing::error!(reason = %reason, "the clock is not to be relied on: data requests are refused");
                }
                trust.disagrees(reason);
            }
        }
    }

    /// Writes this gateway's reading for the others.
    pub async fn publish(&self) -> Result<(), DbError> {
        // Not locked while the writer is awaited: comparisons, and with them all answers, would wait too.
        let (number, anchor, consistent) = {
            let state = self.state.lock().await;
            (state.number, state.anchor, state.consistent)
        };
        let mut tx = self.env.db.begin("timekeeping::publish").await?;
        // Read under the writer's lock: a reading that waited for it would look late to the others.
        let (now, offset) = (self.env.now(), offset_of(&*self.env.clock));
        // Its own comparison alone: two gateways that differ must both stay witnesses against each other.
        let was_set = anchor.is_some_and(|anchor| was_set(offset, anchor, self.bounds.max_offset));
        let number = clocks::write(&mut tx, number, now, consistent && !was_set).await?;
        tx.commit().await?;
        self.state.lock().await.number = Some(number);
        Ok(())
    }

    /// The time until which things may be done that cannot be undone: what has expired by then is recorded as expired or
    /// deleted. Compares first. Fails while the clock is not to be relied on, or any running gateway's differs.
    pub async fn settled(&self) -> Result<Timestamp, Failure> {
        self.compare().await?;
        self.env.require_clock()?;
        let state = self.state.lock().await;
        if state.dissent {
            return Err(Failure::unavailable("clock_untrusted", "the clock of a running gateway differs"));
        }
        let now = self.env.now();
        let passed = micros(self.env.clock.monotonic());
        Ok(state.proved.map_or(now, |proved| now.min(Timestamp::from_micros(proved.saturating_add(passed)))))
    }

    /// Deletes the readings of gateways that stopped long before an instant.
    pub async fn delete_old_readings(&self, now: Timestamp) -> Result<(), DbError> {
        let mut tx = self.env.db.begin("timekeeping::delete_old_readings").await?;
        clocks::delete_older(&mut tx, now.minus(READING_RETENTION)).await?;
        tx.commit().await
    }
}

/// Compares a clock once, without other gateways. Returns the reason why it is not to be relied on.
pub async fn examine(env: &Env, bounds: Bounds) -> Result<Result<(), String>, DbError> {
    // A trust of its own: the caller's is not changed.
    let env = Env { clock_trust: ClockTrust::default(), ..env.clone() };
    let monitor = ClockMonitor::new(env, bounds);
    monitor.compare().await?;
    Ok(monitor.env.clock_trust.check(&*monitor.env.clock))
}

/// Accepts the clock as right, in the caller's transaction: gateways no longer compare with what the store has seen before.
pub async fn accept(tx: &mut Tx, now: Timestamp) -> Result<(), DbError> {
    clocks::accept(tx, now).await
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
