//! The data file of a package: a record for each subject, as NDJSON or CSV.

use serde::Serialize;

use super::{Format, PushError};
use crate::domain::printable::without_formula;

/// A result, as a receiver gets it.
#[derive(Debug, Serialize)]
pub(super) struct Record<'a> {
    #[serde(rename = "record_id")]
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) kind: &'a str,
    pub(super) object_type: Option<u8>,
    pub(super) code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uscc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) region: &'a str,
    pub(super) status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    /// The grade in our own scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grade: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grade_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) points: Option<String>,
    pub(super) evaluated_on: String,
    pub(super) valid_until: Option<&'a str>,
    /// The grade in the receiver's scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receiver_grade: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receiver_grade_name: Option<&'a str>,
}

/// The columns of a CSV file.
const COLUMNS: [&str; 17] = [
    "record_id",
    "version",
    "kind",
    "object_type",
    "code",
    "uscc",
    "name",
    "region",
    "status",
    "reason",
    "grade",
    "grade_name",
    "points",
    "evaluated_on",
    "valid_until",
    "receiver_grade",
    "receiver_grade_name",
];

/// A data file under construction.
pub(super) struct Data {
    bytes: Vec<u8>,
    rows: Option<csv::Writer<Vec<u8>>>,
    /// The number of records.
    pub(super) records: usize,
}

impl Data {
    /// An empty file in a format.
    pub(super) fn new(format: Format) -> Self {
        // In memory: a package is recorded as a whole before any byte of it is written (I1).
        let rows = (format == Format::Csv).then(|| csv::Writer::from_writer(Vec::new()));
        Self { bytes: Vec::new(), rows, records: 0 }
    }

    /// Adds a record.
    pub(super) fn add(&mut self, record: &Record<'_>) -> Result<(), PushError> {
        let failed = |error: String| PushError::Form(error);
        self.records += 1;
        match &mut self.rows {
            None => {
                serde_json::to_writer(&mut self.bytes, record).map_err(|error| failed(error.to_string()))?;
                self.bytes.push(b'\n');
            }
            Some(rows) => {
                // Only with the first record: a file without records is empty in both formats.
                if self.records == 1 {
                    rows.write_record(COLUMNS).map_err(|error| failed(error.to_string()))?;
                }
                rows.write_record(fields(record)).map_err(|error| failed(error.to_string()))?;
            }
        }
        Ok(())
    }

    /// The finished bytes.
    pub(super) fn finish(self) -> Result<Vec<u8>, PushError> {
        match self.rows {
            None => Ok(self.bytes),
            Some(rows) => rows.into_inner().map_err(|error| PushError::Form(error.to_string())),
        }
    }
}

/// A record in the order of [`COLUMNS`].
fn fields(record: &Record<'_>) -> [String; COLUMNS.len()] {
    // Receivers open the file in spreadsheets, and names are not ours. NDJSON has every text as it is.
    let text = |of: Option<&str>| without_formula(of.unwrap_or_default()).into_owned();
    [
        record.id.clone(),
        record.version.to_string(),
        record.kind.to_owned(),
        record.object_type.map(|of| of.to_string()).unwrap_or_default(),
        record.code.to_owned(),
        text(record.uscc),
        text(record.name),
        record.region.to_owned(),
        record.status.to_owned(),
        text(record.reason),
        text(record.grade),
        text(record.grade_name),
        record.points.clone().unwrap_or_default(),
        record.evaluated_on.clone(),
        text(record.valid_until),
        text(record.receiver_grade),
        text(record.receiver_grade_name),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_formula_in_csv_and_unchanged_in_ndjson() {
        let record = Record {
            id: "r".into(),
            version: 1,
            kind: "pharmacy",
            object_type: None,
            code: "P33030200017",
            uscc: None,
            name: Some("=HYPERLINK(\"x\")"),
            region: "330302",
            status: "graded",
            reason: None,
            grade: Some("A"),
            grade_name: None,
            points: Some("-1.5".into()),
            evaluated_on: "2026-07-01".into(),
            valid_until: None,
            receiver_grade: None,
            receiver_grade_name: None,
        };
        let written = |format| {
            let mut data = Data::new(format);
            data.add(&record).unwrap();
            String::from_utf8(data.finish().unwrap()).unwrap()
        };
        let csv = written(Format::Csv);
        assert!(csv.contains(",\"'=HYPERLINK(\"\"x\"\")\",") && csv.contains(",-1.5,"), "{csv}");
        assert!(written(Format::Ndjson).contains(r#""name":"=HYPERLINK(\"x\")""#));
    }
}
