//! Detects CSV files that are in another encoding than the one given.
//!
//! That is an error of the file, not of its rows. Read as UTF-8, GB 18030 would be rejected row by row; read as GB
//! 18030, UTF-8 would become other characters, and names would be stored wrong.

use std::borrow::Cow;

use encoding_rs::GB18030;

use super::{super::ImportError, Encoding};

/// Rows in GB 18030 that are enough evidence before the end of the file.
const ENOUGH_ROWS: u64 = 20;

/// Characters beyond ASCII in UTF-8 that are enough evidence against GB 18030, before and at the end of the file. Less
/// than one in ten two-byte characters of GB 18030 is by chance valid UTF-8.
const ENOUGH_CHARACTERS: usize = 64;
const ENOUGH_CHARACTERS_AT_END: usize = 8;

/// Counts of rows by the encodings that they are valid in.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    rows: u64,
    /// Rows with characters beyond ASCII that are UTF-8.
    utf8: u64,
    /// Rows that are not UTF-8 and are valid GB 18030.
    gb18030: u64,
    /// Rows that are neither.
    neither: u64,
    /// Characters beyond ASCII in rows that are UTF-8.
    characters: usize,
}

impl Evidence {
    /// Counts a row that is UTF-8.
    pub(super) fn add_utf8(&mut self, row: &str) {
        self.rows += 1;
        if !row.is_ascii() {
            self.utf8 += 1;
            self.characters += row.chars().filter(|c| !c.is_ascii()).count();
        }
    }

    /// Counts a row that is not UTF-8.
    pub(super) fn add_other(&mut self, row: &[u8]) {
        self.rows += 1;
        match decode(row) {
            Some(_) => self.gb18030 += 1,
            None => self.neither += 1,
        }
    }

    /// Fails if the file is most likely in the other encoding than the one given.
    pub(super) fn judge(&self, given: Encoding, at_end: bool) -> Result<(), ImportError> {
        match given {
            Encoding::Utf8 => {
                // One row that is UTF-8 beyond ASCII, or neither, means damaged rows rather than another encoding.
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
            Encoding::Detected | Encoding::Utf16 => {}
        }
        Ok(())
    }
}

/// Decodes GB 18030; `None` if it is not. Commas, quotes and line ends are never part of a longer character in it.
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
                Ok(text) => evidence.add_utf8(text),
                Err(_) => evidence.add_other(row),
            }
        }
        evidence
    }

    #[test]
    fn one_invalid_row_among_many_does_not_make_a_file_gb18030() {
        let mut rows: Vec<&[u8]> = vec![b"a,b,c"; 10];
        rows.push(b"\xd2\xbd\xb1\xa3,1");
        assert!(evidence(&rows).judge(Encoding::Utf8, true).is_ok());
    }

    #[test]
    fn a_file_with_rows_in_utf8_is_not_gb18030() {
        let rows: Vec<&[u8]> = vec!["医保局".as_bytes(), b"\xd2\xbd\xb1\xa3", b"\xd2\xbd\xb1\xa3"];
        assert!(evidence(&rows).judge(Encoding::Utf8, true).is_ok());
        let rows: Vec<&[u8]> = vec![b"\xd2\xbd\xb1\xa3", b"\xd2\xbd\xb1\xa3"];
        assert!(matches!(evidence(&rows).judge(Encoding::Utf8, true), Err(ImportError::LooksLikeGb18030)));
    }

    #[test]
    fn utf8_is_recognised_when_gb18030_is_given() {
        let rows: Vec<&[u8]> = vec!["温州市医疗保障局".as_bytes()];
        assert!(matches!(evidence(&rows).judge(Encoding::Gb18030, true), Err(ImportError::LooksLikeUtf8)));
        let (gb, _, _) = GB18030.encode("温州市医疗保障局");
        assert!(evidence(&[&gb]).judge(Encoding::Gb18030, true).is_ok());
    }
}
