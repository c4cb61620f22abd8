//! Value forms resolved against a catalogue: the value for a subject, and the records behind it.

use super::{
    catalogue::Catalogue,
    describe::describe_peers,
    evidence::{Evidence, MissingReason},
    measures::Measures,
    method::Reading,
    model::{PeerGroup, SubjectDay, ValueForm},
    number::Fraction,
    terms::Terms,
};

/// A value form whose measures are positions in the catalogue.
#[derive(Debug, Clone)]
enum Value {
    Measure(usize),
    Ratio {
        numerator: Vec<usize>,
        denominator: Vec<usize>,
    },
    Growth(Box<Value>),
    Count {
        measures: Vec<usize>,
        nearest: u8,
        farthest: u8,
    },
    Age(SubjectDay),
    /// The position of the comparison in the model, and the least number of others.
    Peer {
        nth: usize,
        least: u32,
    },
}

/// A value form, resolved.
#[derive(Debug, Clone)]
pub(super) struct ResolvedValue {
    value: Value,
    /// The measures that it reads, for the explanation.
    reads: Vec<Read>,
}

/// A measure that a value reads.
#[derive(Debug, Clone)]
struct Read {
    id: String,
    /// The position of the measure in the catalogue.
    place: usize,
    back: u8,
    /// Whether only what was reported in the half-year counts, and no stock of an earlier one.
    own: bool,
}

impl ResolvedValue {
    /// Resolves a value form; `None` only for an unknown measure, which the check refuses. Comparisons with peers are added
    /// to those of the model.
    pub(super) fn of(form: &ValueForm, catalogue: &Catalogue, peers: &mut Vec<PeerComparison>) -> Option<Self> {
        let value = resolve(form, catalogue, peers)?;
        let mut reads = Vec::new();
        list_reads(&value, (0, false), peers, catalogue, &mut reads);
        Some(Self { value, reads })
    }

    /// The number of half-years that it looks back.
    pub(super) fn lookback(&self) -> u8 {
        self.reads.iter().map(|read| read.back).max().unwrap_or(0)
    }

    /// The same with the half-years before these whose stocks may still be valid.
    pub(super) fn reach(&self, catalogue: &Catalogue) -> u8 {
        let reach = |read: &Read| {
            let carried = catalogue.reading(read.place).filter(|_| !read.own).map_or(0, Reading::reach);
            read.back.saturating_add(u8::try_from(carried).unwrap_or(u8::MAX))
        };
        self.reads.iter().map(reach).max().unwrap_or(0)
    }

    /// The positions of the measures that it reads.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.reads.iter().map(|read| read.place)
    }

    /// The value for a subject.
    pub(super) fn measure(&self, measures: &Measures) -> Result<Fraction, MissingReason> {
        evaluate(&self.value, measures, 0, false)
    }

    /// The number of events in each half-year of a count, nearest first; empty for other forms.
    pub(super) fn by_half_year(&self, measures: &Measures) -> Vec<(u8, u64)> {
        let Value::Count { measures: places, nearest, farthest } = &self.value else { return Vec::new() };
        let count = |back| (back, places.iter().map(|place| measures.count(*place, back)).sum());
        (*nearest..=*farthest).map(count).collect()
    }

    /// The number of present events that a count still includes some half-years later.
    pub(super) fn count_later(&self, measures: &Measures, halves: i32) -> u64 {
        let Value::Count { measures: places, nearest, farthest } = &self.value else { return 0 };
        let window = i32::from(*nearest)..=i32::from(*farthest);
        // Only events that exist now: those still to come cannot be counted.
        let counted = (0..=*farthest).filter(|back| window.contains(&(i32::from(*back) + halves)));
        counted.map(|back| places.iter().map(|place| measures.count(*place, back)).sum::<u64>()).sum()
    }

    /// The records behind the value.
    pub(super) fn evidence(&self, measures: &Measures) -> Vec<Evidence> {
        let read = |read: &Read| measures.evidence(&read.id, read.place, read.back, read.own);
        // A half-year without facts has no record to cite.
        self.reads.iter().map(read).filter(|evidence| evidence.facts > 0).collect()
    }
}

fn resolve(value: &ValueForm, catalogue: &Catalogue, peers: &mut Vec<PeerComparison>) -> Option<Value> {
    let places = |ids: &[String]| ids.iter().map(|id| catalogue.place(id)).collect::<Option<Vec<_>>>();
    Some(match value {
        ValueForm::Measure(id) => Value::Measure(catalogue.place(id)?),
        ValueForm::Ratio { numerator, denominator } => {
            Value::Ratio { numerator: places(numerator)?, denominator: places(denominator)? }
        }
        ValueForm::Growth { of } => Value::Growth(Box::new(resolve(of, catalogue, peers)?)),
        ValueForm::Count { measures, periods_back: [nearest, farthest] } => {
            Value::Count { measures: places(measures)?, nearest: *nearest, farthest: *farthest }
        }
        ValueForm::Age { since } => Value::Age(*since),
        ValueForm::PeerPercentile { of, among, least } => {
            let name = describe_peers(of, *among, Terms::ENGLISH);
            // Two rules with the same comparison share its ranks: a table of a whole city's values is kept once.
            let nth = if let Some(nth) = peers.iter().position(|peer| peer.name == name) {
                nth
            } else {
                let of = resolve(of, catalogue, peers)?;
                peers.push(PeerComparison { name, among: *among, of });
                peers.len() - 1
            };
            Value::Peer { nth, least: *least }
        }
    })
}

