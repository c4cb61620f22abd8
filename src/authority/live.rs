//! The material with which the partner listener works, and until when it counts as current (I3).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{ServerConfig, pki_types::CertificateDer, sign::CertifiedKey};

use super::AuthorityError;
use crate::{
    domain::{Clock, clock::SharedClock},
    identity::{PartnerTrust, tls},
};

/// The time after which material that was not confirmed as current is no longer used. A security invariant (I3): the
/// reloader polls four times in it.
const MAX_AGE: Duration = Duration::from_secs(1);
/// The material with which a listener accepts connections and rechecks open ones.
#[derive(Debug)]
pub struct LiveMaterial {
    /// The TLS configuration.
    pub server: Arc<ServerConfig>,
    /// The server certificate, DER.
    pub certificate: CertificateDer<'static>,
    /// The trusted authorities of banks.
    pub trust: Arc<PartnerTrust>,
    /// The change number at which it was built: it includes all changes up to that number.
    pub change: i64,
}

impl LiveMaterial {
    /// Builds the material from a trust and a server certificate.
    pub fn new(
        trust: Arc<PartnerTrust>,
        server: Arc<CertifiedKey>,
        clock: SharedClock,
    ) -> Result<Self, AuthorityError> {
        // Taken before the configuration swallows it: alerts need its dates.
        let certificate = server.end_entity_cert().map_err(AuthorityError::Tls)?.clone().into_owned();
        let server = tls::server_config(Arc::clone(&trust), server, clock).map_err(AuthorityError::Tls)?;
        Ok(Self { server: Arc::new(server), certificate, trust, change: 0 })
    }
}

/// The material in use, and the time at which it was last confirmed as current.
#[derive(Debug)]
pub struct Live {
    material: ArcSwap<LiveMaterial>,
    /// Monotonic, in microseconds: a clock that is set makes nothing look current.
    confirmed_at: AtomicU64,
}

impl Live {
    /// Creates it with material that was current at an instant of monotonic time.
    pub fn new(material: LiveMaterial, at: Duration) -> Self {
        Self { material: ArcSwap::from_pointee(material), confirmed_at: AtomicU64::new(micros(at)) }
    }

    /// Returns the material even if it is outdated. The check after a handshake uses [`Self::fresh`].
    pub fn material(&self) -> Arc<LiveMaterial> {
        self.material.load_full()
    }

    /// Returns the material unless changes may have been missed.
    pub fn fresh(&self, clock: &dyn Clock) -> Option<Arc<LiveMaterial>> {
        let confirmed = Duration::from_micros(self.confirmed_at.load(Ordering::SeqCst));
        (clock.monotonic().saturating_sub(confirmed) <= MAX_AGE).then(|| self.material())
    }

    /// Replaces the material.
    pub fn publish(&self, material: LiveMaterial) {
        self.material.store(Arc::new(material));
    }

    /// Confirms that the material was current at an instant of monotonic time.
    pub fn confirm(&self, at: Duration) {
        // The maximum: a slow refresh must not move the time back that a faster one has confirmed.
        self.confirmed_at.fetch_max(micros(at), Ordering::SeqCst);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
