//! `[reference]`: the tables of kinds of subject, of regions and of working days.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Report, Section};
use crate::domain::{Kinds, TableError, WorkCalendar, region::RegionTable};

/// The operator's tables, each of which replaces a table that is compiled in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The file of kinds of subject.
    pub kinds_file: PathBuf,
    /// The file of regions.
    pub regions_file: PathBuf,
    /// The file of working days.
    pub calendar_file: PathBuf,
}

impl Reference {
    /// Reads the kinds of subject from the file, or takes those that are compiled in if there is no file.
    pub fn kinds(&self) -> Result<Kinds, TableError> {
        read(&self.kinds_file)?.map_or_else(Kinds::built_in, |(file, text)| Kinds::from_toml(&file, &text))
    }

    /// Reads the regions from the file, or takes those that are compiled in if there is no file.
    pub fn regions(&self) -> Result<RegionTable, TableError> {
        let text = read(&self.regions_file)?;
        text.map_or_else(RegionTable::built_in, |(file, text)| RegionTable::from_toml(&file, &text))
    }

    /// Reads the working days from the file, or takes those that are compiled in if there is no file.
    pub fn calendar(&self) -> Result<WorkCalendar, TableError> {
        let text = read(&self.calendar_file)?;
        text.map_or_else(WorkCalendar::built_in, |(file, text)| WorkCalendar::from_toml(&file, &text))
    }
}

/// Reads a file's name and text; none if there is no file.
fn read(file: &Path) -> Result<Option<(String, String)>, TableError> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some((name, text))),
        // Only absence: a table that cannot be read must not silently give way to the one that is compiled in.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TableError::whole_file(&name, format!("cannot be read: {error}"))),
    }
}

impl Section for Reference {
    fn check(&self, report: &mut Report<'_>) {
        report.require(self.kinds_file.file_name().is_some(), "kinds_file", "must name a file");
        report.require(self.regions_file.file_name().is_some(), "regions_file", "must name a file");
        report.require(self.calendar_file.file_name().is_some(), "calendar_file", "must name a file");
    }
}
