//! Admission of connections: which get a slot, and which are evicted when all slots are taken.
//!
//! A connection may be evicted until a registered client has proved itself on it. The oldest is evicted first, because a
//! handshake takes a few round trips: one that has lasted is not going to end. Slots are reserved for known addresses (in a
//! network that banks are registered with, or from which a registered client has connected before), so that sockets of
//! strangers never keep a bank out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{
    caps::{network_of, site_of},
    settings::Settings,
};
use crate::domain::Network;

/// How many addresses are remembered of one client: as many as its systems connect from, and so few that a client cannot
/// grow the memory.
const ADDRESSES_OF_CLIENT: usize = 16;

/// How far a connection is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// A handshake from an address that is not known.
    Stranger,
    /// A handshake from a known address.
    Expected,
    /// A connection after its handshake, on which no registered client has proved itself.
    Unproved,
    /// A registered client's connection.
    Client,
}

#[derive(Debug)]
struct Holder {
    rank: Rank,
    networks: Networks,
    /// Notified when the connection is evicted.
    evicted: Arc<Notify>,
}

/// The networks by which an address is counted, with the lengths that keep them apart.
#[derive(Debug, Clone, Copy)]
struct Networks {
    address: (IpAddr, u8),
    site: Option<(IpAddr, u8)>,
}

impl Networks {
    fn of(address: IpAddr) -> Self {
        Self { address: (network_of(address), 64), site: site_of(address).map(|site| (site, 48)) }
    }
}

/// The addresses from which registered clients have connected.
#[derive(Debug, Default)]
struct Proved {
    by_client: HashMap<String, VecDeque<IpAddr>>,
    clients_of: HashMap<IpAddr, usize>,
}

impl Proved {
    fn note(&mut self, client: String, address: IpAddr) {
        let addresses = self.by_client.entry(client).or_default();
        if addresses.contains(&address) {
            return;
        }
        addresses.push_back(address);
        *self.clients_of.entry(address).or_default() += 1;
        if addresses.len() > ADDRESSES_OF_CLIENT
            && let Some(oldest) = addresses.pop_front()
        {
            decrement(&mut self.clients_of, &oldest);
        }
    }
}

fn decrement<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        // Keys without a count are removed: strangers must not be able to grow the map.
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Every connection by number. Numbers ascend, so the lowest is the oldest.
    holders: BTreeMap<u64, Holder>,
    strangers: BTreeSet<u64>,
    expected: BTreeSet<u64>,
    unproved: BTreeSet<u64>,
    /// Unfinished handshakes by address and by site.
    handshakes: HashMap<(IpAddr, u8), usize>,
    proved: Proved,
}

impl State {
    /// The connections of a rank that may be evicted.
    fn queue(&mut self, rank: Rank) -> Option<&mut BTreeSet<u64>> {
        match rank {
            Rank::Stranger => Some(&mut self.strangers),
            Rank::Expected => Some(&mut self.expected),
            Rank::Unproved => Some(&mut self.unproved),
            Rank::Client => None,
        }
    }

    fn insert(&mut self, number: u64, holder: Holder) {
        if matches!(holder.rank, Rank::Stranger | Rank::Expected) {
            for network in [Some(holder.networks.address), holder.networks.site].into_iter().flatten() {
                *self.handshakes.entry(network).or_default() += 1;
            }
        }
        if let Some(queue) = self.queue(holder.rank) {
            queue.insert(number);
        }
        self.holders.insert(number, holder);
    }

    /// Frees a slot; none if its connection was evicted before.
    fn remove(&mut self, number: u64) -> Option<Holder> {
        let holder = self.holders.remove(&number)?;
        if let Some(queue) = self.queue(holder.rank) {
            queue.remove(&number);
        }
        if matches!(holder.rank, Rank::Stranger | Rank::Expected) {
            for network in [Some(holder.networks.address), holder.networks.site].into_iter().flatten() {
                decrement(&mut self.handshakes, &network);
            }
        }
        Some(holder)
    }

    /// Evicts a connection. Its slot is free immediately, and the connection ends a moment later.
    fn evict(&mut self, number: Option<u64>) -> bool {
        let holder = number.and_then(|number| self.remove(number));
        // A permit is stored, should the connection not be waiting yet.
        holder.inspect(|holder| holder.evicted.notify_one()).is_some()
    }

    fn handshakes_of(&self, network: (IpAddr, u8)) -> usize {
        self.handshakes.get(&network).copied().unwrap_or(0)
    }
}

