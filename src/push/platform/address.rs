//! The address of a platform over HTTPS, and the networks that it must be in. Government lines are private addresses, so these
//! are a list of what is allowed and not of what is banned.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use reqwest::Url;

use crate::domain::{Malformed, Network};

/// A URL of the form `https://HOST[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformUrl(Url);

impl PlatformUrl {
    /// The URL.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// Host and port, for error texts.
    pub fn authority(&self) -> &str {
        self.0.authority()
    }

    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The host, where it is an address. As the URL's parser reads it and not as it is written: 0x7f.1 is an address too.
    fn address(&self) -> Option<IpAddr> {
        self.host().trim_matches(['[', ']']).parse().ok()
    }
}

impl FromStr for PlatformUrl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let form =
            || Malformed(format!("{text:?} is not of the form https://HOST[:PORT][/PATH], without a final slash"));
        let url = Url::parse(text).map_err(|_| form())?;
        if !url.username().is_empty() || url.password().is_some() {
            // Not repeated: it may be a password.
            return Err(Malformed("it contains a user: credentials are in files, never in the address".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Malformed(format!("{text:?} contains a query (?) or a fragment (#): take it out")));
        }
        if url.scheme() != "https" || url.host_str().is_none_or(str::is_empty) || text.ends_with('/') {
            return Err(form());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for PlatformUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL without a path has the path `/`.
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

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

/// The networks that a platform's addresses must be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedNetworks(Arc<[Network]>);

impl AllowedNetworks {
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks.into())
    }

    /// Keeps the allowed addresses of a host. Refused where none is left.
    pub fn admit(&self, host: &str, found: &[IpAddr]) -> Result<Vec<IpAddr>, AddressRefused> {
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

    /// Refuses a URL whose host is an address outside the networks. Names are checked when they are resolved.
    pub fn admit_url(&self, url: &PlatformUrl) -> Result<(), AddressRefused> {
        url.address().map_or(Ok(()), |address| self.admit(url.host(), &[address]).map(drop))
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

    #[test]
    fn other_urls_are_refused() {
        for text in ["http://platform.test", "https://platform.test/", "https://", "platform.test", ""] {
            let refused = text.parse::<PlatformUrl>().unwrap_err();
            assert!(refused.0.contains("of the form https://"), "{refused}");
        }
        for text in ["https://user@platform.test", "https://:secret@platform.test"] {
            let refused = text.parse::<PlatformUrl>().unwrap_err();
            assert!(refused.0.contains("contains a user") && !refused.0.contains("secret"), "{refused}");
        }
        for text in ["https://platform.test/in?x=1", "https://platform.test/in#x"] {
            assert!(text.parse::<PlatformUrl>().unwrap_err().0.contains("contains a query"));
        }
        for text in ["https://platform.test", "https://10.1.2.3:8443/credit/in"] {
            assert_eq!(text.parse::<PlatformUrl>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_address_in_the_url_is_checked_in_every_notation() {
        let networks = AllowedNetworks::new(vec!["10.0.0.0/8".parse().unwrap()]);
        for host in ["127.0.0.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"] {
            let url: PlatformUrl = format!("https://{host}/in").parse().unwrap();
            assert!(networks.admit_url(&url).is_err(), "{host}");
        }
        for host in ["[::ffff:10.0.0.1]", "10.0.0.1", "platform.test"] {
            networks.admit_url(&format!("https://{host}").parse().unwrap()).unwrap();
        }
    }
}
