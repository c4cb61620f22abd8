//! The agreement of all gateways on the server that the database is on (docs/RECOVERY.md).
//!
//! After a failover a gateway finds nothing missing if it has not seen what was lost. So none of them answers or seals on
//! another server until each gateway that was running has compared it with its own files and memory. They attest that in the
//! database: whatever a standby has received, it has received everything before it, and so it knows of every gateway whose
//! answers it lacks. A gateway that finds something missing attests that, and nobody answers until an operator has recovered.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{HistoryState, gateway_name::GatewayName};
use crate::{
    domain::clock::SharedClock,
    ledger::error::LedgerError,
    store::{
        Db,
        ledger::servers::{self, AttestationRow, ServerRow},
    },
};

/// How often a gateway attests that it is running.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A gateway that has attested nothing for this long before the last that others did had ended by then: what it knew had been
/// received before the others' attestations. Much longer than a gateway records or seals after its last attestation, which is
/// until its polls have failed for two seconds and its statements for four more.
const LIVE_MICROS: i64 = 60_000_000;

/// What this process has attested last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attested {
    server: String,
    finding: Option<String>,
    at: Instant,
}

#[derive(Debug, Default)]
struct Memory {
    attested: Option<Attested>,
    /// What all gateways attested, as last seen on a server that was agreed on: a standby may lack one that has just started.
    seen: Vec<AttestationRow>,
}

/// A gateway that attests; without one, the agreement is only looked at.
#[derive(Debug)]
struct Attesting {
    name: GatewayName,
    clock: SharedClock,
}

/// One process's view of the agreement.
#[derive(Debug)]
pub(super) struct Agreement {
    db: Db,
    attesting: Option<Attesting>,
    memory: Mutex<Memory>,
}

impl Agreement {
    /// For a command, which writes nothing.
    pub(super) fn observed(db: Db) -> Self {
        Self { db, attesting: None, memory: Mutex::default() }
    }

    /// For a gateway.
    pub(super) fn of_gateway(db: Db, name: GatewayName, clock: SharedClock) -> Self {
        Self { db, attesting: Some(Attesting { name, clock }), memory: Mutex::default() }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self) -> &str {
        self.attesting.as_ref().map_or("this command", |attesting| attesting.name.as_str())
    }

    /// Whether the database is on another server than the one that this gateway attested last: connections may still lead to
    /// that one, and answers be on the way to it.
    pub(super) fn has_moved(&self, seen: &ServerRow) -> bool {
        let memory = self.memory();
        let (Some(attested), Some(server)) = (&memory.attested, &seen.server) else { return false };
        attested.server != *server
    }

    /// The state before anything is known of another server.
    pub(super) fn unagreed(&self) -> HistoryState {
        HistoryState::Unagreed { waiting: vec![self.name().to_owned()] }
    }

    /// Attests what this process has found by itself, and returns what all of them have found. `seen` was read before the history
    /// that `own` was judged by.
    pub(super) async fn conclude(
        &self,
        seen: &ServerRow,
        epoch: i64,
        own: HistoryState,
    ) -> Result<HistoryState, LedgerError> {
        let Some(server) = &seen.server else { return Ok(own) };
        let finding = match &own {
            HistoryState::Current => None,
            lacking if lacking.is_lacking() => Some(lacking.to_string()),
            // Where nothing could be found out, nothing is attested.
            _ => return Ok(own),
        };
        if !self.attest(server, epoch, finding).await? {
            // It moved again since: what was found was found elsewhere.
            return Ok(self.unagreed());
        }
        if own != HistoryState::Current {
            return Ok(own);
        }
        let rows = servers::attestations(&self.db, epoch).await?;
        if let Some((gateway, finding)) = dispute(&rows, server) {
            return Ok(HistoryState::Disputed { gateway, finding });
        }
        if seen.agreed.as_ref() == Some(server) {
            self.memory().seen = rows;
            return Ok(HistoryState::Current);
        }
        let waiting = waiting(&rows, &self.memory().seen, server, seen.agreed.as_deref());
        if !waiting.is_empty() {
            return Ok(HistoryState::Unagreed { waiting });
        }
        self.agree(server, epoch).await
    }

    /// `false` when the database is on another server by now.
    async fn attest(&self, server: &str, epoch: i64, finding: Option<String>) -> Result<bool, LedgerError> {
        let Some(Attesting { name, .. }) = &self.attesting else { return Ok(true) };
        let is_due =
            |last: &Attested| last.server != server || last.finding != finding || last.at.elapsed() >= HEARTBEAT;
        if !self.memory().attested.as_ref().is_none_or(is_due) {
            return Ok(true);
        }
        let at = Instant::now();
        let mut tx = self.db.begin("ledger.attest").await?;
        if !servers::attest(&mut tx, name.as_str(), server, epoch, finding.as_deref()).await? {
            return Ok(false);
        }
        tx.commit().await?;
        self.memory().attested = Some(Attested { server: server.to_owned(), finding, at });
        Ok(true)
    }

