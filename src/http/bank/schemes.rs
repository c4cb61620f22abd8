//! `GET /v1/schemes`: what grades mean.

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

/// Every scheme in use.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Schemes {
    /// By id.
    schemes: Vec<SchemeView>,
}

/// A scheme of grades.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SchemeView {
    /// Its identifier.
    #[schema(example = "wenzhou-951")]
    id: String,
    /// Its version.
    #[schema(example = 1)]
    version: i64,
    /// Its name.
    name: String,
    /// Kinds of subject graded by it.
    #[schema(example = json!(["medical_institution"]))]
    kinds: Vec<String>,
    /// From the best to the worst.
    grades: Vec<GradeBand>,
}

/// A grade of a scheme.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct GradeBand {
    /// Its code.
    #[schema(example = "excellent")]
    code: String,
    /// Its name.
    #[schema(example = "优秀")]
    name: String,
    /// Its place, 1 the best.
    #[schema(example = 1)]
    ordinal: i64,
    /// The least points, in thousandths, where the scheme goes by points. Bands are half-open: the least belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 850_000)]
    from_milli_points: Option<i64>,
}

/// The schemes of grades, with their bands.
#[utoipa::path(
    get, path = "/v1/schemes", tag = "about",
    responses(
        (status = 200, description = "Every scheme in use", body = Schemes),
    )
)]
pub async fn schemes(State(app): State<Arc<App>>, _connected: Connected) -> Result<Response, Problem> {
    let mut schemes: Vec<SchemeView> = Vec::new();
    for model in app.library.models() {
        let scheme = model.scheme();
        match schemes.iter_mut().find(|known| known.id == scheme.id && known.version == scheme.version) {
            Some(known) if known.kinds.iter().any(|kind| kind == model.kind()) => {}
            Some(known) => known.kinds.push(model.kind().to_owned()),
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
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    Ok((headers, body).into_response())
}
