//! Rating all subjects of a run: the model, the facts in scope, and the relations between subjects.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::JoinSet;

use super::{
    GradingError,
    canonical::{self, BySubject},
    chain::{Chains, Waiting},
    eligibility::Standing,
    fact_page::{FactPage, SourceConflict},
    peers::PeerTable,
    scope::{AsOf, Scope},
    status::{GRADED, NOT_RATED},
};
use crate::{
    domain::grade::NotRatedReason,
    scoring::{MeasureSums, Measures, Model, rate},
    store::{Db, runs::ResultRow},
};

/// The number of subjects that are read, rated and written together.
const PAGE: usize = 2_000;

/// The number of pages in flight: enough to read one page while others are rated, few enough to bound memory.
const PAGES_IN_FLIGHT: usize = 3;

/// Everything that the pages of a run have in common.
#[derive(Debug, Clone)]
pub(super) struct Rating {
    db: Db,
    model: Arc<Model>,
    scope: Scope,
    subjects: Arc<[Standing]>,
    /// The heads of chains, where the model has a rule for heads.
    heads: Arc<BTreeSet<String>>,
    /// The values of all peers; without it the ranks that standings already have count.
    peers: Option<Arc<PeerTable>>,
}

/// The pages of a rating. Some are in flight together, so they come in no particular order; heads of chains come last.
pub(super) struct Pages {
    rating: Rating,
    start: usize,
    in_flight: JoinSet<Result<Rated, GradingError>>,
    chains: Chains,
}

impl Pages {
    /// The next page that is rated.
    pub(super) async fn next(&mut self) -> Result<Option<Rated>, GradingError> {
        while self.in_flight.len() < PAGES_IN_FLIGHT && self.start < self.rating.subjects.len() {
            self.in_flight.spawn(self.rating.clone().page(self.start));
            self.start += PAGE;
        }
        let Some(rated) = self.in_flight.join_next().await else {
            return Ok(self.rating.heads(&mut self.chains, PAGE));
        };
        // A task that panicked ends the run: a round without one page would look complete.
        let mut rated = rated.unwrap_or(Err(GradingError::Stopped))?;
        for (result, parent) in rated.results.iter().zip(&rated.parents) {
            self.chains.count(&self.rating.model, parent.as_deref(), result);
        }
        rated.waiting.drain(..).for_each(|head| self.chains.wait(head));
        rated.passing.drain(..).for_each(|(head, above)| self.chains.pass(head, above));
        Ok(Some(rated))
    }
}

/// The results of some subjects.
#[derive(Debug, Default)]
pub(super) struct Rated {
    pub(super) results: Vec<ResultRow>,
    /// The digest of the inputs of each.
    pub(super) inputs: Vec<String>,
    /// The head of the chain of each.
    parents: Vec<Option<String>>,
    /// Heads that wait for their branches.
    waiting: Vec<Waiting>,
    /// Heads that are not rated, whose branches count for the head above.
    passing: Vec<(String, String)>,
    /// The stocks for which two sources reported different values on one day.
    conflicts: Vec<SourceConflict>,
    /// The number of facts of measures that the catalogue does not have.
    pub(super) unknown: u64,
}

/// Digests and counts over the pages of a run.
#[derive(Default)]
pub(super) struct Tally {
    input: BySubject,
    outcome: BySubject,
    pub(super) unknown: u64,
    /// Sorted, because pages come in no particular order.
    pub(super) conflicts: BTreeSet<SourceConflict>,
}

impl Tally {
    /// Adds a page.
    pub(super) fn add(&mut self, rated: &Rated) {
        self.unknown += rated.unknown;
        self.conflicts.extend(rated.conflicts.iter().cloned());
        for (result, input) in rated.results.iter().zip(&rated.inputs) {
            self.input.add(&result.subject_code, input.clone());
            self.outcome.add(&result.subject_code, canonical::outcome(result));
        }
    }

    /// The number of subjects added.
    pub(super) fn len(&self) -> usize {
        self.outcome.len()
    }

    /// The digest of the inputs of every subject.
    pub(super) fn input_digest(&self) -> String {
        self.input.inputs()
    }

    /// The digest of the results of every subject.
    pub(super) fn outcome_digest(&self) -> String {
        self.outcome.outcomes()
    }
}

