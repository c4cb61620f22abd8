//! Writes texts so that a line of the log shows what was recorded: characters that cannot be seen, or that turn the text
//! around them, are written as JSON escapes. A program that reads the line as JSON gets the same text as before.

use std::io::{self, Write};

use serde::Serialize as _;
use serde_json::{Serializer, Value, ser::Formatter};

use crate::domain::printable::{first_unprintable, is_unprintable};

/// JSON as `serde_json` writes it, with every unprintable character escaped.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_text(writer, fragment)
    }
}

/// Writes a value as JSON.
pub(super) fn write_json(writer: &mut Vec<u8>, value: &Value) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(writer, Escaping)).map_err(Into::into)
}

/// Writes a text as JSON.
pub(super) fn write_json_text(writer: &mut Vec<u8>, text: &str) -> io::Result<()> {
    text.serialize(&mut Serializer::with_formatter(writer, Escaping)).map_err(Into::into)
}

/// Writes a text without quotes, on one line.
pub(super) fn write_text<W: Write + ?Sized>(writer: &mut W, text: &str) -> io::Result<()> {
    // Nearly every text is written in one piece.
    if first_unprintable(text).is_none() {
        return writer.write_all(text.as_bytes());
    }
    let mut rest = text;
    while let Some(at) = rest.find(is_unprintable) {
        let (plain, from) = rest.split_at(at);
        writer.write_all(plain.as_bytes())?;
        let mut following = from.chars();
        if let Some(c) = following.next() {
            // JSON escapes are UTF-16 units: a character beyond the first plane has two.
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        rest = following.as_str();
    }
    writer.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_cannot_be_seen_is_escaped_and_reads_back_as_it_was() {
        let text = "\"a\"\n\u{1b}[2J\u{202e}医\u{200b}\u{e0041}\u{9b}.";
        let json = written(|out| write_json(out, &Value::from(text)));
        assert_eq!(json, r#""\"a\"\n\u001b[2J\u202e医\u200b\udb40\udc41\u009b.""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert_eq!(written(|out| write_json_text(out, text)), json);
        assert_eq!(written(|out| write_text(out, "a\nb\u{2028}c")), r"a\u000ab\u2028c");
    }

    #[test]
    fn other_texts_are_unchanged() {
        for text in ["", "a request was answered", "结算（二期）"] {
            assert_eq!(written(|out| write_text(out, text)), text);
            assert_eq!(written(|out| write_json_text(out, text)), format!("\"{text}\""));
        }
    }
}
