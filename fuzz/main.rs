//! Fuzz targets: parsers of bytes that come from outside. None may panic, whatever it is given, and what one accepts must
//! mean the same when it is written and read again.
//!
//! `cargo test --test fuzz` gives each target some thousand inputs, always within seconds; `just fuzz` runs them for longer.
//! Most inputs are a valid one with a few bytes changed: random bytes do not get past the first check of a format.
#![expect(clippy::unwrap_used, reason = "a target that cannot prepare its input fails")]

mod documents;
mod facts;
mod files;
mod messages;
mod proofs;
mod values;

/// A change of an input: at which place, in which way, with which byte.
type Edit = (u16, u8, u8);

/// An input with some changes.
fn edited(seed: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (place, way, byte) in edits {
        let place = usize::from(*place) % (bytes.len() + 1);
        match (way % 8, bytes.get_mut(place)) {
            (0..=2, Some(found)) => *found = *byte,
            (3 | 4, Some(found)) => *found ^= 1 << (byte % 8),
            (5, Some(_)) => drop(bytes.remove(place)),
            // Cut off seldom: the rest would hardly ever be reached.
            (6, Some(_)) if *byte < 16 => bytes.truncate(place),
            _ => bytes.insert(place, *byte),
        }
    }
    bytes
}

/// Gives edited copies of an input to a check; an expression of a test, so that its name is the target's.
macro_rules! edits_of {
    ($seed:expr, $check:expr) => {{
        let seed: Vec<u8> = $seed;
        bolero::check!().with_iterations(200).with_type::<Vec<crate::Edit>>().for_each(
            move |edits: &Vec<crate::Edit>| {
                let check: fn(&[u8]) = $check;
                // A long list of edits leaves nothing of the input.
                check(&crate::edited(&seed, edits.get(..8).unwrap_or(edits)));
            },
        );
    }};
}
use edits_of;

/// Calls a check with the input as a text, where it is one.
fn with_text(bytes: &[u8], check: impl Fn(&str)) {
    check(&String::from_utf8_lossy(bytes));
}

#[test]
fn edits_change_an_input_and_none_leaves_it() {
    assert_eq!(edited(b"abc", &[]), b"abc");
    assert_eq!(edited(b"abc", &[(1, 0, b'x')]), b"axc");
    assert_eq!(edited(b"abc", &[(1, 5, 0)]), b"ac");
    assert_eq!(edited(b"abc", &[(3, 0, b'x')]), b"abcx");
    assert_eq!(edited(b"", &[(9, 3, b'x')]), b"x");
}
