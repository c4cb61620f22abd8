//! A synthetic city: who is in it, what the fund settles with them, and credit facts that come to the published grades.
//!
//! Everything follows from a seed, in integer arithmetic, so that the same request gives the same bytes on any machine.
//! Nobody in it exists: names begin with 合成, legal entities' codes with a letter no registry issues, identity numbers
//! with a region that does not exist, accounts with digits no bank uses. The files are the bureau's own templates and
//! enter by the same door as real ones; nothing here knows the store.

mod arithmetic;
mod bad;
mod city;
mod files;
mod names;
mod people;
pub mod records;
mod settlements;
mod stream;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::{
    domain::{Day, HalfYear, Malformed, Month},
    scoring::{Catalogue, Model},
};

use city::CityPlan;
pub use city::Tier;
use files::Folder;
use records::{Plan, RecordsError, SubjectSeed};

/// What is to be made.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where everything random comes from.
    pub seed: u64,
    /// Size of the city, in ten-thousandths of one like Wenzhou.
    pub scale_e4: i64,
    /// The first month of settlements.
    pub from: Month,
    /// The last month of settlements.
    pub to: Month,
    /// The half-years of credit facts, one after the other; the last one comes to the published distribution.
    pub half_years: Vec<HalfYear>,
    /// How many credit facts; as few as possible, when absent.
    pub records: Option<u64>,
    /// Institutions beyond the city's own that take no part in rounds.
    pub unrated: usize,
    /// How many of the staff, the employers and the insured are made, in ten-thousandths; none of anybody but institutions
    /// and pharmacies, when zero.
    pub staff_e4: i64,
    /// Also files with everything that goes wrong, and what should happen.
    pub bad_data: bool,
    /// The day of the data: what is cleared, and how old things are.
    pub today: Day,
}

/// The model and catalogue that credit facts of a kind are made for. A kind without has no facts.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// How totals are reckoned.
    pub model: &'a Model,
    /// What is gathered.
    pub catalogue: &'a Catalogue,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Medical institutions.
    pub institutions: u64,
    /// Pharmacies.
    pub pharmacies: u64,
    /// Subjects of other kinds.
    pub others: BTreeMap<&'static str, u64>,
    /// Rows of settlements.
    pub settlements: u64,
    /// Credit facts.
    pub records: u64,
    /// Adverse facts.
    pub adverse: u64,
    /// Every file, in the order in which they are imported.
    pub files: Vec<PathBuf>,
}

/// Why a city could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SyntheticError {
    /// A table compiled in cannot be used.
    #[error("the tables of the program cannot be used")]
    Table(#[source] Malformed),
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The credit facts could not be made.
    #[error("the credit facts could not be made")]
    Records(#[source] Box<RecordsError<SyntheticError>>),
}

/// How far it is: what is being made, and how much of it is done.
pub type Progress<'a> = dyn FnMut(&'static str, u64, u64) + 'a;

