//! Nonces of signed requests: each is accepted once while its signature is valid.
//!
//! A repeated read does little harm and is counted anyway, so this process alone remembers the nonces of reads. The nonce
//! of a request that changes state is recorded in the database, so that it cannot be replayed at another gateway either.
//! A request without a nonce can be repeated for a minute by the holder of the token and the certificate's key: equal
//! requests within one second may have equal signatures (Ed25519 is deterministic), so the signature itself is no nonce.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use data_encoding::BASE64URL_NOPAD;

use super::{Access, Caller, caller::sha256};
use crate::{
    domain::{Failure, FailureKind, Timestamp},
    store::tokens,
};

/// The most nonces in memory: about 5 MB, and more than 1,000 signed requests a second for a minute.
const MAX_NONCES: usize = 65_536;

/// Nonces by hash, each with the monotonic time until which it must be remembered: a clock that is set forgets none.
#[derive(Debug, Default)]
pub(super) struct Nonces(Mutex<HashMap<[u8; 32], Duration>>);

impl Nonces {
    /// Records a nonce. Returns whether it was new, or `None` if there is no room for it.
    fn take(&self, hash: [u8; 32], until: Duration, now: Duration) -> Option<bool> {
        let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.len() >= MAX_NONCES {
            nonces.retain(|_, until| *until >= now);
            // All of these still count. Forgetting one would allow a replay, so the request is refused.
            if nonces.len() >= MAX_NONCES {
                return None;
            }
        }
        Some(nonces.insert(hash, until).is_none())
    }
}

impl Access {
    /// Uses up the nonce of a caller's signed request, and refuses one that was used before. If the request
    /// `changes_state`, the nonce is recorded for all gateways.
    pub async fn use_nonce(
        &self,
        caller: &Caller,
        nonce: &str,
        until: Timestamp,
        changes_state: bool,
    ) -> Result<(), Failure> {
        // With the client in it: two clients may choose the same nonce.
        let hash = sha256(format!("nonce:{}:{nonce}", caller.id()).as_bytes());
        let new = if changes_state {
            // Committed before the request is carried out: a crash in between costs the client a new nonce, never a second use.
            let mut tx = self.0.env.db.begin("access::use_nonce").await?;
            let name = BASE64URL_NOPAD.encode(&hash);
            // The table of used assertions serves nonces too; the prefix above keeps them apart.
            let new = tokens::use_assertion(&mut tx, &caller.id().to_string(), &name, until).await?;
            tx.commit().await?;
            new
        } else {
            let (clock, now) = (&self.0.env.clock, self.0.env.clock.monotonic());
            let taken = self.0.nonces.take(hash, now + until.since(clock.now()), now);
            taken.ok_or_else(|| Failure::unavailable("state_unknown", "there is no room for another nonce"))?
        };
        if new {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Unauthenticated,
            "request_signature_replayed",
            "The signature's nonce was used before: sign each request with a new one.",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_nonces_is_bounded_and_expired_ones_make_room() {
        let nonces = Nonces::default();
        let at = Duration::from_secs;
        let hash = |number: usize| sha256(&number.to_be_bytes());
        for number in 0..MAX_NONCES {
            assert_eq!(nonces.take(hash(number), at(60), at(0)), Some(true));
        }
        assert_eq!(nonces.take(hash(MAX_NONCES), at(60), at(60)), None, "no room, and nothing is forgotten early");
        assert_eq!(nonces.take(hash(MAX_NONCES), at(120), at(61)), Some(true));
        assert_eq!(nonces.take(hash(MAX_NONCES), at(120), at(62)), Some(false));
    }
}
