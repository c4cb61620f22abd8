//! The charts of a report, as SVG inside the page: integer coordinates, styled by the page, each with a title for screen
//! readers. A table beside each chart has the same figures.

use svg::{
    Document,
    node::element::{Group, Rectangle, Text, Title},
};

use crate::grading::{Column, MovementTable, Share, Table};

/// The width of every chart, in its own units.
const WIDTH: u64 = 900;
/// The number of shades that the grades of a scheme share; not rated has one of its own.
const SHADES: usize = 5;

/// An empty chart with its title.
fn chart(id: &str, title: &str, height: u64) -> Document {
    Document::new()
        .set("viewBox", format!("0 0 {WIDTH} {height}"))
        .set("role", "img")
        .set("aria-labelledby", id)
        .add(Title::new(title).set("id", id))
}

fn text(x: u64, y: u64, class: &str, content: &str) -> Text {
    Text::new(content).set("x", x).set("y", y).set("class", class)
}

/// A rectangle in a chart.
#[derive(Clone, Copy)]
struct Area {
    x: u64,
    y: u64,
    width: u64,
    height: u64,
}

impl Area {
    const fn new(x: u64, y: u64, width: u64, height: u64) -> Self {
        Self { x, y, width, height }
    }

    /// Draws the rectangle.
    fn bar(self, class: &str) -> Rectangle {
        let Self { x, y, width, height } = self;
        Rectangle::new().set("x", x).set("y", y).set("width", width).set("height", height).set("class", class)
    }
}

/// The shade of a grade by its position, best first.
fn shade(at: usize, of: usize) -> usize {
    if of > 1 { at * (SHADES - 1) / (of - 1) } else { 0 }
}

/// The part of a length that is in proportion to one number of another.
fn part(length: u64, number: u64, of: u64) -> u64 {
    // Integers, so that the same report is the same file; 128 bits, because the product may not fit into 64.
    u64::try_from(u128::from(length) * u128::from(number) / u128::from(of.max(1))).unwrap_or(0)
}

/// A bar chart with a bar for each grade.
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
            .add(Area::new(LABELS, y + 8, LENGTH, 26).bar("rail"));
        drawn =
            drawn.add(match share.count {
                Some(count) => {
                    let length = part(LENGTH, count, most);
                    let label = match &share.percent {
                        Some(percent) => format!("{count}　{percent}%"),
                        None => count.to_string(),
                    };
                    row.add(Area::new(LABELS, y + 8, length, 26).bar(&format!("g{}", shade(at, grades.len()))))
                        .add(text(LABELS + LENGTH + 12, y + 26, "", &label))
                }
                None => row.add(Area::new(LABELS, y + 8, LENGTH, 26).bar("hidden")).add(text(
                    LABELS + LENGTH + 12,
                    y + 26,
                    "small",
                    "不予公布",
                )),
            });
    }
    drawn.to_string()
}

/// A stacked bar for each row of a table, divided by grades; withheld counts are one part without a shade.
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
            drawn = drawn.add(group.add(Area::new(LABELS, y + 4, LENGTH, 22).bar("hidden")));
            continue;
        };
        let (mut before, mut shown) = (0, 0);
        for (place, share) in row.cells.iter().enumerate() {
            let Some(count) = share.count.filter(|count| *count > 0) else { continue };
            shown += count;
            let (x, end) = (part(LENGTH, before, total), part(LENGTH, before + count, total));
            before += count;
            let class = class_of(place, table.columns.len());
            group = group.add(Area::new(LABELS + x, y + 4, end - x, 22).bar(&class));
            // Narrower than this the number would run over the next part.
            if end - x >= 34 {
                let tone = if matches!(class.as_str(), "g2" | "g3") { "inside dark mid" } else { "inside mid" };
                group = group.add(text(LABELS + x.midpoint(end), y + 19, tone, &count.to_string()));
            }
        }
        if shown < total {
            let x = part(LENGTH, before, total);
            group = group.add(Area::new(LABELS + x, y + 4, LENGTH - x, 22).bar("hidden"));
        }
        drawn = drawn.add(group.add(text(WIDTH, y + 19, "small end", &total.to_string())));
    }
    drawn.to_string()
}

/// The CSS class of a column; the last column is not rated.
fn class_of(place: usize, columns: usize) -> String {
    if place + 1 == columns { "g5".to_owned() } else { format!("g{}", shade(place, columns - 1)) }
}

fn legend(columns: &[Column]) -> Group {
    let mut group = Group::new();
    let step = 110;
    for (at, column) in columns.iter().enumerate() {
        let x = 110 + step * u64::try_from(at).unwrap_or(0);
        group = group.add(Area::new(x, 6, 14, 14).bar(&class_of(at, columns.len()))).add(text(
            x + 20,
            18,
            "small",
            &column.name_zh,
        ));
    }
    group
}

/// A heat map of movement: darker where more subjects moved, blue for rises and red for falls.
pub(super) fn movement(of: &MovementTable, title: &str) -> String {
    const LABELS: u64 = 130;
    const ROW: u64 = 44;
    let columns = u64::try_from(of.columns.len()).unwrap_or(1).max(1);
    let width = (WIDTH - LABELS) / columns;
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
            drawn = drawn.add(square(Area::new(x, y, width, ROW), *count, direction(of, row, at), most));
        }
    }
    drawn.to_string()
}

/// The CSS class of a square: risen, fallen or neither. The last two rows and columns are no grades.
fn direction(of: &MovementTable, row: usize, column: usize) -> &'static str {
    let grades = of.rows.len().saturating_sub(2);
    if of.rows != of.columns || row >= grades || column >= grades || row == column {
        "same"
    } else if column < row {
        "up"
    } else {
        "down"
    }
}

/// A square of the heat map, with its count.
fn square(area: Area, count: Option<u64>, direction: &str, most: u64) -> Group {
    let Area { x, y, width, height } = area;
    let inner = Area::new(x + 2, y + 2, width - 4, height - 4);
    let label = |class: &str, content: &str| text(x + width / 2, y + height / 2 + 5, class, content);
    let Some(count) = count else {
        return Group::new().add(inner.bar("hidden")).add(label("small mid", "＊"));
    };
    if count == 0 {
        return Group::new().add(inner.bar("rail")).add(label("small mid", "0"));
    }
    // A roughly logarithmic scale, so that small counts remain visible beside large ones.
    let weight = match part(10_000, count, most) {
        0..50 => 1,
        50..300 => 2,
        300..1_500 => 3,
        1_500..5_000 => 4,
        _ => 5,
    };
    let tone = if weight >= 4 { "inside mid" } else { "mid" };
    Group::new().add(inner.bar(&format!("{direction} w{weight}"))).add(label(tone, &count.to_string()))
}
