//! 行政区划: six-digit region codes, and the local table of their names and days of use.

use std::{fmt, str::FromStr};

use serde::Deserialize;
use toml::Spanned;

use super::{
    malformed::{Malformed, serde_as_text},
    table::{Faults, TableError, line_at, read},
    time::Day,
};

/// A region code of six digits. Any six digits are accepted: old codes name abolished regions, and other cities'
/// regions are not in the local table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region([u8; 6]);

/// The provinces of GB/T 2260, by the first two digits of their divisions.
const PROVINCES: [&str; 34] = [
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43", "44",
    "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82",
];

impl Region {
    /// The text.
    pub fn as_str(&self) -> &str {
        // Infallible: all bytes are ASCII digits.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The city of the region, `XXYY00`.
    #[must_use]
    pub const fn city(mut self) -> Self {
        self.0[4] = b'0';
        self.0[5] = b'0';
        self
    }

    /// Whether another region is this one or part of it: of the city `XXYY00`, of the province `XX0000`.
    pub fn covers(self, other: Self) -> bool {
        self == other || self == other.city() || self == other.province()
    }

    /// Whether GB/T 2260 can have the code: its province exists, and no county is outside of a city.
    pub fn is_division(self) -> bool {
        let province = self.as_str().get(..2).is_some_and(|digits| PROVINCES.contains(&digits));
        province && (self.city() != self.province() || self == self.province())
    }

    /// The province of the region, `XX0000`.
    #[must_use]
    pub const fn province(self) -> Self {
        let mut province = self.city();
        province.0[2] = b'0';
        province.0[3] = b'0';
        province
    }
}

impl FromStr for Region {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed(format!("{text:?} is not a region of six digits like 330302"));
        let digits: [u8; 6] = text.as_bytes().try_into().map_err(|_| bad())?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(bad()) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(Region);

/// An entry of the local table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedRegion {
    /// The six digits.
    pub code: Region,
    /// 名称.
    pub name: String,
    /// The first day of use; absent if it was always in use.
    pub valid_from: Option<Day>,
    /// The last day of use; absent if it is still in use.
    pub valid_to: Option<Day>,
}

impl NamedRegion {
    /// Whether it was in use on a day.
    pub fn in_use(&self, on: Day) -> bool {
        self.valid_from.is_none_or(|from| from <= on) && self.valid_to.is_none_or(|to| on <= to)
    }
}

/// The local table.
#[derive(Debug, Clone)]
pub struct RegionTable {
    regions: Vec<NamedRegion>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionFile {
    region: Vec<Spanned<NamedRegion>>,
}

/// The compiled-in table, as text.
pub const BUILT_IN: &str = include_str!("../../config/regions.toml");

impl RegionTable {
    /// Reads a table of regions; errors name it by `file`. Two entries of one code must not overlap in their days of
    /// use.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, TableError> {
        let table: RegionFile = read(file, text)?;
        let mut faults = Faults::new(file);
        for (at, one) in table.region.iter().enumerate() {
            let line = line_at(text, &one.span());
            let one = one.get_ref();
            // A code may be given to another region later, so only days in common are a fault.
            let overlaps = |other: &NamedRegion| {
                one.valid_from.zip(other.valid_to).is_none_or(|(from, to)| from <= to)
                    && other.valid_from.zip(one.valid_to).is_none_or(|(from, to)| from <= to)
            };
            let mut before = table.region.iter().take(at).map(Spanned::get_ref);
            let duplicate = before.any(|other| other.code == one.code && overlaps(other));
            faults.require(!duplicate, line, || format!("{} is named twice for the same days", one.code));
        }
        faults.finish()?;
        Ok(Self { regions: table.region.into_iter().map(Spanned::into_inner).collect() })
    }

    /// Reads the compiled-in table: a city like Wenzhou.
    pub fn built_in() -> Result<Self, TableError> {
        Self::from_toml("config/regions.toml", BUILT_IN)
    }

    /// Finds the region with this name that was in use on a day.
    pub fn named(&self, name: &str, on: Day) -> Option<Region> {
        self.in_use(on).find(|region| region.name == name).map(|region| region.code)
    }

