//! The charts of a report, as SVG inside the page, each with a title for screen readers. A table beside each chart has the
//! same figures.

use svg::node::element::Group;

use super::drawing::{Area, WIDTH, chart, fitted, part, shade, text, width};
use crate::{
    grading::{Column, MovementTable, Share, Table},
    i18n::{Lang, number, report as words},
};

/// The widest column of labels, as a part of the chart.
const WIDEST_LABELS: u64 = WIDTH / 3;

/// The width of a column that holds the longest of some labels, within bounds.
fn label_width<'a>(labels: impl Iterator<Item = &'a str>, least: u64) -> u64 {
    let longest = labels.map(|label| width(label, 14)).max().unwrap_or(0);
    (longest + 16).clamp(least, WIDEST_LABELS)
}

/// A bar chart with a bar for each grade.
pub(super) fn distribution(grades: &[(Column, Share)], title: &str, lang: Lang) -> String {
    const ROW: u64 = 42;
    const NUMBERS: u64 = 160;
    let names = label_width(grades.iter().map(|(column, _)| column.name_zh.as_str()), 84);
    let codes = label_width(grades.iter().map(|(column, _)| column.code.as_str()), 84);
    let labels = (names + codes).min(WIDTH / 2);
    let length = WIDTH - NUMBERS - labels;
    let most = grades.iter().filter_map(|(_, share)| share.count).max().unwrap_or(0);
    let height = ROW * u64::try_from(grades.len()).unwrap_or(0);
    let mut drawn = chart("chart-distribution", title, height.max(1));
    for (at, (column, share)) in grades.iter().enumerate() {
        let y = ROW * u64::try_from(at).unwrap_or(0);
        let row = Group::new()
            .add(fitted(0, y + 21, "strong", &column.name_zh, names - 8, 2))
            .add(fitted(names, y + 21, "small", &column.code, (labels - names).saturating_sub(8), 2))
            .add(Area::new(labels, y + 8, length, 26).bar("rail"));
        let end = labels + length + 12;
        drawn = drawn.add(match share.count {
            Some(count) => {
                let bar = part(length, count, most);
                let label = match &share.percent {
                    Some(percent) => format!("{}　{percent}%", number(count)),
                    None => number(count),
                };
                row.add(Area::new(labels, y + 8, bar, 26).bar(&format!("g{}", shade(at, grades.len())))).add(text(
                    end,
                    y + 26,
                    "",
                    &label,
                ))
            }
            None => row.add(Area::new(labels, y + 8, length, 26).bar("hidden")).add(text(
                end,
                y + 26,
                "small",
                words::not_published(lang),
            )),
        });
    }
    drawn.to_string()
}

/// A stacked bar for each row of a table, divided by grades; withheld counts are one part without a shade.
pub(super) fn divided(table: &Table, id: &str, title: &str) -> String {
    const ROW: u64 = 32;
    const TOTALS: u64 = 80;
    let labels = label_width(table.rows.iter().map(|row| row.name_zh.as_str()), 110);
    let length = WIDTH - TOTALS - labels;
    let (legend, top) = legend(&table.columns);
    let height = top + ROW * u64::try_from(table.rows.len()).unwrap_or(0);
    let mut drawn = chart(id, title, height).add(legend);
    for (at, row) in table.rows.iter().enumerate() {
        let y = top + ROW * u64::try_from(at).unwrap_or(0);
        let mut group = Group::new().add(fitted(0, y + 14, "", &row.name_zh, labels - 8, 1));
        let Some(total) = row.total.filter(|total| *total > 0) else {
            drawn = drawn.add(group.add(Area::new(labels, y + 4, length, 22).bar("hidden")));
            continue;
        };
        let (mut before, mut shown) = (0, 0);
        for (place, share) in row.cells.iter().enumerate() {
            let Some(count) = share.count.filter(|count| *count > 0) else { continue };
            shown += count;
            let (x, end) = (part(length, before, total), part(length, before + count, total));
            before += count;
            let class = class_of(place, table.columns.len());
            group = group.add(Area::new(labels + x, y + 4, end - x, 22).bar(&class));
            let label = number(count);
            // In a narrower part the number would run over the next one.
            if end - x >= width(&label, 12) + 8 {
                let tone = if matches!(class.as_str(), "g2" | "g3") { "inside dark mid" } else { "inside mid" };
                group = group.add(text(labels + x.midpoint(end), y + 19, tone, &label));
            }
        }
        if shown < total {
            let x = part(length, before, total);
            group = group.add(Area::new(labels + x, y + 4, length - x, 22).bar("hidden"));
        }
        drawn = drawn.add(group.add(text(WIDTH, y + 19, "small end", &number(total))));
    }
    drawn.to_string()
}

/// The CSS class of a column; the last column is not rated.
fn class_of(place: usize, columns: usize) -> String {
    if place + 1 == columns { "g5".to_owned() } else { format!("g{}", shade(place, columns - 1)) }
}

/// The legend of the columns, in as many lines as it needs, and its height.
fn legend(columns: &[Column]) -> (Group, u64) {
    const LINE: u64 = 22;
    const SQUARE: u64 = 20;
    let (mut group, mut x, mut y) = (Group::new(), 0, 6);
    for (at, column) in columns.iter().enumerate() {
        let name = width(&column.name_zh, 12).min(WIDTH - SQUARE);
        if x > 0 && x + SQUARE + name > WIDTH {
            (x, y) = (0, y + LINE);
        }
        group = group.add(Area::new(x, y, 14, 14).bar(&class_of(at, columns.len()))).add(fitted(
            x + SQUARE,
            y + 7,
            "small",
            &column.name_zh,
            name,
            1,
        ));
        x += SQUARE + name + 24;
    }
    (group, y + LINE + 6)
}

/// A heat map of movement: darker where more subjects moved, blue for rises and red for falls.
pub(super) fn movement(of: &MovementTable, title: &str, lang: Lang) -> String {
    const ROW: u64 = 44;
    let labels = label_width(of.rows.iter().map(|row| row.name_zh.as_str()), 130);
    let columns = u64::try_from(of.columns.len()).unwrap_or(1).max(1);
    let cell = (WIDTH - labels) / columns;
    let height = ROW * (u64::try_from(of.rows.len()).unwrap_or(0) + 1) + 8;
    let most = of.counts.iter().flatten().filter_map(|count| *count).max().unwrap_or(0);
    let mut drawn =
        chart("chart-movement", title, height).add(text(0, 26, "small", words::before_down_now_right(lang)));
    for (at, column) in of.columns.iter().enumerate() {
        let x = labels + cell * u64::try_from(at).unwrap_or(0) + cell / 2;
        drawn = drawn.add(fitted(x, 21, "strong mid", &column.name_zh, cell.saturating_sub(6), 2));
    }
    for (row, (column, counts)) in of.rows.iter().zip(&of.counts).enumerate() {
        let y = ROW * (u64::try_from(row).unwrap_or(0) + 1);
        drawn = drawn.add(fitted(0, y + 21, "strong", &column.name_zh, labels - 8, 2));
        for (at, count) in counts.iter().enumerate() {
            let x = labels + cell * u64::try_from(at).unwrap_or(0);
            drawn = drawn.add(square(Area::new(x, y, cell, ROW), *count, direction(of, row, at), most));
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
    Group::new().add(inner.bar(&format!("{direction} w{weight}"))).add(label(tone, &number(count)))
}
