//! What the schedules of a platform demand, and when.

use std::fmt;

use crate::{
    domain::{Day, HalfYear, Month, Timestamp},
    push::platform::{GradesSchedule, Platform, UsageSchedule},
};

/// An occasion on which a package is due. Its text is the key by which the store knows what was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// A round was published.
    Round(String),
    /// A round is in force in a month.
    Month(String, Month),
    /// A round is in force on a day.
    Day(String, Day),
    /// The platform's file no longer names the kind of a round in force.
    Withdrawal(String),
    /// Pages with the round waited when the platform's file no longer named its kind: they left without its rows.
    Withheld(String),
    /// A period of counts is over.
    Period(String),
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round(run) => f.write_str(run),
            Self::Month(run, month) => write!(f, "{run}@{month}"),
            Self::Day(run, day) => write!(f, "{run}@{day}"),
            Self::Withdrawal(run) => write!(f, "{run}@withdrawn"),
            Self::Withheld(run) => write!(f, "{run}@withheld"),
            Self::Period(period) => f.write_str(period),
        }
    }
}

impl Occasion {
    /// The occasion that a round in force gives to a platform now; none for a platform without grades.
    pub fn of_round(platform: &Platform, run: &str, now: Timestamp) -> Option<Self> {
        let run = run.to_owned();
        platform.schedule.grades.map(|schedule| match schedule {
            GradesSchedule::HalfYearly => Self::Round(run),
            GradesSchedule::Monthly => Self::Month(run, now.day().month()),
            GradesSchedule::OnChange => Self::Day(run, now.day()),
        })
    }

    /// The occasion that the last period of counts gives to a platform now; none for a platform without them.
    pub fn of_usage(platform: &Platform, now: Timestamp) -> Option<Self> {
        let this_month = now.day().month();
        platform.schedule.usage.map(|schedule| {
            Self::Period(match schedule {
                UsageSchedule::HalfYearly => HalfYear::of(this_month).plus(-1).to_string(),
                UsageSchedule::Monthly => this_month.plus(-1).to_string(),
            })
        })
    }
}
