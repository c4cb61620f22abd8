//! `medcredit score compare|simulate|bias`: figures to check before a run is published.

use std::io::Write;

use super::{report::write, table::aligned};
use crate::{
    cli::Context,
    grading::{
        AssessmentSummary, BiasFlag, BiasReport, Column, Comparison, IndicatorBias, MovementTable, Rounds, Simulation,
        SubjectDifference, comparison_rows,
    },
    i18n::{Lang, number, report as text},
    scoring::not_rated_in_words,
};

/// The maximum number of differing subjects that are printed.
const MOST_LISTED: usize = 10;

/// Compare two runs: agreement, and the subjects that differ.
#[derive(Debug, clap::Args)]
pub(super) struct Compare {
    /// The first run's id
    first: String,
    /// The second run's id
    second: String,
    /// Print everything as JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print all differing subjects as CSV
    #[arg(long)]
    csv: bool,
    /// The language
    #[arg(long, value_name = "zh|en", default_value_t)]
    lang: Lang,
}

/// Show the distribution of each indicator, with missing, capped and uncorrelated values.
#[derive(Debug, clap::Args)]
pub(super) struct Bias {
    /// The run's id
    run: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// Only indicators with a flag
    #[arg(long)]
    flagged: bool,
    /// The language
    #[arg(long, value_name = "zh|en", default_value_t)]
    lang: Lang,
}

/// Compares two runs.
pub(super) async fn compare(rounds: &Rounds, args: &Compare, ctx: &Context) -> anyhow::Result<()> {
    let comparison = rounds.compare(&args.first, &args.second).await?;
    if args.csv {
        return write(&comparison_rows(&comparison)?, None, ctx);
    }
    if args.json {
        writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&comparison)?)?;
        return Ok(());
    }
    write!(ctx.out(), "{}", comparison_in_words(&comparison, args.lang))?;
    Ok(())
}

/// Shows the effects of publishing a run.
pub(super) async fn simulate(rounds: &Rounds, run: &str, json: bool, lang: Lang, ctx: &Context) -> anyhow::Result<()> {
    let simulation = rounds.simulate(run).await?;
    if json {
        writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&simulation)?)?;
    } else {
        write!(ctx.out(), "{}", simulation_in_words(&simulation, lang))?;
    }
    Ok(())
}

/// Shows the distribution of each indicator.
pub(super) async fn bias(rounds: &Rounds, args: &Bias, ctx: &Context) -> anyhow::Result<()> {
    let mut report = rounds.bias(&args.run).await?;
    if args.flagged {
        report.indicators.retain(|of| !of.flags.is_empty());
    }
    if args.json {
        writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(ctx.out(), "{}", bias_in_words(&report, args.lang))?;
    }
    Ok(())
}

/// A grade: its code in English, its word in Chinese.
fn named<'a>(columns: &'a [Column], code: &'a str, lang: Lang) -> &'a str {
    let column = columns.iter().find(|column| column.code == code);
    match (lang, column) {
        (Lang::Zh, Some(column)) => &column.name_zh,
        _ => code,
    }
}

fn word(says: Option<&AssessmentSummary>, columns: &[Column], lang: Lang) -> String {
    let Some(says) = says else { return text::absent(lang).to_owned() };
    let word = match (&says.grade, &says.reason) {
        (Some(grade), _) => named(columns, grade, lang),
        (None, Some(reason)) => reason.parse().map_or(reason.as_str(), |reason| not_rated_in_words(reason, lang)),
        (None, None) => &says.status,
    };
    says.points.map_or_else(|| word.to_owned(), |points| format!("{word} {}", number(points)))
}

/// The label of a column or row.
fn label(of: &Column, lang: Lang) -> String {
    named(std::slice::from_ref(of), &of.code, lang).to_owned()
}

/// Formats a movement as a table.
fn matrix(of: &MovementTable, lang: Lang) -> Vec<String> {
    let head = std::iter::once(String::new()).chain(of.columns.iter().map(|column| label(column, lang)));
    let mut rows = vec![head.collect::<Vec<_>>()];
    for (row, counts) in of.rows.iter().zip(&of.counts) {
        let counts = counts.iter().map(|count| count.map_or_else(String::new, number));
        rows.push(std::iter::once(label(row, lang)).chain(counts).collect());
    }
    aligned(&rows, 1)
}

