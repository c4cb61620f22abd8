//! Which encoding a CSV file is in: what it is said to be, and what its rows look like.
//!
//! Text in the other encoding than the one asked for is an error of the file, not of its rows: read as UTF-8, GB 18030 is
//! refused row by row; read as GB 18030, UTF-8 would pass as other characters, and somebody's name would be kept wrong.

use std::borrow::Cow;

use encoding_rs::GB18030;

use super::{super::ImportError, Encoding};

/// Rows after which the encoding is judged without waiting for the end.
const ENOUGH_ROWS: u64 = 20;

/// Characters beyond ASCII, all of them UTF-8 in a file said to be GB 18030, after which it is judged; at the end fewer do.
/// Of GB 18030's two-byte characters less than one in ten is by chance a character of UTF-8 too.
const ENOUGH_CHARACTERS: usize = 64;
const ENOUGH_CHARACTERS_AT_END: usize = 8;

/// What the rows so far say about a file's encoding.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    rows: u64,
    /// Rows with characters beyond ASCII that are UTF-8.
    utf8: u64,
    /// Rows that are not UTF-8 and would be GB 18030.
    gb18030: u64,
    /// Rows that are neither.
    neither: u64,
    /// Characters beyond ASCII in rows that are UTF-8.
    characters: usize,
}

impl Evidence {
    /// Notes a row that is UTF-8.
    pub(super) fn is_utf8(&mut self, row: &str) {
        self.rows += 1;
        if !row.is_ascii() {
            self.utf8 += 1;
            self.characters += row.chars().filter(|c| !c.is_ascii()).count();
        }
    }

    /// Notes a row that is not.
    pub(super) fn is_not_utf8(&mut self, row: &[u8]) {
        self.rows += 1;
        match decode(row) {
            Some(_) => self.gb18030 += 1,
            None => self.neither += 1,
        }
    }

    /// Refuses a file that is most likely in the other encoding.
    pub(super) fn judge(&self, said: Encoding, at_end: bool) -> Result<(), ImportError> {
        match said {
            Encoding::Utf8 => {
                let alone = self.gb18030 > 0 && self.utf8 == 0 && self.neither == 0;
                let most = at_end && self.gb18030 * 2 >= self.rows;
                if alone && (self.gb18030 >= ENOUGH_ROWS || most) {
                    return Err(ImportError::LooksLikeGb18030);
                }
            }
            Encoding::Gb18030 => {
                let enough = if at_end { ENOUGH_CHARACTERS_AT_END } else { ENOUGH_CHARACTERS };
                if self.gb18030 == 0 && self.neither == 0 && self.characters >= enough {
                    return Err(ImportError::LooksLikeUtf8);
                }
            }
        }
        Ok(())
    }
}

/// Text in GB 18030, where it is. Commas, quotes and line ends are never part of a longer character there, so fields can
/// be told apart before they are decoded.
pub(super) fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    GB18030.decode_without_bom_handling_and_without_replacement(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(rows: &[&[u8]]) -> Evidence {
        let mut evidence = Evidence::default();
        for row in rows {
            match std::str::from_utf8(row) {
                Ok(text) => evidence.is_utf8(text),
                Err(_) => evidence.is_not_utf8(row),
            }
        }
        evidence
    }

    #[test]
    fn one_spoilt_row_among_many_does_not_make_a_file_gb18030() {
        let mut rows: Vec<&[u8]> = vec![b"a,b,c"; 10];
        rows.push(b"\xd2\xbd\xb1\xa3,1");
        assert!(evidence(&rows).judge(Encoding::Utf8, true).is_ok());
    }

    #[test]
    fn a_file_with_utf8_in_it_is_not_gb18030() {
        let rows: Vec<&[u8]> = vec!["医保局".as_bytes(), b"\xd2\xbd\xb1\xa3", b"\xd2\xbd\xb1\xa3"];
        assert!(evidence(&rows).judge(Encoding::Utf8, true).is_ok());
        let rows: Vec<&[u8]> = vec![b"\xd2\xbd\xb1\xa3", b"\xd2\xbd\xb1\xa3"];
        assert!(matches!(evidence(&rows).judge(Encoding::Utf8, true), Err(ImportError::LooksLikeGb18030)));
    }

    #[test]
    fn utf8_is_told_from_gb18030_by_its_rows() {
        let rows: Vec<&[u8]> = vec!["温州市医疗保障局".as_bytes()];
        assert!(matches!(evidence(&rows).judge(Encoding::Gb18030, true), Err(ImportError::LooksLikeUtf8)));
        let (gb, _, _) = GB18030.encode("温州市医疗保障局");
        assert!(evidence(&[&gb]).judge(Encoding::Gb18030, true).is_ok());
    }
}
