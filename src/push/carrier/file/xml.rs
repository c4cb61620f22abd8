//! Rows as XML: an `ExchangeMessage`, as front-end exchanges have it, with an element for each row and each field.

use std::fmt::Write as _;

use super::{
    super::{Failed, FailureReason, PackageHead, Row},
    FileSettings,
};

/// What comes after the rows.
pub(super) const FOOTER: &str = "</Body>\n</ExchangeMessage>\n";

/// What comes before the rows.
pub(super) fn header(settings: &FileSettings, head: &PackageHead) -> Result<String, Failed> {
    let (number, rows, made_at) = (head.number.to_string(), head.rows.to_string(), head.made_at.to_string());
    let mut text =
        format!("<?xml version=\"1.0\" encoding=\"{}\"?>\n<ExchangeMessage>\n<Header>", settings.encoding.name());
    for (name, value) in [
        ("sender", settings.source.as_str()),
        ("receiver", &head.platform),
        ("item", &head.dataset),
        ("sn", &number),
        ("period", &head.period),
        ("made_at", &made_at),
        ("digest", &head.digest),
        ("rows", &rows),
    ] {
        let place = || format!("package {number}, {name}");
        write_element(name, value, place, &mut text)?;
    }
    text.push_str("</Header>\n<Body>\n");
    Ok(text)
}

/// The elements of rows.
pub(super) fn rows(rows: &[Row], record_columns: bool) -> Result<String, Failed> {
    let mut text = String::new();
    for row in rows {
        text.push_str("<fields");
        if record_columns {
            let place = || format!("the id of record {}", crate::domain::printable::visible(&row.record_id));
            text.push_str(" record_id=\"");
            write_escaped(&row.record_id, true, place, &mut text)?;
            // Writing to a String cannot fail.
            let _ = write!(text, "\" version=\"{}\" operation=\"{}\"", row.version, row.operation.letter());
        }
        text.push('>');
        for (name, value) in &row.fields {
            let place = || format!("record {}, field {name}", row.record_id);
            if !is_name(name) {
                let why = format!("{}: {name:?} is no name of an XML element", place());
                return Err(Failed::permanent(FailureReason::Field, why));
            }
            write_element(name, value, place, &mut text)?;
        }
        text.push_str("</fields>\n");
    }
    Ok(text)
}

fn write_element(name: &str, value: &str, place: impl Fn() -> String, text: &mut String) -> Result<(), Failed> {
    // Writing to a String cannot fail.
    let _ = write!(text, "<{name}>");
    write_escaped(value, false, place, text)?;
    let _ = write!(text, "</{name}>");
    Ok(())
}

fn write_escaped(value: &str, in_attribute: bool, place: impl Fn() -> String, text: &mut String) -> Result<(), Failed> {
    for c in value.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            // XML 1.0 section 2.11: a reader turns a carriage return into a line feed, and section 3.3.3: in an attribute it
            // turns tabs and line feeds into spaces.
            '\r' => text.push_str("&#13;"),
            '\t' if in_attribute => text.push_str("&#9;"),
            '\n' if in_attribute => text.push_str("&#10;"),
            c if is_char(c) => text.push(c),
            c => {
                let why = format!(
                    "{}: XML allows no character U+{:04X}, not even escaped; correct the value",
                    place(),
                    u32::from(c)
                );
                return Err(Failed::permanent(FailureReason::Field, why));
            }
        }
    }
    Ok(())
}

/// XML 1.0 section 2.2, `Char`.
const fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// XML 1.0 section 2.3, `Name`, without colons, which are for namespaces, and without the reserved names.
fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start)
        && chars.all(|c| {
            is_name_start(c)
                || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
        })
        && !name.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("xml"))
}

const fn is_name_start(c: char) -> bool {
    matches!(
        c,
        'A'..='Z'
            | '_'
            | 'a'..='z'
            | '\u{c0}'..='\u{d6}'
            | '\u{d8}'..='\u{f6}'
            | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}'
            | '\u{37f}'..='\u{1fff}'
            | '\u{200c}'..='\u{200d}'
            | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}'
            | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}'
            | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}'
    )
}
