//! Renders records of ours by a platform's fields: the platform's own names, codes and forms, in its order.

use std::{borrow::Cow, fmt};

use super::{
    fields::{Content, Field, Fields, Form, GradeValue, UsageValue, Value},
    types::Platform,
};
use crate::{
    domain::{Day, Fen, money::MilliPoints, printable::first_unprintable, words::words},
    grading::GradeWord,
    scoring::ReceiverGrade,
};

words! {
    /// What a record does to the one that the platform has.
    Operation: "operation" {
        /// A record that it does not have.
        Insert = "I",
        /// A later version.
        Update = "U",
        /// The record is withdrawn; nothing is removed physically.
        Delete = "D",
    }
}

/// Who grades (评价机构).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluator {
    pub name: Option<String>,
    pub uscc: Option<String>,
}

/// What the records of a package have in common.
#[derive(Debug, Clone, Copy)]
pub struct PackageRow<'a> {
    pub batch: &'a str,
    pub evaluator: &'a Evaluator,
    /// `2026-H1`, or a month `2026-03`.
    pub period: &'a str,
    pub kind: &'a str,
}

/// A result, with what a platform may have of it.
#[derive(Debug, Clone, Copy)]
pub struct GradeRow<'a> {
    pub package: PackageRow<'a>,
    /// Stays the same over versions.
    pub record_id: &'a str,
    pub version: i64,
    pub operation: Operation,
    pub evaluation_name: &'a str,
    pub scheme: &'a str,
    pub object_type: Option<u8>,
    pub code: &'a str,
    /// Only of a subject that the platform may have by name.
    pub uscc: Option<&'a str>,
    /// Only of a subject that the platform may have by name.
    pub name: Option<&'a str>,
    pub region: &'a str,
    pub region_name: Option<&'a str>,
    pub status: &'a str,
    /// Why it was not rated.
    pub reason: Option<&'a str>,
    /// The grade in our scheme, where the platform may have it.
    pub grade: Option<&'a GradeWord>,
    /// The grade in the platform's scheme.
    pub receiver_grade: Option<&'a ReceiverGrade>,
    /// The total, where the platform may have it.
    pub points: Option<MilliPoints>,
    pub evaluated_on: Day,
    pub valid_from: Option<Day>,
    pub valid_until: Option<Day>,
    pub published_on: Option<Day>,
    pub under_objection: bool,
    pub remark: Option<&'a str>,
}

/// Loans that banks reported for a period and a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoanCount {
    pub number: u64,
    pub amount: Fen,
}

/// The use made of the grades of a kind in a period: counts, nothing about a subject.
#[derive(Debug, Clone, Copy)]
pub struct UsageRow<'a> {
    pub package: PackageRow<'a>,
    /// Stays the same over versions.
    pub record_id: &'a str,
    pub version: i64,
    pub operation: Operation,
    pub period_from: Day,
    pub period_until: Day,
    pub counted_on: Day,
    pub consents_granted: u64,
    pub consents_withdrawn: u64,
    /// None while banks report no loans.
    pub loans: Option<LoanCount>,
    pub remark: Option<&'a str>,
}

/// Why a record cannot be sent. The text of the value is not among the error's words: it may be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the platform {platform}: the field {field} of the record {record} {fault}")]
pub struct RenderError {
    pub platform: String,
    /// The platform's name of the field.
    pub field: String,
    pub record: String,
    pub fault: RenderFault,
}

/// What is wrong with a field of a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderFault {
    #[error("is required, and there is no {value} to send{}", hint(.value))]
    Missing {
        /// The word of the value.
        value: &'static str,
    },
    #[error("has {length} characters, and the platform accepts {longest}")]
    TooLong {
        length: usize,
        /// The most that the platform accepts.
        longest: usize,
    },
    #[error("has no code for {value} {ours:?}: add it to the field's codes")]
    NoCode {
        /// The word of the value.
        value: &'static str,
        /// Our word, from a closed list.
        ours: String,
    },
    #[error("contains U+{0:04X}, which cannot be seen: correct it in the subject's file")]
    Unprintable(u32),
}

