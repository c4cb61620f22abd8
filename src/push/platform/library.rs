//! The platforms in force: those shipped with the program, overridden by those in the operator's folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use toml::de::DeTable;

use super::{
    carrier::Carrier,
    check::{Draft, check},
    read, read_carrier,
    reading::{At, Found, Section, plain},
    reference::Reference,
    shipped::SHIPPED,
    types::{Platform, Receipts, Schedule},
};
use crate::{
    domain::{
        TableError,
        table::{TableFault, line_at},
    },
    grading::{LibraryError, toml_files},
};

/// A platform's file that can be used.
#[derive(Debug, Clone)]
pub struct CheckedPlatform {
    pub platform: Platform,
    /// What a person should look at, by line.
    pub warnings: Vec<TableFault>,
    /// The files with credentials, with the lines that name them.
    credentials: Vec<(PathBuf, usize)>,
}

impl CheckedPlatform {
    /// Reads and checks a file, and reports everything that is wrong with it. Paths in it are relative to `directory`.
    pub fn parse(file: &str, text: &str, directory: &Path, reference: &Reference<'_>) -> Result<Self, TableError> {
        let (table, errors) = DeTable::parse_recoverable(text);
        // A text that is not TOML has no keys to check.
        TableError::check_none(
            file,
            errors
                .iter()
                .map(|error| TableFault {
                    line: error.span().map(|span| line_at(text, &span)),
                    message: error.message().to_owned(),
                })
                .collect(),
        )?;
        let mut found = Found::default();
        let mut root = Section::root(text, table.get_ref());
        let draft = Draft {
            head: read::head(&mut root, &mut found),
            carrier: read_carrier::carrier(&mut root, directory, &mut found),
            grades: read::package(&mut root, "grades", &mut found),
            usage: read::package(&mut root, "usage", &mut found),
        };
        root.finish(&mut found);
        check(&draft, reference, &mut found);
        TableError::check_none(file, found.faults)?;
        let credentials = draft.carrier.as_ref().map(|read| read.credentials.clone()).unwrap_or_default();
        let digest = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
        // Infallible: what is missing or wrong was reported as a fault.
        let platform = assemble(draft, digest).ok_or_else(|| TableError::whole_file(file, "cannot be used"))?;
        let credentials = credentials.into_iter().map(|At { value, line }| (value, line)).collect();
        Ok(Self { platform, warnings: found.warnings, credentials })
    }

    /// Warnings about the files with credentials that cannot be read on this machine.
    pub fn unreadable_credentials(&self) -> Vec<TableFault> {
        let warning = |(path, line): &(PathBuf, usize)| {
            let error = std::fs::File::open(path).err()?;
            Some(TableFault { line: Some(*line), message: format!("{} cannot be read: {error}", path.display()) })
        };
        self.credentials.iter().filter_map(warning).collect()
    }
}

/// The platform of a draft without faults.
fn assemble(draft: Draft, digest: String) -> Option<Platform> {
    let record_columns = draft.record_columns();
    let Draft { head, carrier, grades, usage } = draft;
    let mut carrier = carrier?.carrier;
    if let Carrier::File(settings) = &mut carrier {
        settings.form.record_columns = record_columns;
    }
    Some(Platform {
        id: head.id?.value,
        name_zh: head.name_zh?.value,
        basis: head.basis?,
        source: head.source,
        reason: head.reason,
        audience: head.audience?.value,
        kinds: head.kinds?.into_iter().map(|at| at.value).collect(),
        natural: head.natural?.value,
        objections: head.objections?.value,
        points: head.points?.value,
        mapping: plain(head.mapping),
        // Without a mapping it cannot be false: `check` refuses a platform that would get no grade.
        own_grade: plain(head.own_grade).unwrap_or(true),
        schedule: Schedule { grades: plain(head.schedule.grades), usage: plain(head.schedule.usage) },
        carrier,
        receipts: plain(head.receipts).unwrap_or(Receipts::Read),
        grades: match grades {
            Some(read) => Some(read.into_fields()?),
            None => None,
        },
        usage: match usage {
            Some(read) => Some(read.into_fields()?),
            None => None,
        },
        digest,
    })
}

