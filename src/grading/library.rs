//! The models and catalogues in force: those that come with the program, and over them those of the operator's folders.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::scoring::{Catalogue, Model, Refused, shipped};

/// A model with the catalogue it was checked against.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its catalogue.
    pub catalogue: &'a Catalogue,
}

/// Every model and catalogue in force.
#[derive(Debug, Clone)]
pub struct Library {
    catalogues: BTreeMap<String, Catalogue>,
    models: BTreeMap<String, Model>,
}

/// Why models or catalogues cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file says what cannot be.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Two files of a folder are about the same.
    #[error("{path}: {id} stands in another file of the folder too")]
    Twice {
        /// The second file.
        path: PathBuf,
        /// The model's id, or the catalogue's kind.
        id: String,
    },
    /// There is no catalogue for the kind a model rates.
    #[error("{file}: there is no catalogue of {kind}")]
    NoCatalogue {
        /// The model's file.
        file: String,
        /// The kind.
        kind: String,
    },
    /// No model has the id.
    #[error("there is no model {id}; there are: {known}")]
    NoSuchModel {
        /// The id asked for.
        id: String,
        /// Those that exist.
        known: String,
    },
}

impl Library {
    /// Those that come with the program.
    pub fn shipped() -> Result<Self, LibraryError> {
        let mut library = Self { catalogues: BTreeMap::new(), models: BTreeMap::new() };
        for (file, text) in shipped::CATALOGUES {
            let catalogue = Catalogue::parse(file, text)?;
            library.catalogues.insert(catalogue.kind().to_owned(), catalogue);
        }
        for (file, text) in shipped::MODELS {
            let model = library.check_model(file, text)?;
            library.models.insert(model.id().to_owned(), model);
        }
        Ok(library)
    }

    /// Those that come with the program, each replaced where a folder has one of the same id or kind. A folder that does
    /// not exist has none.
    pub fn load(catalogues: &Path, models: &Path) -> Result<Self, LibraryError> {
        let mut library = Self::shipped()?;
        let mut found = BTreeMap::new();
        for (path, text) in files(catalogues)? {
            let catalogue = Catalogue::parse(&path.display().to_string(), &text)?;
            let kind = catalogue.kind().to_owned();
            if found.insert(kind.clone(), catalogue).is_some() {
                return Err(LibraryError::Twice { path, id: kind });
            }
        }
        library.catalogues.extend(found);
        let mut found = BTreeMap::new();
        for (path, text) in files(models)? {
            let model = library.check_model(&path.display().to_string(), &text)?;
            let id = model.id().to_owned();
            if found.insert(id.clone(), model).is_some() {
                return Err(LibraryError::Twice { path, id });
            }
        }
        library.models.extend(found);
        // A replaced catalogue may no longer have what a model that came with the program reads.
        for model in library.models.values() {
            library.check_again(model)?;
        }
        Ok(library)
    }

    /// Reads and checks a model against the catalogue of its kind, without taking it in.
    pub fn check_model(&self, file: &str, text: &str) -> Result<Model, LibraryError> {
        let kind = Model::kind_of(file, text)?;
        let catalogue = self
            .catalogues
            .get(&kind)
            .ok_or_else(|| LibraryError::NoCatalogue { file: file.to_owned(), kind: kind.clone() })?;
        Ok(Model::parse(file, text, catalogue)?)
    }

    fn check_again(&self, model: &Model) -> Result<(), LibraryError> {
        match self.catalogues.get(model.kind()) {
            Some(catalogue) => Ok(Model::from_json(model.id(), &model.canonical(), catalogue).map(|_| ())?),
            None => Err(LibraryError::NoCatalogue { file: model.id().to_owned(), kind: model.kind().to_owned() }),
        }
    }

    /// A model by its id.
    pub fn get(&self, id: &str) -> Result<InForce<'_>, LibraryError> {
        let found = self
            .models
            .get(id)
            .and_then(|model| Some(InForce { model, catalogue: self.catalogues.get(model.kind())? }));
        found.ok_or_else(|| {
            let known: Vec<&str> = self.models.keys().map(String::as_str).collect();
            LibraryError::NoSuchModel { id: id.to_owned(), known: known.join(", ") }
        })
    }

    /// Every model, by id.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.values()
    }

    /// The catalogue of a kind.
    pub fn catalogue(&self, kind: &str) -> Option<&Catalogue> {
        self.catalogues.get(kind)
    }

    /// Every catalogue, by kind.
    pub fn catalogues(&self) -> impl Iterator<Item = &Catalogue> {
        self.catalogues.values()
    }
}

/// The TOML files of a folder with their texts, by name.
fn files(folder: &Path) -> Result<Vec<(PathBuf, String)>, LibraryError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| LibraryError::Unreadable { path, source }
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
            found.push((path, text));
        }
    }
    found.sort();
    Ok(found)
}
