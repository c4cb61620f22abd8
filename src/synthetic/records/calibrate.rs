//! Moves the bureau's scores until the total is right, as the scoring room reckons it.

use super::{
    draw::{Draw, Drawn, History},
    measures_of,
    targets::Target,
};
use crate::{
    scoring::{Catalogue, Decimal, Fact, Indicator, Points, ScoreForm, ValueForm, points_of_value, total},
    synthetic::stream::Stream,
};

/// How often figures are drawn anew before a target counts as out of reach.
const ATTEMPTS: i64 = 60;

/// From this attempt on any total of the target's grade will do: what happened in former half-years may not allow more.
const ANY_TOTAL_FROM: i64 = 40;

/// Scores stay above this share of the greatest, in thousandths, as long as figures can be found that allow it.
const LEAST_SCORE: i64 = 350;

/// An indicator that takes a score as it is: a measure with a greatest value.
struct Knob<'a> {
    indicator: &'a Indicator,
    measure: &'a str,
    most: i64,
    /// Its score as a share of the greatest, in thousandths.
    share: i64,
}

impl Knob<'_> {
    fn score(&self) -> Decimal {
        Decimal(self.most / 1000 * self.share)
    }

    fn points(&self) -> i64 {
        points_of_value(self.indicator, self.score()).0
    }
}

/// Figures whose total meets the target; `None` where none were found.
pub(super) fn find(draw: &Draw<'_>, history: &History) -> Option<Drawn> {
    let mut target = draw.target;
    let model = draw.plan.model;
    let all = model.file().total.0.max(1);
    let mut loss = (all - target.points.0) * 10_000 / all;
    for attempt in 0..ATTEMPTS {
        let (period, nth) = (draw.period.to_string(), attempt.to_string());
        let mut stream = Stream::of(draw.plan.seed, &["figures", &draw.subject.code, &period, &nth]);
        let least = if attempt < ATTEMPTS / 2 { LEAST_SCORE } else { 0 };
        let mut drawn = draw.figures(history, loss, &mut stream);
        let figures = drawn.all.len();
        let mut knobs = knobs(draw, 1000 - loss / 10, least, &mut stream);
        write_scores(draw, &knobs, None, &mut drawn.all);
        let others = total(model, &measures_of(draw, history, &drawn.all)?).0 - sum(&knobs);
        if attempt >= ANY_TOTAL_FROM {
            let (lowest, highest) = range(least, &knobs);
            let reachable = draw.target.points.0.clamp(others + lowest, others + highest);
            target = Target { points: Points(reachable), exact: false, ..draw.target };
        }
        match meet(target, target.points.0 - others, least, &mut knobs) {
            Ok(fine) => {
                drawn.all.truncate(figures);
                write_scores(draw, &knobs, fine, &mut drawn.all);
                let reached = total(model, &measures_of(draw, history, &drawn.all)?);
                let within = (target.least.0..=target.most.0).contains(&reached.0);
                if within && (!target.exact || reached.0 == target.points.0) {
                    return Some(drawn);
                }
            }
            // Too many points even with the least scores: lose more elsewhere; or the reverse.
            Err(over) => loss = (loss + over * 10_000 / all).clamp(0, 10_000),
        }
    }
    None
}

fn sum(knobs: &[Knob<'_>]) -> i64 {
    knobs.iter().map(Knob::points).sum()
}

/// The score that an indicator takes as it is, if it takes one: a measure with a greatest value.
pub(super) fn knob_of<'m>(indicator: &'m Indicator, catalogue: &Catalogue) -> Option<&'m str> {
    let ValueForm::Measure(id) = &indicator.value else { return None };
    let takes_scores = matches!(indicator.score, ScoreForm::PassThrough { .. } | ScoreForm::Linear { .. });
    let most = catalogue.measure(id)?.most?.0;
    (takes_scores && most >= 1000).then_some(id)
}