/// Admits the connections of a listener.
#[derive(Debug)]
pub(super) struct Admission {
    max_connections: usize,
    max_handshakes: usize,
    reserved_handshakes: usize,
    max_handshakes_per_address: usize,
    max_handshakes_per_site: usize,
    known_networks: Vec<Network>,
    state: Mutex<State>,
}

/// The slot of a connection, freed when dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    number: u64,
    evicted: Arc<Notify>,
}

impl Admission {
    pub(super) fn new(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            max_connections: settings.max_connections,
            max_handshakes: settings.max_handshakes,
            reserved_handshakes: settings.reserved_handshakes,
            max_handshakes_per_address: settings.max_handshakes_per_address,
            max_handshakes_per_site: settings.max_handshakes_per_site,
            known_networks: settings.known_networks.clone(),
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot for a connection from an address, if need be by evicting an older one; or returns why there is none.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admitted, &'static str> {
        let networks = Networks::of(address);
        let in_known_network = self.known_networks.iter().any(|network| network.contains(address));
        // Decided and taken under one lock: two connections cannot both take the last slot.
        let mut state = self.lock();
        let known = in_known_network || state.proved.clients_of.contains_key(&networks.address.0);
        if state.handshakes_of(networks.address) >= self.max_handshakes_per_address {
            return Err("too_many_handshakes_of_address");
        }
        let of_site = networks.site.map_or(0, |site| state.handshakes_of(site));
        if !known && of_site >= self.max_handshakes_per_site {
            return Err("too_many_handshakes_of_site");
        }
        self.make_room(&mut state, known)?;
        let number = state.next;
        state.next += 1;
        let evicted = Arc::new(Notify::new());
        let rank = if known { Rank::Expected } else { Rank::Stranger };
        state.insert(number, Holder { rank, networks, evicted: Arc::clone(&evicted) });
        drop(state);
        Ok(Admitted { admission: Arc::clone(self), number, evicted })
    }

    /// Evicts the oldest connections whose slots a new one may take.
    fn make_room(&self, state: &mut State, known: bool) -> Result<(), &'static str> {
        let (strangers, expected) = (state.strangers.len(), state.expected.len());
        let full = strangers + expected >= self.max_handshakes;
        let stranger = state.strangers.first().copied();
        if known {
            // Handshakes of known addresses give way to each other too, because none of them has proved anything yet.
            let oldest = stranger.or_else(|| state.expected.first().copied());
            if full && !state.evict(oldest) {
                return Err("too_many_handshakes");
            }
        } else if (full || strangers >= self.max_handshakes - self.reserved_handshakes) && !state.evict(stranger) {
            return Err("too_many_handshakes");
        }
        if state.holders.len() < self.max_connections {
            return Ok(());
        }
        let oldest = [state.strangers.first(), state.unproved.first()].into_iter().flatten().min().copied();
        let oldest = oldest.or_else(|| state.expected.first().filter(|_| known).copied());
        if state.evict(oldest) { Ok(()) } else { Err("too_many_connections") }
    }
}

impl Admitted {
    /// Resolves when the connection was evicted for another one.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Ends the handshake, with the registered client that proved itself in it, if one did.
    pub(super) fn end_handshake(&self, client: Option<String>) {
        let mut state = self.admission.lock();
        // Evicted while the handshake ended.
        let Some(holder) = state.remove(self.number) else { return };
        let rank = if client.is_some() { Rank::Client } else { Rank::Unproved };
        if let Some(client) = client {
            state.proved.note(client, holder.networks.address.0);
        }
        state.insert(self.number, Holder { rank, ..holder });
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.lock().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(max_connections: usize, max_handshakes: usize, reserved_handshakes: usize) -> Arc<Admission> {
        Arc::new(Admission {
            max_connections,
            max_handshakes,
            reserved_handshakes,
            max_handshakes_per_address: 2,
            max_handshakes_per_site: 3,
            known_networks: vec!["203.0.113.0/24".parse().unwrap()],
            state: Mutex::default(),
        })
    }

    fn admit(admission: &Arc<Admission>, address: &str) -> Result<Admitted, &'static str> {
        admission.admit(address.parse().unwrap())
    }

    fn is_evicted(slot: &Admitted) -> bool {
        !slot.admission.lock().holders.contains_key(&slot.number)
    }

