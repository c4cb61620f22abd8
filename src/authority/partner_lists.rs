//! Reads and checks the files with the revocation lists of partners, and stores which lists were in use.

use std::{collections::BTreeMap, path::Path};

use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{AuthorityError, files};
use crate::{
    domain::{Timestamp, error_chain},
    identity::{RevocationList, revocation::ListNumber},
    store::{Db, Tx, authorities},
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

/// The newest list of an issuer that was ever in use, by any process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Newest {
    /// Its number, hex.
    number: Option<String>,
    /// When it was issued.
    issued_at: i64,
}

/// By issuer, because a partner's file also has lists of intermediates.
type NewestLists = BTreeMap<String, Newest>;

/// [`check_against`] what is stored, inside a transaction that will change the authority.
pub(super) async fn check_numbers(tx: &mut Tx, authority: &str, lists: &[RevocationList]) -> Result<(), String> {
    let stored = authorities::lock_newest_lists(tx, authority).await.map_err(|error| error_chain(&error))?;
    check_against(stored.as_deref(), lists)
}

/// Refuses lists that are a step back behind any that was ever in use: restoring an old file while no gateway runs must
/// not undo a revocation either.
pub(super) fn check_against(stored: Option<&str>, lists: &[RevocationList]) -> Result<(), String> {
    let newest = parse(stored)?;
    for list in lists {
        if let Some(newest) = newest.get(&list.issuer_id()) {
            let number = newest.number.as_deref().and_then(ListNumber::parse);
            check_step(number.as_ref(), Timestamp::from_micros(newest.issued_at), list, "one that was used already")?;
        }
    }
    Ok(())
}

/// Notes the lists that come into use. What is stored only ever moves forward, whichever gateway is the last to write.
pub(super) async fn note(db: &Db, authority: &str, lists: &[RevocationList]) -> Result<(), AuthorityError> {
    // Read without a lock first: most builds are for another reason than a new list.
    let seen = authorities::newest_lists(db, authority).await.map_err(AuthorityError::Store)?;
    if merged(parse(seen.as_deref()).map_err(AuthorityError::Invalid)?, lists).is_none() {
        return Ok(());
    }
    let mut tx = db.begin("authority::note_lists").await.map_err(AuthorityError::Store)?;
    let stored = authorities::lock_newest_lists(&mut tx, authority).await.map_err(AuthorityError::Store)?;
    if let Some(newest) = merged(parse(stored.as_deref()).map_err(AuthorityError::Invalid)?, lists) {
        let text = serde_json::to_string(&newest).map_err(|error| AuthorityError::Invalid(error.to_string()))?;
        authorities::set_newest_lists(&mut tx, authority, &text).await.map_err(AuthorityError::Store)?;
    }
    tx.commit().await.map_err(AuthorityError::Store)
}

fn parse(stored: Option<&str>) -> Result<NewestLists, String> {
    let read = stored.map(serde_json::from_str).transpose();
    read.map(Option::unwrap_or_default).map_err(|error| format!("the numbers of its lists in the store: {error}"))
}

/// What is stored with these lists; none where that changes nothing.
fn merged(mut newest: NewestLists, lists: &[RevocationList]) -> Option<NewestLists> {
    let mut changed = false;
    for list in lists {
        let this =
            Newest { number: list.number.as_ref().map(ToString::to_string), issued_at: list.this_update.micros() };
        let later = newest.get(&list.issuer_id()).is_none_or(|seen| {
            let number = seen.number.as_deref().and_then(ListNumber::parse);
            *seen != this && check_step(number.as_ref(), Timestamp::from_micros(seen.issued_at), list, "").is_ok()
        });
        if later {
            newest.insert(list.issuer_id(), this);
            changed = true;
        }
    }
    changed.then_some(newest)
}

/// Refuses a list that is older than another one of its issuer, by its date or by its number. A lower number is older
/// whatever the date says: it is what the issuer counts (RFC 5280 section 5.2.3), and an authority whose clock was
/// wrong, or a forger of files with an old list at hand, has nothing else to contradict.
fn check_step(
    number: Option<&ListNumber>,
    issued_at: Timestamp,
    list: &RevocationList,
    other: &str,
) -> Result<(), String> {
    // The same time is no step back: a restart reads the same file again.
    if list.this_update < issued_at {
        return Err(format!("it was issued at {}, before {other}", list.this_update));
    }
    match (number, &list.number) {
        (Some(seen), Some(new)) if new.is_lower_than(seen) => {
            Err(format!("its number {new} (hex) is lower than {seen}, the number of {other}, whatever its date"))
        }
        // Without this rule a list could leave the comparison by leaving its number out.
        (Some(seen), None) => Err(format!("it has no number, and {other} has {seen} (hex)")),
        _ => Ok(()),
    }
}

/// Refuses a file whose list of the authority itself is older than one that was ever used, by any process.
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
            Some(other) => check_step(list.number.as_ref(), list.this_update, other, "the one in use")?,
            // Without a list of their issuer, certificates have an unknown status and are refused (T3).
            None => return Err("the file lacks the successor of a list in use".into()),
        }
    }
    Ok(())
}
