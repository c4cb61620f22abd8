//! Every manipulation of the ledger's tables is found and reported (I7).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use medcredit::{
    domain::ids::EntryId,
    ledger::{CheckpointFile, ErasureFacts, ErasureGround, erase, verify::CheckpointFileCheck},
    merkle::{Checkpoint, NoteError, NoteSigner, VerifierKey, leaf_hash},
    store::Arg,
};

use super::{
    fixture::{LedgerFixture, ORIGIN},
    vandal::vandalise,
};
use crate::support::{TestStore, both_engines};

async fn erase_one(fixture: &LedgerFixture, id: String) {
    let mut tx = fixture.store.db.begin("test").await.unwrap();
    let facts = ErasureFacts {
        id: EntryId::new(&*fixture.store.clock, fixture.entropy()),
        at: fixture.now(),
        entries: vec![id],
        ground: ErasureGround::RetentionEnded,
        actor: "system".into(),
        reason: None,
    };
    erase(&mut tx, facts, fixture.entropy()).await.unwrap();
    tx.commit().await.unwrap();
}

/// A ledger of 600 leaves with three checkpoints, two full tiles, an erasure, and one entry in the queue.
pub async fn grown(store: TestStore) -> LedgerFixture {
    let fixture = LedgerFixture::new(store).await;
    let sealer = fixture.sealer();
    let first = fixture.record_many(100).await;
    sealer.seal_once().await.unwrap();
    fixture.record_many(200).await;
    let mut tx = fixture.store.db.begin("test").await.unwrap();
    let facts = ErasureFacts {
        id: EntryId::new(&*fixture.store.clock, fixture.entropy()),
        at: fixture.now(),
        entries: vec![first[3].clone(), first[4].clone()],
        ground: ErasureGround::SubjectRequest,
        actor: "operator:lin".into(),
        reason: None,
    };
    erase(&mut tx, facts, fixture.entropy()).await.unwrap();
    tx.commit().await.unwrap();
    sealer.seal_once().await.unwrap();
    fixture.record_many(299).await;
    sealer.seal_once().await.unwrap();
    fixture.record(1).await;
    fixture
}

/// `(what, how, how to undo it, what verify says)`; `{n}` is the entry of leaf n.
type Sabotage = (&'static str, &'static str, &'static str, &'static str);