    #[test]
    fn a_stranger_gets_the_slot_of_the_oldest_stranger_and_never_a_reserved_one() {
        let admission = admission(100, 4, 2);
        let held: Vec<_> = (1..=2).map(|n| admit(&admission, &format!("192.0.2.{n}")).unwrap()).collect();
        let next = admit(&admission, "192.0.2.3").unwrap();
        assert!(is_evicted(&held[0]) && !is_evicted(&held[1]));
        let known: Vec<_> = (1..=2).map(|n| admit(&admission, &format!("203.0.113.{n}")).unwrap()).collect();
        assert!(![&held[1], &next, &known[0], &known[1]].into_iter().any(is_evicted));
        // All are taken: a known address takes a stranger's first, and at last that of another known one.
        let third = admit(&admission, "203.0.113.3").unwrap();
        assert!(is_evicted(&held[1]) && !is_evicted(&known[0]));
        let fourth = admit(&admission, "203.0.113.4").unwrap();
        assert!(is_evicted(&next));
        let fifth = admit(&admission, "203.0.113.5").unwrap();
        assert!(is_evicted(&known[0]) && ![&known[1], &third, &fourth, &fifth].into_iter().any(is_evicted));
        assert_eq!(
            admit(&admission, "192.0.2.9").unwrap_err(),
            "too_many_handshakes",
            "nobody known gives way to a stranger"
        );
    }

    #[test]
    fn an_address_becomes_known_by_a_registered_client() {
        let admission = admission(100, 2, 1);
        admit(&admission, "192.0.2.1").unwrap().end_handshake(Some("bank".into()));
        admit(&admission, "192.0.2.2").unwrap().end_handshake(None);
        let stranger = admit(&admission, "192.0.2.2").unwrap();
        let bank = admit(&admission, "192.0.2.1").unwrap();
        assert!(!is_evicted(&stranger), "it took a reserved slot");
        drop(bank);
        // The newest addresses of a client are remembered.
        let mut state = admission.lock();
        for number in 0..100 {
            state.proved.note("bank".into(), IpAddr::from([10, 0, 0, number]));
        }
        assert_eq!(state.proved.clients_of.len(), ADDRESSES_OF_CLIENT);
        assert!(!state.proved.clients_of.contains_key(&IpAddr::from([192, 0, 2, 1])));
    }

    #[test]
    fn addresses_and_sites_have_limits() {
        let admission = admission(100, 50, 0);
        let _two = (admit(&admission, "2001:db8:1:1::1").unwrap(), admit(&admission, "2001:db8:1:1::2").unwrap());
        assert_eq!(admit(&admission, "2001:db8:1:1::3").unwrap_err(), "too_many_handshakes_of_address");
        // The /64 whose address is that of its /48.
        let third = admit(&admission, "2001:db8:1::1").unwrap();
        assert_eq!(admit(&admission, "2001:db8:1:2::1").unwrap_err(), "too_many_handshakes_of_site");
        assert!(admit(&admission, "2001:db8:2::1").is_ok(), "another site");
        drop(third);
        assert!(admit(&admission, "2001:db8:1:2::1").is_ok());
        let finished: Vec<_> =
            (0..9).map(|_| admit(&admission, "192.0.2.1").map(|slot| slot.end_handshake(None))).collect();
        assert!(finished.iter().all(Result::is_ok), "only unfinished handshakes are counted");
    }

    #[test]
    fn a_registered_clients_connection_is_never_evicted() {
        let admission = admission(3, 3, 0);
        let client = admit(&admission, "192.0.2.1").unwrap();
        client.end_handshake(Some("bank".into()));
        let unproved = admit(&admission, "192.0.2.2").unwrap();
        unproved.end_handshake(None);
        let waiting = admit(&admission, "192.0.2.3").unwrap();
        let next = admit(&admission, "192.0.2.4").unwrap();
        assert!(is_evicted(&unproved), "the oldest, with a certificate of no client");
        let last = admit(&admission, "192.0.2.5").unwrap();
        assert!(is_evicted(&waiting) && !is_evicted(&client));
        for slot in [&next, &last] {
            slot.end_handshake(Some("bank".into()));
        }
        assert_eq!(admit(&admission, "203.0.113.1").unwrap_err(), "too_many_connections");
        drop(next);
        assert!(admit(&admission, "203.0.113.1").is_ok());
    }

    #[test]
    fn what_ends_leaves_nothing_behind() {
        let admission = admission(3, 2, 0);
        for number in 0..200_u8 {
            let slot = admit(&admission, &format!("192.0.2.{number}")).unwrap();
            if number % 3 == 0 {
                slot.end_handshake(None);
            }
            if number % 2 == 0 {
                // Evicted by later ones, and dropped after that.
                std::mem::forget(slot);
            }
        }
        let state = admission.lock();
        assert!(state.holders.len() <= 3 && state.handshakes.len() <= 3);
        assert_eq!(state.holders.len(), state.strangers.len() + state.unproved.len() + state.expected.len());
    }
}
