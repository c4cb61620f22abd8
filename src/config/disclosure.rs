//! `[disclosure]`: what data answers keep to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// What data answers keep to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Settlement rows of fewer visits are suppressed.
    pub min_visits: i64,
    /// Grades, by scheme, that are good standing.
    pub good_standing: BTreeMap<String, Vec<String>>,
}

impl Section for Disclosure {
    fn check(&self, report: &mut Report<'_>) {
        report.require((0..=1000).contains(&self.min_visits), "min_visits", "must be between 0 and 1000");
        for (scheme, grades) in &self.good_standing {
            report.require(!grades.is_empty(), &format!("good_standing.{scheme}"), "must name at least one grade");
        }
    }
}
