//! The parts of the public listener.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::policies::{limit_policy, server_files};
use crate::{
    authority::{AuthorityError, Custody, PublicServer},
    config::Config,
    limits::AddressLimit,
};

/// The parts of the public listener.
#[derive(Debug)]
pub struct Portal {
    /// The TLS certificate and key.
    pub server: Arc<PublicServer>,
    /// The limit of requests by address.
    pub addresses: AddressLimit,
    /// Permits to read the database: few, so that the public never delays a bank.
    pub reads: Semaphore,
}

impl Portal {
    /// Opens the portal's parts; none when the configuration has no portal.
    pub(super) async fn open(config: &Config, custody: &Custody) -> Result<Option<Self>, AuthorityError> {
        let section = &config.portal;
        if !section.enabled {
            return Ok(None);
        }
        let files = server_files(section.tls_files(&config.partner));
        let server = Arc::new(PublicServer::start(custody.clone(), files).await?);
        let limit = limit_policy("address", section.per_address);
        let addresses = AddressLimit::new(custody.env.clock.clone(), &*custody.env.entropy, limit);
        // A bound beyond this platform's sizes counts as one.
        let reads = Semaphore::new(usize::try_from(section.max_reads).unwrap_or(1));
        Ok(Some(Self { server, addresses, reads }))
    }
}
