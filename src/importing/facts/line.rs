//! The short way of a plain line: its fields cut at commas, and each looked up without a copy being made.

use super::{CheckedFact, Known};
use crate::{
    domain::{Day, Region},
    scoring::Decimal,
};

/// Columns of the template.
const COLUMNS: usize = 6;

/// How long texts may be, in characters: more goes the long way, which says so.
const MAX_SOURCE: usize = 60;
/// The same for references.
pub(in crate::importing) const MAX_REFERENCE: usize = 100;

/// What the lines before had, so that what repeats is looked up once.
#[derive(Debug, Default)]
struct Memory {
    code: String,
    subject: u32,
    region: Option<Region>,
    kind: u16,
    measure_kind: u16,
    measure_id: String,
    measure: Option<super::known::KnownMeasure>,
    day_text: String,
    day: i32,
}

/// Reads plain lines.
#[derive(Debug)]
pub(super) struct LineReader<'k> {
    known: &'k Known,
    /// Where each column of the template stands in the file.
    places: [usize; COLUMNS],
    today: i32,
    memory: Memory,
}

impl<'k> LineReader<'k> {
    /// A reader of lines whose columns stand in some order; none where there are others than the template's.
    pub(super) fn new(known: &'k Known, places: &[usize]) -> Option<Self> {
        let places: [usize; COLUMNS] = places.try_into().ok()?;
        let today = known.today().date().to_julian_day();
        Some(Self { known, places, today, memory: Memory::default() })
    }

    /// The fact of a line, if the line is plain and nothing is wrong with it.
    pub(super) fn read<'l>(&mut self, line: u64, text: &'l str) -> Option<CheckedFact<'l>> {
        let mut fields = [""; COLUMNS];
        let mut cut = text.split(',');
        for field in &mut fields {
            *field = cut.next()?;
        }
        if cut.next().is_some() {
            return None;
        }
        let field = |column: usize| self.places.get(column).and_then(|place| fields.get(*place)).copied();
        let (code, measure, value) = (field(0)?, field(1)?, field(2)?);
        let (day, source, reference) = (field(3)?, field(4)?, field(5)?);
        let (subject, kind) = self.subject(code)?;
        let measure = self.measure(kind, measure)?;
        if value.ends_with('%') || source.is_empty() || !plain(source, MAX_SOURCE) || !plain(reference, MAX_REFERENCE) {
            return None;
        }
        let value_e4 = Decimal::parse(value)?.0;
        let day = self.day(day)?;
        let admitted = measure.admits(value_e4)
            && day <= self.today
            && measure.admits_day(day)
            && measure.admits_region(self.memory.region)
            && self.known.is_provided_by(measure, source);
        admitted.then_some(CheckedFact { subject, measure: measure.place, day, value_e4, source, reference, line })
    }

    fn subject(&mut self, code: &str) -> Option<(u32, u16)> {
        let memory = &mut self.memory;
        if memory.code != code || code.is_empty() {
            memory.subject = self.known.subject(code)?;
            memory.kind = self.known.kind_of(memory.subject)?;
            memory.region = self.known.region_of(memory.subject);
            memory.code.clear();
            memory.code.push_str(code);
        }
        Some((memory.subject, memory.kind))
    }

    fn measure(&mut self, kind: u16, id: &str) -> Option<super::known::KnownMeasure> {
        let memory = &mut self.memory;
        if memory.measure.is_none() || memory.measure_kind != kind || memory.measure_id != id {
            memory.measure = Some(self.known.measure(kind, id)?);
            memory.measure_kind = kind;
            memory.measure_id.clear();
            memory.measure_id.push_str(id);
        }
        memory.measure
    }

    fn day(&mut self, text: &str) -> Option<i32> {
        let memory = &mut self.memory;
        if memory.day_text != text || text.is_empty() {
            memory.day = text.parse::<Day>().ok()?.date().to_julian_day();
            memory.day_text.clear();
            memory.day_text.push_str(text);
        }
        Some(memory.day)
    }
}

/// Whether a text has no control character and surely not more characters than it may.
fn plain(text: &str, most: usize) -> bool {
    text.len() <= most * 3 && (text.len() <= most || text.chars().count() <= most) && !has_control(text)
}

fn has_control(text: &str) -> bool {
    // Control characters are those below the space, DEL, and U+0080 to U+009F, which UTF-8 writes with C2 first.
    text.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == 0xc2) && text.chars().any(char::is_control)
}
