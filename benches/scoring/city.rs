//! Files of subjects and their facts in the bureau's templates, generated once and reused by later measurements.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Result;
use medcredit::{
    domain::{HalfYear, Month},
    grading::InForce,
    importing::Template,
    synthetic::records::{Plan, Size, SubjectSeed, records},
};

/// The number of subjects for Wenzhou's number of facts.
const SUBJECTS: u64 = 200_000;
const REGIONS: [&str; 12] = [
    "330302", "330303", "330304", "330305", "330324", "330326", "330327", "330328", "330329", "330381", "330382",
    "330383",
];

/// The generated files.
pub(crate) struct City {
    pub(crate) subjects: PathBuf,
    pub(crate) records: PathBuf,
    pub(crate) period: HalfYear,
    seeds: Vec<SubjectSeed>,
}

impl City {
    /// The code of a subject.
    pub(crate) fn code(&self, nth: usize) -> String {
        self.seeds.get(nth % self.seeds.len().max(1)).map(|seed| seed.code.clone()).unwrap_or_default()
    }
}

/// Generates the files, unless they exist.
pub(crate) fn make(directory: &Path, facts: u64, in_force: InForce<'_>, progress: &mut dyn FnMut(u64)) -> Result<City> {
    let count = usize::try_from((SUBJECTS * facts).div_ceil(crate::FACTS))?;
    let period = HalfYear::of(Month::new(2025, 7)?);
    let signed = "2015-05-01".parse()?;
    let per_region = count.div_ceil(REGIONS.len()).max(1);
    let seeds: Vec<SubjectSeed> = (0..count)
        .map(|nth| SubjectSeed {
            code: format!("H{}{:05}", REGIONS[nth / per_region], nth % per_region),
            size: if nth % 40 == 0 { Size::Secondary } else { Size::Clinic },
            agreement_signed_on: signed,
            rated: true,
        })
        .collect();
    let city = City {
        subjects: directory.join(format!("subjects-{facts}.csv")),
        records: directory.join(format!("records-{facts}.csv")),
        period,
        seeds,
    };
    if city.records.exists() {
        return Ok(city);
    }
    let mut file = BufWriter::new(File::create(&city.subjects)?);
    writeln!(file, "{}", Template::Subjects.columns().join(","))?;
    for seed in &city.seeds {
        let (code, region) = (&seed.code, seed.code.get(1..7).unwrap_or_default());
        writeln!(file, "medical_institution,{code},91330302MA2AB3C47J,合成机构,{region},,,,,,{signed},active,active")?;
    }
    file.flush()?;
    let unfinished = city.records.with_extension("part");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    writeln!(file, "{}", Template::Records.columns().join(","))?;
    let plan = Plan {
        model: in_force.model,
        catalogue: in_force.catalogue,
        subjects: &city.seeds,
        periods: &[period],
        seed: 951,
        rows: Some(facts),
    };
    let mut done = 0u64;
    records(&plan, |row| {
        done += 1;
        if done.is_multiple_of(100_000) {
            progress(done);
        }
        let medcredit::synthetic::records::RecordRow {
            subject_code,
            measure,
            value,
            occurred_on,
            source,
            reference,
            ..
        } = row;
        writeln!(file, "{subject_code},{measure},{value},{occurred_on},{source},{reference}")
    })?;
    file.flush()?;
    std::fs::rename(unfinished, &city.records)?;
    Ok(city)
}
