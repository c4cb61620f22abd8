//! What the platform took, rejected and holds, read from its tables.

use medcredit::push::{
    carrier::{Carrier as _, Held, PackageHead, RejectReason, RowReceipt, Verdict, exchange::Exchange},
    platform::{Engine, Operation},
};

use super::{
    super::package,
    both_databases,
    server::{Front, deliver, grade, grades},
};

both_databases! {
    rows_are_accepted_rejected_or_not_decided,
    without_a_column_for_the_result_a_row_that_was_taken_is_accepted,
    what_the_table_holds_is_the_last_version_that_counts,
    a_long_table_is_read_page_by_page,
    versions_without_a_column_are_counted,
}

async fn receipts(carrier: &Exchange, package: &PackageHead) -> Vec<RowReceipt> {
    let page = carrier.receipts(package, None).await.unwrap();
    assert_eq!((page.faults, page.next), (Vec::new(), None));
    page.entries
}

/// Everything that is held, over all pages.
async fn inventory(carrier: &Exchange) -> Vec<Held> {
    let (mut held, mut after) = (Vec::new(), None);
    loop {
        let page = carrier.inventory(after.as_deref()).await.unwrap();
        assert_eq!(page.faults, []);
        held.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return held;
        }
    }
}

async fn rows_are_accepted_rejected_or_not_decided(engine: Engine) {
    let front = Front::open(engine).await;
    let (carrier, package) = (front.carrier(), package(1, 4));
    let rows: Vec<_> =
        (1..=5).map(|number| grade(&format!("r{number}"), number, Operation::Insert, "医院", "A")).collect();
    deliver(&carrier, &package, 1, &rows).await.unwrap();
    let other = PackageHead { number: 120, ..package.clone() };
    deliver(&carrier, &other, 1, &grades(0..1)).await.unwrap();
    assert_eq!(receipts(&carrier, &package).await, [], "nothing is decided");
    front
        .execute(
            "UPDATE t_grades SET exchange_flag = 1 WHERE record_unique_identity <> 'r5'; \
             UPDATE t_grades SET result = '通过' WHERE record_unique_identity IN ('r1', 'run_1:H00000'); \
             UPDATE t_grades SET result = '驳回', reason = 'R02', note = '名称不一致' WHERE record_unique_identity = 'r2'; \
             UPDATE t_grades SET result = '驳回', reason = 'X9' WHERE record_unique_identity = 'r3'; \
             UPDATE t_grades SET result = '?' WHERE record_unique_identity = 'r4'",
        )
        .await;
    let page = carrier.receipts(&package, None).await.unwrap();
    let rejected = |reason, note: &str| Verdict::Rejected { reason, note: Some(note.into()) };
    let receipt = |record: &str, version, verdict| RowReceipt { record_id: record.into(), version, verdict };
    assert_eq!(
        page.entries,
        [
            receipt("r1", 1, Verdict::Accepted),
            receipt("r2", 2, rejected(RejectReason::SubjectUnknown, "名称不一致")),
            receipt("r3", 3, rejected(RejectReason::Other, "X9")),
        ]
    );
    assert_eq!(page.faults.len(), 1, "{:?}", page.faults);
    assert_eq!(page.faults[0].at, "t_grades, record r4");
    assert_eq!(receipts(&carrier, &other).await, [receipt("run_1:H00000", 1, Verdict::Accepted)]);
}

async fn without_a_column_for_the_result_a_row_that_was_taken_is_accepted(engine: Engine) {
    let front = Front::open(engine).await;
    let mut settings = front.settings();
    settings.columns.result = None;
    let (carrier, package) = (front.carrier_with(settings), package(1, 2));
    deliver(&carrier, &package, 1, &grades(0..2)).await.unwrap();
    front.execute("UPDATE t_grades SET exchange_flag = 1 WHERE record_unique_identity LIKE '%H00001'").await;
    let accepted = RowReceipt { record_id: "run_1:H00001".into(), version: 1, verdict: Verdict::Accepted };
    assert_eq!(receipts(&carrier, &package).await, [accepted]);
}

