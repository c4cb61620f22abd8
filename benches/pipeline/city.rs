//! Synthetic subjects, settlements and grades to read.

use std::{io::Write, path::Path, sync::Arc};

use anyhow::Result;
use medcredit::{
    domain::{Clock, HalfYear, Month, SystemClock, SystemEntropy},
    grading::{Library, Rounds},
    importing::{Importer, Options, References, Template},
    store::{Crypter, Db},
};

/// The one entity.
pub(super) const ENTITY: &str = "91330302MA2AB3C47J";
/// Its institutions.
pub(super) const INSTITUTIONS: usize = 4_400;
/// The institutions that are read.
pub(super) const READ: usize = 1_000;
/// Months of settlements of each of these.
pub(super) const MONTHS: i32 = 24;

/// The code of an institution.
pub(super) fn code(nth: usize) -> String {
    format!("H330302{nth:05}")
}

/// The last month with settlements.
pub(super) fn last_month() -> Month {
    SystemClock.now().day().month().plus(-1)
}

/// A file of settlements: each institution in each of the months up to `last`.
pub(super) fn settlements(path: &Path, institutions: usize, months: i32, last: Month) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "{}", Template::Settlements.columns().join(","))?;
    for nth in 0..institutions {
        for back in (0..months).rev() {
            let (code, month) = (code(nth), last.plus(-back));
            let as_of = month.last_day();
            writeln!(
                file,
                "{code},{month},employee,1200,800,210000000,120000000,100000000,97600000,2000000,300000,100000,0,0,97600000,final,{as_of}"
            )?;
        }
    }
    Ok(file.flush()?)
}

/// Fills a store: every institution graded good, with two years of settlements.
pub(super) async fn build(db: &Db, directory: &Path, crypter: Arc<Crypter>) -> Result<()> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let library = Library::shipped()?;
    let references = References::built_in(library.catalogues().cloned())?;
    let importer = Importer::new(
        medcredit::store::Env::new(db.clone(), clock.clone(), entropy.clone()),
        medcredit::domain::Actor::system(),
        crypter,
        references,
    );
    let path = directory.join("subjects.csv");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    writeln!(file, "{}", Template::Subjects.columns().join(","))?;
    for nth in 0..INSTITUTIONS {
        let code = code(nth);
        writeln!(file, "medical_institution,{code},{ENTITY},合成医院,330302,,,,,,2015-01-01,active,active")?;
    }
    file.flush()?;
    importer.import(Template::Subjects, &path, &Options::default(), &mut |_| {}).await?;
    let period = HalfYear::of(clock.now().day().month()).plus(-1);
    // A fact of each, because nobody is graded of whom nothing is known.
    let path = directory.join("records.csv");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    writeln!(file, "{}", Template::Records.columns().join(","))?;
    for nth in 0..INSTITUTIONS {
        writeln!(file, "{},public_credit_score,900,{},发改委,", code(nth), period.last_month().last_day())?;
    }
    file.flush()?;
    importer.import(Template::Records, &path, &Options::default(), &mut |_| {}).await?;
    let path = directory.join("settlements.csv");
    settlements(&path, READ, MONTHS, last_month())?;
    importer.import(Template::Settlements, &path, &Options::default(), &mut |_| {}).await?;
    let actor = medcredit::domain::Actor::system();
    let rounds = Rounds::new(medcredit::store::Env::new(db.clone(), clock.clone(), entropy));
    let model = library.get("wenzhou-institution")?;
    let run = rounds.run(&actor, model, period, &|_, _| {}).await?;
    rounds.publish(&actor, &run.id.to_string(), 1).await?;
    // One fact makes nobody good, and settlements are disclosed only for institutions that are.
    let mut tx = db.begin("bench").await?;
    tx.execute("UPDATE assessments SET grade = 'good' WHERE status = 'graded'", vec![]).await?;
    Ok(tx.commit().await?)
}
