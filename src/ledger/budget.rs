//! How often a consent may be used, and how it stands after an append has counted.

use std::time::Duration;

use crate::domain::{Day, QuotaUse, Timestamp};

/// The policy of all fetches of a consent, as the limit fields name it.
const TOTAL: &str = "consent-total";
/// The policy of the fetches of a day.
const DAY: &str = "consent-day";
/// A day in seconds: the city has no daylight saving.
const DAY_SECONDS: u64 = 86_400;

/// How often a consent may be used. Counted in the append, exactly, on any number of gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Answers altogether.
    pub max_fetches: Option<i64>,
    /// Answers a day.
    pub per_day: Option<i64>,
    /// The city's day on which this one counts.
    pub day: Day,
}

impl Budget {
    /// Whether there is anything to be counted.
    pub const fn is_limited(&self) -> bool {
        self.max_fetches.is_some() || self.per_day.is_some()
    }
}

/// A consent's budget with what of it is used, as the append found or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetUse {
    /// The budget; its day is the one on which answers are counted now.
    pub budget: Budget,
    /// Answers given altogether.
    pub used: i64,
    /// Answers given on that day.
    pub used_today: i64,
}

impl BudgetUse {
    /// The time until the day's budget is whole again.
    pub fn until_tomorrow(&self, now: Timestamp) -> Duration {
        self.budget.day.plus_days(1).start().since(now)
    }

    /// How the consent stands with each limit it has: exact, where the quotas of requests are each gateway's own count.
    pub fn quotas(&self, now: Timestamp) -> Vec<QuotaUse> {
        let whole = |number: i64| u64::try_from(number).unwrap_or(0);
        let day = self.budget.per_day.map(|quota| QuotaUse {
            name: DAY.to_owned(),
            quota: whole(quota),
            window_seconds: Some(DAY_SECONDS),
            remaining: whole(quota - self.used_today),
            seconds: Some(ceiling(self.until_tomorrow(now))),
        });
        // Without a window and without a time: no waiting brings it back.
        let total = self.budget.max_fetches.map(|quota| QuotaUse {
            name: TOTAL.to_owned(),
            quota: whole(quota),
            window_seconds: None,
            remaining: whole(quota - self.used),
            seconds: None,
        });
        day.into_iter().chain(total).collect()
    }
}

/// DeliveryBody seconds, rounded up: never an invitation to come back too early.
fn ceiling(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_in_the_city() {
        // 2026-04-01T23:59:59.5 in the city.
        let now = Timestamp::from_micros(Timestamp::from_seconds(1_775_059_199).micros() + 500_000);
        let budget = Budget { max_fetches: Some(9), per_day: Some(3), day: now.day() };
        assert_eq!(now.day().to_string(), "2026-04-01");
        let used = BudgetUse { budget, used: 4, used_today: 1 };
        let quotas: Vec<_> = used.quotas(now).into_iter().map(|of| (of.name, of.remaining, of.seconds)).collect();
        assert_eq!(quotas, [("consent-day".to_owned(), 2, Some(1)), ("consent-total".to_owned(), 5, None)]);
    }

    #[test]
    fn a_consent_without_limits_says_nothing() {
        let now = Timestamp::from_seconds(1_775_059_199);
        let budget = Budget { max_fetches: None, per_day: None, day: now.day() };
        assert!(BudgetUse { budget, used: 4, used_today: 1 }.quotas(now).is_empty());
    }
}
