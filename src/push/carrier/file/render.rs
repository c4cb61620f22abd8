//! Rows as bytes of a data file: CSV, XML or NDJSON, in the receiver's encoding.

use std::borrow::Cow;

use super::{
    super::{
        Delivery, Failed, FailureReason, PackageHead, Row,
        json::{Fields, JsonRow},
    },
    FileFormat, FileSettings, TextEncoding,
    part::Part,
    xml,
};
use crate::domain::printable::without_formula;

/// The columns of a record that come before the receiver's own.
const RECORD_COLUMNS: [&str; 3] = ["record_id", "version", "operation"];

/// Renders the rows of a page.
pub(super) fn render(settings: &FileSettings, of: &Delivery<'_>) -> Result<Part, Failed> {
    let (text, columns) = match settings.format {
        FileFormat::Csv => csv_rows(settings, of.rows)?,
        FileFormat::Xml => (xml::rows(of.rows, settings.record_columns)?, Vec::new()),
        FileFormat::Ndjson => (json_rows(settings, of.rows)?, Vec::new()),
    };
    // The whole text has the same bytes as its rows one by one: neither encoding has a state.
    let Some(body) = encoded(&text, settings.encoding) else { return Err(lacking(of.rows, settings.encoding)) };
    Ok(Part::new(of.rows.len(), columns, body))
}

/// What comes before the rows.
pub(super) fn header(settings: &FileSettings, head: &PackageHead, columns: &[String]) -> Result<Vec<u8>, Failed> {
    let text = match settings.format {
        FileFormat::Csv if columns.is_empty() => String::new(),
        FileFormat::Csv => csv_text(|out| out.write_record(columns))?,
        FileFormat::Xml => xml::header(settings, head)?,
        FileFormat::Ndjson => String::new(),
    };
    encoded(&text, settings.encoding).ok_or_else(|| {
        let why = format!("the names of package {} cannot be written in {}", head.number, settings.encoding.name());
        Failed::permanent(FailureReason::Field, why)
    })
}

/// What comes after the rows.
pub(super) const fn footer(settings: &FileSettings) -> &'static [u8] {
    match settings.format {
        FileFormat::Xml => xml::FOOTER.as_bytes(),
        FileFormat::Csv | FileFormat::Ndjson => b"",
    }
}

/// A text in an encoding; none if the encoding lacks a character.
fn encoded(text: &str, encoding: TextEncoding) -> Option<Vec<u8>> {
    let (bytes, _, lost) = encoding.codec().encode(text);
    (!lost).then(|| bytes.into_owned())
}

/// The record and field with a character that the encoding lacks.
fn lacking(rows: &[Row], encoding: TextEncoding) -> Failed {
    let name = encoding.name();
    let fields = rows.iter().flat_map(|row| row.fields.iter().map(move |(field, value)| (row, field, value)));
    let mut texts = fields.flat_map(|(row, field, value)| [(row, field, field), (row, field, value)]);
    let found = texts.find(|(_, _, text)| encoded(text, encoding).is_none());
    let why = match found {
        Some((row, field, text)) => {
            let lost = text.chars().find(|c| encoded(c.encode_utf8(&mut [0; 4]), encoding).is_none());
            let lost = lost.map(|c| format!("U+{:04X}", u32::from(c))).unwrap_or_default();
            format!("record {}, field {field}: {name} has no character {lost}; correct the value", row.record_id)
        }
        None => format!("a record's id cannot be written in {name}"),
    };
    Failed::permanent(FailureReason::Field, why)
}

