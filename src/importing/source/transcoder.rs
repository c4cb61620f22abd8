//! Converts a text in another encoding to UTF-8 while it is read.

use std::io::{self, Read};

use encoding_rs::{Decoder, Encoding};

/// Bytes converted at a time.
const CHUNK_BYTES: usize = 1 << 16;

/// The byte that stands for a full-width comma between values, because separators are single bytes. No text of the
/// templates may have it.
pub(super) const WIDE_COMMA: u8 = 0x1f;

/// A reader whose bytes are UTF-8, whatever those below are. Bytes that are no character become U+FFFD.
pub(super) struct Transcoder<R> {
    below: R,
    decoder: Decoder,
    /// Whether full-width commas become [`WIDE_COMMA`].
    wide_commas: bool,
    raw: Vec<u8>,
    text: Vec<u8>,
    /// How much of the text was returned.
    returned: usize,
    ended: bool,
}

impl<R: Read> Transcoder<R> {
    /// Converts what `below` returns.
    pub(super) fn new(below: R, encoding: &'static Encoding, wide_commas: bool) -> Self {
        let decoder = encoding.new_decoder_without_bom_handling();
        let (raw, text) = (vec![0; CHUNK_BYTES], Vec::new());
        Self { below, decoder, wide_commas, raw, text, returned: 0, ended: false }
    }

    /// The reader below.
    pub(super) const fn below(&self) -> &R {
        &self.below
    }

    fn refill(&mut self) -> io::Result<()> {
        let count = self.below.read(&mut self.raw)?;
        self.ended = count == 0;
        let raw = self.raw.get(..count).unwrap_or_default();
        let most = self.decoder.max_utf8_buffer_length(count);
        let most = most.ok_or_else(|| io::Error::other("a chunk of text is too long"))?;
        self.text.resize(most, 0);
        // As much room as the decoder can need, so all of the chunk is converted.
        let (_, _, written, _) = self.decoder.decode_to_utf8(raw, &mut self.text, self.ended);
        self.text.truncate(written);
        if self.wide_commas {
            replace_wide_commas(&mut self.text);
        }
        self.returned = 0;
        Ok(())
    }
}

/// Replaces each full-width comma in UTF-8 by one byte.
fn replace_wide_commas(text: &mut Vec<u8>) {
    let comma = "，".as_bytes();
    let mut short = Vec::with_capacity(text.len());
    let mut rest = text.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(comma) {
            short.push(WIDE_COMMA);
            rest = behind;
        } else {
            short.push(*first);
            rest = behind;
        }
    }
    *text = short;
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.returned == self.text.len() && !self.ended {
            self.refill()?;
        }
        let rest = self.text.get(self.returned..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.returned += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that returns a byte at a time.
    struct Bytes<'a>(&'a [u8]);

    impl Read for Bytes<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(buffer.len()).min(1);
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn converted(bytes: &[u8], encoding: &'static Encoding, wide: bool) -> String {
        let mut text = String::new();
        Transcoder::new(Bytes(bytes), encoding, wide).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn characters_are_converted_also_where_a_chunk_cuts_them() {
        let text = "主体编码，名称\n𠮷野，合成,诊所\n";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(converted(&utf16, encoding_rs::UTF_16LE, false), text);
        let (gb, _, _) = encoding_rs::GB18030.encode(text);
        assert_eq!(converted(&gb, encoding_rs::GB18030, false), text);
        assert_eq!(converted(text.as_bytes(), encoding_rs::UTF_8, true), text.replace('，', "\u{1f}"));
    }

    #[test]
    fn bytes_that_are_no_character_become_a_replacement_and_keep_what_follows() {
        assert_eq!(converted(b"a,\xd2,b\n", encoding_rs::GB18030, false), "a,\u{fffd},b\n");
        assert_eq!(converted(b"a\0\x00\xd8,\0", encoding_rs::UTF_16LE, false), "a\u{fffd},");
    }
}
