//! The names of a package's files. Nothing that is not ours becomes a part of a path unchecked.

use std::path::PathBuf;

use super::{
    super::{Failed, FailureReason, PackageHead},
    Target,
};
use crate::{domain::Malformed, push::platform::FileNamePart};

/// The names of a package's files, and the directories that they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileNames {
    directory: PathBuf,
    /// What all names of the package begin with.
    pub(super) stem: String,
    /// The name of the data file.
    pub(super) data: String,
}

impl FileNames {
    /// The names of a package. Refused where source or dataset could lead out of the directory.
    pub(super) fn of(target: &Target, package: &PackageHead) -> Result<Self, Failed> {
        let refused = |Malformed(why)| Failed::permanent(FailureReason::FileName, format!("the dataset {why}"));
        let dataset: FileNamePart = package.dataset.parse().map_err(refused)?;
        if package.number < 1 {
            let why = format!("the package has the number {}: numbers begin with 1", package.number);
            return Err(Failed::permanent(FailureReason::FileName, why));
        }
        let time = package.made_at.city_time().replace(['-', ' ', ':'], "");
        let stem = format!("{}_{dataset}_{time}_{}", target.source, package.number);
        let data = format!("{stem}.{}", target.form.format.extension());
        Ok(Self { directory: target.directory.clone(), stem, data })
    }

    /// The directory of unfinished files.
    pub(super) fn work(&self) -> PathBuf {
        self.directory.join(".medcredit")
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.directory.clone()
    }

    pub(super) fn data_path(&self) -> PathBuf {
        self.directory.join(&self.data)
    }

    /// The name of the manifest.
    pub(super) fn manifest(&self) -> String {
        format!("{}.manifest.json", self.stem)
    }

    pub(super) fn manifest_path(&self) -> PathBuf {
        self.directory.join(self.manifest())
    }

    /// The data file before it is complete.
    pub(super) fn data_new(&self) -> PathBuf {
        self.work().join(format!("{}.new", self.data))
    }

    /// A page, until all are there.
    pub(super) fn part_path(&self, page: u32) -> PathBuf {
        self.work().join(format!("{}.page-{page:06}", self.stem))
    }

    /// The record that the manifest is about to get its name on the server.
    pub(super) fn publishing_path(&self) -> PathBuf {
        self.work().join(format!("{}.publishing", self.stem))
    }

    /// The record that it has it.
    pub(super) fn published_path(&self) -> PathBuf {
        self.work().join(format!("{}.published", self.stem))
    }

    /// The record that the package is closed.
    pub(super) fn closed_path(&self) -> PathBuf {
        self.work().join(format!("{}.closed.json", self.stem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Timestamp,
        push::platform::{Encoding, FileForm, Format},
    };

    fn names(dataset: &str, number: i64) -> Result<FileNames, Failed> {
        let form = FileForm { format: Format::Csv, encoding: Encoding::Utf8, record_columns: true };
        let target = Target { directory: "/drop".into(), source: "330300-ybj".parse().unwrap(), form };
        let package = PackageHead {
            platform: "city".into(),
            number,
            dataset: dataset.into(),
            period: "2026-H1".into(),
            digest: String::new(),
            // In UTC it is still the day before.
            made_at: Timestamp::from_seconds(1_780_000_000).day().start().plus(std::time::Duration::from_secs(3_725)),
            rows: 0,
            pages: 1,
        };
        FileNames::of(&target, &package)
    }

    #[test]
    fn names_have_the_citys_time() {
        let names = names("grades", 12).unwrap();
        assert_eq!(names.data_path().to_str(), Some("/drop/330300-ybj_grades_20260529010205_12.csv"));
        assert_eq!(names.manifest_path().to_str(), Some("/drop/330300-ybj_grades_20260529010205_12.manifest.json"));
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        for bad in [
            "",
            ".",
            "..",
            "../grades",
            "a/b",
            "a\\b",
            "a\0",
            "-rf",
            "_a",
            "a b",
            "a.csv",
            "评级",
            "a\n",
            &"a".repeat(65),
        ] {
            assert_eq!(names(bad, 1).unwrap_err().reason, FailureReason::FileName, "{bad:?}");
            assert!(bad.parse::<FileNamePart>().is_err(), "{bad:?}");
        }
        assert!(names("g", 0).is_err() && names("g", -1).is_err());
    }
}
