//! What every subject of a run is rated by: the model, its scope, and how subjects stand towards each other.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::JoinSet;

use super::{
    GradingError,
    canonical::{self, BySubject},
    chain::{Chains, Waiting},
    eligibility::Standing,
    inputs::{Page, Scope, SumsOf, data},
    peers::PeerTable,
    status::{GRADED, NOT_RATED},
};
use crate::{
    domain::grade::NotRatedReason,
    scoring::{Measures, Model, rate},
    store::{Db, runs::ResultRow},
};

/// How many subjects are read, rated and written at a time.
const PAGE: usize = 2_000;

/// How many pages are under way at once.
const PAGES_UNDER_WAY: usize = 3;

/// What every page of a run is rated by.
#[derive(Debug, Clone)]
pub(super) struct Rating {
    db: Db,
    model: Arc<Model>,
    scope: Scope,
    subjects: Arc<[Standing]>,
    /// Subjects that others have for the head of their chain, where the model has a rule for heads.
    heads: Arc<BTreeSet<String>>,
    /// What subjects are compared by; without it, what is known of each already counts.
    peers: Option<Arc<PeerTable>>,
}

/// The pages of a rating, some of them under way at once; they come in no particular order, heads of chains last.
pub(super) struct Pages {
    rating: Rating,
    start: usize,
    under_way: JoinSet<Result<Rated, GradingError>>,
    chains: Chains,
}

impl Pages {
    /// The next page that is done.
    pub(super) async fn next(&mut self) -> Result<Option<Rated>, GradingError> {
        while self.under_way.len() < PAGES_UNDER_WAY && self.start < self.rating.subjects.len() {
            self.under_way.spawn(self.rating.clone().page(self.start));
            self.start += PAGE;
        }
        let Some(rated) = self.under_way.join_next().await else {
            return Ok(self.rating.heads(&mut self.chains, PAGE));
        };
        let mut rated = rated.unwrap_or(Err(GradingError::Stopped))?;
        for (result, parent) in rated.results.iter().zip(&rated.parents) {
            self.chains.note(&self.rating.model, parent.as_deref(), result);
        }
        rated.waiting.drain(..).for_each(|head| self.chains.wait(head));
        Ok(Some(rated))
    }
}

/// What came of some subjects.
#[derive(Debug, Default)]
pub(super) struct Rated {
    pub(super) results: Vec<ResultRow>,
    /// The digest of what was read of each.
    pub(super) inputs: Vec<String>,
    /// The head of each one's chain.
    parents: Vec<Option<String>>,
    /// ReadVersions that wait for their branches.
    waiting: Vec<Waiting>,
    /// How many facts were read of measures that the catalogue does not have.
    pub(super) unknown: u64,
}

/// What is gathered while a run is made.
#[derive(Default)]
pub(super) struct Tally {
    input: BySubject,
    outcome: BySubject,
    unknown: u64,
}

impl Tally {
    /// Takes in a page.
    pub(super) fn add(&mut self, rated: &Rated) {
        self.unknown += rated.unknown;
        for (result, input) in rated.results.iter().zip(&rated.inputs) {
            self.input.add(&result.subject_code, input.clone());
            self.outcome.add(&result.subject_code, canonical::outcome(result));
        }
    }

    /// How many subjects were taken in.
    pub(super) fn len(&self) -> usize {
        self.outcome.len()
    }

    /// The digest over what was read of every subject.
    pub(super) fn input_digest(&self) -> String {
        self.input.inputs()
    }

    /// The digest over what came of every subject.
    pub(super) fn outcome_digest(&self) -> String {
        self.outcome.outcomes()
    }
}

/// What is known of a subject before it is rated.
enum Known {
    /// It takes no part, and the digest of what was read says why.
    Not(NotRatedReason, String),
    /// It takes part.
    Of(Measures),
}

impl Rating {
    /// Makes ready to rate subjects, which come in the order of their codes. Where the model compares subjects with their
    /// peers, every subject's values are read first.
    pub(super) async fn new(
        db: Db,
        model: Arc<Model>,
        scope: Scope,
        mut subjects: Vec<Standing>,
    ) -> Result<Self, GradingError> {
        for standing in &mut subjects {
            standing.restrict(&model);
            standing.peers.clear();
            standing.branches = None;
        }
        let heads = subjects.iter().filter_map(|standing| standing.parent.clone()).collect();
        let mut rating = Self { db, model, scope, subjects: subjects.into(), heads: Arc::new(heads), peers: None };
        if !rating.model.peers().is_empty() {
            rating.peers = Some(Arc::new(rating.compare().await?));
        }
        Ok(rating)
    }

    /// Makes ready to rate one subject alone: how it stands towards others is taken as it is known.
    pub(super) fn alone(db: Db, model: Arc<Model>, scope: Scope, mut standing: Standing) -> Self {
        standing.restrict(&model);
        Self { db, model, scope, subjects: Arc::new([standing]), heads: Arc::default(), peers: None }
    }

