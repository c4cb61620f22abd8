//! What is left of the histories: signed checkpoints, the trees of former primaries, answers, and what recoveries reported.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use medcredit::{consent::Consent, merkle::Edge, store::Db};
use serde_json::Value;

use super::{super::sealing::both_verify, hosts::Host, load::GivenAnswer};
use crate::support::{app::TestApp, order};

/// The leaf hashes of a tree, in order.
type Leaves = Vec<[u8; 32]>;

/// Everything that was seen.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Each note: every signed checkpoint that was in a file or in a database.
    notes: BTreeSet<String>,
    /// The whole tree of each epoch that has ended, as the lost primary had it.
    ended: Vec<Leaves>,
    /// Each disclosure that a bank has, and whether it may be lost.
    given: BTreeMap<String, bool>,
    /// Each disclosure that a recovery named as lost.
    reported: BTreeSet<String>,
}

/// A checkpoint, without its signatures.
struct Head {
    epoch: u32,
    size: usize,
    root: String,
}

impl Head {
    fn of(note: &str) -> Self {
        let mut lines = note.lines();
        let epoch = lines.next().unwrap().rsplit('/').next().unwrap().parse().unwrap();
        Self { epoch, size: lines.next().unwrap().parse().unwrap(), root: lines.next().unwrap().to_owned() }
    }
}

impl Evidence {
    /// The present epoch.
    pub fn epoch(&self) -> u32 {
        u32::try_from(self.ended.len()).unwrap() + 1
    }

    /// The newest epoch in which a checkpoint was signed.
    pub fn newest_epoch(&self) -> u32 {
        self.notes.iter().map(|note| Head::of(note).epoch).max().unwrap()
    }

    /// Collects what is in the checkpoint files.
    pub fn collect(&mut self, hosts: &[Host]) {
        for host in hosts {
            self.notes.insert(host.note());
            self.notes.extend(host.former_notes());
        }
    }

    /// A bank got answers, of which the last may be lost.
    pub fn answered(&mut self, answers: &[GivenAnswer], lossy: bool) {
        self.given.extend(answers.iter().flat_map(|answer| &answer.ids).map(|id| (id.clone(), lossy)));
    }

    /// A recovery reported this.
    pub fn reported(&mut self, report: &str) {
        let lost = report.lines().filter_map(|line| line.strip_prefix("lost"));
        let names = lost.flat_map(str::split_whitespace).filter(|word| word.starts_with("dis_"));
        self.reported.extend(names.map(str::to_owned));
    }

    /// An epoch has ended with the primary that has this database.
    pub async fn ended(&mut self, url: &str) {
        let db = Db::open_postgres(url, 4).await.unwrap();
        self.notes.extend(notes(&db).await);
        self.ended.push(leaves(&db).await);
        db.close().await;
    }

    /// Every checkpoint of an epoch is a beginning of that epoch's one tree; each answer is an entry, or was named as lost.
    pub async fn must_be_one_history(mut self, app: &TestApp, url: &str, revoked: &[Consent]) {
        let db = Db::open_postgres(url, 4).await.unwrap();
        order::leaves_are_one_tree(&db).await;
        both_verify(app, ["one", "two"]).await;
        let (tree, stored) = (leaves(&db).await, notes(&db).await);
        are_beginnings(stored.iter().map(String::as_str), &tree);
        self.notes.extend(stored);
        self.ended.push(tree);
        for (epoch, tree) in (1..).zip(&self.ended) {
            let of_epoch: Vec<_> =
                self.notes.iter().map(String::as_str).filter(|note| Head::of(note).epoch == epoch).collect();
            assert!(!of_epoch.is_empty(), "epoch {epoch}");
            are_beginnings(of_epoch.into_iter(), tree);
        }
        assert_eq!(self.newest_epoch(), self.epoch() - 1, "and there is no other epoch");
        let lost = self.is_accounted_for(&db).await;
        for consent in revoked {
            let sql = "SELECT state FROM consents WHERE id = $1";
            let (state,): (String,) =
                db.read("test").fetch_one(sql, vec![consent.id.to_string().into()]).await.unwrap();
            assert_eq!(state, "revoked");
        }
        let (notes, given) = (self.notes.len(), self.given.len());
        eprintln!("{notes} checkpoints in {} epochs, {given} disclosures, {lost} lost", self.ended.len());
        db.close().await;
    }

