//! How a caller stands with a named limit.

/// A limit of calls and what of it is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaUse {
    /// Its name, as in `RateLimit-Policy`.
    pub name: String,
    /// How many it admits.
    pub quota: u64,
    /// In how many seconds; none where what is used up does not come back.
    pub window_seconds: Option<u64>,
    /// How many more it admits at once.
    pub remaining: u64,
    /// Seconds until the whole quota is back, or until the next is admitted where none is left.
    pub seconds: Option<u64>,
}
