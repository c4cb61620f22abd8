//! Limits on how many of something exist at the same time, by key. A slot is released when it is dropped.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// Counts by key, each up to the same maximum.
#[derive(Debug)]
pub(super) struct Caps<K: Eq + Hash + Clone> {
    max: usize,
    counts: Mutex<HashMap<K, usize>>,
}

/// A counted slot of a key, released when dropped.
#[derive(Debug)]
pub(super) struct Slot<K: Eq + Hash + Clone> {
    key: K,
    caps: Arc<Caps<K>>,
}

impl<K: Eq + Hash + Clone> Caps<K> {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, counts: Mutex::new(HashMap::new()) })
    }

    /// Takes a slot of a key, unless all are taken.
    pub(super) fn take(self: &Arc<Self>, key: K) -> Option<Slot<K>> {
        // Checked and counted under one lock: two connections cannot both take the last slot.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_insert(0);
        if *count >= self.max {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Slot { key, caps: Arc::clone(self) })
    }
}

impl<K: Eq + Hash + Clone> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut counts = self.caps.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            // Keys without slots are removed: clients must not be able to grow the map.
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// The network by which an address is counted: the /64 for IPv6, because one customer has at least that much.
pub(in crate::http) fn network_of(address: IpAddr) -> IpAddr {
    // An IPv4 address mapped into IPv6 counts as itself: all of those share one /64.
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// The site of an IPv6 address: its /48, because one customer can have that much on request.
pub(in crate::http) fn site_of(address: IpAddr) -> Option<IpAddr> {
    match network_of(address) {
        IpAddr::V4(_) => None,
        IpAddr::V6(network) => {
            let [a, b, c, ..] = network.segments();
            Some(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_released_when_dropped() {
        let caps = Caps::new(2);
        let (first, _second) = (caps.take("a").unwrap(), caps.take("a").unwrap());
        assert!(caps.take("a").is_none());
        assert!(caps.take("b").is_some(), "another key has slots of its own");
        drop(first);
        assert!(caps.take("a").is_some());
        assert!(caps.counts.lock().unwrap().len() <= 2, "keys without slots are removed");
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3::1"), network("2001:db8:1:2:ffff::2"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        let site = |text: &str| site_of(text.parse().unwrap());
        assert_eq!(site("2001:db8:1:2::1"), site("2001:db8:1:ffff::1"));
        assert_ne!(site("2001:db8:1::1"), site("2001:db8:2::1"));
        assert_eq!((site("192.0.2.1"), site("::ffff:192.0.2.1")), (None, None));
    }
}