/// Makes the city's files in a directory, which is made when it is not there.
pub fn generate(
    request: &Request,
    rules: &[Rules<'_>],
    out: &Path,
    progress: &mut Progress<'_>,
) -> Result<Summary, SyntheticError> {
    let first = request.half_years.first().map_or(request.from, |half| half.first_month().min(request.from));
    let plan = CityPlan {
        seed: request.seed,
        scale_e4: request.scale_e4,
        unrated: request.unrated,
        staff_e4: request.staff_e4,
        from: first.first_day(),
        today: request.today,
    };
    let subjects = city::make(plan)?;
    let people = people::make(plan, &subjects)?;
    let mut folder = Folder::open(out)?;
    let mut summary = Summary::default();
    for subject in &subjects {
        match subject.tier {
            Tier::Pharmacy => summary.pharmacies += 1,
            _ => summary.institutions += 1,
        }
    }
    for holder in &people {
        *summary.others.entry(holder.kind).or_default() += 1;
    }
    folder.subjects(&subjects, &people)?;
    folder.affiliations(&people)?;
    folder.accounts(&subjects)?;

    let accounts = settlements::accounts(&subjects, request.seed, request.scale_e4);
    let halves = halves(request.from, request.to);
    for (nth, (from, to)) in (0..).zip(&halves) {
        progress("settlements", nth, u64::try_from(halves.len()).unwrap_or(0));
        let mut file = folder.settlements(&HalfYear::of(*from).to_string())?;
        for (subject, account) in subjects.iter().zip(&accounts) {
            let mut month = *from;
            while month <= *to {
                for row in settlements::month(subject, account, month, request.seed, request.today) {
                    file.settlement(&subject.code, &row)?;
                    summary.settlements += 1;
                }
                month = month.plus(1);
            }
        }
        file.finish()?;
    }
    facts(request, rules, &seeds(request, &subjects, &people), (&mut folder, &mut summary), progress)?;
    if request.bad_data {
        bad::write(&folder)?;
    }
    folder.readme(request, &summary)?;
    summary.files = folder.into_files();
    Ok(summary)
}

/// The half-years that months fall in, each with its first and last month wanted.
fn halves(from: Month, to: Month) -> Vec<(Month, Month)> {
    let mut halves = Vec::new();
    let mut half = HalfYear::of(from);
    while half <= HalfYear::of(to) && from <= to {
        halves.push((half.first_month().max(from), half.last_month().min(to)));
        half = half.plus(1);
    }
    halves
}

/// Whom credit facts are about, by kind in the order of the files.
fn seeds(
    request: &Request,
    subjects: &[city::CitySubject],
    people: &[people::Holder],
) -> Vec<(&'static str, Vec<SubjectSeed>)> {
    let from = request.half_years.first().map_or(request.from, |half| half.first_month()).first_day();
    let seed = |subject: &city::CitySubject| SubjectSeed {
        code: subject.code.clone(),
        size: subject.tier.size(),
        agreement_signed_on: subject.agreement_signed_on,
        rated: subject.rated(from),
    };
    let mut kinds: Vec<(&'static str, Vec<SubjectSeed>)> = Vec::new();
    let all = subjects.iter().map(|subject| (subject.kind(), seed(subject)));
    let others = people.iter().map(|holder| (holder.kind, holder.seed(from)));
    for (kind, seed) in all.chain(others) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, seeds)) => seeds.push(seed),
            None => kinds.push((kind, vec![seed])),
        }
    }
    kinds
}

fn facts(
    request: &Request,
    rules: &[Rules<'_>],
    kinds: &[(&'static str, Vec<SubjectSeed>)],
    (folder, summary): (&mut Folder, &mut Summary),
    progress: &mut Progress<'_>,
) -> Result<(), SyntheticError> {
    let mut writer = files::RecordFiles::new(folder, &request.half_years)?;
    let of_kind = |kind: &str| rules.iter().find(|rules| rules.model.kind() == kind);
    let made = kinds.iter().filter_map(|(kind, seeds)| Some((of_kind(kind)?, seeds)));
    let mut subjects_left: usize = made.clone().map(|(_, seeds)| seeds.len()).sum();
    for (rules, seeds) in made {
        // Rows are shared out by heads; what one kind must have beyond its share, later ones have less of.
        let rows = request.records.map(|wanted| {
            let left = u128::from(wanted.saturating_sub(summary.records));
            let heads = |count: usize| u128::try_from(count).unwrap_or(1);
            let share = left * heads(seeds.len()) / heads(subjects_left).max(1);
            u64::try_from(share).unwrap_or(u64::MAX)
        });
        subjects_left -= seeds.len();
        let plan = Plan {
            model: rules.model,
            catalogue: rules.catalogue,
            subjects: seeds,
            periods: &request.half_years,
            seed: request.seed,
            rows,
        };
        let before = summary.records;
        let mut done = before;
        let made = records::in_batches(&plan, files::rendered, |batch, rendered| {
            done += batch.rows();
            progress("credit facts", done, request.records.unwrap_or(0));
            writer.write(&rendered)
        });
        summary.records = before + made.map_err(|error| SyntheticError::Records(Box::new(error)))?;
    }
    summary.adverse = writer.finish()?;
    Ok(())
}