/// Why platforms cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlatformsError {
    /// A file is invalid.
    #[error(transparent)]
    Refused(#[from] TableError),
    /// The operator's folder cannot be read.
    #[error(transparent)]
    Unreadable(#[from] LibraryError),
    /// Two files of the folder define the same platform.
    #[error(
        "{path}: {id} is already defined by another file of the folder: give each platform a file and an id of its own"
    )]
    Duplicate { path: PathBuf, id: String },
    /// No platform has the id.
    #[error("there is no platform {id}; there are: {known}")]
    NoSuchPlatform {
        /// The requested id.
        id: String,
        known: String,
    },
    /// A shipped platform does not fit this city's kinds, models or mapping tables.
    #[error(
        "the platform {id} is shipped with the program, but does not fit the kinds, models and mappings in force; put a file \
         of your own with this id into [push] platforms_directory: {refused}"
    )]
    LeftOut { id: String, refused: TableError },
}

/// A platform in force, and its origin.
#[derive(Debug, Clone)]
pub struct InForcePlatform {
    pub checked: CheckedPlatform,
    /// The operator's file; none for a platform that is shipped with the program.
    pub file: Option<PathBuf>,
}

/// Every platform in force, by id.
#[derive(Debug, Clone)]
pub struct Platforms {
    platforms: BTreeMap<String, InForcePlatform>,
    /// Shipped platforms that do not fit, with the reason.
    left_out: BTreeMap<String, TableError>,
}

impl Platforms {
    /// The shipped platforms. Paths in their files are relative to a directory.
    pub fn shipped(directory: &Path, reference: &Reference<'_>) -> Self {
        Self::over(BTreeMap::new(), directory, reference)
    }

    /// The shipped platforms, in which those of a folder replace the ones of the same id. A missing folder counts as empty.
    /// Paths in all files are relative to the folder.
    pub fn load(folder: &Path, reference: &Reference<'_>) -> Result<Self, PlatformsError> {
        let mut found: BTreeMap<String, InForcePlatform> = BTreeMap::new();
        for (path, text) in toml_files(folder)? {
            let checked = CheckedPlatform::parse(&path.display().to_string(), &text, folder, reference)?;
            let id = checked.platform.id.clone();
            let file = Some(path.clone());
            if found.insert(id.clone(), InForcePlatform { checked, file }).is_some() {
                return Err(PlatformsError::Duplicate { path, id });
            }
        }
        Ok(Self::over(found, folder, reference))
    }

    /// The shipped platforms, in which others replace the ones of the same id.
    fn over(found: BTreeMap<String, InForcePlatform>, directory: &Path, reference: &Reference<'_>) -> Self {
        let mut platforms = Self { platforms: BTreeMap::new(), left_out: BTreeMap::new() };
        for (id, text) in SHIPPED {
            // A replaced one is not read: what is wrong with it does not matter any more.
            if found.contains_key(*id) {
                continue;
            }
            let name = format!("config/platforms/{id}.toml");
            match CheckedPlatform::parse(&name, text, directory, reference) {
                Ok(checked) => {
                    platforms.platforms.insert((*id).to_owned(), InForcePlatform { checked, file: None });
                }
                // A city's own kinds and models need not have what the shipped platforms name.
                Err(refused) => {
                    platforms.left_out.insert((*id).to_owned(), refused);
                }
            }
        }
        platforms.platforms.extend(found);
        platforms
    }

    /// A platform by its id.
    pub fn get(&self, id: &str) -> Result<&Platform, PlatformsError> {
        if let Some(found) = self.platforms.get(id) {
            return Ok(&found.checked.platform);
        }
        Err(match self.left_out.get(id) {
            Some(refused) => PlatformsError::LeftOut { id: id.to_owned(), refused: refused.clone() },
            None => PlatformsError::NoSuchPlatform {
                id: id.to_owned(),
                known: self.platforms.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            },
        })
    }

    /// Every platform in force, by id.
    pub fn iter(&self) -> impl Iterator<Item = &InForcePlatform> {
        self.platforms.values()
    }

    /// Shipped platforms that do not fit this city's kinds, models or mapping tables, with the reason.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, &TableError)> {
        self.left_out.iter().map(|(id, refused)| (id.as_str(), refused))
    }
}
