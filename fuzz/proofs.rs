//! What verifiers of the log read: keys, notes, checkpoints, tiles, proofs, entries and receipts.

use data_encoding::BASE64;
use medcredit::{
    ledger::{ReadEntry, Receipt},
    merkle::{
        Checkpoint, Hash, Note, TileId, TreeHead, VerifierKey, consistency_spans, inclusion_spans, verify_consistency,
        verify_inclusion,
    },
};
use serde_json::Value;

use crate::{edits_of, with_text};

/// The test vectors of docs/LEDGER.md.
fn vectors() -> Value {
    const PAGE: &str = include_str!("../docs/LEDGER.md");
    let (_, block) = PAGE.split_once("```json\n").unwrap();
    serde_json::from_str(block.split_once("\n```").unwrap().0).unwrap()
}

fn vector(pointer: &str) -> Vec<u8> {
    vectors().pointer(pointer).and_then(Value::as_str).unwrap().as_bytes().to_vec()
}

#[test]
fn verifier_keys() {
    let key = VerifierKey::new("localhost:8443/ledger/1", [7; 32]).unwrap();
    edits_of!(key.to_string().into_bytes(), |bytes| with_text(bytes, |text| {
        if let Ok(key) = text.parse::<VerifierKey>() {
            assert_eq!(key.to_string().parse::<VerifierKey>().ok().as_ref(), Some(&key));
        }
    }));
}

#[test]
fn checkpoints() {
    let root = BASE64.encode(&[7; 32]);
    let signature = BASE64.encode(&[9; 68]);
    let note = format!("localhost:8443/ledger/1\n5\n{root}\n\n\u{2014} localhost:8443/ledger/1 {signature}\n");
    assert!(Note::parse(&note).is_ok());
    edits_of!(note.into_bytes(), |bytes| with_text(bytes, |text| {
        let known = [VerifierKey::new("localhost:8443/ledger/1", [7; 32]).unwrap()];
        // Nobody has signed it.
        assert!(Checkpoint::open(text, &known).is_err());
        if let Ok(note) = Note::parse(text) {
            assert!(note.verify(&known).is_err());
        }
    }));
}

#[test]
fn tiles() {
    edits_of!(b"tile/1/x001/234.p/56".to_vec(), |bytes| with_text(bytes, |text| {
        if let Some((tile, width)) = TileId::parse_path(text) {
            assert_eq!(tile.path(width), text, "a tile has one name");
        }
    }));
}

/// A number at the start of some bytes, and the rest.
fn number(bytes: &[u8]) -> (u64, &[u8]) {
    let (first, rest) = bytes.split_at(bytes.len().min(8));
    let mut number = [0; 8];
    number[..first.len()].copy_from_slice(first);
    (u64::from_be_bytes(number), rest)
}

#[test]
fn inclusion_and_consistency() {
    bolero::check!().with_iterations(200).for_each(|bytes: &[u8]| {
        let (one, rest) = number(bytes);
        let (two, rest) = number(rest);
        let path: Vec<Hash> = rest.chunks(2).map(|pair| [pair[0]; 32]).collect();
        for (index, size) in [(one, two), (one % 300, two % 300)] {
            let _ = (inclusion_spans(index, size), consistency_spans(index, size));
            // The root of nothing that was hashed.
            assert!(verify_inclusion(&[1; 32], index, size, &path, &[2; 32]).is_err());
            let (older, newer) = (TreeHead { size: index, root: [1; 32] }, TreeHead { size, root: [2; 32] });
            assert!(verify_consistency(older, newer, &path).is_err() || index == 0);
        }
    });
}

#[test]
fn entries() {
    edits_of!(vector("/entries/0/entry"), |bytes| with_text(bytes, |text| {
        if let Ok(entry) = ReadEntry::parse(text) {
            let opening = String::from_utf8(vector("/entries/0/opening")).unwrap();
            let _ = entry.open(&opening);
        }
    }));
}

#[test]
fn openings() {
    edits_of!(vector("/entries/0/opening"), |bytes| with_text(bytes, |text| {
        let entry = String::from_utf8(vector("/entries/0/entry")).unwrap();
        let _ = ReadEntry::parse(&entry).unwrap().open(text);
    }));
}

#[test]
fn receipts() {
    let leaf = BASE64.encode(&[7; 32]);
    let field =
        format!("id=\"dis_06fzgvc5pqyd2m8s4tbn0xke71\", leaf=:{leaf}:, log=\"localhost/ledger/1\", by=@1780000000");
    assert!(Receipt::parse(&field).is_ok());
    edits_of!(field.into_bytes(), |bytes| with_text(bytes, |text| {
        if let Ok(receipt) = Receipt::parse(text)
            && let Ok(written) = receipt.to_header()
        {
            assert_eq!(Receipt::parse(written.to_str().unwrap()).ok().as_ref(), Some(&receipt));
        }
    }));
}
