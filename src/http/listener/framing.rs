//! HTTP/1 framing without leniency: what two parsers could read differently is refused before the first one reads it.
//!
//! The library takes a bare LF for a line's end and drops a `Content-Length` that stands beside a `Transfer-Encoding`. The
//! standard allows both (RFC 9112 sections 2.2 and 6.1), and each is how a request is smuggled past one parser to another. This
//! file follows the framing of the connection byte by byte and, at the first byte that is not strict, hands on a NUL
//! instead and nothing more: the library answers 400 and closes.

/// Where in the stream of requests the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a header, or between two requests.
    Header,
    /// In a body of so many more bytes.
    Body(u64),
    /// In the line before a chunk; what follows is a chunk of this size so far.
    ChunkSize(u64),
    /// In a chunk of so many more bytes, its CRLF included.
    Chunk(u64),
    /// In the lines after the last chunk.
    Trailer,
    /// Something was not strict.
    Refused,
}

/// Follows the framing of one connection's requests.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
    /// The header, or the line, so far.
    text: Vec<u8>,
    most: usize,
}

impl Framing {
    pub(super) const fn new(most: usize) -> Self {
        Self { place: Place::Header, text: Vec::new(), most }
    }

    /// Whether a header has begun and not ended.
    pub(super) fn header_is_coming(&self) -> bool {
        self.place == Place::Header && !self.text.is_empty()
    }

    /// Whether something was not strict.
    pub(super) fn is_refused(&self) -> bool {
        self.place == Place::Refused
    }

    /// Follows bytes; returns how many are strict.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let rest = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX);
            match self.place {
                Place::Body(left) | Place::Chunk(left) if rest < left => {
                    self.place = match self.place {
                        Place::Chunk(_) => Place::Chunk(left - rest),
                        _ => Place::Body(left - rest),
                    };
                    return bytes.len();
                }
                Place::Body(left) => {
                    at += usize::try_from(left).unwrap_or(0);
                    self.place = Place::Header;
                    continue;
                }
                Place::Chunk(left) => {
                    at += usize::try_from(left).unwrap_or(0);
                    self.place = Place::ChunkSize(0);
                    continue;
                }
                Place::Header | Place::ChunkSize(_) | Place::Trailer if !matches!(byte, b'\r' | b'\n') => {
                    at += self.line_text(bytes.get(at..).unwrap_or_default());
                    if self.place == Place::Refused {
                        return at;
                    }
                    continue;
                }
                Place::Header | Place::ChunkSize(_) | Place::Trailer => self.line_byte(*byte),
                Place::Refused => {}
            }
            if self.place == Place::Refused {
                return at;
            }
            at += 1;
        }
        at
    }

    /// Takes what stands before the next end of a line, as much of it as may be, and tells how much that was.
    fn line_text(&mut self, bytes: &[u8]) -> usize {
        let text = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
        let after_cr = self.text.last() == Some(&b'\r');
        let fits = if after_cr { 0 } else { text.min(self.most.saturating_mul(2).saturating_sub(self.text.len())) };
        self.text.extend_from_slice(bytes.get(..fits).unwrap_or_default());
        if fits < text {
            self.place = Place::Refused;
        }
        fits
    }

    /// Takes a byte of an end of a line.
    fn line_byte(&mut self, byte: u8) {
        let after_cr = self.text.last() == Some(&b'\r');
        // CR and LF come together or not at all, and neither is ever part of a value.
        if (byte == b'\n') != after_cr {
            self.place = Place::Refused;
            return;
        }
        self.text.push(byte);
        // One more than may be: the library refuses what is longer with its own code, before anything follows it.
        if self.text.len() > self.most.saturating_mul(2) {
            self.place = Place::Refused;
            return;
        }
        if byte == b'\n' {
            self.line_end();
        }
    }

    fn line_end(&mut self) {
        match self.place {
            // Empty lines before a request are allowed (RFC 9112 section 2.2).
            Place::Header if self.text == b"\r\n" => self.text.clear(),
            Place::Header if self.text.ends_with(b"\r\n\r\n") => {
                self.place = after_header(&self.text);
                self.text.clear();
            }
            Place::ChunkSize(_) => {
                self.place = match chunk_size(&self.text) {
                    Some(0) => Place::Trailer,
                    Some(size) => Place::Chunk(size.saturating_add(2)),
                    None => Place::Refused,
                };
                self.text.clear();
            }
            Place::Trailer if self.text == b"\r\n" || self.text.ends_with(b"\r\n\r\n") => {
                self.place = Place::Header;
                self.text.clear();
            }
            _ => {}
        }
    }
}

/// What follows a header: a body whose length nobody can mistake, or nothing.
fn after_header(header: &[u8]) -> Place {
    let mut lengths = 0_usize;
    let mut length = 0_u64;
    let mut codings = 0_usize;
    for line in header.split(|byte| *byte == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        // A name with white space in it is another name to another parser.
        if name.trim_ascii().len() != name.len() {
            return Place::Refused;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            lengths += 1;
            match decimal(value) {
                Some(number) => length = number,
                None => return Place::Refused,
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            codings += 1;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Place::Refused;
            }
        }
    }
    match (lengths, codings) {
        (0, 0) => Place::Header,
        (1, 0) if length == 0 => Place::Header,
        (1, 0) => Place::Body(length),
        (0, 1) => Place::ChunkSize(0),
        _ => Place::Refused,
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

/// The size in a chunk's line; extensions are allowed and not looked at.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r\n")?;
    let digits = line.split(|byte| *byte == b';').next()?;
    let plain = !digits.is_empty() && digits.len() <= 8 && digits.iter().all(u8::is_ascii_hexdigit);
    plain.then(|| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows a text whole and, to the same end, byte by byte; returns how much was strict.
    fn strict(text: &str) -> Option<usize> {
        let mut whole = Framing::new(8192);
        let taken = whole.follow(text.as_bytes());
        let mut single = Framing::new(8192);
        let one_by_one = text.as_bytes().chunks(1).take_while(|byte| single.follow(byte) == 1).count();
        assert_eq!((taken, whole.place), (one_by_one, single.place), "{text:?}");
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

    #[test]
    fn a_header_is_coming_from_its_first_byte_to_its_last() {
        let mut framing = Framing::new(8192);
        assert!(!framing.header_is_coming());
        framing.follow(b"GET / HTTP/1.1\r\n");
        assert!(framing.header_is_coming());
        framing.follow(b"content-length: 2\r\n\r\n");
        assert!(!framing.header_is_coming());
        framing.follow(b"ab");
        assert!(!framing.header_is_coming());
        framing.follow(b"G");
        assert!(framing.header_is_coming());
    }

    #[test]
    fn a_line_without_end_is_not_kept_without_end() {
        let mut framing = Framing::new(8192);
        let taken = framing.follow(&vec![b'a'; 100_000]);
        assert!(taken <= 16_384 && framing.place == Place::Refused);
    }
}
