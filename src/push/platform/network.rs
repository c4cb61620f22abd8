//! Networks of addresses in CIDR notation, `10.0.0.0/8`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use crate::domain::Malformed;

/// A network of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// An address as its bits from the left, and their number.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)) << 96, 32),
        IpAddr::V6(six) => (u128::from(six), 128),
    }
}

/// The mask of a prefix.
const fn mask(prefix: u8) -> u128 {
    // A shift by all 128 bits is none in Rust.
    if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) }
}

impl Network {
    /// Whether an address is in the network. An IPv4 address that is mapped into IPv6 counts as the IPv4 address: the
    /// resolver gives either.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, length) = bits(self.address);
        let (theirs, their_length) = bits(address.to_canonical());
        length == their_length && (ours ^ theirs) & mask(self.prefix) == 0
    }
}

impl FromStr for Network {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed(format!("{text:?} is not a network like 10.0.0.0/8 or 2001:db8::/32"));
        let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|_| digits).ok_or_else(bad)?;
        let (value, length) = bits(address);
        if prefix > length {
            return Err(bad());
        }
        let base = value & mask(prefix);
        if base != value {
            let first = match address {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(base >> 96).unwrap_or_default())),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(base)),
            };
            return Err(Malformed(format!("{text:?} is an address within a network: write {first}/{prefix}")));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_addresses_only() {
        let network: Network = "10.64.0.0/10".parse().unwrap();
        for (address, within) in [
            ("10.64.0.0", true),
            ("10.127.255.255", true),
            ("::ffff:10.64.0.1", true),
            ("10.128.0.0", false),
            ("10.63.255.255", false),
            ("::", false),
        ] {
            assert_eq!(network.contains(address.parse().unwrap()), within, "{address}");
        }
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(
            everything.contains("192.0.2.1".parse().unwrap()) && !everything.contains("2001:db8::1".parse().unwrap())
        );
        let six: Network = "2001:db8::/32".parse().unwrap();
        assert!(six.contains("2001:db8::1".parse().unwrap()) && !six.contains("2001:db9::1".parse().unwrap()));
        let one: Network = "192.0.2.7/32".parse().unwrap();
        assert!(one.contains("192.0.2.7".parse().unwrap()) && !one.contains("192.0.2.6".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "2001:db8::/129", "host/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!(
            "10.1.2.3/8".parse::<Network>().unwrap_err().0,
            "\"10.1.2.3/8\" is an address within a network: write 10.0.0.0/8"
        );
        assert_eq!("10.0.0.0/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
    }
}
