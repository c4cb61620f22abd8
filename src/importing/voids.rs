//! Facts that are taken back: by the template `voids`, and one by one by command. A void is a small row about a document;
//! the facts themselves stay as they were delivered.

use std::collections::{BTreeSet, HashMap};

use super::{
    ImportError, Importer,
    batch::CheckedRow,
    findings::{Code, Finding, Severity},
    row::RowText,
    stager::Stager,
};
use crate::{
    domain::{
        Actor, Day, HalfYear, document_of,
        ids::ImportId,
        printable::{LONGEST_REASON, check_text},
    },
    facts::{Chunk, Damaged, FactsOf, Totals},
    ledger::{self, Action, Change, LedgerError},
    store::{
        DbError, JobLock, Tx, changes, facts,
        imports::{self, ImportCounts, NewImport},
        pair, subjects,
        voids::{self, NewVoid, VoidRow, Within},
    },
};

/// Most rows of a file of voids: each is an entry of the ledger, in one transaction.
pub(super) const MOST_ROWS: u64 = 1_000;

/// Longest reference, in characters.
const LONGEST_REFERENCE: usize = 100;

/// What becomes of a document's fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoidAction {
    /// It is taken back.
    Void,
    /// It counts again: taking it back was an error.
    Restore,
}

/// A decision about the fact of a document.
#[derive(Debug, Clone)]
pub struct FactDecision {
    pub action: VoidAction,
    /// The code of the subject.
    pub subject: String,
    /// The id of the measure.
    pub measure: String,
    /// The reference of the fact.
    pub reference: String,
    /// Why, for the bureau only. It names no person.
    pub reason: String,
    pub decided_on: Day,
    /// The reference of the decision.
    pub decision: Option<String>,
}

/// The outcome of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It counts from now on, under this number among the imports.
    Done { import_seq: i64 },
    /// The fact was in that state already, by the import with this number; nothing was stored.
    Already { import_seq: Option<i64> },
}

/// The documents of a subject that were taken back or restored, by measure and document: the last decision of each.
type Decisions = HashMap<(String, String), VoidRow>;

impl Importer {
    /// Takes the fact of a document back, or restores it.
    pub async fn decide(&self, decision: &FactDecision) -> Result<Decided, ImportError> {
        self.check_decision(decision)?;
        // The lock of imports: the decision gets its number among them, and no import may bring the document meanwhile.
        let lock = JobLock::try_acquire(&self.env.db, "imports").await.map_err(ImportError::store("lock imports"))?;
        let lock = lock.ok_or(ImportError::Busy)?;
        let decided = self.decide_locked(decision).await;
        // The outcome is committed already, or it is an error; a lock that is not released ends with the connection.
        let _ = lock.release().await;
        decided
    }

    fn check_decision(&self, decision: &FactDecision) -> Result<(), ImportError> {
        let refused = |what: String| Err(ImportError::Decision(what));
        if check_text(&decision.reason, LONGEST_REASON).is_err() {
            return refused(format!("the reason must be one line of 1 to {LONGEST_REASON} characters"));
        }
        let reference = check_text(&decision.reference, LONGEST_REFERENCE).is_ok();
        if !reference || document_of(&decision.reference).is_empty() {
            return refused("the reference must name the fact's document, in at most 100 characters".into());
        }
        if decision.decision.as_ref().is_some_and(|text| check_text(text, LONGEST_REFERENCE).is_err()) {
            return refused("the decision's reference must be one line of at most 100 characters".into());
        }
        if decision.decided_on > self.env.clock.now().day() {
            return refused(format!("{} lies in the future", decision.decided_on));
        }
        let kind = self.references.kinds.of_code(&decision.subject);
        let catalogue = kind.and_then(|kind| self.references.catalogues.get(&kind.id));
        if catalogue.is_none_or(|catalogue| catalogue.measure(&decision.measure).is_none()) {
            let FactDecision { subject, measure, .. } = decision;
            return refused(format!("{measure:?} is not a measure of the catalogue for {subject}"));
        }
        Ok(())
    }

