//! `medcredit score compare|simulate|bias`: figures to check before a run is published.

use std::io::Write;

use super::report::write;
use crate::{
    cli::Context,
    grading::{
        AssessmentSummary, BiasReport, Comparison, IndicatorBias, MovementTable, Rounds, Simulation, SubjectDifference,
        comparison_rows,
    },
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
    write!(ctx.out(), "{}", comparison_in_words(&comparison))?;
    Ok(())
}

/// Shows the effects of publishing a run.
pub(super) async fn simulate(rounds: &Rounds, run: &str, json: bool, ctx: &Context) -> anyhow::Result<()> {
    let simulation = rounds.simulate(run).await?;
    if json {
        writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&simulation)?)?;
    } else {
        write!(ctx.out(), "{}", simulation_in_words(&simulation))?;
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
        write!(ctx.out(), "{}", bias_in_words(&report))?;
    }
    Ok(())
}

fn word(says: Option<&AssessmentSummary>) -> String {
    match says {
        None => "absent".to_owned(),
        Some(says) => {
            let word = says.grade.as_deref().or(says.reason.as_deref()).unwrap_or(&says.status);
            says.points.map_or_else(|| word.to_owned(), |points| format!("{word} {points}"))
        }
    }
}

/// Formats a movement as a table.
fn matrix(of: &MovementTable) -> Vec<String> {
    let mut lines = vec![
        std::iter::once(format!("  {:<12}", ""))
            .chain(of.columns.iter().map(|column| format!("{:>11}", column.code)))
            .collect::<String>(),
    ];
    for (row, counts) in of.rows.iter().zip(&of.counts) {
        let counts =
            counts.iter().map(|count| format!("{:>11}", count.map_or_else(String::new, |count| count.to_string())));
        lines.push(std::iter::once(format!("  {:<12}", row.code)).chain(counts).collect());
    }
    lines
}

fn comparison_in_words(of: &Comparison) -> String {
    let mut lines = vec![
        format!("{} ({} {} version {}) in rows", of.first.run, of.first.period, of.first.model, of.first.model_version),
        format!(
            "{} ({} {} version {}) in columns",
            of.second.run, of.second.period, of.second.model, of.second.model_version
        ),
        format!("{} of {} subjects agree: {}%", of.agree, of.subjects, of.agree_percent),
    ];
    lines.extend(matrix(&of.matrix));
    for SubjectDifference { subject_code, first, second, .. } in of.differing.iter().take(MOST_LISTED) {
        lines.push(format!("  {subject_code}: {} and {}", word(first.as_ref()), word(second.as_ref())));
    }
    if of.differing.len() > MOST_LISTED {
        lines.push(format!("  and {} more: --csv lists all", of.differing.len() - MOST_LISTED));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn simulation_in_words(simulation: &Simulation) -> String {
    let mut lines = vec![match &simulation.before {
        Some(before) => format!(
            "if {} of {} were published in place of {} of {}:",
            simulation.run.run, simulation.run.period, before.run, before.period
        ),
        None => format!(
            "if {} of {} were published, as the first of its scheme:",
            simulation.run.run, simulation.run.period
        ),
    }];
    for grade in &simulation.distribution {
        lines.push(format!(
            "  {:<10} {:>7} {:>6}%  ->  {:>7} {:>6}%  {}",
            grade.column.code, grade.before, grade.before_percent, grade.now, grade.now_percent, grade.column.name_zh
        ));
    }
    if let Some(movement) = &simulation.movement {
        let share = |percent: &Option<String>| percent.as_deref().map_or_else(String::new, |of| format!(" ({of}%)"));
        let number = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
        lines.push(format!(
            "{} rise{}, {} fall{}, {} stay",
            number(movement.risen),
            share(&movement.risen_percent),
            number(movement.fallen),
            share(&movement.fallen_percent),
            number(movement.stayed)
        ));
        lines.extend(matrix(movement));
    }
    for measure in &simulation.measures {
        let times = match measure.after_consecutive {
            0 | 1 => String::new(),
            times => format!(" {times} times in succession"),
        };
        lines.push(format!(
            "  for {:>6} subjects, after {}{times}: {}",
            measure.subjects, measure.grade, measure.text_zh
        ));
    }
    lines.push("none of this is visible outside".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

fn bias_in_words(report: &BiasReport) -> String {
    let mut lines = vec![
        format!("{} of {}: {} subjects graded", report.run.run, report.run.period, report.graded),
        format!(
            "  {:>3} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6}",
            "no", "least", "lower", "median", "upper", "most", "dev.", "missing", "at cap", "at zero", "corr."
        ),
    ];
    for of in &report.indicators {
        let IndicatorBias { no, least, lower_quartile, median, upper_quartile, most, deviation, .. } = of;
        let points = [least, lower_quartile, median, upper_quartile, most, deviation];
        let points: Vec<String> = points.into_iter().map(|points| format!("{:>8}", points.to_string())).collect();
        let correlation = of.correlation_milli.map_or_else(|| "-".to_owned(), thousandths);
        let flags: Vec<&str> = of.flags.iter().map(|flag| flag.as_str()).collect();
        lines.push(
            format!(
                "  {no:>3} {} {:>7}% {:>7}% {:>7}% {correlation:>6}  {} {}",
                points.join(" "),
                of.missing_percent,
                of.at_cap_percent,
                of.at_zero_percent,
                of.name_zh,
                flags.join(" ")
            )
            .trim_end()
            .to_owned(),
        );
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Formats thousandths with their sign.
fn thousandths(of: i64) -> String {
    let sign = if of < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", of.abs() / 1000, of.abs() % 1000)
}
