//! The models, catalogues and mapping tables in force: those shipped with the program, overridden by those in the
//! operator's folders.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::{
    domain::TableError,
    scoring::{Catalogue, Mapping, Model, ReceiverGrade, Scheme, SchemeRef, shipped},
};

/// A model with the catalogue it was checked against.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    pub model: &'a Model,
    pub catalogue: &'a Catalogue,
}

/// Every model, catalogue and mapping table in force.
#[derive(Debug, Clone)]
pub struct Library {
    catalogues: BTreeMap<String, Catalogue>,
    models: BTreeMap<String, Model>,
    /// By the mapped scheme and the receiver.
    mappings: BTreeMap<(SchemeRef, String), Mapping>,
    /// Shipped models that do not fit a replaced catalogue, with the reason.
    left_out: BTreeMap<String, TableError>,
}

/// A file that has been checked.
#[derive(Debug)]
pub enum CheckedFile {
    Model(Box<Model>),
    Catalogue(Box<Catalogue>),
    Mapping(Box<Mapping>),
}

/// Why models or catalogues cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file is invalid.
    #[error(transparent)]
    Refused(#[from] TableError),
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        source: std::io::Error,
    },
    /// Two files of a folder define the same model, catalogue or mapping.
    #[error("{path}: {id} is already defined by another file of the folder")]
    Duplicate {
        path: PathBuf,
        /// The model's id, or the catalogue's kind.
        id: String,
    },
    /// There is no catalogue for the kind a model rates.
    #[error("{file}: there is no catalogue of {kind}")]
    NoCatalogue { file: String, kind: String },
    /// No model has the id.
    #[error("there is no model {id}; there are: {known}")]
    NoSuchModel {
        /// The requested id.
        id: String,
        known: String,
    },
    /// A shipped model does not fit the catalogue that replaced the shipped one.
    #[error("the model {id} is shipped with the program, but does not fit the catalogue in force: {refused}")]
    LeftOut { id: String, refused: TableError },
    /// No model in force grades by the scheme.
    #[error("no model in force grades by the scheme {id}; there are: {known}")]
    NoSuchScheme {
        /// The requested id.
        id: String,
        known: String,
    },
    /// The scheme has no such grade.
    #[error("{code} is no grade of {scheme}, which has: {known}")]
    NoSuchGrade {
        scheme: String,
        /// The requested code.
        code: String,
        known: String,
    },
    /// No table maps the scheme for the receiver.
    #[error("no table maps {scheme} version {version} for {receiver}; there are tables for: {known}")]
    NoMapping {
        scheme: String,
        version: i64,
        /// The requested receiver.
        receiver: String,
        known: String,
    },
}

impl Library {
    /// The shipped models, catalogues and mapping tables.
    pub fn shipped() -> Result<Self, LibraryError> {
        // They are constants: a process reads them once, however often it asks.
        static SHIPPED: OnceLock<Library> = OnceLock::new();
        if let Some(library) = SHIPPED.get() {
            return Ok(library.clone());
        }
        let library = Self::read_shipped()?;
        Ok(SHIPPED.get_or_init(|| library).clone())
    }

    fn read_shipped() -> Result<Self, LibraryError> {
        let mut library = Self {
            catalogues: BTreeMap::new(),
            models: BTreeMap::new(),
            mappings: BTreeMap::new(),
            left_out: BTreeMap::new(),
        };
        for (file, text) in shipped::CATALOGUES {
            let catalogue = Catalogue::parse(file, text)?;
            library.catalogues.insert(catalogue.kind().to_owned(), catalogue);
        }
        for (file, text) in shipped::MODELS {
            let model = library.check_model(file, text)?;
            library.models.insert(model.id().to_owned(), model);
        }
        library.take_shipped_mappings()?;
        Ok(library)
    }

    /// The shipped library, in which a model or catalogue of a folder replaces the shipped one of the same id or kind. A
    /// missing folder counts as empty.
    pub fn load(catalogues: &Path, models: &Path) -> Result<Self, LibraryError> {
        let mut library = Self::shipped()?;
        let mut found = BTreeMap::new();
        for (path, text) in files(catalogues)? {
            let catalogue = Catalogue::parse(&path.display().to_string(), &text)?;
            let kind = catalogue.kind().to_owned();
            if found.insert(kind.clone(), catalogue).is_some() {
                return Err(LibraryError::Duplicate { path, id: kind });
            }
        }
        // Catalogues first: models of the folder are checked against the catalogue in force.
        library.catalogues.extend(found);
        let mut found = BTreeMap::new();
        for (path, text) in files(models)? {
            let model = library.check_model(&path.display().to_string(), &text)?;
            let id = model.id().to_owned();
            if found.insert(id.clone(), model).is_some() {
                return Err(LibraryError::Duplicate { path, id });
            }
        }
        // Before the folder's models come in, which were just checked and need no second look.
        library.leave_out();
        library.models.extend(found);
        // The shipped tables were checked against shipped schemes, which a model of the folder may have replaced.
        library.mappings.clear();
        library.take_shipped_mappings()?;
        Ok(library)
    }

    /// The same, in which mapping tables of a folder replace the shipped ones.
    pub fn with_mappings(mut self, folder: &Path) -> Result<Self, LibraryError> {
        let mut found = BTreeMap::new();
        for (path, text) in files(folder)? {
            let mapping = self.check_mapping(&path.display().to_string(), &text)?;
            let key = (mapping.from().clone(), mapping.receiver().to_owned());
            let id = format!("{} for {}", key.0.scheme, key.1);
            if found.insert(key, mapping).is_some() {
                return Err(LibraryError::Duplicate { path, id });
            }
        }
        self.mappings.extend(found);
        Ok(self)
    }

