//! Where the report of a file is written, and in which forms.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{csv_files::CsvTarget, workbook};
use crate::{
    domain::{Timestamp, words::words},
    importing::source::Input,
};

words! {
    /// How the report is divided, for the offices that must fix their rows.
    RejectsBy: "division of the report" {
        /// A file for each source of facts; files of other templates have none.
        Provider = "provider",
        /// A file for each institution; rows about persons go to the one where they practise.
        Institution = "institution",
    }
}

/// The files of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::importing) struct ReportFiles {
    /// The report: the CSV file, the workbook if only that was requested, or the folder of reports.
    pub(in crate::importing) rejects: Option<PathBuf>,
    /// The workbook beside a CSV file.
    pub(in crate::importing) workbook: Option<PathBuf>,
}

/// Where a report is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::importing) enum Destination {
    Csv(PathBuf),
    Workbook(PathBuf),
    /// Both, beside the file that was imported.
    Beside {
        csv: PathBuf,
        workbook: PathBuf,
    },
    /// Both for each group, in a folder. The stem is the name of the file that was imported.
    Folder {
        folder: PathBuf,
        stem: String,
        by: RejectsBy,
    },
}

impl Destination {
    /// The destination by the options; none for an upload, whose findings are listed in its response.
    pub(in crate::importing) fn of(input: &Input, rejects: Option<&Path>, by: Option<RejectsBy>) -> Option<Self> {
        let name = input.name();
        let folder = match input {
            Input::File(path) => path.parent().map(Path::to_owned),
            Input::Memory { .. } => None,
        };
        if let Some(by) = by {
            return Some(Self::Folder {
                folder: rejects.map_or(folder, |given| Some(given.to_owned()))?,
                stem: name,
                by,
            });
        }
        match rejects {
            Some(path) if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("xlsx")) => {
                Some(Self::Workbook(path.to_owned()))
            }
            Some(path) => Some(Self::Csv(path.to_owned())),
            None => {
                let folder = folder?;
                let beside = |end: &str| folder.join(format!("{name}.rejects.{end}"));
                Some(Self::Beside { csv: beside("csv"), workbook: beside("xlsx") })
            }
        }
    }

    /// The path that an error names.
    pub(in crate::importing) fn path(&self) -> &Path {
        match self {
            Self::Csv(path) | Self::Workbook(path) => path,
            Self::Beside { csv, .. } => csv,
            Self::Folder { folder, .. } => folder,
        }
    }

    /// The folder of its files.
    pub(in crate::importing) fn folder(&self) -> PathBuf {
        match self {
            Self::Folder { folder, .. } => folder.clone(),
            Self::Csv(path) | Self::Workbook(path) | Self::Beside { csv: path, .. } => {
                path.parent().map(Path::to_owned).unwrap_or_default()
            }
        }
    }

    pub(super) const fn by(&self) -> Option<RejectsBy> {
        match self {
            Self::Folder { by, .. } => Some(*by),
            Self::Csv(_) | Self::Workbook(_) | Self::Beside { .. } => None,
        }
    }

    /// Where its CSV files are written first.
    pub(super) fn csv_target(&self, temporary: &Path) -> CsvTarget {
        match self {
            Self::Csv(path) => CsvTarget::File(path.clone()),
            Self::Workbook(_) => CsvTarget::File(temporary.join("rejects.csv")),
            Self::Beside { csv, .. } => CsvTarget::File(csv.clone()),
            Self::Folder { folder, stem, .. } => CsvTarget::Folder { folder: folder.clone(), stem: stem.clone() },
        }
    }

    /// Makes the workbooks of the CSV files.
    pub(super) fn finish(&self, files: &[PathBuf], now: Timestamp) -> io::Result<ReportFiles> {
        let (rejects, workbook) = match self {
            Self::Csv(path) => (path, None),
            Self::Workbook(path) => {
                files.iter().try_for_each(|csv| workbook::convert(csv, path, now))?;
                (path, None)
            }
            Self::Beside { csv, workbook } => {
                workbook::convert(csv, workbook, now)?;
                (csv, Some(workbook.clone()))
            }
            Self::Folder { folder, .. } => {
                files.iter().try_for_each(|csv| workbook::convert(csv, &csv.with_extension("xlsx"), now))?;
                (folder, None)
            }
        };
        Ok(ReportFiles { rejects: Some(rejects.clone()), workbook })
    }
}
