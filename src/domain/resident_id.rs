//! 居民身份证号, the resident identity number of GB 11643-1999: 17 digits and a check character (ISO 7064 MOD 11-2).
//!
//! Personal information: `Debug` shows no digit, and the text is only available by [`ResidentId::reveal`].

use std::fmt;

use super::time::Day;

/// The weights of the first 17 digits.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The check character for each remainder of the weighted sum divided by 11.
const CHECKS: &[u8; 11] = b"10X98765432";

/// The earliest year of birth that is accepted.
const FIRST_YEAR: i32 = 1900;

/// A number with valid characters, birth date and check character.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ResidentId([u8; 18]);

/// Why a text is not a resident identity number. None of the sentences repeats the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResidentIdError {
    /// Not 18 characters.
    #[error("a resident identity number has 18 characters, this one has {found}")]
    Length {
        /// The number of characters.
        found: usize,
    },
    /// The old form, invalid since 2013.
    #[error("a 15-digit number is no longer a valid certificate: give the 18-character number")]
    FifteenDigits,
    /// A character that is not a digit, or at the end neither a digit nor `X`.
    #[error("character {position} must be a digit{}", if *position == 18 { " or X" } else { "" })]
    Character {
        /// The position, counted from 1.
        position: usize,
    },
    /// Characters 7 to 14 are not a day of the calendar.
    #[error("characters 7 to 14 are not a day of the calendar")]
    BirthDate,
    /// Born before 1900.
    #[error("the year of birth is before 1900")]
    TooOld,
    /// Born after the day of checking.
    #[error("the day of birth is in the future")]
    NotBornYet,
    /// The check character is wrong.
    #[error("the check character does not fit the others")]
    Check,
}

impl ResidentId {
    /// Reads a number as of a day. The address part is not looked up: it names the place of first issue, which may have
    /// been abolished since.
    pub fn parse(text: &str, today: Day) -> Result<Self, ResidentIdError> {
        let count = text.chars().count();
        // A 15-digit number was valid once and deserves a better answer than a wrong length.
        if count == 15 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ResidentIdError::FifteenDigits);
        }
        let digits = Self::characters(text, count)?;
        Self::check_birth(&digits, today)?;
        if digits[17] == check_character(&digits) { Ok(Self(digits)) } else { Err(ResidentIdError::Check) }
    }

    /// The 18-character number of an old 15-digit one (`19` inserted, check computed): for matching history only.
    pub fn from_fifteen_digits(text: &str, today: Day) -> Result<Self, ResidentIdError> {
        match (text.get(..6), text.get(6..)) {
            (Some(address), Some(rest)) if text.len() == 15 => {
                let mut digits = Self::characters(&format!("{address}19{rest}0"), 18)?;
                digits[17] = check_character(&digits);
                // The century is an assumption, so the date is checked after it was inserted.
                Self::check_birth(&digits, today)?;
                Ok(Self(digits))
            }
            _ => Err(ResidentIdError::Length { found: text.chars().count() }),
        }
    }

    /// Whether a text contains a number: 18 digits, of which the last may be `X`, with a day of birth and a fitting check
    /// character. Full-width digits count as digits, and spaces between digits are skipped. Digits that are part of a
    /// longer row of digits, as in an account number, are no number. Numbers of 15 digits have no check character and
    /// cannot be distinguished from other numbers.
    pub fn is_in(text: &str) -> bool {
        // The first byte of a full-width digit is 0xEF. Nearly every text ends here, at the cost of a short loop.
        if text.bytes().filter(|byte| byte.is_ascii_digit() || *byte == 0xEF).count() < 17 {
            return false;
        }
        let mut row = DigitRow::default();
        text.chars().any(|c| row.push(c)) || row.has_number()
    }

    fn characters(text: &str, count: usize) -> Result<[u8; 18], ResidentIdError> {
        let mut digits = [0u8; 18];
        for (at, found) in text.chars().enumerate() {
            let upper = found.to_ascii_uppercase();
            if !(upper.is_ascii_digit() || (upper == 'X' && at == 17)) {
                return Err(ResidentIdError::Character { position: at + 1 });
            }
            if let (Some(slot), Ok(byte)) = (digits.get_mut(at), u8::try_from(upper)) {
                *slot = byte;
            }
        }
        if count == 18 { Ok(digits) } else { Err(ResidentIdError::Length { found: count }) }
    }

    fn check_birth(digits: &[u8; 18], today: Day) -> Result<(), ResidentIdError> {
        let number = |from: usize, count: usize| {
            digits.iter().skip(from).take(count).fold(0u16, |sum, byte| sum * 10 + u16::from(byte - b'0'))
        };
        let year = i32::from(number(6, 4));
        let part = |from| u8::try_from(number(from, 2)).map_err(|_| ResidentIdError::BirthDate);
        let born = Day::new(year, part(10)?, part(12)?).map_err(|_| ResidentIdError::BirthDate)?;
        if year < FIRST_YEAR {
            return Err(ResidentIdError::TooOld);
        }
        if born > today { Err(ResidentIdError::NotBornYet) } else { Ok(()) }
    }

    /// The number itself. Personal information: only for sealing, matching and the subject's own pages.
    pub fn reveal(&self) -> &str {
        // Infallible: all bytes are ASCII digits or X.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The first six and last four characters, the rest starred (JR/T 0171).
    pub fn masked(&self) -> String {
        let text = self.reveal();
        format!("{}********{}", text.get(..6).unwrap_or_default(), text.get(14..).unwrap_or_default())
    }
}

