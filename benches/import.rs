//! Measures the import of settlements into SQLite: a million rows sorted by subject, then the same rows sorted by
//! month.
//!
//! `cargo bench --bench import`

use std::{io::Write, path::Path, sync::Arc};

use anyhow::Result;
use medcredit::{
    domain::{Clock, Month, SystemClock, SystemEntropy},
    importing::{Importer, Options, References, Template},
    store::{Crypter, Db, migrations},
};

const SUBJECTS: usize = 4_400;
const MONTHS: i32 = 240;
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn subjects(path: &Path) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "{}", Template::Subjects.columns().join(","))?;
    for nth in 0..SUBJECTS {
        writeln!(
            file,
            "medical_institution,H330302{nth:05},91330302MA2AB3C47J,合成,330302,,,,,,2015-01-01,active,active"
        )?;
    }
    Ok(file.flush()?)
}

fn settlements(path: &Path, first: Month, by_month: bool) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "{}", Template::Settlements.columns().join(","))?;
    let months = usize::try_from(MONTHS)?;
    for row in 0..SUBJECTS * months {
        let (nth, month) = if by_month { (row % SUBJECTS, row / SUBJECTS) } else { (row / months, row % months) };
        let month = first.plus(i32::try_from(month)?);
        let as_of = month.last_day();
        writeln!(
            file,
            "H330302{nth:05},{month},employee,120,80,{row}00,{row}00,{row}00,{row}00,0,0,0,0,0,{row}00,final,{as_of}"
        )?;
    }
    Ok(file.flush()?)
}

async fn measure(by_month: bool) -> Result<()> {
    let clock = SystemClock;
    let directory = tempfile::tempdir()?;
    let db = Db::open_sqlite(directory.path()).await?;
    migrations::migrate(&db, &clock).await?;
    let crypter = Arc::new(Crypter::new(&[KEY])?);
    let importer = Importer::new(
        medcredit::store::Env::new(db.clone(), Arc::new(clock), Arc::new(SystemEntropy)),
        medcredit::domain::Actor::system(),
        crypter,
        References::built_in([])?,
    );
    let path = directory.path().join("file.csv");
    subjects(&path)?;
    importer.import(Template::Subjects, &path, &Options::default(), &mut |_| {}).await?;
    settlements(&path, clock.now().day().month().plus(-MONTHS), by_month)?;
    let began = clock.now();
    let report = importer.import(Template::Settlements, &path, &Options::default(), &mut |_| {}).await?;
    let took = clock.now().since(began);
    let order = if by_month { "month" } else { "subject" };
    let a_second = u128::from(report.accepted) * 1_000 / took.as_millis().max(1);
    writeln!(std::io::stdout(), "by {order}: {} rows in {took:.1?}, {a_second} rows a second", report.accepted)?;
    db.close().await;
    Ok(())
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        measure(false).await?;
        measure(true).await
    })
}
