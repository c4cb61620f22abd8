//! The temporary file that checked facts wait in, heap by heap.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
    sync::{Mutex, PoisonError},
};

use super::CheckedFact;

/// A heap is written out when so much of it waits.
const PIECE_BYTES: usize = 128 << 10;

/// Texts shared by all threads, by number: few bodies report the facts of a city.
#[derive(Debug, Default)]
struct Sources {
    texts: Vec<Box<str>>,
    places: HashMap<Box<str>, u32>,
}

/// Where the pieces of every heap stand.
#[derive(Debug, Default)]
struct Written {
    length: u64,
    /// By heap: where pieces begin and how long they are.
    pieces: Vec<Vec<(u64, usize)>>,
}

/// The file.
#[derive(Debug)]
pub(in crate::importing) struct Spill {
    file: File,
    subjects_of_a_heap: usize,
    heaps: usize,
    written: Mutex<Written>,
    sources: Mutex<Sources>,
}

impl Spill {
    /// An empty file for some subjects in some heaps. It has no name: it is gone when it is closed, however that comes.
    pub(super) fn new(subjects: usize, heaps: usize) -> io::Result<Self> {
        let heaps = heaps.clamp(1, subjects.max(1));
        Ok(Self {
            file: tempfile::tempfile()?,
            subjects_of_a_heap: subjects.div_ceil(heaps).max(1),
            heaps,
            written: Mutex::new(Written { length: 0, pieces: vec![Vec::new(); heaps] }),
            sources: Mutex::default(),
        })
    }

    /// How many heaps there are.
    pub(super) const fn heaps(&self) -> usize {
        self.heaps
    }

    /// Somewhere for one thread to put facts.
    pub(super) fn writer(&self) -> SpillWriter<'_> {
        SpillWriter { spill: self, waiting: vec![Vec::new(); self.heaps], source: (String::new(), None) }
    }

    fn source(&self, text: &str) -> u32 {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = sources.places.get(text) {
            return *place;
        }
        let place = u32::try_from(sources.texts.len()).unwrap_or(u32::MAX);
        sources.texts.push(text.into());
        sources.places.insert(text.into(), place);
        place
    }

    /// Every source that was named.
    pub(super) fn sources(&self) -> Vec<Box<str>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).texts.clone()
    }

    fn write(&self, heap: usize, piece: &[u8]) -> io::Result<()> {
        let length = u64::try_from(piece.len()).unwrap_or(0);
        let at = {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            let at = written.length;
            written.length += length;
            if let Some(pieces) = written.pieces.get_mut(heap) {
                pieces.push((at, piece.len()));
            }
            at
        };
        self.file.write_all_at(piece, at)
    }

    /// The bytes of a heap, its pieces in no particular order.
    pub(super) fn read(&self, heap: usize) -> io::Result<Vec<u8>> {
        let pieces = {
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.pieces.get(heap).cloned().unwrap_or_default()
        };
        let mut bytes = vec![0; pieces.iter().map(|(_, length)| length).sum()];
        let mut rest = bytes.as_mut_slice();
        for (at, length) in pieces {
            let Some((piece, more)) = rest.split_at_mut_checked(length) else { break };
            self.file.read_exact_at(piece, at)?;
            rest = more;
        }
        Ok(bytes)
    }
}

/// One thread's share of the heaps.
#[derive(Debug)]
pub(super) struct SpillWriter<'s> {
    spill: &'s Spill,
    waiting: Vec<Vec<u8>>,
    /// The source named last.
    source: (String, Option<u32>),
}

impl SpillWriter<'_> {
    /// Puts a fact on the heap of its subject.
    pub(super) fn put(&mut self, fact: &CheckedFact<'_>) -> io::Result<()> {
        if self.source.1.is_none() || self.source.0 != fact.source {
            self.source = (fact.source.to_owned(), Some(self.spill.source(fact.source)));
        }
        let source = self.source.1.unwrap_or(0);
        let heap = usize::try_from(fact.subject).unwrap_or(0) / self.spill.subjects_of_a_heap;
        let Some(waiting) = self.waiting.get_mut(heap) else {
            return Err(io::Error::other("a fact of a subject that is on no heap"));
        };
        let reference = fact.reference.as_bytes();
        let length = u16::try_from(reference.len()).map_err(io::Error::other)?;
        waiting.write_all(&fact.subject.to_le_bytes())?;
        waiting.write_all(&fact.measure.to_le_bytes())?;
        waiting.write_all(&fact.day.to_le_bytes())?;
        waiting.write_all(&fact.value_e4.to_le_bytes())?;
        waiting.write_all(&source.to_le_bytes())?;
        waiting.write_all(&fact.line.to_le_bytes())?;
        waiting.write_all(&length.to_le_bytes())?;
        waiting.write_all(reference)?;
        if waiting.len() >= PIECE_BYTES {
            self.spill.write(heap, waiting)?;
            waiting.clear();
        }
        Ok(())
    }

    /// Writes what waits.
    pub(super) fn finish(self) -> io::Result<()> {
        for (heap, waiting) in self.waiting.iter().enumerate().filter(|(_, waiting)| !waiting.is_empty()) {
            self.spill.write(heap, waiting)?;
        }
        Ok(())
    }
}

/// A fact as it is read back: its reference still lies in the heap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spilled {
    pub(super) subject: u32,
    pub(super) measure: u16,
    pub(super) day: i32,
    pub(super) value_e4: i64,
    pub(super) source: u32,
    pub(super) line: u64,
    pub(super) reference: (usize, u16),
}

/// Every fact of a heap's bytes; an error where they are not what was written.
pub(super) fn facts_of(heap: &[u8]) -> io::Result<Vec<Spilled>> {
    let mut facts = Vec::with_capacity(heap.len() / 48);
    let mut rest = heap;
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
        let at = heap.len() - more.len();
        rest = more.get(usize::from(length)..).ok_or_else(damaged)?;
        facts.push(Spilled {
            subject: u32::from_le_bytes(*subject),
            measure: u16::from_le_bytes(*measure),
            day: i32::from_le_bytes(*day),
            value_e4: i64::from_le_bytes(*value),
            source: u32::from_le_bytes(*source),
            line: u64::from_le_bytes(*line),
            reference: (at, length),
        });
    }
    Ok(facts)
}
