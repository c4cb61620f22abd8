//! The terms of a consent: the bounds that a request, a grant and an amendment keep to, and the evidence that an amendment
//! needs which allows more than the subject has signed.

use std::time::Duration;

use super::{Consent, ConsentPolicy, evidence::unprocessable};
use crate::domain::{
    Failure, Month, Timestamp,
    permission::{Permission, Purpose},
};

/// A day in seconds.
const DAY: u64 = 86_400;
/// The bounds of a number of fetches.
const FETCHES: std::ops::RangeInclusive<i64> = 1..=1_000_000;

/// What a consent allows, for how long and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) permissions: &'a [Permission],
    pub(super) purposes: &'a [Purpose],
    pub(super) data_from: Month,
    pub(super) data_to: Month,
    pub(super) max_fetches: Option<i64>,
    pub(super) daily_budget: Option<i64>,
    pub(super) expires_at: Timestamp,
}

/// A term that is out of bounds.
#[derive(Debug)]
pub(super) struct OutOfBounds {
    pub(super) field: &'static str,
    pub(super) text: String,
}

/// When the terms are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    /// When the consent was requested: months of data that were near then stay allowed while it is in force.
    pub(super) requested_at: Timestamp,
    pub(super) now: Timestamp,
}

impl From<OutOfBounds> for Failure {
    fn from(error: OutOfBounds) -> Self {
        Self::invalid(error.field, "invalid_request", error.text)
    }
}

/// An instant some days after another, saturating.
pub(super) fn days_after(at: Timestamp, days: i64) -> Timestamp {
    // Negative days count as none: validity is then over from the start.
    at.plus(Duration::from_secs(DAY.saturating_mul(u64::try_from(days).unwrap_or(0))))
}

impl ConsentPolicy {
    /// Checks the bounds of all terms: the one place for requests, grants and amendments.
    pub(super) fn check(&self, terms: &Terms<'_>, judged: Judged) -> Result<(), OutOfBounds> {
        let refuse = |field, text: String| Err(OutOfBounds { field, text });
        for (field, missing) in [("permissions", terms.permissions.is_empty()), ("purposes", terms.purposes.is_empty())]
        {
            if missing {
                return refuse(field, format!("`{field}` must name at least one."));
            }
        }
        self.check_months(terms, judged)?;
        if terms.expires_at <= judged.now {
            return refuse("expires_at", "`expires_at` must be in the future.".into());
        }
        if terms.expires_at > days_after(judged.now, self.max_validity_days) {
            return refuse(
                "expires_at",
                format!("`expires_at` must be within {} days from now.", self.max_validity_days),
            );
        }
        for (field, limit) in [("max_fetches", terms.max_fetches), ("daily_budget", terms.daily_budget)] {
            if limit.is_some_and(|limit| !FETCHES.contains(&limit)) {
                return refuse(
                    field,
                    format!("`{field}` must be between {} and {}, or left out.", FETCHES.start(), FETCHES.end()),
                );
            }
        }
        Ok(())
    }

    fn check_months(&self, terms: &Terms<'_>, judged: Judged) -> Result<(), OutOfBounds> {
        let refuse = |field, text: String| Err(OutOfBounds { field, text });
        let (from, to, most) = (terms.data_from, terms.data_to, self.max_data_months);
        if from > to {
            return refuse("data_from", "`data_from` must not be after `data_to`.".into());
        }
        // Post-loan management looks ahead: the window may reach into the months that validity will cover.
        if to.months_since(judged.now.day().month()) > most {
            return refuse("data_to", format!("`data_to` must be at most {most} months ahead."));
        }
        if judged.requested_at.day().month().months_since(to) > most {
            return refuse("data_to", format!("`data_to` must be at most {most} months back."));
        }
        // Both ends count.
        let months = to.months_since(from).saturating_add(1);
        if months > most {
            return refuse("data_from", format!("`data_from` to `data_to` are {months} months; name at most {most}."));
        }
        Ok(())
    }
}

impl Terms<'_> {
    /// The terms that allow more than others do.
    fn wider_than(&self, before: &Terms<'_>) -> Vec<&'static str> {
        // A consent without a limit is wider than one with any.
        let more =
            |after: Option<i64>, before: Option<i64>| before.is_some_and(|before| after.is_none_or(|n| n > before));
        let wider = [
            ("permissions", self.permissions.iter().any(|it| !before.permissions.contains(it))),
            ("purposes", self.purposes.iter().any(|it| !before.purposes.contains(it))),
            ("data_from", self.data_from < before.data_from),
            ("data_to", self.data_to > before.data_to),
            ("max_fetches", more(self.max_fetches, before.max_fetches)),
            ("daily_budget", more(self.daily_budget, before.daily_budget)),
            ("expires_at", self.expires_at > before.expires_at),
        ];
        wider.into_iter().filter(|(_, wider)| *wider).map(|(name, _)| name).collect()
    }

    /// Checks that an amendment which allows more comes with a signed text: the one in force allows less.
    pub(super) fn check_signed(&self, before: &Terms<'_>, signed: bool) -> Result<(), Failure> {
        let wider = self.wider_than(before);
        if wider.is_empty() || signed {
            return Ok(());
        }
        Err(unprocessable(
            "consent_evidence_required",
            format!(
                "The amendment allows more than the subject has signed ({}). Pass the text that was signed for it.",
                wider.join(", ")
            ),
        ))
    }
}

