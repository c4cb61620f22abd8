//! `GET /v1/schemes`: the meaning of grades.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde::Serialize;

use crate::{
    app::App,
    domain::Failure,
    http::{authentication::Connected, problem::Problem},
};

/// The schemes in use.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Schemes {
    /// The schemes, ordered by id.
    schemes: Vec<SchemeView>,
}

/// A scheme of grades.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SchemeView {
    /// The id of the scheme.
    #[schema(example = "wenzhou-951")]
    id: String,
    /// The version of the scheme.
    #[schema(example = 1)]
    version: i64,
    /// The name of the scheme.
    name: String,
    /// The kinds of subject that it grades.
    #[schema(example = json!(["medical_institution"]))]
    kinds: Vec<String>,
    /// The grades, best first.
    grades: Vec<GradeBand>,
}

/// A grade of a scheme.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct GradeBand {
    /// The code of the grade.
    #[schema(example = "excellent")]
    code: String,
    /// The name of the grade.
    #[schema(example = "优秀")]
    name: String,
    /// The rank of the grade; 1 is the best.
    #[schema(example = 1)]
    ordinal: i64,
    /// The lower bound in thousandths of a point, if the scheme is based on points. The bound itself belongs to the grade.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 850_000)]
    from_milli_points: Option<i64>,
}

/// List the schemes of grades, with their bands.
#[utoipa::path(
    get, path = "/v1/schemes", operation_id = "schemes", tag = "about",
    responses(
        (status = 200, description = "The schemes in use", body = Schemes),
    )
)]
pub async fn handle(State(app): State<Arc<App>>, _connected: Connected) -> Result<Response, Problem> {
    let mut schemes: Vec<SchemeView> = Vec::new();
    for model in app.library.models() {
        let scheme = model.scheme();
        match schemes.iter_mut().find(|listed| listed.id == scheme.id && listed.version == scheme.version) {
            Some(listed) if listed.kinds.iter().any(|kind| kind == model.kind()) => {}
            Some(listed) => listed.kinds.push(model.kind().to_owned()),
            None => schemes.push(SchemeView {
                id: scheme.id.clone(),
                version: scheme.version,
                name: scheme.name_zh.clone(),
                kinds: vec![model.kind().to_owned()],
                grades: scheme
                    .grade
                    .iter()
                    .map(|grade| GradeBand {
                        code: grade.code.clone(),
                        name: grade.name_zh.clone(),
                        ordinal: grade.ordinal,
                        from_milli_points: grade.from.map(|points| points.0),
                    })
                    .collect(),
            }),
        }
    }
    schemes.sort_by(|one, other| one.id.cmp(&other.id));
    let body = serde_json::to_vec(&Schemes { schemes }).map_err(|error| Failure::internal(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        // The same for every client, so a shared cache may store it.
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    Ok((headers, body).into_response())
}
