//! The importer and what it needs.

use std::sync::Arc;

use super::References;
use crate::{
    domain::Actor,
    store::{Crypter, Env},
};

/// How many half-years before the present one can still be graded, by default: two years.
pub const HALVES_BACK: u8 = 4;

/// Imports files into a store.
#[derive(Debug, Clone)]
pub struct Importer {
    pub(super) env: Env,
    /// Named in the ledger, unless a department uploads the file.
    pub(super) actor: Actor,
    pub(super) crypter: Arc<Crypter>,
    pub(super) references: Arc<References>,
    pub(super) halves_back: u8,
}

impl Importer {
    /// An importer into the store of `env` on behalf of `actor`. It seals personal data with `crypter` and checks rows
    /// against `references`.
    pub fn new(env: Env, actor: Actor, crypter: Arc<Crypter>, references: References) -> Self {
        Self { env, actor, crypter, references: Arc::new(references), halves_back: HALVES_BACK }
    }

    /// Sets how many half-years before the present one can still be graded. Facts that expired before the oldest of
    /// them are rejected.
    #[must_use]
    pub const fn looking_back(mut self, halves_back: u8) -> Self {
        self.halves_back = halves_back;
        self
    }
}
