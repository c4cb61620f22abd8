//! Rows as bytes of a data file: CSV, XML or NDJSON, in the receiver's encoding.

use std::borrow::Cow;

use super::{
    super::{Delivery, Failed, FailureReason, PackageHead, Row, json::JsonRows},
    Target,
    part::Part,
};
use crate::{
    domain::printable::{visible, without_formula},
    push::{
        exchange_message::{self, RecordAttributes, XmlRefused},
        platform::{Encoding, Format, RECORD_COLUMNS},
    },
};

/// Renders the rows of a page.
pub(super) fn render(target: &Target, of: &Delivery<'_>) -> Result<Part, Failed> {
    let (text, columns) = match target.form.format {
        Format::Csv => csv_rows(target, of.rows)?,
        Format::Xml => (xml_rows(target, of.rows)?, Vec::new()),
        Format::Ndjson => (json_rows(target, of.rows), Vec::new()),
    };
    // The whole text has the same bytes as its rows one by one: neither encoding has a state.
    let body = match target.form.encoding {
        Encoding::Utf8 => text.into_bytes(),
        other @ Encoding::Gb18030 => encoded(&text, other).ok_or_else(|| lacking(of.rows, other))?,
    };
    Ok(Part::new(of.rows.len(), columns, body))
}

/// What comes before the rows.
pub(super) fn header(target: &Target, head: &PackageHead, columns: &[String]) -> Result<Vec<u8>, Failed> {
    let text = match target.form.format {
        Format::Csv if columns.is_empty() => String::new(),
        Format::Csv => csv_text(|out| out.write_record(columns))?,
        Format::Xml => xml_header(target, head)?,
        Format::Ndjson => String::new(),
    };
    encoded(&text, target.form.encoding).ok_or_else(|| {
        let why =
            format!("the names of package {} cannot be written in {}", head.number, target.form.encoding.registered());
        Failed::permanent(FailureReason::Field, why)
    })
}

/// What comes after the rows.
pub(super) const fn footer(target: &Target) -> &'static [u8] {
    match target.form.format {
        Format::Xml => exchange_message::FOOTER.as_bytes(),
        Format::Csv | Format::Ndjson => b"",
    }
}

/// A text in an encoding; none if the encoding lacks a character.
fn encoded(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    let (bytes, _, lost) = encoding.codec().encode(text);
    (!lost).then(|| bytes.into_owned())
}

