//! The statuses of results, as the store has them.

/// The subject has a grade.
pub(super) const GRADED: &str = "graded";
/// The subject takes no part in the round (不参评).
pub(super) const NOT_RATED: &str = "not_rated";
