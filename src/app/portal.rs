//! The parts of the public listener.

use std::{num::NonZeroU32, sync::Arc};

use tokio::sync::Semaphore;

use super::policies::{limit_policy, server_files};
use crate::{
    authority::{AuthorityError, Custody, PublicServer},
    config::Config,
    limits::{AddressLimit, Policy},
};

/// How many times the quota of an address a site has.
const ADDRESSES_OF_SITE: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// The parts of the public listener.
#[derive(Debug)]
pub struct Portal {
    /// The TLS certificate and key.
    pub server: Arc<PublicServer>,
    /// The limit of requests by address.
    pub addresses: AddressLimit,
    /// The limit of requests by site, a /48 network of IPv6: an address has 65,536 networks there that count as one each.
    pub sites: AddressLimit,
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
        let server = Arc::new(PublicServer::start(custody.clone(), files, "portal").await?);
        let limit = limit_policy("address", section.per_address);
        let quota = limit.quota.saturating_mul(ADDRESSES_OF_SITE);
        let of_site = Policy { name: "site".into(), quota, ..limit.clone() };
        let sites = AddressLimit::new(custody.env.clock.clone(), &*custody.env.entropy, of_site);
        let addresses = AddressLimit::new(custody.env.clock.clone(), &*custody.env.entropy, limit);
        // A bound beyond this platform's sizes counts as one.
        let reads = Semaphore::new(usize::try_from(section.max_reads).unwrap_or(1));
        Ok(Some(Self { server, addresses, sites, reads }))
    }
}
