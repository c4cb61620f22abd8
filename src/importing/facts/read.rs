//! A file of facts from its header to its chunks, on a thread of its own and some helpers.

use std::{fs::File, io::Read, num::NonZero, path::PathBuf, thread::available_parallelism};

use tokio::sync::mpsc;

use super::{
    Checking, Known, Sifted, Told, settle, sift_csv, sift_rows,
    validate::{NextRow, TooMany},
};
use crate::importing::{
    ImportError,
    batch::{Message, Reading, places},
    source::{Encoding, Format, Input, Next, open},
};

/// How much of a file is looked at before it is taken the short way.
const LOOKED_AT: u64 = 4 << 20;

/// More threads than this wait for each other more than they do.
const MOST_THREADS: usize = 8;

/// Reads the file to its end, or until nobody listens any more.
pub(in crate::importing) fn read_facts(reading: &Reading, known: &Known, to: &mpsc::Sender<Message>) {
    let last = match sift(reading, known, to) {
        Ok(Some(sifted)) => {
            settle(known, &sifted, threads(), |heaped| to.blocking_send(Message::PackedPart(heaped)).is_ok());
            Message::End { sha256: sifted.sha256 }
        }
        // Nobody listens: the import was dropped.
        Ok(None) => return,
        Err(error) => Message::Failed(error),
    };
    let _ = to.blocking_send(last);
}

fn threads() -> usize {
    available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS)
}

fn sift(reading: &Reading, known: &Known, to: &mpsc::Sender<Message>) -> Result<Option<Sifted>, ImportError> {
    let mut source = open(&reading.input, reading.format, reading.template)?;
    let header = source.header()?;
    let places = places(reading.template, &header)?;
    if to.blocking_send(Message::Ready).is_err() {
        return Ok(None);
    }
    let checking = Checking {
        known,
        rules: &reading.rules,
        places: &places,
        width: header.len(),
        columns: reading.template.columns(),
    };
    let tell = |told: Told| to.blocking_send(Message::Told(told)).is_ok();
    // What a sender may say, and how much, is checked on the long way alone.
    let free = reading.most_rows.is_none() && reading.rules.sources.is_none();
    if let (Input::File(path), Format::Csv(Encoding::Utf8)) = (&reading.input, reading.format)
        && free
        && let Some(size) = plain(path)
    {
        return sift_csv(checking, (path, size), threads(), tell);
    }
    let size = match &reading.input {
        Input::File(path) => std::fs::metadata(path).map_err(|error| ImportError::read(path, error))?.len(),
        Input::Memory { bytes, .. } => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    };
    let mut rows = 0;
    let next = |record: &mut csv::StringRecord| {
        let next = source.next(record)?;
        rows += 1;
        TooMany::check(reading.most_rows, rows, &next)?;
        let passed = source.bytes_read();
        Ok(match next {
            Next::End => NextRow::End { passed },
            Next::Row { line } => NextRow::Row { line, passed },
            Next::Unreadable { line, column, code, message } => {
                NextRow::Unreadable { line, column, code, message, passed }
            }
        })
    };
    let Some(spill) = sift_rows(checking, size, next, tell)? else { return Ok(None) };
    Ok(Some(Sifted::of(spill, source.sha256()?)))
}

/// The size of a file that may go the short way: its beginning is UTF-8, with line ends that are newlines. Others have
/// a reader that knows more.
fn plain(path: &PathBuf) -> Option<u64> {
    let mut beginning = Vec::new();
    let file = File::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    file.take(LOOKED_AT).read_to_end(&mut beginning).ok()?;
    let utf8 = match std::str::from_utf8(&beginning) {
        Ok(_) => true,
        // A character may be cut in two at the end of what was read.
        Err(error) => error.error_len().is_none() && size > LOOKED_AT,
    };
    let alone = beginning.windows(2).any(|pair| matches!(pair, [b'\r', next] if *next != b'\n'));
    (utf8 && !alone && !beginning.ends_with(b"\r")).then_some(size)
}
