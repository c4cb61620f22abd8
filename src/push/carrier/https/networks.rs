//! The resolver that keeps to a platform's networks.
//!
//! The HTTP client connects to the addresses that this resolver returns and to no others, so that an address cannot change
//! between the check and the connection (DNS rebinding). Addresses that are written in the URL pass no resolver: they are checked
//! when the carrier is opened.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::push::platform::AllowedNetworks;

/// A host that resolves to nothing.
#[derive(Debug, thiserror::Error)]
#[error("the name {host} resolves to no address")]
pub(super) struct NoAddress {
    pub(super) host: String,
    #[source]
    pub(super) source: Option<std::io::Error>,
}

/// Resolves names to allowed addresses.
#[derive(Debug, Clone)]
pub(super) struct AllowedResolver(pub(super) AllowedNetworks);

impl AllowedResolver {
    async fn resolve_host(self, host: String) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
        let found = tokio::net::lookup_host((host.as_str(), 0)).await;
        // Collected first: the iterator borrows the name.
        let found = found.map(|found| found.map(|address| address.ip()).collect::<Vec<IpAddr>>());
        let found = match found {
            Ok(found) if !found.is_empty() => found,
            other => return Err(NoAddress { host, source: other.err() }.into()),
        };
        let admitted = self.0.admit(&host, &found)?;
        // The port is that of the URL: zero stands for it.
        Ok(Box::new(admitted.into_iter().map(|address| SocketAddr::new(address, 0))))
    }
}

impl Resolve for AllowedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(self.clone().resolve_host(name.as_str().to_owned()))
    }
}
