//! 三(一)5: subjects that take no part, from imported files through a run to its results.

use medcredit::grading::Library;

use super::{INSTITUTION, PHARMACY, chain::City};
use crate::support::{TestStore, block_on, both_engines};

/// The only pharmacy.
const CODE: &str = "P33030200017";

async fn rated(store: TestStore, signed: &str, agreement: &str, licence: &str, event: Option<&str>) -> String {
    let mut city = City::new(store);
    city.pharmacy(CODE, "", signed, agreement, licence);
    if let Some(event) = event {
        city.event(CODE, event);
    }
    let run = city.run().await;
    city.result(&run, CODE).await
}

#[test]
fn 三_一_5_1_签订医保服务协议不满一年() {
    block_on(async {
        let signed = async |day| rated(TestStore::sqlite().await, day, "active", "active", None).await;
        assert_eq!(signed("2025-01-01").await, "agreement_under_one_year");
        assert_eq!(signed("2024-12-31").await, "three_stars", "a year is full on the last day of the half-year");
    });
}

#[test]
fn 三_一_5_2_主动解除服务协议() {
    block_on(async {
        let result = rated(TestStore::sqlite().await, "2016-05-04", "ended_by_subject", "active", None).await;
        assert_eq!(result, "agreement_ended_by_subject");
    });
}

#[test]
fn 三_一_5_3_未达到续签服务协议条件被解除服务协议() {
    block_on(async {
        let result = rated(TestStore::sqlite().await, "2016-05-04", "ended_by_bureau", "active", None).await;
        assert_eq!(result, "agreement_ended_by_bureau");
    });
}

/// 未达到续签服务协议条件被解除服务协议的 is the only case of 5(3): an agreement that the bureau ended for a cause of 3(4) to 3(6)
/// is rated by that cause.
#[test]
fn 三_一_5_3_an_agreement_that_was_ended_for_cause_is_one_star_by_3_4_to_3_6() {
    block_on(async {
        for cause in ["fraud_finding", "court_fraud_judgment", "agreement_nonperformance", "serious_violation"] {
            let store = TestStore::sqlite().await;
            assert_eq!(
                rated(store, "2016-05-04", "ended_by_bureau", "active", Some(cause)).await,
                "one_star",
                "{cause}"
            );
        }
        // A violation alone is no cause of these, and the other cases of 5 stay what they are.
        for (agreement, licence, event, result) in [
            ("ended_by_bureau", "active", "violation", "agreement_ended_by_bureau"),
            ("ended_by_bureau", "suspended", "fraud_finding", "licence_suspended"),
            ("ended_by_subject", "active", "fraud_finding", "agreement_ended_by_subject"),
        ] {
            let store = TestStore::sqlite().await;
            assert_eq!(rated(store, "2016-05-04", agreement, licence, Some(event)).await, result);
        }
    });
}

#[test]
fn 三_一_5_4_暂停或吊销执业许可() {
    block_on(async {
        for licence in ["suspended", "revoked"] {
            let result = rated(TestStore::sqlite().await, "2016-05-04", "active", licence, None).await;
            assert_eq!(result, "licence_suspended");
        }
    });
}

both_engines! {
    三_一_5_5_法律法规规定的其他不参与信用分级评测的情形,
}

/// The bureau has decided that a pharmacy takes no part, and reports that decision.
async fn 三_一_5_5_法律法规规定的其他不参与信用分级评测的情形(store: TestStore) {
    assert_eq!(rated(store, "2016-05-04", "active", "active", Some("rating_exemption")).await, "other");
}

#[test]
fn both_models_name_all_five() {
    let library = Library::shipped().unwrap();
    for id in [INSTITUTION, PHARMACY] {
        let named = &library.get(id).unwrap().model.file().not_rated.reasons;
        let words: Vec<_> = named.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(
            words,
            [
                "agreement_under_one_year",
                "agreement_ended_by_subject",
                "agreement_ended_by_bureau",
                "licence_suspended",
                "other"
            ]
        );
    }
}
