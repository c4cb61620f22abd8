//! Scoring: the shipped model is the published one, invalid files are refused with their line, and the same facts always
//! give the same grade.

mod absent;
mod chinese;
mod golden;
mod hengyang;
mod mapping;
mod peers;
mod properties;
mod published;
mod refused;
mod rules;
mod shipped_models;
mod zhenjiang;

use medcredit::scoring::{Catalogue, Model, shipped};

/// The shipped catalogue of medical institutions.
pub fn catalogue() -> Catalogue {
    let (name, text) = shipped::CATALOGUES[0];
    Catalogue::parse(name, text).unwrap_or_else(|refused| panic!("{refused}"))
}

/// The shipped model of medical institutions.
pub fn institution() -> Model {
    let (name, text) = shipped::MODELS[0];
    Model::parse(name, text, &catalogue()).unwrap_or_else(|refused| panic!("{refused}"))
}