/// Digits with nothing but spaces between them.
#[derive(Default)]
struct DigitRow {
    digits: Vec<u8>,
    /// Where a group of digits begins or ends.
    bounds: Vec<usize>,
}

impl DigitRow {
    /// Takes the next character. Returns whether it ended a row with a number in it.
    fn push(&mut self, c: char) -> bool {
        match c {
            '0'..='9' | '\u{FF10}'..='\u{FF19}' => {
                // Both ranges of digits begin at a multiple of sixteen.
                self.digits.push(b'0' + u8::try_from(u32::from(c) & 0xF).unwrap_or(0));
                false
            }
            'X' | 'x' | '\u{FF38}' | '\u{FF58}' if !self.digits.is_empty() => {
                self.digits.push(b'X');
                self.end()
            }
            c if c.is_whitespace() => {
                self.bounds.push(self.digits.len());
                false
            }
            _ => self.end(),
        }
    }

    fn end(&mut self) -> bool {
        let found = self.has_number();
        self.digits.clear();
        self.bounds.clear();
        found
    }

    /// Whether whole groups of the row, joined, are a number.
    fn has_number(&mut self) -> bool {
        self.bounds.insert(0, 0);
        self.bounds.push(self.digits.len());
        let starts = self.bounds.iter();
        starts.filter(|start| self.bounds.contains(&(*start + 18))).any(|start| {
            let digits = self.digits.get(*start..start + 18).and_then(|digits| <&[u8; 18]>::try_from(digits).ok());
            digits.is_some_and(|digits| {
                let last = digits[17] == check_character(digits);
                // Long after everybody of today: a text is examined on any day with the same result.
                last && Day::new(2199, 12, 31).is_ok_and(|day| ResidentId::check_birth(digits, day).is_ok())
            })
        })
    }
}

fn check_character(digits: &[u8; 18]) -> u8 {
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(byte, weight)| u32::from(byte.saturating_sub(b'0')) * weight).sum();
    usize::try_from(sum % 11).ok().and_then(|at| CHECKS.get(at)).copied().unwrap_or(b'0')
}

