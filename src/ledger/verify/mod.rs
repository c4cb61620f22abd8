//! Builds the whole ledger again from nothing and says what does not fit, and where (I7).
//!
//! Nothing that is derived is believed: leaves are hashed from the entries' texts, tiles and roots are computed, every
//! checkpoint's signature is verified. What cannot be seen from inside is said as well: without a checkpoint from
//! outside the database, entries cut off at the end together with their checkpoints leave no trace in it.

mod entries;
mod tree;

use std::fmt;

use super::{
    LedgerError,
    checkpoint_file::CheckpointFile,
    keys::{LogKey, open_checkpoint},
};
use crate::{
    merkle::Checkpoint,
    store::{Db, ledger::audit},
};

use entries::Entries;
use tree::Tree;

/// How many problems are kept in full; all are counted.
const KEPT: usize = 200;
/// How many leaves are read at once.
const PAGE: i64 = 1000;

/// What is verified, and against what.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The database.
    pub db: &'a Db,
    /// The log: `<host>/ledger/<epoch>`.
    pub origin: &'a str,
    /// The keys that may have signed its checkpoints. Best not taken from the same database.
    pub keys: &'a [LogKey],
    /// The file with the newest checkpoint.
    pub outside: Option<&'a CheckpointFile>,
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: an entry, a leaf, a tile, a checkpoint.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// What was said by the checkpoint outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// There was none: a cut-off tail cannot be seen.
    Absent,
    /// It covers this many leaves.
    Covers(u64),
    /// It is no checkpoint of this log.
    Unusable,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Report {
    /// Leaves, each hashed again.
    pub leaves: u64,
    /// Full tiles, each computed again.
    pub tiles: u64,
    /// Checkpoints, each root and signature verified.
    pub checkpoints: u64,
    /// Openings, each field checked against its commitment.
    pub openings: u64,
    /// Openings that are gone, each backed by an erasure entry.
    pub erased: u64,
    /// Entries that wait for the sealer.
    pub waiting: u64,
    /// The checkpoint outside.
    pub outside: Outside,
    /// What does not fit, the first ones.
    pub problems: Vec<Problem>,
    /// How many things do not fit.
    pub problem_count: u64,
}

impl Report {
    const fn new() -> Self {
        Self {
            leaves: 0,
            tiles: 0,
            checkpoints: 0,
            openings: 0,
            erased: 0,
            waiting: 0,
            outside: Outside::Absent,
            problems: Vec::new(),
            problem_count: 0,
        }
    }

    fn wrong(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < KEPT {
            self.problems.push(Problem { place: place.into(), what: what.into() });
        }
    }

    /// Whether everything fits.
    pub const fn sound(&self) -> bool {
        self.problem_count == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "leaves       {} hashed again", self.leaves)?;
        writeln!(f, "tiles        {} computed again", self.tiles)?;
        writeln!(f, "checkpoints  {} roots and signatures verified", self.checkpoints)?;
        writeln!(f, "openings     {} fit their commitments, {} erased by an entry", self.openings, self.erased)?;
        writeln!(f, "waiting      {} committed and not yet sealed", self.waiting)?;
        match self.outside {
            Outside::Covers(size) => writeln!(f, "outside      the checkpoint outside covers {size} leaves")?,
            Outside::Unusable => writeln!(f, "outside      the checkpoint outside cannot be used")?,
            Outside::Absent => {
                writeln!(f, "outside      NO CHECKPOINT FROM OUTSIDE: entries cut off at the end cannot be seen")?;
            }
        }
        for problem in &self.problems {
            writeln!(f, "TAMPERED     {problem}")?;
        }
        let kept = u64::try_from(self.problems.len()).unwrap_or(u64::MAX);
        if self.problem_count > kept {
            writeln!(f, "TAMPERED     and {} more", self.problem_count - kept)?;
        }
        match self.problem_count {
            0 => f.write_str("the ledger is whole"),
            many => write!(f, "the ledger is NOT whole: {many} thing(s) do not fit"),
        }
    }
}

/// Verifies a ledger, also while gateways write to it. `progress` is told how many leaves are done, and of how many.
pub async fn verify(subject: Subject<'_>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LedgerError> {
    let mut report = Report::new();
    // Read before the database: each checkpoint goes outside after its commit, so this one is not ahead of an honest
    // ledger.
    let outside = read_outside(&subject, &mut report).await;
    let extent = audit::extent(subject.db).await?;
    let leaves = u64::try_from(extent.leaves).unwrap_or(0);
    if let Some(outside) = outside.as_ref().filter(|outside| outside.size > leaves) {
        report.wrong(
            "tail",
            format!(
                "the ledger ends after {leaves} leaves, the checkpoint outside covers {}: the tail was cut off",
                outside.size
            ),
        );
    }
    if extent.sealed != extent.leaves {
        report.wrong("tail", format!("{leaves} leaves, but the last checkpoint covers {}", extent.sealed));
    }
    let mut tree = Tree::new(&subject, leaves, outside);
    let mut entries = Entries::default();
    let mut from = 0;
    while from < extent.leaves {
        let page = audit::leaves(subject.db, from, PAGE.min(extent.leaves - from)).await?;
        let Some(last) = page.last().map(|row| row.leaf_index) else {
            report.wrong(format!("leaf {from}"), "it is missing, and every one after it");
            break;
        };
        for row in page {
            // Counted leaves with a gap reach beyond the count.
            if row.leaf_index < extent.leaves {
                let leaf = entries.leaf(&row, &mut report);
                tree.leaf(&row, leaf, &mut report).await?;
            } else {
                report.wrong(format!("leaf {}", row.leaf_index), "it stands beyond a gap");
            }
        }
        from = last + 1;
        progress(u64::try_from(from).unwrap_or(leaves).min(leaves), leaves);
    }
    tree.finish(u64::try_from(extent.tiles).unwrap_or(0), &mut report).await?;
    entries.finish(subject.db, extent.leaves, &mut report).await?;
    Ok(report)
}

async fn read_outside(subject: &Subject<'_>, report: &mut Report) -> Option<Checkpoint> {
    let file = subject.outside?;
    let place = format!("checkpoint file {}", file.path().display());
    match file.read().await {
        Ok(None) => None,
        Ok(Some(note)) => match open_checkpoint(&note, subject.origin, subject.keys) {
            Ok(checkpoint) => {
                report.outside = Outside::Covers(checkpoint.size);
                Some(checkpoint)
            }
            Err(error) => {
                report.outside = Outside::Unusable;
                report.wrong(place, error.to_string());
                None
            }
        },
        Err(error) => {
            report.outside = Outside::Unusable;
            report.wrong(place, error.to_string());
            None
        }
    }
}
