//! Seals the personal data of subjects under the present key: data sealed under an older key, and names that were
//! stored in the clear before names were sealed.

use super::ImportError;
use crate::store::{
    Crypter, Db, JobLock,
    personal::{Personal, PersonalError, SealedParts},
    subjects::{self, PersonalRow},
};
use data_encoding::HEXLOWER;
use serde::Serialize;

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
/// command is run again.
pub async fn reseal_subjects(db: &Db, crypter: &Crypter, natural: &[String]) -> Result<Resealed, ImportError> {
    let failed = || ImportError::store("reseal subjects");
    // The lock of imports: nobody else may write subjects meanwhile.
    let lock = JobLock::try_acquire(db, "imports").await.map_err(failed())?.ok_or(ImportError::Busy)?;
    let (mut done, mut after) = (Resealed::default(), String::new());
    loop {
        let read = db.read("subjects::list_personal");
        let page = subjects::list_personal(&read, &after, PAGE).await.map_err(failed())?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.code);
        let mut rows = Vec::new();
        for row in page {
            let plain = !row.name.is_empty() && natural.contains(&row.kind);
            let outdated = row.sealed_identity.as_ref().is_some_and(|sealed| crypter.is_outdated(sealed));
            if plain || outdated || row.unindexed == 1 {
                done.plain += u64::from(plain);
                rows.push(sealed(row, plain, crypter)?);
            }
        }
        if !rows.is_empty() {
            done.subjects += u64::try_from(rows.len()).unwrap_or(u64::MAX);
            let rows = serde_json::to_string(&rows).map_err(ImportError::Json)?;
            let mut tx = db.begin("subjects::seal").await.map_err(failed())?;
            subjects::seal(&mut tx, rows).await.map_err(failed())?;
            tx.commit().await.map_err(failed())?;
        }
    }
    if done.plain > 0 {
        db.purge_former_subject_data().await.map_err(failed())?;
    }
    lock.release().await.map_err(failed())?;
    Ok(done)
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
