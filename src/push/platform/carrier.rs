//! How a platform is reached: its carrier, address and credentials. Credentials are files, never values.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use super::address::PlatformUrl;
use crate::{
    authority::client_tls::ClientFiles,
    domain::{Malformed, Network, words::words},
    store::exchange::{ExchangeAccess, Identifier},
};

/// The rows of a page of a file: pages are files of our own until all are there.
const FILE_PAGE_ROWS: u32 = 10_000;
/// The most characters of a part of a file name.
const LONGEST_PART: usize = 64;

words! {
    /// The format of a data file.
    Format: "format" {
        /// One JSON object a line.
        Ndjson = "ndjson",
        /// Comma-separated, with a header.
        Csv = "csv",
        /// XML, an `ExchangeMessage`.
        Xml = "xml",
    }
}

impl Format {
    /// The file name extension.
    pub const fn extension(self) -> &'static str {
        self.as_str()
    }

    /// The format of a file by its name.
    pub fn of_name(name: &str) -> Option<Self> {
        name.rsplit_once('.')?.1.parse().ok()
    }
}

words! {
    /// The encoding of a data file.
    Encoding: "encoding" {
        /// UTF-8 without a byte order mark.
        Utf8 = "utf-8",
        /// GB 18030.
        Gb18030 = "gb18030",
    }
}

impl Encoding {
    /// The name in manifests and XML declarations, as it is registered.
    pub const fn registered(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
        }
    }

    pub const fn codec(self) -> &'static encoding_rs::Encoding {
        match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Gb18030 => encoding_rs::GB18030,
        }
    }
}

/// A part of a file name that leads nowhere else: letters and digits of ASCII, hyphens and underscores.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileNamePart(String);

impl FileNamePart {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileNamePart {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if first && text.len() <= LONGEST_PART && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(Malformed(format!(
            "{text:?} cannot be in a file name: use up to {LONGEST_PART} letters a-z and A-Z, digits, hyphens and underscores, a \
             letter or digit first"
        )))
    }
}

impl fmt::Display for FileNamePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// JSON pages over mutual TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsSettings {
    pub url: PlatformUrl,
    /// Our certificate and key there, and the authorities that its certificate may come from.
    pub files: ClientFiles,
    /// The networks that the platform's address must be in.
    pub allow: Vec<Network>,
    /// The rows of a page.
    pub page_rows: u32,
    /// The most pages that are under way at a time.
    pub in_flight: u32,
    pub connect_timeout: Duration,
    /// The longest time from the connection to the last byte of the answer.
    pub timeout: Duration,
    /// The longest answer, in bytes.
    pub largest_answer: usize,
}

/// A folder of another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpSettings {
    pub host: String,
    pub port: u16,
    pub user: String,
    /// Our private key, in the form of OpenSSH.
    pub key_file: PathBuf,
    /// The server's public key as `known_hosts` has it, `ssh-ed25519 AAAA...`: no other is accepted.
    pub host_key: String,
    /// The folder on the server.
    pub directory: String,
    /// Where packages are completed before they are brought over; without one, below the gateway's data directory.
    pub working_directory: Option<PathBuf>,
    pub connect_timeout: Duration,
    /// The longest time of an operation.
    pub timeout: Duration,
}

/// Where files are put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// A folder of this machine, from which the platform takes the files.
    Local(PathBuf),
    Sftp(SftpSettings),
}

/// The columns of a record, before the platform's own fields.
pub const RECORD_COLUMNS: [&str; 3] = ["record_id", "version", "operation"];

/// The form of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileForm {
    pub format: Format,
    /// The encoding of data files, and of the platform's answers.
    pub encoding: Encoding,
    /// Whether rows have their record, version and operation besides the platform's own fields.
    pub record_columns: bool,
}

/// Data files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    pub form: FileForm,
    /// The name of the sender, with which file names begin; without one, the evaluator's code.
    pub source: Option<FileNamePart>,
    pub folder: Folder,
}

impl FileSettings {
    /// The name of the sender: its own, or the evaluator's code.
    pub fn sender(&self, evaluator_uscc: Option<&str>) -> Option<FileNamePart> {
        self.source.clone().or_else(|| evaluator_uscc?.parse().ok())
    }
}

/// The columns of an exchange database that its convention needs beside the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConventionColumns {
    /// 唯一标志符.
    pub record_id: Identifier,
    /// 更新类型: I, U or D.
    pub operation: Identifier,
    /// 交换开关: 0 not taken, 1 taken by the platform.
    pub switch: Identifier,
    /// 插入时间.
    pub inserted_at: Identifier,
    /// 来源厅局编码.
    pub source_department: Option<Identifier>,
    /// 测试数据标识: 1 for test data.
    pub test_flag: Option<Identifier>,
    /// The version of the record.
    pub version: Option<Identifier>,
    /// The name of the batch.
    pub batch: Option<Identifier>,
    /// The platform's answer about the row, which it writes itself.
    pub result: Option<Identifier>,
    /// The code of its reason.
    pub reason: Option<Identifier>,
    /// Its own words.
    pub note: Option<Identifier>,
}

