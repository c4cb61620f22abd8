//! A network of addresses, such as `203.0.113.0/24`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::malformed::{Malformed, serde_as_text};

/// A network: the addresses that agree with one in a number of leading bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// An address as its bits from the left, and their number.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(four) => (u128::from(four.to_bits()) << 96, 32),
        IpAddr::V6(six) => (six.to_bits(), 128),
    }
}

impl Network {
    /// Whether the network has an address. An IPv4 address that is mapped into IPv6 counts as the IPv4 address: the resolver
    /// returns either.
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((ours, length), (other, other_length)) = (bits(self.address), bits(address.to_canonical()));
        // The leading bits are equal as far as the first difference. Without one, all 128 of them are zero.
        length == other_length && (ours ^ other).leading_zeros() >= u32::from(self.bits)
    }
}

impl FromStr for Network {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || {
            Malformed(format!(
                "{text:?} is not a network: write its first address and its length, such as 203.0.113.0/24"
            ))
        };
        let (address, length) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u8 = length.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
        let (value, most) = bits(address);
        if length > most {
            return Err(wrong());
        }
        if length == 0 {
            return Err(Malformed(format!("{text:?} is every address: name the networks that are meant")));
        }
        // An address with more bits is probably the wrong one.
        let first = value & (u128::MAX << (128 - u32::from(length)));
        if first != value {
            let first = match address {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(first >> 96).unwrap_or_default())),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(first)),
            };
            return Err(Malformed(format!("{text:?} is an address within a network: write {first}/{length}")));
        }
        Ok(Self { address, bits: length })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

serde_as_text!(Network);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_of_its_prefix() {
        for (network, inside, outside) in [
            ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
            ("203.0.113.7/32", "203.0.113.7", "203.0.113.6"),
            ("10.64.0.0/10", "10.127.255.255", "10.63.255.255"),
            ("128.0.0.0/1", "255.1.1.1", "127.255.255.255"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
            ("203.0.113.0/24", "::ffff:203.0.113.9", "2001:db8::1"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.to_string(), network);
            assert!(parsed.contains(inside.parse().unwrap()), "{inside} in {network}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{outside} in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in
            ["", "203.0.113.0", "10.0.0.0/", "203.0.113.0/33", "10.0.0.0/+8", "10.0.0/8", "a/8", "2001:db8::/129"]
        {
            assert!(wrong.parse::<Network>().unwrap_err().0.contains("203.0.113.0/24"), "{wrong}");
        }
        for (wrong, why) in [
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
            ("10.1.2.3/8", "write 10.0.0.0/8"),
            ("2001:db8::1/32", "write 2001:db8::/32"),
        ] {
            assert!(wrong.parse::<Network>().unwrap_err().0.contains(why), "{wrong}");
        }
    }
}
