//! `medcredit generate`: generates a synthetic city as files in the bureau's templates.

use std::{collections::BTreeSet, io::Write, path::PathBuf};

use super::{
    Context, Usage,
    model::{library, unknown_as_usage},
};
use crate::{
    app,
    domain::{Day, HalfYear, Kinds, Month},
    grading::Library,
    scoring::{Decimal, Model},
    synthetic::{Request, Rules, generate_kinds},
};

/// The maximum product of scale and staff, each in ten-thousandths: the staff of twenty cities.
const MOST_STAFF: i64 = 20 * 10_000 * 10_000;

/// Generate a synthetic city as files in the bureau's templates.
#[derive(Debug, clap::Args)]
pub(super) struct Generate {
    /// The directory for the files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The seed of the random numbers: the same seed gives the same files
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The size, relative to a city like Wenzhou: 2,000 institutions, 2,400 pharmacies, 200,000 subjects in all
    #[arg(long, value_name = "F", default_value = "1")]
    scale: String,
    /// The share of staff, employers and insured persons to generate, such as 1/20 or 0.05
    #[arg(long, value_name = "SHARE", default_value = "1")]
    staff: String,
    /// The number of credit facts [default: as few as the model needs]
    #[arg(long, value_name = "N")]
    records: Option<u64>,
    /// The first half-year, as in 2025-H1
    #[arg(long, value_name = "HALF-YEAR", requires = "to", conflicts_with = "months")]
    from: Option<HalfYear>,
    /// The last half-year
    #[arg(long, value_name = "HALF-YEAR", requires = "from")]
    to: Option<HalfYear>,
    /// The number of months of settlements, up to the last complete one
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(i32).range(1..=240))]
    months: i32,
    /// The day of the data, as in 2026-03-31 [default: today]
    #[arg(long, value_name = "DAY")]
    as_of: Option<Day>,
    /// The number of additional institutions that are not graded
    #[arg(long, value_name = "N", default_value_t = 0)]
    unrated: usize,
    /// A model to make the credit facts of its kind for, instead of the kind's current one; repeatable
    #[arg(long, value_name = "ID")]
    model: Vec<String>,
    /// Also generate faulty files, with the expected results of importing them
    #[arg(long)]
    bad_data: bool,
}

pub(super) fn run(args: &Generate, ctx: &Context) -> anyhow::Result<()> {
    let library = library(ctx)?;
    let kinds = match &ctx.config_file {
        Some(_) => app::reference_tables(&ctx.config()?, &library)?.kinds,
        None => Kinds::built_in()?,
    };
    let rules = rules(&library, &kinds, &args.model)?;
    let request = request(args, args.as_of.unwrap_or_else(|| ctx.clock.now().day()))?;
    let bar = ctx.progress(Some(0), "city");
    let summary = generate_kinds(&request, &kinds, &rules, &args.out, &mut |what, done, total| {
        bar.set_message(what);
        if total > 0 {
            bar.set_length(total);
        }
        bar.set_position(done);
    });
    bar.finish_and_clear();
    // Only now, because an error must not leave the bar on the screen.
    let summary = summary?;
    let mut out = ctx.out();
    writeln!(
        out,
        "{} institutions, {} pharmacies, {} others, {} rows of settlements, {} credit facts, {} adverse facts",
        summary.institutions,
        summary.pharmacies,
        summary.others.values().sum::<u64>(),
        summary.settlements,
        summary.records,
        summary.adverse
    )?;
    writeln!(out, "{} lists the order in which to import them", args.out.join("README.txt").display())?;
    Ok(())
}

/// The models that credit facts are made for, one for each kind: the named ones, and else the kind's current one.
pub(super) fn rules<'l>(library: &'l Library, kinds: &Kinds, named: &[String]) -> anyhow::Result<Vec<Rules<'l>>> {
    let present: BTreeSet<&str> = kinds.current_models().collect();
    let own = library.models().map(Model::id).filter(|id| present.contains(id));
    let mut rules: Vec<Rules<'_>> = Vec::new();
    // The named ones first: the first model of a kind is taken.
    for id in named.iter().map(String::as_str).chain(own) {
        let found = library.get(id).map_err(unknown_as_usage)?;
        if !rules.iter().any(|rules| rules.model.kind() == found.model.kind()) {
            rules.push(Rules { model: found.model, catalogue: found.catalogue });
        }
    }
    Ok(rules)
}

/// Parses a share from 0 to 1, as a fraction such as 1/20 or as a number, into ten-thousandths.
fn share(text: &str) -> Option<i64> {
    let share = match text.split_once('/') {
        Some((part, of)) => {
            let (part, of): (i64, i64) = (part.trim().parse().ok()?, of.trim().parse().ok()?);
            // Half of the divisor rounds to the nearest. A divisor of zero is no share.
            part.checked_mul(10_000)?.checked_add(of / 2)?.checked_div(of)?
        }
        None => Decimal::parse(text)?.0,
    };
    (0..=10_000).contains(&share).then_some(share)
}

fn request(args: &Generate, today: Day) -> Result<Request, Usage> {
    let scale = Decimal::parse(&args.scale).filter(|scale| (1..=1_000_000).contains(&scale.0));
    let scale = scale.ok_or_else(|| Usage("--scale must be a number from 0.0001 to 100".into()))?;
    let staff =
        share(&args.staff).ok_or_else(|| Usage("--staff must be a share from 0 to 1, such as 1/20 or 0.05".into()))?;
    if scale.0.saturating_mul(staff) > MOST_STAFF {
        return Err(Usage("--scale times --staff must be at most 20: codes of persons have six digits".into()));
    }
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
        staff_e4: staff,
        bad_data: args.bad_data,
        today,
    })
}

/// The requested months and half-years, as far as they are over.
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

/// This many months up to the last complete one, and the complete half-years that they touch; at least one.
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
    fn a_share_is_a_fraction_or_a_number_from_nothing_to_all() {
        let shares = ["1/20", "0.05", "1", "0", "1/3", "0.0001"].map(share);
        assert_eq!(shares, [Some(500), Some(500), Some(10_000), Some(0), Some(3_333), Some(1)]);
        for wrong in ["", "2", "-0.1", "1/0", "1/", "3/2", "half"] {
            assert_eq!(share(wrong), None, "{wrong}");
        }
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
