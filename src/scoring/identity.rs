//! Which facts are one: deliveries of the same fact, and of the same document.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet, hash_map::Entry},
};

use super::{
    catalogue::{Catalogue, MeasureForm},
    fact::Fact,
};
use crate::domain::{Day, document_of};

/// How facts are distinguished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactIdentity {
    /// By measure, day, source and reference; lines without a reference are facts of their own. So were facts counted until
    /// documents were compared, and so are runs of that time recomputed.
    Delivery,
    /// Events by measure and document, whatever their day and source; other facts as above.
    Document,
}

/// The identity of an event.
#[derive(PartialEq, Eq, Hash)]
enum Event {
    Document(usize, String),
    /// Without a reference: a second one of the same day looks like a repetition.
    Day(usize, Day),
}

/// Removes facts that are the same as others. They must be in the order of facts, where the latest of several deliveries
/// comes first.
pub(super) fn retain_distinct(catalogue: &Catalogue, identity: FactIdentity, facts: &mut Vec<Fact>) {
    // A reference identifies a fact: of two deliveries the later counts, which the order puts first.
    facts.dedup_by(|earlier, kept| !kept.reference.is_empty() && earlier.identity() == kept.identity());
    if identity == FactIdentity::Delivery {
        return;
    }
    // Only events are looked at, which are few among the facts of a subject.
    let mut best: HashMap<Event, usize> = HashMap::new();
    let mut repeated: HashSet<usize> = HashSet::new();
    for (at, fact) in facts.iter().enumerate() {
        let Some(event) = event_of(catalogue, fact) else { continue };
        match best.entry(event) {
            Entry::Vacant(vacant) => {
                vacant.insert(at);
            }
            Entry::Occupied(mut occupied) => {
                let former = *occupied.get();
                let stays = facts.get(former).is_some_and(|former| precedence(former) > precedence(fact));
                repeated.insert(if stays { at } else { occupied.insert(at) });
            }
        }
    }
    let mut at = 0;
    facts.retain(|_| {
        at += 1;
        !repeated.contains(&(at - 1))
    });
}

/// Of two facts of one document the one with the greater value counts: the later delivery; within one import the earlier
/// day, because others report an act later; then the lesser source. It depends on content alone.
fn precedence(fact: &Fact) -> (i64, Reverse<Day>, Reverse<&str>) {
    (fact.import_seq, Reverse(fact.occurred_on), Reverse(fact.source.as_str()))
}

/// The identity of an event; `None` for other facts, and for events whose repetitions count.
fn event_of(catalogue: &Catalogue, fact: &Fact) -> Option<Event> {
    let measure = catalogue.measures().get(fact.measure)?;
    if measure.form != MeasureForm::Event {
        return None;
    }
    let document = document_of(&fact.reference);
    if !document.is_empty() {
        return Some(Event::Document(fact.measure, document.into_owned()));
    }
    (!measure.repeats()).then_some(Event::Day(fact.measure, fact.occurred_on))
}
