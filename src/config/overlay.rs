//! Merges the operator's TOML over the defaults, and knows the line of each key.

use std::{borrow::Cow, ops::Range, path::Path};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::Problem;

/// Both files as one table. Spans in the defaults are shifted behind the end of the operator's text, so that a span shows
/// which file it is in.
#[derive(Debug)]
pub(super) struct Document<'t> {
    table: DeTable<'t>,
    text: &'t str,
}

impl<'t> Document<'t> {
    /// Parses both files and merges them: tables key by key, other values are replaced. Resolves paths relative to `directory`.
    pub(super) fn merged(defaults: &'t str, text: &'t str, directory: &Path) -> Result<Self, Problem> {
        let over = DeTable::parse(text).map_err(|error| Problem {
            line: error.span().map(|span| line_at(text, span.start)),
            key: String::new(),
            message: error.message().to_owned(),
        })?;
        let base = DeTable::parse(defaults).map_err(|error| Problem {
            line: None,
            key: String::new(),
            message: format!("the compiled-in defaults: {}", error.message()),
        })?;
        let mut table = merge(shifted(base.into_inner(), text.len() + 1), over.into_inner());
        resolve_paths(&mut table, directory);
        Ok(Self { table, text })
    }

    /// Reports sections that do not exist.
    pub(super) fn unknown_sections(&self, known: &[&str]) -> Vec<Problem> {
        let unknown = self.table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref()));
        unknown
            .map(|(key, _)| Problem {
                line: self.line(&key.span()),
                key: key.get_ref().to_string(),
                message: format!("unknown section; the sections are: {}", known.join(", ")),
            })
            .collect()
    }

    /// Deserializes a section; `None` after reporting a problem.
    pub(super) fn section<T: Deserialize<'t>>(&self, name: &str, problems: &mut Vec<Problem>) -> Option<T> {
        // Where neither file has it, an empty table: the error then names the first key that is missing.
        let value = self.table.get(name).cloned().unwrap_or_else(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(section) => Some(section),
            Err(error) => {
                let span = error.span();
                let key = span.as_ref().and_then(|span| key_at(&self.table, span)).unwrap_or_else(|| name.to_owned());
                let line = span.as_ref().and_then(|span| self.line(span)).or_else(|| self.line_of(&key));
                problems.push(Problem { line, key, message: error.message().to_owned() });
                None
            }
        }
    }

    /// The line on which the operator's file sets a key, or else the nearest table around it.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        let mut table = &self.table;
        let mut line = None;
        for part in key.split('.') {
            let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else { break };
            line = self.line(&name.span()).or(line);
            match value.get_ref() {
                DeValue::Table(below) => table = below,
                _ => break,
            }
        }
        line
    }

    fn line(&self, span: &Range<usize>) -> Option<usize> {
        (span.start < self.text.len()).then(|| line_at(self.text, span.start))
    }
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn shifted(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let shift = |span: Range<usize>| span.start + by..span.end + by;
    let each = table.into_iter().map(|(key, value)| {
        let (key_span, value_span) = (shift(key.span()), shift(value.span()));
        let value = match value.into_inner() {
            DeValue::Table(below) => DeValue::Table(shifted(below, by)),
            other => other,
        };
        (Spanned::new(key_span, key.into_inner()), Spanned::new(value_span, value))
    });
    each.collect()
}

fn merge<'t>(mut base: DeTable<'t>, over: DeTable<'t>) -> DeTable<'t> {
    for (key, value) in over {
        // Removed and inserted again: replacing a value alone would keep the old key with its old span.
        let value =
            match (base.remove(key.get_ref().as_ref()).map(Spanned::into_inner), value.span(), value.into_inner()) {
                (Some(DeValue::Table(below)), span, DeValue::Table(above)) => {
                    Spanned::new(span, DeValue::Table(merge(below, above)))
                }
                (_, span, value) => Spanned::new(span, value),
            };
        base.insert(key, value);
    }
    base
}

fn is_path(key: &str) -> bool {
    let ends = ["_file", "_files", "_directory"];
    matches!(key, "file" | "files" | "directory") || ends.iter().any(|end| key.ends_with(end))
}

fn resolve_paths(table: &mut DeTable<'_>, directory: &Path) {
    for (key, value) in table.iter_mut() {
        resolve(value.get_mut(), is_path(key.get_ref()), directory);
    }
}

fn resolve(value: &mut DeValue<'_>, path: bool, directory: &Path) {
    match value {
        DeValue::Table(below) => resolve_paths(below, directory),
        DeValue::Array(items) => items.iter_mut().for_each(|item| resolve(item.get_mut(), path, directory)),
        DeValue::String(text) if path => {
            *text = Cow::Owned(directory.join(text.as_ref()).to_string_lossy().into_owned());
        }
        _ => {}
    }
}

/// The key whose name or value has a span.
fn key_at(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        if key.span() == *span || value.span() == *span {
            return Some(key.get_ref().to_string());
        }
        let below = match value.get_ref() {
            DeValue::Table(below) => key_at(below, span),
            DeValue::Array(items) => items.iter().enumerate().find_map(|(at, item)| match item.get_ref() {
                DeValue::Table(below) => key_at(below, span).map(|rest| format!("{at}.{rest}")),
                _ => (item.span() == *span).then(|| at.to_string()),
            }),
            _ => None,
        };
        below.map(|rest| format!("{}.{rest}", key.get_ref()))
    })
}
