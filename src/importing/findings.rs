//! Findings: what is wrong with rows, with stable codes.

use crate::domain::words::words;

words! {
    /// The kind of a finding: why a row was rejected, or what is unusual about an accepted one.
    Code: "code of a finding" {
        /// The account number is not 8 to 32 digits.
        AccountMalformed = "account_malformed",
        /// Warning: the fact was taken back already.
        AlreadyVoid = "already_void",
        /// An amount is not a whole number of fen.
        AmountMalformed = "amount_malformed",
        /// An amount is beyond ten trillion yuan.
        AmountTooLarge = "amount_too_large",
        /// The bank's code is not 8 to 14 digits or capital letters.
        BankCodeMalformed = "bank_code_malformed",
        /// The cell has an error of Excel, such as #N/A, in the place of a value.
        CellError = "cell_error",
        /// A character of a name was lost when the file was written: it has `?`, U+FFFD or a private-use character instead.
        CharacterLost = "character_lost",
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
        /// Excel held the value as a number or a date, and changed it.
        ExcelChanged = "excel_changed",
        /// The fact expired before the oldest half-year that can still be graded.
        FactExpired = "fact_expired",
        /// No accepted file has a fact with this document.
        FactUnknown = "fact_unknown",
        /// The resident identity number is wrong.
        IdNumberInvalid = "id_number_invalid",
        /// The type of certificate is not two digits, or missing beside its number.
        IdTypeMalformed = "id_type_malformed",
        /// Warning: the amounts break the identity of paid and settled.
        IdentityGap = "identity_gap",
        /// There is no such kind of subject.
        KindUnknown = "kind_unknown",
        /// The value is masked with stars, as in a report.
        MaskedValue = "masked_value",
        /// The measure is not in the catalogue of the subject's kind.
        MeasureUnknown = "measure_unknown",
        /// The month is in the future.
        MonthInFuture = "month_in_future",
        /// Not a month like 2026-03.
        MonthMalformed = "month_malformed",
        /// The row has bytes that are no character of GB 18030.
        NotGb18030 = "not_gb18030",
        /// The row has bytes that are no character of UTF-16.
        NotUtf16 = "not_utf16",
        /// The row, or a text of it, is not UTF-8.
        NotUtf8 = "not_utf8",
        /// Warning: the source is not the provider that the catalogue names for the category.
        ProviderUnexpected = "provider_unexpected",
        /// The measure's facts must name their document.
        ReferenceMissing = "reference_missing",
        /// Not a region of six digits.
        RegionMalformed = "region_malformed",
        /// The subject is not in the region that the category is about.
        RegionOutside = "region_outside",
        /// Warning: the region, or the one of the unified social credit code, is not in the local table.
        RegionUnknown = "region_unknown",
        /// Warning: an event of the same day without a document was reported before; it is counted once.
        Repetition = "repetition",
        /// A resident identity number is in a column other than `id_number`.
        ResidentNumber = "resident_number",
        /// Warning: the document was reported before, with another day or by another source; it is counted once.
        SameDocument = "same_document",
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
        /// Not a unified social credit code, or one that no register assigns.
        UsccInvalid = "uscc_invalid",
        /// Warning: the unified social credit code was written in lower case.
        UsccLowerCase = "uscc_lower_case",
        /// The value is not a number with up to four decimals.
        ValueMalformed = "value_malformed",
        /// The catalogue does not allow this value of the measure.
        ValueOutOfRange = "value_out_of_range",
        /// Warning: the document was taken back; the row is stored and does not count.
        VoidedDocument = "voided_document",
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
}
