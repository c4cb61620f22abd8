//! Metrics in Prometheus' text form, recorded through the `metrics` facade by whichever room has something to count.
//!
//! Labels are closed words: an operation, a code, a listener; also a bank, of which there are few. Never a subject, a
//! consent or anything a caller can make up, because labels live for ever in a monitoring system (I8).

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of durations: the promise is 95 % of answers within a second (CDR), most take milliseconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What has been counted.
#[derive(Debug, Clone)]
pub struct Metrics(PrometheusHandle);

/// Starts counting. The facade has one recorder in a process, so every call returns the same one.
pub fn install() -> Metrics {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    let handle = RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        // Refused only for an empty list of bounds, which this is not.
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Refused only where somebody else's recorder is in place; ours then shows nothing, and nothing breaks.
        let _ = metrics::set_global_recorder(recorder);
        metrics::gauge!("medcredit_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        handle
    });
    Metrics(handle.clone())
}

impl Metrics {
    /// Moves histogram samples out of their buffers, which grow without it: thousands of answers a second would fill the
    /// memory of a gateway that nobody scrapes.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }

    /// Everything, as a scrape reads it.
    pub fn render(&self) -> String {
        self.upkeep();
        self.0.render()
    }
}
