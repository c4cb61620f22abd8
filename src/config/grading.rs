//! `[grading]`: catalogues, models and grading runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Catalogues, models and grading runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grading {
    /// The directory of the operator's catalogues.
    pub catalogues_directory: PathBuf,
    /// The directory of the operator's models.
    pub models_directory: PathBuf,
    /// The directory of the operator's mapping tables.
    pub mappings_directory: PathBuf,
    /// How long a grade stays valid after the next run is due.
    pub grace_months: u8,
    /// How many working days a run is open to objections before it may be published. With 0, a trial run may be published.
    pub objection_days: u16,
    /// How many working days the bureau has to decide an objection.
    pub objection_decision_days: u16,
    /// Counts from one up to this number are withheld from reports that are not internal.
    pub withhold_below: u64,
}

impl Section for Grading {
    fn check(&self, report: &mut Report<'_>) {
        report.require(self.grace_months <= 12, "grace_months", "must be at most 12");
        report.require((2..=1000).contains(&self.withhold_below), "withhold_below", "must be between 2 and 1000");
        report.require(self.objection_days <= 120, "objection_days", "must be at most 120 working days");
        let days = self.objection_decision_days;
        report.require((1..=120).contains(&days), "objection_decision_days", "must be between 1 and 120 working days");
    }
}
