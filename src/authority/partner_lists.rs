//! Reads and checks the files with the revocation lists of partners.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{AuthorityError, files};
use crate::{
    domain::{Timestamp, error_chain},
    identity::RevocationList,
};

/// Reads a file with lists: PEM with one or more, or DER with one.
pub(super) fn read_items(path: &Path) -> Result<Vec<Zeroizing<Vec<u8>>>, AuthorityError> {
    files::read_items(files::REVOCATION_LIST, path)
}

/// Reads and checks the lists of a file.
pub(super) fn read(path: &Path, authority: &CertificateDer<'_>, now: Timestamp) -> Result<Vec<RevocationList>, String> {
    check(read_items(path).map_err(|error| error_chain(&error))?, authority, now)
}

/// Checks the lists of a file: the list of the authority itself and those of its intermediates. One invalid list makes the
/// file invalid, because the file was written as a whole.
pub(super) fn check(
    items: Vec<Zeroizing<Vec<u8>>>,
    authority: &CertificateDer<'_>,
    now: Timestamp,
) -> Result<Vec<RevocationList>, String> {
    let mut lists: Vec<RevocationList> = Vec::new();
    for item in items {
        let list = RevocationList::read(&item)?;
        // Lists of intermediates pass here, because their issuer's key is not known yet; the TLS library verifies them
        // when used.
        list.check(authority, now)?;
        if lists.iter().any(|other| other.same_issuer(&list)) {
            return Err("the file has two lists of one issuer".into());
        }
        lists.push(list);
    }
    if lists.iter().any(|list| list.is_issued_by(authority)) {
        Ok(lists)
    } else {
        Err("the file has no list of the authority itself".into())
    }
}

/// Refuses a file whose list of the authority itself is older than one that was ever used, by any process. The lists of
/// intermediates are only compared with those in use.
pub(super) fn check_not_before(
    lists: &[RevocationList],
    authority: &CertificateDer<'_>,
    newest: Option<Timestamp>,
) -> Result<(), String> {
    match (lists.iter().find(|list| list.is_issued_by(authority)), newest) {
        // The same time is no step back: a restart reads the same file again.
        (Some(list), Some(newest)) if list.this_update < newest => {
            Err(format!("it was issued at {}, before one that was used already", list.this_update))
        }
        _ => Ok(()),
    }
}

/// Refuses lists older than those in use: restoring an old file must not undo a revocation.
pub(super) fn check_not_older(current: &[RevocationList], new: &[RevocationList]) -> Result<(), String> {
    for list in current {
        match new.iter().find(|other| other.same_issuer(list)) {
            Some(other) if other.this_update < list.this_update => {
                return Err(format!("it was issued at {}, before the one in use", other.this_update));
            }
            Some(_) => {}
            // Without a list of their issuer, certificates have an unknown status and are refused (T3).
            None => return Err("the file lacks the successor of a list in use".into()),
        }
    }
    Ok(())
}