    /// Removes shipped models that do not fit a replaced catalogue: a city's own catalogue need not have the measures that a
    /// later version of the program adds.
    fn leave_out(&mut self) {
        for (id, model) in &self.models {
            let Some(catalogue) = self.catalogues.get(model.kind()) else { continue };
            if let Err(refused) = Model::from_json(id, &model.canonical(), catalogue) {
                self.left_out.insert(id.clone(), refused);
            }
        }
        self.models.retain(|id, _| !self.left_out.contains_key(id));
    }

    /// Adds the shipped mapping tables of schemes that are in force in the shipped version.
    fn take_shipped_mappings(&mut self) -> Result<(), LibraryError> {
        for (file, text) in shipped::MAPPINGS {
            let (from, receiver) = Mapping::of(file, text)?;
            let scheme = self.scheme(&from.scheme).filter(|scheme| scheme.version == from.version);
            if let Some(scheme) = scheme {
                let mapping = Mapping::parse(file, text, Some(scheme))?;
                self.mappings.insert((from, receiver), mapping);
            }
        }
        Ok(())
    }

    /// Reads and checks a file of any of the three sorts: a catalogue has categories, a mapping table a receiver.
    pub fn check_file(&self, file: &str, text: &str) -> Result<CheckedFile, LibraryError> {
        // Invalid TOML is checked as a model, whose error names the line.
        let keys = text.parse::<toml::Table>().unwrap_or_default();
        Ok(if keys.contains_key("receiver") {
            CheckedFile::Mapping(Box::new(self.check_mapping(file, text)?))
        } else if keys.contains_key("category") {
            CheckedFile::Catalogue(Box::new(Catalogue::parse(file, text)?))
        } else {
            CheckedFile::Model(Box::new(self.check_model(file, text)?))
        })
    }

    /// Reads and checks a mapping table against the scheme in force, without adding it.
    pub fn check_mapping(&self, file: &str, text: &str) -> Result<Mapping, LibraryError> {
        let (from, _) = Mapping::of(file, text)?;
        let scheme = self.scheme(&from.scheme).filter(|scheme| scheme.version == from.version);
        Ok(Mapping::parse(file, text, scheme)?)
    }

    /// The scheme of an id, as the models in force have it.
    pub fn scheme(&self, id: &str) -> Option<&Scheme> {
        self.models.values().map(Model::scheme).find(|scheme| scheme.id == id)
    }

    /// The grade of a receiver's scheme that a grade is mapped to.
    pub fn map(&self, scheme: &str, grade: &str, receiver: &str) -> Result<&ReceiverGrade, LibraryError> {
        let found = self.scheme(scheme).ok_or_else(|| LibraryError::NoSuchScheme {
            id: scheme.to_owned(),
            known: distinct(self.models.values().map(|model| model.scheme().id.as_str())),
        })?;
        if found.grade(grade).is_none() {
            let known = distinct(found.grade.iter().map(|grade| grade.code.as_str()));
            return Err(LibraryError::NoSuchGrade { scheme: scheme.to_owned(), code: grade.to_owned(), known });
        }
        let from = SchemeRef { scheme: found.id.clone(), version: found.version };
        let mapped = self.mapping(&from, receiver).and_then(|mapping| mapping.grade(grade));
        mapped.ok_or_else(|| {
            let of_scheme = self.mappings.keys().filter(|(of, _)| *of == from);
            LibraryError::NoMapping {
                scheme: from.scheme.clone(),
                version: from.version,
                receiver: receiver.to_owned(),
                known: distinct(of_scheme.map(|(_, receiver)| receiver.as_str())),
            }
        })
    }

    /// The table that maps a scheme for a receiver.
    pub fn mapping(&self, from: &SchemeRef, receiver: &str) -> Option<&Mapping> {
        self.mappings.get(&(from.clone(), receiver.to_owned()))
    }

    /// Every mapping table, by scheme and receiver.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.values()
    }

    /// Shipped models that do not fit a replaced catalogue, with the reason.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, &TableError)> {
        self.left_out.iter().map(|(id, refused)| (id.as_str(), refused))
    }

    /// Reads and checks a model against the catalogue of its kind, without adding it.
    pub fn check_model(&self, file: &str, text: &str) -> Result<Model, LibraryError> {
        let kind = Model::kind_of(file, text)?;
        let catalogue = self
            .catalogues
            .get(&kind)
            .ok_or_else(|| LibraryError::NoCatalogue { file: file.to_owned(), kind: kind.clone() })?;
        Ok(Model::parse(file, text, catalogue)?)
    }

    /// A model by its id.
    pub fn get(&self, id: &str) -> Result<InForce<'_>, LibraryError> {
        let found = self
            .models
            .get(id)
            .and_then(|model| Some(InForce { model, catalogue: self.catalogues.get(model.kind())? }));
        if let (None, Some(refused)) = (found, self.left_out.get(id)) {
            return Err(LibraryError::LeftOut { id: id.to_owned(), refused: refused.clone() });
        }
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

/// The distinct ids, for error texts.
fn distinct<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let ids: BTreeSet<&str> = ids.collect();
    if ids.is_empty() { "none".to_owned() } else { ids.into_iter().collect::<Vec<_>>().join(", ") }
}

/// The TOML files of a folder with their texts, sorted by name.
pub fn files(folder: &Path) -> Result<Vec<(PathBuf, String)>, LibraryError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| LibraryError::Unreadable { path, source }
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // A folder that is not there is the normal case of a gateway without own tables.
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
    // The order of a folder differs between file systems, and with it which of two files is reported.
    found.sort();
    Ok(found)
}
