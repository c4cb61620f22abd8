//! File formats. Each is a [`RowSource`], which yields fields as a CSV file would have them, so that all later steps
//! are the same for every format.

mod cells;
#[cfg(feature = "parquet")]
mod column;
mod csv_file;
mod dialect;
mod encoding;
pub(super) mod lines;
#[cfg(feature = "parquet")]
mod page_limit;
#[cfg(feature = "parquet")]
mod parquet_column;
#[cfg(feature = "parquet")]
mod parquet_decoder;
#[cfg(feature = "parquet")]
mod parquet_file;
#[cfg(feature = "parquet")]
mod value_text;
// Only Parquet decodes blocks of rows: without it, what fills them is unused.
#[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "only Parquet fills blocks"))]
mod row_block;
mod transcoder;
mod workbook;
mod xls_limit;
mod zip_limit;

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use aws_lc_rs::digest;
use bytes::{Buf, Bytes};

use super::{ImportError, Template, findings::Code, skips::Lines};
use crate::domain::Malformed;

pub(super) use row_block::{BlockSource, RowBlocks, Unreadable};

/// The encoding of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// The one that the bytes of the file show.
    #[default]
    Detected,
    /// UTF-8, as every file should be.
    Utf8,
    /// GB 18030, which includes GBK and GB 2312: much of the bureau's software writes it.
    Gb18030,
    /// UTF-16, which Excel calls Unicode text.
    Utf16,
}

impl Encoding {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Detected => "detected",
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
            Self::Utf16 => "utf-16",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Encoding {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "us-ascii" => Ok(Self::Utf8),
            // Names that programs give to subsets of GB 18030.
            "gb18030" | "gb-18030" | "gbk" | "gb2312" | "cp936" => Ok(Self::Gb18030),
            "utf-16" | "utf16" | "utf-16le" | "utf-16be" => Ok(Self::Utf16),
            _ => Err(Malformed(format!("{text:?} is not an encoding; use utf-8, gb18030 or utf-16"))),
        }
    }
}

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header.
    Csv(Encoding),
    /// Apache Parquet.
    Parquet,
    /// An Excel workbook, `.xlsx` or `.xls`.
    Workbook,
}

impl Format {
    /// Whether values have types: it is known which are texts, numbers and days.
    pub(super) const fn is_typed(self) -> bool {
        !matches!(self, Self::Csv(_))
    }

    /// The format of a file by its first bytes; by its name, where they do not show it.
    fn of(beginning: &[u8], name: &str) -> Self {
        if beginning.starts_with(b"PK\x03\x04") || beginning.starts_with(workbook::COMPOUND_FILE) {
            return Self::Workbook;
        }
        let parquet = Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("parquet"));
        if parquet || beginning.starts_with(b"PAR1") { Self::Parquet } else { Self::Csv(Encoding::Detected) }
    }
}

/// A file to import.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file on disk.
    File(PathBuf),
    /// An uploaded file, in memory.
    Memory {
        /// The name to record.
        name: String,
        /// The whole file.
        bytes: Bytes,
    },
}

impl Input {
    /// The file's name, without its directory.
    pub(super) fn name(&self) -> String {
        match self {
            // Only recorded and shown: a name that is not UTF-8 does not end the import.
            Self::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Memory { name, .. } => name.clone(),
        }
    }

    /// The format of the file.
    pub fn format(&self) -> Result<Format, ImportError> {
        let (beginning, _) = self.beginning(8)?;
        Ok(Format::of(&beginning, &self.name()))
    }

