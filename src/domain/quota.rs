//! The state of a caller's quota under a named limit.

/// A limit of calls and the calls that remain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaUse {
    /// The limit's name, as in `RateLimit-Policy`.
    pub name: String,
    /// Calls allowed in a window.
    pub quota: u64,
    /// Length of the window in seconds; none for a quota that is never refilled.
    pub window_seconds: Option<u64>,
    /// Calls allowed now.
    pub remaining: u64,
    /// Seconds until the whole quota is back, or, if none remains, until the next call is allowed.
    pub seconds: Option<u64>,
}