const SABOTAGES: &[Sabotage] = &[
    (
        "a text",
        "UPDATE ledger_entries SET body = replace(body, '2026-', '2027-') WHERE id = {5}",
        "UPDATE ledger_entries SET body = replace(body, '2027-', '2026-') WHERE id = {5}",
        "(leaf 5): its text does not hash",
    ),
    (
        "a text at the right edge",
        "UPDATE ledger_entries SET body = replace(body, '2026-', '2027-') WHERE id = {599}",
        "UPDATE ledger_entries SET body = replace(body, '2027-', '2026-') WHERE id = {599}",
        "(leaf 599): its text does not hash",
    ),
    (
        "a type",
        "UPDATE ledger_entries SET type = 'operator' WHERE id = {7}",
        "UPDATE ledger_entries SET type = 'disclosure' WHERE id = {7}",
        "(leaf 7): its text is of another id or type",
    ),
    (
        "an entry removed",
        "CREATE TABLE saved AS SELECT * FROM ledger_entries WHERE id = {9}; DELETE FROM ledger_entries WHERE id = {9}",
        "INSERT INTO ledger_entries SELECT * FROM saved; DROP TABLE saved",
        "(leaf 9): the entry was removed",
    ),
    (
        "two entries exchanged",
        "UPDATE ledger_leaves SET leaf_index = -1 WHERE leaf_index = 10; UPDATE ledger_leaves SET leaf_index = 10 WHERE leaf_index = 11; UPDATE ledger_leaves SET leaf_index = 11 WHERE leaf_index = -1",
        "UPDATE ledger_leaves SET leaf_index = -1 WHERE leaf_index = 10; UPDATE ledger_leaves SET leaf_index = 10 WHERE leaf_index = 11; UPDATE ledger_leaves SET leaf_index = 11 WHERE leaf_index = -1",
        "(leaf 10): its text does not hash to the leaf in its tile",
    ),
    (
        "two entries exchanged at the right edge",
        "UPDATE ledger_leaves SET leaf_index = -1 WHERE leaf_index = 598; UPDATE ledger_leaves SET leaf_index = 598 WHERE leaf_index = 599; UPDATE ledger_leaves SET leaf_index = 599 WHERE leaf_index = -1",
        "UPDATE ledger_leaves SET leaf_index = -1 WHERE leaf_index = 598; UPDATE ledger_leaves SET leaf_index = 598 WHERE leaf_index = 599; UPDATE ledger_leaves SET leaf_index = 599 WHERE leaf_index = -1",
        "checkpoint 600: its root is not that of the leaves: one from 301 to 599",
    ),
    (
        "a leaf removed",
        "CREATE TABLE saved AS SELECT * FROM ledger_leaves WHERE leaf_index = 50; DELETE FROM ledger_leaves WHERE leaf_index = 50",
        "INSERT INTO ledger_leaves SELECT * FROM saved; DROP TABLE saved",
        "leaf 50: it was removed",
    ),
    (
        "the last leaf removed",
        "CREATE TABLE saved AS SELECT * FROM ledger_leaves WHERE leaf_index = 599; DELETE FROM ledger_leaves WHERE leaf_index = 599",
        "INSERT INTO ledger_leaves SELECT * FROM saved; DROP TABLE saved",
        "the tail was cut off",
    ),
    (
        "an opening's value",
        "UPDATE ledger_openings SET body = replace(body, 'pre_loan_review', 'loan_approval') WHERE entry_id = {20}",
        "UPDATE ledger_openings SET body = replace(body, 'loan_approval', 'pre_loan_review') WHERE entry_id = {20}",
        "(leaf 20): its opening was changed: the opening of purpose does not fit",
    ),
    (
        "the bank beside an opening",
        "UPDATE ledger_openings SET client_id = 'cli_other' WHERE entry_id = {21}",
        "UPDATE ledger_openings SET client_id = (SELECT o.client_id FROM ledger_openings o WHERE o.entry_id = {22}) WHERE entry_id = {21}",
        "(leaf 21): the bank or the consent in its opening's row",
    ),
    (
        "an opening removed",
        "CREATE TABLE saved AS SELECT * FROM ledger_openings WHERE entry_id = {23}; DELETE FROM ledger_openings WHERE entry_id = {23}",
        "INSERT INTO ledger_openings SELECT * FROM saved; DROP TABLE saved",
        "its opening was removed, and no erasure entry accounts for it",
    ),
    (
        "an opening of nothing",
        "INSERT INTO ledger_openings (entry_id, body) VALUES ('dis_none', '{}')",
        "DELETE FROM ledger_openings WHERE entry_id = 'dis_none'",
        "opening dis_none: it belongs to no entry",
    ),
    (
        "a queued row removed",
        "CREATE TABLE saved AS SELECT * FROM ledger_unsealed; DELETE FROM ledger_unsealed",
        "INSERT INTO ledger_unsealed SELECT * FROM saved; DROP TABLE saved",
        "it is not in the sealer's queue either",
    ),
    (
        "a sealed entry queued again",
        "INSERT INTO ledger_unsealed (entry_id) SELECT {1}",
        "DELETE FROM ledger_unsealed WHERE entry_id = {1}",
        "it belongs to no entry, or to one that is in the tree already",
    ),
    (
        "a tile",
        "UPDATE ledger_tiles SET hashes = (SELECT t.hashes FROM ledger_tiles t WHERE t.tile_index = 0) WHERE tile_index = 1",
        "",
        "to the leaf in its tile",
    ),
    (
        "a tile removed",
        "CREATE TABLE saved AS SELECT * FROM ledger_tiles WHERE tile_index = 1; DELETE FROM ledger_tiles WHERE tile_index = 1",
        "INSERT INTO ledger_tiles SELECT * FROM saved; DROP TABLE saved",
        "tile/0/001: it was removed",
    ),
    (
        "a tile's root",
        "CREATE TABLE saved AS SELECT * FROM ledger_tiles; UPDATE ledger_tiles SET root = (SELECT s.root FROM saved s WHERE s.tile_index = 0)",
        "DELETE FROM ledger_tiles; INSERT INTO ledger_tiles SELECT * FROM saved; DROP TABLE saved",
        "tile/0/001: it was changed",
    ),
    (
        "a tile too many",
        "INSERT INTO ledger_tiles (level, tile_index, hashes, root) SELECT 5, 5, hashes, root FROM ledger_tiles WHERE tile_index = 0",
        "DELETE FROM ledger_tiles WHERE level = 5",
        "tiles: there are 3, and 2 belong to the tree",
    ),
    (
        "a checkpoint's root",
        "CREATE TABLE saved AS SELECT * FROM ledger_checkpoints; UPDATE ledger_checkpoints SET root = (SELECT s.root FROM saved s WHERE s.tree_size = 100) WHERE tree_size = 301",
        "DELETE FROM ledger_checkpoints; INSERT INTO ledger_checkpoints SELECT * FROM saved; DROP TABLE saved",
        "checkpoint 301: its row contradicts the signed note",
    ),
    (
        "a checkpoint's text",
        "UPDATE ledger_checkpoints SET note = replace(note, '100', '101') WHERE tree_size = 100",
        "UPDATE ledger_checkpoints SET note = replace(note, '101', '100') WHERE tree_size = 100",
        "checkpoint 100: the signature of key",
    ),
    (
        "a checkpoint of another log",
        "UPDATE ledger_checkpoints SET note = replace(note, 'gateway.example', 'gateway.invalid') WHERE tree_size = 100",
        "UPDATE ledger_checkpoints SET note = replace(note, 'gateway.invalid', 'gateway.example') WHERE tree_size = 100",
        "checkpoint 100: not a signed note: it is of another log",
    ),
    (
        "the last checkpoint removed",
        "CREATE TABLE saved AS SELECT * FROM ledger_checkpoints WHERE tree_size = 600; DELETE FROM ledger_checkpoints WHERE tree_size = 600",
        "INSERT INTO ledger_checkpoints SELECT * FROM saved; DROP TABLE saved",
        "600 leaves, but the last checkpoint covers 301",
    ),
    (
        "an erased opening put back",
        "INSERT INTO ledger_openings SELECT {erased}, client_id, consent_id, body FROM ledger_openings WHERE entry_id = {20}",
        "DELETE FROM ledger_openings WHERE entry_id = {erased}",
        "its opening exists although an entry records its erasure",
    ),
];

