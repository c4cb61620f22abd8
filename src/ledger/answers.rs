//! The journal of answers: a file outside the database with the name of each answer that left this host (docs/RECOVERY.md).
//!
//! An answer is in it after the commit of its record and before its release. A database that was turned back lacks entries of
//! the journal: a gateway recognises it by the last ones, and a recovery names each answer that is lost. It holds
//! identifiers and no personal data. It is not synced for each answer: it outlives the gateway, and a host that loses its power
//! may lose the last names, which the banks' receipts still have.

use std::{
    collections::HashSet,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Value, json};

use super::{
    audit::{Action, Change, audit},
    checkpoint_file::CheckpointFile,
    error::LedgerError,
};
use crate::{
    domain::Actor,
    store::{Db, DbError, Env, LineFile, LineTail, Syncing, ledger::append as table},
};

/// The size from which a file is set aside for another one. The names of the last million answers, at the least, remain.
const MAX_BYTES: u64 = 128 * 1024 * 1024;
/// After how many bytes the size is looked at again.
const LOOKED_AT: u64 = 1024 * 1024;
/// How many bytes at the end of the journal hold the newest entry: more than the largest batches write that are committed
/// concurrently.
const TAIL_BYTES: u64 = 1024 * 1024;
/// How many entries are looked for by one statement.
const LOOKED_UP: usize = 1000;
/// How many lost answers one entry names.
const NAMED: usize = 200;

/// An answer that was about to be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenAnswer {
    /// Its entry.
    pub id: String,
    /// Who got it.
    pub client: String,
    /// The consent that it was given under; none for a delivery, whose lines have one each.
    pub consent: Option<String>,
}

impl GivenAnswer {
    fn line(&self) -> String {
        format!("{} {} {}\n", self.id, self.client, self.consent.as_deref().unwrap_or("-"))
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(line).ok()?.split(' ').map(str::to_owned);
        let (id, client) = (words.next()?, words.next()?);
        Some(Self { id, client, consent: words.next().filter(|consent| consent != "-") })
    }
}

/// The journal of one epoch. Cheap to clone; several processes of a machine may share the file.
#[derive(Debug, Clone)]
pub struct AnswerJournal {
    file: LineFile,
    beside: CheckpointFile,
    epoch: u32,
    /// How many bytes this process has written.
    written: Arc<AtomicU64>,
}

impl AnswerJournal {
    /// The journal of an epoch that belongs to a checkpoint file.
    pub fn beside(checkpoint_file: &Path, epoch: u32) -> Self {
        let beside = CheckpointFile::new(checkpoint_file.to_owned());
        let file = LineFile::new(beside.neighbour(&format!(".answers.{epoch}")));
        Self { file, beside, epoch, written: Arc::default() }
    }

    /// The journals of earlier epochs whose answers nobody has looked for yet.
    fn former(&self) -> impl Iterator<Item = Self> {
        (1..self.epoch)
            .map(|epoch| Self::beside(self.beside.path(), epoch))
            .filter(|journal| journal.file.path().exists() || journal.full().path().exists())
    }

    /// The file that was set aside when it was full.
    fn full(&self) -> LineFile {
        LineFile::new(self.beside.neighbour(&format!(".answers.{}.full", self.epoch)))
    }

    /// Adds answers. They outlive the process when this returns.
    pub async fn append(&self, answers: &[GivenAnswer]) -> io::Result<()> {
        let text: String = answers.iter().map(GivenAnswer::line).collect();
        let length = u64::try_from(text.len()).unwrap_or(0);
        let before = self.written.fetch_add(length, Ordering::Relaxed);
        // Not each time: it is one more look at the file for each batch.
        if before == 0 || before / LOOKED_AT != (before + length) / LOOKED_AT {
            self.file.set_aside(MAX_BYTES, self.full().path().to_owned()).await?;
        }
        self.file.append(text, Syncing::Later).await
    }

    /// The entries of the last answers, of which one is the last that was committed.
    pub(super) async fn last(&self) -> io::Result<Vec<String>> {
        let mut tail = parse(&self.file.read_last(TAIL_BYTES).await?);
        if tail.is_empty() {
            // It was set aside a moment ago.
            tail = parse(&self.full().read_last(TAIL_BYTES).await?);
        }
        Ok(tail.into_iter().map(|answer| answer.id).collect())
    }

