//! The report of a round as an HTML page and as CSV.
//!
//! The page is one self-contained file: no script, no image, no external font, and a content security policy that forbids
//! them. It can be printed and read by screen readers: charts have titles, and tables beside them have the same figures.

mod charts;
mod rows;

use std::fmt::{Arguments, Write};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;

pub use rows::{comparison_rows, report_rows};

use super::{Column, MovementTable, RoundReport, Share, Table};
use crate::domain::html::escape;

const STYLE: &str = include_str!("style.css");

/// The mark in place of a withheld count.
const WITHHELD: &str = "＊";

/// A page under construction.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Adds a line.
    fn add(&mut self, line: Arguments<'_>) {
        // Infallible: writing to a String.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }
}

macro_rules! add {
    ($page:expr, $($line:tt)*) => { $page.add(format_args!($($line)*)) };
}

/// A half-year in Chinese.
fn period_zh(period: &str) -> String {
    match period.split_once("-H") {
        Some((year, "1")) => format!("{year}年上半年"),
        Some((year, _)) => format!("{year}年下半年"),
        None => period.to_owned(),
    }
}

/// A state in Chinese.
fn state_zh(state: &str) -> &str {
    match state {
        "trial" => "试评",
        "preassessment" => "预评定",
        "published" => "已发布",
        "superseded" => "已被后一期取代",
        other => other,
    }
}

/// A count, or the mark of one that is withheld.
fn count(of: Option<u64>) -> String {
    of.map_or_else(|| WITHHELD.to_owned(), |count| count.to_string())
}

/// A share, or the mark of one that is withheld.
fn percent(of: Option<&String>) -> String {
    of.map_or_else(|| WITHHELD.to_owned(), |percent| format!("{percent}%"))
}

/// The report of a round as an HTML page.
pub fn report_page(report: &RoundReport) -> String {
    let mut page = Page::default();
    head(&mut page, report);
    figures(&mut page, report);
    add!(page, "<section><h2>等级分布 <span lang=\"en\">Distribution of grades</span></h2>");
    let title = format!("{}{}各等级数量", report.kind_zh, period_zh(&report.period));
    add!(page, "<figure>{}</figure>", charts::distribution(&report.grades, &title));
    if !report.not_rated.is_empty() {
        reasons(&mut page, &report.not_rated);
    }
    add!(page, "</section>");
    if let Some(movement) = &report.movement {
        moved(&mut page, movement);
    }
    table(&mut page, &report.by_region, &BY_REGION);
    table(&mut page, &report.by_level, &BY_LEVEL);
    kinds(&mut page, report);
    measures(&mut page, report);
    foot(&mut page, report);
    page.0
}