    /// The same for one subject alone, with other imports.
    pub(super) fn of(&self, standing: Standing, imports: BTreeSet<i64>) -> Self {
        let scope = Scope { imports: Arc::new(imports), ..self.scope.clone() };
        Self::alone(self.db.clone(), self.model.clone(), scope, standing)
    }

    /// Begins to rate every subject.
    pub(super) fn pages(&self) -> Pages {
        Pages { rating: self.clone(), start: 0, under_way: JoinSet::new(), chains: Chains::default() }
    }

    /// Rates the only subject there is.
    pub(super) async fn only(&self) -> Result<ResultRow, GradingError> {
        let rated = self.clone().page(0).await?;
        rated.results.into_iter().next().ok_or(GradingError::Stopped)
    }

    /// The model.
    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// What is read.
    pub(super) const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// How many subjects there are.
    pub(super) fn subjects(&self) -> usize {
        self.subjects.len()
    }

    /// Gathers what subjects are compared by.
    async fn compare(&self) -> Result<PeerTable, GradingError> {
        let mut table = PeerTable::default();
        for start in (0..self.subjects.len()).step_by(PAGE) {
            let page = self.read(start).await?;
            let this = self.clone();
            let part = tokio::task::spawn_blocking(move || this.compare_page(start, page));
            table.merge(part.await.unwrap_or(Err(GradingError::Stopped))?);
        }
        table.sort();
        Ok(table)
    }

    fn compare_page(&self, start: usize, mut page: Page) -> Result<PeerTable, GradingError> {
        let mut table = PeerTable::default();
        for standing in self.page_of(start) {
            let sums = page.sums(&self.scope, &standing.code)?;
            if let Known::Of(measures) = self.known(standing, sums)? {
                table.add(&self.model, standing, &measures);
            }
        }
        Ok(table)
    }

    fn page_of(&self, start: usize) -> &[Standing] {
        let rest = self.subjects.get(start..).unwrap_or_default();
        rest.get(..PAGE).unwrap_or(rest)
    }

    async fn read(&self, start: usize) -> Result<Page, GradingError> {
        let codes: Vec<String> = self.page_of(start).iter().map(|standing| standing.code.clone()).collect();
        self.scope.page(&self.db, &codes).await
    }

    /// Rates the subjects from one on.
    async fn page(self, start: usize) -> Result<Rated, GradingError> {
        let page = self.read(start).await?;
        let rated = tokio::task::spawn_blocking(move || self.rate_page(start, page));
        rated.await.unwrap_or(Err(GradingError::Stopped))
    }

    fn rate_page(&self, start: usize, mut page: Page) -> Result<Rated, GradingError> {
        let mut rated = Rated::default();
        for standing in self.page_of(start) {
            let sums = page.sums(&self.scope, &standing.code)?;
            let mut standing = standing.clone();
            match self.known(&standing, sums)? {
                Known::Not(reason, input) => {
                    let mut result = self.nothing(&standing);
                    result.reason = Some(reason.as_str().to_owned());
                    rated.push(result, input, standing.parent);
                }
                Known::Of(measures) => {
                    if let Some(table) = &self.peers {
                        standing.peers = table.standing(&self.model, &standing, &measures);
                    }
                    let measures = standing.complete(&self.model, measures);
                    let input = canonical::input(&standing, Some(&measures), &self.scope.catalogue);
                    if self.heads.contains(&standing.code) {
                        rated.waiting.push(Waiting { standing, measures, input });
                    } else {
                        rated.push(self.graded(&standing, &measures), input, standing.parent);
                    }
                }
            }
        }
        rated.unknown = page.unknown;
        Ok(rated)
    }

    /// Rates heads that wait, so many at most; nothing where none does.
    fn heads(&self, chains: &mut Chains, most: usize) -> Option<Rated> {
        let mut rated = Rated::default();
        while rated.results.len() < most
            && let Some(Waiting { standing, measures, input }) = chains.next()
        {
            let measures = standing.complete(&self.model, measures);
            let result = self.graded(&standing, &measures);
            // What comes of it counts for its own head at once.
            chains.note(&self.model, standing.parent.as_deref(), &result);
            rated.push(result, input, None);
        }
        (!rated.results.is_empty()).then_some(rated)
    }

    /// What a subject's measures are, or why it takes no part.
    fn known(&self, standing: &Standing, sums: SumsOf) -> Result<Known, GradingError> {
        let Self { model, scope, .. } = self;
        if let Some(reason) = standing.not_rated(model, scope.period) {
            return Ok(Known::Not(reason, canonical::input(standing, None, &scope.catalogue)));
        }
        let signed = standing.agreement_signed_on;
        let measures = Measures::of_sums(&scope.catalogue, scope.period, scope.lookback, signed, sums)
            .map_err(|source| data(&standing.code, source))?;
        if model.exempted(&measures) {
            let input = canonical::input(standing, Some(&measures), &scope.catalogue);
            return Ok(Known::Not(NotRatedReason::Other, input));
        }
        Ok(Known::Of(measures))
    }

    fn nothing(&self, standing: &Standing) -> ResultRow {
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
        let mut result = self.nothing(standing);
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
