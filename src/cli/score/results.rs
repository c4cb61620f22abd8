//! `medcredit score results`: the results of a run by name, as a table, CSV or a workbook.

use std::{collections::BTreeMap, io::Write, path::PathBuf};

use super::{
    report::write,
    sheet::{Cell, Sheet},
    table::aligned,
    workbook::workbook,
};
use crate::{
    cli::{Context, Usage},
    config::Config,
    domain::{money::MilliPoints, printable::without_formula},
    grading::{AssessmentSummary, Change, Column, Listing, ReportNames, Rounds},
    i18n::{Lang, number, report as text},
    scoring::{Points, Scheme, not_rated_in_words},
};

/// The format of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns on the terminal
    Table,
    /// CSV in UTF-8 with a byte order mark, which Excel opens as it is
    Csv,
    /// An Excel workbook
    Xlsx,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum List {
    /// Every subject with its result
    Results,
    /// The subjects behind each supervisory measure
    Measures,
    /// The subjects behind each cell of the movement since the round before
    Movement,
}

/// List the results of a run by name, as a table or for a spreadsheet.
#[derive(Debug, clap::Args)]
pub(super) struct Results {
    /// The run's id
    run: String,
    /// The list; a workbook with --internal has all of them
    #[arg(long, value_enum, default_value_t = List::Results)]
    list: List,
    /// The format of the list
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The file to write to [default: standard output; required for xlsx]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// List names behind measures and movement: for the bureau only
    #[arg(long)]
    internal: bool,
    /// The language [default: zh in a file for spreadsheets, en on the terminal]
    #[arg(long, value_name = "zh|en")]
    lang: Option<Lang>,
}

/// Lists the results of a run.
pub(super) async fn results(rounds: &Rounds, args: &Results, config: &Config, ctx: &Context) -> anyhow::Result<()> {
    if args.list != List::Results && !args.internal {
        return Err(
            Usage("this list has the names behind figures: add --internal, and do not pass it on".into()).into()
        );
    }
    if args.format == Format::Xlsx && args.out.is_none() {
        return Err(Usage("a workbook is a file: name it with --out".into()).into());
    }
    let default = if args.format == Format::Table { Lang::En } else { Lang::Zh };
    let lang = args.lang.unwrap_or(default);
    let (kinds, regions) = (config.reference.kinds()?, config.reference.regions()?);
    let listing = rounds.listing(&args.run, ReportNames { kinds: &kinds, regions: &regions }).await?;
    let sheet = |list| match list {
        List::Results => results_sheet(&listing, lang),
        List::Measures => measures_sheet(&listing, lang),
        List::Movement => movement_sheet(&listing, lang),
    };
    match args.format {
        Format::Table => print(&sheet(args.list), ctx),
        Format::Csv => write(&csv(&sheet(args.list))?, args.out.as_ref(), ctx),
        Format::Xlsx => {
            let lists: &[List] =
                if args.internal { &[List::Results, List::Measures, List::Movement] } else { &[List::Results] };
            let sheets: Vec<Sheet> = lists.iter().map(|list| sheet(*list)).collect();
            write(&workbook(&sheets, ctx.clock.now())?, args.out.as_ref(), ctx)
        }
    }
}

/// A grade: code and word in English, the word in Chinese.
fn grade(scheme: &Scheme, code: &str, lang: Lang) -> String {
    match (lang, scheme.grade(code)) {
        (Lang::Zh, Some(grade)) => grade.name_zh.clone(),
        (Lang::En, Some(grade)) => format!("{code} {}", grade.name_zh),
        (_, None) => code.to_owned(),
    }
}

/// A result in words: its grade, or why it has none.
fn words(of: &AssessmentSummary, scheme: &Scheme, lang: Lang) -> String {
    match (&of.grade, &of.reason) {
        (Some(code), _) => grade(scheme, code, lang),
        (None, Some(reason)) => {
            let reason = reason.parse().map_or(reason.as_str(), |reason| not_rated_in_words(reason, lang));
            format!("{}: {reason}", text::not_rated(lang))
        }
        (None, None) => text::not_rated(lang).to_owned(),
    }
}

/// A change in words.
fn changed(change: Change, lang: Lang) -> String {
    match change {
        Change::Up(places) => text::change_up(lang, places),
        Change::Down(places) => text::change_down(lang, places),
        Change::Same => text::change_none(lang).to_owned(),
        Change::New => text::change_new(lang).to_owned(),
        Change::NowGraded => text::change_to_graded(lang).to_owned(),
        Change::NoLongerGraded => text::change_to_unrated(lang).to_owned(),
    }
}

