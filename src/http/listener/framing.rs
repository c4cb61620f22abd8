//! Strict HTTP/1 framing: what two parsers could read differently is refused before hyper reads it.
//!
//! Hyper accepts a bare LF as the end of a line and ignores a `Content-Length` beside a `Transfer-Encoding`. The standard
//! allows both (RFC 9112 sections 2.2 and 6.1), and both are ways to smuggle a request past one parser to another. This file
//! follows the framing of a connection byte by byte. At the first byte that is not strict, the stream passes on a NUL and
//! nothing more: hyper answers 400 and closes.

/// The part of a request to which the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// In a header, or between two requests.
    Header,
    /// In a body with this many bytes left.
    Body(u64),
    /// In the line with a chunk's size.
    ChunkSize,
    /// In a chunk with this many bytes left, its CRLF included.
    Chunk(u64),
    /// In the trailer section after the last chunk.
    Trailer,
    /// After a byte that was not strict.
    Refused,
}

/// Follows the framing of the requests on one connection.
#[derive(Debug)]
pub(super) struct Framing {
    position: Position,
    /// The header or the line, so far.
    text: Vec<u8>,
    max_header_bytes: usize,
}

impl Framing {
    pub(super) const fn new(max_header_bytes: usize) -> Self {
        Self { position: Position::Header, text: Vec::new(), max_header_bytes }
    }

    /// Whether a header has started and not ended.
    pub(super) fn header_is_incomplete(&self) -> bool {
        self.position == Position::Header && !self.text.is_empty()
    }

    /// Whether a byte was not strict.
    pub(super) fn is_refused(&self) -> bool {
        self.position == Position::Refused
    }

    /// Follows bytes and returns how many are strict.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let rest = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX);
            match self.position {
                Position::Body(left) | Position::Chunk(left) if rest < left => {
                    self.position = match self.position {
                        Position::Chunk(_) => Position::Chunk(left - rest),
                        _ => Position::Body(left - rest),
                    };
                    return bytes.len();
                }
                Position::Body(left) => {
                    // `left` is at most the rest of a slice here, so it fits.
                    at += usize::try_from(left).unwrap_or(0);
                    self.position = Position::Header;
                    continue;
                }
                Position::Chunk(left) => {
                    at += usize::try_from(left).unwrap_or(0);
                    self.position = Position::ChunkSize;
                    continue;
                }
                Position::Header | Position::ChunkSize | Position::Trailer if !matches!(byte, b'\r' | b'\n') => {
                    at += self.line_text(bytes.get(at..).unwrap_or_default());
                    if self.position == Position::Refused {
                        return at;
                    }
                    continue;
                }
                Position::Header | Position::ChunkSize | Position::Trailer => self.line_byte(*byte),
                Position::Refused => {}
            }
            if self.position == Position::Refused {
                return at;
            }
            at += 1;
        }
        at
    }

    /// Takes the bytes before the next CR or LF, as many as the maximum allows, and returns how many that were.
    fn line_text(&mut self, bytes: &[u8]) -> usize {
        let text = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
        let after_cr = self.text.last() == Some(&b'\r');
        let fits = if after_cr {
            0
        } else {
            text.min(self.max_header_bytes.saturating_mul(2).saturating_sub(self.text.len()))
        };
        self.text.extend_from_slice(bytes.get(..fits).unwrap_or_default());
        if fits < text {
            self.position = Position::Refused;
        }
        fits
    }

    /// Takes a CR or LF.
    fn line_byte(&mut self, byte: u8) {
        let after_cr = self.text.last() == Some(&b'\r');
        // CR and LF only occur together: neither is ever part of a value.
        if (byte == b'\n') != after_cr {
            self.position = Position::Refused;
            return;
        }
        self.text.push(byte);
        // Twice the maximum: hyper refuses a longer header with a code of its own, before anything follows it.
        if self.text.len() > self.max_header_bytes.saturating_mul(2) {
            self.position = Position::Refused;
            return;
        }
        if byte == b'\n' {
            self.line_end();
        }
    }

    fn line_end(&mut self) {
        match self.position {
            // Empty lines before a request are allowed (RFC 9112 section 2.2).
            Position::Header if self.text == b"\r\n" => self.text.clear(),
            Position::Header if self.text.ends_with(b"\r\n\r\n") => {
                self.position = after_header(&self.text);
                self.text.clear();
            }
            Position::ChunkSize => {
                self.position = match chunk_size(&self.text) {
                    Some(0) => Position::Trailer,
                    Some(size) => Position::Chunk(size.saturating_add(2)),
                    None => Position::Refused,
                };
                self.text.clear();
            }
            Position::Trailer if self.text == b"\r\n" || self.text.ends_with(b"\r\n\r\n") => {
                self.position = Position::Header;
                self.text.clear();
            }
            _ => {}
        }
    }
}

