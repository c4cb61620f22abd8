//! What platforms are checked against.

use crate::{domain::Kinds, grading::Library};

/// The kinds, models and mapping tables in force.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    pub kinds: &'a Kinds,
    pub library: &'a Library,
}