impl Consent {
    pub(super) fn terms(&self) -> Terms<'_> {
        Terms {
            permissions: &self.permissions,
            purposes: &self.purposes,
            data_from: self.data_from,
            data_to: self.data_to,
            max_fetches: self.max_fetches,
            daily_budget: self.daily_budget,
            expires_at: self.expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: ConsentPolicy = ConsentPolicy {
        request_days: 30,
        default_validity_days: 90,
        max_validity_days: 1096,
        default_data_months: 24,
        max_data_months: 36,
    };

    fn now() -> Timestamp {
        "2026-04-01T00:00:00Z".parse().unwrap()
    }

    fn terms() -> Terms<'static> {
        Terms {
            permissions: &[Permission::Grade],
            purposes: &[Purpose::PreLoanReview],
            data_from: "2025-01".parse().unwrap(),
            data_to: "2026-03".parse().unwrap(),
            max_fetches: Some(10),
            daily_budget: Some(2),
            expires_at: days_after(now(), 90),
        }
    }

    fn field(change: impl Fn(&mut Terms<'static>)) -> Option<&'static str> {
        let mut changed = terms();
        change(&mut changed);
        let judged = Judged { requested_at: now(), now: now() };
        POLICY.check(&changed, judged).err().map(|error| error.field)
    }

    #[test]
    fn every_term_has_bounds() {
        let month = |text: &str| text.parse::<Month>().unwrap();
        assert_eq!(field(|_| ()), None);
        assert_eq!(field(|of| of.permissions = &[]), Some("permissions"));
        assert_eq!(field(|of| of.purposes = &[]), Some("purposes"));
        assert_eq!(field(|of| of.data_from = month("2026-04")), Some("data_from"));
        assert_eq!(field(|of| of.data_from = month("2023-04")), None);
        assert_eq!(field(|of| of.data_from = month("2023-03")), Some("data_from"));
        assert_eq!(field(|of| of.data_from = month("1900-01")), Some("data_from"));
        let window = |from, to| move |of: &mut Terms<'_>| (of.data_from, of.data_to) = (month(from), month(to));
        assert_eq!(field(window("1900-01", "1900-12")), Some("data_to"));
        assert_eq!(field(window("2023-03", "2023-03")), Some("data_to"));
        assert_eq!(field(window("2023-04", "2023-04")), None);
        assert_eq!(field(window("2029-04", "2029-04")), None);
        assert_eq!(field(window("2029-05", "2029-05")), Some("data_to"));
        assert_eq!(field(|of| of.expires_at = now()), Some("expires_at"));
        assert_eq!(field(|of| of.expires_at = days_after(now(), 1096)), None);
        assert_eq!(field(|of| of.expires_at = days_after(now(), 1097)), Some("expires_at"));
        assert_eq!(field(|of| of.expires_at = days_after(now(), i64::MAX)), Some("expires_at"));
        for number in [i64::MIN, -5, 0, 1_000_001] {
            assert_eq!(field(|of| of.max_fetches = Some(number)), Some("max_fetches"), "{number}");
            assert_eq!(field(|of| of.daily_budget = Some(number)), Some("daily_budget"), "{number}");
        }
        assert_eq!(field(|of| (of.max_fetches, of.daily_budget) = (None, Some(1_000_000))), None);
    }

    #[test]
    fn months_that_were_near_at_the_request_stay_allowed() {
        let judged = Judged { requested_at: now(), now: days_after(now(), 1095) };
        let kept = Terms { data_to: "2025-03".parse().unwrap(), expires_at: days_after(now(), 1096), ..terms() };
        assert!(POLICY.check(&kept, judged).is_ok());
    }

    #[test]
    fn what_allows_more_is_named_and_needs_a_signed_text() {
        let before = terms();
        let wider = |change: fn(&mut Terms<'static>)| {
            let mut after = before;
            change(&mut after);
            let refused = after.check_signed(&before, false).is_err();
            assert_eq!(refused, !after.wider_than(&before).is_empty());
            assert!(after.check_signed(&before, true).is_ok());
            after.wider_than(&before)
        };
        assert!(wider(|_| ()).is_empty());
        assert_eq!(wider(|of| of.permissions = &[Permission::Grade, Permission::Settlements]), ["permissions"]);
        assert_eq!(wider(|of| of.permissions = &[Permission::Settlements]), ["permissions"]);
        assert_eq!(wider(|of| of.purposes = &[Purpose::PostLoanManagement]), ["purposes"]);
        assert_eq!(wider(|of| of.data_from = of.data_from.plus(-1)), ["data_from"]);
        assert_eq!(wider(|of| of.data_to = of.data_to.plus(1)), ["data_to"]);
        assert_eq!(wider(|of| of.max_fetches = Some(11)), ["max_fetches"]);
        assert_eq!(wider(|of| of.max_fetches = None), ["max_fetches"]);
        assert_eq!(wider(|of| of.daily_budget = Some(3)), ["daily_budget"]);
        assert_eq!(wider(|of| of.expires_at = of.expires_at.plus(Duration::from_micros(1))), ["expires_at"]);
        assert!(wider(|of| (of.max_fetches, of.daily_budget) = (Some(1), Some(1))).is_empty());
        assert!(wider(|of| (of.data_from, of.data_to) = (of.data_from.plus(1), of.data_to.plus(-1))).is_empty());
    }
}
