//! Encoding of numbers (LEB128, with zigzag for signed ones), texts, and blocks (their length, then LZ4).

use super::Damaged;

/// Largest decompressed part of a chunk. A larger one is damaged.
const GREATEST_PART: usize = 1 << 28;

/// Greatest compression ratio of LZ4.
const GREATEST_RATIO: usize = 255;

/// Appends a number of 128 bits.
pub(super) fn put(out: &mut Vec<u8>, mut number: u128) {
    loop {
        // Seven bits always fit into a byte.
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a length or count.
pub(super) fn put_usize(out: &mut Vec<u8>, number: usize) {
    put_u64(out, u64::try_from(number).unwrap_or(u64::MAX));
}

/// Appends a number of 64 bits.
pub(super) fn put_u64(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

/// Appends a signed number of 64 bits.
pub(super) fn put_i64(out: &mut Vec<u8>, number: i64) {
    // Zigzag, so that small negative numbers are short.
    put_u64(out, (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
}

/// Appends a signed number of 128 bits.
pub(super) fn put_i128(out: &mut Vec<u8>, number: i128) {
    put(out, (number.cast_unsigned() << 1) ^ (number >> 127).cast_unsigned());
}

/// Appends a text and its length.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_usize(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Reads values from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn wide(&mut self, bits: u32) -> Result<u128, Damaged> {
        let mut number = 0u128;
        let mut shift = 0;
        loop {
            let [byte, rest @ ..] = self.0 else { return Err(Damaged("it ends within a number")) };
            self.0 = rest;
            let low = u128::from(byte & 0x7f);
            // Shifted back and compared: bits that a shift pushes out would otherwise be lost without an error.
            let shifted = low.checked_shl(shift).filter(|shifted| shift < bits && shifted >> shift == low);
            number |= shifted.ok_or(Damaged("a number is too large"))?;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    pub(super) fn u64(&mut self) -> Result<u64, Damaged> {
        // One byte is the usual length.
        if let [byte @ 0..=0x7f, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*byte));
        }
        u64::try_from(self.wide(64)?).map_err(|_| Damaged("a number is too large"))
    }

    pub(super) fn usize(&mut self) -> Result<usize, Damaged> {
        usize::try_from(self.u64()?).map_err(|_| Damaged("a number is too large"))
    }

    pub(super) fn i64(&mut self) -> Result<i64, Damaged> {
        let number = self.u64()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn i128(&mut self) -> Result<i128, Damaged> {
        let number = self.wide(128)?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Damaged> {
        let length = self.usize()?;
        text(self.take(length)?)
    }

    /// A number of items of at least one byte each. It is at most what is left, so that it may be used as a capacity.
    pub(super) fn count(&mut self) -> Result<usize, Damaged> {
        let count = self.usize()?;
        if count > self.0.len() { Err(Damaged("a count is larger than the data")) } else { Ok(count) }
    }

    /// Bytes that are preceded by their length.
    pub(super) fn part(&mut self) -> Result<Reader<'a>, Damaged> {
        let length = self.usize()?;
        self.take(length).map(Reader)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Decodes UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Damaged> {
    std::str::from_utf8(bytes).map_err(|_| Damaged("a text is not UTF-8"))
}

/// Appends the length of some bytes, and the bytes compressed.
pub(super) fn pack(out: &mut Vec<u8>, raw: &[u8]) {
    put_usize(out, raw.len());
    out.extend_from_slice(&lz4_flex::block::compress(raw));
}

/// Decompresses what [`pack`] appended.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, Damaged> {
    let mut reader = Reader(packed);
    let length = reader.usize()?;
    // Before anything is allocated: a few bytes that claim a huge length must not take the memory.
    if length > GREATEST_PART || length > reader.0.len().saturating_mul(GREATEST_RATIO) {
        return Err(Damaged("a part is larger than it can be"));
    }
    let raw = lz4_flex::block::decompress(reader.0, length).map_err(|_| Damaged("a part cannot be unpacked"))?;
    if raw.len() == length { Ok(raw) } else { Err(Damaged("a part does not have its length")) }
}
