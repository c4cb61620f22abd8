//! Nonces of signed requests: each is accepted once while its signature could be repeated.
//!
//! Reading twice harms little and is counted anyway, so nonces of reads are remembered by this process only. What changes
//! state uses its nonce up in the database, so that it cannot be repeated at another gateway either. A request without a
//! nonce can be repeated for a minute by whoever holds the token and the certificate's key: equal requests of one second
//! may honestly carry equal signatures (Ed25519 is deterministic), so the signature itself is no nonce.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use data_encoding::BASE64URL_NOPAD;

use super::{Access, Caller, caller::sha256};
use crate::{
    domain::{Failure, FailureKind, Timestamp},
    store::tokens,
};

/// The most nonces remembered: about 5 MB, and more than 1,000 signed requests a second for a minute.
const MOST: usize = 65_536;

/// Nonces by hash, until when.
#[derive(Debug, Default)]
pub(super) struct Nonces(Mutex<HashMap<[u8; 32], i64>>);

impl Nonces {
    /// Whether it was new. `None` where there is no room to remember it.
    fn take(&self, hash: [u8; 32], until: Timestamp, now: Timestamp) -> Option<bool> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, until| *until >= now.seconds());
            if known.len() >= MOST {
                return None;
            }
        }
        Some(known.insert(hash, until.seconds()).is_none())
    }
}

impl Access {
    /// Uses up a nonce of a caller's signed request; refused where it was used before. `changes_state` says whether all
    /// gateways must know.
    pub async fn use_nonce(
        &self,
        caller: &Caller,
        nonce: &str,
        until: Timestamp,
        changes_state: bool,
    ) -> Result<(), Failure> {
        let hash = sha256(format!("nonce:{}:{nonce}", caller.id()).as_bytes());
        let new = if changes_state {
            let mut tx = self.0.env.db.begin("access::use_nonce").await?;
            let name = BASE64URL_NOPAD.encode(&hash);
            let new = tokens::use_assertion(&mut tx, &caller.id().to_string(), &name, until).await?;
            tx.commit().await?;
            new
        } else {
            let taken = self.0.nonces.take(hash, until, self.0.env.clock.now());
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
    fn memory_is_bounded_and_time_frees_it() {
        let nonces = Nonces::default();
        let at = Timestamp::from_seconds;
        let hash = |number: usize| sha256(&number.to_be_bytes());
        for number in 0..MOST {
            assert_eq!(nonces.take(hash(number), at(60), at(0)), Some(true));
        }
        assert_eq!(nonces.take(hash(MOST), at(60), at(60)), None, "no room, and nothing is forgotten early");
        assert_eq!(nonces.take(hash(MOST), at(120), at(61)), Some(true));
        assert_eq!(nonces.take(hash(MOST), at(120), at(62)), Some(false));
    }
}
