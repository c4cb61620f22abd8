//! A page as JSON.

use serde::Serialize;

use super::super::{Delivery, Failed, FailureReason, PackageHead, json::JsonRow};
use crate::domain::Timestamp;

#[derive(Serialize)]
struct PageBody<'a> {
    platform: &'a str,
    package: i64,
    dataset: &'a str,
    period: &'a str,
    digest: &'a str,
    made_at: Timestamp,
    rows_in_package: u64,
    page: u32,
    pages: u32,
    rows: Vec<JsonRow<'a>>,
}

/// The body of a page: the same bytes in every attempt.
pub(super) fn page_body(of: &Delivery<'_>) -> Result<Vec<u8>, Failed> {
    let PackageHead { platform, number, dataset, period, digest, made_at, rows, pages } = of.package;
    let body = PageBody {
        platform,
        package: *number,
        dataset,
        period,
        digest,
        made_at: *made_at,
        rows_in_package: *rows,
        page: of.page,
        pages: *pages,
        rows: of.rows.iter().map(JsonRow::from).collect(),
    };
    serde_json::to_vec(&body).map_err(|error| {
        Failed::permanent(FailureReason::Page, format!("page {} of package {number}: {error}", of.page))
    })
}
