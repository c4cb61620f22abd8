//! `[disclosure]`: rules for data responses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Rules for data responses.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Settlement rows with fewer visits are suppressed, and newer versions that differ by fewer.
    pub min_visits: i64,
    /// Settlement rows with fewer persons are suppressed, and newer versions that differ by fewer.
    pub min_persons: i64,
    /// The most consents in one page of a delivery.
    pub delivery_consents: usize,
    /// The grades that count as good standing, by scheme.
    pub good_standing: BTreeMap<String, Vec<String>>,
}

impl Section for Disclosure {
    fn check(&self, report: &mut Report<'_>) {
        report.require((0..=1000).contains(&self.min_visits), "min_visits", "must be between 0 and 1000");
        report.require((0..=1000).contains(&self.min_persons), "min_persons", "must be between 0 and 1000");
        report.require(
            (1..=1000).contains(&self.delivery_consents),
            "delivery_consents",
            "must be between 1 and 1000: a page is held in memory until all of it is recorded",
        );
        for (scheme, grades) in &self.good_standing {
            report.require(!grades.is_empty(), &format!("good_standing.{scheme}"), "must name at least one grade");
        }
    }
}
