//! What other subjects of a run contribute to a subject's measures: its rank among its peers, and the branches of its chain.

use serde::{Deserialize, Serialize};

use super::number::Fraction;

/// The rank of a subject among its peers in one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerRank {
    /// The number of others with a lower value.
    pub below: u32,
    /// The number of others with the same value.
    pub equal: u32,
    /// The number of others.
    pub of: u32,
}

impl PeerRank {
    /// The share of the others that are below, each of the same value counting half.
    pub fn percentile(self) -> Option<Fraction> {
        Fraction::new(2 * i128::from(self.below) + i128::from(self.equal), 2 * i128::from(self.of))
    }
}

/// The branches of a chain in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branches {
    /// The number of branches with the grade that the model counts.
    pub counted: u32,
    /// The number of graded branches.
    pub of: u32,
}
