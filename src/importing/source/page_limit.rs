//! Limits the size of a Parquet page in memory.
//!
//! The library trusts a page's header: a few bytes that claim to be two gigabytes are decompressed into a buffer of two
//! gigabytes. So each header is read here first, and a page larger than any writer makes is refused.

use std::io::{self, Read};

use bytes::Bytes;
use parquet::{
    errors::{ParquetError, Result},
    file::reader::{ChunkReader, Length},
};

/// Largest decompressed page. Writers make pages of about 1 MiB, and some make one page of a whole column chunk.
const MAX_PAGE_BYTES: i64 = 16 << 20;

/// Deepest nesting of structures in a page's header; the format has three levels.
const MAX_DEPTH: u8 = 8;

/// Longest text in a page's header, such as the largest value of the page.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// A file whose pages are checked before they are read.
#[derive(Debug)]
pub(super) struct Pages<R>(pub(super) R);

impl<R: ChunkReader> Length for Pages<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Pages<R> {
    type T = R::T;

    /// The library calls this at the start of a page's header.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        match decompressed_bytes(&mut self.0.get_read(start)?) {
            Ok(0..=MAX_PAGE_BYTES) => self.0.get_read(start),
            Ok(_) => Err(ParquetError::General("a page is larger than 16 MiB when decompressed".into())),
            Err(error) => Err(ParquetError::External(Box::new(error))),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a page's header is malformed")
}

fn byte(read: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    read.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn varint(read: &mut impl Read) -> io::Result<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let next = byte(read)?;
        value |= u64::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(malformed())
}

fn zigzag(read: &mut impl Read) -> io::Result<i64> {
    let value = varint(read)?;
    let half = i64::try_from(value >> 1).map_err(|_| malformed())?;
    // Half of a u64 is below 2^63, so this does not overflow.
    Ok(if value & 1 == 0 { half } else { -half - 1 })
}

fn pass(read: &mut impl Read, bytes: u64) -> io::Result<()> {
    if bytes > MAX_TEXT_BYTES || io::copy(&mut read.take(bytes), &mut io::sink())? != bytes {
        return Err(malformed());
    }
    Ok(())
}

/// The decompressed size of a page: the second field of its header, in Thrift's compact protocol.
fn decompressed_bytes(read: &mut impl Read) -> io::Result<i64> {
    let mut found = None;
    structure(read, 0, &mut found)?;
    found.ok_or_else(malformed)
}

/// Skips a structure. Field numbers must ascend, as every writer has them: of a repeated field the library would use
/// the last.
fn structure(read: &mut impl Read, depth: u8, found: &mut Option<i64>) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Err(malformed());
    }
    let mut last = 0i64;
    loop {
        let head = byte(read)?;
        if head == 0 {
            return Ok(());
        }
        let field = match head >> 4 {
            0 => zigzag(read)?,
            step => last + i64::from(step),
        };
        // The format has eight fields; any bound keeps the sum above from overflowing.
        if field <= last || field > 100 {
            return Err(malformed());
        }
        last = field;
        match head & 0x0f {
            // A boolean's value is its type.
            1 | 2 => {}
            4..=6 if depth == 0 && field == 2 => *found = Some(zigzag(read)?),
            kind => value(read, kind, depth, found)?,
        }
    }
}

fn value(read: &mut impl Read, kind: u8, depth: u8, found: &mut Option<i64>) -> io::Result<()> {
    match kind {
        1..=3 => pass(read, 1),
        4..=6 => varint(read).map(|_| ()),
        7 => pass(read, 8),
        8 => {
            let length = varint(read)?;
            pass(read, length)
        }
        9 | 10 => {
            let head = byte(read)?;
            // A list of fifteen items or more has its length behind the head.
            let count = if head >> 4 == 15 { varint(read)? } else { u64::from(head >> 4) };
            if count > MAX_TEXT_BYTES || depth >= MAX_DEPTH {
                return Err(malformed());
            }
            for _ in 0..count {
                value(read, head & 0x0f, depth + 1, found)?;
            }
            Ok(())
        }
        12 => structure(read, depth + 1, found),
        // A page's header has no maps.
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(bytes: &[u8]) -> Option<i64> {
        decompressed_bytes(&mut &*bytes).ok()
    }

    #[test]
    fn the_size_is_found_behind_the_first_field() {
        // Type 0, decompressed 300, compressed 200, a data page header of four numbers.
        let header = [0x15, 0, 0x15, 0xd8, 4, 0x15, 0x90, 3, 0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0];
        assert_eq!(size(&header), Some(300));
        assert_eq!(size(&header[..header.len() - 1]), None, "cut off");
    }

    #[test]
    fn a_header_with_two_sizes_or_none_is_refused() {
        // The second size has its field number written out: type i32, field 2 in zigzag.
        assert_eq!(size(&[0x15, 0, 0x15, 2, 0x05, 4, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0]), None);
        assert_eq!(size(&[0x15, 0, 0]), None, "none at all");
        assert_eq!(size(&[0x1c; 64]), None, "structures without end");
    }
}