/// Writes the entries' ids where a sabotage names their leaves, or an erased one.
async fn with_ids(fixture: &LedgerFixture, sql: &str) -> String {
    let db = &fixture.store.db;
    let erased = "SELECT l.entry_id FROM ledger_leaves l LEFT JOIN ledger_openings o ON o.entry_id = l.entry_id WHERE o.entry_id IS NULL";
    let (erased,): (String,) = db.read("test").fetch_one(erased, vec![]).await.unwrap();
    let mut out = sql.replace("{erased}", &format!("'{erased}'"));
    while let Some(start) = out.find('{').filter(|at| out[at + 1..].starts_with(|c: char| c.is_ascii_digit())) {
        let end = start + out[start..].find('}').unwrap();
        let leaf = Arg::Int(out[start + 1..end].parse().unwrap());
        let find = "SELECT entry_id FROM ledger_leaves WHERE leaf_index = $1";
        let (id,): (String,) = db.read("test").fetch_one(find, vec![leaf]).await.unwrap();
        out.replace_range(start..=end, &format!("'{id}'"));
    }
    out
}

/// Restores the original tiles.
async fn restore_tiles(fixture: &LedgerFixture) {
    vandalise(fixture, "DELETE FROM ledger_tiles; INSERT INTO ledger_tiles SELECT * FROM whole_tiles").await;
}

