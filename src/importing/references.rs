//! The tables and rules that rows are checked against.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    domain::{Kinds, TableError, region::RegionTable},
    scoring::{Catalogue, Measure},
    store::Crypter,
};

/// The purpose under which [`Crypter::blind`] hashes account numbers. An account match hashes under the same purpose.
pub const ACCOUNT_NUMBER: &str = "account number";

/// The reference tables of a city.
#[derive(Debug, Clone)]
pub struct References {
    /// The kinds of subject and the patterns of their codes.
    pub kinds: Kinds,
    pub regions: RegionTable,
    /// The catalogue of measures of each kind.
    pub catalogues: BTreeMap<String, Catalogue>,
}

impl References {
    /// The built-in kinds and regions, with the given catalogues.
    pub fn built_in(catalogues: impl IntoIterator<Item = Catalogue>) -> Result<Self, TableError> {
        Ok(Self::new(Kinds::built_in()?, RegionTable::built_in()?, catalogues))
    }

    /// A city's own kinds, regions and catalogues.
    pub fn new(kinds: Kinds, regions: RegionTable, catalogues: impl IntoIterator<Item = Catalogue>) -> Self {
        let catalogues = catalogues.into_iter().map(|one| (one.kind().to_owned(), one)).collect();
        Self { kinds, regions, catalogues }
    }

    /// The measure called `name`, by its id or in Chinese, in the catalogue of the kind that `code` belongs to.
    pub(super) fn measure(&self, code: &str, name: &str) -> Option<&Measure> {
        let catalogue = self.catalogues.get(&self.kinds.of_code(code)?.id)?;
        catalogue.measure(name).or_else(|| {
            let mut named = catalogue.measures().iter().filter(|measure| measure.name_zh == name);
            // Two measures of one name cannot be distinguished by it.
            named.next().filter(|_| named.next().is_none())
        })
    }
}

/// The rules for the rows of one file.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) references: Arc<References>,
    pub(super) crypter: Arc<Crypter>,
    pub(super) accept_uscc_mismatch: bool,
    /// The sources whose facts the sender may report; any source, when absent.
    pub(super) sources: Option<Arc<BTreeSet<String>>>,
}

impl std::ops::Deref for Rules {
    type Target = References;

    fn deref(&self) -> &References {
        &self.references
    }
}

impl Rules {
    /// Whether a source is one of several authorities, by another of its names.
    pub(super) fn is_among(&self, source: &str, sources: &BTreeSet<String>) -> bool {
        self.catalogues.values().any(|catalogue| {
            let name = catalogue.authority(source);
            sources.iter().any(|one| catalogue.authority(one) == name)
        })
    }
}
