//! Models and catalogues as runs stored them: a run is explained and replayed by these, never by the files of today.

use super::GradingError;
use crate::{
    scoring::{Catalogue, Model, ModelFile},
    store::{
        Db,
        runs::{self, RunRow},
    },
};

/// The model of a run as text only: enough for names, grades and weights.
pub(super) async fn read_model_file(db: &Db, digest: &str, run_id: &str) -> Result<ModelFile, GradingError> {
    let body = read_document(db, digest, run_id).await?;
    serde_json::from_str(&body)
        .map_err(|error| GradingError::Model { run: run_id.to_owned(), message: error.to_string() })
}

/// The model and the catalogue of a run, checked against each other: what subjects can be rated by.
pub(super) async fn read_model(db: &Db, run: &RunRow) -> Result<(Model, Catalogue), GradingError> {
    let refused =
        |error: crate::domain::TableError| GradingError::Model { run: run.id.clone(), message: error.to_string() };
    let catalogue = read_document(db, &run.catalogue_digest, &run.id).await?;
    let catalogue = Catalogue::from_json(&run.kind, &catalogue).map_err(refused)?;
    let model = read_document(db, &run.model_digest, &run.id).await?;
    let model = Model::from_json(&run.model_id, &model, &catalogue).map_err(refused)?;
    Ok((model, catalogue))
}

/// The canonical text with a digest.
pub(super) async fn read_document(db: &Db, digest: &str, run_id: &str) -> Result<String, GradingError> {
    let body = runs::model_body(&db.read("model"), digest).await.map_err(GradingError::during("reading the model"))?;
    body.ok_or_else(|| GradingError::Model {
        run: run_id.to_owned(),
        message: format!("no stored document has the digest {digest}"),
    })
}