impl ConventionColumns {
    /// Every column that is there.
    pub fn iter(&self) -> impl Iterator<Item = &Identifier> {
        let always = [&self.record_id, &self.operation, &self.switch, &self.inserted_at];
        let optional = [
            &self.source_department,
            &self.test_flag,
            &self.version,
            &self.batch,
            &self.result,
            &self.reason,
            &self.note,
        ];
        always.into_iter().chain(optional.into_iter().flatten())
    }
}

/// The table with one row for each batch, written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlTable {
    pub table: Identifier,
    /// The column of the data table's name.
    pub data_table: Identifier,
    /// The column of the batch.
    pub batch: Identifier,
    /// The column of the number of rows.
    pub rows: Identifier,
    /// The column of the digest.
    pub digest: Identifier,
    /// The column of the time.
    pub inserted_at: Identifier,
}

/// A front-end exchange database (前置库).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeSettings {
    pub access: ExchangeAccess,
    /// The schema of all tables, where it is not the user's own.
    pub schema: Option<Identifier>,
    pub grades_table: Option<Identifier>,
    pub usage_table: Option<Identifier>,
    pub columns: ConventionColumns,
    /// 来源厅局编码, written into its column.
    pub source_department: Option<String>,
    /// Whether rows are marked as test data.
    pub test: bool,
    pub control: Option<ControlTable>,
    /// The rows of a page, which is one transaction.
    pub page_rows: u32,
}

/// How a platform is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    Https(HttpsSettings),
    File(FileSettings),
    Exchange(Box<ExchangeSettings>),
}

impl Carrier {
    /// The names of the carriers' tables in a platform's file.
    pub const NAMES: [&'static str; 3] = ["https", "file", "exchange"];

    /// Its name in the platform's file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Https(_) => "https",
            Self::File(_) => "file",
            Self::Exchange(_) => "exchange",
        }
    }

    /// The format and encoding of the data file of an export by hand: the carrier's own, and JSON lines for a carrier
    /// without files.
    pub const fn file_form(&self) -> (Format, Encoding) {
        match self {
            Self::File(file) => (file.form.format, file.form.encoding),
            Self::Https(_) | Self::Exchange(_) => (Format::Ndjson, Encoding::Utf8),
        }
    }

    /// The rows of a page.
    pub const fn page_rows(&self) -> u32 {
        match self {
            Self::Https(https) => https.page_rows,
            Self::Exchange(exchange) => exchange.page_rows,
            Self::File(_) => FILE_PAGE_ROWS,
        }
    }

    /// The most pages that are under way at a time.
    pub const fn in_flight(&self) -> u32 {
        match self {
            Self::Https(https) => https.in_flight,
            Self::Exchange(exchange) => exchange.access.connections,
            // One after the other is written anyway: the next is rendered meanwhile.
            Self::File(_) => 2,
        }
    }

    /// The target in words, without anything secret.
    pub fn target(&self) -> String {
        match self {
            Self::Https(https) => https.url.to_string(),
            Self::File(FileSettings { form: FileForm { format, encoding, .. }, folder, .. }) => {
                let to = match folder {
                    Folder::Local(path) => path.display().to_string(),
                    Folder::Sftp(SftpSettings { host, port, user, directory, .. }) => {
                        format!("sftp://{user}@{host}:{port}/{}", directory.trim_start_matches('/'))
                    }
                };
                format!("{format} in {encoding} to {to}")
            }
            Self::Exchange(exchange) => {
                let tables = [&exchange.grades_table, &exchange.usage_table];
                let tables: Vec<&str> = tables.into_iter().flatten().map(Identifier::as_str).collect();
                let schema = exchange.schema.as_ref().map(|schema| format!("{schema}.")).unwrap_or_default();
                format!("{} {schema}{}", exchange.access.engine, tables.join(", "))
            }
        }
    }

    /// The files with credentials.
    pub fn credential_files(&self) -> Vec<&Path> {
        match self {
            Self::Https(HttpsSettings { files, .. }) => vec![&files.certificate, &files.key, &files.ca],
            Self::File(FileSettings { folder: Folder::Sftp(sftp), .. }) => vec![&sftp.key_file],
            Self::File(_) => Vec::new(),
            Self::Exchange(exchange) => vec![&exchange.access.url_file],
        }
    }
}
