//! The test vectors of docs/LEDGER.md, which an independent script made, against the code.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use medcredit::{
    domain::{Timestamp, canonical::canonical},
    ledger::{Action, EntryFault, Proof, ReadEntry, Receipt, check_proof, commitment},
    merkle::{
        Checkpoint, Edge, Hash, Node, NoteError, NoteSigner, Span, TileId, TileNodes, TreeHead, VerifierKey,
        consistency_spans, inclusion_spans, leaf_hash, verify_consistency, verify_inclusion,
    },
};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/LEDGER.md");

fn vectors() -> Value {
    let (_, block) = PAGE.split_once("```json\n").expect("the page has a block of JSON");
    serde_json::from_str(block.split_once("\n```").expect("it ends").0).expect("it parses")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} is a text"))
}

fn hex(text: &str) -> Hash {
    HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

fn base64_hashes(value: &Value) -> Vec<Hash> {
    let hash = |hash: &Value| BASE64.decode(hash.as_str().unwrap().as_bytes()).unwrap().try_into().unwrap();
    value.as_array().unwrap().iter().map(hash).collect()
}

fn leaves(vectors: &Value) -> Vec<Hash> {
    vectors["entries"].as_array().unwrap().iter().map(|entry| hex(text(entry, "/leaf"))).collect()
}

#[test]
fn the_commitment_is_the_one_of_the_page() {
    let vectors = vectors();
    let given = &vectors["commitment"];
    let salt = BASE64URL_NOPAD.decode(text(given, "/salt").as_bytes()).unwrap().try_into().unwrap();
    let value = canonical(&given["value"]).unwrap();
    let made = commitment(text(given, "/name"), &salt, &value);
    assert_eq!(BASE64URL_NOPAD.encode(&made), text(given, "/commitment"));
    assert!(text(given, "/input").ends_with(&HEXLOWER.encode(value.as_bytes())));
}

#[test]
fn every_entry_of_the_page_parses_and_its_opening_matches() {
    for given in vectors()["entries"].as_array().unwrap() {
        let body = text(given, "/entry");
        assert_eq!(leaf_hash(body.as_bytes()), hex(text(given, "/leaf")));
        let entry = ReadEntry::parse(body).unwrap();
        let values = entry.open(text(given, "/opening")).unwrap();
        assert_eq!(values.len(), entry.commitments.len());
        // A changed value under the same salt does not match.
        let changed = text(given, "/opening").replacen("operator:", "operatar:", 1).replacen("cli_", "cli_0", 1);
        if changed != text(given, "/opening") {
            assert!(matches!(entry.open(&changed), Err(EntryFault::Commitment(_))));
        }
    }
}

#[test]
fn an_entry_of_any_other_form_is_refused() {
    let vectors = vectors();
    let disclosure = text(&vectors, "/entries/0/entry");
    let erasure = text(&vectors, "/entries/4/entry");
    ReadEntry::parse(disclosure).unwrap();
    for (wrong, why) in [
        (disclosure.replace(",\"id\"", ", \"id\""), "a space"),
        (disclosure.replace("\"v\":1", "\"v\":2"), "another version"),
        (disclosure.replace("\"v\":1", "\"v\":1,\"w\":1"), "a member too many"),
        (disclosure.replace(".123456Z", ".123Z"), "another form of time"),
        (disclosure.replace("2026-03-31T16", "2026-03-32T16"), "no time"),
        (disclosure.replace("\"facts\":{}", "\"facts\":{\"grade\":\"A\"}"), "a fact in the clear"),
        (disclosure.replace("\"type\":\"disclosure\"", "\"type\":\"consent\""), "another type"),
        (disclosure.replace("\"uscc\"", "\"uscd\""), "another commitment"),
        (disclosure.replace("\"codes\":\"7", "\"codes\":\""), "a short commitment"),
        (erasure.replace("retention_ended", "Retention ended"), "a ground that is no word"),
        (erasure.replace("[\"dis_", "[7,\"dis_"), "a number among the entries"),
        (
            erasure.replace("\"entries\":[\"dis_06fzgvc5pqyd2m8s4tbn0xke71\"]", "\"entries\":[]"),
            "an erasure of nothing",
        ),
    ] {
        assert_ne!(wrong, disclosure, "{why}");
        assert!(ReadEntry::parse(&wrong).is_err(), "{why}");
    }
}

#[test]
fn the_tree_and_its_proofs_are_those_of_the_page() {
    let vectors = vectors();
    let leaves = leaves(&vectors);
    let mut edge = Edge::default();
    let roots: Vec<_> = vectors["roots"].as_array().unwrap().iter().map(|root| hex(root.as_str().unwrap())).collect();
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(edge.root(), *root, "size {size}");
        if let Some(leaf) = leaves.get(size) {
            edge.push(*leaf);
        }
    }
    let node = |node: Node| (node.level == 0).then(|| leaves.get(usize::try_from(node.index).ok()?).copied()).flatten();
    let mut nodes = TileNodes::default();
    nodes.insert(TileId { level: 0, index: 0 }, leaves.clone());
    assert_eq!(Span::tree(1).hash(&node), Some(leaves[0]));
    for (index, given) in vectors["inclusion"].as_array().unwrap().iter().enumerate() {
        let path = base64_hashes(given);
        let at = u64::try_from(index).unwrap();
        assert_eq!(nodes.hashes(&inclusion_spans(at, 5).unwrap()).unwrap(), path);
        verify_inclusion(&leaves[index], at, 5, &path, &roots[5]).unwrap();
    }
    let path = base64_hashes(&vectors["consistency_3_5"]);
    assert_eq!(nodes.hashes(&consistency_spans(3, 5).unwrap()).unwrap(), path);
    verify_consistency(TreeHead { size: 3, root: roots[3] }, TreeHead { size: 5, root: roots[5] }, &path).unwrap();
}