    /// Every gateway has found nothing missing: the server is the one from here on.
    async fn agree(&self, server: &str, epoch: i64) -> Result<HistoryState, LedgerError> {
        // A command leaves it to the first gateway.
        let Some(Attesting { clock, .. }) = &self.attesting else { return Ok(HistoryState::Current) };
        let mut tx = self.db.begin("ledger.agree").await?;
        let agreed = match servers::agree(&mut tx, server, epoch, clock.now()).await {
            Ok(true) => tx.commit().await,
            Ok(false) => return Ok(self.unagreed()),
            Err(error) => Err(error),
        };
        match agreed {
            // Another gateway was first, and found the same.
            Err(error) if error.is_constraint() => {}
            other => other?,
        }
        tracing::info!("every gateway has compared the database on its new server, and found nothing missing");
        Ok(HistoryState::Current)
    }

    /// Removes what this gateway attested, so that nobody waits for it: it has ended.
    pub(super) async fn withdraw(&self) -> Result<(), LedgerError> {
        let attested = self.memory().attested.take();
        let (Some(Attesting { name, .. }), Some(Attested { server, .. })) = (&self.attesting, attested) else {
            return Ok(());
        };
        let mut tx = self.db.begin("ledger.withdraw").await?;
        servers::withdraw(&mut tx, name.as_str(), &server).await?;
        Ok(tx.commit().await?)
    }
}

/// A gateway that knows more than the server, and what it has found.
fn dispute(rows: &[AttestationRow], server: &str) -> Option<(String, String)> {
    let mut here = rows.iter().filter(|row| row.server == server);
    here.find_map(|row| Some((row.gateway.clone(), row.finding.clone()?)))
}

/// The gateways that were running on the server that was agreed on, by its own clock, and have not compared the present one.
fn waiting(rows: &[AttestationRow], seen: &[AttestationRow], server: &str, agreed: Option<&str>) -> Vec<String> {
    let before: Vec<_> = rows.iter().chain(seen).filter(|row| Some(row.server.as_str()) == agreed).collect();
    let newest = before.iter().map(|row| row.attested_at).max().unwrap_or(0);
    let compared: HashSet<_> = rows.iter().filter(|row| row.server == server).map(|row| &row.gateway).collect();
    let live = before.into_iter().filter(|row| row.attested_at.saturating_add(LIVE_MICROS) >= newest);
    let waiting: BTreeSet<_> = live.map(|row| &row.gateway).filter(|gateway| !compared.contains(gateway)).collect();
    waiting.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn row(gateway: &str, server: &str, seconds: i64) -> AttestationRow {
        let (gateway, server) = (gateway.to_owned(), server.to_owned());
        AttestationRow { gateway, server, finding: None, attested_at: seconds * SECOND }
    }

    #[test]
    fn every_gateway_that_was_running_is_waited_for() {
        let before = [row("a", "1", 100), row("b", "1", 101)];
        assert_eq!(waiting(&before, &[], "2", Some("1")), ["a", "b"]);
        let one = [&before[..], &[row("b", "2", 5)]].concat();
        assert_eq!(waiting(&one, &[], "2", Some("1")), ["a"], "whatever the time on the other server");
        let both = [&one[..], &[row("a", "2", 6)]].concat();
        assert!(waiting(&both, &[], "2", Some("1")).is_empty());
        assert!(waiting(&[row("a", "2", 1)], &[], "2", None).is_empty(), "nothing was agreed on before");
    }

    #[test]
    fn a_gateway_that_had_ended_is_not_waited_for() {
        let rows = |last| [row("ended", "1", 100), row("b", "1", last), row("b", "2", 0)];
        assert_eq!(waiting(&rows(160), &[], "2", Some("1")), ["ended"], "it may have known something");
        assert!(waiting(&rows(161), &[], "2", Some("1")).is_empty());
    }

    #[test]
    fn a_gateway_that_only_this_one_has_seen_is_waited_for() {
        let seen = [row("a", "1", 100), row("new", "1", 102)];
        let rows = [row("a", "1", 100), row("a", "2", 0)];
        assert_eq!(waiting(&rows, &seen, "2", Some("1")), ["new"]);
        assert!(waiting(&rows, &seen, "2", Some("0")).is_empty(), "seen before another agreement");
    }

    #[test]
    fn a_gateway_that_knows_more_keeps_all_from_answering() {
        let finding = Some("the database lacks an end".to_owned());
        let rows = [row("a", "2", 0), AttestationRow { finding, ..row("b", "2", 0) }];
        assert_eq!(dispute(&rows, "2"), Some(("b".into(), "the database lacks an end".into())));
        assert_eq!(dispute(&rows, "1"), None);
    }
}
