//! Bad data of every kind, from the file to the bank's answer.
//!
//! docs/IMPORT.md has the same list as a table. A chain with exactly two branches of one star is tested
//! with the star rules (`scoring`).

mod codes;
mod consents;
mod grades;
mod months;
mod persons;

use std::sync::Arc;

use medcredit::importing::{Importer, Options, References, Report, Template};

use crate::support::app::TestApp;

/// Imports a file into the store of a running gateway, as the command does.
pub async fn import(app: &TestApp, template: Template, rows: &str) -> Report {
    let path = app.path(&format!("{template}-bad.csv"));
    std::fs::write(&path, format!("{}\n{rows}", template.columns().join(","))).unwrap();
    let store = &app.store;
    let references = References::built_in(app.app.library.catalogues().cloned()).unwrap();
    let crypter = Arc::new(medcredit::authority::crypter(&app.app.config.secrets).unwrap());
    let importer = Importer::new(store.env(), crate::support::operator("tester"), crypter, references);
    let report = importer.import(template, &path, &Options::default(), &mut |_| {}).await.unwrap();
    app.app.catch_up().await.unwrap();
    report
}
