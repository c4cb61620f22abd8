//! The names of authorities: 医保局, 温州市医保局 and 温州市医疗保障局 are one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::faults::{Faults, Step};

/// A provider under its other names: files name it in full, with its city, or as its office is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The name that categories use.
    pub name_zh: String,
    pub aliases: Vec<String>,
}

/// The other names of the providers of a catalogue.
#[derive(Debug, Clone, Default)]
pub struct Authorities {
    /// The provider's name by each other name.
    names: BTreeMap<String, String>,
}

impl Authorities {
    /// A provider is also called by its aliases, and by each of these names behind that of the region it reports about: a
    /// district's office is another authority.
    /// `named` has the providers of categories, each with the region that it reports about.
    pub(super) fn of(providers: &[Provider], named: &[(&str, &str)]) -> Self {
        let mut names = BTreeMap::new();
        for (name, region) in named {
            let aliases = providers.iter().filter(|one| one.name_zh == *name).flat_map(|one| &one.aliases);
            for alias in aliases.map(String::as_str).chain([*name]) {
                names.entry(alias.to_owned()).or_insert_with(|| (*name).to_owned());
                names.entry(format!("{region}{alias}")).or_insert_with(|| (*name).to_owned());
            }
        }
        // What a category names as its provider is never another one.
        for (name, _) in named {
            names.remove(*name);
        }
        Self { names }
    }

    /// The provider with an alias as its name; `None` for a name that is none, and for a provider's own name.
    pub fn name_of(&self, source: &str) -> Option<&str> {
        self.names.get(source).map(String::as_str)
    }

    /// The same with the names of another catalogue.
    pub fn extend(&mut self, other: &Self) {
        for (alias, name) in &other.names {
            self.names.entry(alias.clone()).or_insert_with(|| name.clone());
        }
    }
}

/// Checks the names of providers.
pub(super) fn check_providers(providers: &[Provider], named: &BTreeSet<&str>, faults: &mut Faults<'_>) {
    let mut names = BTreeSet::new();
    for (at, provider) in providers.iter().enumerate() {
        let place = [Step::Key("provider"), Step::At(at)];
        let is_named = named.contains(provider.name_zh.as_str());
        faults.require(is_named, &place, || format!("no category is provided by {}", provider.name_zh));
        for name in std::iter::once(&provider.name_zh).chain(&provider.aliases) {
            faults.require(!name.trim().is_empty(), &place, || "a provider's name is empty".into());
            faults.require(names.insert(name), &place, || format!("{name} is the name of two providers"));
        }
    }
}
