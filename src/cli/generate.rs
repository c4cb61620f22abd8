//! `medcredit generate`: a synthetic city in the bureau's templates.

use std::{io::Write, path::PathBuf};

use super::{
    Context, Usage,
    model::{known, library},
};
use crate::{
    domain::{Day, HalfYear, Month},
    scoring::Decimal,
    synthetic::{Request, Rules, generate},
};

/// Make a synthetic city.
#[derive(Debug, clap::Args)]
pub(super) struct Generate {
    /// The directory the files go to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where everything random comes from: the same seed gives the same files
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Size, compared with a city like Wenzhou: 2,000 institutions and 2,400 pharmacies
    #[arg(long, value_name = "F", default_value = "1")]
    scale: String,
    /// How many credit facts; as few as the model needs, without it
    #[arg(long, value_name = "N")]
    records: Option<u64>,
    /// The first half-year, as in 2025-H1
    #[arg(long, value_name = "HALF-YEAR", requires = "to", conflicts_with = "months")]
    from: Option<HalfYear>,
    /// The last half-year
    #[arg(long, value_name = "HALF-YEAR", requires = "from")]
    to: Option<HalfYear>,
    /// How many months of settlements, up to the last one that is over
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(i32).range(1..=240))]
    months: i32,
    /// The day of the data, as in 2026-03-31; today, without it
    #[arg(long, value_name = "DAY")]
    as_of: Option<Day>,
    /// Institutions beyond the city's own that take no part in rounds
    #[arg(long, value_name = "N", default_value_t = 0)]
    unrated: usize,
    /// The model whose published distribution the credit facts come to
    #[arg(long, value_name = "ID", default_value = "wenzhou-institution")]
    model: String,
    /// Also files with everything that goes wrong, and what should happen
    #[arg(long)]
    bad_data: bool,
}

/// Runs the command.
pub(super) fn run(args: &Generate, ctx: &Context) -> anyhow::Result<()> {
    let library = library(ctx)?;
    let rules = library.get(&args.model).map_err(known)?;
    let rules = Rules { model: rules.model, catalogue: rules.catalogue };
    let request = request(args, args.as_of.unwrap_or_else(|| ctx.clock.now().day()))?;
    let bar = ctx.progress(None, "city");
    let summary = generate(&request, rules, &args.out, &mut |what, done, total| {
        bar.set_message(what);
        if total > 0 {
            bar.set_length(total);
        }
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let summary = summary?;
    let mut out = ctx.out();
    writeln!(
        out,
        "{} institutions, {} pharmacies, {} rows of settlements, {} credit facts, {} adverse facts",
        summary.institutions, summary.pharmacies, summary.settlements, summary.records, summary.adverse
    )?;
    writeln!(out, "{} says in which order to import them", args.out.join("README.txt").display())?;
    Ok(())
}

fn request(args: &Generate, today: Day) -> Result<Request, Usage> {
    let scale = Decimal::parse(&args.scale).filter(|scale| (1..=1_000_000).contains(&scale.0));
    let scale = scale.ok_or_else(|| Usage("--scale is a number from 0.0001 to 100".into()))?;
    let (from, to, half_years) = match (args.from, args.to) {
        (Some(from), Some(to)) => half_years_between(from, to, today)?,
        _ => months_until(today, args.months),
    };
    Ok(Request {
        seed: args.seed,
        scale_e4: scale.0,
        from,
        to,
        half_years,
        records: args.records,
        unrated: args.unrated,
        bad_data: args.bad_data,
        today,
    })
}

/// Months and half-years asked for, as far as they are over.
fn half_years_between(from: HalfYear, to: HalfYear, today: Day) -> Result<(Month, Month, Vec<HalfYear>), Usage> {
    let over = HalfYear::of(today.month()).plus(-1);
    if from > to {
        return Err(Usage("--from is after --to".into()));
    }
    if from > over {
        return Err(Usage(format!("no half-year from {from} on is over: the last one that is is {over}")));
    }
    let last = to.last_month().min(today.month().plus(-1));
    Ok((from.first_month(), last, whole(from, to.min(over))))
}

/// So many months up to the last one that is over, and the half-years they touch that are over; at least one.
fn months_until(today: Day, months: i32) -> (Month, Month, Vec<HalfYear>) {
    let last = today.month().plus(-1);
    let first = last.plus(1 - months);
    let over = HalfYear::of(today.month()).plus(-1);
    (first, last, whole(HalfYear::of(first).min(over), over))
}

fn whole(from: HalfYear, to: HalfYear) -> Vec<HalfYear> {
    std::iter::successors(Some(from), |half| Some(half.plus(1))).take_while(|half| *half <= to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn texts(of: &(Month, Month, Vec<HalfYear>)) -> (String, String, Vec<String>) {
        (of.0.to_string(), of.1.to_string(), of.2.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn months_reach_back_from_the_last_one_that_is_over() {
        let two_years = texts(&months_until(day("2026-04-01"), 24));
        let halves = ["2024-H1", "2024-H2", "2025-H1", "2025-H2"].map(str::to_owned).to_vec();
        assert_eq!(two_years, ("2024-04".into(), "2026-03".into(), halves));
        let one_month = texts(&months_until(day("2026-04-01"), 1));
        assert_eq!(one_month, ("2026-03".into(), "2026-03".into(), vec!["2025-H2".into()]));
    }

    #[test]
    fn half_years_are_cut_where_they_are_not_over() {
        let (from, to) = ("2025-H2".parse().unwrap(), "2026-H1".parse().unwrap());
        let cut = texts(&half_years_between(from, to, day("2026-04-01")).unwrap());
        assert_eq!(cut, ("2025-07".into(), "2026-03".into(), vec!["2025-H2".into()]));
        assert!(half_years_between(to, to, day("2026-04-01")).is_err());
        assert!(half_years_between(to, from, day("2026-12-01")).is_err());
    }
}
