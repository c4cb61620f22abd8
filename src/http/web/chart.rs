//! Charts as SVG with a title and a description. The page shows the same numbers as a table beside it.

use askama::Template;

/// The width of a chart, in its own units; pages scale it.
const WIDTH: u32 = 640;
/// The height of a row of a bar chart.
const ROW: u32 = 28;
/// Where bars begin.
const LEFT: u32 = 170;
/// The room for the number behind a bar.
const RIGHT: u32 = 70;

/// One bar, with its label and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    pub label: String,
    pub value: i64,
    /// The class that colours it: `good`, `bad`, `brand`.
    pub class: &'static str,
}

/// Horizontal bars.
#[derive(Debug, Clone, Template)]
#[template(path = "bars.svg", escape = "html")]
pub struct Bars {
    id: &'static str,
    title: String,
    description: String,
    height: u32,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    bar: Bar,
    y: u32,
    text_y: u32,
    width: i64,
    number_x: i64,
}

impl Bars {
    /// A chart of bars. The id is unique on its page.
    pub fn new(id: &'static str, title: &str, description: &str, bars: Vec<Bar>) -> Self {
        let largest = bars.iter().map(|bar| bar.value).max().unwrap_or(0).max(1);
        let room = i64::from(WIDTH - LEFT - RIGHT);
        let rows = bars.into_iter().zip(0u32..).map(|(bar, nth)| {
            // At least two units, so that one of many is seen.
            let width = if bar.value > 0 { (bar.value.saturating_mul(room) / largest).max(2) } else { 0 };
            let y = nth * ROW + 4;
            Row { y, text_y: y + 15, width, number_x: i64::from(LEFT) + width + 6, bar }
        });
        let rows: Vec<_> = rows.collect();
        let height = u32::try_from(rows.len()).unwrap_or(0) * ROW + 8;
        Self { id, title: title.to_owned(), description: description.to_owned(), height, rows }
    }
}

/// The width of a column chart's drawing.
const COLUMNS: u32 = 600;
/// The height of its columns.
const COLUMN_HEIGHT: i64 = 120;

/// Columns over time, such as calls by hour: two numbers a column, the second on top of the first.
#[derive(Debug, Clone, Template)]
#[template(path = "columns.svg", escape = "html")]
pub struct Columns {
    id: &'static str,
    title: String,
    description: String,
    largest: i64,
    first: String,
    last: String,
    bars: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    x: u32,
    width: u32,
    lower_y: i64,
    lower_height: i64,
    upper_y: i64,
    upper_height: i64,
    title: String,
}

/// What one column shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub label: String,
    pub lower: i64,
    pub upper: i64,
    /// The whole in words.
    pub title: String,
}

impl Columns {
    /// A chart of columns. The id is unique on its page.
    pub fn new(id: &'static str, title: &str, description: &str, pairs: Vec<Pair>) -> Self {
        let largest = pairs.iter().map(|pair| pair.lower + pair.upper).max().unwrap_or(0).max(1);
        let step = COLUMNS / u32::try_from(pairs.len()).unwrap_or(1).max(1);
        let label = |pair: Option<&Pair>| pair.map(|pair| pair.label.clone()).unwrap_or_default();
        let (first, last) = (label(pairs.first()), label(pairs.last()));
        let scaled = |value: i64| {
            if value > 0 { (value.saturating_mul(COLUMN_HEIGHT) / largest).max(1) } else { 0 }
        };
        let columns = pairs.into_iter().zip(0u32..).map(|(pair, nth)| {
            let (lower, upper) = (scaled(pair.lower), scaled(pair.upper));
            Column {
                x: nth * step + 30,
                width: step.saturating_sub(3).max(2),
                lower_y: 16 + COLUMN_HEIGHT - lower,
                lower_height: lower,
                upper_y: 16 + COLUMN_HEIGHT - lower - upper,
                upper_height: upper,
                title: pair.title,
            }
        });
        let bars = columns.collect();
        Self { id, title: title.to_owned(), description: description.to_owned(), largest, first, last, bars }
    }
}