    async fn decide_locked(&self, decision: &FactDecision) -> Result<Decided, ImportError> {
        self.remove_leftovers().await?;
        let FactDecision { subject, measure, reference, .. } = decision;
        let known = subjects::existing(&self.env.db.read("decide"), &[subject.as_str()]).await;
        if known.map_err(ImportError::store("look up the subject"))?.is_empty() {
            return Err(ImportError::Decision(format!("{subject} has not been imported as a subject")));
        }
        let document = document_of(reference);
        if self.sources_of(subject, measure, &document).await?.is_empty() {
            let (subject, measure, reference) = (subject.clone(), measure.clone(), reference.clone());
            return Err(ImportError::FactUnknown { subject, measure, reference });
        }
        let last = self.decisions(subject).await?.remove(&(measure.clone(), document.clone().into_owned()));
        let is_void = last.as_ref().is_some_and(|row| row.restored == 0);
        if is_void == (decision.action == VoidAction::Void) {
            return Ok(Decided::Already { import_seq: last.map(|row| row.import_seq) });
        }
        self.store_decision(decision, &document).await
    }

    /// Stores a decision as an import of one row.
    async fn store_decision(&self, decision: &FactDecision, document: &str) -> Result<Decided, ImportError> {
        let failed = || ImportError::store("store the decision");
        let id = ImportId::new(&*self.env.clock, &*self.env.entropy).to_string();
        let now = self.env.clock.now();
        let import = NewImport { id: &id, client: None, template: "voids", file_name: "", sha256: "", options: "" };
        let mut tx = self.env.db.begin("voids::begin").await.map_err(failed())?;
        let seq = imports::begin(&mut tx, import, now).await.map_err(failed())?;
        // A crash from here on leaves an import in staging, which the next one removes.
        tx.commit().await.map_err(failed())?;
        let decided_on = decision.decided_on.to_string();
        let new = NewVoid {
            subject_code: &decision.subject,
            measure: &decision.measure,
            document,
            reference: &decision.reference,
            reason: &decision.reason,
            decided_on: &decided_on,
            decision: decision.decision.as_deref(),
            restored: decision.action == VoidAction::Restore,
        };
        let mut bulk = self.env.db.begin_bulk("voids::insert").await.map_err(failed())?;
        voids::insert(&mut bulk, seq, new).await.map_err(failed())?;
        bulk.commit().await.map_err(failed())?;
        let mark = pair::mark_bulk(&self.env.db, seq).await.map_err(failed())?;
        let mut tx = self.env.db.begin("voids::accept").await.map_err(failed())?;
        let recorded = self.record_decision(&mut tx, &self.actor, &id, new).await;
        recorded.map_err(|error| ImportError::Ledger(Box::new(error)))?;
        imports::accept(&mut tx, seq, ImportCounts { rows: 1, accepted: 1, rejected: 0 }, mark, now)
            .await
            .map_err(failed())?;
        changes::raise(&mut tx).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(Decided::Done { import_seq: seq })
    }

    /// Writes the ledger entry of a decision.
    pub(super) async fn record_decision(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        import: &str,
        new: NewVoid<'_>,
    ) -> Result<(), LedgerError> {
        let action = if new.restored { Action::FactRestored } else { Action::FactVoided };
        let change = Change::of(serde_json::json!({
            "decided_on": new.decided_on,
            "decision": new.decision,
            "import": import,
            "measure": new.measure,
            "reference": new.reference,
        }));
        let change = change.because(Some(new.reason));
        ledger::audit(tx, &self.env, actor, action, Some(new.subject_code), change).await.map(drop)
    }

    /// The last decision about each document of a subject.
    async fn decisions(&self, subject: &str) -> Result<Decisions, ImportError> {
        let within = Within { imports_to: i64::MAX, subject: Some(subject) };
        let rows = voids::list(&self.env.db.read("voids::list"), within).await;
        let rows = rows.map_err(ImportError::store("look up the facts that were taken back"))?;
        // In the order of acceptance: the last one of a document stays.
        Ok(rows.into_iter().map(|row| ((row.measure.clone(), row.document.clone()), row)).collect())
    }

