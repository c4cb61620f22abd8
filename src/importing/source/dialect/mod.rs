//! How a CSV file is written: its encoding and the separator of its values, recognised by what is in the file. A byte
//! order mark always wins. What fits more than one encoding is refused with the question which it is.

use super::{
    super::{ImportError, Template, heading},
    Encoding,
    encoding::{Evidence, decode},
    transcoder::WIDE_COMMA,
};

/// How much of a file is examined.
pub(super) const EXAMINED_BYTES: usize = 4 << 20;

/// How much of it is looked through for the header.
const HEADER_BYTES: usize = 1 << 16;

/// The encoding of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextEncoding {
    Utf8,
    Gb18030,
    Utf16Le,
    Utf16Be,
}

impl TextEncoding {
    pub(super) const fn codec(self) -> &'static encoding_rs::Encoding {
        match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Gb18030 => encoding_rs::GB18030,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
        }
    }
}

/// What stands between values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Comma,
    Semicolon,
    Tab,
    WideComma,
}

impl Separator {
    /// In the order of preference.
    const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::WideComma];

    const fn character(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Semicolon => ';',
            Self::Tab => '\t',
            Self::WideComma => '，',
        }
    }

    /// The byte between values, once the file is converted.
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::WideComma => WIDE_COMMA,
        }
    }
}

/// How a CSV file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) encoding: TextEncoding,
    /// The length of its byte order mark.
    pub(super) mark: usize,
    pub(super) separator: Separator,
    /// Whether the first line only declares the separator, as `sep=;`. Spreadsheets do not show it.
    pub(super) declared: bool,
}

/// Byte order marks.
const MARKS: [(&[u8], TextEncoding); 4] = [
    (b"\xef\xbb\xbf", TextEncoding::Utf8),
    (b"\xff\xfe", TextEncoding::Utf16Le),
    (b"\xfe\xff", TextEncoding::Utf16Be),
    (b"\x84\x31\x95\x33", TextEncoding::Gb18030),
];

impl Dialect {
    /// The dialect of a file by its beginning, which may be all of it.
    pub(super) fn of(beginning: &[u8], is_all: bool, given: Encoding, template: Template) -> Result<Self, ImportError> {
        let marked = MARKS.iter().find(|(mark, _)| beginning.starts_with(mark));
        let (mark, encoding) = match marked {
            Some((mark, encoding)) => (mark.len(), *encoding),
            None => (0, encoding_of(beginning, is_all, given)?),
        };
        let text = beginning.get(mark..).unwrap_or_default();
        let text = text.get(..HEADER_BYTES).unwrap_or(text);
        let (text, _) = encoding.codec().decode_without_bom_handling(text);
        if is_web_page(&text) {
            return Err(ImportError::WebPage);
        }
        let (separator, declared) = separator_of(&text, template);
        Ok(Self { encoding, mark, separator, declared })
    }

    /// Whether the bytes of the file are those of the text that is parsed.
    pub(super) fn is_direct(&self) -> bool {
        self.encoding == TextEncoding::Utf8 && self.separator != Separator::WideComma
    }
}

/// The encoding of a file without a byte order mark.
fn encoding_of(beginning: &[u8], is_all: bool, given: Encoding) -> Result<TextEncoding, ImportError> {
    match given {
        Encoding::Utf8 => Ok(TextEncoding::Utf8),
        Encoding::Gb18030 => {
            let mut evidence = Evidence::default();
            for line in lines(beginning, is_all) {
                match std::str::from_utf8(line) {
                    Ok(text) => evidence.add_utf8(text),
                    Err(_) => evidence.add_other(line),
                }
            }
            evidence.judge(given, is_all)?;
            Ok(TextEncoding::Gb18030)
        }
        Encoding::Utf16 => Ok(utf16_of(beginning).unwrap_or(TextEncoding::Utf16Le)),
        Encoding::Detected if beginning.contains(&0) => utf16_of(beginning).ok_or(ImportError::NotText),
        Encoding::Detected => detect(beginning, is_all),
    }
}

/// The order of bytes in UTF-16, by the zeros beside the characters of ASCII. Neither UTF-8 nor GB 18030 has zeros.
fn utf16_of(beginning: &[u8]) -> Option<TextEncoding> {
    let zeros = |from: usize| beginning.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if odd > even.saturating_mul(4) {
        Some(TextEncoding::Utf16Le)
    } else if even > odd.saturating_mul(4) {
        Some(TextEncoding::Utf16Be)
    } else {
        None
    }
}

