//! A budget of bytes in memory for the whole process, with a share for each client.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::domain::{Failure, FailureKind, ids::ClientId};

/// When a client may try again: by then most of the bodies in progress have ended.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The bytes that clients hold in memory. Cheap to clone; clones share the budget.
#[derive(Debug, Clone)]
pub struct ByteBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: usize,
    share: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    by_client: HashMap<ClientId, usize>,
}

/// The bytes of one request, returned to the budget when dropped, however the request ends.
#[derive(Debug)]
pub struct HeldBytes {
    budget: ByteBudget,
    client: ClientId,
    bytes: usize,
}

impl ByteBudget {
    /// Makes a budget of bytes for all clients, with a share for each.
    pub fn new(total: usize, share: usize) -> Self {
        Self(Arc::new(Shared { total, share, held: Mutex::default() }))
    }

    /// Begins to count the bytes of a request.
    pub fn hold(&self, client: ClientId) -> HeldBytes {
        HeldBytes { budget: self.clone(), client, bytes: 0 }
    }

    /// The bytes that all clients hold.
    pub fn held(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldBytes {
    /// Counts as many bytes as are held now, where that is more than before. A refusal changes nothing.
    pub fn cover(&mut self, bytes: usize) -> Result<(), Failure> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let shared = &self.budget.0;
        // Compared and counted under one lock: two requests cannot both take the last bytes.
        let mut held = self.budget.lock();
        let own = held.by_client.get(&self.client).copied().unwrap_or(0).saturating_add(more);
        if own > shared.share {
            return Err(share_used_up(shared.share));
        }
        let total = held.total.saturating_add(more);
        if total > shared.total {
            return Err(budget_used_up());
        }
        held.total = total;
        held.by_client.insert(self.client, own);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        let mut held = self.budget.lock();
        held.total = held.total.saturating_sub(self.bytes);
        if let Some(own) = held.by_client.get_mut(&self.client) {
            *own = own.saturating_sub(self.bytes);
            // Clients without bytes are removed, so that the map has only those with requests in progress.
            if *own == 0 {
                held.by_client.remove(&self.client);
            }
        }
    }
}

fn share_used_up(share: usize) -> Failure {
    Failure::new(
        FailureKind::Limited { retry_after: RETRY_AFTER, policies: vec!["buffered-bytes".into()] },
        "body_share_used_up",
        format!("The bodies of this client's requests in progress would exceed {share} bytes. Send fewer at a time."),
    )
}

fn budget_used_up() -> Failure {
    let mut failure =
        Failure::unavailable("body_budget_used_up", "the bodies of requests in progress use up the budget");
    failure.kind = FailureKind::Unavailable { retry_after: RETRY_AFTER };
    failure.public =
        "The gateway is receiving as many bodies as it has memory for. Try again after `Retry-After`.".into();
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ManualClock, SeededEntropy, Timestamp};

    #[test]
    fn a_client_has_a_share_and_all_have_a_budget() {
        let (clock, entropy) = (ManualClock::new(Timestamp::from_seconds(1)), SeededEntropy::new(1));
        let client = || ClientId::new(&*clock, &*entropy);
        let (one, other, third) = (client(), client(), client());
        let budget = ByteBudget::new(100, 60);
        let (mut first, mut second) = (budget.hold(one), budget.hold(one));
        first.cover(40).unwrap();
        first.cover(30).unwrap();
        assert_eq!(budget.held(), 40, "what was counted stays counted");
        let refused = second.cover(21).unwrap_err();
        assert_eq!(refused.code, "body_share_used_up");
        assert!(matches!(refused.kind, FailureKind::Limited { retry_after: RETRY_AFTER, .. }));
        second.cover(20).unwrap();
        let mut elsewhere = budget.hold(other);
        elsewhere.cover(40).unwrap();
        let mut late = budget.hold(third);
        let refused = late.cover(1).unwrap_err();
        assert_eq!(refused.code, "body_budget_used_up");
        assert!(refused.retryable());
        assert_eq!(late.cover(usize::MAX).unwrap_err().code, "body_share_used_up", "it does not wrap");
        drop(first);
        late.cover(40).unwrap();
        assert_eq!(budget.held(), 100);
        drop((second, elsewhere, late));
        assert_eq!(budget.held(), 0);
        assert!(budget.lock().by_client.is_empty());
    }
}