fn head(page: &mut Page, report: &RoundReport) {
    // The policy allows this style sheet by its digest and nothing else: markup in a name could run no script.
    let style = BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    let title = format!("{}医保信用评级报告 {}", report.kind_zh, period_zh(&report.period));
    add!(page, "<!DOCTYPE html>\n<html lang=\"zh-CN\">\n<head>\n<meta charset=\"utf-8\">");
    add!(
        page,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">"
    );
    add!(page, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    add!(page, "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"robots\" content=\"noindex\">");
    add!(page, "<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<header>", escape(&title));
    if report.internal {
        add!(page, "<span class=\"mark internal\">内部资料 不得外传</span>");
    } else {
        add!(page, "<span class=\"mark\">可公开</span>");
    }
    add!(
        page,
        "<h1>{}医保信用评级报告 <span lang=\"en\">Credit rating of a round: {}</span></h1>",
        escape(&report.kind_zh),
        escape(&report.kind)
    );
    add!(
        page,
        "<p class=\"lead\">{}　{}　{}（第 {} 版）</p>",
        period_zh(&report.period),
        escape(state_zh(&report.state)),
        escape(&report.scheme_zh),
        report.scheme_version
    );
    if let Some(until) = &report.valid_until {
        add!(
            page,
            "<p class=\"en\">等级有效期至 {} <span lang=\"en\">· grades are valid until this day</span></p>",
            escape(until)
        );
    }
    add!(page, "</header>");
}

fn figures(page: &mut Page, report: &RoundReport) {
    let mut cards = vec![
        ("列入主体", count(report.subjects)),
        ("评定等级", count(report.graded)),
        ("不参评", count(report.subjects.zip(report.graded).map(|(all, graded)| all - graded))),
    ];
    if let Some(movement) = &report.movement {
        cards.push(("等级上升", percent(movement.risen_percent.as_ref())));
        cards.push(("等级下降", percent(movement.fallen_percent.as_ref())));
    }
    if report.corrections > 0 && report.internal {
        cards.push(("发布后更正", report.corrections.to_string()));
    }
    add!(page, "<dl class=\"cards\">");
    for (name, value) in cards {
        add!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    add!(page, "</dl>");
}

fn reasons(page: &mut Page, reasons: &[(Column, Share)]) {
    add!(
        page,
        "<div class=\"scroll\"><table><caption>不参评原因 <span lang=\"en\">Not rated, by reason</span></caption>"
    );
    add!(page, "<thead><tr><th scope=\"col\">原因</th><th scope=\"col\">数量</th></tr></thead><tbody>");
    for (column, share) in reasons {
        add!(page, "<tr><th scope=\"row\">{}</th>{}</tr>", escape(&column.name_zh), cell(share));
    }
    add!(page, "</tbody></table></div>");
}

fn moved(page: &mut Page, movement: &MovementTable) {
    add!(
        page,
        "<section><h2>等级变动 <span lang=\"en\">Movement since {}</span></h2>",
        escape(&movement.before.period)
    );
    add!(
        page,
        "<p>两期均评定等级的主体 {} 家：上升 {}（{}），下降 {}（{}），不变 {}。</p>",
        count(movement.graded_in_both),
        count(movement.risen),
        percent(movement.risen_percent.as_ref()),
        count(movement.fallen),
        percent(movement.fallen_percent.as_ref()),
        count(movement.stayed)
    );
    let title = format!("从{}到本期的等级变动", period_zh(&movement.before.period));
    add!(page, "<figure>{}</figure>", charts::movement(movement, &title));
    add!(
        page,
        "<div class=\"scroll\"><table><caption>上期等级（行）与本期等级（列） <span lang=\"en\">Before in rows, now in columns</span></caption>"
    );
    add!(page, "<thead><tr><th scope=\"col\">上期</th>");
    for column in &movement.columns {
        add!(page, "<th scope=\"col\">{}</th>", escape(&column.name_zh));
    }
    add!(page, "</tr></thead><tbody>");
    for (column, counts) in movement.rows.iter().zip(&movement.counts) {
        let cells: String = counts.iter().map(|count| count_cell(*count)).collect();
        add!(page, "<tr><th scope=\"row\">{}</th>{cells}</tr>", escape(&column.name_zh));
    }
    add!(page, "</tbody></table></div></section>");
}

/// The headings of a table.
struct Headings {
    /// The id of the chart.
    id: &'static str,
    zh: &'static str,
    en: &'static str,
    /// The heading of the first column.
    first_column: &'static str,
}

const BY_REGION: Headings = Headings { id: "region", zh: "按地区分布", en: "By region", first_column: "地区" };
const BY_LEVEL: Headings = Headings { id: "level", zh: "按级别分布", en: "By level", first_column: "级别" };

fn table(page: &mut Page, table: &Table, headings: &Headings) {
    let Headings { id, zh, en, first_column } = headings;
    if table.rows.is_empty() {
        return;
    }
    add!(page, "<section><h2>{zh} <span lang=\"en\">{en}</span></h2>");
    add!(page, "<figure>{}</figure>", charts::divided(table, &format!("chart-{id}"), zh));
    add!(
        page,
        "<div class=\"scroll\"><table><caption>{zh}：数量与占本行的比例</caption><thead><tr><th scope=\"col\">{first_column}</th>"
    );
    for column in &table.columns {
        add!(page, "<th scope=\"col\">{}</th>", escape(&column.name_zh));
    }
    add!(page, "<th scope=\"col\">合计</th></tr></thead><tbody>");
    for row in &table.rows {
        let cells: String = row.cells.iter().map(cell).collect();
        add!(page, "<tr><th scope=\"row\">{}</th>{cells}{}</tr>", escape(&row.name_zh), count_cell(row.total));
    }
    add!(page, "</tbody></table></div></section>");
}

fn kinds(page: &mut Page, report: &RoundReport) {
    if report.kinds.len() < 2 {
        return;
    }
    add!(page, "<section><h2>各类主体 <span lang=\"en\">Kinds of subject in the same half-year</span></h2>");
    add!(
        page,
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">主体类别</th><th scope=\"col\">合计</th><th scope=\"col\">各等级</th><th scope=\"col\">上升</th><th scope=\"col\">下降</th></tr></thead><tbody>"
    );
    for line in &report.kinds {
        let grades: Vec<String> = line
            .columns
            .iter()
            .zip(&line.cells)
            .map(|(column, share)| format!("{} {}", escape(&column.name_zh), count(share.count)))
            .collect();
        let dash = |of: Option<&String>| of.map_or_else(|| "—".to_owned(), |percent| format!("{percent}%"));
        add!(
            page,
            "<tr><th scope=\"row\">{}</th>{}<td class=\"text\">{}</td><td>{}</td><td>{}</td></tr>",
            escape(&line.name_zh),
            count_cell(line.total),
            grades.join("　"),
            dash(line.risen_percent.as_ref()),
            dash(line.fallen_percent.as_ref())
        );
    }
    add!(page, "</tbody></table></div></section>");
}

fn measures(page: &mut Page, report: &RoundReport) {
    if report.measures.is_empty() {
        return;
    }
    add!(page, "<section><h2>分类监管措施 <span lang=\"en\">Supervisory measures by grade</span></h2>");
    add!(
        page,
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">等级</th><th scope=\"col\">措施</th><th scope=\"col\">主体数</th></tr></thead><tbody>"
    );
    for one in &report.measures {
        let grade = report.grades.iter().find(|(column, _)| column.code == one.grade);
        let grade = grade.map_or(one.grade.as_str(), |(column, _)| column.name_zh.as_str());
        let times = if one.after_consecutive > 1 {
            format!("（连续 {} 次）", one.after_consecutive)
        } else {
            String::new()
        };
        add!(
            page,
            "<tr><th scope=\"row\">{}{times}</th><td class=\"text\">{}</td><td>{}</td></tr>",
            escape(grade),
            escape(&one.text_zh),
            one.subjects
        );
    }
    add!(page, "</tbody></table></div></section>");
}

fn foot(page: &mut Page, report: &RoundReport) {
    add!(page, "<section><h2>说明与可验证信息 <span lang=\"en\">Remarks and verification</span></h2>");
    match report.withheld_below {
        Some(below) => add!(
            page,
            "<p class=\"note\">{WITHHELD} 数量少于 {below} 的单元格不予公布，并隐去可据以推算的其他单元格。<span lang=\"en\">Counts from 1 to {} are withheld, with the counts from which they could be computed.</span></p>",
            below - 1
        ),
        None => add!(
            page,
            "<p class=\"note\">本报告未隐去任何单元格，仅供内部使用。<span lang=\"en\">Nothing is withheld. For internal use only.</span></p>"
        ),
    }
    add!(page, "<dl class=\"proof\">");
    for (name, value) in [
        ("评级批次 run", report.run.as_str()),
        ("模型 model", report.model_zh.as_str()),
        ("模型摘要", report.model_digest.as_str()),
        ("输入摘要", report.input_digest.as_str()),
        ("结果摘要", report.outcome_digest.as_str()),
    ] {
        add!(page, "<dt>{name}</dt><dd><code>{}</code></dd>", escape(value));
    }
    add!(page, "</dl></section>");
    add!(page, "<footer>政务信息，供参考。<span lang=\"en\">Government information, for reference.</span></footer>");
    add!(page, "</main>\n</body>\n</html>");
}

/// A table cell with a count and its share.
fn cell(share: &Share) -> String {
    match (share.count, &share.percent) {
        (Some(count), Some(percent)) => format!("<td>{count}<small>{percent}%</small></td>"),
        (count, _) => count_cell(count),
    }
}

/// A table cell with a count.
fn count_cell(count: Option<u64>) -> String {
    match count {
        Some(count) => format!("<td>{count}</td>"),
        None => format!("<td class=\"hidden\"><abbr title=\"不予公布\">{WITHHELD}</abbr></td>"),
    }
}