/// Points as a number of a spreadsheet: without commas between thousands.
fn points(of: Option<MilliPoints>) -> Cell {
    Cell::Number(of.map(|points| Points(points.0).to_string()).unwrap_or_default())
}

fn results_sheet(listing: &Listing, lang: Lang) -> Sheet {
    let scheme = &listing.scheme;
    let maybe = |of: Option<&AssessmentSummary>| of.map(|of| words(of, scheme, lang)).unwrap_or_default();
    let rows = listing.results.iter().map(|row| {
        vec![
            Cell::Text(row.code.clone()),
            Cell::Text(row.name.clone()),
            Cell::Text(row.region.clone()),
            Cell::Text(row.level.clone()),
            Cell::Text(words(&row.result, scheme, lang)),
            points(row.result.points),
            Cell::Number(row.version.map(|version| version.to_string()).unwrap_or_default()),
            Cell::Text(maybe(row.corrected_from.as_ref())),
            Cell::Text(maybe(row.before.as_ref())),
            Cell::Text(row.change.map(|change| changed(change, lang)).unwrap_or_default()),
            points(row.points_change),
        ]
    });
    Sheet {
        name: text::sheet_results(lang),
        heads: vec![
            text::list_code(lang),
            text::list_name(lang),
            text::list_region(lang),
            text::list_level(lang),
            text::list_grade(lang),
            text::list_points(lang),
            text::list_version(lang),
            text::list_corrected_from(lang),
            text::list_before(lang),
            text::list_change(lang),
            text::list_change_points(lang),
        ],
        rows: rows.collect(),
    }
}

fn measures_sheet(listing: &Listing, lang: Lang) -> Sheet {
    let names: BTreeMap<&str, &str> = listing.results.iter().map(|of| (of.code.as_str(), of.name.as_str())).collect();
    let mut rows = Vec::new();
    for one in &listing.measures {
        let times = match one.measure.after_consecutive {
            0 | 1 => String::new(),
            times => text::times_in_a_row(lang, times),
        };
        let grade = format!("{}{times}", grade(&listing.scheme, &one.measure.grade, lang));
        for code in &one.subjects {
            let name = names.get(code.as_str()).copied().unwrap_or_default();
            rows.push(vec![
                Cell::Text(grade.clone()),
                Cell::Text(one.measure.text_zh.clone()),
                Cell::Text(code.clone()),
                Cell::Text(name.to_owned()),
            ]);
        }
    }
    Sheet {
        name: text::sheet_measures(lang),
        heads: vec![text::list_grade(lang), text::list_measure(lang), text::list_code(lang), text::list_name(lang)],
        rows,
    }
}

fn movement_sheet(listing: &Listing, lang: Lang) -> Sheet {
    let column = |of: &Column| Cell::Text(if lang == Lang::Zh { of.name_zh.clone() } else { of.code.clone() });
    let rows = listing.movement.iter().map(|moved| {
        vec![column(&moved.before), column(&moved.now), Cell::Text(moved.code.clone()), Cell::Text(moved.name.clone())]
    });
    Sheet {
        name: text::sheet_movement(lang),
        heads: vec![text::before(lang), text::now(lang), text::list_code(lang), text::list_name(lang)],
        rows: rows.collect(),
    }
}

/// Prints a list as columns.
fn print(sheet: &Sheet, ctx: &Context) -> anyhow::Result<()> {
    let mut lines = vec![sheet.heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>()];
    lines.extend(sheet.rows.iter().map(|row| row.iter().map(shown).collect()));
    let mut out = ctx.out();
    for line in aligned(&lines, usize::MAX) {
        writeln!(out, "{}", line.trim_start())?;
    }
    Ok(())
}

/// A cell as people read it.
fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(digits) if digits.is_empty() => String::new(),
        Cell::Number(digits) => number(digits),
    }
}

/// A list as CSV that Excel opens by itself: with a byte order mark, and no text that it would take for a formula.
fn csv(sheet: &Sheet) -> anyhow::Result<Vec<u8>> {
    let mut out = csv::WriterBuilder::new().from_writer("\u{feff}".as_bytes().to_vec());
    out.write_record(&sheet.heads)?;
    for row in &sheet.rows {
        let cells = row.iter().map(|cell| match cell {
            Cell::Text(text) => without_formula(text).into_owned(),
            Cell::Number(digits) => digits.clone(),
        });
        out.write_record(cells)?;
    }
    out.into_inner().map_err(|error| anyhow::Error::new(csv::Error::from(error.into_error())))
}