    /// Finds the entry of a code that was in use on a day.
    pub fn find(&self, code: Region, on: Day) -> Option<&NamedRegion> {
        self.regions.iter().find(|region| region.code == code && region.in_use(on))
    }

    /// Whether the table has the code, on whatever day; `None` if it does not have the code's city, and so has no
    /// knowledge of it. A city's `XXYY01` (市辖区) is no region of anybody, but offices register under it.
    pub fn has(&self, code: Region) -> Option<bool> {
        let listed = |code: Region| self.regions.iter().any(|region| region.code == code);
        listed(code.city()).then(|| listed(code) || code.as_str().ends_with("01"))
    }

    /// Returns the entries in use on a day, in the order of the table.
    pub fn in_use(&self, on: Day) -> impl Iterator<Item = &NamedRegion> {
        self.regions.iter().filter(move |region| region.in_use(on))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn the_built_in_table_has_the_twelve_regions_of_the_city() {
        let table = RegionTable::built_in().unwrap();
        let counties: Vec<_> = table
            .in_use(day("2026-03-31"))
            .filter(|region| !matches!(region.code.as_str(), "330300" | "330399"))
            .map(|region| region.code.as_str())
            .collect();
        assert_eq!(
            counties,
            [
                "330302", "330303", "330304", "330305", "330324", "330326", "330327", "330328", "330329", "330381",
                "330382", "330383"
            ]
        );
    }

    #[test]
    fn an_abolished_region_is_found_only_in_its_days_of_use() {
        let table = RegionTable::built_in().unwrap();
        let old: Region = "330322".parse().unwrap();
        assert_eq!(table.find(old, day("2014-01-01")).map(|region| region.name.as_str()), Some("洞头县"));
        assert_eq!(table.find(old, day("2026-01-01")), None);
        let new: Region = "330383".parse().unwrap();
        assert!(table.find(new, day("2019-01-01")).is_none());
        assert!(table.find(new, day("2020-01-01")).is_some());
    }

    #[test]
    fn a_code_named_twice_for_the_same_days_is_refused() {
        let twice = "[[region]]\ncode = \"330302\"\nname = \"a\"\n[[region]]\ncode = \"330302\"\nname = \"b\"\n";
        assert!(
            RegionTable::from_toml("regions.toml", twice)
                .unwrap_err()
                .to_string()
                .starts_with("regions.toml:4: 330302")
        );
        let apart = "[[region]]\ncode = \"330302\"\nname = \"a\"\nvalid_to = \"2020-01-01\"\n\
                     [[region]]\ncode = \"330302\"\nname = \"b\"\nvalid_from = \"2020-01-02\"\n";
        assert!(RegionTable::from_toml("regions.toml", apart).is_ok());
        assert!(RegionTable::from_toml("regions.toml", "[[region]]\ncode = \"3303\"\nname = \"a\"\n").is_err());
    }

    #[test]
    fn a_region_knows_its_city_and_province() {
        let region: Region = "330381".parse().unwrap();
        assert_eq!((region.city().as_str(), region.province().as_str()), ("330300", "330000"));
        assert!(region.city().covers(region) && region.province().covers(region) && region.covers(region));
        assert!(!region.covers(region.city()) && !"330100".parse::<Region>().unwrap().covers(region));
    }

    #[test]
    fn a_division_has_a_province_and_a_county_has_a_city() {
        for code in ["110000", "330300", "330302", "330322", "429004", "820000"] {
            assert!(code.parse::<Region>().unwrap().is_division(), "{code}");
        }
        for code in ["000000", "100000", "330001", "160101", "990302", "910302"] {
            assert!(!code.parse::<Region>().unwrap().is_division(), "{code}");
        }
        let table = RegionTable::built_in().unwrap();
        let has = |code: &str| table.has(code.parse().unwrap());
        assert_eq!([has("330302"), has("330322"), has("330301"), has("330377")], [true, true, true, false].map(Some));
        assert_eq!(has("350203"), None);
    }

    proptest! {
        #[test]
        fn six_digits_and_nothing_else_are_a_region(text in "[0-9]{0,8}|\\PC{0,8}") {
            let expected = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
            let read = text.parse::<Region>();
            prop_assert_eq!(read.is_ok(), expected);
            if let Ok(region) = read {
                prop_assert_eq!(region.to_string(), text);
            }
        }
    }
}
