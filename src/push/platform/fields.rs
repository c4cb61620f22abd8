//! The fields of a package: each has the platform's name and a value of ours, in the form that the platform wants.

use std::{collections::BTreeMap, fmt::Debug, str::FromStr};

use crate::domain::{Day, Fen, Malformed, words::words};

/// A closed list of words of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeList {
    /// `I`, `U` and `D`.
    Operation,
    /// The kinds of subject.
    Kind,
    /// The national numbers of the kinds, CRED_OBJ_TYPE.
    ObjectType,
    /// `graded` and `not_rated`.
    Status,
    /// The reasons of not being rated.
    Reason,
    /// The grades of our schemes.
    Grade,
    /// The grades of the platform's scheme, by the mapping.
    ReceiverGrade,
    /// `yes` and `no`.
    Objection,
}

/// The form of a value of ours, which decides what can be said about a field of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A free text.
    Text,
    /// A word of a closed list, which `codes` may translate.
    Code(CodeList),
    /// A day, whose form `date` chooses.
    Date,
    /// An amount of money, whose unit `amount` chooses.
    Amount,
    /// A number.
    Number,
}

/// A value that a field can have.
pub trait Value: Copy + Debug + PartialEq + FromStr<Err = Malformed> + 'static {
    /// Every value.
    fn all() -> &'static [Self];
    /// The word in a platform's file.
    fn word(self) -> &'static str;
    /// The form of the value.
    fn form(self) -> Form;
}

words! {
    /// A value of a record of grades.
    GradeValue: "value of a record of grades" {
        RecordId = "record_id",
        Version = "version",
        Operation = "operation",
        Batch = "batch",
        Evaluator = "evaluator",
        EvaluatorUscc = "evaluator_uscc",
        EvaluationName = "evaluation_name",
        Scheme = "scheme",
        Period = "period",
        Year = "year",
        Kind = "kind",
        ObjectType = "object_type",
        Code = "code",
        Uscc = "uscc",
        Name = "name",
        Region = "region",
        RegionName = "region_name",
        Status = "status",
        Reason = "reason",
        Grade = "grade",
        GradeName = "grade_name",
        ReceiverGrade = "receiver_grade",
        ReceiverGradeName = "receiver_grade_name",
        Points = "points",
        EvaluatedOn = "evaluated_on",
        ValidFrom = "valid_from",
        ValidUntil = "valid_until",
        PublishedOn = "published_on",
        Objection = "objection",
        Remark = "remark",
    }
}

impl Value for GradeValue {
    fn all() -> &'static [Self] {
        Self::ALL
    }

    fn word(self) -> &'static str {
        self.as_str()
    }

    fn form(self) -> Form {
        match self {
            Self::Operation => Form::Code(CodeList::Operation),
            Self::Kind => Form::Code(CodeList::Kind),
            Self::ObjectType => Form::Code(CodeList::ObjectType),
            Self::Status => Form::Code(CodeList::Status),
            Self::Reason => Form::Code(CodeList::Reason),
            Self::Grade => Form::Code(CodeList::Grade),
            Self::ReceiverGrade => Form::Code(CodeList::ReceiverGrade),
            Self::Objection => Form::Code(CodeList::Objection),
            Self::EvaluatedOn | Self::ValidFrom | Self::ValidUntil | Self::PublishedOn => Form::Date,
            Self::Version | Self::Year | Self::Points => Form::Number,
            _ => Form::Text,
        }
    }
}

words! {
    /// A value of a record of usage: counts of a period and a kind, nothing about a subject.
    UsageValue: "value of a record of usage" {
        RecordId = "record_id",
        Version = "version",
        Operation = "operation",
        Batch = "batch",
        Evaluator = "evaluator",
        EvaluatorUscc = "evaluator_uscc",
        Period = "period",
        Year = "year",
        PeriodFrom = "period_from",
        PeriodUntil = "period_until",
        CountedOn = "counted_on",
        Kind = "kind",
        ConsentsGranted = "consents_granted",
        ConsentsWithdrawn = "consents_withdrawn",
        LoansReported = "loans_reported",
        LoanAmount = "loan_amount",
        Remark = "remark",
    }
}