/// What to do about a missing value, where it is a setting.
fn hint(value: &str) -> &'static str {
    if value.starts_with(GradeValue::Evaluator.as_str()) { ": set it in [push] of the configuration" } else { "" }
}

/// A value of a record.
enum Cell<'a> {
    Text(Cow<'a, str>),
    Day(Day),
    Amount(Fen),
    Absent,
}

impl<'a> Cell<'a> {
    fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Absent, |text| Self::Text(Cow::Borrowed(text)))
    }

    fn number(number: impl fmt::Display + Copy) -> Self {
        Self::Text(Cow::Owned(number.to_string()))
    }

    fn day(day: Option<Day>) -> Self {
        day.map_or(Self::Absent, Self::Day)
    }
}

/// The year of a period.
fn year(period: &str) -> &str {
    period.split_once('-').map_or(period, |(year, _)| year)
}

impl GradeRow<'_> {
    fn cell(&self, value: GradeValue) -> Cell<'_> {
        let package = &self.package;
        match value {
            GradeValue::RecordId => Cell::text(Some(self.record_id)),
            GradeValue::Version => Cell::number(self.version),
            GradeValue::Operation => Cell::text(Some(self.operation.as_str())),
            GradeValue::Batch => Cell::text(Some(package.batch)),
            GradeValue::Evaluator => Cell::text(package.evaluator.name.as_deref()),
            GradeValue::EvaluatorUscc => Cell::text(package.evaluator.uscc.as_deref()),
            GradeValue::EvaluationName => Cell::text(Some(self.evaluation_name)),
            GradeValue::Scheme => Cell::text(Some(self.scheme)),
            GradeValue::Period => Cell::text(Some(package.period)),
            GradeValue::Year => Cell::text(Some(year(package.period))),
            GradeValue::Kind => Cell::text(Some(package.kind)),
            GradeValue::ObjectType => self.object_type.map_or(Cell::Absent, Cell::number),
            GradeValue::Code => Cell::text(Some(self.code)),
            GradeValue::Uscc => Cell::text(self.uscc),
            GradeValue::Name => Cell::text(self.name),
            GradeValue::Region => Cell::text(Some(self.region)),
            GradeValue::RegionName => Cell::text(self.region_name),
            GradeValue::Status => Cell::text(Some(self.status)),
            GradeValue::Reason => Cell::text(self.reason),
            GradeValue::Grade => Cell::text(self.grade.map(|grade| grade.code.as_str())),
            GradeValue::GradeName => Cell::text(self.grade.map(|grade| grade.name_zh.as_str())),
            GradeValue::ReceiverGrade => Cell::text(self.receiver_grade.map(|grade| grade.code.as_str())),
            GradeValue::ReceiverGradeName => Cell::text(self.receiver_grade.map(|grade| grade.name_zh.as_str())),
            GradeValue::Points => self.points.map_or(Cell::Absent, Cell::number),
            GradeValue::EvaluatedOn => Cell::Day(self.evaluated_on),
            GradeValue::ValidFrom => Cell::day(self.valid_from),
            GradeValue::ValidUntil => Cell::day(self.valid_until),
            GradeValue::PublishedOn => Cell::day(self.published_on),
            GradeValue::Objection => Cell::text(Some(if self.under_objection { "yes" } else { "no" })),
            GradeValue::Remark => Cell::text(self.remark),
        }
    }
}

