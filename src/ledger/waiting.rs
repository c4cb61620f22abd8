//! Answers that wait to be recorded, and what a batch of them is compared by and written as.

use std::collections::HashMap;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    answers::GivenAnswer,
    append::{add_entry, add_opening},
    disclosed::{Disclosed, Draft, RecordError},
};
use crate::store::ledger::append as table;

/// The channel by which a caller receives the outcome of its answer.
pub(super) type Reply = oneshot::Sender<Result<Disclosed, RecordError>>;

/// An answer in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Boxed: it is moved from queue to batch to caller.
    pub(super) draft: Box<Draft>,
    pub(super) reply: Reply,
    /// Its share of the queue's bytes, released when the answer is decided.
    _memory: OwnedSemaphorePermit,
    /// The bank's id as text.
    pub(super) bank: String,
}

impl Waiting {
    /// Prepares everything that needs no transaction, on the caller's own task.
    pub(super) fn new(draft: Box<Draft>, reply: Reply, memory: OwnedSemaphorePermit) -> Self {
        // Formatted once, on the caller's task: locks, comparison and rows all need it as text.
        let bank = draft.versions.client_id.to_string();
        Self { draft, reply, _memory: memory, bank }
    }

    /// What the journal of answers says of it.
    pub(super) fn given(&self) -> GivenAnswer {
        let (client, consent) = (self.bank.clone(), self.draft.opening.consent_id.clone());
        GivenAnswer { id: self.draft.entry.id().to_owned(), client, consent }
    }
}

/// The versions that the answers of a batch rest on.
pub(super) struct BatchVersions {
    pub(super) columns: table::VersionColumns,
    /// For each answer the position of its bank's row.
    pub(super) bank_positions: Vec<i64>,
}

/// Collects the versions of a batch. The answers to one bank rest on the same epoch, so it is compared once for all of
/// them.
pub(super) fn versions_of(batch: &[Waiting]) -> BatchVersions {
    let (mut columns, mut bank_positions) = (table::VersionColumns::default(), Vec::with_capacity(batch.len()));
    let mut banks: HashMap<(&str, i64), i64> = HashMap::new();
    for (position, waiting) in (0i64..).zip(batch) {
        let versions = &waiting.draft.versions;
        // Banks count downwards from -1, so that one list of stale positions serves answers and banks without
        // ambiguity.
        let next = -1 - i64::try_from(banks.len()).unwrap_or(i64::MAX - 1);
        let bank_position = *banks.entry((&waiting.bank, versions.client_epoch)).or_insert(next);
        let client = Some(waiting.bank.clone());
        if bank_position == next {
            let epoch = Some(versions.client_epoch);
            let client = client.clone();
            columns.push(table::VersionRow { position: next, client, epoch, ..table::VersionRow::default() });
        }
        bank_positions.push(bank_position);
        let mut subjects =
            versions.subjects.iter().cloned().map(|(code, version)| table::SubjectVersion { code, version });
        let consent = table::ConsentVersion {
            id: versions.consent_id.to_string(),
            version: versions.consent_version,
            publication: versions.publication,
            rendered_at: versions.now,
        };
        // The first subject is compared in its consent's row; only further ones need rows of their own.
        let (consent, subject) = (Some(consent), subjects.next());
        columns.push(table::VersionRow { position, client, epoch: None, consent, subject });
        for subject in subjects {
            columns.push(table::VersionRow { position, subject: Some(subject), ..table::VersionRow::default() });
        }
    }
    BatchVersions { columns, bank_positions }
}

/// The entries of answers with their openings, in the answers' order.
pub(super) fn rows_of<'a>(answers: impl Iterator<Item = &'a Waiting>) -> table::EntryRows {
    let mut rows = table::EntryRows::default();
    for Waiting { draft, .. } in answers {
        add_entry(&mut rows.entries, &draft.entry);
        add_opening(&mut rows.openings, draft.entry.id(), &draft.opening);
    }
    rows
}
