//! Moves the bureau's scores until the scoring room computes the target's total.

use super::{
    draw::{Draw, Drawn, History},
    fact_sheet::Context,
    knobs::{Knob, score_measure},
    measures_of,
    targets::Target,
};
use crate::{
    scoring::{Decimal, Fact, Indicator, Points, points_of_value, total, unlimited_total},
    synthetic::stream::Stream,
};

/// Attempts to draw figures before a target counts as out of reach.
const ATTEMPTS: i64 = 60;

/// From this attempt on, any total within the target's grade will do: events of earlier half-years may not allow the
/// target itself.
const ANY_TOTAL_FROM: i64 = 40;

/// Least score in the first half of the attempts, as a share of the greatest in thousandths.
const LEAST_SCORE: i64 = 350;

/// Draws figures whose total meets the target; `None` if none are found.
pub(super) fn find(draw: &Draw<'_>, history: &History) -> Option<Drawn> {
    let Context { plan, subject, period, target: wanted, .. } = draw.context;
    let mut target = wanted;
    let model = plan.model;
    let all = model.file().total.0.max(1);
    let mut loss = (all - target.points.0) * 10_000 / all;
    // How many times the usual chances faults have: figures alone may not lose enough points.
    let mut faults = 1;
    for attempt in 0..ATTEMPTS {
        let words = ["figures", &subject.code, &period.to_string(), &attempt.to_string()];
        let mut stream = Stream::of(plan.seed, &words);
        let least = if attempt < ATTEMPTS / 2 { LEAST_SCORE } else { 0 };
        let mut drawn = draw.figures(history, loss, faults, &mut stream);
        let figures = drawn.all.len();
        let mut knobs = knobs(draw.context, 1000 - loss / 10, least, &mut stream);
        write_scores(draw.context, &knobs, None, &mut drawn.all);
        // Before limits: a total that a cap holds down says nothing about what the scores add to it.
        let all_points = unlimited_total(model, &measures_of(draw.context, history.facts(), &drawn.all)?);
        let others = all_points.0 - sum(&knobs);
        if attempt >= ANY_TOTAL_FROM {
            let (lowest, highest) = range(least, &knobs);
            let reachable = wanted.points.0.clamp(others + lowest, others + highest);
            target = Target { points: Points(reachable), exact: false, ..wanted };
        }
        match meet(target, target.points.0 - others, least, &mut knobs) {
            Ok(fine) => {
                // The scores of this attempt are replaced by the tuned ones.
                drawn.all.truncate(figures);
                write_scores(draw.context, &knobs, fine, &mut drawn.all);
                let reached = total(model, &measures_of(draw.context, history.facts(), &drawn.all)?);
                let within = (target.least.0..=target.most.0).contains(&reached.0);
                if within && (!target.exact || reached.0 == target.points.0) {
                    return Some(drawn);
                }
            }
            // Too many points even with the least scores: lose more elsewhere; or the reverse.
            Err(over) => {
                if over > 0 && loss == 10_000 {
                    faults += 1;
                }
                loss = (loss + over * 10_000 / all).clamp(0, 10_000);
            }
        }
    }
    None
}

fn sum(knobs: &[Knob<'_>]) -> i64 {
    knobs.iter().map(Knob::points).sum()
}

/// All knobs, each set near a share of its greatest score, in thousandths.
fn knobs<'a>(context: Context<'a>, near: i64, least: i64, stream: &mut Stream) -> Vec<Knob<'a>> {
    let catalogue = context.plan.catalogue;
    let knob = |indicator: &'a Indicator| {
        let measure = score_measure(indicator, catalogue)?;
        Some(Knob { indicator, measure, most: catalogue.measure(measure)?.most?.0, share: 0 })
    };
    let mut knobs: Vec<Knob<'a>> =
        context.plan.model.indicators().filter_map(|placed| knob(placed.indicator)).collect();
    for knob in &mut knobs {
        knob.share = (near + stream.between(-80, 80)).clamp(least, 1000);
    }
    knobs
}

/// The least and the most points that all scores together can give.
fn range(least: i64, knobs: &[Knob<'_>]) -> (i64, i64) {
    let all_at = |share: i64| {
        let sum = knobs.iter().map(|knob| points_of_value(knob.indicator, Decimal(knob.most / 1000 * share)).0);
        sum.sum::<i64>()
    };
    (all_at(least), all_at(1000))
}

/// Moves all scores by the same share until they give the needed points or a little less; for an exact target, one of
/// them is then adjusted more finely. The error is the number of points that is too many or, if negative, too few.
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
    // The points grow with the move, so halving finds the largest move that does not exceed them.
    let (mut under, mut over) = (-1000, 1001);
    while over - under > 1 {
        let middle = under + (over - under) / 2;
        if moved_by(knobs, middle) <= needed { under = middle } else { over = middle }
    }
    let left = needed - moved_by(knobs, under);
    // Without the rest, a target just above the bound of its grade would fall into the grade below.
    let below = target.points.0 - left < target.least.0;
    Ok(if left > 0 && (target.exact || below) { fine(knobs, left) } else { None })
}

/// One score that is adjusted more finely than the others.
#[derive(Clone, Copy)]
struct Fine {
    at: usize,
    score: Decimal,
}

/// Raises the heaviest score that is not at its greatest by `left` points, or as many as possible.
fn fine(knobs: &[Knob<'_>], left: i64) -> Option<Fine> {
    let room = knobs.iter().enumerate().filter(|(_, knob)| knob.share < 1000);
    // The heaviest indicator, and of equal ones the first: `max_by_key` alone takes the last.
    let (at, knob) = room.max_by_key(|(at, knob)| (knob.indicator.weight, std::cmp::Reverse(*at)))?;
    let wanted = knob.points() + left;
    let (mut under, mut over) = (knob.score().0, knob.most + 1);
    while over - under > 1 {
        let middle = under + (over - under) / 2;
        if points_of_value(knob.indicator, Decimal(middle)).0 <= wanted { under = middle } else { over = middle }
    }
    // The least score that gives these points has the fewest decimals.
    let reached = points_of_value(knob.indicator, Decimal(under));
    let mut low = knob.score().0;
    while low < under {
        let middle = low + (under - low) / 2;
        if points_of_value(knob.indicator, Decimal(middle)) < reached { low = middle + 1 } else { under = middle }
    }
    Some(Fine { at, score: Decimal(under) })
}

fn write_scores(context: Context<'_>, knobs: &[Knob<'_>], fine: Option<Fine>, facts: &mut Vec<Fact>) {
    let end = context.period.last_month().last_day();
    for (at, knob) in knobs.iter().enumerate() {
        let score = fine.filter(|fine| fine.at == at).map_or_else(|| knob.score(), |fine| fine.score);
        facts.extend(context.fact(facts, knob.measure, score, end));
    }
}