async fn what_the_table_holds_is_the_last_version_that_counts(engine: Engine) {
    let front = Front::open(engine).await;
    let carrier = front.carrier();
    let kept = grade("r1", 1, Operation::Insert, "甲", "A");
    let changed = grade("r2", 10, Operation::Update, "乙", "");
    let withdrawn = grade("r3", 2, Operation::Delete, "丙", "B");
    let rejected = grade("r4", 2, Operation::Update, "丁", "C");
    let before = grade("r4", 1, Operation::Insert, "丁", "A");
    let first = [
        kept.clone(),
        grade("r2", 9, Operation::Insert, "乙", "A"),
        grade("r3", 1, Operation::Insert, "丙", "B"),
        before.clone(),
    ];
    deliver(&carrier, &package(1, 4), 1, &first).await.unwrap();
    let second = PackageHead { number: 13, ..package(1, 3) };
    deliver(&carrier, &second, 1, &[changed.clone(), withdrawn, rejected]).await.unwrap();
    front.execute("UPDATE t_grades SET exchange_flag = 1, result = '驳回' WHERE opt_type = 'U' AND ztmc = '丁'").await;
    let held = |row: &medcredit::push::carrier::Row| Held {
        record_id: row.record_id.clone(),
        version: row.version,
        digest: row.digest(),
    };
    assert_eq!(inventory(&carrier).await, [held(&kept), held(&changed), held(&before)]);
}

async fn a_long_table_is_read_page_by_page(engine: Engine) {
    let front = Front::open(engine).await;
    let carrier = front.carrier();
    let rows = grades(0..10_500);
    for (at, part) in rows.chunks(5_250).enumerate() {
        let page = u32::try_from(at + 1).unwrap();
        deliver(&carrier, &package(2, 10_500), page, part).await.unwrap();
    }
    front.execute("UPDATE t_grades SET exchange_flag = 1, result = 'accepted'").await;
    let first = carrier.receipts(&package(2, 10_500), None).await.unwrap();
    let next = first.next.unwrap();
    let second = carrier.receipts(&package(2, 10_500), Some(&next)).await.unwrap();
    assert_eq!((first.entries.len() + second.entries.len(), second.next), (10_500, None));
    assert!(second.entries[0].record_id > first.entries.last().unwrap().record_id);
    let held = inventory(&carrier).await;
    let expected: Vec<_> = rows.iter().map(|row| (row.record_id.clone(), row.digest())).collect();
    let held: Vec<_> = held.into_iter().map(|held| (held.record_id, held.digest)).collect();
    assert!(held == expected, "each record once, in order");
}

async fn versions_without_a_column_are_counted(engine: Engine) {
    let front = Front::open(engine).await;
    let mut settings = front.settings();
    settings.columns.version = None;
    let carrier = front.carrier_with(settings);
    let first = [grade("r1", 1, Operation::Insert, "甲", "A"), grade("r2", 1, Operation::Insert, "乙", "A")];
    let second = [grade("r1", 2, Operation::Update, "甲", "B")];
    let later = PackageHead { number: 13, ..package(1, 1) };
    deliver(&carrier, &package(1, 2), 1, &first).await.unwrap();
    deliver(&carrier, &later, 1, &second).await.unwrap();
    front.execute("UPDATE t_grades SET exchange_flag = 1, result = 'accepted'").await;
    let versions: Vec<_> = receipts(&carrier, &later).await.into_iter().map(|found| found.version).collect();
    assert_eq!(versions, [2], "the second row of its record");
    let held: Vec<_> = inventory(&carrier).await.into_iter().map(|held| (held.version, held.digest)).collect();
    assert_eq!(held, [(2, second[0].digest()), (1, first[1].digest())]);
}
