//! `POST /v1/imports/{name}`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;

use crate::{
    app::App,
    domain::{Failure, FailureKind},
    http::{
        authentication::{Authorized, scope},
        bank::{imports::PREFIX, path_value::PathValue},
        input::Query,
        problem::{Problem, ProblemDocument},
        reply::Reply,
        request_body,
    },
    importing::{Encoding, Format, Sender, Template, Upload, UploadReport},
};

const PARQUET: &str = "application/vnd.apache.parquet";

/// The format of the body, or the reason why it is not accepted.
fn format_of(headers: &HeaderMap) -> Result<Format, String> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = media_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err("Send the body uncompressed, without Content-Encoding. Parquet has its own compression.".into());
    }
    if essence.eq_ignore_ascii_case(PARQUET) {
        return Ok(Format::Parquet);
    }
    if !essence.eq_ignore_ascii_case("text/csv") {
        return Err(format!("Send CSV or Parquet: Content-Type: text/csv; charset=utf-8, or {PARQUET}."));
    }
    let mut encoding = Encoding::Utf8;
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if name.eq_ignore_ascii_case("charset") {
            let parsed = value.trim_matches('"').parse();
            encoding = parsed.map_err(|_| "Send the charset utf-8 or gb18030.")?;
        }
    }
    Ok(Format::Csv(encoding))
}

/// Query parameters of `imports`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// The sender's import of records that this file replaces. Facts of it that the file does not have no longer count; the
    /// report's `voided` is their number.
    #[param(example = "imp_06fzgv9a41wdkxs8q2e7mtb3rc")]
    replaces: Option<String>,
}

/// Send a file that follows a template.
///
/// For departments' systems. Bad rows are listed in the report and do not stop the import; the accepted rows become visible
/// together. The same file sent again gets the report of the first import, so a request whose answer was lost can simply be
/// repeated. It is imported again where later imports may have changed its rows.
#[utoipa::path(
    post, path = "/v1/imports/{name}", operation_id = "import_file", tag = "imports",
    params(("name" = String, Path, description = "The template: subjects, affiliations, records, adverse, settlements, accounts or voids", example = "records"), ImportQuery),
    request_body(description = "A CSV file with a header (charset utf-8 or gb18030), or a Parquet file with the same columns",
        content((String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))),
    security(("access_token" = ["imports:write"])),
    responses(
        (status = 200, description = "The same file was imported before: the report of that import", body = UploadReport),
        (status = 201, description = "Imported: the rows are visible from now on", body = UploadReport, headers(("Location" = String, description = "The path of the report"))),
        (status = 403, description = "The token lacks the scope, or the template is not this department's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "There is no such template", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Another sender has imported the same file", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither CSV nor Parquet", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The file cannot be imported, has too many rows, or none of its rows was accepted (the report is at Location)", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Not safely possible now, or another import is running", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ImportsWrite>,
    PathValue(name): PathValue,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let client = authorized.caller.client();
    let template: Template = name.parse().map_err(|_| {
        let known = Template::ALL.iter().map(|template| template.as_str()).collect::<Vec<_>>().join(", ");
        Failure::not_found("template_not_found", format!("There is no such template. The templates are {known}."))
    })?;
    // The scope allows imports as such; this keeps a department from sending another's records.
    if !client.delivers.templates.iter().any(|known| known == template.as_str()) {
        let public = format!("This department is not registered to deliver {template}.");
        return Err(Failure::forbidden("template_not_yours", public).into());
    }
    let format = format_of(request.headers()).map_err(Problem::unsupported_media_type)?;
    let sender = Sender { client: client.id, epoch: client.epoch, sources: Arc::clone(&client.delivers.sources) };
    // Only now, because the body may be large: sender, template and media type are checked.
    let (mut parts, body) = request.into_parts();
    let bytes = request_body::read(&mut parts, body, &app).await?;
    let uploaded = app.imports.import(Upload { sender, template, format, replaces: query.replaces, bytes }).await?;
    let report = uploaded.report;
    // Made before the refusal below, which has it too: the report says which rows were bad.
    let location = HeaderValue::from_str(&format!("{PREFIX}{}", report.id))
        .map_err(|error| Failure::internal(format!("an import's id is not a header value: {error}")))?;
    if report.status == "nothing_taken" {
        let failure = Failure::new(
            FailureKind::Unprocessable,
            "nothing_taken",
            "No row of the file was accepted. Location has the report; the file may be sent again.",
        );
        return Err(Problem::from(failure).with_header(header::LOCATION, location));
    }
    let reply = if uploaded.recognised { Reply::ok(report) } else { Reply::created(report) };
    Ok(([(header::LOCATION, location)], reply).into_response())
}
