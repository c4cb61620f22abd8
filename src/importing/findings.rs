//! Findings: what is wrong with rows, with stable codes; and the report of them.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::PathBuf,
};

use crate::domain::{printable::without_formula, words::words};

words! {
    /// The kind of a finding: why a row was rejected, or what is unusual about an accepted one.
    Code: "code of a finding" {
        /// The account number is not 8 to 32 digits.
        AccountMalformed = "account_malformed",
        /// An amount is not a whole number of fen.
        AmountMalformed = "amount_malformed",
        /// An amount is beyond ten trillion yuan.
        AmountTooLarge = "amount_too_large",
        /// The bank's code is not 8 to 14 digits or capital letters.
        BankCodeMalformed = "bank_code_malformed",
        /// The national code does not have the pattern of its kind.
        CodeMalformed = "code_malformed",
        /// The row has more or fewer fields than the header.
        ColumnCount = "column_count",
        /// A text contains a line break or another character that cannot be seen: a control, zero-width or direction mark.
        ControlCharacter = "control_character",
        /// A count is not a whole number, or is negative.
        CountMalformed = "count_malformed",
        /// The day is in the future.
        DateInFuture = "date_in_future",
        /// Not a date like 2026-03-31.
        DateMalformed = "date_malformed",
        /// A period ends before it begins.
        DateOrder = "date_order",
        /// The file has this row's key already.
        DuplicateRow = "duplicate_row",
        /// A field that must not be empty is empty.
        Empty = "empty",
        /// The fact expired before the oldest half-year that can still be graded.
        FactExpired = "fact_expired",
        /// The resident identity number is wrong.
        IdNumberInvalid = "id_number_invalid",
        /// The type of certificate is not two digits, or missing beside its number.
        IdTypeMalformed = "id_type_malformed",
        /// Warning: the amounts break the identity of paid and settled.
        IdentityGap = "identity_gap",
        /// There is no such kind of subject.
        KindUnknown = "kind_unknown",
        /// The measure is not in the catalogue of the subject's kind.
        MeasureUnknown = "measure_unknown",
        /// The month is in the future.
        MonthInFuture = "month_in_future",
        /// Not a month like 2026-03.
        MonthMalformed = "month_malformed",
        /// The row has bytes that are no character of GB 18030.
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
        /// The sender is not registered for this source.
        SourceForeign = "source_foreign",
        /// Warning: a status changes without its first day, and so holds from the day of the import on.
        StatusUndated = "status_undated",
        /// The subject has not been imported.
        SubjectUnknown = "subject_unknown",
        /// The text is longer than the field allows.
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
        /// The catalogue does not allow this value of the measure.
        ValueOutOfRange = "value_out_of_range",
        /// Not one of the words that the field allows.
        WordUnknown = "word_unknown",
    }
}

words! {
    /// The consequence of a finding.
    Severity: "severity" {
        /// The row is rejected.
        Reject = "reject",
        /// The row is accepted, and a person should look at it.
        Warning = "warning",
    }
}

/// One problem of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line of the file that the row begins on.
    pub line: u64,
    /// The column; empty when the finding is about the whole row.
    pub column: &'static str,
    /// The kind of finding.
    pub code: Code,
    /// The consequence for the row.
    pub severity: Severity,
    /// A sentence for the operator. It never repeats names or numbers of persons.
    pub message: String,
}

/// The report of findings. It is written finding by finding to a file that exists only if there are any; without a
/// file, the first findings are kept in memory.
#[derive(Debug)]
pub(super) struct FindingsReport {
    path: Option<PathBuf>,
    writer: Option<csv::Writer<BufWriter<File>>>,
    listed: Vec<Finding>,
}

/// Most findings in memory.
pub(super) const MOST_LISTED: usize = 1_000;

impl FindingsReport {
    /// A report at `path`, or in memory.
    pub(super) const fn new(path: Option<PathBuf>) -> Self {
        Self { path, writer: None, listed: Vec::new() }
    }

    /// Adds a finding.
    pub(super) fn add(&mut self, finding: &Finding) -> io::Result<()> {
        let Some(path) = &self.path else {
            // An upload's findings are in memory and in its stored report: a file of bad rows must not fill either.
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
        // Messages quote the contents of files from elsewhere.
        let message = without_formula(&finding.message);
        Ok(writer.write_record([&line, finding.column, finding.code.as_str(), &message, severity])?)
    }

    /// Closes the file and returns its path, if there is one.
    pub(super) fn finish(self) -> io::Result<Option<PathBuf>> {
        match self.writer {
            None => Ok(None),
            Some(mut writer) => {
                writer.flush()?;
                Ok(self.path)
            }
        }
    }

    /// The path of its file, if there is or would be one.
    pub(super) fn path(&self) -> PathBuf {
        self.path.clone().unwrap_or_default()
    }

    /// The findings in memory.
    pub(super) fn listed(&self) -> &[Finding] {
        &self.listed
    }
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
    fn a_report_without_findings_has_no_file_and_one_with_findings_has_no_formulas() {
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
