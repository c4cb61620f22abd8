//! Where rows come from. Each format is a [`RowSource`], which yields the columns as a CSV file would write them, so that
//! everything behind it is the same for all.

mod csv_file;
mod encoding;
#[cfg(feature = "parquet")]
mod page;
#[cfg(feature = "parquet")]
mod parquet_file;
#[cfg(feature = "parquet")]
mod value;

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use aws_lc_rs::digest;
use bytes::{Buf, Bytes};

use super::{ImportError, Template, findings::Code};
use crate::domain::Malformed;

/// How the text of a CSV file is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// What every file should be.
    #[default]
    Utf8,
    /// GB 18030, and so GBK and GB 2312 too: what much of the bureau's software writes.
    Gb18030,
}

impl Encoding {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
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
            // The names that programs give to what are parts of GB 18030.
            "gb18030" | "gb-18030" | "gbk" | "gb2312" | "cp936" => Ok(Self::Gb18030),
            _ => Err(Malformed(format!("{text:?} is not an encoding: utf-8, gb18030"))),
        }
    }
}

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header.
    Csv(Encoding),
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// What a file's name says: Parquet where it ends so, else CSV.
    pub fn of_name(path: &Path) -> Self {
        let parquet = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("parquet"));
        if parquet { Self::Parquet } else { Self::Csv(Encoding::Utf8) }
    }
}

/// Where a file's bytes are.
#[derive(Debug, Clone)]
pub enum Input {
    /// In a file.
    File(PathBuf),
    /// In memory, as they were delivered.
    Memory {
        /// What it is called.
        name: String,
        /// All of it.
        bytes: Bytes,
    },
}

impl Input {
    /// The file's name, without its directory.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Memory { name, .. } => name.clone(),
        }
    }

    fn open_file(path: &Path) -> Result<File, ImportError> {
        File::open(path).map_err(|error| ImportError::read(path, error))
    }

    fn open(&self) -> Result<Box<dyn Read + Send>, ImportError> {
        match self {
            Self::File(path) => Ok(Box::new(Self::open_file(path)?)),
            Self::Memory { bytes, .. } => Ok(Box::new(bytes.clone().reader())),
        }
    }

    /// Its digest, hex, and its size.
    pub(super) fn digest(&self) -> Result<(String, u64), ImportError> {
        let failed = |error| ImportError::read(Path::new(&self.name()), error);
        digest_of(self.open()?).map_err(failed)
    }
}

/// A digest, hex, and a size.
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

/// What became of the next row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// A row was read.
    Row {
        /// The line it begins on.
        line: u64,
    },
    /// A row that is no text was passed over.
    Unreadable {
        /// The line it begins on.
        line: u64,
        /// Which column of the file; none where it cannot be told.
        column: Option<usize>,
        /// What is wrong with it.
        code: Code,
        /// The same in words.
        message: String,
    },
    /// There are no more.
    End,
}

/// A file's rows, one after the other.
pub(super) trait RowSource {
    /// The names of the columns.
    fn header(&mut self) -> Result<Vec<String>, ImportError>;
    /// Reads the next row into `row`.
    fn next(&mut self, row: &mut csv::StringRecord) -> Result<Next, ImportError>;
    /// Bytes read so far.
    fn bytes_read(&self) -> u64;
    /// The digest of what was read; asked for at the end.
    fn sha256(&mut self) -> Result<String, ImportError>;
}

/// Opens a file that follows a template.
pub(super) fn open(input: &Input, format: Format, template: Template) -> Result<Box<dyn RowSource>, ImportError> {
    match format {
        Format::Csv(encoding) => Ok(Box::new(csv_file::CsvSource::open(input, encoding)?)),
        #[cfg(feature = "parquet")]
        Format::Parquet => parquet_file::open(input, template),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            let _ = template;
            Err(ImportError::NoParquet)
        }
    }
}
