//! The report of a round as an HTML page and as CSV.
//!
//! The page is one self-contained file: no script, no image, no external font, and a content security policy that forbids
//! them. It can be printed and read by screen readers: charts have titles, and tables beside them have the same figures.

mod charts;
mod document;
mod drawing;
mod explain;
mod losses;
mod rows;

pub use explain::explained_page;
pub use rows::{comparison_rows, report_rows};

use document::{Page, add};

use super::{
    Column, MovementTable, RoundReport, Share, Table,
    words::{period_in_words, reason_in_words, state_in_words},
};
use crate::{
    domain::html::escape,
    i18n::{Lang, number, report as text},
};

/// The mark in place of a withheld count.
const WITHHELD: &str = "＊";

/// A count, or the mark of one that is withheld.
fn count(of: Option<u64>) -> String {
    of.map_or_else(|| WITHHELD.to_owned(), number)
}

/// A share, or the mark of one that is withheld.
fn percent(of: Option<&String>) -> String {
    of.map_or_else(|| WITHHELD.to_owned(), |percent| format!("{percent}%"))
}

/// A text; a Chinese one with the English one below it, for readers abroad.
fn both(lang: Lang, text: impl Fn(Lang) -> String) -> String {
    match lang {
        Lang::En => escape(&text(Lang::En)),
        Lang::Zh => format!("{} <span lang=\"en\">{}</span>", escape(&text(Lang::Zh)), escape(&text(Lang::En))),
    }
}

/// The same for a text without values.
fn both_plain(lang: Lang, text: fn(Lang) -> &'static str) -> String {
    both(lang, |lang| text(lang).to_owned())
}

/// The kind of subject: its code in English, its name in Chinese.
fn kind_of(report: &RoundReport, lang: Lang) -> &str {
    if lang == Lang::Zh { &report.kind_zh } else { &report.kind }
}

/// The report of a round as an HTML page, in Chinese with English headings, or in English.
pub fn report_page(report: &RoundReport, lang: Lang) -> String {
    let period = |lang| period_in_words(&report.period, lang);
    let title = text::title(lang, kind_of(report, lang), period(lang));
    let mut page = Page::with_head(&title, lang);
    head(&mut page, report, lang);
    figures(&mut page, report, lang);
    add!(page, "<section><h2>{}</h2>", both_plain(lang, text::distribution));
    let title = text::distribution_chart(lang, kind_of(report, lang), period(lang));
    add!(page, "<figure>{}</figure>", charts::distribution(&report.grades, &title, lang));
    if !report.not_rated.is_empty() {
        reasons(&mut page, &report.not_rated, lang);
    }
    add!(page, "</section>");
    if let Some(movement) = &report.movement {
        moved(&mut page, movement, lang);
    }
    table(&mut page, &report.by_region, &BY_REGION, lang);
    table(&mut page, &report.by_level, &BY_LEVEL, lang);
    kinds(&mut page, report, lang);
    measures(&mut page, report, lang);
    corrections(&mut page, report, lang);
    foot(&mut page, report, lang);
    page.finish()
}

fn head(page: &mut Page, report: &RoundReport, lang: Lang) {
    if report.internal {
        add!(page, "<span class=\"mark internal\">{}</span>", text::internal(lang));
    } else {
        add!(page, "<span class=\"mark\">{}</span>", text::public(lang));
    }
    add!(page, "<h1>{}</h1>", both(lang, |lang| text::heading(lang, kind_of(report, lang))));
    let (period, state) = (period_in_words(&report.period, lang), state_in_words(&report.state, lang));
    let lead = text::lead(lang, period, state, &report.scheme_zh, report.scheme_version);
    add!(page, "<p class=\"lead\">{}</p>", escape(&lead));
    if let Some(until) = &report.valid_until {
        add!(page, "<p class=\"en\">{}</p>", both(lang, |lang| text::valid_until(lang, until)));
    }
    add!(page, "</header>");
}

