//! Settlement months that are negative, zero, revised or prepaid.

use medcredit::{
    domain::{Fen, settlement::SettlementStatus},
    importing::Template,
    store::settlements,
};
use serde_json::{Value, json};

use super::import;
use crate::support::{
    TestStore,
    app::{Bank, HOSPITAL, TestApp},
    both_engines,
};

/// A row of the hospital: visits and persons, then the amounts billed, claimed, settled, paid, retained, disallowed,
/// deducted, prepaid, offset, payable.
fn row(month: &str, counts: &str, amounts: [i64; 10], status: &str, as_of: &str) -> String {
    let amounts = amounts.map(|fen| fen.to_string()).join(",");
    format!("{HOSPITAL},{month},resident,{counts},{amounts},{status},{as_of}\n")
}

async fn months(app: &TestApp, from: &str, to: &str) -> Vec<Value> {
    let bank = app.bank("Bank A").await;
    let consent = app
        .consent(&bank, |wish| {
            wish.codes = vec![HOSPITAL.into()];
            wish.data_from = Some("2024-07".parse().unwrap());
        })
        .await;
    let path = format!("settlements?from={from}&to={to}");
    let reply = bank.get(&bank.token().await, &Bank::data(&consent, &path)).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    let all = reply.json["codes"][0]["months"].as_array().unwrap().clone();
    all.into_iter().filter(|month| month["insurance"] == "resident").collect()
}

both_engines! {
    a_negative_month_is_accepted_and_shown_unchanged,
    a_month_of_zero_is_accepted_and_suppressed,
    a_month_revised_three_times_is_its_fourth_version,
    a_prepayment_and_its_offset_are_separate_fields,
}

/// A bank reads a month in which money was clawed back.
async fn a_negative_month_is_accepted_and_shown_unchanged(store: TestStore) {
    let app = TestApp::start(store).await;
    let amounts = [-500_000, -500_000, -500_000, -485_000, -10_000, -5_000, 0, 0, 0, -495_000];
    let report = import(&app, Template::Settlements, &row("2025-07", "40,30", amounts, "final", "2025-09-29")).await;
    assert_eq!((report.accepted, report.warnings), (1, 0));
    let shown = months(&app, "2025-07", "2025-07").await;
    assert_eq!(shown[0]["amounts"]["paid_fen"], -485_000);
    assert_eq!((&shown[0]["consistent"], &shown[0]["suppressed"]), (&json!(true), &json!(false)));
}

/// A bank reads a month in which settlement was suspended: it exists, and its cells are suppressed as too small.
async fn a_month_of_zero_is_accepted_and_suppressed(store: TestStore) {
    let app = TestApp::start(store).await;
    let report = import(&app, Template::Settlements, &row("2025-08", "0,0", [0; 10], "final", "2025-10-30")).await;
    assert_eq!((report.accepted, report.warnings), (1, 0));
    let shown = months(&app, "2025-08", "2025-08").await;
    assert_eq!((&shown[0]["suppressed"], &shown[0]["amounts"]), (&json!(true), &Value::Null));
}

/// A bank reads a month that three later files revised.
async fn a_month_revised_three_times_is_its_fourth_version(store: TestStore) {
    let app = TestApp::start(store).await;
    let states = ["provisional", "provisional", "provisional", "final"];
    for (nth, status) in (0..).zip(states) {
        let settled = 5_000_000 - nth * 100_000;
        let paid = settled - 150_000 - 20_000;
        let amounts = [8_000_000, 5_000_000, settled, paid, 150_000, 20_000, 0, 0, 0, settled - 20_000];
        let report =
            import(&app, Template::Settlements, &row("2024-08", "400,300", amounts, status, "2024-10-30")).await;
        assert_eq!((report.accepted, report.warnings), (1, 0));
    }
    let shown = months(&app, "2024-08", "2024-08").await;
    assert_eq!((shown.len(), &shown[0]["version"], &shown[0]["status"]), (1, &json!(4), &json!("final")));
    assert_eq!(shown[0]["amounts"]["settled_fen"], 4_700_000);
    let (month, read) = ("2024-08".parse().unwrap(), app.store.db.read("test"));
    let all = settlements::list_versions(&read, &[HOSPITAL.to_owned()], month, month).await.unwrap();
    let all: Vec<_> = all.iter().filter(|row| row.settlement.insurance.to_string() == "resident").collect();
    assert_eq!(all.len(), 4, "every version that a bank has read is stored");
    assert_eq!((all[0].settlement.settled, all[0].settlement.status), (Fen(5_000_000), SettlementStatus::Provisional));
}

/// A bank adds up a month with a prepayment and the next one, which offsets it: nothing is counted twice.
async fn a_prepayment_and_its_offset_are_separate_fields(store: TestStore) {
    let app = TestApp::start(store).await;
    let july =
        [320_000_000, 210_000_000, 200_000_000, 311_000_000, 8_000_000, 1_000_000, 0, 120_000_000, 0, 319_000_000];
    let august =
        [320_000_000, 210_000_000, 200_000_000, 71_000_000, 8_000_000, 1_000_000, 0, 0, 120_000_000, 79_000_000];
    let rows = row("2025-07", "9000,6000", july, "final", "2025-09-29")
        + &row("2025-08", "9000,6000", august, "final", "2025-10-30");
    let report = import(&app, Template::Settlements, &rows).await;
    assert_eq!(
        (report.accepted, report.warnings),
        (2, 0),
        "paid is settled less what is withheld, plus and minus these"
    );
    let shown = months(&app, "2025-07", "2025-08").await;
    assert_eq!(shown[0]["amounts"]["prepaid_fen"], shown[1]["amounts"]["offset_fen"]);
    let paid = |at: usize| shown[at]["amounts"]["paid_fen"].as_i64().unwrap();
    assert_eq!(paid(0) + paid(1), 2 * (200_000_000 - 8_000_000 - 1_000_000));
    assert!(shown.iter().all(|month| month["consistent"] == true));
}
