//! Compares the events of a file with those that earlier imports delivered: the same act by another source or with another
//! day is one fact, and is reported. And compares a file with the one that it replaces.
//!
//! Earlier chunks are found by the hashes of their documents; facts are decoded only where a hash is the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    ImportError, Importer,
    facts::{EventDocument, event_key, is_day, reported_before},
    findings::Finding,
};
use crate::{
    domain::{Day, HalfYear, document_of},
    facts::{Chunk, Damaged, FactsOf, StoredFact, Totals, decode_documents, document_hash, encode_documents},
    scoring::{Catalogue, Measure},
    store::{
        DbError,
        facts::{self, ChunkRow, EarlierChunk},
    },
};

/// A document that an import moves to another half-year.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MovedDocument {
    pub(super) subject: String,
    pub(super) measure: String,
    pub(super) document: String,
}

/// The documents of a chunk whose hashes were not stored yet.
#[derive(Debug)]
pub(super) struct ChunkDocuments {
    pub(super) import_seq: i64,
    pub(super) part: i64,
    pub(super) documents: Vec<u8>,
}

/// The outcome of comparing a chunk.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) findings: Vec<Finding>,
    pub(super) moved: BTreeSet<MovedDocument>,
    /// Hashes of chunks that were stored before hashes were.
    pub(super) indexed: Vec<ChunkDocuments>,
}

/// A file that another one replaces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Former {
    /// Its number among the imports.
    pub(super) seq: i64,
    /// The number of its facts.
    pub(super) facts: u64,
    /// How many of them the new file has as well.
    pub(super) matched: u64,
}

/// Compares the chunks of one import with what is stored.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    /// The accepted imports of facts, without those that this one replaces.
    earlier: BTreeSet<i64>,
    /// The import that this one replaces.
    pub(super) former: Option<Former>,
}

/// The facts of a chunk by subject, each with its measure.
pub(super) type Facts = BTreeMap<String, Vec<(String, StoredFact)>>;

fn failed() -> impl FnOnce(DbError) -> ImportError {
    ImportError::store("compare with earlier facts")
}

fn damaged(damage: Damaged) -> ImportError {
    failed()(DbError::corrupt("facts", damage.to_string()))
}

/// Decodes the facts of some subjects.
pub(super) fn facts_of(chunk: &ChunkRow, is_requested: impl Fn(&str) -> bool) -> Result<Facts, ImportError> {
    let period: HalfYear = chunk.period.parse().map_err(|_| damaged(Damaged("it has no half-year")))?;
    let totals = Totals::read(&chunk.totals).map_err(damaged)?;
    let mut reader = FactsOf::new(&totals, &chunk.facts, period).map_err(damaged)?;
    let mut facts = Facts::new();
    // In the order of codes, because blocks are read forwards.
    for at in (0..totals.len()).filter(|at| is_requested(totals.code(*at))) {
        let of_subject = reader.of(at).map_err(damaged)?.into_iter();
        let measure = |fact: &StoredFact| totals.measures().get(fact.measure).cloned().unwrap_or_default();
        facts.insert(totals.code(at).to_owned(), of_subject.map(|fact| (measure(&fact), fact)).collect());
    }
    Ok(facts)
}

/// An event with the text that distinguishes it.
fn key_of(catalogue: &Catalogue, measure: &str, fact: &StoredFact) -> Option<String> {
    let measure: &Measure = catalogue.measure(measure).filter(|measure| measure.is_event())?;
    event_key(&fact.reference, fact.day, measure.repeats())
}

/// An event of a chunk.
struct StoredEvent<'f> {
    code: &'f str,
    measure: &'f str,
    /// What distinguishes it from others of its subject and measure.
    key: String,
    fact: &'f StoredFact,
}

/// The events of a chunk by hash.
fn events_of<'f>(catalogue: &Catalogue, facts: &'f Facts) -> HashMap<u64, Vec<StoredEvent<'f>>> {
    let mut events: HashMap<u64, Vec<_>> = HashMap::new();
    for (code, (measure, fact)) in facts.iter().flat_map(|(code, of)| of.iter().map(move |one| (code, one))) {
        if let Some(key) = key_of(catalogue, measure, fact) {
            let hash = document_hash(code, measure, &key);
            events.entry(hash).or_default().push(StoredEvent { code, measure, key, fact });
        }
    }
    events
}

