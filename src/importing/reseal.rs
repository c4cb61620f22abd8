//! Seals the personal data of subjects under the present key: data sealed under an older key, and names that were
//! stored in the clear before names were sealed.

use super::ImportError;
use crate::{
    domain::Actor,
    ledger::{self, Action, Change, LedgerError},
    store::{
        Crypter, Db, Env, JobLock, Tx,
        personal::{Personal, PersonalError, SealedParts},
        subjects::{self, PersonalRow},
    },
};
use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::json;

/// Subjects of one statement.
const PAGE: i64 = 2_000;

/// Numbers of resealed subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resealed {
    /// Subjects whose name was stored in the clear.
    pub plain: u64,
    /// All resealed subjects, these included.
    pub subjects: u64,
}

/// A subject's row to write.
#[derive(Serialize)]
struct Row {
    code: String,
    name: String,
    #[serde(flatten)]
    sealed: SealedParts,
}

/// Seals the personal data of subjects under the present key, with the keyed hashes that they are searched by.
/// `natural` are the kinds of natural persons, whose names must be sealed too; if a name was stored in the clear, its
/// remains in the database files are erased as well. No subject gets a new version. A killed run continues when the
/// command is run again; each run that seals something leaves one entry.
pub async fn reseal_subjects(
    env: &Env,
    actor: &Actor,
    crypter: &Crypter,
    natural: &[String],
) -> Result<Resealed, ImportError> {
    let failed = || ImportError::store("reseal subjects");
    let db = &env.db;
    // The lock of imports: nobody else may write subjects meanwhile.
    let lock = JobLock::try_acquire(db, "imports").await.map_err(failed())?.ok_or(ImportError::Busy)?;
    // Counted before anything changes: the entry states the numbers, and is written first.
    let planned = plan(db, crypter, natural).await?;
    let mut after = String::new();
    let mut entered = false;
    while let Some(page) = next_page(db, &mut after).await? {
        let needed = page.into_iter().filter_map(|row| Some((reason(&row, crypter, natural)?, row)));
        let rows = needed.map(|(reason, row)| sealed(row, reason == Reason::Plain, crypter));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        if rows.is_empty() {
            continue;
        }
        let rows = serde_json::to_string(&rows).map_err(ImportError::Json)?;
        let mut tx = db.begin("subjects::seal").await.map_err(failed())?;
        if !entered {
            // In the first transaction: a crash after it leaves subjects sealed again and the entry that announced them.
            enter(&mut tx, env, actor, planned).await?;
            entered = true;
        }
        subjects::seal(&mut tx, rows).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
    }
    if planned.plain > 0 {
        // After the last commit: until then rows in the clear are still in the table itself.
        db.purge_former_subject_data().await.map_err(failed())?;
    }
    lock.release().await.map_err(failed())?;
    Ok(planned)
}

/// Why a subject is sealed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Its name is stored in plain text.
    Plain,
    /// Another key sealed it, or its keyed hashes are missing.
    Outdated,
}

fn reason(row: &PersonalRow, crypter: &Crypter, natural: &[String]) -> Option<Reason> {
    let plain = !row.name.is_empty() && natural.contains(&row.kind);
    let outdated = row.sealed_identity.as_ref().is_some_and(|sealed| crypter.is_outdated(sealed));
    match (plain, outdated || row.unindexed == 1) {
        (true, _) => Some(Reason::Plain),
        (false, true) => Some(Reason::Outdated),
        (false, false) => None,
    }
}

/// Counts the subjects that will be sealed again.
async fn plan(db: &Db, crypter: &Crypter, natural: &[String]) -> Result<Resealed, ImportError> {
    let (mut planned, mut after) = (Resealed::default(), String::new());
    while let Some(page) = next_page(db, &mut after).await? {
        for reason in page.iter().filter_map(|row| reason(row, crypter, natural)) {
            planned.subjects += 1;
            planned.plain += u64::from(reason == Reason::Plain);
        }
    }
    Ok(planned)
}

/// The next subjects by code, or none at the end.
async fn next_page(db: &Db, after: &mut String) -> Result<Option<Vec<PersonalRow>>, ImportError> {
    let page = subjects::list_personal(&db.read("subjects::list_personal"), after, PAGE).await;
    let page = page.map_err(ImportError::store("reseal subjects"))?;
    let Some(last) = page.last() else { return Ok(None) };
    after.clone_from(&last.code);
    Ok(Some(page))
}

async fn enter(tx: &mut Tx, env: &Env, actor: &Actor, planned: Resealed) -> Result<(), ImportError> {
    let change = Change::of(json!({ "subjects": planned.subjects, "plain": planned.plain }));
    let entered = ledger::audit(tx, env, actor, Action::SubjectsResealed, None, change).await;
    entered.map(drop).map_err(|error| match error {
        LedgerError::Store(error) => ImportError::store("reseal subjects")(error),
        error => ImportError::Ledger(Box::new(error)),
    })
}

fn sealed(row: PersonalRow, plain: bool, crypter: &Crypter) -> Result<Row, ImportError> {
    let mut personal =
        Personal::of(crypter, &row.code, row.sealed_identity.as_deref()).map_err(ImportError::Personal)?;
    let mut name = row.name;
    if plain {
        personal.name = Some(std::mem::take(&mut name));
    }
    let sealed = personal.seal(crypter, &row.code).map_err(ImportError::Personal)?;
    // The seal is verified before it replaces the only copy.
    let again = sealed.identity.as_ref().and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok());
    let again = Personal::of(crypter, &row.code, again.as_deref()).map_err(ImportError::Personal)?;
    if again == personal {
        Ok(Row { code: row.code, name, sealed })
    } else {
        Err(ImportError::Personal(PersonalError::Form))
    }
}
