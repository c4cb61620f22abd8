//! Reads values from a platform's file and collects every fault, so that a person fixes a file in one pass.

use std::{collections::BTreeMap, str::FromStr};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::domain::{
    Malformed,
    printable::first_unprintable,
    table::{TableFault, line_at},
};

/// A value with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

impl<T> At<T> {
    fn map<U>(self, to: impl FnOnce(T) -> U) -> At<U> {
        At { value: to(self.value), line: self.line }
    }
}

/// The faults and warnings of a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) faults: Vec<TableFault>,
    pub(super) warnings: Vec<TableFault>,
}

impl Found {
    pub(super) fn fault(&mut self, line: usize, message: impl Into<String>) {
        self.faults.push(TableFault { line: Some(line), message: message.into() });
    }

    pub(super) fn require(&mut self, holds: bool, line: usize, message: impl FnOnce() -> String) {
        if !holds {
            self.fault(line, message());
        }
    }

    pub(super) fn warn(&mut self, line: usize, message: impl Into<String>) {
        self.warnings.push(TableFault { line: Some(line), message: message.into() });
    }
}

/// A table of a file. Values are read by key; [`Section::finish`] reports the keys that nobody read.
#[derive(Debug)]
pub(super) struct Section<'r, 'i> {
    text: &'r str,
    /// As the file writes it, `[carrier.https]`; empty for the file itself.
    name: String,
    pub(super) line: usize,
    table: &'r DeTable<'i>,
    keys: Vec<&'static str>,
}

impl<'r, 'i> Section<'r, 'i> {
    /// The file itself.
    pub(super) fn root(text: &'r str, table: &'r DeTable<'i>) -> Self {
        Self { text, name: String::new(), line: 1, table, keys: Vec::new() }
    }

    fn line_of(&self, value: &Spanned<DeValue<'i>>) -> usize {
        line_at(self.text, &value.span())
    }

    fn find(&mut self, key: &'static str) -> Option<(&'r DeValue<'i>, usize)> {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
        let (_, value) = self.table.iter().find(|(name, _)| name.get_ref().as_ref() == key)?;
        Some((value.get_ref(), self.line_of(value)))
    }

    /// Whether the key is there, with whatever value.
    pub(super) fn has(&mut self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    fn in_words(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!("{}: ", self.name) }
    }

