//! The charts of a report, as SVG inside the page: whole numbers, no style of their own, each with a title for who cannot
//! see it. What they show stands in a table beside them too.

use svg::{
    Document,
    node::element::{Group, Rectangle, Text, Title},
};

use crate::grading::{Column, MovementTold, Share, Table};

/// How broad every chart is, in its own units.
const BREADTH: u64 = 900;
/// How many shades grades have; the scheme's grades share them, and not rated has one more.
const SHADES: usize = 5;

/// A chart of some height with its title.
fn chart(id: &str, title: &str, height: u64) -> Document {
    Document::new()
        .set("viewBox", format!("0 0 {BREADTH} {height}"))
        .set("role", "img")
        .set("aria-labelledby", id)
        .add(Title::new(title).set("id", id))
}

fn text(x: u64, y: u64, class: &str, content: &str) -> Text {
    Text::new(content).set("x", x).set("y", y).set("class", class)
}

fn bar((x, y): (u64, u64), (width, height): (u64, u64), class: &str) -> Rectangle {
    Rectangle::new().set("x", x).set("y", y).set("width", width).set("height", height).set("class", class)
}

/// The shade of a grade among so many, best first.
fn shade(at: usize, of: usize) -> usize {
    if of > 1 { at * (SHADES - 1) / (of - 1) } else { 0 }
}

/// So much of a length as one number is of another.
fn part(length: u64, number: u64, of: u64) -> u64 {
    u64::try_from(u128::from(length) * u128::from(number) / u128::from(of.max(1))).unwrap_or(0)
}

/// A bar for each grade.
pub(super) fn distribution(grades: &[(Column, Share)], title: &str) -> String {
    const ROW: u64 = 42;
    const LABELS: u64 = 170;
    const LENGTH: u64 = 560;
    let most = grades.iter().filter_map(|(_, share)| share.count).max().unwrap_or(0);
    let height = ROW * u64::try_from(grades.len()).unwrap_or(0);
    let mut drawn = chart("chart-distribution", title, height.max(1));
    for (at, (column, share)) in grades.iter().enumerate() {
        let y = ROW * u64::try_from(at).unwrap_or(0);
        let row = Group::new()
            .add(text(0, y + 26, "strong", &column.name_zh))
            .add(text(84, y + 26, "small", &column.code))
            .add(bar((LABELS, y + 8), (LENGTH, 26), "rail"));
        drawn = drawn.add(match share.count {
            Some(count) => {
                let length = part(LENGTH, count, most);
                let said = match &share.percent {
                    Some(percent) => format!("{count}　{percent}%"),
                    None => count.to_string(),
                };
                row.add(bar((LABELS, y + 8), (length, 26), &format!("g{}", shade(at, grades.len())))).add(text(
                    LABELS + LENGTH + 12,
                    y + 26,
                    "",
                    &said,
                ))
            }
            None => row.add(bar((LABELS, y + 8), (LENGTH, 26), "hidden")).add(text(
                LABELS + LENGTH + 12,
                y + 26,
                "small",
                "不予公布",
            )),
        });
    }
    drawn.to_string()
}

/// A bar for each line of a table, divided by grades; what is withheld is one part without a shade.
pub(super) fn divided(table: &Table, id: &str, title: &str) -> String {
    const ROW: u64 = 32;
    const LABELS: u64 = 110;
    const LENGTH: u64 = 710;
    const LEGEND: u64 = 34;
    let height = LEGEND + ROW * u64::try_from(table.rows.len()).unwrap_or(0);
    let mut drawn = chart(id, title, height).add(legend(&table.columns));
    for (at, row) in table.rows.iter().enumerate() {
        let y = LEGEND + ROW * u64::try_from(at).unwrap_or(0);
        let mut group = Group::new().add(text(0, y + 19, "", &row.name_zh));
        let Some(total) = row.total.filter(|total| *total > 0) else {
            drawn = drawn.add(group.add(bar((LABELS, y + 4), (LENGTH, 22), "hidden")));
            continue;
        };
        let (mut before, mut told) = (0, 0);
        for (place, share) in row.cells.iter().enumerate() {
            let Some(count) = share.count.filter(|count| *count > 0) else { continue };
            told += count;
            let (x, end) = (part(LENGTH, before, total), part(LENGTH, before + count, total));
            before += count;
            let class = class_of(place, table.columns.len());
            group = group.add(bar((LABELS + x, y + 4), (end - x, 22), &class));
            if end - x >= 34 {
                let tone = if matches!(class.as_str(), "g2" | "g3") { "inside dark mid" } else { "inside mid" };
                group = group.add(text(LABELS + x.midpoint(end), y + 19, tone, &count.to_string()));
            }
        }
        if told < total {
            let x = part(LENGTH, before, total);
            group = group.add(bar((LABELS + x, y + 4), (LENGTH - x, 22), "hidden"));
        }
        drawn = drawn.add(group.add(text(BREADTH, y + 19, "small end", &total.to_string())));
    }
    drawn.to_string()
}

