//! What operators observe of a running gateway: its log, its metrics and its health.
//!
//! Invariant I8: nothing personal or secret is logged or counted. A field of the log is written only if `fields.rs` allows its
//! name; free text is scrubbed of what looks like a number of a person, an institution, an account or a credential; libraries
//! log at `info` and above only, because some print headers below it. Metrics never have the id of a subject or a consent as
//! a label. This room knows nothing of the rooms that it reports on.

mod buffered_writer;
mod catalogue;
mod descriptors;
mod escape;
mod fields;
mod health;
mod host;
mod listener;
mod logging;
mod metrics;
mod recent_calls;
mod scrub;
mod system;

pub use buffered_writer::{BufferedWriter, FlushGuard, buffered};
pub use catalogue::{METRICS, MetricInfo, MetricKind, MetricLabel};
pub use descriptors::raise_descriptor_limit;
pub use fields::is_allowed;
pub use health::Health;
pub use host::names_one_host;
pub use listener::{MAX_CONNECTIONS, Telemetry, serve};
pub use logging::{Format, LogLayer, LogSettings, init};
pub use metrics::{Metrics, install as install_metrics};
pub use recent_calls::{Calls, DAY, RecentCalls};
pub use scrub::scrub;
pub use system::{DiskSpace, OpenFiles, disk_space, open_files};
