//! The clock: tokens, consents and certificates are judged by it.

use std::time::Duration;

use super::{Examination, Report};
use crate::{domain::Timestamp, store::durability};

/// Before this build was written no clock is right.
const EARLIEST: Timestamp = Timestamp::from_seconds(1_767_225_600); // 2026-01-01T00:00:00Z
/// Tokens allow for ten seconds between two parties; gateways of one database must do better.
const APART: Duration = Duration::from_secs(2);

pub(super) async fn check(exam: &Examination, report: &mut Report) {
    let check = "clock";
    let now = exam.now();
    if now < EARLIEST {
        return report.bad(check, format!("it shows {now}, which has long passed: set it, and keep it by NTP"));
    }
    let Some(db) = &exam.db else { return report.good(check, format!("{now}")) };
    match durability::last_sealed(db).await {
        Ok(Some(sealed)) if sealed > now.plus(APART) => {
            return report.bad(check, format!("it shows {now}, but the ledger was sealed at {sealed}"));
        }
        Ok(_) => {}
        Err(error) => return report.bad(check, error.to_string()),
    }
    match durability::database_clock(db).await {
        Ok(Some(theirs)) if theirs.since(now).max(now.since(theirs)) > APART => {
            report.bad(check, format!("it shows {now}, the database server's shows {theirs}: keep both by NTP"));
        }
        Ok(_) => report.good(check, format!("{now}")),
        Err(error) => report.bad(check, error.to_string()),
    }
}
