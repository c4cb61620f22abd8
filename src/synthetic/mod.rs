//! A synthetic city: subjects, monthly settlements, and credit facts that give the published distribution of grades.
//!
//! Everything is computed from a seed in integer arithmetic, so that the same request gives the same bytes on any
//! machine. Nobody in it exists: names begin with 合成, the codes of legal entities use a letter that no registry issues,
//! identity numbers a region that does not exist, and accounts digits that no bank uses. The files follow the bureau's
//! templates and are imported like real ones; nothing here knows the store.

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
    borrow::Cow,
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::{
    domain::{Day, HalfYear, Kinds, Malformed, Month},
    scoring::{Catalogue, Model},
};

use city::CityPlan;
pub use city::Tier;
use files::Folder;
use records::{Plan, RecordsError, SubjectSeed};
use settlements::Settled;

/// The city to generate.
#[derive(Debug, Clone)]
pub struct Request {
    /// The seed of all random numbers.
    pub seed: u64,
    /// The size of the city, in ten-thousandths of Wenzhou.
    pub scale_e4: i64,
    /// The first month of settlements.
    pub from: Month,
    /// The last month of settlements.
    pub to: Month,
    /// Consecutive half-years of credit facts. The last one has the published distribution.
    pub half_years: Vec<HalfYear>,
    /// The number of credit facts; as few as possible, when absent.
    pub records: Option<u64>,
    /// The number of additional institutions that are not graded.
    pub unrated: usize,
    /// The share of staff, employers and insured persons to generate, in ten-thousandths; at zero, only institutions
    /// and pharmacies are generated.
    pub staff_e4: i64,
    /// Also writes files with every kind of bad data, and the expected results.
    pub bad_data: bool,
    /// The day of the data: it decides which months are cleared, and how old contracts are.
    pub today: Day,
}

/// The model and catalogue for the credit facts of a kind. Kinds without them get no facts.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The model that computes totals.
    pub model: &'a Model,
    /// The catalogue of the model.
    pub catalogue: &'a Catalogue,
}

/// The contents of a generated city.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Number of medical institutions.
    pub institutions: u64,
    /// Number of pharmacies.
    pub pharmacies: u64,
    /// Number of subjects by kind, for other kinds.
    pub others: BTreeMap<String, u64>,
    /// Number of monthly settlements.
    pub settlements: u64,
    /// Number of credit facts.
    pub records: u64,
    /// Number of adverse facts.
    pub adverse: u64,
    /// All files, in import order.
    pub files: Vec<PathBuf>,
}