#[test]
fn the_tiles_are_those_of_the_page() {
    use sha2::{Digest, Sha256};
    let vectors = vectors();
    let mut edge = Edge::default();
    let full: Vec<_> = (0u16..300).flat_map(|at| edge.push(leaf_hash(&at.to_be_bytes()))).collect();
    assert_eq!(full.len(), 1);
    assert_eq!(HEXLOWER.encode(&Sha256::digest(full[0].hashes.as_flattened())), text(&vectors, "/tiles/full"));
    assert_eq!(HEXLOWER.encode(&Sha256::digest(edge.partial(0).as_flattened())), text(&vectors, "/tiles/partial"));
    assert_eq!(edge.partial(1), [hex(text(&vectors, "/tiles/level_1"))]);
    assert_eq!(full[0].root, edge.partial(1)[0]);
    assert_eq!(edge.root(), hex(text(&vectors, "/tiles/root")));
    let id = |level, index| TileId { level, index };
    let paths = [id(0, 0).path(256), id(0, 1).path(44), id(1, 0).path(1), id(0, 1_234_067).path(256)];
    assert_eq!(vectors["tiles"]["paths"], Value::from(paths.to_vec()));
}

/// Signs with the page's seed.
#[derive(Debug)]
struct Seeded(aws_lc_rs::signature::Ed25519KeyPair, VerifierKey);

impl NoteSigner for Seeded {
    fn key(&self) -> &VerifierKey {
        &self.1
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], NoteError> {
        Ok(self.0.sign(text).as_ref().try_into().unwrap())
    }
}