/// The position after a header: in a body whose length is unambiguous, or before the next request.
fn after_header(header: &[u8]) -> Position {
    let mut lengths = 0_usize;
    let mut length = 0_u64;
    let mut codings = 0_usize;
    for line in header.split(|byte| *byte == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        // Some parsers trim white space around a name, and others do not.
        if name.trim_ascii().len() != name.len() {
            return Position::Refused;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            lengths += 1;
            match decimal(value) {
                Some(number) => length = number,
                None => return Position::Refused,
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            codings += 1;
            // With another coding, where the body ends cannot be followed.
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Position::Refused;
            }
        }
    }
    // Two lengths, or a length beside a coding, can be read in two ways: request smuggling (RFC 9112 section 6.3).
    match (lengths, codings) {
        (0, 0) => Position::Header,
        (1, 0) if length == 0 => Position::Header,
        (1, 0) => Position::Body(length),
        (0, 1) => Position::ChunkSize,
        _ => Position::Refused,
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    // `parse` alone would also take a sign, as in `+1`.
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

/// The size in a chunk's size line. Chunk extensions are allowed and ignored.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r\n")?;
    let digits = line.split(|byte| *byte == b';').next()?;
    // Eight digits are 4 GiB, more than any body may have, and cannot overflow.
    let plain = !digits.is_empty() && digits.len() <= 8 && digits.iter().all(u8::is_ascii_hexdigit);
    plain.then(|| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Follows a text in one piece and byte by byte, which must agree; returns how much was strict if not all was.
    fn strict(text: &str) -> Option<usize> {
        let mut whole = Framing::new(8192);
        let taken = whole.follow(text.as_bytes());
        let mut single = Framing::new(8192);
        let one_by_one = text.as_bytes().chunks(1).take_while(|byte| single.follow(byte) == 1).count();
        assert_eq!((taken, whole.position), (one_by_one, single.position), "{text:?}");
        (taken < text.len()).then_some(taken)
    }

    #[test]
    fn strict_requests_pass_one_after_the_other() {
        for text in [
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\na\nb\rcGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\na\nb\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nt: v\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(strict(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for text in [
            "GET / HTTP/1.1\nhost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nx: a\ncontent-length: 3\r\n\r\n",
            "GET / HTTP/1.1\r\nx: a\rb\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 3, 3\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: +3\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 0x3\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length:\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length : 3\r\n\r\n",
            "POST / HTTP/1.1\r\n content-length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: identity\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\nabc\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n-3\r\nabc\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n123456789\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nt: v\n\r\n",
        ] {
            assert!(strict(text).is_some(), "{text:?}");
        }
    }

    proptest! {
        /// Whatever arrives, and in whatever pieces: the same bytes are strict, and a refusal is final.
        #[test]
        fn pieces_make_no_difference(
            parts in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24),
            cuts in prop::collection::vec(1..40usize, 1..20),
        ) {
            let text = parts.concat();
            let mut whole = Framing::new(256);
            let taken = whole.follow(text.as_bytes());
            prop_assert!(taken <= text.len());
            let (mut pieces, mut rest, mut sum) = (Framing::new(256), text.as_bytes(), 0);
            for cut in cuts.into_iter().cycle() {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                let strict = pieces.follow(piece);
                sum += strict;
                rest = after;
                if strict < piece.len() || rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!((sum, pieces.position), (taken, whole.position), "{:?}", text);
            prop_assert_eq!(whole.is_refused(), taken < text.len());
        }
    }

    /// Pieces of requests, right and wrong ones.
    const PIECES: [&str; 20] = [
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\n",
        "host: a\r\n",
        "content-length: 3\r\n",
        "content-length: 18446744073709551615\r\n",
        "content-length: 18446744073709551616\r\n",
        "transfer-encoding: chunked\r\n",
        "\r\n",
        "\n",
        "\r",
        "3\r\nabc\r\n",
        "0\r\n",
        "ffffffff;x\r\n",
        "fffffffff\r\n",
        "abc",
        ":",
        " ",
        "\0",
        "t: v\r\n",
        "a-line-without-an-end-that-is-rather-long-so-that-the-limit-is-reached",
    ];

    #[test]
    fn a_header_is_incomplete_from_its_first_byte_to_its_last() {
        let mut framing = Framing::new(8192);
        assert!(!framing.header_is_incomplete());
        framing.follow(b"GET / HTTP/1.1\r\n");
        assert!(framing.header_is_incomplete());
        framing.follow(b"content-length: 2\r\n\r\n");
        assert!(!framing.header_is_incomplete());
        framing.follow(b"ab");
        assert!(!framing.header_is_incomplete());
        framing.follow(b"G");
        assert!(framing.header_is_incomplete());
    }

    #[test]
    fn an_endless_line_is_not_buffered_endlessly() {
        let mut framing = Framing::new(8192);
        let taken = framing.follow(&vec![b'a'; 100_000]);
        assert!(taken <= 16_384 && framing.position == Position::Refused);
    }
}
