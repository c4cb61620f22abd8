//! The certificate of a public listener: it asks its callers for none, so there is no trust beside it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{ServerConfig, sign::CertifiedKey};
use tokio::sync::Mutex;

use super::{
    AuthorityError, Custody,
    expiry_alerts::{self, Watch},
    server::{self, ServerFiles},
    tls_reload::{Stamp, stamp},
};
use crate::identity::tls;

/// Whose material this is, in metrics and log.
const LISTENER: &str = "portal";

/// What a public listener shows, kept up to date with its files.
#[derive(Debug)]
pub struct PublicServer {
    custody: Custody,
    files: ServerFiles,
    config: ArcSwap<ServerConfig>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stamps: [Option<Stamp>; 2],
    certified: Arc<CertifiedKey>,
    watch: Watch,
}

impl PublicServer {
    /// Reads the files for the first time. Here a certificate that cannot be used is an error: there is no old one.
    pub async fn start(custody: Custody, files: ServerFiles) -> Result<Self, AuthorityError> {
        // The stamps first: a file that is replaced between the two is then read again.
        let stamps = stamps(&files).await;
        let certified = server::load(&files, &custody.crypter, custody.env.clock.now())?;
        let config = build(&custody, &certified)?;
        let state = Mutex::new(State { stamps, certified, watch: Watch::default() });
        Ok(Self { custody, files, config: ArcSwap::from_pointee(config), state })
    }

    /// The server's side of a handshake.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Takes up files that were replaced, once they fit each other; returns whether it did.
    pub async fn refresh(&self) -> bool {
        let mut state = self.state.lock().await;
        let (now, present) = (self.custody.env.clock.now(), stamps(&self.files).await);
        let mut taken_up = false;
        if present != state.stamps {
            state.stamps = present;
            let loaded = server::load(&self.files, &self.custody.crypter, now)
                .and_then(|certified| build(&self.custody, &certified).map(|config| (certified, config)));
            match loaded {
                Ok((certified, config)) => {
                    self.config.store(Arc::new(config));
                    state.certified = certified;
                    expiry_alerts::server_accepted(LISTENER);
                    taken_up = true;
                }
                Err(error) => expiry_alerts::server_rejected(LISTENER, &error),
            }
        }
        let certified = Arc::clone(&state.certified);
        if let Ok(leaf) = certified.end_entity_cert() {
            state.watch.server(LISTENER, leaf, now);
        }
        taken_up
    }
}

async fn stamps(files: &ServerFiles) -> [Option<Stamp>; 2] {
    [stamp(&files.certificate).await, stamp(&files.key).await]
}

fn build(custody: &Custody, certified: &Arc<CertifiedKey>) -> Result<ServerConfig, AuthorityError> {
    tls::public_server_config(Arc::clone(certified), Arc::clone(&custody.env.clock)).map_err(AuthorityError::Tls)
}
