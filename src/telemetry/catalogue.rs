//! Every metric of the gateway, with its type, its labels and its help text: one list, which docs/OPERATIONS.md explains.
//!
//! A room records a metric by its name; here it gets `HELP` and `TYPE`. A counter whose labels have closed sets of values starts
//! at zero for each of them, because the first event of a series that did not exist before is invisible to `rate()`.

use metrics::Label;

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, from zero at the start of the process.
    Counter,
    /// The present value.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// A label, with the values that begin at zero.
#[derive(Debug, Clone, Copy)]
pub struct MetricLabel {
    /// The name.
    pub name: &'static str,
    /// The closed set of values, or the part of it that alerts look for; empty when the values depend on the configuration.
    pub values: &'static [&'static str],
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct MetricInfo {
    /// The name in the text format.
    pub name: &'static str,
    /// The type.
    pub kind: MetricKind,
    /// The labels, in order.
    pub labels: &'static [MetricLabel],
    /// The help text.
    pub help: &'static str,
}

const fn closed(name: &'static str, values: &'static [&'static str]) -> MetricLabel {
    MetricLabel { name, values }
}

const fn open(name: &'static str) -> MetricLabel {
    MetricLabel { name, values: &[] }
}

const LISTENERS: MetricLabel = closed("listener", &["partner", "portal", "console"]);

macro_rules! metrics_list {
    ($($kind:ident $name:literal [$($label:expr),*] $help:literal;)+) => {
        /// Every metric, in alphabetical order.
        pub const METRICS: &[MetricInfo] = &[$(
            MetricInfo { name: $name, kind: MetricKind::$kind, labels: &[$($label),*], help: $help }
        ),+];
    };
}

metrics_list! {
    Gauge "medcredit_authority_certificate_expires_timestamp_seconds" [open("authority")]
        "When the certificate of a trusted authority expires, in Unix seconds.";
    Gauge "medcredit_break_glass_acts" [] "Acts of the last 24 hours that one operator did although they need two.";
    Gauge "medcredit_build_info" [open("version")] "1, with the version of the program as label.";
    Gauge "medcredit_clock_offset_seconds" [] "How far this gateway's clock is ahead of the database server's.";
    Gauge "medcredit_clock_trusted" []
        "1 while this gateway's clock agrees with the clocks that it is compared with, else 0: data requests are refused.";
    Gauge "medcredit_connections" [LISTENERS] "Open connections whose handshake is done.";
    Counter "medcredit_connections_ended_total" [LISTENERS, closed("reason", &[
        "age", "drained", "idle", "identity", "shutdown", "slow_header", "slow_reader",
    ])] "Connections that the gateway ended.";
    Gauge "medcredit_crl_expires_timestamp_seconds" [open("authority")]
        "When an authority's revocation list becomes stale, in Unix seconds.";
    Gauge "medcredit_crl_life_left_ratio" [open("authority")]
        "The part of a revocation list's validity that is left: from 1 to 0.";
    Gauge "medcredit_crl_rejected" [open("authority")] "1 while a newer revocation list cannot be used.";
    Gauge "medcredit_crl_stale" [open("authority")]
        "1 while an authority has no current revocation list: its banks are refused.";
    Counter "medcredit_disclosures_total" [closed("operation", &[
        "delivery_line", "grade", "grade_history", "report", "scorecard", "settlements",
    ])] "Disclosures that were recorded and released.";
    Gauge "medcredit_disk_free_bytes" [closed("place", &["store", "checkpoint"])]
        "Bytes that the gateway can still write to a file system.";
    Gauge "medcredit_disk_size_bytes" [closed("place", &["store", "checkpoint"])] "The size of the file system.";
    Counter "medcredit_handshakes_total" [LISTENERS, closed("outcome", &[
        "accepted", "bad_chain", "client_gave_up", "closed", "expired", "incompatible", "malformed", "misbehaved",
        "no_certificate", "no_subject", "not_tls", "not_yet_valid", "other", "refused_here", "revocation_stale",
        "revocation_unknown", "revoked", "timeout", "unfinished", "unknown_authority", "weak", "wrong_purpose",
    ])] "TLS handshakes by outcome.";
    Histogram "medcredit_ledger_batch_entries" [] "Answers recorded in one transaction.";
    Gauge "medcredit_ledger_checkpoint_timestamp_seconds" []
        "When the newest checkpoint in the database was signed, in Unix seconds.";
    Histogram "medcredit_ledger_commit_seconds" [] "How long the transaction took that records answers.";
    Gauge "medcredit_ledger_queue" [] "Answers that wait to be recorded.";
    Counter "medcredit_ledger_refused_total" [closed("reason", &[
        "clock", "day", "failed", "history", "queue", "stale", "total",
    ])] "Answers that were not released: not recorded, or out of date after it.";
    Counter "medcredit_ledger_retries_total" [] "Transactions of answers that were tried again after contention.";
    Counter "medcredit_ledger_seal_failures_total" [] "Rounds of sealing that failed.";
    Counter "medcredit_ledger_sealed_total" [] "Entries that this gateway sealed.";
    Gauge "medcredit_ledger_tree_size" [] "Leaves of the newest tree that this gateway signed.";
    Gauge "medcredit_ledger_unsealed" [] "Recorded entries that no checkpoint covers yet.";
    Gauge "medcredit_ledger_unsealed_oldest_seconds" [] "The age of the oldest of them.";
    Counter "medcredit_limited_total" [] "Requests beyond a rate limit.";
    Counter "medcredit_outbox_attempts_total" [open("outcome")] "Attempts to deliver an outbound item.";
    Gauge "medcredit_outbox_items" [open("state")] "Outbound items by state.";
    Counter "medcredit_outbox_leases_lost_total" [] "Leases of outbound items that expired before their worker reported.";
    Gauge "medcredit_outbox_oldest_seconds" [] "The age of the oldest outbound item that is open.";
    Counter "medcredit_problems_total" [closed("code", &[
        "body_budget_used_up", "clock_untrusted", "history_behind", "imports_busy", "internal", "ledger_unavailable",
        "request_timeout", "signing_unavailable", "state_moving", "state_unknown", "store_unavailable",
    ])] "Problem documents by code.";
    Gauge "medcredit_process_open_files" [] "Open file descriptors of the process.";
    Gauge "medcredit_process_open_files_limit" [] "The most file descriptors that the process may open.";
    Gauge "medcredit_proposals" [closed("state", &["open", "approved"])] "Acts that wait for another operator, or for their execution.";
    Counter "medcredit_push_answers_total" [open("platform"), closed("verdict", &["accepted", "rejected"])] "Rows that platforms answered.";
    Gauge "medcredit_push_dead_pages" [open("platform")] "Pages that were given up.";
    Gauge "medcredit_push_due_corrections" [closed("state", &["due", "overdue"])] "Published results that are to be corrected, within the time for it or past it.";
    Gauge "medcredit_push_oldest_seconds" [open("platform")] "The age of the oldest open package.";
    Gauge "medcredit_push_overdue_packages" [open("platform")] "Packages that should have been answered by now.";
    Counter "medcredit_push_pages_total" [open("platform"), closed("outcome", &["delivered", "retry", "dead", "lost"])] "Attempts to deliver a page.";
    Gauge "medcredit_push_rows" [open("platform"), closed("state", &["open", "rejected"])] "Rows that are not answered, or rejected and not resolved.";
    Gauge "medcredit_push_stopped" [open("platform")] "1 while nothing is delivered to a platform, else 0.";
    Counter "medcredit_refused_total" [LISTENERS, closed("reason", &[
        "body_too_large", "body_too_slow", "certificate_refused", "clock_untrusted", "evicted", "framing", "host_invalid",
        "request_timeout", "state_unknown", "too_many_connections", "too_many_connections_of_address",
        "too_many_connections_of_certificate", "too_many_connections_of_site", "too_many_handshakes",
        "too_many_handshakes_of_address",
    ])]
        "Connections and requests that a listener refused before a handler saw them.";
    Counter "medcredit_reloads_total" [closed("outcome", &["done", "failed"])] "Reloads requested by SIGHUP.";
    Histogram "medcredit_request_seconds" [open("route"), open("status")] "How long a request took until its response began.";
    Gauge "medcredit_server_certificate_expires_timestamp_seconds" [LISTENERS]
        "When a listener's certificate expires, in Unix seconds.";
    Gauge "medcredit_server_certificate_life_left_ratio" [LISTENERS]
        "The part of a server certificate's validity that is left: from 1 to 0.";
    Gauge "medcredit_server_certificate_rejected" [LISTENERS] "1 while a replaced certificate file cannot be used.";
    Counter "medcredit_store_commits_total" [open("operation")] "Committed transactions.";
    Gauge "medcredit_store_connections" [open("pool"), closed("state", &["idle", "used"])]
        "Open connections to the database.";
    Gauge "medcredit_store_connections_max" [open("pool")] "The most connections of a pool.";
    Counter "medcredit_store_errors_total" [open("operation"), closed("kind", &[
        "constraint", "contention", "engine", "unreachable",
    ])]
        "Errors of the database.";
}

/// Registers the type and the help text of every metric, and begins each counter with closed labels at zero.
pub(super) fn describe() {
    for metric in METRICS {
        let (name, help) = (metric.name, metric.help);
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(name, help),
            MetricKind::Gauge => metrics::describe_gauge!(name, help),
            MetricKind::Histogram => metrics::describe_histogram!(name, help),
        }
        if metric.kind == MetricKind::Counter {
            for labels in combinations(metric.labels) {
                metrics::counter!(name, labels).increment(0);
            }
        }
    }
}

/// Every combination of the labels' values; none when one of them has no closed set.
fn combinations(labels: &[MetricLabel]) -> Vec<Vec<Label>> {
    let mut all = vec![Vec::new()];
    for label in labels {
        let longer = |begun: Vec<Label>| {
            label.values.iter().map(move |value| {
                let mut longer = begun.clone();
                longer.push(Label::from_static_parts(label.name, value));
                longer
            })
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_names_have_their_units() {
        assert!(METRICS.is_sorted_by(|one, other| one.name < other.name), "keep the list in alphabetical order");
        for metric in METRICS {
            assert_eq!(metric.name.ends_with("_total"), metric.kind == MetricKind::Counter, "{}", metric.name);
            assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{}", metric.name);
        }
    }

    #[test]
    fn labels_with_closed_sets_are_combined_and_others_are_not() {
        assert_eq!(combinations(&[]).len(), 1);
        assert_eq!(combinations(&[LISTENERS, closed("a", &["1", "2", "3"])]).len(), 9);
        assert!(combinations(&[LISTENERS, open("a")]).is_empty());
    }
}
