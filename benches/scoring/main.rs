//! Measures importing and scoring a city's credit facts, compared with reading the same file once and adding it up.
//! docs/SCORING.md has the method and the figures.
//!
//! `cargo bench --bench scoring`              45,230,000 facts of a city like Wenzhou, which take some minutes to generate
//! `cargo bench --bench scoring -- 1000000`   fewer facts, of as many fewer subjects

mod city;
mod duckdb;
mod floor;
mod memory;

use std::{fmt::Write as _, io::Write as _, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use city::City;
use medcredit::{
    domain::{Actor, Clock, HalfYear, Kinds, SystemClock, SystemEntropy},
    facts::{FactsOf, Totals},
    grading::{InForce, Library, Rounds},
    importing::{Importer, Options, References, Template},
    store::{Crypter, Db, Env, facts as table, migrations, runs},
};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// The number of facts of Wenzhou.
const FACTS: u64 = 45_230_000;
/// The number of subjects that are looked up.
const LOOK_UPS: usize = 200;

fn seconds(took: Duration) -> f64 {
    took.as_secs_f64()
}

struct Table {
    text: String,
    floor: f64,
}

impl Table {
    fn row(&mut self, what: &str, took: Duration, note: &str) {
        let ratio = seconds(took) / self.floor;
        // Writing into a String cannot fail.
        let _ = writeln!(self.text, "| {what} | {:.2} s | {ratio:.2} | {note} |", seconds(took));
    }
}

/// Reads every fact of all chunks and adds them up, as a run without totals would.
async fn add_up_facts(db: &Db, import_seq: i64) -> Result<(Duration, u64)> {
    let clock = SystemClock;
    let began = clock.now();
    let parts = table::digests(&db.read("bench"), import_seq).await?;
    let (mut facts, mut sum) = (0u64, 0i128);
    for part in parts {
        let chunk = table::chunk(&db.read("bench"), import_seq, part.part).await?.context("a chunk is gone")?;
        let totals = Totals::read(&chunk.totals)?;
        let period = chunk.period.parse::<HalfYear>().map_err(anyhow::Error::msg)?;
        let mut of = FactsOf::new(&totals, &chunk.facts, period)?;
        for at in 0..totals.len() {
            for fact in of.of(at)? {
                facts += 1;
                sum += i128::from(fact.value_e4);
            }
        }
    }
    std::hint::black_box(sum);
    Ok((clock.now().since(began), facts))
}

/// The models that grade the kinds, one each.
pub(crate) fn models(library: &Library) -> Result<Vec<InForce<'_>>> {
    let kinds = Kinds::built_in()?;
    kinds.current_models().map(|id| Ok(library.get(id)?)).collect()
}