fn figures(page: &mut Page, report: &RoundReport, lang: Lang) {
    let unrated = report.subjects.zip(report.graded).map(|(all, graded)| all - graded);
    let mut cards = vec![
        (text::subjects(lang), count(report.subjects)),
        (text::graded(lang), count(report.graded)),
        (text::not_rated(lang), count(unrated)),
    ];
    if let Some(movement) = &report.movement {
        cards.push((text::risen(lang), percent(movement.risen_percent.as_ref())));
        cards.push((text::fallen(lang), percent(movement.fallen_percent.as_ref())));
    }
    if report.corrections > 0 && report.internal {
        cards.push((text::corrected(lang), number(report.corrections)));
    }
    add!(page, "<dl class=\"cards\">");
    for (name, value) in cards {
        add!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    add!(page, "</dl>");
}

fn reasons(page: &mut Page, reasons: &[(Column, Share)], lang: Lang) {
    add!(page, "<div class=\"scroll\"><table><caption>{}</caption>", both_plain(lang, text::reasons));
    let (reason, number) = (text::reason(lang), text::count(lang));
    add!(page, "<thead><tr><th scope=\"col\">{reason}</th><th scope=\"col\">{number}</th></tr></thead><tbody>");
    for (column, share) in reasons {
        let name = if lang == Lang::Zh { column.name_zh.as_str() } else { reason_in_words(&column.code, lang) };
        add!(page, "<tr><th scope=\"row\">{}</th>{}</tr>", escape(name), cell(share, lang));
    }
    add!(page, "</tbody></table></div>");
}

fn moved(page: &mut Page, movement: &MovementTable, lang: Lang) {
    let before = |lang| period_in_words(&movement.before.period, lang);
    add!(page, "<section><h2>{}</h2>", both(lang, |lang| text::movement(lang, before(lang))));
    let share = |of, part: Option<&String>| text::share_of(lang, count(of), percent(part));
    let words = text::movement_words(
        lang,
        count(movement.graded_in_both),
        share(movement.risen, movement.risen_percent.as_ref()),
        share(movement.fallen, movement.fallen_percent.as_ref()),
        count(movement.stayed),
    );
    add!(page, "<p>{words}</p>");
    let title = text::movement_chart(lang, before(lang));
    add!(page, "<figure>{}</figure>", charts::movement(movement, &title, lang));
    add!(page, "<div class=\"scroll\"><table><caption>{}</caption>", both_plain(lang, text::movement_table));
    add!(page, "<thead><tr><th scope=\"col\">{}</th>", text::before(lang));
    for column in &movement.columns {
        add!(page, "<th scope=\"col\">{}</th>", escape(&column.name_zh));
    }
    add!(page, "</tr></thead><tbody>");
    for (column, counts) in movement.rows.iter().zip(&movement.counts) {
        let cells: String = counts.iter().map(|count| count_cell(*count, lang)).collect();
        add!(page, "<tr><th scope=\"row\">{}</th>{cells}</tr>", escape(&column.name_zh));
    }
    add!(page, "</tbody></table></div></section>");
}

/// The headings of a table.
struct Headings {
    /// The id of the chart.
    id: &'static str,
    heading: fn(Lang) -> &'static str,
    /// The heading of the first column.
    first_column: fn(Lang) -> &'static str,
}

const BY_REGION: Headings = Headings { id: "region", heading: text::by_region, first_column: text::region };
const BY_LEVEL: Headings = Headings { id: "level", heading: text::by_level, first_column: text::level };

fn table(page: &mut Page, table: &Table, headings: &Headings, lang: Lang) {
    let Headings { id, heading, first_column } = headings;
    if table.rows.is_empty() {
        return;
    }
    add!(page, "<section><h2>{}</h2>", both_plain(lang, *heading));
    add!(page, "<figure>{}</figure>", charts::divided(table, &format!("chart-{id}"), heading(lang)));
    add!(
        page,
        "<div class=\"scroll\"><table><caption>{}</caption><thead><tr><th scope=\"col\">{}</th>",
        text::table_caption(lang, heading(lang)),
        first_column(lang)
    );
    for column in &table.columns {
        add!(page, "<th scope=\"col\">{}</th>", escape(&column.name_zh));
    }
    add!(page, "<th scope=\"col\">{}</th></tr></thead><tbody>", text::total(lang));
    for row in &table.rows {
        let cells: String = row.cells.iter().map(|share| cell(share, lang)).collect();
        let total = count_cell(row.total, lang);
        add!(page, "<tr><th scope=\"row\">{}</th>{cells}{total}</tr>", escape(&row.name_zh));
    }
    add!(page, "</tbody></table></div></section>");
}

/// The beginning of a table with these headings of columns.
fn table_head(page: &mut Page, heads: &[&str]) {
    add!(page, "<div class=\"scroll\"><table><thead><tr>");
    for head in heads {
        add!(page, "<th scope=\"col\">{head}</th>");
    }
    add!(page, "</tr></thead><tbody>");
}

fn kinds(page: &mut Page, report: &RoundReport, lang: Lang) {
    if report.kinds.len() < 2 {
        return;
    }
    add!(page, "<section><h2>{}</h2>", both_plain(lang, text::kinds));
    let heads = [text::kind(lang), text::total(lang), text::grades(lang), text::risen(lang), text::fallen(lang)];
    table_head(page, &heads);
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
            count_cell(line.total, lang),
            grades.join("　"),
            dash(line.risen_percent.as_ref()),
            dash(line.fallen_percent.as_ref())
        );
    }
    add!(page, "</tbody></table></div></section>");
}