    /// Returns how many disclosures are lost.
    async fn is_accounted_for(&self, db: &Db) -> usize {
        let entries: Vec<(String,)> = db.read("test").fetch_all("SELECT id FROM ledger_entries", vec![]).await.unwrap();
        let entries: HashSet<_> = entries.into_iter().map(|(id,)| id).collect();
        let recorded = lost_in_ledger(db).await;
        assert!(self.reported.is_subset(&recorded), "what is reported is on record, too");
        assert!(recorded.iter().all(|id| !entries.contains(id)), "what is reported is lost");
        let lost: Vec<_> = self.given.iter().filter(|(id, _)| !entries.contains(*id)).collect();
        assert!(lost.iter().all(|(_, may_be_lost)| **may_be_lost), "a synchronous standby loses nothing");
        let unnamed: Vec<_> = lost.iter().filter(|(id, _)| !recorded.contains(*id)).collect();
        assert!(unnamed.is_empty(), "lost without a report: {unnamed:?}");
        assert!(!lost.is_empty(), "nothing was lost: nothing was tested");
        lost.len()
    }
}

/// Each checkpoint is of the first leaves of a tree.
fn are_beginnings<'a>(notes: impl Iterator<Item = &'a str>, tree: &Leaves) {
    let mut edge = Edge::default();
    let mut sizes: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for head in notes.map(Head::of) {
        assert!(head.size <= tree.len(), "epoch {}: {} leaves of {}", head.epoch, head.size, tree.len());
        sizes.entry(head.size).or_default().insert(head.root);
    }
    for size in 0..=tree.len() {
        if let Some(roots) = sizes.get(&size) {
            let root = data_encoding::BASE64.encode(&edge.root());
            assert!(roots.iter().eq([&root]), "{size} leaves have the root {root}, and {roots:?} were signed");
        }
        if let Some(leaf) = tree.get(size) {
            edge.push(*leaf);
        }
    }
}

async fn notes(db: &Db) -> Vec<String> {
    let rows: Vec<(String,)> = db.read("test").fetch_all("SELECT note FROM ledger_checkpoints", vec![]).await.unwrap();
    rows.into_iter().map(|(note,)| note).collect()
}

async fn leaves(db: &Db) -> Leaves {
    let sql =
        "SELECT e.leaf_hash FROM ledger_leaves l JOIN ledger_entries e ON e.id = l.entry_id ORDER BY l.leaf_index";
    let rows: Vec<(Vec<u8>,)> = db.read("test").fetch_all(sql, vec![]).await.unwrap();
    rows.into_iter().map(|(leaf,)| leaf.try_into().unwrap()).collect()
}

/// The disclosures that entries of the ledger name as lost.
async fn lost_in_ledger(db: &Db) -> BTreeSet<String> {
    let sql = "SELECT o.body FROM ledger_openings o JOIN ledger_entries e ON e.id = o.entry_id \
        WHERE e.body LIKE '%\"answers_lost\"%'";
    let rows: Vec<(String,)> = db.read("test").fetch_all(sql, vec![]).await.unwrap();
    let mut lost = BTreeSet::new();
    for (body,) in rows {
        let body: Value = serde_json::from_str(&body).unwrap();
        let answers = body["fields"]["detail"]["value"]["answers"].as_array().unwrap();
        lost.extend(answers.iter().map(|answer| answer["id"].as_str().unwrap().to_owned()));
    }
    lost
}

#[test]
#[should_panic(expected = "were signed")]
fn a_second_history_of_an_epoch_is_found() {
    let note = |root: &[u8; 32]| format!("gateway.example/ledger/1\n1\n{}\n", data_encoding::BASE64.encode(root));
    // The root of a tree of one leaf is the leaf's hash.
    let (leaf, other) = ([7; 32], [8; 32]);
    are_beginnings([note(&leaf), note(&other)].iter().map(String::as_str), &vec![leaf]);
}
