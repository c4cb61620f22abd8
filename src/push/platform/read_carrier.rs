//! Reads `[carrier.…]` of a platform's file.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::BASE64;

use super::{
    address::{AllowedNetworks, PlatformUrl},
    carrier::{
        Carrier, ControlTable, ConventionColumns, Encoding, ExchangeSettings, FileForm, FileNamePart, FileSettings,
        Folder, Format, HttpsSettings, SftpSettings,
    },
    reading::{At, Found, Section, path_in, plain},
};
use crate::{
    authority::client_tls::ClientFiles,
    domain::Network,
    store::exchange::{Engine, ExchangeAccess, Identifier},
};

const PAGE_ROWS: u32 = 500;
const IN_FLIGHT: u32 = 8;
const CONNECT_TIMEOUT_SECONDS: u32 = 10;
const TIMEOUT_SECONDS: u32 = 30;
/// A page of ten thousand answers has some two million bytes.
const LARGEST_ANSWER_BYTES: u32 = 4 << 20;
const SFTP_PORT: u32 = 22;
const EXCHANGE_PAGE_ROWS: u32 = 2_000;
const EXCHANGE_IN_FLIGHT: u32 = 4;
const EXCHANGE_TIMEOUT_SECONDS: u32 = 60;

/// The types of host keys that can be pinned.
const HOST_KEYS: [&str; 4] = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];

/// A carrier as the file has it.
#[derive(Debug)]
pub(super) struct CarrierRead {
    pub(super) carrier: Carrier,
    /// `record_columns` of files, where it is given: the default depends on the fields.
    pub(super) record_columns: Option<bool>,
    /// The files with credentials, with their lines.
    pub(super) credentials: Vec<At<PathBuf>>,
    pub(super) line: usize,
}

/// Reads the carrier of a platform; paths are relative to `directory`.
pub(super) fn carrier(root: &mut Section<'_, '_>, directory: &Path, found: &mut Found) -> Option<CarrierRead> {
    let one_of = "give exactly one of [carrier.https], [carrier.file], [carrier.exchange]";
    let Some(mut tables) = root.section("carrier", found) else {
        if !root.has("carrier") {
            found.fault(root.line, format!("the carrier is missing: {one_of}"));
        }
        return None;
    };
    let named: Vec<_> = Carrier::NAMES.into_iter().filter(|name| tables.has(name)).collect();
    let line = tables.line;
    found.require(named.len() == 1, line, || match named.as_slice() {
        [] => format!("the carrier is missing: {one_of}"),
        some => format!("there are {} carriers, {}: {one_of}", some.len(), some.join(" and ")),
    });
    let (mut credentials, mut record_columns) = (Vec::new(), None);
    // Every table is read, so that the faults of a table that is one too many are reported too.
    let https = tables.section("https", found);
    let https = https.and_then(|table| self::https(table, directory, &mut credentials, found)).map(Carrier::Https);
    let file = tables.section("file", found);
    let file = file.and_then(|table| {
        let (settings, columns) = self::file(table, directory, &mut credentials, found)?;
        record_columns = columns;
        Some(Carrier::File(settings))
    });
    let exchange = tables.section("exchange", found);
    let exchange = exchange.and_then(|table| self::exchange(table, directory, &mut credentials, found));
    tables.finish(found);
    let carrier = https.or(file).or_else(|| exchange.map(|exchange| Carrier::Exchange(Box::new(exchange))))?;
    (named.len() == 1).then_some(CarrierRead { carrier, record_columns, credentials, line })
}

/// A file with a credential, which is noted for a look at whether it can be read.
fn credential(
    table: &mut Section<'_, '_>,
    key: &'static str,
    (directory, credentials): (&Path, &mut Vec<At<PathBuf>>),
    found: &mut Found,
) -> Option<PathBuf> {
    let path = path_in(directory, table.required(key, found, Section::text)?);
    credentials.push(path.clone());
    Some(path.value)
}

fn https(
    mut table: Section<'_, '_>,
    directory: &Path,
    credentials: &mut Vec<At<PathBuf>>,
    found: &mut Found,
) -> Option<HttpsSettings> {
    let url = table.required("url", found, Section::word::<PlatformUrl>);
    let certificate = credential(&mut table, "certificate_file", (directory, credentials), found);
    let key = credential(&mut table, "key_file", (directory, credentials), found);
    let authority = credential(&mut table, "authority_file", (directory, credentials), found);
    let allow = table.required("allow", found, Section::texts).map(|list| networks(&list, found));
    let page_rows = plain(table.number("page_rows", (1, 10_000), found));
    let in_flight = plain(table.number("in_flight", (1, 256), found));
    let connect_timeout = seconds(&mut table, "connect_timeout_seconds", CONNECT_TIMEOUT_SECONDS, found);
    let timeout = seconds(&mut table, "timeout_seconds", TIMEOUT_SECONDS, found);
    let largest_answer = plain(table.number("largest_answer_bytes", (1 << 10, 64 << 20), found));
    table.finish(found);
    if let (Some(At { value: url, line }), Some(allow)) = (&url, &allow) {
        let admitted = AllowedNetworks::new(allow.clone()).admit_url(url);
        found.require(admitted.is_ok(), *line, || {
            format!("[carrier.https]: `url`: the address {} is in none of the networks of `allow`", url.host())
        });
    }
    Some(HttpsSettings {
        url: url?.value,
        files: ClientFiles { ca: authority?, certificate: certificate?, key: key? },
        allow: allow?,
        page_rows: page_rows.unwrap_or(PAGE_ROWS),
        in_flight: in_flight.unwrap_or(IN_FLIGHT),
        connect_timeout,
        timeout,
        largest_answer: usize::try_from(largest_answer.unwrap_or(LARGEST_ANSWER_BYTES)).ok()?,
    })
}