#[test]
fn the_checkpoint_of_the_page_is_signed_and_verified_byte_for_byte() {
    let vectors = vectors();
    let note = text(&vectors, "/checkpoint");
    let key: VerifierKey = text(&vectors, "/key/verifier").parse().unwrap();
    assert_eq!(key.id(), text(&vectors, "/key/id"));
    let checkpoint = Checkpoint::open(note, std::slice::from_ref(&key)).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (5, hex(text(&vectors, "/roots/5"))));
    let seed = hex(text(&vectors, "/key/seed"));
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    assert_eq!(checkpoint.sign(&Seeded(pair, key.clone())).unwrap(), note);
    // A line of another key is ignored; a line with our name and id that does not verify invalidates the note.
    let witness = format!("{note}\u{2014} witness.example AAAAAAAAAAA=\n");
    assert_eq!(Checkpoint::open(&witness, std::slice::from_ref(&key)).unwrap(), checkpoint);
    let spoiled =
        format!("{note}{}", note.lines().last().unwrap().replace("WVIqg", "WVIqgA").replacen("M2", "2", 1)) + "\n";
    assert!(Checkpoint::open(&spoiled, std::slice::from_ref(&key)).is_err());
    for (changed, why) in [
        (note.replacen("\n5\n", "\n6\n", 1), "another size"),
        (note.replacen("ledger/1\n5", "ledger/2\n5", 1), "another origin"),
        (note.replacen("++bk", "+-bk", 1), "a root that is no base64"),
    ] {
        assert_ne!(changed, note);
        assert!(Checkpoint::open(&changed, std::slice::from_ref(&key)).is_err(), "{why}");
    }
    assert_eq!(Checkpoint::open(note, &[]), Err(NoteError::UnknownKey));
}

#[test]
fn the_receipt_of_the_page_round_trips() {
    let vectors = vectors();
    let receipt = Receipt::parse(text(&vectors, "/receipt")).unwrap();
    assert_eq!(receipt.leaf, leaves(&vectors)[0]);
    assert_eq!(receipt.by, "2026-03-31T16:01:00Z".parse::<Timestamp>().unwrap());
    assert_eq!(receipt.to_header().unwrap(), text(&vectors, "/receipt"));
}

#[test]
fn a_proof_made_of_the_page_verifies_without_a_gateway() {
    let vectors = vectors();
    let key: VerifierKey = text(&vectors, "/key/verifier").parse().unwrap();
    let proof = Proof {
        id: "dis_06fzgvc5pqyd2m8s4tbn0xke71".into(),
        log: "gateway.example/ledger/1".into(),
        entry: text(&vectors, "/entries/0/entry").into(),
        opening: Some(serde_json::from_str(text(&vectors, "/entries/0/opening")).unwrap()),
        leaf: BASE64.encode(&leaves(&vectors)[0]),
        leaf_index: 0,
        tree_size: 5,
        inclusion: serde_json::from_value(vectors["inclusion"][0].clone()).unwrap(),
        checkpoint: text(&vectors, "/checkpoint").into(),
    };
    let (entry, values) = check_proof(&proof, std::slice::from_ref(&key)).unwrap();
    assert_eq!(values.unwrap()["purpose"], "pre_loan_review");
    assert_eq!(entry.id, proof.id);
    let wrong: Vec<(&str, fn(&mut Proof))> = vec![
        ("another id", |proof| proof.id.push('0')),
        ("another log", |proof| proof.log.push('0')),
        ("another text", |proof| proof.entry = proof.entry.replace("16:00:00", "16:00:01")),
        ("another value", |proof| {
            proof.opening.as_mut().unwrap()["fields"]["purpose"]["value"] = "loan_approval".into()
        }),
        ("another leaf", |proof| proof.leaf = BASE64.encode(&[0; 32])),
        ("another place", |proof| proof.leaf_index = 1),
        ("another size", |proof| proof.tree_size = 4),
        ("a short path", |proof| drop(proof.inclusion.pop())),
        ("a path that is no base64", |proof| proof.inclusion[0].push('=')),
        ("another checkpoint", |proof| proof.checkpoint = proof.checkpoint.replace("\n5\n", "\n4\n")),
    ];
    for (why, change) in wrong {
        let mut changed = proof.clone();
        change(&mut changed);
        assert!(check_proof(&changed, std::slice::from_ref(&key)).is_err(), "{why}");
    }
    let erased = Proof { opening: None, ..proof };
    assert!(check_proof(&erased, &[key]).unwrap().1.is_none());
}

#[test]
fn every_action_is_in_the_table_of_the_page() {
    for action in Action::ALL {
        assert!(PAGE.contains(&format!("\n| `{action}` | ")), "{action} is missing in docs/LEDGER.md section 2");
    }
}
