//! Reads and writes certificates, keys and lists as PEM files; private files are readable by their owner only.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown},
    path::{Path, PathBuf},
};

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::AuthorityError;

/// The PEM label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The PEM label of a plain private key, PKCS#8.
pub const PRIVATE_KEY: &str = "PRIVATE KEY";
/// The PEM label of a private key sealed under a key-encryption key.
pub const SEALED_KEY: &str = "MEDCREDIT SEALED KEY";
/// The PEM label of a revocation list.
pub const REVOCATION_LIST: &str = "X509 CRL";
/// The PEM label of a certificate request.
pub const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";

/// The largest file that is read: a revocation list with some hundred thousand certificates.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The mode of a file that only its owner may read.
const PRIVATE: u32 = 0o600;

/// Reads a file.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    let failed = |source| AuthorityError::File { path: path.to_owned(), verb: "read", source };
    // Looked at before the read, so that a wrong path cannot fill the memory.
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE_BYTES {
        return Err(AuthorityError::Invalid(format!(
            "{} has {size} bytes; at most {MAX_FILE_BYTES} are allowed",
            path.display()
        )));
    }
    fs::read(path).map(Zeroizing::new).map_err(failed)
}

/// Writes a file that everybody may read. An existing file is replaced atomically.
pub fn write_public(path: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    replace(path, bytes, 0o644)
}

/// Writes a file that only its owner may read. An existing file is replaced atomically, and keeps its owner.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    replace(path, bytes, PRIVATE)
}

/// Writes a file that everybody may read. An existing file is an error and stays as it is.
pub fn create_public(path: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    create(path, bytes, 0o644)
}

/// Writes a file that only its owner may read. An existing file is an error and stays as it is.
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    create(path, bytes, PRIVATE)
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let failed = |source| AuthorityError::File { path: path.to_owned(), verb: "written", source };
    let temporary = write_beside(path, bytes, mode)?;
    // A link and not a rename, which would replace a file that somebody else has put there in the meantime.
    let linked = fs::hard_link(&temporary, path);
    // The name beside it is removed in either case; the next writer removes it after a crash.
    let _ = fs::remove_file(&temporary);
    linked.map_err(failed)?;
    sync_directory(path)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let failed = |source| AuthorityError::File { path: path.to_owned(), verb: "written", source };
    let temporary = write_beside(path, bytes, mode)?;
    // Synced before the rename: a crash leaves the old file or the new one, never a part of one.
    fs::rename(&temporary, path).map_err(failed)?;
    sync_directory(path)
}

/// Writes a synced file beside a path, and returns its path.
fn write_beside(path: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, AuthorityError> {
    let failed = |source| AuthorityError::File { path: path.to_owned(), verb: "written", source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    // An interrupted run may have left it.
    let _ = fs::remove_file(&temporary);
    // `create_new` follows no link and reuses no file: the mode applies from the first byte, and a private key is never
    // readable by others.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary).map_err(failed)?;
    // Written by root, a key must stay the gateway's: its user could not read it after the next start.
    if let Some(owner) = fs::symlink_metadata(path).ok().map(|old| old.uid())
        && mode == PRIVATE
        && file.metadata().map_err(failed)?.uid() != owner
    {
        fchown(&file, Some(owner), None).map_err(failed)?;
    }
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(temporary.into())
}

/// Syncs the directory of a file: only then is a new name in it durable.
fn sync_directory(path: &Path) -> Result<(), AuthorityError> {
    let failed = |source| AuthorityError::File { path: path.to_owned(), verb: "written", source };
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => fs::File::open(parent).and_then(|directory| directory.sync_all()).map_err(failed),
        None => Ok(()),
    }
}

/// Encodes DER as PEM (RFC 7468).
pub fn to_pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(BASE64.encode(der));
    // Large enough from the start: a string that grows would leave copies of a private key that are not erased.
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() + encoded.len() / 64 + 2 * label.len() + 40));
    text.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

/// Decodes every PEM block with a label, in order. Text between the blocks is ignored (RFC 7468).
pub fn from_pem(label: &str, text: &[u8]) -> Result<Vec<Zeroizing<Vec<u8>>>, AuthorityError> {
    let bad = |why: &str| AuthorityError::Invalid(format!("a PEM block of {label} {why}"));
    let text = std::str::from_utf8(text).map_err(|_| bad("cannot be read: the file is not text"))?;
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&begin) {
        let (body, after) = after.split_once(&end).ok_or_else(|| bad("has no end"))?;
        // Erased like the result, because a block may be a private key.
        let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|letter| !letter.is_whitespace()).collect());
        blocks.push(BASE64.decode(body.as_bytes()).map(Zeroizing::new).map_err(|_| bad("is not base64"))?);
        rest = after;
    }
    Ok(blocks)
}

/// Reads a file that is either PEM with one or more blocks of a label, or DER with one item.
pub fn read_items(label: &str, path: &Path) -> Result<Vec<Zeroizing<Vec<u8>>>, AuthorityError> {
    let bytes = read(path)?;
    // All supported items begin with an ASN.1 sequence.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes]);
    }
    let blocks = from_pem(label, &bytes)?;
    if blocks.is_empty() {
        return Err(AuthorityError::Invalid(format!("{} contains no {label}", path.display())));
    }
    Ok(blocks)
}

/// Reads a file with exactly one item.
pub fn read_item(label: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    let mut items = read_items(label, path)?;
    match items.len() {
        1 => Ok(items.remove(0)),
        many => Err(AuthorityError::Invalid(format!(
            "{} contains {many} items of {label}; exactly one is expected",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn pem_round_trips() {
        for length in [0, 1, 47, 48, 49, 1000] {
            let der = vec![0x5a; length];
            let text = to_pem(CERTIFICATE, &der);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(from_pem(CERTIFICATE, text.as_bytes()).unwrap(), [Zeroizing::new(der)]);
        }
    }

    #[test]
    fn blocks_of_other_labels_and_text_between_are_ignored() {
        let text = format!(
            "a note\n{}{}\n{}",
            *to_pem(CERTIFICATE, b"one"),
            *to_pem(PRIVATE_KEY, b"key"),
            *to_pem(CERTIFICATE, b"two")
        );
        let blocks = from_pem(CERTIFICATE, text.as_bytes()).unwrap();
        assert_eq!(blocks, [Zeroizing::new(b"one".to_vec()), Zeroizing::new(b"two".to_vec())]);
    }

    #[test]
    fn a_truncated_block_is_an_error() {
        let text = to_pem(CERTIFICATE, b"one");
        let cut = &text.as_bytes()[..text.len() - 10];
        assert!(from_pem(CERTIFICATE, cut).unwrap_err().to_string().contains("no end"));
    }

    #[test]
    fn a_private_file_is_readable_by_its_owner_and_replaced_atomically() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/server.key");
        write_private(&path, b"first").unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(read(&path).unwrap().as_slice(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_created_file_replaces_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/bank.key");
        create_private(&path, b"first").unwrap();
        assert!(create_private(&path, b"second").is_err() && create_public(&path, b"third").is_err());
        assert_eq!(read(&path).unwrap().as_slice(), b"first");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    }
}
