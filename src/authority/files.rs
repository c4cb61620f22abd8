//! Certificates, keys and lists in files: PEM in and out, private ones for their owner only.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::AuthorityError;

/// The label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The label of a plain private key, PKCS#8.
pub const PRIVATE_KEY: &str = "PRIVATE KEY";
/// The label of a private key sealed under a key-encryption key.
pub const SEALED_KEY: &str = "MEDCREDIT SEALED KEY";
/// The label of a revocation list.
pub const REVOCATION_LIST: &str = "X509 CRL";
/// The label of a certificate request.
pub const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";

/// The largest file that is read: a revocation list of some hundred thousand certificates.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Reads a file whole.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    let failed = |source| AuthorityError::File { path: path.to_owned(), verb: "read", source };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE_BYTES {
        return Err(AuthorityError::Invalid(format!("{} has {size} bytes, too many", path.display())));
    }
    fs::read(path).map(Zeroizing::new).map_err(failed)
}

/// Writes a file that anybody may read. What was there is replaced at once or not at all.
pub fn write_public(path: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    replace(path, bytes, 0o644)
}

/// Writes a file that only its owner may read. What was there is replaced at once or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    replace(path, bytes, 0o600)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let failed = |source| AuthorityError::File { path: path.to_owned(), verb: "written", source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    // A left-over of a run that was cut short.
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    // The rename is durable once the directory is.
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => fs::File::open(parent).and_then(|directory| directory.sync_all()).map_err(failed),
        None => Ok(()),
    }
}

/// DER as PEM (RFC 7468).
pub fn to_pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(BASE64.encode(der));
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

/// Every block of a label in a PEM text, in order. Text between the blocks is passed over, as RFC 7468 has it.
pub fn from_pem(label: &str, text: &[u8]) -> Result<Vec<Zeroizing<Vec<u8>>>, AuthorityError> {
    let bad = |why: &str| AuthorityError::Invalid(format!("a PEM block of {label} {why}"));
    let text = std::str::from_utf8(text).map_err(|_| bad("cannot be read: the file is not text"))?;
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&begin) {
        let (body, after) = after.split_once(&end).ok_or_else(|| bad("has no end"))?;
        let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|letter| !letter.is_whitespace()).collect());
        blocks.push(BASE64.decode(body.as_bytes()).map(Zeroizing::new).map_err(|_| bad("is not base64"))?);
        rest = after;
    }
    Ok(blocks)
}

/// Every item of a file that is either PEM with one or more blocks of a label, or one item of DER.
pub fn read_items(label: &str, path: &Path) -> Result<Vec<Zeroizing<Vec<u8>>>, AuthorityError> {
    let bytes = read(path)?;
    // DER of all we read begins with a sequence.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes]);
    }
    let blocks = from_pem(label, &bytes)?;
    if blocks.is_empty() {
        return Err(AuthorityError::Invalid(format!("{} holds no {label}", path.display())));
    }
    Ok(blocks)
}

/// The one item of a file.
pub fn read_item(label: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    let mut items = read_items(label, path)?;
    match items.len() {
        1 => Ok(items.remove(0)),
        many => Err(AuthorityError::Invalid(format!("{} holds {many} of {label}, one is wanted", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn pem_returns_what_was_put_in() {
        for length in [0, 1, 47, 48, 49, 1000] {
            let der = vec![0x5a; length];
            let text = to_pem(CERTIFICATE, &der);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(from_pem(CERTIFICATE, text.as_bytes()).unwrap(), [Zeroizing::new(der)]);
        }
    }

    #[test]
    fn blocks_of_other_labels_and_text_between_are_passed_over() {
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
    fn a_cut_block_is_an_error() {
        let text = to_pem(CERTIFICATE, b"one");
        let cut = &text.as_bytes()[..text.len() - 10];
        assert!(from_pem(CERTIFICATE, cut).unwrap_err().to_string().contains("no end"));
    }

    #[test]
    fn a_private_file_is_its_owners_only_and_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/server.key");
        write_private(&path, b"first").unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(read(&path).unwrap().as_slice(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }
}
