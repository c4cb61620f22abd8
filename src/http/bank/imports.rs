//! `/v1/imports/...`: files that departments' systems deliver, and what became of them.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};

use crate::{
    app::App,
    domain::{Failure, FailureKind},
    http::{
        authentication::{Authorized, scope},
        input::body,
        problem::{Problem, ProblemDocument},
        reply::Reply,
    },
    importing::{Encoding, Format, Sender, Template, Upload, UploadReport},
};

/// Where larger bodies are taken. The scope is looked at before a body is read.
pub(in crate::http) const PREFIX: &str = "/v1/imports/";

const PARQUET: &str = "application/vnd.apache.parquet";

/// What kind of file the body is, or why it is none that is taken.
fn format_of(headers: &HeaderMap) -> Result<Format, String> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = media_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err("The body is not compressed: leave Content-Encoding out. Parquet compresses itself.".into());
    }
    if essence.eq_ignore_ascii_case(PARQUET) {
        return Ok(Format::Parquet);
    }
    if !essence.eq_ignore_ascii_case("text/csv") {
        return Err(format!("The body is CSV or Parquet: Content-Type: text/csv; charset=utf-8, or {PARQUET}."));
    }
    let mut encoding = Encoding::Utf8;
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if name.eq_ignore_ascii_case("charset") {
            let known = value.trim_matches('"').parse();
            encoding = known.map_err(|_| "The charset is utf-8 or gb18030.")?;
        }
    }
    Ok(Format::Csv(encoding))
}

/// Deliver a file that follows a template.
///
/// For departments' systems. A bad row is listed and never stops the file; all rows taken count at once, or none. The very
/// same file again is answered with the same import, so a delivery whose answer was lost is simply sent again.
#[utoipa::path(
    post, path = "/v1/imports/{name}", operation_id = "import_file", tag = "imports",
    params(("name" = String, Path, description = "The template: subjects, affiliations, records, adverse, settlements or accounts", example = "records")),
    request_body(description = "A CSV file with a header (charset utf-8 or gb18030), or a Parquet file with the same columns",
        content((String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))),
    security(("access_token" = ["imports:write"])),
    responses(
        (status = 200, description = "The very same file was delivered before: this is what became of it", body = UploadReport),
        (status = 201, description = "Imported: its rows count from now on", body = UploadReport, headers(("Location" = String, description = "Where the report is"))),
        (status = 403, description = "The token lacks the scope, or the template is not this department's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "There is no such template", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Another sender's import had the very same file", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither CSV nor Parquet", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The file cannot be imported, has too many rows, or no row of it could be taken (the report is at Location)", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Not safely possible now, or another import is running", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn deliver(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ImportsWrite>,
    name: Result<Path<String>, axum::extract::rejection::PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let client = authorized.caller.client();
    let template: Template = name.map(|path| path.0).unwrap_or_default().parse().map_err(|_| {
        let known = Template::ALL.iter().map(|template| template.as_str()).collect::<Vec<_>>().join(", ");
        Failure::not_found("template_not_found", format!("There is no such template; there are {known}."))
    })?;
    if !client.delivers.templates.iter().any(|known| known == template.as_str()) {
        let public = format!("This department is not registered to deliver {template}.");
        return Err(Failure::forbidden("template_not_yours", public).into());
    }
    let format = format_of(request.headers()).map_err(Problem::unsupported_media_type)?;
    let sender = Sender { client: client.id, epoch: client.epoch, sources: Arc::clone(&client.delivers.sources) };
    let bytes = body(request, &app).await?;
    let uploaded = app.imports.import(Upload { sender, template, format, bytes }).await?;
    let report = uploaded.report;
    let location = HeaderValue::from_str(&format!("{PREFIX}{}", report.id))
        .map_err(|error| Failure::internal(format!("an import's id is no header value: {error}")))?;
    if report.status == "nothing_taken" {
        let failure = Failure::new(
            FailureKind::Unprocessable,
            "nothing_taken",
            "No row of the file could be taken. Location has the report; the file may be delivered again.",
        );
        return Err(Problem::from(failure).with_header(header::LOCATION, location));
    }
    let reply = if uploaded.recognised { Reply::ok(report) } else { Reply::created(report) };
    Ok(([(header::LOCATION, location)], reply).into_response())
}

/// Show what became of a delivery of one's own.
#[utoipa::path(
    get, path = "/v1/imports/{name}", operation_id = "show_import", tag = "imports",
    params(("name" = String, Path, description = "The import, as its delivery was answered", example = "imp_06fzgv9a41wdkxs8q2e7mtb3rc")),
    security(("access_token" = ["imports:write"])),
    responses(
        (status = 200, description = "What its sender was told", body = UploadReport),
    )
)]
pub async fn report(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ImportsWrite>,
    name: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Reply<UploadReport>, Problem> {
    let import = name.map(|path| path.0).unwrap_or_default();
    Ok(Reply::ok(app.imports.report(authorized.caller.id(), &import).await?))
}