/// Whether a subject takes part.
enum Eligibility {
    /// It does not, for this reason; with the digest of its inputs.
    NotRated(NotRatedReason, String),
    /// It does, with these measures.
    Rated(Measures),
}

impl Rating {
    /// Prepares to rate subjects, which must be in byte order of codes. Where the model compares subjects with their peers,
    /// the values of every subject are read first.
    pub(super) async fn new(
        db: Db,
        model: Arc<Model>,
        scope: Scope,
        mut subjects: Vec<Standing>,
    ) -> Result<Self, GradingError> {
        // Standings of a replay have what the run stored: it is computed again and not copied.
        for standing in &mut subjects {
            standing.restrict(&model);
            standing.peers.clear();
            standing.branches = None;
        }
        let heads = subjects.iter().filter_map(|standing| standing.parent.clone()).collect();
        let mut rating = Self { db, model, scope, subjects: subjects.into(), heads: Arc::new(heads), peers: None };
        if !rating.model.peers().is_empty() {
            rating.peers = Some(Arc::new(rating.peer_table().await?));
        }
        Ok(rating)
    }

    /// Prepares to rate one subject alone, with the ranks and branches that its standing already has.
    pub(super) fn single(db: Db, model: Arc<Model>, scope: Scope, mut standing: Standing) -> Self {
        standing.restrict(&model);
        Self { db, model, scope, subjects: Arc::new([standing]), heads: Arc::default(), peers: None }
    }

    /// The same for one subject alone, as of other imports.
    pub(super) async fn for_subject(&self, standing: Standing, at: AsOf<'_>) -> Result<Self, GradingError> {
        let scope = self.scope.as_of(&self.db, at).await?;
        Ok(Self::single(self.db.clone(), self.model.clone(), scope, standing))
    }

    /// Starts to rate every subject.
    pub(super) fn pages(&self) -> Pages {
        Pages { rating: self.clone(), start: 0, in_flight: JoinSet::new(), chains: Chains::default() }
    }

    /// Rates the subject of [`Rating::single`].
    pub(super) async fn rate_single(&self) -> Result<ResultRow, GradingError> {
        let rated = self.clone().page(0).await?;
        rated.results.into_iter().next().ok_or(GradingError::Stopped)
    }

    /// The model.
    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// The facts in scope.
    pub(super) const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The number of subjects.
    pub(super) fn subjects(&self) -> usize {
        self.subjects.len()
    }

    /// Reads the values of every subject that takes part.
    async fn peer_table(&self) -> Result<PeerTable, GradingError> {
        let mut table = PeerTable::default();
        for start in (0..self.subjects.len()).step_by(PAGE) {
            let page = self.read(start).await?;
            let this = self.clone();
            // Off the runtime's threads: a page is some milliseconds of computing.
            let part = tokio::task::spawn_blocking(move || this.peers_of_page(start, page));
            table.merge(part.await.unwrap_or(Err(GradingError::Stopped))?);
        }
        table.sort();
        Ok(table)
    }

    fn peers_of_page(&self, start: usize, mut page: FactPage) -> Result<PeerTable, GradingError> {
        let mut table = PeerTable::default();
        for standing in self.page_of(start) {
            let sums = page.sums(&self.scope, &standing.code)?;
            if let Eligibility::Rated(measures) = self.eligibility(standing, sums)? {
                table.add(&self.model, standing, &measures);
            }
        }
        Ok(table)
    }

    fn page_of(&self, start: usize) -> &[Standing] {
        let rest = self.subjects.get(start..).unwrap_or_default();
        rest.get(..PAGE).unwrap_or(rest)
    }

    async fn read(&self, start: usize) -> Result<FactPage, GradingError> {
        let codes: Vec<String> = self.page_of(start).iter().map(|standing| standing.code.clone()).collect();
        FactPage::read(&self.scope, &self.db, &codes).await
    }

    /// Rates the subjects from one on.
    async fn page(self, start: usize) -> Result<Rated, GradingError> {
        let page = self.read(start).await?;
        // Off the runtime's threads, as above.
        let rated = tokio::task::spawn_blocking(move || self.rate_page(start, page));
        rated.await.unwrap_or(Err(GradingError::Stopped))
    }