/// A time limit of up to ten minutes.
fn seconds(table: &mut Section<'_, '_>, key: &'static str, default: u32, found: &mut Found) -> Duration {
    let seconds = plain(table.number(key, (1, 600), found)).unwrap_or(default);
    Duration::from_secs(u64::from(seconds))
}

fn networks(list: &[At<String>], found: &mut Found) -> Vec<Network> {
    let mut networks = Vec::new();
    for At { value, line } in list {
        match value.parse() {
            Ok(network) => networks.push(network),
            Err(error) => found.fault(*line, format!("[carrier.https]: `allow`: {error}")),
        }
    }
    networks
}

fn file(
    mut table: Section<'_, '_>,
    directory: &Path,
    credentials: &mut Vec<At<PathBuf>>,
    found: &mut Found,
) -> Option<(FileSettings, Option<bool>)> {
    let format = table.required("format", found, Section::word::<Format>);
    let encoding = table.required("encoding", found, Section::word::<Encoding>);
    if let (Some(At { value: Format::Ndjson, .. }), Some(At { value: Encoding::Gb18030, line })) = (&format, &encoding)
    {
        found.fault(*line, "[carrier.file]: JSON is always in UTF-8 (RFC 8259): gb18030 is for csv and xml");
    }
    let source = plain(table.word::<FileNamePart>("source", found));
    let record_columns = plain(table.flag("record_columns", found));
    let local = table.text("directory", found);
    let has_sftp = table.has("sftp");
    let sftp = table.section("sftp", found).and_then(|table| sftp(table, directory, credentials, found));
    let both = table.has("directory") == has_sftp;
    found.require(!both, table.line, || {
        "[carrier.file]: give either `directory`, a folder of this machine, or [carrier.file.sftp]".to_owned()
    });
    table.finish(found);
    let local = local.map(|text| Folder::Local(path_in(directory, text).value));
    let form = FileForm { format: format?.value, encoding: encoding?.value, record_columns: true };
    Some((FileSettings { form, source, folder: local.or(sftp.map(Folder::Sftp))? }, record_columns))
}

fn sftp(
    mut table: Section<'_, '_>,
    directory: &Path,
    credentials: &mut Vec<At<PathBuf>>,
    found: &mut Found,
) -> Option<SftpSettings> {
    let host = table.required("host", found, Section::text);
    let port = plain(table.number("port", (1, u32::from(u16::MAX)), found)).unwrap_or(SFTP_PORT);
    let user = table.required("user", found, Section::text);
    let key = credential(&mut table, "key_file", (directory, credentials), found);
    let host_key = table.required("host_key", found, Section::text);
    let folder = table.required("directory", found, Section::text);
    let working = table.text("working_directory", found).map(|text| path_in(directory, text).value);
    let connect_timeout = seconds(&mut table, "connect_timeout_seconds", CONNECT_TIMEOUT_SECONDS, found);
    let timeout = seconds(&mut table, "timeout_seconds", TIMEOUT_SECONDS, found);
    table.finish(found);
    if let Some(key) = &host_key {
        found.require(is_host_key(&key.value), key.line, || {
            format!(
                "[carrier.file.sftp]: `host_key` is not a public key: write type and Base64 as known_hosts has them \
                 (ssh-keyscan HOST); types: {}",
                HOST_KEYS.join(", ")
            )
        });
    }
    Some(SftpSettings {
        host: host?.value,
        port: u16::try_from(port).ok()?,
        user: user?.value,
        key_file: key?,
        host_key: host_key?.value,
        directory: folder?.value,
        working_directory: working,
        connect_timeout,
        timeout,
    })
}

/// Whether a text is a public key of OpenSSH: a type, and Base64 that begins with the same type (RFC 4253, section 6.6).
fn is_host_key(text: &str) -> bool {
    let Some((kind, encoded)) = text.split_once(' ') else { return false };
    let Ok(bytes) = BASE64.decode(encoded.trim().as_bytes()) else { return false };
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let named = usize::try_from(u32::from_be_bytes(*length)).ok().and_then(|length| rest.get(..length));
    HOST_KEYS.contains(&kind) && named == Some(kind.as_bytes()) && rest.len() > kind.len()
}

