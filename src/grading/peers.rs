//! How subjects stand among their peers: a pass over the run's totals before any subject is rated.

use std::collections::BTreeMap;

use super::eligibility::Standing;
use crate::scoring::{Fraction, Measures, Model, Peer, PeerForm, PeerGroup};

/// The values of every subject that takes part, by comparison of the model and by group, sorted.
#[derive(Debug, Clone, Default)]
pub(super) struct PeerTable {
    groups: Vec<BTreeMap<String, Vec<Fraction>>>,
}

/// Which group of a comparison a subject belongs to.
fn group(form: &PeerForm, standing: &Standing) -> String {
    match form.among() {
        PeerGroup::Kind => String::new(),
        PeerGroup::Level => standing.level.clone().unwrap_or_default(),
        PeerGroup::Region => standing.region.clone().unwrap_or_default(),
    }
}

impl PeerTable {
    /// Takes a subject's values in.
    pub(super) fn add(&mut self, model: &Model, standing: &Standing, measures: &Measures) {
        self.groups.resize_with(model.peers().len(), BTreeMap::new);
        for (form, groups) in model.peers().iter().zip(&mut self.groups) {
            if let Some(value) = form.value(measures) {
                groups.entry(group(form, standing)).or_default().push(value);
            }
        }
    }

    /// Takes in what another part of the pass gathered.
    pub(super) fn merge(&mut self, other: Self) {
        self.groups.resize_with(self.groups.len().max(other.groups.len()), BTreeMap::new);
        for (mine, theirs) in self.groups.iter_mut().zip(other.groups) {
            for (name, values) in theirs {
                mine.entry(name).or_default().extend(values);
            }
        }
    }

    /// Puts every group in order, upon which it can be asked.
    pub(super) fn sort(&mut self) {
        self.groups.iter_mut().flat_map(BTreeMap::values_mut).for_each(|values| values.sort_unstable());
    }

    /// How a subject stands, by the names of the model's comparisons; it is one of the group and not its own peer.
    pub(super) fn standing(&self, model: &Model, standing: &Standing, measures: &Measures) -> BTreeMap<String, Peer> {
        let stand = |(form, groups): (&PeerForm, &BTreeMap<String, Vec<Fraction>>)| {
            let value = form.value(measures)?;
            let values = groups.get(&group(form, standing))?;
            let below = values.partition_point(|other| *other < value);
            let up_to = values.partition_point(|other| *other <= value);
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            let peer = Peer {
                below: number(below),
                equal: number((up_to - below).saturating_sub(1)),
                of: number(values.len().saturating_sub(1)),
            };
            Some((form.name().to_owned(), peer))
        };
        model.peers().iter().zip(&self.groups).filter_map(stand).collect()
    }
}
