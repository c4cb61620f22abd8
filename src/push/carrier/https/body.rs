//! A page as JSON.

use serde::Serialize;

use super::super::{Delivery, Failed, FailureReason, PackageHead, json::JsonRows};
use crate::domain::Timestamp;

#[derive(Serialize)]
struct PageHead<'a> {
    platform: &'a str,
    package: i64,
    dataset: &'a str,
    period: &'a str,
    digest: &'a str,
    made_at: Timestamp,
    rows_in_package: u64,
    page: u32,
    pages: u32,
}

/// The body of a page: the same bytes in every attempt.
pub(super) fn page_body(of: &Delivery<'_>) -> Result<Vec<u8>, Failed> {
    let PackageHead { platform, number, dataset, period, digest, made_at, rows, pages } = of.package;
    let head = PageHead {
        platform,
        package: *number,
        dataset,
        period,
        digest,
        made_at: *made_at,
        rows_in_package: *rows,
        page: of.page,
        pages: *pages,
    };
    let mut body = serde_json::to_string(&head).map_err(|error| {
        Failed::permanent(FailureReason::Page, format!("page {} of package {number}: {error}", of.page))
    })?;
    // The rows are the last member of the object.
    body.pop();
    body.push_str(",\"rows\":[");
    let mut writer = JsonRows::default();
    for (at, row) in of.rows.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        let before = body.len();
        writer.write_row(row, &mut body);
        if at == 0 {
            // Rows are of about the same length: the body grows once.
            body.reserve((body.len() - before) * of.rows.len() / 10 * 11);
        }
    }
    body.push_str("]}");
    Ok(body.into_bytes())
}
