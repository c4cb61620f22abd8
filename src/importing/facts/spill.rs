//! The temporary file that checked facts are written to, in partitions by subject.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    sync::{Mutex, PoisonError},
};

use time::Date;

use super::CheckedFact;
use crate::{domain::Day, scoring::Authorities};

/// A thread writes a partition out when it has buffered this much of it.
const PIECE_BYTES: usize = 128 << 10;

/// Bytes of the imported file in one partition: sorting takes about twice as much memory, on each core.
const PARTITION_BYTES: u64 = 24 << 20;

/// Most partitions: each thread buffers a piece of every one.
const MOST_PARTITIONS: u64 = 256;

/// The names of sources, numbered for all threads: few authorities report the facts of a city.
#[derive(Debug, Default)]
struct Sources {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

/// Where the pieces of each partition are in the file.
#[derive(Debug, Default)]
struct Written {
    length: u64,
    /// By partition: offset and length of each piece.
    pieces: Vec<Vec<(u64, usize)>>,
}

/// The temporary file.
#[derive(Debug)]
pub(in crate::importing) struct Spill {
    file: File,
    subjects_per_partition: usize,
    partitions: usize,
    written: Mutex<Written>,
    sources: Mutex<Sources>,
    /// The names of providers: a source is stored under the name of the authority that it is.
    authorities: Authorities,
}

impl Spill {
    /// An empty file for the facts of a file of `file_bytes` about `subjects`.
    pub(super) fn for_file(file_bytes: u64, subjects: usize, authorities: Authorities) -> io::Result<Self> {
        let partitions = usize::try_from(file_bytes.div_ceil(PARTITION_BYTES).clamp(1, MOST_PARTITIONS)).unwrap_or(1);
        // Not more than there are subjects: a partition has whole subjects.
        let partitions = partitions.clamp(1, subjects.max(1));
        Ok(Self {
            // The file has no name, so the system deletes it when it is closed, also when the process is killed.
            file: tempfile::tempfile()?,
            subjects_per_partition: subjects.div_ceil(partitions).max(1),
            partitions,
            written: Mutex::new(Written { length: 0, pieces: vec![Vec::new(); partitions] }),
            sources: Mutex::default(),
            authorities,
        })
    }

    /// How many partitions there are.
    pub(super) const fn partitions(&self) -> usize {
        self.partitions
    }

    /// A writer for one thread.
    pub(in crate::importing) fn writer(&self) -> SpillWriter<'_> {
        SpillWriter { spill: self, buffers: vec![Vec::new(); self.partitions], last_source: None }
    }

    fn source(&self, text: &str) -> u32 {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = sources.numbers.get(text) {
            return *number;
        }
        let name = self.authorities.name_of(text).unwrap_or(text);
        let number = sources.numbers.get(name).copied().unwrap_or_else(|| {
            let number = u32::try_from(sources.texts.len()).unwrap_or(u32::MAX);
            sources.texts.push(name.into());
            sources.numbers.insert(name.into(), number);
            number
        });
        // Under the alias as well, so that the next line with it finds the number.
        sources.numbers.insert(text.into(), number);
        number
    }

    /// All sources, by number.
    pub(super) fn sources(&self) -> Vec<Box<str>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).texts.clone()
    }

    fn write(&self, partition: usize, piece: &[u8]) -> io::Result<()> {
        let length = u64::try_from(piece.len()).unwrap_or(0);
        let at = {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            // Only the range is reserved under the lock; threads write their pieces at the same time.
            let at = written.length;
            written.length += length;
            if let Some(pieces) = written.pieces.get_mut(partition) {
                pieces.push((at, piece.len()));
            }
            at
        };
        self.file.write_all_at(piece, at)
    }

    /// The bytes of a partition. The order of its pieces depends on the threads that wrote them.
    pub(super) fn read(&self, partition: usize) -> io::Result<Vec<u8>> {
        // Copied out of the lock, so that other threads read their partitions meanwhile.
        let pieces = {
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.pieces.get(partition).cloned().unwrap_or_default()
        };
        let mut bytes = vec![0; pieces.iter().map(|(_, length)| length).sum()];
        let mut rest = bytes.as_mut_slice();
        for (at, length) in pieces {
            // The buffer has the sum of the lengths, so it never ends early.
            let Some((piece, more)) = rest.split_at_mut_checked(length) else { break };
            self.file.read_exact_at(piece, at)?;
            rest = more;
        }
        Ok(bytes)
    }
}

