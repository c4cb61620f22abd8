//! How often a consent may be used, and how much of that is used after an append.

use std::time::Duration;

use crate::domain::{Day, QuotaUse, Timestamp};

/// The name of the policy for all fetches of a consent in the limit header fields.
const TOTAL: &str = "consent-total";
/// The name of the policy for the fetches of one day.
const DAY: &str = "consent-day";
/// A day in seconds: China has no daylight saving time.
const DAY_SECONDS: u64 = 86_400;

/// How often a consent may be used. The append counts, so the limits are exact on any number of gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The most answers in total.
    pub max_fetches: Option<i64>,
    /// The most answers a day.
    pub per_day: Option<i64>,
    /// The day, in the city's time zone, on which this answer counts.
    pub day: Day,
}

impl Budget {
    /// Whether the consent limits its use.
    pub const fn is_limited(&self) -> bool {
        self.max_fetches.is_some() || self.per_day.is_some()
    }
}

/// A consent's budget with its use, as the append found or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetUse {
    /// The budget; its day is the day on which answers are counted now.
    pub budget: Budget,
    /// Answers given in total.
    pub used: i64,
    /// Answers given on that day.
    pub used_today: i64,
}

impl BudgetUse {
    /// The time until the day's budget is available again.
    pub fn until_tomorrow(&self, now: Timestamp) -> Duration {
        self.budget.day.plus_days(1).start().since(now)
    }

    /// The use of each limit of the consent. Exact, unlike request quotas, which each gateway counts for itself.
    pub fn quotas(&self, now: Timestamp) -> Vec<QuotaUse> {
        // Clamped at 0: an amendment may have lowered a limit below what is used already.
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        let day = self.budget.per_day.map(|quota| QuotaUse {
            name: DAY.to_owned(),
            quota: unsigned(quota),
            window_seconds: Some(DAY_SECONDS),
            remaining: unsigned(quota - self.used_today),
            seconds: Some(ceiling(self.until_tomorrow(now))),
        });
        // Without a window and a reset time: it never becomes available again.
        let total = self.budget.max_fetches.map(|quota| QuotaUse {
            name: TOTAL.to_owned(),
            quota: unsigned(quota),
            window_seconds: None,
            remaining: unsigned(quota - self.used),
            seconds: None,
        });
        day.into_iter().chain(total).collect()
    }
}

/// Whole seconds, rounded up, so that a client never retries too early.
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
    fn a_consent_without_limits_has_no_quotas() {
        let now = Timestamp::from_seconds(1_775_059_199);
        let budget = Budget { max_fetches: None, per_day: None, day: now.day() };
        assert!(BudgetUse { budget, used: 4, used_today: 1 }.quotas(now).is_empty());
    }
}
