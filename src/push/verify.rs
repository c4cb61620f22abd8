//! Verification of a package from its files and the public keys, step by step.
//!
//! The signature is verified first: nothing in a manifest is used before it is authenticated.

use serde_json::Value;

use super::{
    DataFile, MANIFEST, Manifest, SIGNATURE,
    exchange_message::{FOOTER, HEADER_LINES, ROW},
    manifest::{FORMAT, sha256},
    platform::Format,
};
use crate::{domain::canonical::canonical, identity::Suite};

/// A fault of a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageFault {
    /// The signature is malformed, or not that of a package.
    #[error("{SIGNATURE} is not the signature of a package: {0}")]
    SignatureForm(&'static str),
    /// The key is unknown.
    #[error(
        "none of the {of} keys given is the one that the signature names, {kid:?}: the package is from another gateway, or the key \
         set is not of the time when it was made"
    )]
    UnknownKey {
        /// The key that the signature names.
        kid: String,
        /// The number of given keys.
        of: usize,
    },
    /// The key is for something else.
    #[error(
        "the key that the signature names, {kid:?}, is the gateway's for {purpose}, and packages are signed by its \
         answer_signing key: this is a forgery"
    )]
    Purpose {
        /// The key that the signature names.
        kid: String,
        /// What the key set says it is for.
        purpose: String,
    },
    /// The key set does not say what the key is for.
    #[error(
        "the key set does not say what the key {kid:?} is for (`medcredit_purpose`): fetch /.well-known/jwks.json again"
    )]
    NoPurpose {
        /// The key that the signature names.
        kid: String,
    },
    /// The header names another algorithm than that of the key.
    #[error("the signature claims the algorithm {claimed:?}, but its key is for {suite} only")]
    Algorithm {
        /// The algorithm in the header.
        claimed: String,
        /// The algorithm of the key.
        suite: Suite,
    },
    /// The signature does not match.
    #[error("it does not match: {MANIFEST} is not, byte for byte, what that key signed")]
    Signature,
    /// The manifest cannot be read.
    #[error("{MANIFEST} {0}")]
    Manifest(String),
    /// A file has another size.
    #[error("{name}: it has {found} bytes, and the manifest says {expected}")]
    Size {
        name: String,
        /// The actual size.
        found: usize,
        /// The size in the manifest.
        expected: usize,
    },
    /// A file has another digest.
    #[error("{name}: its SHA-256 is {found}, and the manifest says {expected}: it was changed")]
    Digest {
        name: String,
        /// The actual digest.
        found: String,
        /// The digest in the manifest.
        expected: String,
    },
    /// A file is not of the format of its name.
    #[error("{name}: {why}")]
    Data {
        name: String,
        /// The fault.
        why: String,
    },
    /// A file has another number of records.
    #[error("{name}: it has {found} records, and the manifest says {expected}")]
    Records {
        name: String,
        /// The actual number.
        found: usize,
        /// The number in the manifest.
        expected: usize,
    },
}

impl Manifest {
    /// Parses a manifest whose signature is verified.
    pub fn read(bytes: &[u8]) -> Result<Self, PackageFault> {
        let wrong = |why: String| PackageFault::Manifest(why);
        // Parsed as a value first: the format decides whether the members below mean what they say.
        let value: Value = serde_json::from_slice(bytes).map_err(|error| wrong(format!("is not JSON: {error}")))?;
        let format = value.get("format").and_then(Value::as_str).unwrap_or_default();
        if format != FORMAT {
            return Err(wrong(format!("has the format {format:?}, but this program supports {FORMAT} only")));
        }
        let text = canonical(&value).map_err(|error| wrong(error.0))?;
        // Two members of one name, which readers resolve differently, do not survive this comparison.
        if text.as_bytes() != bytes {
            return Err(wrong(
                "is not in canonical form (RFC 8785): other programs may interpret it differently".to_owned(),
            ));
        }
        let manifest: Self =
            serde_json::from_value(value).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        for (at, file) in manifest.files.iter().enumerate() {
            let name = &file.name;
            // A name with a folder in it could make a reader open or write outside the package (path traversal).
            let plain = std::path::Path::new(name).file_name().is_some_and(|last| last == name.as_str());
            if !plain || [MANIFEST, SIGNATURE].contains(&name.as_str()) {
                return Err(wrong(format!("names a file {name:?}, which is not a data file of the package's folder")));
            }
            if manifest.files.iter().take(at).any(|other| other.name == *name) {
                return Err(wrong(format!("names {name:?} twice")));
            }
        }
        Ok(manifest)
    }
}