impl Delivered {
    /// Reads which imports there are. `replaced` are those whose facts no longer count once this one is accepted.
    pub(super) async fn read(importer: &Importer, replaced: &[i64], former: Option<i64>) -> Result<Self, ImportError> {
        let read = importer.env.db.read("facts::accepted");
        let imports = facts::accepted(&read).await.map_err(failed())?;
        let counts = |import: &facts::FactImport| import.replaced_by.is_none() && !replaced.contains(&import.seq);
        let earlier = imports.into_iter().filter(counts).map(|import| import.seq).collect();
        let former = match former {
            None => None,
            Some(seq) => {
                let facts = facts::count(&read, seq).await.map_err(failed())?;
                Some(Former { seq, facts: u64::try_from(facts).unwrap_or(0), matched: 0 })
            }
        };
        Ok(Self { earlier, former })
    }

    /// Compares a chunk, which is not stored yet.
    pub(super) async fn compare(
        &mut self,
        importer: &Importer,
        kind: &str,
        chunk: &Chunk,
        documents: &[EventDocument],
    ) -> Result<Compared, ImportError> {
        let mut compared = Compared::default();
        let Some(catalogue) = importer.references.catalogues.get(kind) else { return Ok(compared) };
        if let Some(former) = &mut self.former {
            former.matched += matched(importer, catalogue, kind, chunk, former.seq).await?;
        }
        if documents.is_empty() || self.earlier.is_empty() {
            return Ok(compared);
        }
        let lines: HashMap<u64, u64> = documents.iter().map(|one| (one.hash, one.line)).collect();
        let read = importer.env.db.read("facts::earlier");
        let range = (chunk.first_code.as_str(), chunk.last_code.as_str());
        let mut earlier = facts::earlier(&read, kind, range).await.map_err(failed())?;
        earlier.retain(|row| self.earlier.contains(&row.import_seq));
        // The latest first: a document is compared with its last delivery.
        earlier.sort_by_key(|row| std::cmp::Reverse((row.import_seq, row.part)));
        let mut own: Option<Facts> = None;
        let mut compared_lines = HashSet::new();
        for row in earlier {
            let hashes = stored_documents(importer, catalogue, &row, &mut compared.indexed).await?;
            let hits: HashSet<u64> = decode_documents(&hashes).filter(|hash| lines.contains_key(hash)).collect();
            if hits.is_empty() {
                continue;
            }
            let own = match &mut own {
                Some(own) => own,
                none => none.insert(facts_of(&as_row(chunk), |_| true)?),
            };
            let own = events_of(catalogue, own);
            let codes: BTreeSet<&str> =
                hits.iter().filter_map(|hash| own.get(hash)).flatten().map(|one| one.code).collect();
            let former = facts::chunk(&read, row.import_seq, row.part).await.map_err(failed())?;
            let Some(former) = former else { continue };
            let before = facts_of(&former, |code| codes.contains(code))?;
            let before = events_of(catalogue, &before);
            for (hash, line) in hits.iter().filter_map(|hash| lines.get_key_value(hash)) {
                let (Some(now), Some(before)) = (own.get(hash), before.get(hash)) else { continue };
                let same = now.iter().find_map(|now| {
                    let is_same = |before: &&StoredEvent<'_>| {
                        (before.code, before.measure, &before.key) == (now.code, now.measure, &now.key)
                    };
                    before.iter().find(is_same).map(|before| (now, before))
                });
                // Two documents with one hash, or a document that a later import was compared with already.
                let Some((now, before)) = same.filter(|_| compared_lines.insert(*line)) else { continue };
                compared.add(catalogue, *line, row.import_seq, now, before);
            }
        }
        Ok(compared)
    }
}