    async fn read(&self) -> io::Result<Vec<GivenAnswer>> {
        let mut answers = parse(&self.full().read_from(0).await?);
        answers.extend(parse(&self.file.read_from(0).await?));
        Ok(answers)
    }

    /// Keeps it as evidence under another name.
    async fn close(&self) -> io::Result<()> {
        for (file, name) in [(self.full(), "reported.full"), (self.file.clone(), "reported")] {
            let to = self.beside.neighbour(&format!(".answers.{}.{name}", self.epoch));
            file.set_aside(0, to).await?;
        }
        Ok(())
    }
}

fn parse(tail: &LineTail) -> Vec<GivenAnswer> {
    tail.lines().filter_map(GivenAnswer::parse).collect()
}

/// Looks for the answers that this host gave in earlier epochs, and records each that the database lacks as lost
/// ([`Action::AnswersLost`]). Returns the lost ones. The journals of those epochs are looked at only this time.
///
/// A crash before a journal is renamed has its answers reported twice, never not at all.
pub async fn report_lost_answers(
    env: &Env,
    journal: &AnswerJournal,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<Vec<GivenAnswer>, LedgerError> {
    let mut all = Vec::new();
    for former in journal.former() {
        let lost = missing(&env.db, former.read().await.map_err(LedgerError::Answers)?).await?;
        if !lost.is_empty() {
            let mut tx = env.db.begin("ledger.report_lost").await?;
            for answers in lost.chunks(NAMED) {
                let named: Vec<_> = answers.iter().map(named).collect();
                let detail = json!({ "epoch": former.epoch, "answers": named });
                audit(&mut tx, env, actor, Action::AnswersLost, None, Change::of(detail).because(reason)).await?;
            }
            tx.commit().await?;
            tracing::error!(
                count = lost.len(),
                "answers that banks have are not in the ledger: its entries `answers_lost` name each of them"
            );
        }
        former.close().await.map_err(LedgerError::Answers)?;
        all.extend(lost);
    }
    Ok(all)
}

fn named(answer: &GivenAnswer) -> Value {
    json!({ "id": answer.id, "client": answer.client, "consent": answer.consent })
}

/// Those of some answers whose entries the database lacks, each once.
async fn missing(db: &Db, mut answers: Vec<GivenAnswer>) -> Result<Vec<GivenAnswer>, DbError> {
    let mut seen = HashSet::new();
    answers.retain(|answer| seen.insert(answer.id.clone()));
    let mut missing = Vec::new();
    for some in answers.chunks(LOOKED_UP) {
        let rows: Vec<_> = some.iter().map(|answer| json!({ "id": answer.id })).collect();
        let found: HashSet<_> = table::find_entries(db, Value::from(rows).to_string()).await?.into_iter().collect();
        missing.extend(some.iter().filter(|answer| !found.contains(&answer.id)).cloned());
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::{AnswerJournal, GivenAnswer};

    fn answer(id: &str, consent: Option<&str>) -> GivenAnswer {
        GivenAnswer { id: id.into(), client: "cli_1".into(), consent: consent.map(str::to_owned) }
    }

    #[tokio::test]
    async fn each_epoch_has_a_journal_until_it_was_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        let [first, third] = [1, 3].map(|epoch| AnswerJournal::beside(&path, epoch));
        let given = [answer("dis_1", Some("con_1")), answer("dis_2", None)];
        first.append(&given).await.unwrap();
        third.append(&[answer("dis_3", None)]).await.unwrap();
        assert_eq!(first.last().await.unwrap(), ["dis_1", "dis_2"]);
        assert_eq!(first.former().count(), 0);
        let former: Vec<_> = third.former().collect();
        assert_eq!(former.len(), 1);
        assert_eq!(former[0].read().await.unwrap(), given);
        former[0].close().await.unwrap();
        assert_eq!(third.former().count(), 0);
        assert!(directory.path().join("checkpoint.answers.1.reported").exists());
        assert_eq!(third.read().await.unwrap(), [answer("dis_3", None)]);
    }
}