impl DataFile {
    /// Checks the size of the file.
    pub fn check_size(&self, found: usize) -> Result<(), PackageFault> {
        if found == self.bytes {
            return Ok(());
        }
        Err(PackageFault::Size { name: self.name.clone(), found, expected: self.bytes })
    }

    /// Checks the size and the digest of the file.
    pub fn check_bytes(&self, bytes: &[u8]) -> Result<(), PackageFault> {
        self.check_size(bytes.len())?;
        let found = sha256(bytes);
        if found == self.sha256 {
            return Ok(());
        }
        Err(PackageFault::Digest { name: self.name.clone(), found, expected: self.sha256.clone() })
    }

    /// Checks the number of records.
    pub fn check_records(&self, bytes: &[u8]) -> Result<(), PackageFault> {
        let counted =
            match Format::of_name(&self.name) {
                Some(Format::Ndjson) => count_lines(bytes),
                Some(Format::Csv) => count_rows(bytes),
                Some(Format::Xml) => count_elements(bytes),
                None => Err("its name ends neither in .ndjson nor in .csv nor in .xml: its records cannot be counted"
                    .to_owned()),
            };
        let found = counted.map_err(|why| PackageFault::Data { name: self.name.clone(), why })?;
        if found == self.records {
            return Ok(());
        }
        Err(PackageFault::Records { name: self.name.clone(), found, expected: self.records })
    }
}

/// The number of objects of an NDJSON file, each ended by a newline.
fn count_lines(bytes: &[u8]) -> Result<usize, String> {
    let mut lines = 0;
    // Inclusive, so that a last line without its newline shows: the file was cut.
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        lines += 1;
        let whole = line.ends_with(b"\n") && serde_json::from_slice::<serde_json::Map<String, Value>>(line).is_ok();
        if !whole {
            return Err(format!("line {lines} is not a complete JSON object"));
        }
    }
    Ok(lines)
}

/// The number of rows of a CSV file below its header, all with the same number of fields.
fn count_rows(bytes: &[u8]) -> Result<usize, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let mut rows = 0;
    for row in reader.byte_records() {
        row.map_err(|error| format!("it is not CSV: {error}"))?;
        rows += 1;
    }
    Ok(rows)
}

/// The number of records of an XML file as `score export` writes it, each an element on a line of its own. Lines and marks are
/// ASCII in both encodings, and no byte of another character is one of theirs.
fn count_elements(bytes: &[u8]) -> Result<usize, String> {
    let Some(content) = bytes.strip_suffix(FOOTER.as_bytes()) else {
        let ended = bytes.windows(FOOTER.len()).any(|window| window == FOOTER.as_bytes());
        return Err(if ended { "something follows its last element" } else { "it is not complete" }.to_owned());
    };
    let mut lines = content.split_inclusive(|byte| *byte == b'\n');
    let head = lines.by_ref().take(HEADER_LINES).filter(|line| line.starts_with(b"<") && line.ends_with(b">\n"));
    if head.count() < HEADER_LINES {
        return Err("it is not complete".to_owned());
    }
    let mut records = 0;
    for line in lines {
        records += 1;
        let line = line.strip_suffix(b"\n").unwrap_or_default();
        if !(line.starts_with(ROW.0.as_bytes()) && line.ends_with(ROW.1.as_bytes())) {
            return Err(format!("line {} is not a complete record", records + HEADER_LINES));
        }
    }
    Ok(records)
}