fn comparison_in_words(of: &Comparison, lang: Lang) -> String {
    let (first, second) = (&of.first, &of.second);
    let mut lines = vec![
        text::compare_rows(lang, &first.run, &first.period, &first.model, first.model_version),
        text::compare_columns(lang, &second.run, &second.period, &second.model, second.model_version),
        text::agree(lang, number(of.agree), number(of.subjects), &of.agree_percent),
    ];
    lines.extend(matrix(&of.matrix, lang));
    for SubjectDifference { subject_code, first, second, .. } in of.differing.iter().take(MOST_LISTED) {
        let (first, second) =
            (word(first.as_ref(), &of.matrix.rows, lang), word(second.as_ref(), &of.matrix.columns, lang));
        lines.push(format!("  {}", text::differs(lang, subject_code, first, second)));
    }
    if of.differing.len() > MOST_LISTED {
        lines.push(format!("  {}", text::more_differ(lang, number(of.differing.len() - MOST_LISTED))));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn simulation_in_words(simulation: &Simulation, lang: Lang) -> String {
    let run = &simulation.run;
    let mut lines = vec![match &simulation.before {
        Some(before) => text::simulated(lang, &run.run, &run.period, &before.run, &before.period),
        None => text::simulated_first(lang, &run.run, &run.period),
    }];
    let grades = simulation.distribution.iter().map(|grade| {
        vec![
            grade.column.code.clone(),
            grade.column.name_zh.clone(),
            number(grade.before),
            format!("{}%", grade.before_percent),
            "->".to_owned(),
            number(grade.now),
            format!("{}%", grade.now_percent),
        ]
    });
    lines.extend(aligned(&grades.collect::<Vec<_>>(), 2));
    let columns: Vec<Column> = simulation.distribution.iter().map(|grade| grade.column.clone()).collect();
    if let Some(movement) = &simulation.movement {
        let share = |count: Option<u64>, percent: &Option<String>| match (count, percent) {
            (Some(count), Some(percent)) => text::with_percent(lang, number(count), percent),
            (count, _) => count.map_or_else(String::new, number),
        };
        lines.push(text::moves(
            lang,
            share(movement.risen, &movement.risen_percent),
            share(movement.fallen, &movement.fallen_percent),
            share(movement.stayed, &None),
        ));
        lines.extend(matrix(movement, lang));
    }
    for measure in &simulation.measures {
        let times = match measure.after_consecutive {
            0 | 1 => String::new(),
            times => text::in_succession(lang, times),
        };
        let grade = named(&columns, &measure.grade, lang);
        let line = text::measure_line(lang, number(measure.subjects), grade, times, &measure.text_zh);
        lines.push(format!("  {line}"));
    }
    lines.push(text::nothing_is_visible(lang).to_owned());
    lines.push(String::new());
    lines.join("\n")
}

fn bias_in_words(report: &BiasReport, lang: Lang) -> String {
    let head = [
        text::bias_no(lang),
        text::bias_least(lang),
        text::bias_lower(lang),
        text::bias_median(lang),
        text::bias_upper(lang),
        text::bias_most(lang),
        text::bias_deviation(lang),
        text::bias_missing(lang),
        text::bias_at_cap(lang),
        text::bias_at_zero(lang),
        text::bias_correlation(lang),
    ];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|head| (*head).to_owned()).collect()];
    for of in &report.indicators {
        let IndicatorBias { no, least, lower_quartile, median, upper_quartile, most, deviation, .. } = of;
        let points = [least, lower_quartile, median, upper_quartile, most, deviation].map(number);
        let shares = [&of.missing_percent, &of.at_cap_percent, &of.at_zero_percent].map(|share| format!("{share}%"));
        let correlation = of.correlation_milli.map_or_else(|| "-".to_owned(), thousandths);
        let numbers = std::iter::once(no.to_string()).chain(points).chain(shares);
        rows.push(numbers.chain(std::iter::once(correlation)).collect());
    }
    let mut lines = vec![text::bias_head(lang, &report.run.run, &report.run.period, number(report.graded))];
    let mut aligned = aligned(&rows, 0).into_iter();
    lines.extend(aligned.next());
    // Names are of any length, so they come last and unaligned.
    for (line, of) in aligned.zip(&report.indicators) {
        let flags: Vec<&str> = of.flags.iter().map(|flag| flagged(*flag, lang)).collect();
        lines.push(format!("{line}  {} {}", of.name_zh, flags.join(" ")).trim_end().to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

const fn flagged(flag: BiasFlag, lang: Lang) -> &'static str {
    match flag {
        BiasFlag::OftenMissing => text::flag_often_missing(lang),
        BiasFlag::AtCap => text::flag_at_cap(lang),
        BiasFlag::AtZero => text::flag_at_zero(lang),
        BiasFlag::NoSpread => text::flag_no_spread(lang),
        BiasFlag::Unrelated => text::flag_unrelated(lang),
        BiasFlag::Against => text::flag_against(lang),
    }
}

/// Formats thousandths with their sign.
fn thousandths(of: i64) -> String {
    let sign = if of < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", of.abs() / 1000, of.abs() % 1000)
}
