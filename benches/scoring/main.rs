//! Measures importing and scoring a city's credit facts, compared with reading the same file once and adding it up.
//! docs/SCORING.md has the method and the figures.
//!
//! `cargo bench --bench scoring`              45,230,000 facts of 200,000 subjects, which takes some minutes to
//! generate `cargo bench --bench scoring -- 1000000`   fewer facts, and as many fewer subjects

mod city;
mod floor;
mod memory;

use std::{fmt::Write as _, io::Write as _, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use medcredit::{
    domain::{Actor, Clock, HalfYear, SystemClock, SystemEntropy},
    facts::{FactsOf, Totals},
    grading::{InForce, Library, Rounds},
    importing::{Importer, Options, References, Template},
    scoring::Model,
    store::{Crypter, Db, Env, facts as table, migrations},
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

async fn measure(directory: &Path, facts: u64) -> Result<()> {
    let clock = SystemClock;
    let library = Library::shipped()?;
    let in_force = library.get("wenzhou-institution")?;
    let city = city::make(directory, facts, in_force, &mut |done| progress(&format!("facts made: {done}")))?;
    progress("");
    let floor = floor::measure(&city.records)?;
    let mut table = Table { text: String::new(), floor: seconds(floor.took) };
    let note = format!("{} groups, {} MB at most", floor.groups, floor.peak_mb);
    table.row("floor: read once in parallel, group in memory", floor.took, &note);

    let store = tempfile::tempdir_in(directory)?;
    let db = Db::open_sqlite(store.path()).await?;
    migrations::migrate(&db, &clock).await?;
    let references = References::built_in([in_force.catalogue.clone()])?;
    let env = Env::new(db.clone(), Arc::new(clock), Arc::new(SystemEntropy));
    let importer = Importer::new(env.clone(), Actor::system(), Arc::new(Crypter::new(&[KEY])?), references);
    importer.import(Template::Subjects, &city.subjects, &Options::default(), &mut |_| {}).await?;

    memory::forget_peak();
    let began = clock.now();
    let report = importer.import(Template::Records, &city.records, &Options::default(), &mut |_| {}).await?;
    let imported = clock.now().since(began);
    ensure!(report.rejected == 0, "{} rows were not taken: {:?}", report.rejected, report.rejects);
    let size = store_size(store.path())?;
    let note = format!("{} facts, {} MB at most, {size} MB stored", report.accepted, memory::peak_mb());
    table.row("import", imported, &note);

    memory::forget_peak();
    let actor = Actor::system();
    let rounds = Rounds::new(env);
    let began = clock.now();
    let run = rounds.run(&actor, in_force, city.period, &|_, _| ()).await?;
    let scored = clock.now().since(began);
    table.row("score", scored, &format!("{} subjects, {} MB at most", run.subjects, memory::peak_mb()));
    table.row("import and score", imported + scored, "target: at most 5");

    let other = another(in_force)?;
    let other = InForce { model: &other, catalogue: in_force.catalogue };
    let began = clock.now();
    rounds.run(&actor, other, city.period, &|_, _| ()).await?;
    table.row("score by another model", clock.now().since(began), "target: at most 1");

    let (took, added) = add_up_facts(&db, report.import_seq.context("no import")?).await?;
    ensure!(added == report.accepted, "{added} facts were read back of {}", report.accepted);
    table.row("the other design: decode every fact and add up", took, "one thread, without scoring");

    let mut slowest = Duration::ZERO;
    let began = clock.now();
    for nth in 0..LOOK_UPS {
        let code = city.code(nth * 7_919);
        let before = clock.now();
        rounds.explain(&code, Some(&run.id.to_string())).await?;
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

/// The same model with other weights of two indicators.
fn another(in_force: InForce<'_>) -> Result<Model> {
    let mut file = in_force.model.file().clone();
    "another".clone_into(&mut file.id);
    let text = serde_json::to_string(&file)?;
    Ok(Model::from_json("another", &text, in_force.catalogue)?)
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
    if let ["floor", path] = args.as_slice() {
        return floor::run(Path::new(path));
    }
    let facts = match args.as_slice() {
        [] => FACTS,
        [facts, ..] => facts.parse()?,
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scoring");
    std::fs::create_dir_all(&directory)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(&directory, facts))
}
