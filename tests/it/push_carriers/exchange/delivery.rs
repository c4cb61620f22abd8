//! Pages as rows: what is written, once, and with which rights.

use medcredit::push::{
    carrier::{FailureReason, PackageHead},
    platform::{Engine, Operation},
};

use super::{
    super::package,
    both_databases,
    server::{Front, deliver, grade, grades},
};

both_databases! {
    a_page_is_rows_and_a_control_row,
    a_page_is_there_once_however_often_it_is_delivered,
    a_batch_that_was_delivered_with_other_rows_is_not_replaced,
    two_gateways_that_deliver_the_same_page_insert_it_once,
    without_a_control_table_a_batch_is_found_by_its_rows,
    a_page_of_more_rows_than_a_statement_takes_is_complete,
    every_character_of_a_name_arrives,
}

const ALL: &str = "SELECT record_unique_identity, opt_type, CAST(exchange_flag AS char(1)), CAST(cd_time AS char(19)), \
    source_dept_code, CAST(env_flag AS char(1)), CAST(ver AS char(1)), batch_no, result, ztmc, pjdj FROM t_grades \
    ORDER BY record_unique_identity";

async fn a_page_is_rows_and_a_control_row(engine: Engine) {
    let front = Front::open(engine).await;
    let rows = [
        grade("run_1:H1", 1, Operation::Insert, "甲医院", "A"),
        grade("run_1:H2", 3, Operation::Update, "o'乙`\"; DROP TABLE t_grades; --", ""),
        grade("run_1:H3", 2, Operation::Delete, "丙医院", "C"),
    ];
    let receipt = deliver(&front.carrier(), &package(1, 3), 1, &rows).await.unwrap();
    let batch = "city-credit:0000000012:000001";
    assert_eq!(receipt.number.as_deref(), Some(batch));
    // The city's time of NOW.
    let time = "2026-04-01 09:00:00";
    let row = |id, operation, version, name, grade| {
        [id, operation, "0", time, "330300000036", "0", version, batch, "-", name, grade].map(str::to_owned).to_vec()
    };
    let expected = [
        row("run_1:H1", "I", "1", "甲医院", "A"),
        row("run_1:H2", "U", "3", "o'乙`\"; DROP TABLE t_grades; --", "-"),
        row("run_1:H3", "D", "2", "丙医院", "C"),
    ];
    assert_eq!(front.rows(ALL).await, expected, "an absent value is NULL, and a text is never a statement");
    let control = "SELECT table_name, batch_no, CAST(row_count AS char(1)), data_digest, CAST(cd_time AS char(19)) FROM t_control";
    let digest = receipt.body_sha256.unwrap();
    assert_eq!(front.rows(control).await, [["t_grades", batch, "3", &digest, time].map(str::to_owned).to_vec()]);
}

async fn a_page_is_there_once_however_often_it_is_delivered(engine: Engine) {
    let front = Front::open(engine).await;
    let (package, first, second) = (package(2, 5), grades(0..3), grades(3..5));
    let receipt = deliver(&front.carrier(), &package, 2, &second).await.unwrap();
    // Another process, after an answer that nobody saw.
    let repeated = deliver(&front.carrier(), &package, 2, &second).await.unwrap();
    assert_eq!((repeated.number, repeated.body_sha256), (receipt.number, receipt.body_sha256));
    let carrier = front.carrier();
    deliver(&carrier, &package, 1, &first).await.unwrap();
    deliver(&carrier, &package, 1, &first).await.unwrap();
    assert_eq!((front.count("t_grades").await, front.count("t_control").await), (5, 2));
    // The same rows in another package are other rows.
    deliver(&carrier, &PackageHead { number: 13, ..package }, 1, &first).await.unwrap();
    assert_eq!((front.count("t_grades").await, front.count("t_control").await), (8, 3));
}

async fn a_batch_that_was_delivered_with_other_rows_is_not_replaced(engine: Engine) {
    let front = Front::open(engine).await;
    deliver(&front.carrier(), &package(1, 2), 1, &grades(0..2)).await.unwrap();
    let failed = deliver(&front.carrier(), &package(1, 2), 1, &grades(1..3)).await.unwrap_err();
    assert_eq!((failed.reason, failed.permanent), (FailureReason::Conflict, true), "{failed}");
    let mut unknown = grades(5..6);
    unknown[0].fields.push(("x\" text); --".into(), "1".into()));
    let failed = deliver(&front.carrier(), &package(1, 1), 1, &unknown).await.unwrap_err();
    assert_eq!((failed.reason, failed.permanent), (FailureReason::Field, true), "{failed}");
    assert_eq!(front.count("t_grades").await, 2);
}

async fn two_gateways_that_deliver_the_same_page_insert_it_once(engine: Engine) {
    let front = Front::open(engine).await;
    let (package, rows) = (package(1, 200), grades(0..200));
    let (one, other) = (front.carrier(), front.carrier());
    let (one, other) = tokio::join!(deliver(&one, &package, 1, &rows), deliver(&other, &package, 1, &rows));
    assert_eq!(one.unwrap().number, other.unwrap().number);
    assert_eq!((front.count("t_grades").await, front.count("t_control").await), (200, 1));
}

async fn without_a_control_table_a_batch_is_found_by_its_rows(engine: Engine) {
    let front = Front::open(engine).await;
    let mut settings = front.settings();
    settings.control = None;
    let carrier = front.carrier_with(settings.clone());
    for _ in 0..2 {
        deliver(&carrier, &package(1, 3), 1, &grades(0..3)).await.unwrap();
    }
    let failed = deliver(&carrier, &package(1, 2), 1, &grades(0..2)).await.unwrap_err();
    assert_eq!(failed.reason, FailureReason::Conflict, "{failed}");
    assert_eq!((front.count("t_grades").await, front.count("t_control").await), (3, 0));
    settings.columns.batch = None;
    let failed = deliver(&front.carrier_with(settings), &package(1, 3), 1, &grades(0..3)).await.unwrap_err();
    assert!(failed.permanent && failed.detail.contains("could not be recognised"), "{failed}");
}

async fn a_page_of_more_rows_than_a_statement_takes_is_complete(engine: Engine) {
    let front = Front::open(engine).await;
    let rows = grades(0..1_203);
    deliver(&front.carrier(), &package(1, 1_203), 1, &rows).await.unwrap();
    assert_eq!(front.count("t_grades").await, 1_203);
    assert_eq!(front.count("(SELECT DISTINCT record_unique_identity, ztmc FROM t_grades) AS d").await, 1_203);
}

async fn every_character_of_a_name_arrives(engine: Engine) {
    let front = Front::open(engine).await;
    let names = ["温州市㐀𠮷医院", "🏥诊所", "\\ % _ \u{1}", "a\r\nb\t"];
    let row = |(at, name): (usize, &&str)| grade(&format!("r{at}"), 1, Operation::Insert, name, "A");
    let rows: Vec<_> = names.iter().enumerate().map(row).collect();
    deliver(&front.carrier(), &package(1, 4), 1, &rows).await.unwrap();
    let found = front.rows("SELECT ztmc FROM t_grades ORDER BY record_unique_identity").await;
    assert_eq!(found.concat(), names);
}
