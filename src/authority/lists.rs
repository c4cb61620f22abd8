//! Revocation lists of partners, from the files they come in.

use std::path::Path;

use rustls::pki_types::CertificateDer;

use super::files;
use crate::{
    domain::{Timestamp, error_chain},
    identity::RevocationList,
};

/// Reads the lists of a file, PEM with one or more or DER with one: the authority's own, and its intermediates'. Each is
/// judged as far as it can be; one bad list spoils the file, because the file was written as a whole.
pub(super) fn read(path: &Path, authority: &CertificateDer<'_>, now: Timestamp) -> Result<Vec<RevocationList>, String> {
    let items = files::read_items(files::REVOCATION_LIST, path).map_err(|error| error_chain(&error))?;
    let mut lists: Vec<RevocationList> = Vec::new();
    for item in items {
        let list = RevocationList::read(&item)?;
        list.check(authority, now)?;
        if lists.iter().any(|other| other.same_issuer(&list)) {
            return Err("two lists of the file are of one issuer".into());
        }
        lists.push(list);
    }
    if lists.iter().any(|list| list.is_issued_by(authority)) {
        Ok(lists)
    } else {
        Err("no list of the file is of the authority itself".into())
    }
}

/// Refuses a file whose list of the authority itself is older than one that was ever in use, here or in another process:
/// an intermediate's lists are compared with those in use only.
pub(super) fn check_not_before(
    lists: &[RevocationList],
    authority: &CertificateDer<'_>,
    youngest: Option<Timestamp>,
) -> Result<(), String> {
    match (lists.iter().find(|list| list.is_issued_by(authority)), youngest) {
        (Some(list), Some(youngest)) if list.this_update < youngest => {
            Err(format!("it was issued at {}, before one that was in use already", list.this_update))
        }
        _ => Ok(()),
    }
}

/// Refuses lists older than those in use: whoever can put back an old file could undo a revocation.
pub(super) fn check_not_older(present: &[RevocationList], new: &[RevocationList]) -> Result<(), String> {
    for list in present {
        match new.iter().find(|other| other.same_issuer(list)) {
            Some(other) if other.this_update < list.this_update => {
                return Err(format!("it was issued at {}, before the one in use", other.this_update));
            }
            Some(_) => {}
            None => return Err("a list in use has no successor in it".into()),
        }
    }
    Ok(())
}
