//! The statuses of subjects as they held on a day.

use std::collections::BTreeMap;

use crate::{
    domain::Day,
    store::{DbError, statuses::StatusRow},
};

/// The status before the first one of a subject that was imported with its first day.
const BEFORE_THE_FIRST: &str = "active";

/// One of the two statuses of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusOf {
    Agreement,
    Licence,
}

impl StatusOf {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Agreement => "agreement",
            Self::Licence => "licence",
        }
    }
}

/// A status and its first day; none from the beginning.
type Dated = (Option<Day>, String);

/// The dated statuses of the subjects that have any, each in the order of imports.
#[derive(Debug, Default)]
pub(super) struct StatusHistory(BTreeMap<(String, String), Vec<Dated>>);

impl StatusHistory {
    /// The history that rows give, which are in the order of imports.
    pub(super) fn of(rows: Vec<StatusRow>) -> Result<Self, DbError> {
        let mut history = BTreeMap::new();
        for row in rows {
            let from = row.from_on.as_deref().map(str::parse::<Day>).transpose();
            let from = from.map_err(|error| {
                DbError::corrupt("statuses::of_kind", format!("the status of {}: {error}", row.subject_code))
            })?;
            let of: &mut Vec<Dated> = history.entry((row.subject_code, row.subject_of)).or_default();
            of.push((from, row.status));
        }
        Ok(Self(history))
    }

    /// The status that held on a day; `None` for a subject without a history, whose present status has always held.
    pub(super) fn on(&self, code: &str, of: StatusOf, day: Day) -> Option<&str> {
        let dated = self.0.get(&(code.to_owned(), of.as_str().to_owned()))?;
        // Each import reported what holds from a day on, and so replaces what earlier ones reported for that day and later.
        let held = dated.iter().rev().find(|(from, _)| from.is_none_or(|from| from <= day));
        Some(held.map_or(BEFORE_THE_FIRST, |(_, status)| status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(rows: &[(Option<&str>, &str)]) -> StatusHistory {
        let row = |(from, status): &(Option<&str>, &str)| StatusRow {
            subject_code: "P1".into(),
            subject_of: "licence".into(),
            from_on: from.map(str::to_owned),
            status: (*status).to_owned(),
        };
        StatusHistory::of(rows.iter().map(row).collect()).unwrap()
    }

    fn on(history: &StatusHistory, day: &str) -> Option<String> {
        history.on("P1", StatusOf::Licence, day.parse().unwrap()).map(str::to_owned)
    }

    #[test]
    fn a_status_holds_from_its_first_day_on() {
        let history = history(&[(None, "active"), (Some("2026-11-05"), "suspended"), (Some("2027-02-01"), "active")]);
        for (day, status) in [
            ("2026-06-30", "active"),
            ("2026-11-04", "active"),
            ("2026-11-05", "suspended"),
            ("2026-12-31", "suspended"),
            ("2027-06-30", "active"),
        ] {
            assert_eq!(on(&history, day).as_deref(), Some(status), "{day}");
        }
        assert_eq!(history.on("P1", StatusOf::Agreement, "2026-06-30".parse().unwrap()), None);
    }

    #[test]
    fn a_later_import_replaces_what_was_reported_for_its_day_and_later() {
        let history = history(&[(None, "active"), (Some("2026-11-05"), "suspended"), (Some("2026-11-05"), "active")]);
        assert_eq!(on(&history, "2026-12-31").as_deref(), Some("active"), "the suspension was an error");
    }

    #[test]
    fn before_the_first_known_day_a_subject_was_active() {
        let history = history(&[(Some("2026-11-05"), "suspended")]);
        assert_eq!(on(&history, "2026-06-30").as_deref(), Some("active"));
    }
}