/// A source and its number.
#[derive(Debug)]
struct NumberedSource {
    name: String,
    number: u32,
}

/// Writes facts on behalf of one thread.
#[derive(Debug)]
pub(in crate::importing) struct SpillWriter<'s> {
    spill: &'s Spill,
    /// What is not written yet of each partition.
    buffers: Vec<Vec<u8>>,
    /// The source of the fact before, and its number: looked up under a lock only when it changes.
    last_source: Option<NumberedSource>,
}

impl SpillWriter<'_> {
    /// Adds a fact to the partition of its subject.
    pub(super) fn put(&mut self, fact: &CheckedFact<'_>) -> io::Result<()> {
        let source = match &self.last_source {
            Some(last) if last.name == fact.source => last.number,
            _ => {
                let number = self.spill.source(fact.source);
                self.last_source = Some(NumberedSource { name: fact.source.to_owned(), number });
                number
            }
        };
        let partition = usize::try_from(fact.subject).unwrap_or(0) / self.spill.subjects_per_partition;
        let Some(buffer) = self.buffers.get_mut(partition) else {
            return Err(io::Error::other("a fact of a subject that is in no partition"));
        };
        let reference = fact.reference.as_bytes();
        let length = u16::try_from(reference.len()).map_err(io::Error::other)?;
        buffer.write_all(&fact.subject.to_le_bytes())?;
        buffer.write_all(&fact.measure.to_le_bytes())?;
        buffer.write_all(&fact.day.to_le_bytes())?;
        buffer.write_all(&fact.value_e4.to_le_bytes())?;
        buffer.write_all(&source.to_le_bytes())?;
        buffer.write_all(&fact.line.to_le_bytes())?;
        buffer.write_all(&length.to_le_bytes())?;
        buffer.write_all(reference)?;
        if buffer.len() >= PIECE_BYTES {
            self.spill.write(partition, buffer)?;
            buffer.clear();
        }
        Ok(())
    }

    /// Writes the buffers out.
    pub(in crate::importing) fn finish(self) -> io::Result<()> {
        for (partition, buffer) in self.buffers.iter().enumerate().filter(|(_, buffer)| !buffer.is_empty()) {
            self.spill.write(partition, buffer)?;
        }
        Ok(())
    }
}

/// A fact read back. Its reference is a range of the partition's bytes, so that facts are sorted without copying texts.
#[derive(Debug, Clone)]
pub(super) struct Spilled {
    pub(super) subject: u32,
    pub(super) measure: u16,
    pub(super) day: i32,
    pub(super) value_e4: i64,
    pub(super) source: u32,
    pub(super) line: u64,
    pub(super) reference: Range<usize>,
}

/// The day of a Julian day number that was computed from a day.
pub(super) fn day_of(julian: i32) -> Day {
    let date = Date::from_julian_day(julian).unwrap_or(Date::MIN);
    Day::from(date)
}

/// The facts of a partition; an error if its bytes are not what was written.
pub(super) fn facts_of(partition: &[u8]) -> io::Result<Vec<Spilled>> {
    // 48: the 32 bytes of a fact, and a reference of usual length.
    let mut facts = Vec::with_capacity(partition.len() / 48);
    let mut rest = partition;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the temporary file was changed");
    while !rest.is_empty() {
        let (subject, more) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (measure, more) = more.split_first_chunk::<2>().ok_or_else(damaged)?;
        let (day, more) = more.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (value, more) = more.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (source, more) = more.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (line, more) = more.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (length, more) = more.split_first_chunk::<2>().ok_or_else(damaged)?;
        let length = u16::from_le_bytes(*length);
        let at = partition.len() - more.len();
        rest = more.get(usize::from(length)..).ok_or_else(damaged)?;
        facts.push(Spilled {
            subject: u32::from_le_bytes(*subject),
            measure: u16::from_le_bytes(*measure),
            day: i32::from_le_bytes(*day),
            value_e4: i64::from_le_bytes(*value),
            source: u32::from_le_bytes(*source),
            line: u64::from_le_bytes(*line),
            reference: at..at + usize::from(length),
        });
    }
    Ok(facts)
}