/// The indicators whose value is one score with a greatest value, each set near a share of it, in thousandths.
fn knobs<'a>(draw: &Draw<'a>, near: i64, least: i64, stream: &mut Stream) -> Vec<Knob<'a>> {
    let catalogue = draw.plan.catalogue;
    let knob = |indicator: &'a Indicator| {
        let measure = knob_of(indicator, catalogue)?;
        Some(Knob { indicator, measure, most: catalogue.measure(measure)?.most?.0, share: 0 })
    };
    let mut knobs: Vec<Knob<'a>> = draw.plan.model.indicators().filter_map(|placed| knob(placed.indicator)).collect();
    for knob in &mut knobs {
        knob.share = (near + stream.between(-80, 80)).clamp(least, 1000);
    }
    knobs
}

/// The least and the most points that all scores together can give. They keep the shares they have.
fn range(least: i64, knobs: &[Knob<'_>]) -> (i64, i64) {
    let all_at = |share: i64| {
        let sum = knobs.iter().map(|knob| points_of_value(knob.indicator, Decimal(knob.most / 1000 * share)).0);
        sum.sum::<i64>()
    };
    (all_at(least), all_at(1000))
}

/// Moves all scores alike until they give as many of the needed points as they can without giving more; for an exact
/// target one of them is then set finely. Otherwise tells how many points too many (or, negative, too few) there are.
fn meet(target: Target, needed: i64, least: i64, knobs: &mut [Knob<'_>]) -> Result<Option<Fine>, i64> {
    let drawn: Vec<i64> = knobs.iter().map(|knob| knob.share).collect();
    let moved_by = |knobs: &mut [Knob<'_>], by: i64| {
        for (knob, share) in knobs.iter_mut().zip(&drawn) {
            knob.share = (share + by).clamp(least, 1000);
        }
        sum(knobs)
    };
    let (lowest, highest) = range(least, knobs);
    if needed < lowest {
        return Err(lowest - needed);
    }
    if needed > highest {
        return Err(highest - needed);
    }
    let (mut under, mut over) = (-1000, 1001);
    while over - under > 1 {
        let middle = under + (over - under) / 2;
        if moved_by(knobs, middle) <= needed { under = middle } else { over = middle }
    }
    let left = needed - moved_by(knobs, under);
    // What is left of a target just above its grade's bound would otherwise drop it into the grade below.
    let below = target.points.0 - left < target.least.0;
    Ok(if left > 0 && (target.exact || below) { fine(knobs, left) } else { None })
}

/// One score set finer than the others.
#[derive(Clone, Copy)]
struct Fine {
    at: usize,
    score: Decimal,
}

/// The heaviest score with room above it, raised to give `left` more points, or as many as it can.
fn fine(knobs: &[Knob<'_>], left: i64) -> Option<Fine> {
    let room = knobs.iter().enumerate().filter(|(_, knob)| knob.share < 1000);
    let (at, knob) = room.max_by_key(|(at, knob)| (knob.indicator.weight, std::cmp::Reverse(*at)))?;
    let wanted = knob.points() + left;
    let (mut under, mut over) = (knob.score().0, knob.most + 1);
    while over - under > 1 {
        let middle = under + (over - under) / 2;
        if points_of_value(knob.indicator, Decimal(middle)).0 <= wanted { under = middle } else { over = middle }
    }
    // The least score that gives these points, so that it has as few decimals as can be.
    let reached = points_of_value(knob.indicator, Decimal(under));
    let mut low = knob.score().0;
    while low < under {
        let middle = low + (under - low) / 2;
        if points_of_value(knob.indicator, Decimal(middle)) < reached { low = middle + 1 } else { under = middle }
    }
    Some(Fine { at, score: Decimal(under) })
}

fn write_scores(draw: &Draw<'_>, knobs: &[Knob<'_>], fine: Option<Fine>, facts: &mut Vec<Fact>) {
    let end = draw.period.last_month().last_day();
    for (at, knob) in knobs.iter().enumerate() {
        let score = fine.filter(|fine| fine.at == at).map_or_else(|| knob.score(), |fine| fine.score);
        facts.extend(draw.fact(facts, knob.measure, score, end));
    }
}
