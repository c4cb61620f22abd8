//! Removes rows that were staged and never accepted.

use super::{ImportError, Importer, Template};
use crate::store::{facts, imports, staging::Staging};

impl Importer {
    /// Removes what killed imports left. The caller holds the lock of imports, so nobody is staging.
    pub(super) async fn remove_leftovers(&self) -> Result<u64, ImportError> {
        let read = self.env.db.read("imports::list");
        let failed = || ImportError::store("look for killed imports");
        let mut left = imports::list(&read, "staging").await.map_err(failed())?;
        // Also those whose removal was itself interrupted.
        left.extend(imports::list(&read, "discarding").await.map_err(failed())?);
        let mut removed = 0;
        for import in left {
            // A template that this version does not know was staged by a newer one, which will remove it.
            let Ok(template) = import.template.parse::<Template>() else { continue };
            self.remove(template, import.seq).await?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Removes staged subjects of this import and earlier ones: the caller holds the lock of imports, so all of them
    /// have been accepted or given up.
    pub(super) async fn remove_staged_subjects(&self, seq: i64) -> Result<(), ImportError> {
        let failed = || ImportError::store("remove staged subjects");
        let mut bulk = self.env.db.begin_bulk("imports::remove_staged").await.map_err(failed())?;
        Staging::purge_subjects_to(&mut bulk, seq).await.map_err(failed())?;
        bulk.commit().await.map_err(failed())
    }

    /// Removes what an import staged. The first mark makes sure that it can no longer be accepted; after a crash before
    /// the second mark, the next import removes the rest.
    pub(super) async fn remove(&self, template: Template, seq: i64) -> Result<(), ImportError> {
        let failed = || ImportError::store("remove an import that was not accepted");
        let mut tx = self.env.db.begin("imports::remove").await.map_err(failed())?;
        imports::discard(&mut tx, seq).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        // A transaction of its own: on SQLite bulk tables are in another file than the marks.
        let mut bulk = self.env.db.begin_bulk("imports::remove").await.map_err(failed())?;
        match template.staging() {
            Some(staging) => staging.purge(&mut bulk, seq).await.map_err(failed())?,
            None => facts::purge(&mut bulk, seq).await.map_err(failed())?,
        };
        bulk.commit().await.map_err(failed())?;
        let mut tx = self.env.db.begin("imports::removed").await.map_err(failed())?;
        imports::discarded(&mut tx, seq).await.map_err(failed())?;
        tx.commit().await.map_err(failed())
    }
}
