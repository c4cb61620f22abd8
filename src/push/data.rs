//! The data file of a package: a record for each subject under the platform's own names, as NDJSON, CSV or XML.

use serde::{Serialize, Serializer};

use super::{
    PushError, exchange_message,
    platform::{Encoding, Field, Fields, Format, Value},
};
use crate::domain::printable::without_formula;

/// A data file under construction.
pub(super) struct Data {
    encoding: Encoding,
    writer: Writer,
    /// Which fields are free texts, in order.
    free: Vec<bool>,
    /// The number of records.
    pub(super) records: usize,
}

enum Writer {
    Ndjson(Vec<u8>),
    Csv(Box<csv::Writer<Vec<u8>>>),
    Xml(String),
}

impl Data {
    /// An empty file with the fields of a package.
    pub(super) fn new<V: Value>((format, encoding): (Format, Encoding), fields: &Fields<V>) -> Result<Self, PushError> {
        // In memory: a package is recorded as a whole before any byte of it is written (I1).
        let writer = match format {
            Format::Ndjson => Writer::Ndjson(Vec::new()),
            Format::Csv => Writer::Csv(Box::new(csv::Writer::from_writer(Vec::new()))),
            // An export by hand has no number, and its digest is in the manifest.
            Format::Xml => {
                let header = exchange_message::header(encoding, &[("item", &fields.dataset)]);
                Writer::Xml(header.map_err(|error| PushError::Form(error.to_string()))?)
            }
        };
        let free = fields.fields.iter().map(Field::is_free_text).collect();
        Ok(Self { encoding, writer, free, records: 0 })
    }

    /// Adds a record, rendered by the fields.
    pub(super) fn add(&mut self, record: &[(&str, String)]) -> Result<(), PushError> {
        let failed = |error: String| PushError::Form(error);
        self.records += 1;
        match &mut self.writer {
            Writer::Ndjson(bytes) => {
                serde_json::to_writer(&mut *bytes, &Members(record)).map_err(|error| failed(error.to_string()))?;
                bytes.push(b'\n');
            }
            Writer::Csv(rows) => {
                // Only with the first record: a file without records is empty.
                if self.records == 1 {
                    let names = record.iter().map(|(name, _)| name);
                    rows.write_record(names).map_err(|error| failed(error.to_string()))?;
                }
                let cells = record.iter().zip(&self.free).map(|((_, text), free)| {
                    // Platforms open the file in spreadsheets, and names are not ours. Other formats have every text as it is.
                    if *free { without_formula(text).into_owned() } else { text.clone() }
                });
                rows.write_record(cells).map_err(|error| failed(error.to_string()))?;
            }
            Writer::Xml(text) => {
                let fields = record.iter().map(|(name, value)| (*name, value.as_str()));
                exchange_message::write_row(None, fields, text).map_err(|error| failed(error.to_string()))?;
            }
        }
        Ok(())
    }

    /// The finished bytes, in the platform's encoding.
    pub(super) fn finish(self) -> Result<Vec<u8>, PushError> {
        let bytes = match self.writer {
            Writer::Ndjson(bytes) => bytes,
            Writer::Csv(rows) => rows.into_inner().map_err(|error| PushError::Form(error.to_string()))?,
            Writer::Xml(mut text) => {
                text.push_str(exchange_message::FOOTER);
                text.into_bytes()
            }
        };
        match self.encoding {
            Encoding::Utf8 => Ok(bytes),
            Encoding::Gb18030 => {
                let text = String::from_utf8(bytes).map_err(|error| PushError::Form(error.to_string()))?;
                let (encoded, _, lost) = encoding_rs::GB18030.encode(&text);
                if lost {
                    return Err(PushError::Form("a character cannot be written in GB 18030".to_owned()));
                }
                Ok(encoded.into_owned())
            }
        }
    }
}

/// A record as a JSON object, in the order of the fields. An absent value is an absent member.
struct Members<'a>(&'a [(&'a str, String)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let present = self.0.iter().filter(|(_, text)| !text.is_empty());
        serializer.collect_map(present.map(|(name, text)| (name, text)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::push::platform::{AmountUnit, Content, DateForm, GradeValue};

    fn fields() -> Fields<GradeValue> {
        let field = |(name, value): (&str, GradeValue)| Field {
            name: name.to_owned(),
            content: Content::Value(value),
            codes: BTreeMap::new(),
            date: DateForm::Iso,
            amount: AmountUnit::Fen,
            required: false,
            longest: None,
        };
        let of = [("MC", GradeValue::Name), ("FZ", GradeValue::Points), ("BZ", GradeValue::Remark)];
        Fields { dataset: "A&B".to_owned(), fields: of.map(field).into() }
    }

    fn written(format: Format, encoding: Encoding, name: &str) -> Vec<u8> {
        let mut data = Data::new((format, encoding), &fields()).unwrap();
        data.add(&[("MC", name.to_owned()), ("FZ", "-1.500".to_owned()), ("BZ", String::new())]).unwrap();
        assert_eq!(data.records, 1);
        data.finish().unwrap()
    }

    #[test]
    fn a_name_is_no_formula_in_csv_and_unchanged_in_other_formats() {
        let text = |format| String::from_utf8(written(format, Encoding::Utf8, "=HYPERLINK(\"<x>\")")).unwrap();
        assert_eq!(text(Format::Csv), "MC,FZ,BZ\n\"'=HYPERLINK(\"\"<x>\"\")\",-1.500,\n");
        assert_eq!(text(Format::Ndjson), "{\"MC\":\"=HYPERLINK(\\\"<x>\\\")\",\"FZ\":\"-1.500\"}\n");
        assert_eq!(
            text(Format::Xml),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ExchangeMessage>\n<Header><item>A&amp;B</item></Header>\n<Body>\n<fields><MC>=HYPERLINK(&quot;&lt;x&gt;&quot;)</MC>\
             <FZ>-1.500</FZ><BZ></BZ></fields>\n</Body>\n</ExchangeMessage>\n"
        );
    }

    #[test]
    fn a_file_is_in_the_encoding_of_the_platform() {
        let bytes = written(Format::Csv, Encoding::Gb18030, "温州市𠮷医院");
        assert!(std::str::from_utf8(&bytes).is_err());
        let (text, _, broken) = encoding_rs::GB18030.decode(&bytes);
        assert!(!broken && text.contains("温州市𠮷医院,-1.500,"), "{text}");
        let xml = written(Format::Xml, Encoding::Gb18030, "药");
        assert!(xml.starts_with(b"<?xml version=\"1.0\" encoding=\"GB18030\"?>"));
    }
}
