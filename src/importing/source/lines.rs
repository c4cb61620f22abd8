//! Follows the lines and quotes of CSV, byte by byte: where a row ends, how many lines there are, and whether a quote is
//! closed where it should be.
//!
//! A line is what a spreadsheet shows as one: a line end within quotes does not end it. A quote that is never closed
//! would swallow all rows up to the next quote, so it is looked for and refused. No field of the templates may have line
//! ends, so this refuses no good row.

/// What a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::importing) enum Step {
    /// Part of a row.
    Inside,
    /// A line end. Of a pair, only the first byte counts.
    LineEnd { counts: bool },
    /// The quote of the present line was not closed: it has swallowed other lines.
    OpenQuote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Before a field.
    #[default]
    Start,
    Unquoted,
    Quoted,
    /// Behind a quote within a quoted field, which closes it unless another quote follows.
    Closed,
}

/// The lines of a file so far.
#[derive(Debug)]
pub(in crate::importing) struct LineTracker {
    separator: u8,
    state: State,
    /// Whether the byte before was a carriage return that ended a line.
    after_return: bool,
    /// Lines that have ended.
    ended: u64,
    /// Whether a line has begun and not ended.
    begun: bool,
    quoted: QuotedField,
}

/// What is in the present quoted field.
#[derive(Debug, Clone, Copy, Default)]
struct QuotedField {
    spans_lines: bool,
    /// Separators on its present line.
    separators: u32,
    /// Whether one of its lines looks like a row.
    has_row: bool,
}

impl LineTracker {
    /// A tracker at the beginning of a row.
    pub(in crate::importing) const fn new(separator: u8) -> Self {
        Self {
            separator,
            state: State::Start,
            after_return: false,
            ended: 0,
            begun: false,
            quoted: QuotedField { spans_lines: false, separators: 0, has_row: false },
        }
    }

    /// The number of the present line, counted from 1.
    pub(in crate::importing) const fn line(&self) -> u64 {
        self.ended + 1
    }

    /// How many lines there are so far. The last one may have no line end.
    pub(in crate::importing) fn total(&self) -> u64 {
        self.ended + u64::from(self.begun)
    }

    /// Takes the next byte.
    pub(in crate::importing) fn step(&mut self, byte: u8) -> Step {
        let after_return = std::mem::take(&mut self.after_return);
        if self.state == State::Quoted {
            self.step_quoted(byte);
            return Step::Inside;
        }
        let is_end = matches!(byte, b'\n' | b'\r');
        if self.state == State::Closed {
            if byte == b'"' {
                self.state = State::Quoted;
                return Step::Inside;
            }
            let is_closed = is_end || byte == self.separator;
            if self.quoted.spans_lines && (self.quoted.has_row || !is_closed) {
                return Step::OpenQuote;
            }
        }
        if is_end {
            self.state = State::Start;
            if byte == b'\n' && after_return {
                return Step::LineEnd { counts: false };
            }
            self.after_return = byte == b'\r';
            self.ended += 1;
            self.begun = false;
            return Step::LineEnd { counts: true };
        }
        self.begun = true;
        self.state = match (self.state, byte) {
            (_, byte) if byte == self.separator => State::Start,
            (State::Start, b'"') => {
                self.quoted = QuotedField::default();
                State::Quoted
            }
            _ => State::Unquoted,
        };
        Step::Inside
    }

    fn step_quoted(&mut self, byte: u8) {
        match byte {
            b'"' => self.state = State::Closed,
            b'\n' | b'\r' => {
                self.quoted.spans_lines = true;
                self.quoted.separators = 0;
            }
            _ if byte == self.separator => {
                self.quoted.separators += 1;
                // No text of one line has as many, and every row of a template has more.
                self.quoted.has_row |= self.quoted.separators >= 2;
            }
            _ => {}
        }
    }

    /// Whether the file, which ends here, has a quote that is not closed.
    pub(in crate::importing) fn ends_within_quotes(&self) -> bool {
        match self.state {
            State::Quoted => true,
            State::Closed => self.quoted.spans_lines && self.quoted.has_row,
            State::Start | State::Unquoted => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of lines, or the line whose quote is open.
    fn lines(text: &str) -> Result<u64, u64> {
        let mut tracker = LineTracker::new(b',');
        for byte in text.bytes() {
            if tracker.step(byte) == Step::OpenQuote {
                return Err(tracker.line());
            }
        }
        if tracker.ends_within_quotes() { Err(tracker.line()) } else { Ok(tracker.total()) }
    }

    #[test]
    fn lines_are_those_that_a_spreadsheet_shows() {
        for (text, expected) in [
            ("", 0),
            ("a,b", 1),
            ("a,b\n", 1),
            ("a,b\r\nc,d\r\n", 2),
            ("a\rb\rc", 3),
            ("a\r\rb", 3),
            ("a\n\n\nb\n", 4),
            ("a,\"two\nlines\",c\nd,e,f\n", 2),
            ("a,\"two\r\nlines, and more\",c\r\n", 1),
            ("a,5\" pipe,b\nc,d\n", 2),
            ("a,\"says \"\"yes\"\"\",b\n", 1),
            ("a,\"b\"c,d\ne\n", 2),
        ] {
            assert_eq!(lines(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn a_quote_that_swallows_lines_is_found_with_the_line_it_is_on() {
        for (text, line) in [
            // Each row has an open quote, so that the next row's quote closes it.
            ("h,i,j\n1,\"a,x\n2,\"b,y\n", 2),
            // A later quote happens to stand before a separator.
            ("h,i,j\n1,2,3\n4,\"a,x,y\n5,6\",7\n", 3),
            // Nothing closes it.
            ("h,i,j\n1,2,\"3\n", 2),
            ("h\n\"", 2),
            ("h,i\n1,\"a,b,c\n2,d\"", 2),
        ] {
            assert_eq!(lines(text), Err(line), "{text:?}");
        }
    }
}
