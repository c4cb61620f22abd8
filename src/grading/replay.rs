//! Replay: a run is recomputed from its stored model, its stored catalogue and the imports it read, and everything is
//! compared with what it stored.
//!
//! Compared in this order, so that the first difference is the cause of the later ones: the model and the catalogue, the
//! chunks of facts, the results, corrections, and the published assessments.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{
    GradingError, Rounds, RunState,
    canonical::{self, BySubject},
    documents::{read_document, read_model},
    eligibility::Standing,
    excluded::Counting,
    rating::{Rating, Tally},
    results::stored_standings,
    scope::{AsOf, Scope},
    transition::parse_state,
};
use crate::{
    facts::Chunk,
    scoring::{Catalogue, Model},
    store::{
        facts as table,
        rounds::{self, AssessmentRow},
        runs::{ResultRow, RunRow},
    },
};

/// The number of results that are read at a time.
const PAGE: i64 = 1000;

/// The number of differences that are listed; further ones are only counted.
const LISTED: usize = 10;

/// A stored digest, and the recomputed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Digests {
    /// The digest that the run stored.
    pub kept: String,
    /// The recomputed digest; none where it could not be computed.
    pub found: Option<String>,
}

/// A difference between what is stored and what is recomputed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The subject; none for a chunk of facts, the model or the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_code: Option<String>,
    /// `model`, `catalogue`, `facts`, `result`, `assessment` or `correction`.
    pub what: &'static str,
    /// The stored value.
    pub kept: String,
    /// The recomputed value.
    pub found: String,
}

/// The outcome of a replay.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    pub run: String,
    pub state: String,
    /// The number of recomputed subjects.
    pub subjects: usize,
    /// The number of checked chunks of facts.
    pub chunks: usize,
    /// The number of recomputed corrections.
    pub corrections: usize,
    /// The digests of the model.
    pub model: Digests,
    /// The digests of the catalogue.
    pub catalogue: Digests,
    /// The digests of the inputs.
    pub input: Digests,
    /// The digests of the results.
    pub outcome: Digests,
    /// The number of differences.
    pub differing: usize,
    /// The first differences.
    pub differences: Vec<Difference>,
}

impl Digests {
    fn is_same(&self) -> bool {
        self.found.as_ref() == Some(&self.kept)
    }
}

impl Replayed {
    /// Whether nothing differs.
    pub fn is_proven(&self) -> bool {
        let digests = [&self.model, &self.catalogue, &self.input, &self.outcome];
        self.differing == 0 && digests.into_iter().all(Digests::is_same)
    }

    fn of(run: &RunRow) -> Self {
        let kept = |digest: &str| Digests { kept: digest.to_owned(), found: None };
        Self {
            run: run.id.clone(),
            state: run.state.clone(),
            subjects: 0,
            chunks: 0,
            corrections: 0,
            model: kept(&run.model_digest),
            catalogue: kept(&run.catalogue_digest),
            input: kept(&run.input_digest),
            outcome: kept(&run.outcome_digest),
            differing: 0,
            differences: Vec::new(),
        }
    }

    fn differ(&mut self, subject: Option<&str>, what: &'static str, kept: String, found: String) {
        self.differing += 1;
        if self.differences.len() < LISTED {
            self.differences.push(Difference { subject_code: subject.map(str::to_owned), what, kept, found });
        }
    }
}

