//! `[reference]`: tables of the trade, kinds of subject and regions.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Report, Section};
use crate::domain::{Kinds, TableError, region::RegionTable};

/// Tables of one's own, each in the place of the one that comes with the program.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The kinds of subject.
    pub kinds_file: PathBuf,
    /// The regions.
    pub regions_file: PathBuf,
}

impl Reference {
    /// The kinds of subject: those of the file, or those compiled in where there is none.
    pub fn kinds(&self) -> Result<Kinds, TableError> {
        read(&self.kinds_file)?.map_or_else(Kinds::built_in, |(file, text)| Kinds::from_toml(&file, &text))
    }

    /// The regions, likewise.
    pub fn regions(&self) -> Result<RegionTable, TableError> {
        let text = read(&self.regions_file)?;
        text.map_or_else(RegionTable::built_in, |(file, text)| RegionTable::from_toml(&file, &text))
    }
}

/// A file's name and text; nothing where there is no file.
fn read(file: &Path) -> Result<Option<(String, String)>, TableError> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some((name, text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TableError::whole(&name, format!("cannot be read: {error}"))),
    }
}

impl Section for Reference {
    fn check(&self, report: &mut Report<'_>) {
        report.require(self.kinds_file.file_name().is_some(), "kinds_file", "must name a file");
        report.require(self.regions_file.file_name().is_some(), "regions_file", "must name a file");
    }
}
