//! What the ledger must hold after everything, and what the checkpoints outside promised on the way.

use std::{collections::HashMap, sync::atomic::Ordering};

use medcredit::{
    ledger::{CheckpointFile, consistency},
    merkle::{Edge, Hash, leaf_hash, verify_consistency},
    store::Db,
};

use super::driver::{Kept, Load};
use crate::support::{order, process::run};

/// The checkpoint that was outside when the gateway was killed.
#[derive(Debug, Clone)]
pub struct Promised {
    size: u64,
    root: Hash,
}

/// What the file of the checkpoint outside says, if there is one.
pub async fn promised(load: &Load) -> Option<Promised> {
    let file = CheckpointFile::new(load.app.path("checkpoint-gateway"));
    let note = file.read().await.unwrap()?;
    let mut lines = note.lines().skip(1);
    let size = lines.next().unwrap().parse().unwrap();
    let root = data_encoding::BASE64.decode(lines.next().unwrap().as_bytes()).unwrap();
    Some(Promised { size, root: root.try_into().unwrap() })
}

/// Every entry of the tree, in its order.
async fn leaves(db: &Db) -> Vec<Hash> {
    let sql = "SELECT e.body FROM ledger_leaves l JOIN ledger_entries e ON e.id = l.entry_id ORDER BY l.leaf_index";
    let rows: Vec<(String,)> = db.read("test").fetch_all(sql, vec![]).await.unwrap();
    rows.into_iter().map(|(body,)| leaf_hash(body.as_bytes())).collect()
}

/// The tree of now begins with the tree of then, by its entries and by the proof an outsider would ask for.
pub async fn continues(db: &Db, promises: &[Promised]) {
    let leaves = leaves(db).await;
    let new = u64::try_from(leaves.len()).unwrap();
    let (mut edge, mut roots) = (Edge::default(), HashMap::new());
    for leaf in leaves {
        edge.push(leaf);
        roots.insert(edge.size(), edge.root());
    }
    for promise in promises {
        assert_eq!(roots.get(&promise.size), Some(&promise.root), "the first {} leaves", promise.size);
        let path = consistency(db, promise.size, new).await.unwrap();
        verify_consistency((promise.size, &promise.root), (new, &edge.root()), &path).unwrap();
    }
}

/// The record of each answer: its leaf is the receipt's, its digest the answer's, and it is in the tree.
async fn is_recorded(db: &Db, received: &HashMap<String, Kept>) {
    let sql = "SELECT e.id, e.body, o.body, o.consent_id FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id \
        JOIN ledger_leaves l ON l.entry_id = e.id WHERE e.type = 'disclosure'";
    let rows: Vec<(String, String, String, String)> = db.read("test").fetch_all(sql, vec![]).await.unwrap();
    let records: HashMap<_, _> =
        rows.into_iter().map(|(id, body, opening, consent)| (id, (body, opening, consent))).collect();
    for kept in received.values() {
        let Some((body, opening, consent)) = records.get(&kept.id) else {
            panic!("{} was answered and is not on record", kept.id);
        };
        let leaf = data_encoding::BASE64.encode(&leaf_hash(body.as_bytes()));
        assert!(kept.receipt.contains(&format!("leaf=:{leaf}:")), "{}: {leaf}", kept.receipt);
        assert!(opening.contains(&kept.digest), "{}: {} is not in its opening", kept.id, kept.digest);
        assert_eq!(*consent, kept.consent);
    }
}

/// Everything, at the end. Returns how many disclosures there are.
pub async fn holds_everything(load: &Load, promises: &[Promised]) -> i64 {
    let store = &load.app.store;
    order::leaves_are_one_tree(&store.db).await;
    continues(&store.db, promises).await;
    let mut disclosures = 0;
    for reader in &load.readers {
        is_recorded(&store.db, &reader.received()).await;
        let all = reader.all.lock().unwrap().clone();
        for agreed in all {
            let recorded = order::recorded_under(&store.db, &agreed.id).await;
            let answered = agreed.answered.load(Ordering::SeqCst);
            assert!(recorded >= answered, "{answered} answers and {recorded} records");
            if let Some(max) = agreed.max_fetches {
                assert_eq!(order::used(&store.db, &agreed.id).await, recorded, "counted, and recorded");
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