/// CSV as RFC 4180 has it.
fn csv_text(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Result<String, Failed> {
    let failed = |error: String| Failed::permanent(FailureReason::Field, format!("the rows as CSV: {error}"));
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    write(&mut out).map_err(|error| failed(error.to_string()))?;
    let bytes = out.into_inner().map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}

fn csv_rows(settings: &FileSettings, rows: &[Row]) -> Result<(String, Vec<String>), Failed> {
    let columns = csv_columns(settings, rows)?;
    let text = csv_text(|out| {
        for row in rows {
            let record = [row.record_id.as_str(), &row.version.to_string(), row.operation.letter()];
            let record = record.into_iter().filter(|_| settings.record_columns).map(cell);
            let fields = row.fields.iter().map(|(_, value)| cell(value));
            out.write_record(record.map(Cow::into_owned).chain(fields.map(Cow::into_owned)))?;
        }
        Ok(())
    })?;
    Ok((text, columns))
}

/// The columns of the rows, which must all have the same: a file has one header.
fn csv_columns(settings: &FileSettings, rows: &[Row]) -> Result<Vec<String>, Failed> {
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    for row in rows {
        let same = row.fields.len() == first.fields.len();
        let differing = row.fields.iter().zip(&first.fields).find(|((name, _), (other, _))| name != other);
        if !same || differing.is_some() {
            let which = differing.map(|((name, _), _)| format!(", from field {name} on")).unwrap_or_default();
            let why = format!(
                "record {} has other fields than record {}{which}: in a CSV file all rows have the same, empty ones too",
                row.record_id, first.record_id
            );
            return Err(Failed::permanent(FailureReason::Field, why));
        }
    }
    let own = first.fields.iter().map(|(name, _)| name.as_str());
    if !settings.record_columns {
        return Ok(own.map(str::to_owned).collect());
    }
    if let Some(twice) = own.clone().find(|name| RECORD_COLUMNS.contains(name)) {
        let why =
            format!("the field {twice} has the name of a record column: rename it, or leave the record columns out");
        return Err(Failed::permanent(FailureReason::Field, why));
    }
    Ok(RECORD_COLUMNS.into_iter().chain(own).map(str::to_owned).collect())
}

/// A value as a cell that a spreadsheet does not evaluate. A number is none, whatever its sign.
fn cell(value: &str) -> Cow<'_, str> {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1;
    if is_number { Cow::Borrowed(value) } else { without_formula(value) }
}

