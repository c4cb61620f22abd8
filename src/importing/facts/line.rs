//! The fast path for plain lines: fields are split at commas, and each is looked up without copying it.

use super::{CheckedFact, Dictionary, dictionary::MeasureBounds};
use crate::{
    domain::{Day, Region, ResidentId, printable::first_unprintable},
    importing::normalise::is_plain_text,
    scoring::Decimal,
};

/// Columns of the template.
const COLUMNS: usize = 6;

/// Longest source, in characters. Longer ones are left to the checker, which reports them.
const MAX_SOURCE: usize = 60;

/// Longest reference, in characters.
pub(super) const MAX_REFERENCE: usize = 100;

/// The values of the line before, with what was found for them: most lines repeat the subject, the measure or the day.
#[derive(Debug, Default)]
struct LastLine {
    code: String,
    subject: u32,
    region: Option<Region>,
    kind: u16,
    measure_kind: u16,
    measure_id: String,
    measure: Option<MeasureBounds>,
    day_text: String,
    day: i32,
}

/// Reads plain lines.
#[derive(Debug)]
pub(in crate::importing) struct LineReader<'d> {
    dictionary: &'d Dictionary,
    /// The position in the file of each column of the template.
    positions: [usize; COLUMNS],
    today: i32,
    last: LastLine,
}

impl<'d> LineReader<'d> {
    /// A reader of lines with the template's columns at `positions`; `None` if there are more or fewer columns.
    pub(super) fn new(dictionary: &'d Dictionary, positions: &[usize]) -> Option<Self> {
        let positions: [usize; COLUMNS] = positions.try_into().ok()?;
        let today = dictionary.today().date().to_julian_day();
        Some(Self { dictionary, positions, today, last: LastLine::default() })
    }

    /// The fact of a line, if the line is plain and passes every check.
    pub(super) fn read<'l>(&mut self, line: u64, text: &'l str) -> Option<CheckedFact<'l>> {
        let mut fields = [""; COLUMNS];
        let mut parts = text.split(',');
        for field in &mut fields {
            *field = parts.next()?;
        }
        if parts.next().is_some() {
            return None;
        }
        self.fact(line, |at| fields.get(at).copied())
    }

    /// The fact of a row, if the row is plain and passes every check. `field` has the fields of the row by position.
    pub(super) fn fact<'l>(&mut self, line: u64, field: impl Fn(usize) -> Option<&'l str>) -> Option<CheckedFact<'l>> {
        let positions = self.positions;
        let field = |column: usize| positions.get(column).and_then(|at| field(*at));
        let (code, measure, value) = (field(0)?, field(1)?, field(2)?);
        let (day, source, reference) = (field(3)?, field(4)?, field(5)?);
        let (subject, kind) = self.subject(code)?;
        let measure = self.measure(kind, measure)?;
        // Whatever is unusual is left to the checker, which finds out what it is and words it.
        if value.ends_with('%') || source.is_empty() || !plain(source, MAX_SOURCE) || !plain(reference, MAX_REFERENCE) {
            return None;
        }
        if !is_plain_text(source, false) || !is_plain_text(reference, true) {
            return None;
        }
        let value_e4 = Decimal::parse(value)?.0;
        let day = self.day(day)?;
        let valid = measure.admits(value_e4)
            && day <= self.today
            && measure.admits_day(day)
            && measure.admits_region(self.last.region)
            && measure.admits_reference(reference)
            && self.dictionary.is_provided_by(measure, source);
        valid.then_some(CheckedFact { subject, measure: measure.number, day, value_e4, source, reference, line })
    }

    fn subject(&mut self, code: &str) -> Option<(u32, u16)> {
        let last = &mut self.last;
        if last.code != code || code.is_empty() {
            last.subject = self.dictionary.subject(code)?;
            last.kind = self.dictionary.kind_of(last.subject)?;
            last.region = self.dictionary.region_of(last.subject);
            // Only after every look-up above succeeded: a failed one must not leave the new code with the old subject.
            last.code.clear();
            last.code.push_str(code);
        }
        Some((last.subject, last.kind))
    }

    fn measure(&mut self, kind: u16, id: &str) -> Option<MeasureBounds> {
        let last = &mut self.last;
        if last.measure.is_none() || last.measure_kind != kind || last.measure_id != id {
            last.measure = Some(self.dictionary.measure(kind, id)?);
            last.measure_kind = kind;
            last.measure_id.clear();
            last.measure_id.push_str(id);
        }
        last.measure
    }

    fn day(&mut self, text: &str) -> Option<i32> {
        let last = &mut self.last;
        if last.day_text != text || text.is_empty() {
            last.day = text.parse::<Day>().ok()?.date().to_julian_day();
            last.day_text.clear();
            last.day_text.push_str(text);
        }
        Some(last.day)
    }
}

/// Whether every character of a text can be seen, there are at most `most`, and no resident identity number is among
/// them.
fn plain(text: &str, most: usize) -> bool {
    // A cheap bound first: Chinese characters have three bytes, and longer texts are left to the checker.
    text.len() <= most * 3
        && (text.len() <= most || text.chars().count() <= most)
        && first_unprintable(text).is_none()
        && !(text.len() >= 18 && ResidentId::is_in(text))
}