    /// The first bytes, and whether they are all of the file.
    fn beginning(&self, most: usize) -> Result<(Vec<u8>, bool), ImportError> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let read = self.open()?.take(limit).read_to_end(&mut bytes);
        read.map_err(|error| ImportError::read(Path::new(&self.name()), error))?;
        let is_all = bytes.len() <= most;
        bytes.truncate(most);
        Ok((bytes, is_all))
    }

    fn open_file(path: &Path) -> Result<File, ImportError> {
        File::open(path).map_err(|error| ImportError::read(path, error))
    }

    fn open(&self) -> Result<Box<dyn Read + Send>, ImportError> {
        match self {
            Self::File(path) => Ok(Box::new(Self::open_file(path)?)),
            // Cloning `Bytes` copies none of the data.
            Self::Memory { bytes, .. } => Ok(Box::new(bytes.clone().reader())),
        }
    }

    /// The SHA-256, hex, and the size in bytes.
    pub(super) fn digest(&self) -> Result<(String, u64), ImportError> {
        let failed = |error| ImportError::read(Path::new(&self.name()), error);
        digest_of(self.open()?).map_err(failed)
    }

    /// The size in bytes.
    pub(super) fn size(&self) -> Result<u64, ImportError> {
        match self {
            Self::File(path) => Ok(std::fs::metadata(path).map_err(|error| ImportError::read(path, error))?.len()),
            Self::Memory { bytes, .. } => Ok(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
        }
    }
}

fn digest_of(mut file: impl Read) -> io::Result<(String, u64)> {
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0u8; 1 << 16];
    let mut size = 0u64;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((data_encoding::HEXLOWER.encode(digest.finish().as_ref()), size));
        }
        digest.update(buffer.get(..count).unwrap_or_default());
        size = size.saturating_add(u64::try_from(count).unwrap_or(0));
    }
}

/// Why a value has no text: the kind of finding, and the finding in words.
type Fault = (Code, &'static str);

/// The next row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Row {
        /// The line that it begins on.
        line: u64,
    },
    /// A row that cannot be read as text.
    Unreadable {
        /// The line that it begins on.
        line: u64,
        /// The position of the faulty column, if only one is faulty.
        column: Option<usize>,
        /// The kind of finding.
        code: Code,
        /// The finding in words.
        message: String,
    },
    /// The end of the file.
    End,
}

/// The row of a file that names its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) names: Vec<String>,
}

impl Header {
    fn of(row: &csv::StringRecord) -> Self {
        Self { names: row.iter().map(str::to_owned).collect() }
    }
}

/// Reads the rows of a file, one after the other.
pub(super) trait RowSource {
    /// The row that names the columns. Titles above it are skipped.
    fn header(&mut self) -> Result<Header, ImportError>;
    /// Reads the next row into `row`.
    fn next(&mut self, row: &mut csv::StringRecord) -> Result<Next, ImportError>;
    /// Number of bytes read so far.
    fn bytes_read(&self) -> u64;
    /// About how many bytes the rows would have in CSV, where that is far from the size of the file.
    fn csv_bytes(&self) -> Option<u64> {
        None
    }
    /// The SHA-256, hex, of everything that was read. Call it after the last row.
    fn sha256(&mut self) -> Result<String, ImportError>;
    /// The lines of the file, counted as a spreadsheet shows them. Call it after the last row.
    fn lines(&mut self) -> Lines;
    /// The file in blocks of rows, if it has them: then several threads can check its rows.
    fn blocks(&mut self) -> Option<&mut dyn BlockSource> {
        None
    }
    /// Whether the file is UTF-8 with commas, and names its columns in its first line.
    fn is_plain(&self) -> bool {
        false
    }
}

/// Opens a file that follows a template. Of a workbook, `sheet` is read; the first sheet, when absent.
pub(super) fn open(
    input: &Input,
    format: Format,
    sheet: Option<&str>,
    template: Template,
) -> Result<Box<dyn RowSource>, ImportError> {
    match format {
        Format::Csv(encoding) => Ok(Box::new(csv_file::CsvSource::open(input, encoding, template)?)),
        Format::Workbook => Ok(Box::new(workbook::WorkbookSource::open(input, sheet, template)?)),
        #[cfg(feature = "parquet")]
        Format::Parquet => parquet_file::open(input, template),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(ImportError::NoParquet),
    }
}

/// Reads a file to its end as an import does, without a store, and returns its number of rows, unreadable ones included.
pub fn count_rows(input: &Input, format: Format, template: Template) -> Result<u64, ImportError> {
    let mut source = open(input, format, None, template)?;
    source.header()?;
    let (mut row, mut rows) = (csv::StringRecord::new(), 0);
    while source.next(&mut row)? != Next::End {
        rows += 1;
    }
    Ok(rows)
}
