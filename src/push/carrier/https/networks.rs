//! The networks that a platform's addresses must be in. Government lines are private addresses, so this is a list of what is
//! allowed and not of what is banned.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::Network;

/// A host without an allowed address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is {addresses}, outside the platform's networks ({allowed}): no connection was made. Compare with the address that \
     the platform's operator gave you, and correct `allow` or the DNS"
)]
pub struct AddressRefused {
    pub host: String,
    /// What the name resolves to.
    pub addresses: String,
    /// The networks.
    pub allowed: String,
}

/// A host that resolves to nothing.
#[derive(Debug, thiserror::Error)]
#[error("the name {host} resolves to no address")]
pub(super) struct NoAddress {
    pub(super) host: String,
    #[source]
    pub(super) source: Option<std::io::Error>,
}

/// The allowed networks, and the resolver that keeps to them.
///
/// The HTTP client connects to the addresses that this resolver returns and to no others, so that an address cannot change
/// between the check and the connection (DNS rebinding). Addresses that are written in the URL pass no resolver: they are checked
/// when the URL is read.
#[derive(Debug, Clone)]
pub(super) struct AllowedNetworks(Arc<[Network]>);

impl AllowedNetworks {
    pub(super) fn new(networks: Vec<Network>) -> Self {
        Self(networks.into())
    }

    /// Keeps the allowed addresses of a host. Refused where none is left.
    pub(super) fn admit(&self, host: &str, found: &[IpAddr]) -> Result<Vec<IpAddr>, AddressRefused> {
        let admitted: Vec<IpAddr> =
            found.iter().copied().filter(|address| self.0.iter().any(|network| network.contains(*address))).collect();
        if !admitted.is_empty() {
            return Ok(admitted);
        }
        let joined = |texts: Vec<String>| texts.join(", ");
        Err(AddressRefused {
            host: host.to_owned(),
            addresses: joined(found.iter().map(ToString::to_string).collect()),
            allowed: joined(self.0.iter().map(ToString::to_string).collect()),
        })
    }

    async fn resolve_host(self, host: String) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
        let found = tokio::net::lookup_host((host.as_str(), 0)).await;
        // Collected first: the iterator borrows the name.
        let found = found.map(|found| found.map(|address| address.ip()).collect::<Vec<IpAddr>>());
        let found = match found {
            Ok(found) if !found.is_empty() => found,
            other => return Err(NoAddress { host, source: other.err() }.into()),
        };
        let admitted = self.admit(&host, &found)?;
        // The port is that of the URL: zero stands for it.
        Ok(Box::new(admitted.into_iter().map(|address| SocketAddr::new(address, 0))))
    }
}

impl Resolve for AllowedNetworks {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(self.clone().resolve_host(name.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_addresses_in_the_networks_are_connected_to() {
        let allowed = ["10.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().unwrap());
        let networks = AllowedNetworks::new(allowed.to_vec());
        let admit = |texts: &[&str]| networks.admit("platform.test", &addresses(texts));
        assert_eq!(admit(&["10.1.2.3", "192.0.2.1"]).unwrap(), addresses(&["10.1.2.3"]));
        assert_eq!(admit(&["::ffff:10.1.2.3", "2001:db8::1"]).unwrap(), addresses(&["::ffff:10.1.2.3", "2001:db8::1"]));
        for outside in ["127.0.0.1", "169.254.169.254", "11.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0"] {
            let refused = admit(&[outside]).unwrap_err();
            let text = refused.to_string();
            assert!(text.contains(outside) && text.contains("10.0.0.0/8, 2001:db8::/32"), "{text}");
        }
        assert!(
            AllowedNetworks::new(Vec::new()).admit("h", &addresses(&["10.1.2.3"])).is_err(),
            "an empty list allows none"
        );
    }
}