/// The lines of the beginning of a file that are whole.
fn lines(beginning: &[u8], is_all: bool) -> impl Iterator<Item = &[u8]> {
    let end = if is_all {
        beginning.len()
    } else {
        beginning.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(beginning.len())
    };
    beginning.get(..end).unwrap_or_default().split(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Decides between UTF-8 and GB 18030 by every line that is not ASCII.
fn detect(beginning: &[u8], is_all: bool) -> Result<TextEncoding, ImportError> {
    let (mut utf8, mut gb18030, mut both, mut neither) = (0u64, 0u64, 0u64, 0u64);
    let mut readings = Readings::default();
    for line in lines(beginning, is_all).filter(|line| !line.is_ascii()) {
        match (std::str::from_utf8(line), decode(line).is_some()) {
            (Ok(text), true) => {
                both += 1;
                readings.add(line, text);
            }
            (Ok(_), false) => utf8 += 1,
            (Err(_), true) => gb18030 += 1,
            (Err(_), false) => neither += 1,
        }
    }
    let chinese_in_utf8 = both > 0 && readings.are_utf8();
    if utf8 == 0 && gb18030 > 0 && !chinese_in_utf8 {
        return Ok(TextEncoding::Gb18030);
    }
    if utf8 == 0 && both == 0 && neither > 0 {
        return Err(ImportError::EncodingUnknown);
    }
    // Rows that are not UTF-8 are damaged where others are UTF-8: each is rejected.
    if utf8 > 0 || both == 0 || chinese_in_utf8 {
        return Ok(TextEncoding::Utf8);
    }
    Err(ImportError::EncodingUnclear)
}

/// What lines mean that are valid in both encodings.
#[derive(Debug, Default)]
struct Readings {
    /// Characters beyond ASCII when read as UTF-8, and those of Chinese texts among them.
    utf8: usize,
    utf8_chinese: usize,
    /// The same when read as GB 18030, with the common characters among them.
    gb18030: usize,
    gb18030_common: usize,
}

impl Readings {
    fn add(&mut self, line: &[u8], text: &str) {
        for c in text.chars().filter(|c| !c.is_ascii()) {
            self.utf8 += 1;
            self.utf8_chinese += usize::from(
                matches!(c, '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}'),
            );
        }
        let mut rest = line;
        while let [first, behind @ ..] = rest {
            rest = behind;
            if first.is_ascii() {
                continue;
            }
            self.gb18030 += 1;
            let Some((second, behind)) = rest.split_first() else { return };
            rest = if second.is_ascii_digit() { behind.get(2..).unwrap_or_default() } else { behind };
            // The first level of GB 2312, the common characters by sound, and its signs.
            self.gb18030_common += usize::from(matches!(first, 0xa1 | 0xa3 | 0xb0..=0xd7) && *second >= 0xa1);
        }
    }

    /// Whether the lines are Chinese as UTF-8, and not as GB 18030. Chinese in UTF-8 has three bytes a character; two of
    /// them read as GB 18030 are three characters, the first of which is never a common one.
    const fn are_utf8(&self) -> bool {
        self.utf8_chinese * 4 >= self.utf8 * 3 && self.gb18030_common * 4 < self.gb18030 * 3
    }
}

/// Whether a text is HTML or XML, which some systems export under the name of an Excel file.
fn is_web_page(text: &str) -> bool {
    let begins = text.trim_start().get(..5).unwrap_or_default().to_ascii_lowercase();
    matches!(begins.as_str(), "<html" | "<!doc" | "<tabl" | "<?xml" | "<meta" | "<head")
}

/// The separator of a text by the line that declares it, or by its header; and whether a line declares it.
fn separator_of(text: &str, template: Template) -> (Separator, bool) {
    let mut lines = text.split(['\n', '\r']).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or_default();
    let declared = first.trim_matches('"').strip_prefix("sep=").or_else(|| first.strip_prefix("SEP="));
    if let Some(declared) = declared {
        let mut all = Separator::ALL.into_iter();
        if let Some(separator) = all.find(|one| declared.trim_matches([' ', '"']).chars().eq([one.character()])) {
            return (separator, true);
        }
    }
    let mut best = (1, Separator::Comma);
    for line in lines.by_ref().take(heading::MOST_TITLES + 1) {
        for separator in Separator::ALL {
            let cells = line.split(separator.character()).map(|cell| cell.trim().trim_matches('"'));
            let named = cells.filter(|cell| heading::recognise(template, cell).is_some()).count();
            if named > best.0 {
                best = (named, separator);
            }
        }
    }
    (best.1, false)
}

#[cfg(test)]
mod tests;
