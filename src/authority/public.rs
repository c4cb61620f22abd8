//! The certificate of a public listener. Such a listener requests no client certificates and so has no trust.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{ServerConfig, sign::CertifiedKey};
use tokio::sync::Mutex;

use super::{
    AuthorityError, Custody,
    expiry_alerts::{self, ExpiryAlerts},
    seen_file::{FileStamp, SeenFile, is_passing, stamp},
    server::{self, ServerFiles},
};
use crate::identity::tls;

/// The TLS configuration of a public listener, kept up to date with its files.
#[derive(Debug)]
pub struct PublicServer {
    custody: Custody,
    files: ServerFiles,
    /// The name of the listener in metrics and logs.
    listener: &'static str,
    config: ArcSwap<ServerConfig>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seen: [SeenFile; 2],
    certified: Arc<CertifiedKey>,
    alerts: ExpiryAlerts,
}

impl PublicServer {
    /// Reads the files of a listener for the first time. An invalid certificate is an error, because there is no old one to keep.
    pub async fn start(custody: Custody, files: ServerFiles, listener: &'static str) -> Result<Self, AuthorityError> {
        // The stamps first: a file that is replaced before it is read then has a new stamp and is read again.
        let seen = stamps(&files).await.map(SeenFile::used);
        let certified = server::load(&files, &custody.crypter, custody.env.clock.now())?;
        let config = build(&custody, &certified)?;
        let state = Mutex::new(State { seen, certified, alerts: ExpiryAlerts::default() });
        Ok(Self { custody, files, listener, config: ArcSwap::from_pointee(config), state })
    }

    /// The name of the listener in metrics and logs.
    pub const fn listener(&self) -> &'static str {
        self.listener
    }

    /// The current TLS configuration.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Loads files that were replaced, once certificate and key match. Returns whether it did.
    pub async fn refresh(&self) -> bool {
        // Held over the reload: two reloads at the same time could store the older certificate last.
        let mut state = self.state.lock().await;
        let (now, current) = (self.custody.env.clock.now(), stamps(&self.files).await);
        let mut loaded_new = false;
        if state.seen.iter().zip(&current).any(|(seen, stamp)| seen.is_due(stamp.as_ref(), now)) {
            let loaded = server::load(&self.files, &self.custody.crypter, now)
                .and_then(|certified| build(&self.custody, &certified).map(|config| (certified, config)));
            match loaded {
                Ok((certified, config)) => {
                    state.seen = current.map(SeenFile::used);
                    self.config.store(Arc::new(config));
                    state.certified = certified;
                    expiry_alerts::server_accepted(self.listener);
                    loaded_new = true;
                }
                Err(error) => {
                    // A broken file is reported once, and read again when it changes or after a while.
                    if state.seen.iter().zip(&current).any(|(seen, stamp)| !seen.was_refused(stamp.as_ref())) {
                        expiry_alerts::server_rejected(self.listener, &error);
                    }
                    state.seen = current.map(|stamp| SeenFile::unused(stamp, is_passing(&error), now));
                }
            }
        }
        let certified = Arc::clone(&state.certified);
        if let Ok(leaf) = certified.end_entity_cert() {
            state.alerts.check_server(self.listener, leaf, now);
        }
        loaded_new
    }
}

async fn stamps(files: &ServerFiles) -> [Option<FileStamp>; 2] {
    [stamp(&files.certificate).await, stamp(&files.key).await]
}

fn build(custody: &Custody, certified: &Arc<CertifiedKey>) -> Result<ServerConfig, AuthorityError> {
    tls::public_server_config(Arc::clone(certified), Arc::clone(&custody.env.clock)).map_err(AuthorityError::Tls)
}
