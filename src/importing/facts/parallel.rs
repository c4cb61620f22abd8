//! Checks a file on several threads: one reads it in parts, the others check the rows of each, and one hands the results on
//! in the order of the file.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use super::{FactChecks, FactRows, Spill};
use crate::importing::{
    ImportError,
    batch::{Batch, Stop},
    file_context::FileContext,
    source::{BlockSource, RowBlocks},
};

/// Parts of a file that wait to be checked. With those being checked they bound the memory.
const PARTS_WAITING: usize = 2;

/// A part of a file, and its number in the order of the file.
struct Part<P> {
    nth: u64,
    rows: P,
}

/// A part that was checked, by its number.
type Checked = (u64, Result<Batch, ImportError>);

/// How a file is checked on several threads.
#[derive(Clone, Copy)]
pub(in crate::importing) struct Parallel<'a> {
    pub(in crate::importing) checks: &'a FactChecks,
    pub(in crate::importing) file: FileContext<'a>,
    /// The file that facts are written to.
    pub(in crate::importing) spill: &'a Spill,
    pub(in crate::importing) threads: usize,
}

impl Parallel<'_> {
    /// Checks the parts that `next` reads. `check` checks one of them; `send` gets the batches in the order of the file.
    pub(super) fn run<P: Send>(
        self,
        mut next: impl FnMut() -> Result<Option<P>, ImportError>,
        check: impl Fn(&P, &mut FactRows<'_>) -> Result<Batch, ImportError> + Sync,
        mut send: impl FnMut(Batch) -> Result<(), Stop> + Send,
    ) -> Result<(), Stop> {
        let stopped = AtomicBool::new(false);
        let (to_checkers, unchecked) = sync_channel::<Part<P>>(PARTS_WAITING);
        // A channel has one receiver: the lock lets the checkers take turns with it.
        let unchecked = Arc::new(Mutex::new(unchecked));
        // Bounded: checkers that are faster than the stager must not fill the memory.
        let (to_sender, checked) = sync_channel::<Checked>(self.threads.max(1) * 2);
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                let (to_sender, unchecked, check) = (to_sender.clone(), unchecked.clone(), &check);
                scope.spawn(move || self.check_all(&unchecked, &to_sender, check));
            }
            // Only the checkers keep their ends of the channels: when all have ended, the reader and the sender end too.
            drop((to_sender, unchecked));
            let sender = scope.spawn(|| {
                let outcome = send_in_order(checked, &mut send);
                if outcome.is_err() {
                    // Relaxed: the flag only ends the reading sooner, and results go through the channels.
                    stopped.store(true, Ordering::Relaxed);
                }
                outcome
            });
            let read = read_parts(&mut next, &to_checkers, &stopped);
            // The checkers end when no part can follow, so this comes before the wait for the sender.
            drop(to_checkers);
            let sent = sender.join().unwrap_or(Err(Stop::Failed(ImportError::ReaderGone)));
            read?;
            sent
        })
    }

    /// Checks parts on one thread.
    fn check_all<P>(
        self,
        unchecked: &Mutex<Receiver<Part<P>>>,
        to: &SyncSender<Checked>,
        check: &impl Fn(&P, &mut FactRows<'_>) -> Result<Batch, ImportError>,
    ) {
        let mut rows = FactRows::new(self.checks, self.file, self.spill);
        let mut last = 0;
        loop {
            // The lock is held while waiting, but not while checking: the guard is dropped at the end of this statement.
            let part = unchecked.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(part) = part else { break };
            last = part.nth;
            if to.send((part.nth, check(&part.rows, &mut rows))).is_err() {
                return;
            }
        }
        if let Err(error) = rows.finish() {
            // The last part was sent already; the error takes its number and ends the import.
            let _ = to.send((last, Err(error)));
        }
    }
}

/// Reads the file to its end, or until no checker takes parts any more.
fn read_parts<P>(
    next: &mut impl FnMut() -> Result<Option<P>, ImportError>,
    to: &SyncSender<Part<P>>,
    stopped: &AtomicBool,
) -> Result<(), ImportError> {
    let mut nth = 0;
    while let Some(rows) = next()? {
        if stopped.load(Ordering::Relaxed) || to.send(Part { nth, rows }).is_err() {
            break;
        }
        nth += 1;
    }
    Ok(())
}

/// Sends checked parts in the order of the file.
fn send_in_order(checked: Receiver<Checked>, send: &mut impl FnMut(Batch) -> Result<(), Stop>) -> Result<(), Stop> {
    let mut early: BTreeMap<u64, Batch> = BTreeMap::new();
    let mut next = 0;
    for (number, batch) in checked {
        early.insert(number, batch?);
        while let Some(batch) = early.remove(&next) {
            next += 1;
            send(batch)?;
        }
    }
    Ok(())
}

/// Checks the rows of a file that is decoded in blocks. `send` gets the batches in the order of the file.
pub(in crate::importing) fn check_blocks(
    parallel: Parallel<'_>,
    source: &mut dyn BlockSource,
    send: impl FnMut(Batch) -> Result<(), Stop> + Send,
) -> Result<(), Stop> {
    parallel.run(|| source.next_blocks(), check_rows, send)
}

fn check_rows(part: &RowBlocks, rows: &mut FactRows<'_>) -> Result<Batch, ImportError> {
    let mut batch = Batch { bytes: part.bytes, ..Batch::default() };
    let mut record = csv::StringRecord::new();
    for block in &part.blocks {
        for (row, line) in block.rows() {
            if rows.add_fields(&mut batch, line, |at| block.field(row, at))? {
                continue;
            }
            match block.copy(row, &mut record) {
                Ok(()) => rows.check(&mut batch, line, &record)?,
                Err(fault) => rows.add_unreadable(&mut batch, line, &record, fault),
            }
        }
    }
    Ok(batch)
}