/// Signs with the log's own key, as somebody who has it could.
#[derive(Debug)]
struct Forger<'a>(&'a LedgerFixture, VerifierKey);

impl NoteSigner for Forger<'_> {
    fn key(&self) -> &VerifierKey {
        &self.1
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], NoteError> {
        Ok(self.0.signer.sign(text).unwrap().try_into().unwrap())
    }
}

both_engines! {
    an_untampered_ledger_verifies,
    a_ledger_that_is_being_written_verifies,
    every_manipulation_is_found_and_reported,
    an_entry_changed_with_everything_derived_from_it_is_found,
    a_truncated_ledger_is_found_only_with_the_checkpoint_file,
    a_rewritten_history_is_found_by_an_older_checkpoint,
}

/// An auditor verifies an untampered ledger: everything is counted and nothing is wrong.
async fn an_untampered_ledger_verifies(store: TestStore) {
    let fixture = grown(store).await;
    let report = fixture.verify().await;
    assert!(report.sound(), "{report}");
    assert_eq!((report.leaves, report.tiles, report.checkpoints), (600, 2, 3));
    assert_eq!((report.openings, report.erased, report.waiting), (599, 2, 1));
    assert_eq!(report.checkpoint_file, CheckpointFileCheck::Covers(600));
    let blind = fixture.verify_against(None).await;
    assert!(blind.sound());
    assert!(blind.to_string().contains("NO CHECKPOINT FROM OUTSIDE"), "{blind}");
}

/// An auditor verifies while gateways record, seal and erase: an untampered ledger verifies at any moment.
async fn a_ledger_that_is_being_written_verifies(store: TestStore) {
    let fixture = Arc::new(LedgerFixture::new(store).await);
    // As a gateway does at its start: the file of a new log is there before anything is sealed.
    let monitor = fixture.monitor("checkpoint");
    monitor.judge(&monitor.read().await.unwrap()).await.unwrap();
    let writing = Arc::new(AtomicBool::new(true));
    let (writer, more) = (fixture.clone(), writing.clone());
    let writer = tokio::spawn(async move {
        let (recorder, sealer) = (writer.recorder(), writer.sealer());
        let mut ids = Vec::new();
        while more.load(Ordering::SeqCst) {
            for _ in 0..5 {
                ids.push(recorder.record(writer.draft()).await.unwrap().id().to_owned());
            }
            erase_one(&writer, ids.swap_remove(ids.len() / 2)).await;
            sealer.seal_once().await.unwrap();
        }
    });
    let mut erased = 0;
    for round in 0.. {
        let report = fixture.verify().await;
        assert!(report.sound(), "{report}");
        erased = erased.max(report.erased);
        if round >= 15 && erased > 10 {
            break;
        }
    }
    writing.store(false, Ordering::SeqCst);
    writer.await.unwrap();
}

/// A database administrator changes, removes or exchanges anything: `verify` reports it.
async fn every_manipulation_is_found_and_reported(store: TestStore) {
    let fixture = grown(store).await;
    vandalise(&fixture, "CREATE TABLE whole_tiles AS SELECT * FROM ledger_tiles").await;
    for (what, how, undo, expected) in SABOTAGES {
        let (how, undo) = (with_ids(&fixture, how).await, with_ids(&fixture, undo).await);
        vandalise(&fixture, &how).await;
        let report = fixture.verify().await;
        assert!(!report.sound(), "{what}");
        assert!(report.to_string().contains(expected), "{what}: expected {expected:?} in\n{report}");
        vandalise(&fixture, &undo).await;
        restore_tiles(&fixture).await;
        let report = fixture.verify().await;
        assert!(report.sound(), "after {what}: {report}");
    }
}

