//! The ledger after all kills: every answer is recorded, and the tree extends every checkpoint that was in the file.

use std::{collections::HashMap, sync::atomic::Ordering};

use medcredit::{
    ledger::{CheckpointFile, consistency},
    merkle::{Edge, Hash, TreeHead, leaf_hash, verify_consistency},
    store::Db,
};

use super::driver::{Load, ReceivedAnswer};
use crate::support::{order, process::run};

/// Size and root of the checkpoint in the file, if there is one.
pub async fn file_checkpoint(load: &Load) -> Option<TreeHead> {
    let file = CheckpointFile::new(load.app.path("checkpoint-gateway"));
    let note = file.read().await.unwrap()?;
    // The first line is the origin; size and root follow.
    let mut lines = note.lines().skip(1);
    let size = lines.next().unwrap().parse().unwrap();
    let root = data_encoding::BASE64.decode(lines.next().unwrap().as_bytes()).unwrap();
    Some(TreeHead { size, root: root.try_into().unwrap() })
}

/// The leaves of the tree in order, hashed from the entries.
async fn leaves(db: &Db) -> Vec<Hash> {
    let sql = "SELECT e.body FROM ledger_leaves l JOIN ledger_entries e ON e.id = l.entry_id ORDER BY l.leaf_index";
    let rows: Vec<(String,)> = db.read("test").fetch_all(sql, vec![]).await.unwrap();
    rows.into_iter().map(|(body,)| leaf_hash(body.as_bytes())).collect()
}

/// The tree extends each earlier tree, by its entries and by the consistency proof that anybody may request.
pub async fn check_extends(db: &Db, heads: &[TreeHead]) {
    let leaves = leaves(db).await;
    let new = u64::try_from(leaves.len()).unwrap();
    // The root at every size, because a checkpoint may have been signed at any.
    let (mut edge, mut roots) = (Edge::default(), HashMap::new());
    // A gateway writes the checkpoint of the empty tree before it seals.
    roots.insert(0, edge.root());
    for leaf in leaves {
        edge.push(leaf);
        roots.insert(edge.size(), edge.root());
    }
    for head in heads {
        assert_eq!(roots.get(&head.size), Some(&head.root), "the first {} leaves", head.size);
        let path = consistency(db, head.size, new).await.unwrap();
        verify_consistency(*head, TreeHead { size: new, root: edge.root() }, &path).unwrap();
    }
}

/// Each answer has an entry in the tree, with the leaf of the receipt and the digest of the answer.
async fn is_recorded(db: &Db, received: &HashMap<String, ReceivedAnswer>) {
    let sql = "SELECT e.id, e.body, o.body, o.consent_id FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id \
        JOIN ledger_leaves l ON l.entry_id = e.id WHERE e.type = 'disclosure'";
    let rows: Vec<(String, String, String, String)> = db.read("test").fetch_all(sql, vec![]).await.unwrap();
    let records: HashMap<_, _> =
        rows.into_iter().map(|(id, body, opening, consent)| (id, (body, opening, consent))).collect();
    for answer in received.values() {
        let Some((body, opening, consent)) = records.get(&answer.id) else {
            panic!("{} was answered and is not on record", answer.id);
        };
        let leaf = data_encoding::BASE64.encode(&leaf_hash(body.as_bytes()));
        assert!(answer.receipt.contains(&format!("leaf=:{leaf}:")), "{}: {leaf}", answer.receipt);
        assert!(opening.contains(&answer.digest), "{}: {} is not in its opening", answer.id, answer.digest);
        assert_eq!(*consent, answer.consent);
    }
}

/// Checks the whole ledger. Returns the number of disclosures.
pub async fn check_ledger(load: &Load, heads: &[TreeHead]) -> i64 {
    let store = &load.app.store;
    order::leaves_are_one_tree(&store.db).await;
    check_extends(&store.db, heads).await;
    let mut disclosures = 0;
    for reader in &load.readers {
        is_recorded(&store.db, &reader.received()).await;
        let all = reader.all.lock().unwrap().clone();
        for consent in all {
            let recorded = order::recorded_under(&store.db, &consent.id).await;
            let answered = consent.answered.load(Ordering::SeqCst);
            // More records than answers: an answer may be lost with its gateway, and its record may not.
            assert!(recorded >= answered, "{answered} answers and {recorded} records");
            if let Some(max) = consent.max_fetches {
                assert_eq!(order::used(&store.db, &consent.id).await, recorded, "counted, and recorded");
                assert!(recorded <= max, "{recorded} of {max} fetches");
            }
            disclosures += recorded;
        }
    }
    order::revocations_come_last(store).await;
    let output = run(&["--config", &load.app.config_file("gateway"), "ledger", "verify"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("the ledger is whole"), "{said}");
    assert!(!said.contains("NO CHECKPOINT FROM OUTSIDE"), "{said}");
    disclosures
}
