//! Imports as operators look for them.

use super::{ImportFindings, UploadReport};
use crate::{
    domain::Failure,
    store::{
        Env,
        imports::{self, ImportRow},
    },
};

/// A page of imports before a number, latest first; of one template and state, or of all.
pub async fn page(
    env: &Env,
    before: Option<i64>,
    template: &str,
    state: &str,
    limit: i64,
) -> Result<Vec<ImportRow>, Failure> {
    let read = env.db.read("imports::page");
    Ok(imports::page(&read, before.unwrap_or(i64::MAX), template, state, limit).await?)
}

/// The import with this id.
pub async fn find(env: &Env, id: &str) -> Result<ImportRow, Failure> {
    let row = imports::find(&env.db.read("imports::find"), id).await?;
    row.ok_or_else(|| Failure::not_found("import_not_found", "There is no import with this id."))
}

/// What was found in an import that a client uploaded; none once its report is deleted.
pub async fn findings(env: &Env, id: &str, client: &str) -> Result<Option<ImportFindings>, Failure> {
    let Some(body) = imports::report(&env.db.read("imports::report"), id, client).await? else { return Ok(None) };
    let report: UploadReport =
        serde_json::from_str(&body).map_err(|error| Failure::internal(format!("the report of {id}: {error}")))?;
    Ok(Some(report.into_findings()))
}
