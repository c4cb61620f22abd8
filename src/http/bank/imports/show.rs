//! `GET /v1/imports/{name}`.

use std::sync::Arc;

use axum::extract::State;

use crate::{
    app::App,
    http::{
        authentication::{Authorized, scope},
        bank::path_value::PathValue,
        problem::Problem,
        reply::Reply,
    },
    importing::UploadReport,
};

/// Show the report of one of the department's imports.
#[utoipa::path(
    get, path = "/v1/imports/{name}", operation_id = "show_import", tag = "imports",
    params(("name" = String, Path, description = "The import, from the answer to the file", example = "imp_06fzgv9a41wdkxs8q2e7mtb3rc")),
    security(("access_token" = ["imports:write"])),
    responses(
        (status = 200, description = "The report that the sender received", body = UploadReport),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ImportsWrite>,
    PathValue(import): PathValue,
) -> Result<Reply<UploadReport>, Problem> {
    Ok(Reply::ok(app.imports.report(authorized.caller.id(), &import).await?))
}
