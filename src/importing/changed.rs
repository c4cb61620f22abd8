//! Whether later imports have changed what a file delivered: then the same file is not known, but delivers it again.

use std::collections::{BTreeSet, HashSet};

use super::{
    ImportError, Importer, Template,
    delivered::{facts_of, identity},
};
use crate::{
    facts::{StoredFact, document_hash},
    scoring::Catalogue,
    store::{
        facts::{self, ChunkRow},
        imports::{self, ImportRow},
        staging::Staging,
    },
};

impl Importer {
    /// Whether a later import may have changed rows of one, or may let rows be accepted that it rejected.
    pub(super) async fn is_changed(&self, template: Template, import: &ImportRow) -> Result<bool, ImportError> {
        let failed = || ImportError::store("look for later imports");
        let read = self.env.db.read("imports::later");
        let later = |template: &'static str| imports::later(&read, template, import.seq);
        // Rows may have been rejected because their subjects were not imported.
        if import.rejected > 0 && later("subjects").await.map_err(failed())? {
            return Ok(true);
        }
        if !later(template.as_str()).await.map_err(failed())? {
            return Ok(false);
        }
        match template.staging() {
            None => self.facts_are_changed(import.seq).await,
            // Which subjects a file had is not stored, and a file of voids is small.
            Some(Staging::Subjects | Staging::Voids) => Ok(true),
            Some(staging) => staging.is_overwritten(&read, import.seq).await.map_err(failed()),
        }
    }

    /// Whether a later import has a fact of an import: files of other months, measures or sources have none, and stay known.
    async fn facts_are_changed(&self, import: i64) -> Result<bool, ImportError> {
        let failed = || ImportError::store("compare with later facts");
        let read = self.env.db.read("facts::later");
        let accepted = facts::accepted(&read).await.map_err(failed())?;
        let later: BTreeSet<i64> = accepted
            .into_iter()
            .filter(|other| other.seq > import && other.replaced_by.is_none())
            .map(|other| other.seq)
            .collect();
        for part in facts::parts(&read, import).await.map_err(failed())? {
            let Some(catalogue) = self.references.catalogues.get(&part.kind) else { continue };
            let mut others =
                facts::earlier(&read, &part.kind, (&part.first_code, &part.last_code)).await.map_err(failed())?;
            others.retain(|other| later.contains(&other.import_seq));
            if others.is_empty() {
                continue;
            }
            let Some(chunk) = facts::chunk(&read, import, part.part).await.map_err(failed())? else { continue };
            let own = hashes(catalogue, &chunk, None)?;
            for other in others {
                let Some(other) = facts::chunk(&read, other.import_seq, other.part).await.map_err(failed())? else {
                    continue;
                };
                if hashes(catalogue, &other, Some((&part.first_code, &part.last_code)))?
                    .iter()
                    .any(|hash| own.contains(hash))
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Hashes of what identifies the facts of a chunk. Two facts with one hash only cause an import that changes nothing.
fn hashes(catalogue: &Catalogue, chunk: &ChunkRow, range: Option<(&str, &str)>) -> Result<HashSet<u64>, ImportError> {
    let facts = facts_of(chunk, |code| range.is_none_or(|(first, last)| first <= code && code <= last))?;
    let of_subject = |(code, of): (String, Vec<_>)| of.into_iter().map(move |one| (code.clone(), one));
    let hash = |(code, (measure, fact)): (String, (String, StoredFact))| {
        let (code, measure, rest) = identity(catalogue, &code, measure, &fact);
        document_hash(&code, &measure, &rest)
    };
    Ok(facts.into_iter().flat_map(of_subject).map(hash).collect())
}
