//! Metrics in the Prometheus text format. Any room records them through the `metrics` facade.
//!
//! The values of a label are a small closed set: operations, codes, listeners, banks. A label is never a subject, a consent or
//! anything that a caller can choose, because a monitoring system stores labels for ever (I8).

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::catalogue;

/// Histogram buckets for durations. The target is 95 % of responses within a second (CDR); most take milliseconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The metrics of the process.
#[derive(Debug, Clone)]
pub struct Metrics(PrometheusHandle);

/// Installs the recorder. A process has one, so every call returns the same metrics.
pub fn install() -> Metrics {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    let handle = RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        // Infallible: only an empty list of buckets is refused.
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Refused only if another recorder is installed: then this one stays empty, and nothing breaks.
        let _ = metrics::set_global_recorder(recorder);
        catalogue::describe();
        metrics::gauge!("medcredit_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        handle
    });
    Metrics(handle.clone())
}

impl Metrics {
    /// Moves histogram samples out of their buffers. Without it the buffers grow: at thousands of responses a second they would
    /// fill the memory of a gateway that nobody scrapes.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }

    /// Renders all metrics in the text format.
    pub fn render(&self) -> String {
        self.upkeep();
        self.0.render()
    }
}
