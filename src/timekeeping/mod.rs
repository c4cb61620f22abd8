//! Compares the gateway's clock with others, and says whether it may be relied on (I10, docs/CLOCKS.md).
//!
//! Others are the database server's clock, monotonic time since the last agreement, the last seal, the last time that the
//! store has seen, and the clocks of other gateways. [`ClockMonitor::compare`] is called at each poll, and sets the
//! [`ClockTrust`](crate::domain::ClockTrust) that everything else looks at; [`ClockMonitor::publish`] writes this gateway's
//! reading for the others. This room decides nothing else: it refuses no request and stops no task.

mod judge;
mod monitor;
mod peers;

pub use judge::Bounds;
pub use monitor::{ClockMonitor, accept, examine};
