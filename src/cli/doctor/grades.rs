//! The grades that banks read: none is past its validity.

use super::{Examination, Findings};
use crate::store::rounds;

pub(super) async fn check(exam: &Examination, findings: &mut Findings) {
    let check = "grades";
    let Some(db) = &exam.db else { return };
    let today = exam.now().day().to_string();
    match rounds::published_before(&db.read("doctor"), &today).await {
        Ok(rounds) if rounds.is_empty() => findings.good(check, "no published round is past its validity"),
        Ok(rounds) => {
            for round in rounds {
                let (kind, scheme, period) = (round.kind, round.scheme, round.period);
                let text = format!("{kind} of {period} under {scheme} were valid until {}", round.valid_until_on);
                let fix = format!("import the newer half-year, `medcredit score run` for {kind}, and publish it");
                findings.problem(check, text, fix);
            }
        }
        Err(error) => findings.wrong(check, error.to_string()),
    }
}
