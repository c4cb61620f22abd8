//! What the operator sees of a running gateway: its log, its metrics and its health.
//!
//! Invariant I8: nothing personal or secret leaves by this door. A field of the log is written only when its name is
//! vouched for in `fields.rs`; free text is scrubbed of what looks like a number of a person, an institution, an account
//! or a credential; libraries speak at `info` and above only, because below it some print headers. Metrics never carry
//! the id of a subject or a consent as a label. This room knows nothing of the rooms it reports on.

mod buffered_writer;
mod fields;
mod health;
mod listener;
mod logging;
mod metrics;
mod scrub;

pub use buffered_writer::{Gathered, Gathering, gathered};
pub use fields::is_vouched_for;
pub use health::Health;
pub use listener::{Telemetry, serve};
pub use logging::{Format, LogLayer, LogSettings, init};
pub use metrics::{Metrics, install as install_metrics};
pub use scrub::scrub;