impl Value for UsageValue {
    fn all() -> &'static [Self] {
        Self::ALL
    }

    fn word(self) -> &'static str {
        self.as_str()
    }

    fn form(self) -> Form {
        match self {
            Self::Operation => Form::Code(CodeList::Operation),
            Self::Kind => Form::Code(CodeList::Kind),
            Self::PeriodFrom | Self::PeriodUntil | Self::CountedOn => Form::Date,
            Self::LoanAmount => Form::Amount,
            Self::Version | Self::Year | Self::ConsentsGranted | Self::ConsentsWithdrawn | Self::LoansReported => {
                Form::Number
            }
            _ => Form::Text,
        }
    }
}

words! {
    /// The form of a day.
    DateForm: "form of a date" {
        /// `2026-07-31`.
        Iso = "iso",
        /// `20260731`.
        Compact = "compact",
        /// `2026/07/31`.
        Slashed = "slashed",
        /// `2026-07-31 00:00:00`.
        DateTime = "datetime",
    }
}

impl DateForm {
    /// A day in this form.
    pub fn show(self, day: Day) -> String {
        let date = day.date();
        let (year, month, of_month) = (date.year(), u8::from(date.month()), date.day());
        match self {
            Self::Iso => day.to_string(),
            Self::Compact => format!("{year:04}{month:02}{of_month:02}"),
            Self::Slashed => format!("{year:04}/{month:02}/{of_month:02}"),
            Self::DateTime => format!("{day} 00:00:00"),
        }
    }
}

words! {
    /// The unit of an amount.
    AmountUnit: "unit of an amount" {
        /// 分, a whole number.
        Fen = "fen",
        /// 元, with two decimals.
        Yuan = "yuan",
        /// 万元, with six decimals, so that no amount is rounded.
        WanYuan = "wan_yuan",
    }
}

impl AmountUnit {
    /// An amount in this unit.
    pub fn show(self, amount: Fen) -> String {
        let sign = if amount.0 < 0 { "-" } else { "" };
        let fen = amount.0.unsigned_abs();
        match self {
            Self::Fen => amount.0.to_string(),
            Self::Yuan => amount.to_string(),
            Self::WanYuan => format!("{sign}{}.{:06}", fen / 1_000_000, fen % 1_000_000),
        }
    }
}

/// What a field contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<V> {
    /// The same text in every record.
    Constant(String),
    Value(V),
}

/// A field of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<V> {
    /// The platform's own name.
    pub name: String,
    pub content: Content<V>,
    /// The platform's codes by ours; without an entry our own word is sent.
    pub codes: BTreeMap<String, String>,
    pub date: DateForm,
    pub amount: AmountUnit,
    /// Whether a record without it is an error.
    pub required: bool,
    /// The most characters that the platform accepts.
    pub longest: Option<usize>,
}

impl<V: Value> Field<V> {
    /// Whether its text comes from people: spreadsheets must not take it for a formula.
    pub fn is_free_text(&self) -> bool {
        matches!(self.content, Content::Value(value) if value.form() == Form::Text)
    }
}

/// The fields of a package, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields<V> {
    /// The platform's code of the data set, or its table in the platform's catalogue.
    pub dataset: String,
    pub fields: Vec<Field<V>>,
}

impl<V: Value> Fields<V> {
    /// Whether a field has a value.
    pub fn has(&self, value: V) -> bool {
        self.fields.iter().any(|field| field.content == Content::Value(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_four_forms() {
        let day: Day = "2026-07-01".parse().unwrap();
        let shown: Vec<_> = DateForm::ALL.iter().map(|form| form.show(day)).collect();
        assert_eq!(shown, ["2026-07-01", "20260701", "2026/07/01", "2026-07-01 00:00:00"]);
    }

    #[test]
    fn an_amount_is_exact_in_every_unit() {
        for (fen, texts) in [
            (123_456_789, ["123456789", "1234567.89", "123.456789"]),
            (5, ["5", "0.05", "0.000005"]),
            (0, ["0", "0.00", "0.000000"]),
            (-1_000_001, ["-1000001", "-10000.01", "-1.000001"]),
            (i64::MIN, ["-9223372036854775808", "-92233720368547758.08", "-9223372036854.775808"]),
        ] {
            let shown: Vec<_> = AmountUnit::ALL.iter().map(|unit| unit.show(Fen(fen))).collect();
            assert_eq!(shown, texts);
        }
    }
}