/// The kinds of subject are rated one after the other by their models, as the bureau does. Returns the number of subjects and
/// the last run.
async fn rate(rounds: &Rounds, models: &[InForce<'_>], period: HalfYear) -> Result<(Duration, u64, String)> {
    let (clock, actor) = (SystemClock, Actor::system());
    let began = clock.now();
    let (mut subjects, mut last) = (0, String::new());
    for found in models {
        let in_force = InForce { model: found.model, catalogue: found.catalogue };
        let run = rounds.run(&actor, in_force, period, &|_, _| ()).await?;
        subjects += u64::try_from(run.subjects)?;
        last = run.id.to_string();
    }
    Ok((clock.now().since(began), subjects, last))
}

/// Imports the files of a template; returns the number of rows and the imports.
async fn import(importer: &Importer, city: &City, template: Template) -> Result<(u64, Vec<i64>)> {
    let (mut accepted, mut imports) = (0, Vec::new());
    for file in city.files(template) {
        let report = importer.import(template, &file, &Options::default(), &mut |_| {}).await?;
        // Commendations from before the first half-year are over by now; everything else must be good.
        let expired = report.findings.get("fact_expired").copied().unwrap_or_default();
        ensure!(report.rejected == expired, "{} rows were not taken: {:?}", report.rejected, report.rejects);
        accepted += report.accepted;
        imports.push(report.import_seq.context("no import")?);
    }
    Ok((accepted, imports))
}

async fn measure(directory: &Path, facts: u64) -> Result<()> {
    let clock = SystemClock;
    let library = Library::shipped()?;
    let models = models(&library)?;
    let city = city::make(directory, facts, &library, &mut |done| progress(&format!("facts made: {done}")))?;
    progress("");
    let records = city.files(Template::Records);
    let floor = floor::measure(&records)?;
    let mut table = Table { text: String::new(), floor: seconds(floor.took) };
    let note = format!("{} groups, {} MB at most", floor.groups, floor.peak_mb);
    table.row("floor: read once in parallel, group in memory", floor.took, &note);
    let duckdb = duckdb::measure(&records)?;
    if let Some((took, groups)) = duckdb {
        table.row("DuckDB: read and group", took, &format!("{groups} groups"));
    }

    let store = tempfile::tempdir_in(directory)?;
    let db = Db::open_sqlite(store.path()).await?;
    migrations::migrate(&db, &clock).await?;
    let references = References::built_in(models.iter().map(|found| found.catalogue.clone()))?;
    let env = Env::new(db.clone(), Arc::new(clock), Arc::new(SystemEntropy));
    let importer = Importer::new(env.clone(), Actor::system(), Arc::new(Crypter::new(&[KEY])?), references);
    import(&importer, &city, Template::Subjects).await?;
    import(&importer, &city, Template::Affiliations).await?;

    memory::forget_peak();
    let began = clock.now();
    let (accepted, imports) = import(&importer, &city, Template::Records).await?;
    let imported = clock.now().since(began);
    let size = store_size(store.path())?;
    let speed = u128::from(accepted) * 1_000_000 / imported.as_micros().max(1);
    let note = format!("{accepted} facts, {speed} rows/s, {} MB at most, {size} MB stored", memory::peak_mb());
    table.row("import", imported, &note);
    import(&importer, &city, Template::Adverse).await?;

    memory::forget_peak();
    let rounds = Rounds::new(env);
    let (scored, subjects, _) = rate(&rounds, &models, city.period).await?;
    table.row("score every kind", scored, &format!("{subjects} subjects, {} MB at most", memory::peak_mb()));
    let both = imported + scored;
    let of_duckdb = duckdb.map(|(took, _)| format!("; {:.2} of DuckDB (target: 2.5)", seconds(both) / seconds(took)));
    table.row("import and score", both, &format!("target: at most 3{}", of_duckdb.unwrap_or_default()));

    let rules = ["zhenjiang-pharmacy", "zhenjiang-institution"].map(|id| library.get(id));
    let rules = rules.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (scored, subjects, run) = rate(&rounds, &rules, city.period).await?;
    table.row("score by models of rules", scored, &format!("{subjects} subjects"));

    let (mut took, mut added) = (Duration::ZERO, 0);
    for import in imports {
        let (one, facts) = add_up_facts(&db, import).await?;
        (took, added) = (took + one, added + facts);
    }
    ensure!(added == accepted, "{added} facts were read back of {accepted}");
    table.row("the other design: decode every fact and add up", took, "one thread, without scoring");

    let codes = runs::results_page(&db.read("bench"), &run, "", 10_000).await?;
    let mut slowest = Duration::ZERO;
    let began = clock.now();
    for nth in 0..LOOK_UPS {
        let code = &codes.get(nth * 7_919 % codes.len().max(1)).context("nobody was rated")?.subject_code;
        let before = clock.now();
        rounds.explain(code, Some(&run)).await?;
        slowest = slowest.max(clock.now().since(before));
    }
    let mean = clock.now().since(began).as_secs_f64() * 1000.0 / f64::from(u16::try_from(LOOK_UPS)?);
    let mut out = std::io::stdout().lock();
    writeln!(out, "| | time | of the floor | |\n|---|---|---|---|\n{}", table.text)?;
    writeln!(
        out,
        "the facts of one subject, found and explained: {mean:.1} ms on average, {:.1} ms at most (target: 20)",
        slowest.as_secs_f64() * 1000.0
    )?;
    db.close().await;
    Ok(())
}

fn store_size(directory: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(directory)? {
        size += entry?.metadata()?.len();
    }
    Ok(size >> 20)
}

fn progress(text: &str) {
    // Progress is optional: a line that cannot be written is ignored.
    let _ = write!(std::io::stderr(), "\r{text:60}\r");
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["floor", paths @ ..] = args.as_slice() {
        return floor::run(paths);
    }
    let facts = match args.as_slice() {
        [] => FACTS,
        [facts, ..] => facts.parse()?,
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scoring");
    std::fs::create_dir_all(&directory)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(&directory, facts))
}
