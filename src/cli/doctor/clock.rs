//! The clock: tokens, consents and certificates are judged by it.

use std::{sync::Arc, time::Duration};

use super::{Examination, Findings};
use crate::{
    app::clock_bounds,
    domain::{SystemEntropy, Timestamp},
    store::{Env, clocks, durability},
    timekeeping,
};

/// A clock that shows a time before this build was written is wrong.
const EARLIEST: Timestamp = Timestamp::from_seconds(1_767_225_600); // 2026-01-01T00:00:00Z
/// The largest difference to the database server and the last seal. Tokens allow for ten seconds between two parties;
/// gateways of one database must do better.
const TOLERANCE: Duration = Duration::from_secs(2);

const USE_NTP: &str = "set the clock, and keep it by NTP";

pub(super) async fn check(exam: &Examination, findings: &mut Findings) {
    let check = "clock";
    let now = exam.now();
    if now < EARLIEST {
        return findings.problem(check, format!("it shows {now}, which is long past"), USE_NTP);
    }
    let Some(db) = &exam.db else { return findings.good(check, format!("{now}")) };
    match clocks::last_sealed(db).await {
        // A seal in the future: this clock, or that of the gateway which sealed, is wrong (I10).
        Ok(Some(sealed)) if sealed > now.plus(TOLERANCE) => {
            return findings.problem(check, format!("it shows {now}, but the ledger was sealed at {sealed}"), USE_NTP);
        }
        Ok(_) => {}
        Err(error) => return findings.wrong(check, error.to_string()),
    }
    match durability::database_clock(db).await {
        Ok(Some(theirs)) if theirs.distance(now) > TOLERANCE => {
            return findings.problem(
                check,
                format!("it shows {now}, and the database server's shows {theirs}"),
                "set both clocks, and keep them by NTP",
            );
        }
        Ok(_) => {}
        Err(error) => return findings.wrong(check, error.to_string()),
    }
    // As a gateway that starts now would judge it (I10).
    let env = Env::new(db.clone(), exam.clock.clone(), Arc::new(SystemEntropy));
    match timekeeping::examine(&env, clock_bounds(&exam.config)).await {
        Ok(Ok(())) => findings.good(check, format!("{now}")),
        Ok(Err(reason)) => findings.problem(check, reason, "read docs/CLOCKS.md: data requests are refused until then"),
        Err(error) => findings.wrong(check, error.to_string()),
    }
}
