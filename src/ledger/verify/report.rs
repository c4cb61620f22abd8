//! The result of a verification, and its text for the command line.

use std::fmt;

use crate::domain::Timestamp;

/// How many problems are reported in full; all are counted.
const REPORTED: usize = 200;

/// A mismatch.
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

/// The result of reading the checkpoint file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointFileCheck {
    /// None was given: a truncated ledger cannot be detected.
    Absent,
    /// The given file does not exist although the database has checkpoints: the end of the ledger is not verified.
    Missing,
    /// Its checkpoint covers this many leaves.
    Covers(u64),
    /// It is not a checkpoint of this log.
    Unusable,
}

/// The result of a verification.
#[derive(Debug, Clone)]
pub struct Report {
    /// Leaves that an earlier verification covers, and this one did not read.
    pub verified_before: u64,
    /// Leaves, each hashed again.
    pub leaves: u64,
    /// Full tiles, each computed again.
    pub tiles: u64,
    /// Checkpoints, each root and signature verified.
    pub checkpoints: u64,
    /// Openings, each field checked against its commitment.
    pub openings: u64,
    /// Missing openings, each accounted for by an erasure entry.
    pub erased: u64,
    /// Entries in the sealer's queue.
    pub waiting: u64,
    /// Consents, each compared with its entries.
    pub consents: u64,
    /// Counted answers of all consents.
    pub answers: u64,
    /// Whether consents and counted answers were compared.
    pub state_was_compared: bool,
    /// The newest checkpoint that was verified, as a signed note.
    pub newest_checkpoint: Option<String>,
    pub checkpoint_file: CheckpointFileCheck,
    /// The first entries that are not sealed although their promised time is over, at most 200.
    pub overdue: Vec<Problem>,
    /// The number of all of these.
    pub overdue_count: u64,
    /// The first mismatches, at most 200.
    pub problems: Vec<Problem>,
    /// The number of all mismatches.
    pub problem_count: u64,
}

impl Report {
    pub(super) const fn new() -> Self {
        Self {
            verified_before: 0,
            leaves: 0,
            tiles: 0,
            checkpoints: 0,
            openings: 0,
            erased: 0,
            waiting: 0,
            consents: 0,
            answers: 0,
            state_was_compared: false,
            newest_checkpoint: None,
            checkpoint_file: CheckpointFileCheck::Absent,
            overdue: Vec::new(),
            overdue_count: 0,
            problems: Vec::new(),
            problem_count: 0,
        }
    }

    /// Adds a mismatch.
    pub(super) fn wrong(&mut self, place: impl Into<String>, what: impl Into<String>) {
        // Counted beyond what is listed: after one changed leaf every later checkpoint mismatches, and a large ledger's
        // list must not exhaust the memory.
        self.problem_count += 1;
        if self.problems.len() < REPORTED {
            self.problems.push(Problem { place: place.into(), what: what.into() });
        }
    }

    /// Adds an entry that should have been sealed by a time.
    pub(super) fn overdue(&mut self, place: String, by: Timestamp) {
        self.overdue_count += 1;
        // Bounded like the mismatches: a sealer that stopped long ago leaves many.
        if self.overdue.len() < REPORTED {
            self.overdue.push(Problem { place, what: format!("its receipt promised a checkpoint by {by}") });
        }
    }

    /// Whether there is no mismatch, no entry is overdue, and the end of the ledger was compared if a checkpoint file was
    /// given.
    pub fn sound(&self) -> bool {
        self.problem_count == 0 && self.overdue_count == 0 && self.checkpoint_file != CheckpointFileCheck::Missing
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.verified_before > 0 {
            writeln!(f, "before       {} leaves were verified earlier and not read again", self.verified_before)?;
        }
        writeln!(f, "leaves       {} hashed again", self.leaves)?;
        writeln!(f, "tiles        {} computed again", self.tiles)?;
        writeln!(f, "checkpoints  {} roots and signatures verified", self.checkpoints)?;
        writeln!(f, "openings     {} fit their commitments, {} erased by an entry", self.openings, self.erased)?;
        writeln!(f, "waiting      {} committed and not yet sealed", self.waiting)?;
        if self.state_was_compared {
            writeln!(
                f,
                "consents     {} compared with their entries, {} answers counted",
                self.consents, self.answers
            )?;
        } else if self.verified_before > 0 {
            writeln!(f, "consents     NOT compared: that needs every entry, so a verification of everything does it")?;
        }
        match self.checkpoint_file {
            CheckpointFileCheck::Covers(size) => writeln!(f, "outside      the checkpoint file covers {size} leaves")?,
            CheckpointFileCheck::Unusable => writeln!(f, "outside      the checkpoint file cannot be used")?,
            CheckpointFileCheck::Missing => {
                writeln!(f, "outside      THE CHECKPOINT FILE IS MISSING: entries cut off at the end cannot be seen")?;
            }
            CheckpointFileCheck::Absent => {
                writeln!(f, "outside      NO CHECKPOINT FROM OUTSIDE: entries cut off at the end cannot be seen")?;
            }
        }
        for problem in &self.problems {
            writeln!(f, "TAMPERED     {problem}")?;
        }
        for entry in &self.overdue {
            writeln!(f, "OVERDUE      {entry}")?;
        }
        let reported = u64::try_from(self.problems.len()).unwrap_or(u64::MAX);
        if self.problem_count > reported {
            writeln!(f, "TAMPERED     and {} more", self.problem_count - reported)?;
        }
        let whole = match self.verified_before {
            0 => "the ledger is whole",
            _ => "what was added to the ledger is whole",
        };
        match self.problem_count {
            0 if self.checkpoint_file == CheckpointFileCheck::Missing => {
                f.write_str("the entries match, and the end of the ledger is NOT verified")
            }
            0 if self.overdue_count > 0 => {
                write!(f, "{whole}, and {} entries are NOT sealed as promised", self.overdue_count)
            }
            0 => f.write_str(whole),
            many => write!(f, "the ledger is NOT whole: {many} mismatch(es)"),
        }
    }
}