    fn rate_page(&self, start: usize, mut page: FactPage) -> Result<Rated, GradingError> {
        let mut rated = Rated::default();
        for standing in self.page_of(start) {
            let sums = page.sums(&self.scope, &standing.code)?;
            let mut standing = standing.clone();
            match self.eligibility(&standing, sums)? {
                Eligibility::NotRated(reason, input) => {
                    let mut result = self.not_graded(&standing);
                    result.reason = Some(reason.as_str().to_owned());
                    if let Some(above) = self.passes_up(&standing) {
                        rated.passing.push((standing.code, above));
                    }
                    rated.push(result, input, standing.parent);
                }
                Eligibility::Rated(measures) => {
                    if let Some(table) = &self.peers {
                        standing.peers = table.ranks(&self.model, &standing, &measures);
                    }
                    let measures = standing.complete(&self.model, measures);
                    let input = canonical::input(&standing, Some(&measures), &self.scope.catalogue);
                    if self.heads.contains(&standing.code) {
                        // A head is rated when all its branches are, which may be on later pages.
                        rated.waiting.push(Waiting { standing, measures, input });
                    } else {
                        rated.push(self.graded(&standing, &measures), input, standing.parent);
                    }
                }
            }
        }
        rated.unknown = page.unknown;
        rated.conflicts = page.conflicts;
        Ok(rated)
    }

    /// The head above a head that is not rated: the branches below count for it (三(一)4 其下属零售药店).
    fn passes_up(&self, standing: &Standing) -> Option<String> {
        let is_head = self.scope.method.passes_branches_up() && self.heads.contains(&standing.code);
        standing.parent.clone().filter(|_| is_head)
    }

    /// Rates up to `limit` waiting heads; `None` where none waits.
    fn heads(&self, chains: &mut Chains, limit: usize) -> Option<Rated> {
        let mut rated = Rated::default();
        while rated.results.len() < limit
            && let Some(Waiting { standing, measures, input }) = chains.next()
        {
            let measures = standing.complete(&self.model, measures);
            let result = self.graded(&standing, &measures);
            // It may be a branch itself: its own head, which comes later, counts it.
            chains.count(&self.model, standing.parent.as_deref(), &result);
            rated.push(result, input, None);
        }
        (!rated.results.is_empty()).then_some(rated)
    }

    /// The measures of a subject, or why it takes no part.
    fn eligibility(&self, standing: &Standing, sums: Vec<MeasureSums>) -> Result<Eligibility, GradingError> {
        let Self { model, scope, .. } = self;
        let reasons = standing.not_rated(model, scope.period);
        if let Some(reason) = reasons.first().filter(|reason| !model.may_except(**reason)) {
            return Ok(Eligibility::NotRated(*reason, canonical::input(standing, None, &scope.catalogue)));
        }
        let signed = standing.agreement_signed_on;
        let measures = Measures::of_sums(&scope.catalogue, scope.period, scope.lookback, signed, sums)
            .map_err(|source| GradingError::data(&standing.code, source))?
            .with_method(scope.method);
        let by_file = reasons.into_iter().find(|reason| !model.excepts(*reason, &measures));
        let exempted = || model.exempted(&measures).then_some(NotRatedReason::Other);
        let without_data = || (model.needs_data() && measures.is_empty()).then_some(NotRatedReason::InsufficientData);
        if let Some(reason) = by_file.or_else(exempted).or_else(without_data) {
            let input = canonical::input(standing, Some(&measures), &scope.catalogue);
            return Ok(Eligibility::NotRated(reason, input));
        }
        Ok(Eligibility::Rated(measures))
    }

    fn not_graded(&self, standing: &Standing) -> ResultRow {
        ResultRow {
            subject_code: standing.code.clone(),
            status: NOT_RATED.to_owned(),
            reason: None,
            grade: None,
            points: None,
            findings: "[]".to_owned(),
            standing: standing.to_json(&self.model),
        }
    }

    fn graded(&self, standing: &Standing, measures: &Measures) -> ResultRow {
        let outcome = rate(&self.model, measures);
        let mut result = self.not_graded(standing);
        GRADED.clone_into(&mut result.status);
        result.grade = Some(outcome.grade);
        result.points = outcome.points.map(|points| points.0);
        result.findings = outcome.parts.to_json();
        result
    }
}

impl Rated {
    fn push(&mut self, result: ResultRow, input: String, parent: Option<String>) {
        self.results.push(result);
        self.inputs.push(input);
        self.parents.push(parent);
    }
}