/// The class of a column: the last is not rated.
fn class_of(place: usize, columns: usize) -> String {
    if place + 1 == columns { "g5".to_owned() } else { format!("g{}", shade(place, columns - 1)) }
}

fn legend(columns: &[Column]) -> Group {
    let mut group = Group::new();
    let step = 110;
    for (at, column) in columns.iter().enumerate() {
        let x = 110 + step * u64::try_from(at).unwrap_or(0);
        group = group.add(bar((x, 6), (14, 14), &class_of(at, columns.len()))).add(text(
            x + 20,
            18,
            "small",
            &column.name_zh,
        ));
    }
    group
}

/// Who moved, as a field of squares: darker where more did, blue above the diagonal's rise and red for falls.
pub(super) fn movement(of: &MovementTold, title: &str) -> String {
    const LABELS: u64 = 130;
    const ROW: u64 = 44;
    let columns = u64::try_from(of.columns.len()).unwrap_or(1).max(1);
    let width = (BREADTH - LABELS) / columns;
    let height = ROW * (u64::try_from(of.rows.len()).unwrap_or(0) + 1) + 8;
    let most = of.counts.iter().flatten().filter_map(|count| *count).max().unwrap_or(0);
    let mut drawn = chart("chart-movement", title, height).add(text(0, 26, "small", "上期 ↓　本期 →"));
    for (at, column) in of.columns.iter().enumerate() {
        let x = LABELS + width * u64::try_from(at).unwrap_or(0) + width / 2;
        drawn = drawn.add(text(x, 26, "strong mid", &column.name_zh));
    }
    for (row, (column, counts)) in of.rows.iter().zip(&of.counts).enumerate() {
        let y = ROW * (u64::try_from(row).unwrap_or(0) + 1);
        drawn = drawn.add(text(0, y + 26, "strong", &column.name_zh));
        for (at, count) in counts.iter().enumerate() {
            let x = LABELS + width * u64::try_from(at).unwrap_or(0);
            drawn = drawn.add(square((x, y), (width, ROW), *count, (direction(of, row, at), most)));
        }
    }
    drawn.to_string()
}

/// Whether a square is of those who rose, fell, or neither. Only grades rise: the last two places are none.
fn direction(of: &MovementTold, row: usize, column: usize) -> &'static str {
    let grades = of.rows.len().saturating_sub(2);
    if of.rows != of.columns || row >= grades || column >= grades || row == column {
        "same"
    } else if column < row {
        "up"
    } else {
        "down"
    }
}

fn square((x, y): (u64, u64), (width, height): (u64, u64), count: Option<u64>, (class, most): (&str, u64)) -> Group {
    let inner = (width - 4, height - 4);
    let middle = (x + width / 2, y + height / 2 + 5);
    let Some(count) = count else {
        return Group::new().add(bar((x + 2, y + 2), inner, "hidden")).add(text(middle.0, middle.1, "small mid", "＊"));
    };
    if count == 0 {
        return Group::new().add(bar((x + 2, y + 2), inner, "rail")).add(text(middle.0, middle.1, "small mid", "0"));
    }
    // By thirds of the way on a scale of powers, so that a few still show beside many.
    let weight = match part(10_000, count, most) {
        0..50 => 1,
        50..300 => 2,
        300..1_500 => 3,
        1_500..5_000 => 4,
        _ => 5,
    };
    let tone = if weight >= 4 { "inside mid" } else { "mid" };
    Group::new().add(bar((x + 2, y + 2), inner, &format!("{class} w{weight}"))).add(text(
        middle.0,
        middle.1,
        tone,
        &count.to_string(),
    ))
}
