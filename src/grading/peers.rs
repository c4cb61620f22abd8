//! Ranks among peers: a pass over the totals of a run before any subject is rated.

use std::collections::BTreeMap;

use super::eligibility::Standing;
use crate::scoring::{Fraction, Measures, Model, PeerComparison, PeerGroup, PeerRank};

/// The values of every subject that takes part, sorted, by comparison of the model and by group.
#[derive(Debug, Clone, Default)]
pub(super) struct PeerTable {
    groups: Vec<BTreeMap<String, Vec<Fraction>>>,
}

/// The group of a subject in a comparison.
fn group(form: &PeerComparison, standing: &Standing) -> String {
    match form.among() {
        PeerGroup::Kind => String::new(),
        PeerGroup::Level => standing.level.clone().unwrap_or_default(),
        PeerGroup::Region => standing.region.clone().unwrap_or_default(),
    }
}

impl PeerTable {
    /// Adds the values of a subject.
    pub(super) fn add(&mut self, model: &Model, standing: &Standing, measures: &Measures) {
        self.groups.resize_with(model.peers().len(), BTreeMap::new);
        for (form, groups) in model.peers().iter().zip(&mut self.groups) {
            if let Some(value) = form.value(measures) {
                groups.entry(group(form, standing)).or_default().push(value);
            }
        }
    }

    /// Adds the values of another part of the pass.
    pub(super) fn merge(&mut self, other: Self) {
        // A part in which nobody takes part has no groups.
        self.groups.resize_with(self.groups.len().max(other.groups.len()), BTreeMap::new);
        for (mine, theirs) in self.groups.iter_mut().zip(other.groups) {
            for (name, values) in theirs {
                mine.entry(name).or_default().extend(values);
            }
        }
    }

    /// Sorts every group; needed before [`PeerTable::ranks`].
    pub(super) fn sort(&mut self) {
        self.groups.iter_mut().flat_map(BTreeMap::values_mut).for_each(|values| values.sort_unstable());
    }

    /// The ranks of a subject, by the names of the model's comparisons. The subject is in the group, but is not its own peer.
    pub(super) fn ranks(&self, model: &Model, standing: &Standing, measures: &Measures) -> BTreeMap<String, PeerRank> {
        let rank = |(form, groups): (&PeerComparison, &BTreeMap<String, Vec<Fraction>>)| {
            let value = form.value(measures)?;
            let values = groups.get(&group(form, standing))?;
            let below = values.partition_point(|other| *other < value);
            let up_to = values.partition_point(|other| *other <= value);
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            let peer = PeerRank {
                below: number(below),
                // Minus the subject itself, which is among the equal ones.
                equal: number((up_to - below).saturating_sub(1)),
                of: number(values.len().saturating_sub(1)),
            };
            Some((form.name().to_owned(), peer))
        };
        model.peers().iter().zip(&self.groups).filter_map(rank).collect()
    }
}