impl UsageRow<'_> {
    fn cell(&self, value: UsageValue) -> Cell<'_> {
        let package = &self.package;
        match value {
            UsageValue::RecordId => Cell::text(Some(self.record_id)),
            UsageValue::Version => Cell::number(self.version),
            UsageValue::Operation => Cell::text(Some(self.operation.as_str())),
            UsageValue::Batch => Cell::text(Some(package.batch)),
            UsageValue::Evaluator => Cell::text(package.evaluator.name.as_deref()),
            UsageValue::EvaluatorUscc => Cell::text(package.evaluator.uscc.as_deref()),
            UsageValue::Period => Cell::text(Some(package.period)),
            UsageValue::Year => Cell::text(Some(year(package.period))),
            UsageValue::PeriodFrom => Cell::Day(self.period_from),
            UsageValue::PeriodUntil => Cell::Day(self.period_until),
            UsageValue::CountedOn => Cell::Day(self.counted_on),
            UsageValue::Kind => Cell::text(Some(package.kind)),
            UsageValue::ConsentsGranted => Cell::number(self.consents_granted),
            UsageValue::ConsentsWithdrawn => Cell::number(self.consents_withdrawn),
            UsageValue::LoansReported => self.loans.map_or(Cell::Absent, |loans| Cell::number(loans.number)),
            UsageValue::LoanAmount => self.loans.map_or(Cell::Absent, |loans| Cell::Amount(loans.amount)),
            UsageValue::Remark => Cell::text(self.remark),
        }
    }
}

impl Platform {
    /// A result by the fields of [`Platform::grades`]: the platform's names with their texts, in its order. An empty text is an
    /// absent value. A platform without grades gets no fields.
    pub fn render_grade<'p>(&'p self, row: &GradeRow<'_>) -> Result<Vec<(&'p str, String)>, RenderError> {
        self.render(self.grades.as_ref(), row.record_id, |value| row.cell(value))
    }

    /// Counts by the fields of [`Platform::usage`], likewise.
    pub fn render_usage<'p>(&'p self, row: &UsageRow<'_>) -> Result<Vec<(&'p str, String)>, RenderError> {
        self.render(self.usage.as_ref(), row.record_id, |value| row.cell(value))
    }

    fn render<'p, 'r, V: Value>(
        &'p self,
        package: Option<&'p Fields<V>>,
        record: &str,
        cell: impl Fn(V) -> Cell<'r>,
    ) -> Result<Vec<(&'p str, String)>, RenderError> {
        let fields = package.map(|package| package.fields.as_slice()).unwrap_or_default();
        let rendered = fields.iter().map(|field| {
            let text = render_field(field, &cell).map_err(|fault| RenderError {
                platform: self.id.clone(),
                field: field.name.clone(),
                record: record.to_owned(),
                fault,
            })?;
            Ok((field.name.as_str(), text))
        });
        rendered.collect()
    }
}

fn render_field<'r, V: Value>(field: &Field<V>, cell: impl Fn(V) -> Cell<'r>) -> Result<String, RenderFault> {
    let value = match &field.content {
        Content::Constant(text) => return Ok(text.clone()),
        Content::Value(value) => *value,
    };
    let text = match cell(value) {
        Cell::Text(text) if matches!(value.form(), Form::Code(_)) && !field.codes.is_empty() => {
            let code = field.codes.get(text.as_ref());
            code.cloned().ok_or_else(|| RenderFault::NoCode { value: value.word(), ours: text.into_owned() })?
        }
        Cell::Text(text) => text.into_owned(),
        Cell::Day(day) => field.date.show(day),
        Cell::Amount(amount) => field.amount.show(amount),
        Cell::Absent => String::new(),
    };
    if text.is_empty() && field.required {
        return Err(RenderFault::Missing { value: value.word() });
    }
    if let Some(longest) = field.longest {
        let length = text.chars().count();
        if length > longest {
            return Err(RenderFault::TooLong { length, longest });
        }
    }
    // Files from the time before such characters were refused can have them; a platform would show a name that nobody has.
    if let Some(found) = first_unprintable(&text) {
        return Err(RenderFault::Unprintable(u32::from(found)));
    }
    Ok(text)
}