fn measures(page: &mut Page, report: &RoundReport, lang: Lang) {
    if report.measures.is_empty() {
        return;
    }
    add!(page, "<section><h2>{}</h2>", both_plain(lang, text::measures));
    table_head(page, &[text::grade(lang), text::measure(lang), text::subjects(lang)]);
    for one in &report.measures {
        let grade = report.grades.iter().find(|(column, _)| column.code == one.grade);
        let grade = grade.map_or(one.grade.as_str(), |(column, _)| column.name_zh.as_str());
        let times = match one.after_consecutive {
            0 | 1 => String::new(),
            times => text::times_in_a_row(lang, times),
        };
        add!(
            page,
            "<tr><th scope=\"row\">{}{times}</th><td class=\"text\">{}</td><td>{}</td></tr>",
            escape(grade),
            escape(&one.text_zh),
            number(one.subjects)
        );
    }
    add!(page, "</tbody></table></div></section>");
}

fn corrections(page: &mut Page, report: &RoundReport, lang: Lang) {
    if report.corrected.is_empty() {
        return;
    }
    add!(page, "<section><h2>{}</h2><ul>", both_plain(lang, text::corrections));
    for one in &report.corrected {
        add!(page, "<li>{}</li>", escape(&one.in_words(&report.grade_words, lang)));
    }
    add!(page, "</ul></section>");
}

fn foot(page: &mut Page, report: &RoundReport, lang: Lang) {
    add!(page, "<section><h2>{}</h2>", both_plain(lang, text::remarks));
    match report.withheld_below {
        Some(below) => {
            let words = both(lang, |lang| text::withheld(lang, below, below.saturating_sub(1)));
            add!(page, "<p class=\"note\">{WITHHELD} {words}</p>");
        }
        None => add!(page, "<p class=\"note\">{}</p>", both_plain(lang, text::nothing_withheld)),
    }
    add!(page, "<dl class=\"proof\">");
    for (name, value) in [
        (text::run(lang), report.run.as_str()),
        (text::model(lang), report.model_zh.as_str()),
        (text::model_digest(lang), report.model_digest.as_str()),
        (text::input_digest(lang), report.input_digest.as_str()),
        (text::outcome_digest(lang), report.outcome_digest.as_str()),
    ] {
        add!(page, "<dt>{name}</dt><dd><code>{}</code></dd>", escape(value));
    }
    add!(page, "</dl></section>");
    add!(page, "<footer>{}</footer>", both_plain(lang, crate::i18n::score::page_reference));
}

/// A table cell with a count and its share.
fn cell(share: &Share, lang: Lang) -> String {
    match (share.count, &share.percent) {
        (Some(count), Some(percent)) => format!("<td>{}<small>{percent}%</small></td>", number(count)),
        (count, _) => count_cell(count, lang),
    }
}

/// A table cell with a count.
fn count_cell(count: Option<u64>, lang: Lang) -> String {
    match count {
        Some(count) => format!("<td>{}</td>", number(count)),
        None => format!("<td class=\"hidden\"><abbr title=\"{}\">{WITHHELD}</abbr></td>", text::not_published(lang)),
    }
}
