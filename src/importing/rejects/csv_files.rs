//! The report as CSV: one file, or one for each provider or institution.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::PathBuf,
};

/// Bytes in memory before they are written to their files.
const MOST_BUFFERED: usize = 4 << 20;

/// Most files of a report. The rows of further groups are in one more file together.
const MOST_FILES: usize = 2_000;

/// The group of rows beyond the most files.
const OTHERS: &str = "others";

/// The byte order mark, by which spreadsheets recognise UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Where the files of a report are.
#[derive(Debug, Clone)]
pub(super) enum CsvTarget {
    /// All rows in one file.
    File(PathBuf),
    /// A file of each group in a folder, named by the file that was imported and the group.
    Folder { folder: PathBuf, stem: String },
}

impl CsvTarget {
    fn path(&self, group: &str) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Folder { folder, stem } => folder.join(format!("{stem}.{group}.rejects.csv")),
        }
    }
}

#[derive(Debug)]
struct Group {
    path: PathBuf,
    buffered: Vec<u8>,
    begun: bool,
}

/// Writes the files. However many there are, one is open at a time.
#[derive(Debug)]
pub(super) struct CsvFiles {
    target: CsvTarget,
    header: Vec<u8>,
    groups: HashMap<String, Group>,
    buffered: usize,
}

impl CsvFiles {
    pub(super) fn new(target: CsvTarget, header: &[String]) -> io::Result<Self> {
        let mut bytes = MARK.to_vec();
        write_record(&mut bytes, header)?;
        if let CsvTarget::Folder { folder, .. } = &target {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self { target, header: bytes, groups: HashMap::new(), buffered: 0 })
    }

    /// Adds a row to the file of a group.
    pub(super) fn add(&mut self, group: &str, row: &[String]) -> io::Result<()> {
        let name = match &self.target {
            CsvTarget::File(_) => String::new(),
            CsvTarget::Folder { .. } => file_name(group),
        };
        let name = if self.groups.len() < MOST_FILES || self.groups.contains_key(&name) { name } else { OTHERS.into() };
        let (target, header) = (&self.target, &self.header);
        let group = self.groups.entry(name).or_insert_with_key(|name| {
            let path = target.path(name);
            Group { path, buffered: header.clone(), begun: false }
        });
        let before = group.buffered.len();
        write_record(&mut group.buffered, row)?;
        self.buffered += group.buffered.len() - before;
        if self.buffered > MOST_BUFFERED { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        for group in self.groups.values_mut().filter(|group| !group.buffered.is_empty()) {
            // A report of an earlier import is replaced.
            let mut file = if group.begun {
                OpenOptions::new().append(true).open(&group.path)?
            } else {
                File::create(&group.path)?
            };
            group.begun = true;
            file.write_all(&group.buffered)?;
            group.buffered = Vec::new();
        }
        self.buffered = 0;
        Ok(())
    }

    /// Writes what is in memory and returns the files, sorted.
    pub(super) fn finish(mut self) -> io::Result<Vec<PathBuf>> {
        self.flush()?;
        let mut paths: Vec<_> = self.groups.into_values().map(|group| group.path).collect();
        paths.sort_unstable();
        Ok(paths)
    }
}

fn write_record(bytes: &mut Vec<u8>, fields: &[String]) -> io::Result<()> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).buffer_capacity(1 << 10).from_writer(bytes);
    writer.write_record(fields)?;
    writer.flush()
}

/// A group as part of a file's name: letters and digits of any script.
fn file_name(group: &str) -> String {
    let name: String = group.chars().take(40).map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if name.is_empty() { "unknown".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_its_file_with_mark_and_header() {
        let directory = tempfile::tempdir().unwrap();
        let target = CsvTarget::Folder { folder: directory.path().join("to"), stem: "records.csv".into() };
        let mut files = CsvFiles::new(target, &["a".into(), "b".into()]).unwrap();
        for (group, cell) in [("医保局", "1"), ("../../etc", "2"), ("", "3"), ("医保局", "4, \"x\"")] {
            files.add(group, &[cell.into(), String::new()]).unwrap();
            files.flush().unwrap();
        }
        let paths = files.finish().unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(
            names,
            ["records.csv.______etc.rejects.csv", "records.csv.unknown.rejects.csv", "records.csv.医保局.rejects.csv"]
        );
        let text = std::fs::read_to_string(&paths[2]).unwrap();
        assert_eq!(text, "\u{feff}a,b\r\n1,\r\n\"4, \"\"x\"\"\",\r\n");
    }

    #[test]
    fn there_are_never_more_files_than_the_most() {
        let directory = tempfile::tempdir().unwrap();
        let target = CsvTarget::Folder { folder: directory.path().into(), stem: "f".into() };
        let mut files = CsvFiles::new(target, &["a".into()]).unwrap();
        for nth in 0..MOST_FILES + 50 {
            files.add(&nth.to_string(), &["x".into()]).unwrap();
        }
        let paths = files.finish().unwrap();
        assert_eq!(paths.len(), MOST_FILES + 1);
        let others = std::fs::read_to_string(directory.path().join("f.others.rejects.csv")).unwrap();
        assert_eq!(others.lines().count(), 51);
    }
}