fn exchange(
    mut table: Section<'_, '_>,
    directory: &Path,
    credentials: &mut Vec<At<PathBuf>>,
    found: &mut Found,
) -> Option<ExchangeSettings> {
    let engine = table.required("engine", found, Section::word::<Engine>);
    let url_file = credential(&mut table, "url_file", (directory, credentials), found);
    let schema = plain(table.word::<Identifier>("schema", found));
    let source_department = table.text("source_department", found);
    let test = plain(table.flag("test", found)).unwrap_or(false);
    let tables = table.required("tables", found, Section::section).and_then(|tables| self::tables(tables, found));
    let columns = table.required("columns", found, Section::section).and_then(|columns| self::columns(columns, found));
    if let Some(columns) = &columns {
        let needs = columns.source_department.is_some();
        found.require(needs == source_department.is_some(), table.line, || {
            "[carrier.exchange]: `source_department`, the code, and its column in [carrier.exchange.columns] are given \
             together or not at all"
                .to_owned()
        });
    }
    let control = table.section("control", found).map(|control| self::control(control, found));
    let page_rows = plain(table.number("page_rows", (1, 20_000), found)).unwrap_or(EXCHANGE_PAGE_ROWS);
    let connections = plain(table.number("in_flight", (1, 32), found)).unwrap_or(EXCHANGE_IN_FLIGHT);
    let connect_timeout = seconds(&mut table, "connect_timeout_seconds", CONNECT_TIMEOUT_SECONDS, found);
    let timeout = seconds(&mut table, "timeout_seconds", EXCHANGE_TIMEOUT_SECONDS, found);
    table.finish(found);
    let (grades_table, usage_table) = tables?;
    Some(ExchangeSettings {
        access: ExchangeAccess { engine: engine?.value, url_file: url_file?, connect_timeout, timeout, connections },
        schema,
        grades_table,
        usage_table,
        columns: columns?,
        source_department: plain(source_department),
        test,
        control: match control {
            Some(control) => Some(control?),
            None => None,
        },
        page_rows,
    })
}

/// The tables of grades and of usage; none if a name is not possible.
fn tables(mut table: Section<'_, '_>, found: &mut Found) -> Option<(Option<Identifier>, Option<Identifier>)> {
    let [grades, usage] = ["grades", "usage"].map(|key| match table.word::<Identifier>(key, found) {
        None if table.has(key) => None,
        name => Some(plain(name)),
    });
    table.finish(found);
    Some((grades?, usage?))
}

fn columns(mut table: Section<'_, '_>, found: &mut Found) -> Option<ConventionColumns> {
    let [record_id, operation, switch, inserted_at] = ["record_id", "operation", "switch", "inserted_at"]
        .map(|key| plain(table.required(key, found, Section::word::<Identifier>)));
    let source_department = plain(table.word("source_department", found));
    let test_flag = plain(table.word("test_flag", found));
    let [version, batch, result, reason, note] =
        ["version", "batch", "result", "reason", "note"].map(|key| plain(table.word::<Identifier>(key, found)));
    let line = table.line;
    table.finish(found);
    let columns = ConventionColumns {
        record_id: record_id?,
        operation: operation?,
        switch: switch?,
        inserted_at: inserted_at?,
        source_department,
        test_flag,
        version,
        batch,
        result,
        reason,
        note,
    };
    require_distinct(columns.iter(), "[carrier.exchange.columns]", line, found);
    Some(columns)
}

fn control(mut table: Section<'_, '_>, found: &mut Found) -> Option<ControlTable> {
    let [name, data_table, batch, rows, digest, inserted_at] =
        ["table", "data_table", "batch", "rows", "digest", "inserted_at"]
            .map(|key| plain(table.required(key, found, Section::word::<Identifier>)));
    let line = table.line;
    table.finish(found);
    let control = ControlTable {
        table: name?,
        data_table: data_table?,
        batch: batch?,
        rows: rows?,
        digest: digest?,
        inserted_at: inserted_at?,
    };
    let columns = [&control.data_table, &control.batch, &control.rows, &control.digest, &control.inserted_at];
    require_distinct(columns.into_iter(), "[carrier.exchange.control]", line, found);
    Some(control)
}

/// Refuses a column that is named twice. Engines compare names without regard to case.
fn require_distinct<'a>(names: impl Iterator<Item = &'a Identifier>, place: &str, line: usize, found: &mut Found) {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        let twice = seen.iter().any(|other| other.eq_ignore_ascii_case(name.as_str()));
        found.require(!twice, line, || format!("{place}: the column {name} is named twice"));
        seen.push(name.as_str());
    }
}