impl fmt::Debug for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResidentId(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn today() -> Day {
        Day::new(2026, 3, 31).unwrap()
    }

    fn parse(text: &str) -> Result<ResidentId, ResidentIdError> {
        ResidentId::parse(text, today())
    }

    #[test]
    fn the_worked_examples_are_right_and_the_29th_of_february_is_a_day_of_leap_years_only() {
        for text in [
            "330302198001010019",
            "330381199202292040",
            "330324197512310033",
            "33030319660704005X",
            "11010519491231002X",
        ] {
            assert_eq!(parse(text).unwrap().reveal(), text);
        }
        assert_eq!(parse("330381199302292040"), Err(ResidentIdError::BirthDate));
        assert_eq!(parse("330381190002292040"), Err(ResidentIdError::BirthDate));
    }

    #[test]
    fn each_fault_has_its_own_error() {
        assert_eq!(parse("33030319660704005x").unwrap().reveal(), "33030319660704005X");
        assert_eq!(parse("330303660704005"), Err(ResidentIdError::FifteenDigits));
        assert_eq!(parse("3303031966070400"), Err(ResidentIdError::Length { found: 16 }));
        assert_eq!(parse("3303031966070400512"), Err(ResidentIdError::Length { found: 19 }));
        assert_eq!(parse("X3030319660704005X"), Err(ResidentIdError::Character { position: 1 }));
        assert_eq!(parse("33030319660704005Y"), Err(ResidentIdError::Character { position: 18 }));
        assert_eq!(parse("330302189912310019"), Err(ResidentIdError::TooOld));
        assert_eq!(parse("330302202604010019"), Err(ResidentIdError::NotBornYet));
        assert_eq!(parse("330302198001010018"), Err(ResidentIdError::Check));
        assert_eq!(parse("330302198013010019"), Err(ResidentIdError::BirthDate));
    }

    #[test]
    fn debug_shows_nothing_and_the_masked_form_hides_the_birth_date() {
        let id = parse("33030319660704005X").unwrap();
        assert_eq!(format!("{id:?}"), "ResidentId(..)");
        assert_eq!(id.masked(), "330303********005X");
    }

    #[test]
    fn a_birth_date_of_today_is_accepted_and_one_of_tomorrow_is_not() {
        let id = ResidentId::from_fifteen_digits("330302991231001", Day::new(1999, 12, 31).unwrap());
        assert!(id.is_ok());
        let early = ResidentId::from_fifteen_digits("330302991231001", Day::new(1999, 12, 30).unwrap());
        assert_eq!(early, Err(ResidentIdError::NotBornYet));
    }

    #[test]
    fn a_number_is_found_in_any_text_and_other_numbers_are_not() {
        for text in [
            "330302198001010019",
            "合成甲330302198001010019",
            "身份证:33030319660704005x。",
            "(33030319660704005X)",
            "330302 19800101 0019",
            "330302\u{3000}198001010019",
            "\u{FF13}30302198001010019",
            "2026 330302198001010019 2026",
            "D330302198001010019",
        ] {
            assert!(ResidentId::is_in(text), "{text}");
        }
        for text in [
            "",
            "330302198001010018",
            "6222330302198001010019",
            "330302-19800101-0019",
            "330302199913010019",
            "温医保罚〔2025〕330302198001号1001",
            "123303004705234552",
            "330302198001010019000000000000",
            "X30302198001010019X",
        ] {
            assert!(!ResidentId::is_in(text), "{text}");
        }
    }

    fn any_id() -> impl Strategy<Value = ResidentId> {
        (0..=999_999u32, 0..36_500i64, 0..=999u32).prop_map(|(address, days, sequence)| {
            let born = Day::new(1900, 1, 1).unwrap().plus_days(days).to_string().replace('-', "");
            let mut digits = [b'0'; 18];
            digits.copy_from_slice(format!("{address:06}{born}{sequence:03}0").as_bytes());
            digits[17] = check_character(&digits);
            ResidentId(digits)
        })
    }

    proptest! {
        #[test]
        fn a_number_reads_back_as_itself(id in any_id()) {
            let text = format!("a {} b", id.reveal());
            prop_assert!(ResidentId::is_in(&text));
            prop_assert_eq!(parse(id.reveal()), Ok(id));
        }

        #[test]
        fn any_changed_digit_and_any_adjacent_swap_is_caught(id in any_id(), at in 0..17usize, to in b'0'..=b'9') {
            let mut bad = id.0;
            bad[at] = to;
            prop_assert_eq!(parse(std::str::from_utf8(&bad).unwrap()).is_ok(), bad == id.0);
            let mut swapped = id.0;
            swapped.swap(at, at + 1);
            prop_assert_eq!(parse(std::str::from_utf8(&swapped).unwrap()).is_ok(), swapped == id.0);
        }

        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,24}") {
            let _ = parse(&text);
            let _ = ResidentId::from_fifteen_digits(&text, today());
            let _ = ResidentId::is_in(&text);
        }
    }
}
