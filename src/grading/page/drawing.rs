//! The elements of charts: SVG with integer coordinates, styled by the page, and texts that are fitted into their space.

use svg::{
    Document,
    node::element::{Group, Rectangle, Text, Title},
};

/// The width of every chart, in its own units.
pub(super) const WIDTH: u64 = 900;
/// The number of shades that the grades of a scheme share; not rated has one of its own.
const SHADES: usize = 5;
/// The height of a line of a fitted text.
const LINE: u64 = 16;

/// An empty chart with its title.
pub(super) fn chart(id: &str, title: &str, height: u64) -> Document {
    Document::new()
        .set("viewBox", format!("0 0 {WIDTH} {height}"))
        .set("role", "img")
        .set("aria-labelledby", id)
        .add(Title::new(title).set("id", id))
}

pub(super) fn text(x: u64, y: u64, class: &str, content: &str) -> Text {
    Text::new(content).set("x", x).set("y", y).set("class", class)
}

/// A rectangle in a chart.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) width: u64,
    pub(super) height: u64,
}

impl Area {
    pub(super) const fn new(x: u64, y: u64, width: u64, height: u64) -> Self {
        Self { x, y, width, height }
    }

    /// Draws the rectangle.
    pub(super) fn bar(self, class: &str) -> Rectangle {
        let Self { x, y, width, height } = self;
        Rectangle::new().set("x", x).set("y", y).set("width", width).set("height", height).set("class", class)
    }
}

/// The shade of a grade by its position, best first.
pub(super) const fn shade(at: usize, of: usize) -> usize {
    if of > 1 { at * (SHADES - 1) / (of - 1) } else { 0 }
}

/// The part of a length that is in proportion to one number of another.
pub(super) fn part(length: u64, number: u64, of: u64) -> u64 {
    // Integers, so that the same report is the same file; 128 bits, because the product may not fit into 64.
    u64::try_from(u128::from(length) * u128::from(number) / u128::from(of.max(1))).unwrap_or(0)
}

/// The width of a character in the font of the charts: an em for Chinese characters, and about three fifths for others.
fn width_of(c: char, size: u64) -> u64 {
    if u32::from(c) >= 0x2E80 { size } else { (size * 3).div_ceil(5) }
}

/// The width of a text in a font size.
pub(super) fn width(text: &str, size: u64) -> u64 {
    text.chars().map(|c| width_of(c, size)).sum()
}

/// A text in at most `lines` lines that are not wider than `most`; what does not fit is replaced by an ellipsis.
pub(super) fn fit(text: &str, size: u64, most: u64, lines: usize) -> Vec<String> {
    let mut fitted = vec![String::new()];
    for c in text.chars() {
        let count = fitted.len();
        let Some(line) = fitted.last_mut() else { break };
        if width(line, size) + width_of(c, size) <= most || line.is_empty() {
            line.push(c);
        } else if count < lines {
            // A line is broken at its last space, unless that leaves two thirds of it empty.
            let at = line.rfind(' ').filter(|at| at * 3 > line.len() && c != ' ');
            let rest = at.map(|at| line.split_off(at).trim_start().to_owned()).unwrap_or_default();
            fitted.push(format!("{rest}{c}").trim_start().to_owned());
        } else {
            while width(line, size) + width_of('…', size) > most && line.pop().is_some() {}
            line.push('…');
            break;
        }
    }
    fitted
}

/// A text in lines around the height `middle`. A text that was shortened is shown in full where the pointer rests.
pub(super) fn fitted(x: u64, middle: u64, class: &str, content: &str, most: u64, lines: usize) -> Group {
    // The size of texts without a smaller class, see the style sheet.
    let size = if class.split(' ').any(|one| one == "small") { 12 } else { 14 };
    let fitted = fit(content, size, most, lines);
    let count = u64::try_from(fitted.len()).unwrap_or(1);
    let first = (middle + 5).saturating_sub((count.saturating_sub(1)) * LINE / 2);
    let mut group = Group::new();
    if fitted.last().is_some_and(|last| last.ends_with('…')) {
        group = group.add(Title::new(content));
    }
    for (y, line) in (0..).map(|at| first + at * LINE).zip(&fitted) {
        group = group.add(text(x, y, class, line));
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_and_shortened_to_their_space() {
        assert_eq!(fit("较好", 14, 60, 2), ["较好"]);
        assert_eq!(fit("医保信用评价等级为较好", 14, 84, 2), ["医保信用评价", "等级为较好"]);
        assert_eq!(fit("医保信用评价等级为较好的主体", 14, 70, 2), ["医保信用评", "价等级为…"]);
        assert_eq!(fit("needs improvement", 14, 100, 2), ["needs", "improvement"]);
        for text in ["a", "一二三四五六七八九十", "no space in thisverylongword"] {
            assert!(fit(text, 14, 50, 3).iter().all(|line| width(line, 14) <= 50), "{text}");
        }
    }
}