fn json_rows(settings: &FileSettings, rows: &[Row]) -> Result<String, Failed> {
    let mut text = String::new();
    for row in rows {
        let line = if settings.record_columns {
            serde_json::to_string(&JsonRow::from(row))
        } else {
            serde_json::to_string(&Fields(&row.fields))
        };
        let line = line.map_err(|error| {
            Failed::permanent(FailureReason::Field, format!("record {} as JSON: {error}", row.record_id))
        })?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{super::super::Operation, *};
    use crate::domain::Timestamp;

    fn settings(format: FileFormat, encoding: TextEncoding) -> FileSettings {
        FileSettings { directory: "/drop".into(), source: "ybj".into(), format, encoding, record_columns: true }
    }

    fn row(id: &str, fields: &[(&str, &str)]) -> Row {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Row { record_id: id.into(), version: 2, operation: Operation::Update, fields }
    }

    /// The whole file of a page.
    fn file(settings: &FileSettings, rows: &[Row]) -> Result<Vec<u8>, Failed> {
        let package = PackageHead {
            platform: "city".into(),
            number: 3,
            dataset: "grades".into(),
            period: "2026-H1".into(),
            digest: "ab".into(),
            made_at: Timestamp::from_seconds(1_780_000_000),
            rows: u64::try_from(rows.len()).unwrap(),
            pages: 1,
        };
        let part = render(settings, &Delivery { package: &package, page: 1, key: "k", rows })?;
        let head = header(settings, &package, &part.head.columns)?;
        Ok([head, part.body, footer(settings).to_vec()].concat())
    }

    fn text(settings: &FileSettings, rows: &[Row]) -> String {
        String::from_utf8(file(settings, rows).unwrap()).unwrap()
    }

    #[test]
    fn csv_has_no_formulas_and_numbers_stay_numbers() {
        let settings = settings(FileFormat::Csv, TextEncoding::Utf8);
        let rows = [
            row("r:1", &[("MC", "=HYPERLINK(\"x\")"), ("FZ", "-1.5")]),
            row("r:2", &[("MC", "甲, 乙\n丙"), ("FZ", "-")]),
        ];
        assert_eq!(
            text(&settings, &rows),
            "record_id,version,operation,MC,FZ\r\nr:1,2,U,\"'=HYPERLINK(\"\"x\"\")\",-1.5\r\nr:2,2,U,\"甲, 乙\n丙\",'-\r\n"
        );
        let bare = FileSettings { record_columns: false, ..settings };
        assert_eq!(text(&bare, &rows[..1]), "MC,FZ\r\n\"'=HYPERLINK(\"\"x\"\")\",-1.5\r\n");
        assert_eq!(text(&bare, &[]), "");
        for number in ["0", "-0", "+1", "12.50"] {
            assert_eq!(cell(number), number);
        }
        for other in ["-", "+86 577", "-1-2", "-1.2.3", "=1", "-.5"] {
            assert_eq!(cell(other), format!("'{other}"));
        }
    }

    #[test]
    fn rows_with_other_fields_are_refused_by_record_and_field() {
        let settings = settings(FileFormat::Csv, TextEncoding::Utf8);
        let first = row("r:1", &[("MC", "a"), ("FZ", "1")]);
        for other in [&[("MC", "a")][..], &[("FZ", "1"), ("MC", "a")], &[("MC", "a"), ("FZ", "1"), ("X", "")]] {
            let failed = file(&settings, &[first.clone(), row("r:2", other)]).unwrap_err();
            assert!(failed.permanent && failed.detail.contains("record r:2"), "{failed}");
        }
        let failed = file(&settings, &[row("r:1", &[("version", "a")])]).unwrap_err();
        assert!(failed.detail.contains("field version"), "{failed}");
    }

    #[test]
    fn the_receivers_encoding_is_written_and_what_it_lacks_is_refused() {
        let rows = [row("r:1", &[("主体名称", "温州市㐀𠮷医院"), ("X", "")])];
        for format in [FileFormat::Csv, FileFormat::Xml, FileFormat::Ndjson] {
            let gb = file(&settings(format, TextEncoding::Gb18030), &rows).unwrap();
            let (decoded, _, lost) = encoding_rs::GB18030.decode(&gb);
            let utf8 = text(&settings(format, TextEncoding::Utf8), &rows);
            assert!(!lost && decoded == utf8.replace("\"UTF-8\"", "\"GB18030\""), "{decoded}");
        }
        let lacking = [row("r:1", &[("A", "b"), ("MC", "a\u{e5e5}")])];
        let failed = file(&settings(FileFormat::Csv, TextEncoding::Gb18030), &lacking).unwrap_err();
        assert!(failed.detail.starts_with("record r:1, field MC: GB18030 has no character U+E5E5"), "{failed}");
    }

    #[test]
    fn xml_is_escaped_and_forbidden_characters_are_refused() {
        let settings = settings(FileFormat::Xml, TextEncoding::Utf8);
        let rows = [row("r<\"1\">", &[("主体名称", "a & b <c> ]]>\r\n'\"")])];
        let xml = text(&settings, &rows);
        assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ExchangeMessage>\n<Header>"), "{xml}");
        let expected = "<fields record_id=\"r&lt;&quot;1&quot;&gt;\" version=\"2\" operation=\"U\">\
                        <主体名称>a &amp; b &lt;c&gt; ]]&gt;&#13;\n'&quot;</主体名称></fields>\n</Body>\n</ExchangeMessage>\n";
        assert!(xml.ends_with(expected), "{xml}");
        let bare = FileSettings { record_columns: false, ..settings.clone() };
        assert!(text(&bare, &rows).contains("<Body>\n<fields><主体名称>"));
        for (bad, code) in [("a\u{1}", "U+0001"), ("\u{fffe}", "U+FFFE"), ("\0", "U+0000")] {
            let failed = file(&settings, &[row("r:1", &[("A", "b"), ("MC", bad)])]).unwrap_err();
            assert!(failed.detail.contains("record r:1, field MC") && failed.detail.contains(code), "{failed}");
        }
        for name in ["", "1A", "a b", "a>", "a:b", "xmlA", "-a", "×"] {
            let failed = file(&settings, &[row("r:1", &[(name, "")])]).unwrap_err();
            assert!(failed.detail.contains("no name of an XML element"), "{failed}");
        }
    }

    #[test]
    fn ndjson_keeps_the_order_of_fields() {
        let settings = settings(FileFormat::Ndjson, TextEncoding::Utf8);
        let rows = [row("r:1", &[("Z", "=1"), ("A", "\u{1}")])];
        assert_eq!(
            text(&settings, &rows),
            "{\"record_id\":\"r:1\",\"version\":2,\"operation\":\"U\",\"fields\":{\"Z\":\"=1\",\"A\":\"\\u0001\"}}\n"
        );
        let bare = FileSettings { record_columns: false, ..settings };
        assert_eq!(text(&bare, &rows), "{\"Z\":\"=1\",\"A\":\"\\u0001\"}\n");
    }
}
