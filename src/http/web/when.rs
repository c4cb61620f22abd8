//! Times as pages show them.

use crate::domain::Timestamp;

/// An instant on a page: the city's time with its zone, and the form for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When(pub Timestamp);

impl When {
    /// An instant of a table.
    pub const fn micros(micros: i64) -> Self {
        Self(Timestamp::from_micros(micros))
    }

    /// `2026-07-31T00:00:00Z`.
    pub fn machine(&self) -> String {
        Timestamp::from_seconds(self.0.seconds()).to_string()
    }

    /// `2026-07-31 08:00:00 +08:00`.
    pub fn human(&self) -> String {
        format!("{} +08:00", self.0.city_time())
    }
}

/// Optional instants of a table.
pub fn optional(micros: Option<i64>) -> Option<When> {
    micros.map(When::micros)
}
