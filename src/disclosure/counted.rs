//! Counts what was released, by operation.

use std::sync::LazyLock;

use metrics::Counter;

use crate::telemetry;

/// The lines of deliveries, beside the operations of readings.
pub(super) const DELIVERY_LINE: &str = "delivery_line";

/// Every operation with its counter, made once: making one's labels costs more than counting.
static COUNTERS: LazyLock<Vec<(&'static str, Counter)>> = LazyLock::new(|| {
    // A counter made before the recorder is installed would never count anything.
    telemetry::install_metrics();
    ["grade", "grade_history", "scorecard", "settlements", "report", DELIVERY_LINE]
        .map(|operation| (operation, metrics::counter!("medcredit_disclosures_total", "operation" => operation)))
        .into()
});

/// Counts disclosures that are released to a bank.
pub(super) fn released(operation: &'static str, number: u64) {
    if let Some((_, counter)) = COUNTERS.iter().find(|(known, _)| *known == operation) {
        counter.increment(number);
    }
}