impl Rounds {
    /// Recomputes a run and compares everything. `progress` is called with the number of subjects done so far, and of all.
    pub async fn replay(
        &self,
        run_id: &str,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Replayed, GradingError> {
        let run = self.find(run_id).await?;
        let state = parse_state(&run.state)?;
        if state == RunState::Discarded {
            return Err(GradingError::NoResults(run.id));
        }
        let mut replayed = Replayed::of(&run);
        let kept = self.stored_results(&run.id).await?;
        if let Some((model, catalogue)) = self.replay_documents(&run, &mut replayed).await? {
            let scope = Scope::of_run(&self.env.db, &run, &model, catalogue, None).await?;
            if self.replay_chunks(&scope, &mut replayed).await? {
                let subjects = stored_standings(&kept)?;
                let rating = Rating::new(self.env.db.clone(), Arc::new(model), scope, subjects).await?;
                self.replay_results(&rating, &kept, &mut replayed, progress).await?;
                self.replay_corrections(&run, &rating, &mut replayed).await?;
            }
        }
        if state.was_published() {
            self.replay_published(&run, &kept, &mut replayed).await?;
        }
        Ok(replayed)
    }

    /// The stored model and catalogue; `None` where their digests differ.
    async fn replay_documents(
        &self,
        run: &RunRow,
        replayed: &mut Replayed,
    ) -> Result<Option<(Model, Catalogue)>, GradingError> {
        for (what, digest) in [("model", &run.model_digest), ("catalogue", &run.catalogue_digest)] {
            let found = canonical::document(&read_document(&self.env.db, digest, &run.id).await?);
            let digests = if what == "model" { &mut replayed.model } else { &mut replayed.catalogue };
            digests.found = Some(found.clone());
            if found != *digest {
                replayed.differ(None, what, digest.clone(), found);
            }
        }
        // By another model every result would differ: the cause is reported and not its effects.
        if replayed.differing > 0 {
            return Ok(None);
        }
        read_model(&self.env.db, run).await.map(Some)
    }

    /// Compares each chunk that the run read with its digest; false where one is damaged.
    async fn replay_chunks(&self, scope: &Scope, replayed: &mut Replayed) -> Result<bool, GradingError> {
        let during = || GradingError::during("reading the facts");
        let (from, to) = scope.halves();
        let chunks = rounds::chunks(&self.env.db.read("replay"), scope.catalogue.kind(), (&from, &to)).await;
        let mut whole = true;
        for position in chunks.map_err(during())?.into_iter().filter(|chunk| scope.imports.contains(&chunk.import_seq))
        {
            let chunk =
                table::chunk(&self.env.db.read("replay"), position.import_seq, position.part).await.map_err(during())?;
            // A chunk that was deleted shows as a difference of the results that read it.
            let Some(chunk) = chunk else { continue };
            replayed.chunks += 1;
            if let Err(damage) = Chunk::check(&chunk.totals, &chunk.facts, &chunk.digest) {
                whole = false;
                let kept = format!("part {} of import {}", position.part, position.import_seq);
                replayed.differ(None, "facts", kept, damage.to_string());
            }
        }
        Ok(whole)
    }

    /// Recomputes every result.
    async fn replay_results(
        &self,
        rating: &Rating,
        kept: &BTreeMap<String, ResultRow>,
        replayed: &mut Replayed,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(), GradingError> {
        let mut tally = Tally::default();
        let mut pages = rating.pages();
        progress(0, kept.len());
        let mut differing = BTreeMap::new();
        while let Some(rated) = pages.next().await? {
            tally.add(&rated);
            for found in &rated.results {
                if let Some(kept) = kept.get(&found.subject_code)
                    && !same(kept, found)
                {
                    differing.insert(found.subject_code.clone(), (in_words(kept), in_words(found)));
                }
            }
            progress(tally.len(), kept.len());
        }
        // Sorted by code: pages come in no particular order.
        for (subject, (kept, found)) in differing {
            replayed.differ(Some(&subject), "result", kept, found);
        }
        replayed.subjects = tally.len();
        replayed.input.found = Some(tally.input_digest());
        replayed.outcome.found = Some(tally.outcome_digest());
        // A missing result does not show above, but it changes the digest over the stored results.
        let mut digests = BySubject::default();
        for (code, row) in kept {
            digests.add(code, canonical::outcome(row));
        }
        let present = digests.outcomes();
        if replayed.differing == 0 && present != replayed.outcome.kept {
            let kept = replayed.outcome.kept.clone();
            replayed.differ(None, "result", kept, present);
        }
        Ok(())
    }

    /// Compares the first published versions with the results of the run.
    async fn replay_published(
        &self,
        run: &RunRow,
        kept: &BTreeMap<String, ResultRow>,
        replayed: &mut Replayed,
    ) -> Result<(), GradingError> {
        let mut published: BTreeMap<String, AssessmentRow> = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page = rounds::first_published_page(&self.env.db.read("replay"), &run.id, &after, PAGE).await;
            let page = page.map_err(GradingError::during("reading the assessments"))?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.subject_code);
            published.extend(page.into_iter().map(|row| (row.subject_code.clone(), row)));
        }
        let absent = || "nothing".to_owned();
        for (code, result) in kept {
            match published.remove(code) {
                Some(row) if same_published(&row, result) => {}
                Some(row) => replayed.differ(Some(code), "assessment", published_in_words(&row), in_words(result)),
                None => replayed.differ(Some(code), "assessment", absent(), in_words(result)),
            }
        }
        for (code, row) in published {
            replayed.differ(Some(&code), "assessment", published_in_words(&row), absent());
        }
        Ok(())
    }

    /// Recomputes every correction.
    async fn replay_corrections(
        &self,
        run: &RunRow,
        rating: &Rating,
        replayed: &mut Replayed,
    ) -> Result<(), GradingError> {
        let during = || GradingError::during("reading the corrections");
        for row in rounds::corrections(&self.env.db.read("replay"), &run.id).await.map_err(during())? {
            let standing = Standing::from_json(&row.subject_code, &row.standing).map_err(during())?;
            let counting = Counting::of_number(row.counting);
            let at = AsOf { imports_to: row.imports_to, counting, subject: Some(&row.subject_code) };
            let found = rating.for_subject(standing, at).await?.rate_single().await?;
            let code = row.subject_code.as_str();
            let kept =
                rounds::version(&self.env.db.read("replay"), code, &run.id, row.version).await.map_err(during())?;
            let is_same = kept.as_ref().is_some_and(|kept| same_published(kept, &found));
            if !is_same || found.findings != row.findings {
                let kept = kept.as_ref().map_or_else(|| "nothing".to_owned(), published_in_words);
                replayed.differ(Some(code), "correction", kept, in_words(&found));
            }
            replayed.corrections += 1;
        }
        Ok(())
    }
}

fn same(kept: &ResultRow, found: &ResultRow) -> bool {
    (&kept.status, &kept.reason, &kept.grade, kept.points) == (&found.status, &found.reason, &found.grade, found.points)
        && kept.findings == found.findings
        && kept.standing == found.standing
}

fn same_published(row: &AssessmentRow, result: &ResultRow) -> bool {
    (&row.status, &row.reason, &row.grade, row.points) == (&result.status, &result.reason, &result.grade, result.points)
}

fn in_words(row: &ResultRow) -> String {
    words(&row.status, row.reason.as_deref(), row.grade.as_deref(), row.points)
}

fn published_in_words(row: &AssessmentRow) -> String {
    words(&row.status, row.reason.as_deref(), row.grade.as_deref(), row.points)
}

fn words(status: &str, reason: Option<&str>, grade: Option<&str>, points: Option<i64>) -> String {
    let points = points.map(|points| crate::domain::money::MilliPoints(points).to_string());
    let parts = [Some(status), reason, grade, points.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
