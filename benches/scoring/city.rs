//! The files of a generated city, made once and used again by later measurements.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use medcredit::{
    domain::{HalfYear, Month},
    grading::Library,
    importing::Template,
    synthetic::{Request, Rules, generate},
};

/// The size of the city for Wenzhou's number of facts, in ten-thousandths of Wenzhou.
const SCALE: u64 = 10_000;
/// The half-years of the facts; the last one is rated.
const HALF_YEARS: [&str; 4] = ["2024-H1", "2024-H2", "2025-H1", "2025-H2"];

/// The generated files.
pub(crate) struct City {
    files: Vec<PathBuf>,
    pub(crate) period: HalfYear,
}

impl City {
    /// The files of a template, in the order of import.
    pub(crate) fn files(&self, template: Template) -> Vec<PathBuf> {
        let of = |path: &&PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.split(['.', '-']).next() == Some(template.as_str())
        };
        self.files.iter().filter(of).cloned().collect()
    }
}

/// Generates what `medcredit generate --records FACTS` does, unless it is there already: every kind of subject, each with
/// facts for the model that grades it.
pub(crate) fn make(directory: &Path, facts: u64, library: &Library, progress: &mut dyn FnMut(u64)) -> Result<City> {
    let half_years = HALF_YEARS.iter().map(|half| half.parse::<HalfYear>());
    let half_years = half_years.collect::<Result<Vec<_>, _>>().map_err(anyhow::Error::msg)?;
    let period = *half_years.last().context("no half-year")?;
    let folder = directory.join(format!("city-{facts}"));
    if !folder.exists() {
        // Only a folder that is complete has its name: generation may be interrupted.
        let unfinished = folder.with_extension("part");
        let request = Request {
            seed: 951,
            scale_e4: i64::try_from((SCALE * facts).div_ceil(crate::FACTS).max(1))?,
            from: Month::new(2024, 1)?,
            to: Month::new(2025, 12)?,
            half_years,
            records: Some(facts),
            unrated: 0,
            staff_e4: 10_000,
            bad_data: false,
            today: "2026-03-31".parse()?,
        };
        let models = crate::models(library)?.into_iter();
        let rules: Vec<_> = models.map(|found| Rules { model: found.model, catalogue: found.catalogue }).collect();
        generate(&request, &rules, &unfinished, &mut |_, done, _| progress(done))?;
        std::fs::rename(unfinished, &folder)?;
    }
    let mut files = std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(City { files, period })
}
