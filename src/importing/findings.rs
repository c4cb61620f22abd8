//! What is found wrong with rows: stable codes, and the report an operator works through.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::PathBuf,
};

use crate::domain::words::words;

words! {
    /// Why a row was not taken, or what is strange about one that was.
    Code: "code of a finding" {
        /// The account number is not 8 to 32 digits.
        AccountMalformed = "account_malformed",
        /// An amount is not a whole number of fen.
        AmountMalformed = "amount_malformed",
        /// An amount is beyond ten trillion yuan.
        AmountTooLarge = "amount_too_large",
        /// The bank's code is not 8 to 14 digits or capital letters.
        BankCodeMalformed = "bank_code_malformed",
        /// The national code does not look like one of its kind.
        CodeMalformed = "code_malformed",
        /// The row has more or fewer fields than the header.
        ColumnCount = "column_count",
        /// A text contains a line break or another control character.
        ControlCharacter = "control_character",
        /// A count is not a whole number, or is negative.
        CountMalformed = "count_malformed",
        /// The day lies in the future.
        DateInFuture = "date_in_future",
        /// Not a date like 2026-03-31.
        DateMalformed = "date_malformed",
        /// A period ends before it begins.
        DateOrder = "date_order",
        /// The file has this row's key already.
        DuplicateRow = "duplicate_row",
        /// A field that must be filled is empty.
        Empty = "empty",
        /// The fact was over before the oldest half-year of which a round may still be made.
        FactExpired = "fact_expired",
        /// The resident identity number is wrong.
        IdNumberInvalid = "id_number_invalid",
        /// The type of certificate is not two digits, or missing beside its number.
        IdTypeMalformed = "id_type_malformed",
        /// Warning: the amounts break the identity of paid and settled.
        IdentityGap = "identity_gap",
        /// Not a kind of subject.
        KindUnknown = "kind_unknown",
        /// The measure is not in the catalogue of the subject's kind.
        MeasureUnknown = "measure_unknown",
        /// The month lies in the future.
        MonthInFuture = "month_in_future",
        /// Not a month like 2026-03.
        MonthMalformed = "month_malformed",
        /// The row holds bytes that are no character of GB 18030.
        NotGb18030 = "not_gb18030",
        /// The row, or a text of it, is not UTF-8.
        NotUtf8 = "not_utf8",
        /// Warning: the source is not the provider that the catalogue names for the category.
        ProviderUnexpected = "provider_unexpected",
        /// Not a region of six digits.
        RegionMalformed = "region_malformed",
        /// The subject is not in the region that the category is about.
        RegionOutside = "region_outside",
        /// Warning: the region is not in the local table today.
        RegionUnknown = "region_unknown",
        /// The sender may not speak for this source.
        SourceForeign = "source_foreign",
        /// The subject has not been imported.
        SubjectUnknown = "subject_unknown",
        /// The text is longer than the field holds.
        TooLong = "too_long",
        /// Warning: the code passes to another legal entity, as after a merger or when a sole trader becomes a company.
        UsccChanged = "uscc_changed",
        /// A check character of the unified social credit code does not fit. A warning once the operator accepts it.
        UsccCheckMismatch = "uscc_check_mismatch",
        /// Not a unified social credit code.
        UsccInvalid = "uscc_invalid",
        /// Warning: the unified social credit code was written in lower case.
        UsccLowerCase = "uscc_lower_case",
        /// The value is not a number with up to four decimals.
        ValueMalformed = "value_malformed",
        /// The catalogue does not admit this value of the measure.
        ValueOutOfRange = "value_out_of_range",
        /// Not one of the words the field may hold.
        WordUnknown = "word_unknown",
    }
}

words! {
    /// What a finding means for its row.
    Severity: "severity" {
        /// The row is not taken.
        Reject = "reject",
        /// The row is taken, and a person should look at it.
        Warning = "warning",
    }
}

/// Something found in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line of the file its row begins on.
    pub line: u64,
    /// The column; empty when it is about the whole row.
    pub column: &'static str,
    /// What it is.
    pub code: Code,
    /// What it means for the row.
    pub severity: Severity,
    /// A sentence for the operator. It never repeats personal numbers.
    pub message: String,
}

/// The report of what was found, written as it is found. Its file exists only when there is something in it; of what was
/// delivered in memory the first findings are kept there.
#[derive(Debug)]
pub(super) struct FindingsReport {
    path: Option<PathBuf>,
    writer: Option<csv::Writer<BufWriter<File>>>,
    listed: Vec<Finding>,
}

/// How many findings are kept in memory.
pub(super) const MOST_LISTED: usize = 1_000;

impl FindingsReport {
    /// A report that will stand at `path`, or in memory.
    pub(super) const fn new(path: Option<PathBuf>) -> Self {
        Self { path, writer: None, listed: Vec::new() }
    }

    /// Adds a finding.
    pub(super) fn add(&mut self, finding: &Finding) -> io::Result<()> {
        let Some(path) = &self.path else {
            if self.listed.len() < MOST_LISTED {
                self.listed.push(finding.clone());
            }
            return Ok(());
        };
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let mut writer = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
                writer.write_record(["line", "column", "code", "message", "severity"])?;
                none.insert(writer)
            }
        };
        let severity = finding.severity.as_str();
        let line = finding.line.to_string();
        let message = harmless(&finding.message);
        Ok(writer.write_record([&line, finding.column, finding.code.as_str(), &message, severity])?)
    }

    /// Finishes the file and tells where it is, if there is one.
    pub(super) fn finish(self) -> io::Result<Option<PathBuf>> {
        match self.writer {
            None => Ok(None),
            Some(mut writer) => {
                writer.flush()?;
                Ok(self.path)
            }
        }
    }

    /// Where it is or would be.
    pub(super) fn path(&self) -> PathBuf {
        self.path.clone().unwrap_or_default()
    }

    /// What is kept in memory.
    pub(super) fn listed(&self) -> &[Finding] {
        &self.listed
    }
}

/// A cell that a spreadsheet does not take for a formula. Messages quote what a stranger's file says.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_snake_case_and_in_order() {
        let texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(texts.is_sorted_by(|one, next| one < next), "{texts:?}");
        assert!(
            texts.iter().all(|text| text.bytes().all(|b| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit()))
        );
    }

    #[test]
    fn a_report_without_findings_is_no_file_and_one_with_them_holds_no_formula() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rejects.csv");
        assert_eq!(FindingsReport::new(Some(path.clone())).finish().unwrap(), None);
        assert!(!path.exists());
        let mut report = FindingsReport::new(Some(path.clone()));
        for text in ["=HYPERLINK(\"x\")", "+1", "-1", "@a", "plain, with \"quotes\""] {
            let finding = Finding {
                line: 7,
                column: "name",
                code: Code::TooLong,
                severity: Severity::Reject,
                message: text.to_owned(),
            };
            report.add(&finding).unwrap();
        }
        assert_eq!(report.finish().unwrap(), Some(path.clone()));
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let messages: Vec<_> = reader.records().map(|row| row.unwrap()[3].to_owned()).collect();
        assert_eq!(messages, ["'=HYPERLINK(\"x\")", "'+1", "'-1", "'@a", "plain, with \"quotes\""]);
    }
}