fn list_reads(
    value: &Value,
    (back, own): (u8, bool),
    peers: &[PeerComparison],
    catalogue: &Catalogue,
    reads: &mut Vec<Read>,
) {
    let mut read = |place: usize, back: u8| {
        // A measure on both sides of a ratio is listed once.
        let listed = reads.iter().any(|listed| (listed.place, listed.back) == (place, back));
        if let Some(measure) = catalogue.measures().get(place).filter(|_| !listed) {
            reads.push(Read { id: measure.id.clone(), place, back, own });
        }
    };
    match value {
        Value::Measure(place) => read(*place, back),
        Value::Ratio { numerator, denominator } => {
            for place in numerator.iter().chain(denominator) {
                read(*place, back);
            }
        }
        Value::Growth(of) => {
            list_reads(of, (back, true), peers, catalogue, reads);
            list_reads(of, (back + 1, true), peers, catalogue, reads);
        }
        Value::Count { measures, nearest, farthest } => {
            for back in *nearest..=*farthest {
                for place in measures {
                    read(*place, back);
                }
            }
        }
        Value::Peer { nth, .. } => {
            if let Some(form) = peers.get(*nth) {
                list_reads(&form.of, (back, own), peers, catalogue, reads);
            }
        }
        Value::Age(_) => {}
    }
}

/// The value in a half-year. With `own`, only what was reported in it counts, and no stock of an earlier one.
fn evaluate(value: &Value, measures: &Measures, back: u8, own: bool) -> Result<Fraction, MissingReason> {
    match value {
        Value::Measure(place) => measures.sum(&[*place], back, own).ok_or(MissingReason::NoData),
        Value::Ratio { numerator, denominator } => {
            // The denominator first: that it was reported is what makes an unreported numerator zero.
            let below = measures.sum(denominator, back, own).ok_or(MissingReason::NoData)?;
            let zero = || measures.absent_is_zero(numerator).then(|| Fraction::whole(0));
            let above = measures.sum(numerator, back, own).or_else(zero).ok_or(MissingReason::NoData)?;
            // By a negative sum the ratio would have the wrong sign.
            let ratio = below.is_positive().then(|| above.over(below)).flatten();
            ratio.ok_or(MissingReason::NothingToDivideBy)
        }
        Value::Growth(of) => {
            // A stock that is carried over would have grown by nothing.
            let now = evaluate(of, measures, back, true)?;
            // Whatever is missing there, the reader learns that there is nothing to compare with.
            let before = evaluate(of, measures, back + 1, true).map_err(|_| MissingReason::NoFormerPeriod)?;
            let growth = before.is_positive().then(|| now.growth_from(before)).flatten();
            growth.ok_or(MissingReason::NoFormerPeriod)
        }
        Value::Count { measures: places, nearest, farthest } => {
            let counts =
                (*nearest..=*farthest).flat_map(|back| places.iter().map(move |place| measures.count(*place, back)));
            Ok(Fraction::whole(counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX)).sum()))
        }
        Value::Age(SubjectDay::AgreementSignedOn) => {
            let end = measures.period().last_month().last_day();
            let since = measures.agreement_signed_on().filter(|since| *since <= end).ok_or(MissingReason::NoDay)?;
            // A month is complete on the same day of the next month, or on the last day of a shorter month.
            let months = end.month().months_since(since.month());
            let incomplete = end.date().day() < since.date().day() && end != end.month().last_day();
            Ok(Fraction::whole((months - i32::from(incomplete)).into()))
        }
        Value::Peer { nth, least } => {
            let peer = measures.peer(*nth).ok_or(MissingReason::NoData)?;
            // Even a model that asks for none needs one other: the percentile divides by their number.
            if peer.of < (*least).max(1) {
                return Err(MissingReason::FewPeers);
            }
            peer.percentile().ok_or(MissingReason::FewPeers)
        }
    }
}

/// A comparison with peers that a model needs.
#[derive(Debug, Clone)]
pub struct PeerComparison {
    name: String,
    among: PeerGroup,
    of: Value,
}

impl PeerComparison {
    /// The name: what is compared, and with whom.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group of peers.
    pub const fn among(&self) -> PeerGroup {
        self.among
    }

    /// The compared value of one subject; `None` where data is missing.
    pub fn value(&self, measures: &Measures) -> Option<Fraction> {
        // Without a value the subject has no rank, whatever the reason is.
        evaluate(&self.of, measures, 0, false).ok()
    }
}
