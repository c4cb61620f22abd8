//! Heads of chains: rated after their branches, because the grades of branches affect the grade of the head.

use std::collections::BTreeMap;

use super::eligibility::Standing;
use crate::{
    scoring::{Branches, Measures, Model},
    store::runs::ResultRow,
};

/// A head whose branches are not all rated yet, with everything else that it is rated by.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) standing: Standing,
    pub(super) measures: Measures,
    pub(super) input: String,
}

/// A head that waits for its branches.
#[derive(Debug)]
enum Head {
    Rated(Box<Waiting>),
    /// It is not rated: its branches count for this head above.
    Passing(String),
}

impl Head {
    fn above(&self) -> Option<&String> {
        match self {
            Self::Rated(waiting) => waiting.standing.parent.as_ref(),
            Self::Passing(above) => Some(above),
        }
    }
}

/// The heads of a run that wait for their branches, and the grades of branches counted so far.
#[derive(Debug, Default)]
pub(super) struct Chains {
    waiting: BTreeMap<String, Head>,
    branches: BTreeMap<String, Branches>,
    /// The number of branches of a head that wait themselves, because they are heads too.
    behind: BTreeMap<String, usize>,
}

impl Chains {
    /// Queues a head.
    pub(super) fn wait(&mut self, head: Waiting) {
        self.queue(head.standing.code.clone(), Head::Rated(Box::new(head)));
    }

    /// Queues a head that is not rated itself, so that its branches count for the head above.
    pub(super) fn pass(&mut self, code: String, above: String) {
        self.queue(code, Head::Passing(above));
    }

    fn queue(&mut self, code: String, head: Head) {
        // Counted for a head that may never come: then nobody asks for it.
        if let Some(above) = head.above() {
            *self.behind.entry(above.clone()).or_default() += 1;
        }
        self.waiting.insert(code, head);
    }

    /// Counts the grade of a branch. One that was not rated has no grade and does not count.
    pub(super) fn count(&mut self, model: &Model, parent: Option<&str>, result: &ResultRow) {
        let (Some(chain), Some(parent), Some(grade)) = (&model.file().chain, parent, &result.grade) else { return };
        let of_head = self.branches.entry(parent.to_owned()).or_default();
        of_head.of += 1;
        // Branches with the counted grade, beside all graded ones: the model compares the two.
        of_head.counted += u32::from(*grade == chain.counts);
    }

    /// The next head to rate, with the counts of its branches: the smallest code among those of which no branch waits.
    /// Where heads are each other's branches, the cycle is cut at the smallest code, so that every run cuts it alike.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        loop {
            let (code, head) = self.take_ready()?;
            // A head whose branches were all left out of the round has none that count, which is not the same as no chain.
            let branches = self.branches.get(&code).copied().unwrap_or_default();
            match head {
                Head::Rated(mut waiting) => {
                    waiting.standing.branches = Some(branches);
                    return Some(*waiting);
                }
                Head::Passing(above) => {
                    let of_head = self.branches.entry(above).or_default();
                    of_head.counted += branches.counted;
                    of_head.of += branches.of;
                }
            }
        }
    }

    fn take_ready(&mut self) -> Option<(String, Head)> {
        let free = |head: &&String| self.behind.get(*head).is_none_or(|behind| *behind == 0);
        // Without a free head there is a cycle.
        let ready = self.waiting.keys().find(free).or_else(|| self.waiting.keys().next()).cloned()?;
        let head = self.waiting.remove(&ready)?;
        if let Some(behind) = head.above().and_then(|above| self.behind.get_mut(above)) {
            *behind = behind.saturating_sub(1);
        }
        Some((ready, head))
    }
}