    /// Reads a value by one of the methods below, and reports a missing key.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        found: &mut Found,
        read: impl FnOnce(&mut Self, &'static str, &mut Found) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            found.fault(self.line, format!("{}`{key}` is missing", self.in_words()));
            return None;
        }
        read(self, key, found)
    }

    fn wrong_type<T>(&self, key: &str, value: &DeValue<'i>, what: &str, at: (usize, &mut Found)) -> Option<T> {
        let (line, found) = at;
        found.fault(
            line,
            format!("{}`{key}` must be {what}, and is a value of type {}", self.in_words(), value.type_str()),
        );
        None
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str, found: &mut Found) -> Option<At<String>> {
        let (value, line) = self.find(key)?;
        let Some(text) = value.as_str() else {
            return self.wrong_type(key, value, "a text in quotation marks", (line, found));
        };
        found.require(!text.trim().is_empty(), line, || format!("{}`{key}` is empty", self.in_words()));
        if let Some(character) = first_unprintable(text) {
            let number = u32::from(character);
            found.fault(line, format!("{}`{key}` contains U+{number:04X}, which cannot be seen", self.in_words()));
            return None;
        }
        (!text.trim().is_empty()).then(|| At { value: text.to_owned(), line })
    }

    /// A text of a form.
    pub(super) fn word<T: FromStr<Err = Malformed>>(&mut self, key: &'static str, found: &mut Found) -> Option<At<T>> {
        let At { value, line } = self.text(key, found)?;
        match value.parse() {
            Ok(value) => Some(At { value, line }),
            Err(Malformed(why)) => {
                found.fault(line, format!("{}`{key}`: {why}", self.in_words()));
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, found: &mut Found) -> Option<At<bool>> {
        let (value, line) = self.find(key)?;
        match value.as_bool() {
            Some(value) => Some(At { value, line }),
            None => self.wrong_type(key, value, "true or false", (line, found)),
        }
    }

    /// A number between two others.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        (least, most): (u32, u32),
        found: &mut Found,
    ) -> Option<At<u32>> {
        let (value, line) = self.find(key)?;
        let number = value.as_integer().and_then(|of| u32::from_str_radix(of.as_str(), of.radix()).ok());
        let number = number.filter(|number| (least..=most).contains(number));
        let what = format!("a number from {least} to {most}");
        if number.is_none() && value.is_integer() {
            found.fault(line, format!("{}`{key}` must be {what}", self.in_words()));
            return None;
        }
        match number {
            Some(value) => Some(At { value, line }),
            None => self.wrong_type(key, value, &what, (line, found)),
        }
    }

    /// A list of texts, each with its line.
    pub(super) fn texts(&mut self, key: &'static str, found: &mut Found) -> Option<Vec<At<String>>> {
        let (value, line) = self.find(key)?;
        let Some(list) = value.as_array() else {
            return self.wrong_type(key, value, "a list of texts in quotation marks", (line, found));
        };
        found.require(!list.is_empty(), line, || format!("{}`{key}` is empty", self.in_words()));
        let mut texts = Vec::new();
        for one in list {
            let at = self.line_of(one);
            match one.get_ref().as_str().filter(|text| !text.trim().is_empty()) {
                Some(text) => texts.push(At { value: text.to_owned(), line: at }),
                None => return self.wrong_type(key, one.get_ref(), "a list of texts in quotation marks", (at, found)),
            }
        }
        (!texts.is_empty()).then_some(texts)
    }

    /// A table of texts by keys of the author's choice, each with its line.
    pub(super) fn map(&mut self, key: &'static str, found: &mut Found) -> Option<At<BTreeMap<String, At<String>>>> {
        let (value, line) = self.find(key)?;
        let Some(table) = value.as_table() else {
            return self.wrong_type(key, value, "a table of texts, { ours = \"theirs\" }", (line, found));
        };
        found.require(!table.is_empty(), line, || format!("{}`{key}` is empty", self.in_words()));
        let mut map = BTreeMap::new();
        for (name, one) in table {
            let at = self.line_of(one);
            match one.get_ref().as_str().filter(|text| first_unprintable(text).is_none()) {
                Some(text) => drop(map.insert(name.get_ref().to_string(), At { value: text.to_owned(), line: at })),
                None => return self.wrong_type(key, one.get_ref(), "a table of printable texts", (at, found)),
            }
        }
        (!map.is_empty()).then_some(At { value: map, line })
    }

    fn below(&self, key: &str, table: &'r DeTable<'i>, line: usize) -> Self {
        let name = match self.name.trim_matches(['[', ']']) {
            "" => format!("[{key}]"),
            above => format!("[{above}.{key}]"),
        };
        Self { text: self.text, name, line, table, keys: Vec::new() }
    }

    /// A table below this one.
    pub(super) fn section(&mut self, key: &'static str, found: &mut Found) -> Option<Self> {
        let (value, line) = self.find(key)?;
        match value.as_table() {
            Some(table) => Some(self.below(key, table, line)),
            None => self.wrong_type(key, value, "a table", (line, found)),
        }
    }

    /// A list of tables below this one.
    pub(super) fn sections(&mut self, key: &'static str, found: &mut Found) -> Option<Vec<Self>> {
        let (value, line) = self.find(key)?;
        let Some(list) = value.as_array() else {
            return self.wrong_type(key, value, "a list of tables", (line, found));
        };
        let mut sections = Vec::new();
        for one in list {
            let at = self.line_of(one);
            match one.get_ref().as_table() {
                Some(table) => sections.push(self.below(key, table, at)),
                None => return self.wrong_type(key, one.get_ref(), "a list of tables", (at, found)),
            }
        }
        Some(sections)
    }

    /// Reports the keys that nobody read. To be called last.
    pub(super) fn finish(self, found: &mut Found) {
        for (key, value) in self.table {
            let name = key.get_ref().as_ref();
            if !self.keys.contains(&name) {
                // The value's line: of a table, the one of its header.
                let line = line_at(self.text, &key.span()).min(line_at(self.text, &value.span()));
                let keys = self.keys.join(", ");
                found.fault(line, format!("{}the key `{name}` is unknown; there are: {keys}", self.in_words()));
            }
        }
    }
}

/// A value without its line.
pub(super) fn plain<T>(at: Option<At<T>>) -> Option<T> {
    at.map(|at| at.value)
}

/// A text as a path, relative to a directory.
pub(super) fn path_in(directory: &std::path::Path, text: At<String>) -> At<std::path::PathBuf> {
    text.map(|text| directory.join(text))
}
