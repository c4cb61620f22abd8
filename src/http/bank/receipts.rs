//! `POST /v1/platforms/{platform}/receipts`: a platform reports what it decided about rows.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::path_value::PathValue;
use crate::{
    app::App,
    domain::{Actor, Failure, words::words},
    http::{
        authentication::{Authorized, scope},
        input::Json,
        problem::{Problem, ProblemDocument},
        reply::Reply,
    },
    push::delivery::CalledBack,
};

words! {
    /// Decision about a row.
    RowVerdict: "verdict" {
        /// The row is in effect.
        Accepted = "accepted",
        /// The row is not in effect.
        Rejected = "rejected",
    }
}

/// A receipt for a row. Other members are ignored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RowReceiptDocument {
    /// Record of the row, as sent.
    #[schema(max_length = 200, example = "wenzhou-951:2026-H1:H33030200011")]
    record_id: String,
    /// Version of the row, as sent.
    #[schema(minimum = 1, example = 1)]
    version: i64,
    verdict: RowVerdict,
    /// Code R01 to R13 or R99 of docs/CARRIERS.md, for a rejected row. Any other counts as R99.
    #[schema(example = "R02")]
    reason: Option<String>,
    /// Explanation in the platform's words, without personal data. The first 500 characters are used.
    #[schema(example = "名称与统一社会信用代码不一致")]
    note: Option<String>,
}

/// Receipts for rows of a package.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageReceipts {
    /// Number of the package.
    #[schema(minimum = 1, example = 12)]
    package: i64,
    /// Receipts, in any order, at most 1000. Rows of other packages of the platform may be among them.
    #[schema(value_type = Vec<RowReceiptDocument>, max_items = 1000)]
    receipts: Vec<Value>,
}

/// The effect of the receipts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReceiptsApplied {
    /// Number of rows that are accepted now, and were not before.
    #[schema(example = 1)]
    accepted: u64,
    /// Number of rows that are rejected now, and were not before.
    #[schema(example = 0)]
    rejected: u64,
    /// Receipts that could not be read. All others were used.
    unreadable: Vec<UnreadableReceipt>,
    /// Whether every page of the package is delivered and every row settled.
    package_closed: bool,
}

/// A receipt that could not be read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct UnreadableReceipt {
    /// Position in `receipts`, from 0.
    #[schema(example = 1)]
    position: usize,
    /// Reason why it could not be read.
    #[schema(example = "it has no version / 版本")]
    problem: String,
}

impl From<CalledBack> for ReceiptsApplied {
    fn from(done: CalledBack) -> Self {
        let CalledBack { accepted, rejected, unreadable, is_closed } = done;
        let unreadable = unreadable.into_iter();
        let unreadable = unreadable.map(|one| UnreadableReceipt { position: one.position, problem: one.problem });
        Self { accepted, rejected, unreadable: unreadable.collect(), package_closed: is_closed }
    }
}

/// Report receipts for rows of a package.
///
/// For platforms that receive packages: in place of a list that the gateway reads, or beside it. Every request is signed. The
/// receipts have the form of docs/CARRIERS.md. One that repeats another, or is for a row that was never sent, changes nothing,
/// so a request whose answer was lost can simply be repeated.
#[utoipa::path(
    post, path = "/v1/platforms/{platform}/receipts", operation_id = "report_receipts", tag = "platforms",
    params(("platform" = String, Path, description = "The platform, by the id that pages have", example = "city-credit")),
    request_body = PackageReceipts,
    security(("access_token" = ["receipts:write"])),
    responses(
        (status = 200, description = "The receipts were applied", body = ReceiptsApplied),
        (status = 404, description = "The platform is not the caller's, or was never sent the package", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "There are more than 1000 receipts", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ReceiptsWrite>,
    PathValue(platform): PathValue,
    Json { value: call, .. }: Json<PackageReceipts>,
) -> Result<Reply<ReceiptsApplied>, Problem> {
    let own = authorized.caller.client().delivers.platform.as_deref();
    // One answer for an unknown platform and for another's: nobody learns which platforms there are.
    if own != Some(platform.as_str()) {
        return Err(Failure::not_found("platform_not_found", "There is no such platform of yours.").into());
    }
    let actor = Actor::platform(authorized.caller.client().id);
    let done = app.take_receipts(&platform, call.package, &call.receipts, &actor).await?;
    Ok(Reply::ok(ReceiptsApplied::from(done)))
}
