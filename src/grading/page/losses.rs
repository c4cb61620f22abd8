//! The charts of an explanation: where a subject is on the scale of grades, and where points were lost.

use svg::node::element::{Group, Polygon};

use super::drawing::{Area, WIDTH, chart, fitted, part, shade, text};
use crate::{
    domain::money::MilliPoints,
    i18n::{Lang, number, score as words},
    scoring::{Assessment, Points, Scheme},
};

/// The number of indicators in the chart of losses.
pub(super) const MOST: usize = 12;

/// An indicator with its points.
#[derive(Debug, Clone)]
pub(super) struct Loss {
    pub(super) no: u16,
    pub(super) name: String,
    pub(super) earned: u64,
    pub(super) weight: u64,
}

impl Loss {
    pub(super) const fn lost(&self) -> u64 {
        self.weight.saturating_sub(self.earned)
    }
}

/// Points in thousandths as people write them.
pub(super) fn points(milli: u64) -> String {
    number(MilliPoints(i64::try_from(milli).unwrap_or(i64::MAX)))
}

/// The scale of grades from the worst to the best, each as wide as the others, with the subject's place on it.
pub(super) fn scale(scheme: &Scheme, total: Points, assessment: &Assessment, title: &str) -> String {
    const TOP: u64 = 44;
    let of = scheme.grade.len();
    let step = WIDTH / u64::try_from(of).unwrap_or(1).max(1);
    let mut drawn = chart("chart-scale", title, 130);
    // Best first in the scheme, best last on the scale.
    for (at, grade) in scheme.grade.iter().enumerate() {
        let x = step * u64::try_from(of - 1 - at).unwrap_or(0);
        drawn = drawn.add(Area::new(x, TOP, step - 2, 20).bar(&format!("g{}", shade(at, of))));
        drawn = drawn.add(fitted(x + step / 2, TOP + 54, "mid", &grade.name_zh, step - 8, 2));
        if let Some(from) = grade.from {
            drawn = drawn.add(text(x, TOP + 34, "small", &number(from)));
        }
    }
    let Some(place) = scheme.place(&assessment.grade) else { return drawn.to_string() };
    let x = step * u64::try_from(of - 1 - place).unwrap_or(0);
    let within = match assessment.points {
        Some(points) => {
            // The range of the grade: from its own limit, or zero, up to the limit of the next better one, or the total.
            let from = scheme.grade.get(place).and_then(|grade| grade.from).map_or(0, |from| from.0);
            let better = place.checked_sub(1).and_then(|better| scheme.grade.get(better)).and_then(|grade| grade.from);
            let to = better.unwrap_or(total).0;
            let length = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
            part(step, length(from, points.0).min(length(from, to)), length(from, to))
        }
        None => step / 2,
    };
    let x = (x + within).clamp(8, WIDTH - 8);
    let marker = Polygon::new().set("points", format!("{},{} {},{} {x},{}", x - 8, TOP - 2, x + 8, TOP - 2, TOP + 10));
    drawn = drawn.add(marker.set("class", "marker"));
    if let Some(points) = assessment.points {
        // Beside the marker, on the side with more space.
        let (at, class) = if x > WIDTH / 2 { (x - 12, "strong end") } else { (x + 12, "strong") };
        drawn = drawn.add(text(at, 18, class, &number(points)));
        drawn = drawn.add(Area::new(x, 8, 1, TOP - 10).bar("marker"));
    }
    drawn.to_string()
}

/// A bar for each indicator that lost points: what was earned, and what was lost.
pub(super) fn losses(losses: &[Loss], title: &str, lang: Lang) -> String {
    const ROW: u64 = 40;
    const LABELS: u64 = 300;
    const NUMBERS: u64 = 130;
    const LENGTH: u64 = WIDTH - LABELS - NUMBERS;
    const TOP: u64 = 30;
    let shown = losses.get(..losses.len().min(MOST)).unwrap_or_default();
    let most = shown.iter().map(|loss| loss.weight).max().unwrap_or(0);
    let height = TOP + ROW * u64::try_from(shown.len()).unwrap_or(0);
    let mut drawn = chart("chart-losses", title, height)
        .add(Area::new(LABELS, 4, 14, 14).bar("g1"))
        .add(text(LABELS + 20, 16, "small", words::page_earned(lang)))
        .add(Area::new(LABELS + 90, 4, 14, 14).bar("g4"))
        .add(text(LABELS + 110, 16, "small", words::page_lost_word(lang)));
    for (at, loss) in shown.iter().enumerate() {
        let y = TOP + ROW * u64::try_from(at).unwrap_or(0);
        let (earned, whole) = (part(LENGTH, loss.earned, most), part(LENGTH, loss.weight, most));
        let label = format!("{} {}", loss.no, loss.name);
        drawn = drawn.add(
            Group::new()
                .add(fitted(0, y + 19, "", &label, LABELS - 12, 2))
                .add(Area::new(LABELS, y + 8, earned, 22).bar("g1"))
                .add(Area::new(LABELS + earned, y + 8, whole - earned, 22).bar("g4"))
                .add(text(WIDTH, y + 25, "end", &format!("-{} / {}", points(loss.lost()), points(loss.weight)))),
        );
    }
    drawn.to_string()
}