/// Why a city could not be generated.
#[derive(Debug, thiserror::Error)]
pub enum SyntheticError {
    /// A built-in table is invalid.
    #[error("a built-in table is invalid")]
    Table(#[source] Malformed),
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The credit facts could not be drawn.
    #[error("the credit facts could not be drawn")]
    Records(#[source] Box<RecordsError<SyntheticError>>),
}

/// Called with the current step, the amount done and the total.
pub type Progress<'a> = dyn FnMut(&'static str, u64, u64) + 'a;

/// Writes the files of a city with the built-in kinds of subject into a directory, and creates it if it does not exist.
pub fn generate(
    request: &Request,
    rules: &[Rules<'_>],
    out: &Path,
    progress: &mut Progress<'_>,
) -> Result<Summary, SyntheticError> {
    let kinds = Kinds::built_in().map_err(|error| SyntheticError::Table(Malformed(error.to_string())))?;
    generate_kinds(request, &kinds, rules, out, progress)
}

/// The same for a city's own kinds: those that its table does not have are left out, and those that only it has are added.
pub fn generate_kinds(
    request: &Request,
    kinds: &Kinds,
    rules: &[Rules<'_>],
    out: &Path,
    progress: &mut Progress<'_>,
) -> Result<Summary, SyntheticError> {
    // The earlier of the two: agreements are signed before any data begins.
    let first = request.half_years.first().map_or(request.from, |half| half.first_month().min(request.from));
    let plan = CityPlan {
        seed: request.seed,
        scale_e4: request.scale_e4,
        unrated: request.unrated,
        staff_e4: request.staff_e4,
        from: first.first_day(),
        today: request.today,
    };
    let mut subjects = city::make(plan)?;
    subjects.retain(|subject| kinds.find(subject.kind()).is_some());
    let people = people::make(plan, kinds, &subjects)?;
    let mut folder = Folder::open(out)?;
    let mut summary = Summary::default();
    for subject in &subjects {
        match subject.tier {
            Tier::Pharmacy => summary.pharmacies += 1,
            _ => summary.institutions += 1,
        }
    }
    for holder in &people {
        *summary.others.entry(holder.kind.to_string()).or_default() += 1;
    }
    folder.subjects(&subjects, &people)?;
    folder.affiliations(&people)?;
    folder.accounts(&subjects)?;

    summary.settlements = write_settlements(request, &subjects, &mut folder, progress)?;
    let mut writer = files::RecordFiles::new(&mut folder, &request.half_years)?;
    summary.records = facts(request, rules, &seeds(request, &subjects, &people), &mut writer, progress)?;
    summary.adverse = writer.finish()?;
    if request.bad_data {
        bad::write(&folder)?;
    }
    let notes = if request.bad_data { bad::description() } else { String::new() };
    folder.readme(request, &summary, &notes)?;
    summary.files = folder.into_files();
    Ok(summary)
}

/// Writes the settlements of all subjects, a file for each half-year, and returns the number of rows.
fn write_settlements(
    request: &Request,
    subjects: &[city::CitySubject],
    folder: &mut Folder,
    progress: &mut Progress<'_>,
) -> Result<u64, SyntheticError> {
    let accounts = settlements::accounts(subjects, request.seed, request.scale_e4);
    let mut rows = 0;
    let halves = halves(request.from, request.to);
    for (nth, (from, to)) in (0..).zip(&halves) {
        progress("settlements", nth, u64::try_from(halves.len()).unwrap_or(0));
        let mut file = folder.settlements(&HalfYear::of(*from).to_string())?;
        for (subject, account) in subjects.iter().zip(&accounts) {
            let settled = Settled { subject, account, seed: request.seed, today: request.today };
            let mut month = *from;
            while month <= *to {
                for row in settlements::month(&settled, month) {
                    file.settlement(&subject.code, &row)?;
                    rows += 1;
                }
                month = month.plus(1);
            }
        }
        file.finish()?;
    }
    Ok(rows)
}

/// The months between two, by half-year: the first and the last of each.
fn halves(from: Month, to: Month) -> Vec<(Month, Month)> {
    let mut halves = Vec::new();
    let mut half = HalfYear::of(from);
    while half <= HalfYear::of(to) && from <= to {
        halves.push((half.first_month().max(from), half.last_month().min(to)));
        half = half.plus(1);
    }
    halves
}

/// The subjects of credit facts, by kind in the order of the files.
fn seeds(
    request: &Request,
    subjects: &[city::CitySubject],
    people: &[people::Holder],
) -> Vec<(Cow<'static, str>, Vec<SubjectSeed>)> {
    let from = request.half_years.first().map_or(request.from, |half| half.first_month()).first_day();
    let seed = |subject: &city::CitySubject| SubjectSeed {
        code: subject.code.clone(),
        size: subject.tier.size(),
        agreement_signed_on: subject.agreement_signed_on,
        rated: subject.rated(from),
    };
    let mut kinds: Vec<(Cow<'static, str>, Vec<SubjectSeed>)> = Vec::new();
    let all = subjects.iter().map(|subject| (Cow::Borrowed(subject.kind()), seed(subject)));
    let others = people.iter().map(|holder| (holder.kind.clone(), holder.seed(from)));
    for (kind, seed) in all.chain(others) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, seeds)) => seeds.push(seed),
            None => kinds.push((kind, vec![seed])),
        }
    }
    kinds
}

/// Draws the credit facts of all kinds and returns their number.
fn facts(
    request: &Request,
    rules: &[Rules<'_>],
    kinds: &[(Cow<'static, str>, Vec<SubjectSeed>)],
    writer: &mut files::RecordFiles,
    progress: &mut Progress<'_>,
) -> Result<u64, SyntheticError> {
    let mut records = 0u64;
    let of_kind = |kind: &str| rules.iter().find(|rules| rules.model.kind() == kind);
    let made = kinds.iter().filter_map(|(kind, seeds)| Some((of_kind(kind)?, seeds)));
    let mut subjects_left: usize = made.clone().map(|(_, seeds)| seeds.len()).sum();
    for (rules, seeds) in made {
        // Rows are distributed by the number of subjects. What a kind needs beyond its share is taken from later kinds.
        let rows = request.records.map(|requested| {
            let left = u128::from(requested.saturating_sub(records));
            let count = |subjects: usize| u128::try_from(subjects).unwrap_or(1);
            let share = left * count(seeds.len()) / count(subjects_left).max(1);
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
        let mut done = records;
        let made = records::in_batches(&plan, files::rendered, |batch, rendered| {
            done += batch.rows();
            progress("credit facts", done, request.records.unwrap_or(0));
            writer.write(&rendered)
        });
        records += made.map_err(|error| SyntheticError::Records(Box::new(error)))?;
    }
    Ok(records)
}
