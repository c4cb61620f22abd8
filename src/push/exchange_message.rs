//! Rows as XML: an `ExchangeMessage`, as front-end exchanges have it, with an element for each row and each field. Exports by
//! hand and the files of carriers have the same form.

use std::fmt::Write as _;

use super::platform::{Encoding, Operation};
use crate::domain::xml::{is_xml_name, write_escaped};

/// What begins and ends a row. Each is on a line of its own where its values have no line ends.
pub(super) const ROW: (&str, &str) = ("<fields", "</fields>");
/// What comes after the rows.
pub(super) const FOOTER: &str = "</Body>\n</ExchangeMessage>\n";
/// The number of lines before the rows.
pub(super) const HEADER_LINES: usize = 4;

/// Why a text cannot be in a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum XmlRefused {
    #[error("{0:?} is not a name of an XML element")]
    Name(String),
    #[error("{name}: XML allows no character U+{code:04X}, not even escaped; correct the value")]
    Character { name: String, code: u32 },
}

/// A row's record, as attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordAttributes<'a> {
    pub(super) record_id: &'a str,
    pub(super) version: i64,
    pub(super) operation: Operation,
}

/// What comes before the rows.
pub(super) fn header(encoding: Encoding, elements: &[(&str, &str)]) -> Result<String, XmlRefused> {
    let mut text =
        format!("<?xml version=\"1.0\" encoding=\"{}\"?>\n<ExchangeMessage>\n<Header>", encoding.registered());
    for (name, value) in elements {
        write_element(name, value, &mut text)?;
    }
    text.push_str("</Header>\n<Body>\n");
    Ok(text)
}

/// Writes a row.
pub(super) fn write_row<'a>(
    record: Option<RecordAttributes<'_>>,
    fields: impl Iterator<Item = (&'a str, &'a str)>,
    text: &mut String,
) -> Result<(), XmlRefused> {
    text.push_str(ROW.0);
    if let Some(RecordAttributes { record_id, version, operation }) = record {
        text.push_str(" record_id=\"");
        let refused = |c| XmlRefused::Character { name: "record_id".to_owned(), code: u32::from(c) };
        write_escaped(record_id, true, text).map_err(refused)?;
        // Writing to a String cannot fail.
        let _ = write!(text, "\" version=\"{version}\" operation=\"{operation}\"");
    }
    text.push('>');
    for (name, value) in fields {
        if !is_xml_name(name) {
            return Err(XmlRefused::Name(name.to_owned()));
        }
        write_element(name, value, text)?;
    }
    text.push_str(ROW.1);
    text.push('\n');
    Ok(())
}

fn write_element(name: &str, value: &str, text: &mut String) -> Result<(), XmlRefused> {
    // Writing to a String cannot fail.
    let _ = write!(text, "<{name}>");
    write_escaped(value, false, text)
        .map_err(|c| XmlRefused::Character { name: name.to_owned(), code: u32::from(c) })?;
    let _ = write!(text, "</{name}>");
    Ok(())
}