/// Somebody changes an entry, its leaf hash and the tile together: the checkpoint still shows it.
async fn an_entry_changed_with_everything_derived_from_it_is_found(store: TestStore) {
    let fixture = grown(store).await;
    let row: (String, String) = fixture.store.db.read("test")
            .fetch_one("SELECT e.id, e.body FROM ledger_entries e JOIN ledger_leaves l ON l.entry_id = e.id WHERE l.leaf_index = 40", vec![]).await.unwrap();
    let forged = row.1.replace("2026-", "2027-");
    let leaf = data_encoding::HEXLOWER.encode(&leaf_hash(forged.as_bytes()));
    let literal = |hex: &str| match fixture.store.db.engine() {
        medcredit::store::Engine::Sqlite => format!("x'{hex}'"),
        medcredit::store::Engine::Postgres => format!("'\\x{hex}'"),
    };
    vandalise(
        &fixture,
        &format!("UPDATE ledger_entries SET body = '{forged}', leaf_hash = {} WHERE id = '{}'", literal(&leaf), row.0),
    )
    .await;
    let report = fixture.verify().await;
    assert!(report.to_string().contains("(leaf 40): its text does not hash to the leaf in its tile"), "{report}");
    let (tile,): (Vec<u8>,) = fixture
        .store
        .db
        .read("test")
        .fetch_one("SELECT hashes FROM ledger_tiles WHERE tile_index = 0", vec![])
        .await
        .unwrap();
    let mut tile = data_encoding::HEXLOWER.encode(&tile);
    tile.replace_range(40 * 64..41 * 64, &leaf);
    vandalise(&fixture, &format!("UPDATE ledger_tiles SET hashes = {} WHERE tile_index = 0", literal(&tile))).await;
    let report = fixture.verify().await;
    assert!(
        report.to_string().contains("checkpoint 100: its root is not that of the leaves: one from 0 to 99"),
        "{report}"
    );
    assert!(report.to_string().contains("tile/0/000: it was changed"), "{report}");
}

/// The last entries are removed with everything derived from them: only the checkpoint file shows it.
async fn a_truncated_ledger_is_found_only_with_the_checkpoint_file(store: TestStore) {
    let fixture = grown(store).await;
    vandalise(&fixture, "\
            DELETE FROM ledger_unsealed; \
            DELETE FROM ledger_openings WHERE entry_id NOT IN (SELECT entry_id FROM ledger_leaves WHERE leaf_index < 301); \
            DELETE FROM ledger_entries WHERE id NOT IN (SELECT entry_id FROM ledger_leaves WHERE leaf_index < 301); \
            DELETE FROM ledger_leaves WHERE leaf_index >= 301; \
            DELETE FROM ledger_tiles WHERE tile_index >= 1; \
            DELETE FROM ledger_checkpoints WHERE tree_size > 301").await;
    let blind = fixture.verify_against(None).await;
    assert!(blind.sound() && blind.leaves == 301, "{blind}");
    assert!(blind.to_string().contains("cut off at the end cannot be seen"), "{blind}");
    let report = fixture.verify().await;
    assert!(!report.sound());
    assert!(
        report
            .to_string()
            .contains("the ledger ends after 301 leaves, the checkpoint file covers 600: the tail was cut off"),
        "{report}"
    );
}

/// The holder of the signing key writes another history: an older checkpoint shows it.
async fn a_rewritten_history_is_found_by_an_older_checkpoint(store: TestStore) {
    let fixture = grown(store).await;
    let forger = Forger(&fixture, fixture.verifier_key());
    let other = Checkpoint { origin: ORIGIN.into(), size: 100, root: [3; 32] }.sign(&forger).unwrap();
    let file = CheckpointFile::new(fixture.directory.path().join("older"));
    std::fs::write(file.path(), other).unwrap();
    let report = fixture.verify_against(Some(&file)).await;
    assert!(
        report.to_string().contains("the first 100 leaves are not those of the checkpoint file: history was rewritten"),
        "{report}"
    );
    std::fs::write(file.path(), "nothing").unwrap();
    let report = fixture.verify_against(Some(&file)).await;
    assert!(!report.sound() && report.checkpoint_file == CheckpointFileCheck::Unusable, "{report}");
    std::fs::remove_file(file.path()).unwrap();
    let report = fixture.verify_against(Some(&file)).await;
    assert!(!report.sound() && report.checkpoint_file == CheckpointFileCheck::Missing, "{report}");
}