    /// The sources that delivered a document of a subject; none if nobody did.
    async fn sources_of(&self, subject: &str, measure: &str, document: &str) -> Result<BTreeSet<String>, ImportError> {
        let failed = || ImportError::store("look up the fact");
        let Some(kind) = self.references.kinds.of_code(subject) else { return Ok(BTreeSet::new()) };
        let read = self.env.db.read("facts::of_subject");
        let imports = facts::accepted(&read).await.map_err(failed())?;
        let counting: BTreeSet<i64> =
            imports.into_iter().filter(|import| import.replaced_by.is_none()).map(|import| import.seq).collect();
        // Every half-year: the bounds are below and above all of them.
        let chunks = facts::of_subject(&read, &kind.id, ("0000-H1", "9999-H2"), subject).await.map_err(failed())?;
        let mut sources = BTreeSet::new();
        for chunk in chunks.into_iter().filter(|chunk| counting.contains(&chunk.import_seq)) {
            let damaged = |damage: Damaged| failed()(DbError::corrupt("facts", damage.to_string()));
            Chunk::check(&chunk.totals, &chunk.facts, &chunk.digest).map_err(damaged)?;
            let period: HalfYear = chunk.period.parse().map_err(|_| damaged(Damaged("it has no half-year")))?;
            let totals = Totals::read(&chunk.totals).map_err(damaged)?;
            let Some(at) = totals.find(subject) else { continue };
            let Some(place) = totals.measures().iter().position(|id| id == measure) else { continue };
            let stored = FactsOf::new(&totals, &chunk.facts, period).and_then(|mut facts| facts.of(at));
            let found = stored.map_err(damaged)?.into_iter();
            let found = found.filter(|fact| fact.measure == place && document_of(&fact.reference) == document);
            sources.extend(found.map(|fact| fact.source));
        }
        Ok(sources)
    }
}

impl Stager<'_> {
    /// Rejects voids of facts that nobody delivered, and leaves out those of facts that are void already; returns how many
    /// of the latter there are.
    pub(super) async fn check_voids(
        &self,
        rows: &mut Vec<CheckedRow>,
        text: &RowText,
        findings: &mut Vec<Finding>,
    ) -> Result<u64, ImportError> {
        let (mut kept, mut already) = (Vec::with_capacity(rows.len()), 0);
        for row in rows.drain(..) {
            match self.finding_of(text.slice(row.json.clone())).await? {
                None => kept.push(row),
                Some(finding) => {
                    already += u64::from(finding.severity == Severity::Warning);
                    findings.push(finding);
                }
            }
        }
        *rows = kept;
        Ok(already)
    }

    /// Why a void is not staged.
    async fn finding_of(&self, json: &str) -> Result<Option<Finding>, ImportError> {
        let row: Vec<serde_json::Value> = serde_json::from_str(json).map_err(ImportError::Json)?;
        let field = |at: usize| row.get(at).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let line = row.first().and_then(serde_json::Value::as_u64).unwrap_or(0);
        let (subject, measure, document) = (field(1), field(2), field(3));
        let importer = self.run.importer;
        let finding =
            |code, severity, message| Ok(Some(Finding { line, column: "reference", code, severity, message }));
        let sources = importer.sources_of(&subject, &measure, &document).await?;
        if sources.is_empty() {
            let message = format!("no accepted file has a fact of {measure} with this reference for {subject}");
            return finding(Code::FactUnknown, Severity::Reject, message);
        }
        let own = |sender: &super::Sender| sources.iter().any(|source| sender.sources.contains(source));
        if self.run.sender.as_ref().is_some_and(|sender| !own(sender)) {
            let message = "the fact was not reported by a source that this sender is registered for".into();
            return finding(Code::SourceForeign, Severity::Reject, message);
        }
        match importer.decisions(&subject).await?.remove(&(measure, document)) {
            Some(last) if last.restored == 0 => {
                let message = format!(
                    "was taken back already, by import {} on {}; nothing to do",
                    last.import_seq, last.decided_on
                );
                finding(Code::AlreadyVoid, Severity::Warning, message)
            }
            _ => Ok(None),
        }
    }
}
