//! ReadVersions of chains: rated after their branches, because the grades of these bear on theirs.

use std::collections::BTreeMap;

use super::eligibility::Standing;
use crate::{
    scoring::{Branches, Measures, Model},
    store::runs::ResultRow,
};

/// A head whose branches are not all rated yet, with all else that is known of it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) standing: Standing,
    pub(super) measures: Measures,
    pub(super) input: String,
}

/// The heads of a run that wait, and what came of branches so far.
#[derive(Debug, Default)]
pub(super) struct Chains {
    waiting: BTreeMap<String, Waiting>,
    branches: BTreeMap<String, Branches>,
    /// How many branches of a head wait themselves.
    behind: BTreeMap<String, usize>,
}

impl Chains {
    /// Lets a head wait.
    pub(super) fn wait(&mut self, head: Waiting) {
        if let Some(parent) = &head.standing.parent {
            *self.behind.entry(parent.clone()).or_default() += 1;
        }
        self.waiting.insert(head.standing.code.clone(), head);
    }

    /// Notes what came of a branch. One that was not rated has no grade and does not count.
    pub(super) fn note(&mut self, model: &Model, parent: Option<&str>, result: &ResultRow) {
        let (Some(chain), Some(parent), Some(grade)) = (&model.file().chain, parent, &result.grade) else { return };
        let of_head = self.branches.entry(parent.to_owned()).or_default();
        of_head.of += 1;
        of_head.counted += u32::from(*grade == chain.counts);
    }

    /// The next head to be rated, with what came of its branches: one none of whose branches waits itself, the smallest
    /// code first. Where heads are each other's branches, the circle is cut at the smallest code.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        let free = |head: &&String| self.behind.get(*head).is_none_or(|behind| *behind == 0);
        let ready = self.waiting.keys().find(free).or_else(|| self.waiting.keys().next()).cloned()?;
        let mut head = self.waiting.remove(&ready)?;
        if let Some(behind) = head.standing.parent.as_ref().and_then(|parent| self.behind.get_mut(parent)) {
            *behind = behind.saturating_sub(1);
        }
        let branches = self.branches.get(&ready).copied().unwrap_or_default();
        head.standing.branches = Some(branches);
        Some(head)
    }
}
