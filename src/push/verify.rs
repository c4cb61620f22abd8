//! What a receiver verifies of a package, with nothing but its files and the public keys: the steps, each by itself.
//!
//! The signature comes first: what a manifest says is not looked at before it is known whose it is.

use serde_json::Value;

use super::{
    FileOf, Format, MANIFEST, Manifest, SIGNATURE,
    manifest::{FORMAT, sha256},
};
use crate::{domain::canonical::canonical, identity::Suite};

/// What is wrong with a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageFault {
    /// The signature is not one of a package.
    #[error("{SIGNATURE} is not the signature of a package: {0}")]
    SignatureForm(&'static str),
    /// The key is not at hand.
    #[error(
        "none of the {of} keys given is the one the signature names, {kid:?}: it is another's, or the key set is not of \
         the time when the package was made"
    )]
    UnknownKey {
        /// The key that is named.
        kid: String,
        /// How many keys there are.
        of: usize,
    },
    /// The header tells another algorithm than its key's.
    #[error("the signature is said to be by {said:?}, and its key is good for {suite} only")]
    Algorithm {
        /// What the header tells.
        said: String,
        /// What the key is good for.
        suite: Suite,
    },
    /// The signature is not of these bytes.
    #[error("it does not fit: {MANIFEST} is not, byte for byte, what that key signed")]
    Signature,
    /// The manifest cannot be read.
    #[error("{MANIFEST} {0}")]
    Manifest(String),
    /// A file is of another size.
    #[error("{name}: it has {found} bytes, and the manifest tells {told}")]
    Size {
        /// The file.
        name: String,
        /// What it has.
        found: usize,
        /// What it should have.
        told: usize,
    },
    /// A file's contents are others.
    #[error("{name}: its SHA-256 is {found}, and the manifest tells {told}: it was changed")]
    Digest {
        /// The file.
        name: String,
        /// What it is.
        found: String,
        /// What it should be.
        told: String,
    },
    /// A file is not what its name says.
    #[error("{name}: {why}")]
    Data {
        /// The file.
        name: String,
        /// What it is.
        why: String,
    },
    /// A file has another number of records.
    #[error("{name}: it has {found} records, and the manifest tells {told}")]
    Records {
        /// The file.
        name: String,
        /// How many it has.
        found: usize,
        /// How many it should have.
        told: usize,
    },
}

impl Manifest {
    /// Reads a manifest whose signature is verified.
    pub fn read(bytes: &[u8]) -> Result<Self, PackageFault> {
        let wrong = |why: String| PackageFault::Manifest(why);
        let value: Value = serde_json::from_slice(bytes).map_err(|error| wrong(format!("is no JSON: {error}")))?;
        let format = value.get("format").and_then(Value::as_str).unwrap_or_default();
        if format != FORMAT {
            return Err(wrong(format!("is of the form {format:?}, and this program knows {FORMAT}")));
        }
        let text = canonical(&value).map_err(|error| wrong(error.0))?;
        if text.as_bytes() != bytes {
            return Err(wrong("is not in canonical form (RFC 8785): others may read it otherwise".to_owned()));
        }
        let read: Self = serde_json::from_value(value).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        for (at, file) in read.files.iter().enumerate() {
            let name = &file.name;
            let plain = std::path::Path::new(name).file_name().is_some_and(|last| last == name.as_str());
            if !plain || [MANIFEST, SIGNATURE].contains(&name.as_str()) {
                return Err(wrong(format!("names a file {name:?}, which is not a data file of the package's folder")));
            }
            if read.files.iter().take(at).any(|other| other.name == *name) {
                return Err(wrong(format!("names {name:?} twice")));
            }
        }
        Ok(read)
    }
}

impl FileOf {
    /// Accepts a size as the file's.
    pub fn check_size(&self, found: usize) -> Result<(), PackageFault> {
        if found == self.bytes {
            return Ok(());
        }
        Err(PackageFault::Size { name: self.name.clone(), found, told: self.bytes })
    }

    /// Accepts bytes as the file's, by size and digest.
    pub fn check_bytes(&self, bytes: &[u8]) -> Result<(), PackageFault> {
        self.check_size(bytes.len())?;
        let found = sha256(bytes);
        if found == self.sha256 {
            return Ok(());
        }
        Err(PackageFault::Digest { name: self.name.clone(), found, told: self.sha256.clone() })
    }

    /// Accepts the number of records.
    pub fn check_records(&self, bytes: &[u8]) -> Result<(), PackageFault> {
        let counted = match Format::of_name(&self.name) {
            Some(Format::Ndjson) => count_lines(bytes),
            Some(Format::Csv) => count_rows(bytes),
            None => Err("its name ends neither with .ndjson nor with .csv: its records cannot be counted".to_owned()),
        };
        let found = counted.map_err(|why| PackageFault::Data { name: self.name.clone(), why })?;
        if found == self.records {
            return Ok(());
        }
        Err(PackageFault::Records { name: self.name.clone(), found, told: self.records })
    }
}

/// The objects of a file of lines, each ended by its newline.
fn count_lines(bytes: &[u8]) -> Result<usize, String> {
    let mut lines = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        lines += 1;
        let whole = line.ends_with(b"\n") && serde_json::from_slice::<serde_json::Map<String, Value>>(line).is_ok();
        if !whole {
            return Err(format!("line {lines} is not a whole object of JSON"));
        }
    }
    Ok(lines)
}

/// The rows of a CSV file below its header, all of one width.
fn count_rows(bytes: &[u8]) -> Result<usize, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let mut rows = 0;
    for row in reader.byte_records() {
        row.map_err(|error| format!("it is no CSV: {error}"))?;
        rows += 1;
    }
    Ok(rows)
}