impl Compared {
    /// Adds what a second delivery of an event comes to.
    fn add(
        &mut self,
        catalogue: &Catalogue,
        line: u64,
        import_seq: i64,
        now: &StoredEvent<'_>,
        before: &StoredEvent<'_>,
    ) {
        let StoredEvent { code, measure, key, fact } = now;
        let former = before.fact;
        let half = |day: Day| HalfYear::of(day.month());
        if half(fact.day) != half(former.day) {
            let (subject, measure) = ((*code).to_owned(), (*measure).to_owned());
            self.moved.insert(MovedDocument { subject, measure, document: key.clone() });
        }
        let same_source = catalogue.authority(&fact.source) == catalogue.authority(&former.source);
        // The same fact, delivered again: it replaces the former one, as every fact does.
        if !is_day(key) && fact.day == former.day && same_source {
            return;
        }
        let before = format!("a fact of import {import_seq} ({})", former.day);
        self.findings.push(reported_before(line, key, &before));
    }
}

fn as_row(chunk: &Chunk) -> ChunkRow {
    ChunkRow {
        import_seq: 0,
        part: 0,
        period: chunk.period.to_string(),
        totals: chunk.totals.clone(),
        facts: chunk.facts.clone(),
        digest: chunk.digest.to_vec(),
    }
}

/// The hashes of an earlier chunk. Those of a chunk from before hashes were stored are computed, to be stored as well.
async fn stored_documents(
    importer: &Importer,
    catalogue: &Catalogue,
    row: &EarlierChunk,
    indexed: &mut Vec<ChunkDocuments>,
) -> Result<Vec<u8>, ImportError> {
    if let Some(documents) = &row.documents {
        return Ok(documents.clone());
    }
    let read = importer.env.db.read("facts::chunk");
    let chunk = facts::chunk(&read, row.import_seq, row.part).await.map_err(failed())?;
    let Some(chunk) = chunk else { return Ok(Vec::new()) };
    let facts = facts_of(&chunk, |_| true)?;
    let documents = encode_documents(events_of(catalogue, &facts).into_keys().collect());
    indexed.push(ChunkDocuments { import_seq: row.import_seq, part: row.part, documents: documents.clone() });
    Ok(documents)
}

/// How many facts of a chunk the import that it replaces has as well.
async fn matched(
    importer: &Importer,
    catalogue: &Catalogue,
    kind: &str,
    chunk: &Chunk,
    former: i64,
) -> Result<u64, ImportError> {
    let read = importer.env.db.read("facts::of_import");
    let range = (chunk.first_code.as_str(), chunk.last_code.as_str());
    let own = facts_of(&as_row(chunk), |_| true)?;
    let codes: BTreeSet<&str> = own.keys().map(String::as_str).collect();
    let mut before: HashSet<(String, String, String)> = HashSet::new();
    for row in facts::of_import(&read, former, kind, range).await.map_err(failed())? {
        for (code, of) in facts_of(&row, |code| codes.contains(code))? {
            before.extend(of.into_iter().map(|(measure, fact)| identity(catalogue, &code, measure, &fact)));
        }
    }
    let now = own.into_iter().flat_map(|(code, of)| of.into_iter().map(move |one| (code.clone(), one)));
    let is_matched = |(code, (measure, fact)): (String, (String, StoredFact))| {
        before.contains(&identity(catalogue, &code, measure, &fact))
    };
    Ok(u64::try_from(now.map(is_matched).filter(|matched| *matched).count()).unwrap_or(0))
}

/// What identifies a fact among those of a file and the one that it replaces.
pub(super) fn identity(
    catalogue: &Catalogue,
    code: &str,
    measure: String,
    fact: &StoredFact,
) -> (String, String, String) {
    let is_event = catalogue.measure(&measure).is_some_and(Measure::is_event);
    let document = document_of(&fact.reference);
    let rest = if is_event && !document.is_empty() {
        document.into_owned()
    } else {
        format!("\n{}\n{}\n{}", fact.day, catalogue.authority(&fact.source), fact.reference)
    };
    (code.to_owned(), measure, rest)
}
