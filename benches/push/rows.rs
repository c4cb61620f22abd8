//! The rows of a package: the fields of a municipal platform, as they are for a city's institutions.

use std::sync::Arc;

use medcredit::{
    domain::{Clock, SystemClock},
    push::{
        carrier::{PackageHead, Row},
        platform::Operation,
    },
};

/// The rows of a package.
pub(crate) const ALL: usize = 100_000;
pub(crate) const ALL_F: f64 = 100_000.0;

/// The fields of a row.
pub(crate) const FIELDS: [&str; 24] = [
    "recordId",
    "recordVersion",
    "operateType",
    "batchNo",
    "evaluateOrg",
    "evaluateOrgCode",
    "evaluateName",
    "evaluateStandard",
    "evaluatePeriod",
    "subjectKind",
    "subjectCode",
    "subjectName",
    "creditCode",
    "regionCode",
    "status",
    "notRatedReason",
    "gradeCode",
    "gradeName",
    "score",
    "evaluateDate",
    "validFrom",
    "validTo",
    "underObjection",
    "remark",
];

fn row(number: usize, names: &[Arc<str>]) -> Row {
    let (record, code) = (format!("wenzhou-951:2025-H2:H3303{number:07}"), format!("H3303{number:07}"));
    let name = format!("温州市合成第{number}医院");
    let points = format!("{}.{:03}", 60 + number % 40, number % 1000);
    let values = [
        record.as_str(),
        "1",
        "I",
        "run_01kn38vvm0e6tsabbc6k100000",
        "示范市医疗保障局",
        "11330300MB1234A561",
        "定点医疗机构医保信用评价",
        "wenzhou-951",
        "2025-H2",
        "medical_institution",
        &code,
        &name,
        "91330302MA2AB3C47J",
        "330302",
        "1",
        "",
        "A",
        "优秀",
        &points,
        "2026-01-10",
        "2026-01-10",
        "2026-07-09",
        "0",
        "",
    ];
    let fields = names.iter().cloned().zip(values.map(str::to_owned)).collect();
    Row { record_id: record, version: 1, operation: Operation::Insert, fields }
}

/// All rows of a package, with these names.
pub(crate) fn rows_named(names: &[Arc<str>]) -> Vec<Row> {
    (0..ALL).map(|number| row(number, names)).collect()
}

/// All rows of a package.
pub(crate) fn all() -> Vec<Row> {
    rows_named(&FIELDS.map(Into::into))
}

/// The head of a package with a number, in pages of so many rows.
pub(crate) fn head(number: i64, page_rows: usize) -> PackageHead {
    PackageHead {
        platform: "bench".into(),
        number,
        dataset: "grades".into(),
        period: "2025-H2".into(),
        digest: "ab".repeat(32),
        made_at: SystemClock.now(),
        rows: u64::try_from(ALL).unwrap_or(u64::MAX),
        pages: u32::try_from(ALL.div_ceil(page_rows)).unwrap_or(u32::MAX),
    }
}

/// A page with its number, from 1.
pub(crate) fn pages(rows: &[Row], page_rows: usize) -> impl Iterator<Item = (u32, &[Row])> {
    (1..).zip(rows.chunks(page_rows))
}
