//! The events that an import publishes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ImportError, Template, stager::Stager};
use crate::{
    domain::ids::ImportId,
    outbox::{Event, EventBatch},
    store::settlements,
};

/// Subjects of one statement.
const PAGE: usize = 200;

/// An import was accepted.
#[derive(Debug, Serialize)]
struct ImportAccepted {
    import: ImportId,
    template: &'static str,
    rows: u64,
    accepted: u64,
    rejected: u64,
}

impl Event for ImportAccepted {
    const NAME: &'static str = "import.accepted";

    fn ordering_key(&self) -> String {
        self.import.to_string()
    }
}

/// Months of a subject are new or have other figures than before. One event names them all, so that a city's whole
/// history is no more events than it has subjects.
#[derive(Debug, Default, Serialize)]
struct SettlementsChanged {
    code: String,
    import: Option<ImportId>,
    added: Vec<String>,
    revised: Vec<String>,
}

impl Event for SettlementsChanged {
    const NAME: &'static str = "settlements.changed";

    fn ordering_key(&self) -> String {
        self.code.clone()
    }
}

/// A subject has other values than before.
#[derive(Debug, Serialize)]
pub(super) struct SubjectChanged {
    pub(super) code: String,
    pub(super) import: ImportId,
    /// The columns that changed; never their values.
    pub(super) changed: Vec<&'static str>,
}

impl Event for SubjectChanged {
    const NAME: &'static str = "subject.changed";

    fn ordering_key(&self) -> String {
        self.code.clone()
    }
}

impl Stager<'_> {
    /// All events of the import. They are computed before the last transaction, which only writes them; nobody else
    /// changes these values meanwhile.
    pub(super) async fn events(&self, seq: i64, subjects: &[SubjectChanged]) -> Result<EventBatch, ImportError> {
        let mut batch = EventBatch::new();
        let env = &self.run.importer.env;
        for event in subjects {
            batch.add(env, event).map_err(ImportError::Json)?;
        }
        if self.report.template == Template::Settlements {
            for event in self.changed_settlements(seq).await? {
                batch.add(env, &event).map_err(ImportError::Json)?;
            }
        }
        let report = &self.report;
        let accepted = ImportAccepted {
            import: self.run.id,
            template: report.template.as_str(),
            rows: report.rows,
            accepted: report.accepted,
            rejected: report.rejected,
        };
        batch.add(env, &accepted).map_err(ImportError::Json)?;
        Ok(batch)
    }

    async fn changed_settlements(&self, seq: i64) -> Result<Vec<SettlementsChanged>, ImportError> {
        let subjects: Vec<&str> = self.settled.iter().map(AsRef::as_ref).collect();
        let mut events = BTreeMap::<String, SettlementsChanged>::new();
        for page in subjects.chunks(PAGE) {
            let read = self.run.importer.env.db.read("settlements::changed_by");
            let changed = settlements::changed_by(&read, seq, page).await;
            for row in changed.map_err(ImportError::store("compare settlements"))? {
                let event = events.entry(row.subject_code.clone()).or_insert_with(|| SettlementsChanged {
                    code: row.subject_code,
                    import: Some(self.run.id),
                    ..SettlementsChanged::default()
                });
                let months = if row.added == 1 { &mut event.added } else { &mut event.revised };
                months.push(row.month);
            }
        }
        Ok(events.into_values().collect())
    }
}
