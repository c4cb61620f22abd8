//! The HTTP client of a platform, made again when one of its files changes.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    super::{Failed, FailureReason},
    networks::AllowedResolver,
};
use crate::{
    authority::client_tls::{ClientFiles, ClientStamp},
    domain::{clock::SharedClock, error_chain},
};

/// A client with the stamps of the files that it was made of.
#[derive(Debug)]
struct Loaded {
    stamp: ClientStamp,
    client: reqwest::Client,
}

/// The clients of a platform: one is in use.
#[derive(Debug)]
pub(super) struct Clients {
    files: ClientFiles,
    resolver: AllowedResolver,
    /// For the connection, and for the whole exchange.
    timeouts: (Duration, Duration),
    clock: SharedClock,
    loaded: Mutex<Option<Loaded>>,
    /// The stamps with which the files could not be used, so that they are reported once.
    refused: Mutex<Option<ClientStamp>>,
}

impl Clients {
    pub(super) fn new(
        files: ClientFiles,
        resolver: AllowedResolver,
        timeouts: (Duration, Duration),
        clock: SharedClock,
    ) -> Self {
        Self { files, resolver, timeouts, clock, loaded: Mutex::default(), refused: Mutex::default() }
    }

    /// The client with the files as they are now. While a renewal is half done, so that the key does not fit the certificate, the
    /// former client stays in use.
    pub(super) async fn current(&self) -> Result<reqwest::Client, Failed> {
        let stamp = self.files.stamp().await;
        let former = {
            let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            match &*loaded {
                Some(loaded) if loaded.stamp == stamp => return Ok(loaded.client.clone()),
                other => other.as_ref().map(|loaded| loaded.client.clone()),
            }
        };
        // Not under the lock: two calls may both read the files, which is harmless.
        match self.load().await {
            Ok(client) => {
                let loaded = Loaded { stamp, client: client.clone() };
                *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
                Ok(client)
            }
            Err(why) => former.inspect(|_| self.report(stamp, &why)).ok_or_else(|| {
                Failed::passing(FailureReason::Credentials, format!("the platform's certificate files: {why}"))
            }),
        }
    }

    async fn load(&self) -> Result<reqwest::Client, String> {
        let config = self.files.read_apart(self.clock.clone()).await.map_err(|error| error_chain(&error))?;
        reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            // A redirect would carry a package to another address.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy from the environment would resolve the name itself, past the check of addresses.
            .no_proxy()
            .https_only(true)
            .dns_resolver(self.resolver.clone())
            // The outbox repeats attempts, and counts them.
            .retry(reqwest::retry::never())
            .connect_timeout(self.timeouts.0)
            .timeout(self.timeouts.1)
            .build()
            .map_err(|error| error_chain(&error))
    }

    fn report(&self, stamp: ClientStamp, why: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref() != Some(&stamp) {
            tracing::warn!(
                reason = why,
                "changed certificate files of a platform cannot be used; the former stay in use"
            );
            *refused = Some(stamp);
        }
    }
}
