//! Sealing, opening, keyed hashes, and the replacement of keys.

use super::*;

const CONTEXT: SealContext<'static> = SealContext { table: "keys", row: "key_1", column: "sealed_private" };

fn key(fill: u8) -> String {
    BASE64.encode(&[fill; 32])
}

fn crypter(keys: &[u8]) -> Crypter {
    Crypter::new(&keys.iter().map(|fill| key(*fill)).collect::<Vec<_>>()).unwrap()
}

#[test]
fn what_was_sealed_opens_at_its_place() {
    let crypter = crypter(&[1]);
    let sealed = crypter.seal(CONTEXT, b"secret").unwrap();
    assert_eq!(crypter.open(CONTEXT, &sealed).unwrap().as_slice(), b"secret");
    assert_ne!(sealed, crypter.seal(CONTEXT, b"secret").unwrap(), "each sealing has a nonce of its own");
}

#[test]
fn a_value_moved_to_another_row_column_or_table_does_not_open() {
    let crypter = crypter(&[1]);
    let sealed = crypter.seal(CONTEXT, b"secret").unwrap();
    let elsewhere = [
        SealContext { row: "key_2", ..CONTEXT },
        SealContext { column: "other", ..CONTEXT },
        SealContext { table: "subjects", ..CONTEXT },
        // The same characters, divided differently.
        SealContext { table: "key", row: "skey_1", ..CONTEXT },
        SealContext { row: "key_1s", column: "ealed_private", ..CONTEXT },
    ];
    for context in elsewhere {
        let refused = CrypterError::Refused { table: context.table, column: context.column };
        assert_eq!(crypter.open(context, &sealed).unwrap_err(), refused, "{context:?}");
    }
}

#[test]
fn the_first_key_seals_and_all_open() {
    let sealed = crypter(&[1]).seal(CONTEXT, b"secret").unwrap();
    let rotated = crypter(&[2, 1]);
    assert_eq!(rotated.open(CONTEXT, &sealed).unwrap().as_slice(), b"secret");
    assert!(rotated.is_outdated(&sealed));
    let again = rotated.seal(CONTEXT, b"secret").unwrap();
    assert!(!rotated.is_outdated(&again));
    let unknown = CrypterError::UnknownKey { table: "keys", column: "sealed_private" };
    assert_eq!(crypter(&[1]).open(CONTEXT, &again).unwrap_err(), unknown);
}

#[test]
fn a_new_list_keeps_the_sealing_key_until_it_is_to_change() {
    let live = crypter(&[1]);
    let former = live.seal(CONTEXT, b"secret").unwrap();
    live.replace(&crypter(&[2, 1]));
    let still = live.seal(CONTEXT, b"secret").unwrap();
    assert!(crypter(&[1]).open(CONTEXT, &still).is_ok(), "the new key does not seal yet");
    assert_eq!(live.key_ids(), crypter(&[2, 1]).key_ids());
    live.seal_under_first();
    let new = live.seal(CONTEXT, b"secret").unwrap();
    assert!(crypter(&[2]).open(CONTEXT, &new).is_ok() && live.is_outdated(&former));
    assert!(live.seal_as(&former) && !live.is_outdated(&former) && live.is_outdated(&new));
    live.replace(&crypter(&[2]));
    assert!(!live.is_outdated(&new), "a key that is gone seals no more");
    assert!(!live.has_key_of(&former) && !live.seal_as(&former));
    assert_eq!(live.sealing_key_id(), crypter(&[2]).sealing_key_id());
}

#[test]
fn a_changed_or_cut_value_does_not_open() {
    let crypter = crypter(&[1]);
    let sealed = crypter.seal(CONTEXT, b"secret").unwrap();
    for length in 0..sealed.len() {
        assert!(crypter.open(CONTEXT, &sealed[..length]).is_err(), "cut to {length}");
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(crypter.open(CONTEXT, &changed).is_err(), "byte {at} changed");
    }
}

#[test]
fn bad_key_lists_are_refused_without_repeating_them() {
    assert_eq!(Crypter::new::<&str>(&[]).unwrap_err(), CrypterError::NoKey);
    assert_eq!(Crypter::from_key_file("# only a comment\n\n").unwrap_err(), CrypterError::NoKey);
    assert_eq!(Crypter::new(&[key(1), "c2hvcnQ=".into()]).unwrap_err(), CrypterError::BadKey(2));
    assert_eq!(Crypter::new(&[key(1), key(1)]).unwrap_err(), CrypterError::DuplicateKey(2));
    let made = Crypter::generate_key().unwrap();
    let crypter = Crypter::from_key_file(&format!("{} # made today\n{}\n", *made, key(1))).unwrap();
    assert!(!format!("{crypter:?}").contains(&made[..8]));
}

#[test]
fn keyed_hashes_differ_by_value_purpose_and_key() {
    let former = crypter(&[1]);
    let hash = former.blind("account number", b"6222").unwrap();
    assert_eq!(hash, former.blind("account number", b"6222").unwrap());
    assert_ne!(hash, former.blind("account number", b"6223").unwrap());
    assert_ne!(hash, former.blind("resident id", b"6222").unwrap());
    let rotated = crypter(&[2, 1]);
    assert_ne!(hash, rotated.blind("account number", b"6222").unwrap());
    assert!(rotated.blinds("account number", b"6222").unwrap().contains(&hash));
}