/// The record and field with a character that the encoding lacks.
fn lacking(rows: &[Row], encoding: Encoding) -> Failed {
    let name = encoding.registered();
    let fields = rows.iter().flat_map(|row| row.fields.iter().map(move |(field, value)| (row, field, value)));
    let mut texts = fields.flat_map(|(row, field, value)| [(row, field, &**field), (row, field, value.as_str())]);
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

fn xml_header(target: &Target, head: &PackageHead) -> Result<String, Failed> {
    let (number, rows, made_at) = (head.number.to_string(), head.rows.to_string(), head.made_at.to_string());
    let elements = [
        ("sender", target.source.as_str()),
        ("receiver", &head.platform),
        ("item", &head.dataset),
        ("sn", &number),
        ("period", &head.period),
        ("made_at", &made_at),
        ("digest", &head.digest),
        ("rows", &rows),
    ];
    exchange_message::header(target.form.encoding, &elements)
        .map_err(|error| Failed::permanent(FailureReason::Field, format!("package {number}, {error}")))
}

fn xml_rows(target: &Target, rows: &[Row]) -> Result<String, Failed> {
    let mut text = String::new();
    for Row { record_id, version, operation, fields } in rows {
        let record = RecordAttributes { record_id, version: *version, operation: *operation };
        let fields = fields.iter().map(|(name, value)| (&**name, value.as_str()));
        let refused = |error: XmlRefused| {
            let why = format!("record {}, field {error}", visible(record_id));
            Failed::permanent(FailureReason::Field, why)
        };
        exchange_message::write_row(target.form.record_columns.then_some(record), fields, &mut text)
            .map_err(refused)?;
    }
    Ok(text)
}

/// CSV as RFC 4180 has it.
fn csv_text(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Result<String, Failed> {
    let failed = |error: String| Failed::permanent(FailureReason::Field, format!("the rows as CSV: {error}"));
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    write(&mut out).map_err(|error| failed(error.to_string()))?;
    let bytes = out.into_inner().map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}

fn csv_rows(target: &Target, rows: &[Row]) -> Result<(String, Vec<String>), Failed> {
    let columns = csv_columns(target, rows)?;
    let mut text = String::new();
    for row in rows {
        let begin = text.len();
        if target.form.record_columns {
            for value in [row.record_id.as_str(), &row.version.to_string(), row.operation.as_str()] {
                write_cell(value, &mut text);
            }
        }
        for (_, value) in &row.fields {
            write_cell(value, &mut text);
        }
        // The comma after the last cell.
        text.pop();
        if text.len() == begin {
            // A line without a character would be none.
            text.push_str("\"\"");
        }
        text.push_str("\r\n");
        if begin == 0 {
            // Rows are of about the same length: the text grows once.
            text.reserve(text.len() * rows.len() / 10 * 11);
        }
    }
    Ok((text, columns))
}

/// The columns of the rows, which must all have the same: a file has one header.
fn csv_columns(target: &Target, rows: &[Row]) -> Result<Vec<String>, Failed> {
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let names: Vec<_> = first.fields.iter().map(|(name, _)| name.clone()).collect();
    for row in rows.iter().filter(|row| !row.has_names(&names)) {
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
    let own = first.fields.iter().map(|(name, _)| &**name);
    if !target.form.record_columns {
        return Ok(own.map(str::to_owned).collect());
    }
    if let Some(twice) = own.clone().find(|name| RECORD_COLUMNS.contains(name)) {
        let why =
            format!("the field {twice} has the name of a record column: rename it, or leave the record columns out");
        return Err(Failed::permanent(FailureReason::Field, why));
    }
    Ok(RECORD_COLUMNS.into_iter().chain(own).map(str::to_owned).collect())
}

/// Appends a value with a comma, quoted where RFC 4180 requires it. By hand: the library takes twice as long for a field, and there are
/// millions; a test compares the two.
fn write_cell(value: &str, out: &mut String) {
    let value = cell(value);
    // Without a branch for each character.
    let is_special = |found: bool, byte: &u8| found | matches!(byte, b'"' | b',' | b'\r' | b'\n');
    if value.as_bytes().iter().fold(false, is_special) {
        out.push('"');
        out.push_str(&value.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(&value);
    }
    out.push(',');
}

/// A value as a cell that a spreadsheet does not evaluate. A number is none, whatever its sign.
fn cell(value: &str) -> Cow<'_, str> {
    // Most begin with a letter or a digit, and need no second look.
    if value.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Cow::Borrowed(value);
    }
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1;
    if is_number { Cow::Borrowed(value) } else { without_formula(value) }
}

fn json_rows(target: &Target, rows: &[Row]) -> String {
    let (mut text, mut writer) = (String::new(), JsonRows::default());
    for row in rows {
        if target.form.record_columns {
            writer.write_row(row, &mut text);
        } else {
            writer.write_fields(row, &mut text);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Timestamp,
        push::platform::{FileForm, Operation},
    };

    fn target(format: Format, encoding: Encoding) -> Target {
        let form = FileForm { format, encoding, record_columns: true };
        Target { directory: "/drop".into(), source: "ybj".parse().unwrap(), form }
    }

    /// The same without the columns of a record.
    fn bare(format: Format) -> Target {
        let form = FileForm { format, encoding: Encoding::Utf8, record_columns: false };
        Target { directory: "/drop".into(), source: "ybj".parse().unwrap(), form }
    }

    fn row(id: &str, fields: &[(&str, &str)]) -> Row {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect();
        Row { record_id: id.into(), version: 2, operation: Operation::Update, fields }
    }

    /// The whole file of a page.
    fn file(target: &Target, rows: &[Row]) -> Result<Vec<u8>, Failed> {
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
        let part = render(target, &Delivery { package: &package, page: 1, key: "k", rows })?;
        let head = header(target, &package, &part.head.columns)?;
        Ok([head, part.body, footer(target).to_vec()].concat())
    }

    fn text(target: &Target, rows: &[Row]) -> String {
        String::from_utf8(file(target, rows).unwrap()).unwrap()
    }

    #[test]
    fn csv_has_no_formulas_and_numbers_stay_numbers() {
        let target = target(Format::Csv, Encoding::Utf8);
        let rows = [
            row("r:1", &[("MC", "=HYPERLINK(\"x\")"), ("FZ", "-1.5")]),
            row("r:2", &[("MC", "甲, 乙\n丙"), ("FZ", "-")]),
        ];
        assert_eq!(
            text(&target, &rows),
            "record_id,version,operation,MC,FZ\r\nr:1,2,U,\"'=HYPERLINK(\"\"x\"\")\",-1.5\r\nr:2,2,U,\"甲, 乙\n丙\",'-\r\n"
        );
        let bare = bare(Format::Csv);
        assert_eq!(text(&bare, &rows[..1]), "MC,FZ\r\n\"'=HYPERLINK(\"\"x\"\")\",-1.5\r\n");
        assert_eq!(text(&bare, &[]), "");
        for number in ["0", "-0", "+1", "12.50"] {
            assert_eq!(cell(number), number);
        }
        for other in ["-", "+86 577", "-1-2", "-1.2.3", "=1", "-.5"] {
            assert_eq!(cell(other), format!("'{other}"));
        }
    }

    proptest::proptest! {
        #[test]
        fn csv_is_that_of_the_library(
            rows in proptest::collection::vec(proptest::collection::vec("[a\",\r\n 医]{0,4}", 3), 0..5),
            columns in 1_usize..4
        ) {
            let target = bare(Format::Csv);
            let (rows, mut library) = (rows.iter().map(|values| &values[..columns]), csv::WriterBuilder::new());
            let mut library = library.terminator(csv::Terminator::CRLF).from_writer(Vec::new());
            let mut ours = Vec::new();
            for values in rows {
                library.write_record(values.iter().map(|value| cell(value).into_owned())).unwrap();
                let names = ["a", "b", "c"].into_iter();
                ours.push(row("r", &names.zip(values.iter().map(String::as_str)).collect::<Vec<_>>()));
            }
            let (text, _) = csv_rows(&target, &ours).unwrap();
            proptest::prop_assert_eq!(text.into_bytes(), library.into_inner().unwrap());
        }
    }

    #[test]
    fn rows_with_other_fields_are_refused_by_record_and_field() {
        let target = target(Format::Csv, Encoding::Utf8);
        let first = row("r:1", &[("MC", "a"), ("FZ", "1")]);
        for other in [&[("MC", "a")][..], &[("FZ", "1"), ("MC", "a")], &[("MC", "a"), ("FZ", "1"), ("X", "")]] {
            let failed = file(&target, &[first.clone(), row("r:2", other)]).unwrap_err();
            assert!(failed.permanent && failed.detail.contains("record r:2"), "{failed}");
        }
        let failed = file(&target, &[row("r:1", &[("version", "a")])]).unwrap_err();
        assert!(failed.detail.contains("field version"), "{failed}");
    }

    #[test]
    fn the_receivers_encoding_is_written_and_what_it_lacks_is_refused() {
        let rows = [row("r:1", &[("主体名称", "温州市㐀𠮷医院"), ("X", "")])];
        for format in [Format::Csv, Format::Xml, Format::Ndjson] {
            let gb = file(&target(format, Encoding::Gb18030), &rows).unwrap();
            let (decoded, _, lost) = encoding_rs::GB18030.decode(&gb);
            let utf8 = text(&target(format, Encoding::Utf8), &rows);
            assert!(!lost && decoded == utf8.replace("\"UTF-8\"", "\"GB18030\""), "{decoded}");
        }
        let lacking = [row("r:1", &[("A", "b"), ("MC", "a\u{e5e5}")])];
        let failed = file(&target(Format::Csv, Encoding::Gb18030), &lacking).unwrap_err();
        assert!(failed.detail.starts_with("record r:1, field MC: GB18030 has no character U+E5E5"), "{failed}");
    }

    #[test]
    fn xml_is_escaped_and_forbidden_characters_are_refused() {
        let target = target(Format::Xml, Encoding::Utf8);
        let rows = [row("r<\"1\">", &[("主体名称", "a & b <c> ]]>\r\n'\"")])];
        let xml = text(&target, &rows);
        assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ExchangeMessage>\n<Header>"), "{xml}");
        let expected = "<fields record_id=\"r&lt;&quot;1&quot;&gt;\" version=\"2\" operation=\"U\">\
                        <主体名称>a &amp; b &lt;c&gt; ]]&gt;&#13;\n'&quot;</主体名称></fields>\n</Body>\n</ExchangeMessage>\n";
        assert!(xml.ends_with(expected), "{xml}");
        let bare = bare(Format::Xml);
        assert!(text(&bare, &rows).contains("<Body>\n<fields><主体名称>"));
        for (bad, code) in [("a\u{1}", "U+0001"), ("\u{fffe}", "U+FFFE"), ("\0", "U+0000")] {
            let failed = file(&target, &[row("r:1", &[("A", "b"), ("MC", bad)])]).unwrap_err();
            assert!(failed.detail.contains("record r:1, field MC") && failed.detail.contains(code), "{failed}");
        }
        for name in ["", "1A", "a b", "a>", "a:b", "xmlA", "-a", "×"] {
            let failed = file(&target, &[row("r:1", &[(name, "")])]).unwrap_err();
            assert!(failed.detail.contains("not a name of an XML element"), "{failed}");
        }
    }

    #[test]
    fn ndjson_keeps_the_order_of_fields() {
        let target = target(Format::Ndjson, Encoding::Utf8);
        let rows = [row("r:1", &[("Z", "=1"), ("A", "\u{1}")])];
        assert_eq!(
            text(&target, &rows),
            "{\"record_id\":\"r:1\",\"version\":2,\"operation\":\"U\",\"fields\":{\"Z\":\"=1\",\"A\":\"\\u0001\"}}\n"
        );
        let bare = bare(Format::Ndjson);
        assert_eq!(text(&bare, &rows), "{\"Z\":\"=1\",\"A\":\"\\u0001\"}\n");
    }
}
