//! Results of a round that are computed again for a correction: the subject's, and those of the heads of its chain whose
//! grades follow from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    GradingError, Rounds,
    documents::{read_model, read_model_file},
    eligibility::Standing,
    period::{method_of, period_of},
    rating::Rating,
    results::assessment,
    scope::Scope,
    status::GRADED,
};
use crate::{
    domain::HalfYear,
    scoring::{Branches, Catalogue, Chain, Method, Model, ModelFile},
    store::{
        Tx,
        assessments::NewAssessment,
        rounds::{self, BranchRow},
        runs::{self, ResultRow, RunRow},
    },
};

/// A recomputed result, and the last import that it was computed from.
pub(super) struct Recomputed {
    pub(super) result: ResultRow,
    pub(super) new: NewAssessment,
    pub(super) imports_to: i64,
    /// How its facts were counted.
    pub(super) counting: i64,
    /// The branches that it was computed with, where it is a head.
    branches: Grades,
}

/// What the results of a run are recomputed with: read once, however many they are.
pub(super) struct RunInputs {
    model: Arc<Model>,
    catalogue: Catalogue,
    /// The model as the run stored it, by which the published assessments were made.
    file: ModelFile,
    period: HalfYear,
    method: Method,
    standings: BTreeMap<String, Standing>,
}

/// Status and grade of assessments, by subject.
type Grades = BTreeMap<String, (String, Option<String>)>;

/// What the branches of a head come to, level by level: those of a head below that is not rated count for the one above.
struct BranchCount<'a> {
    chain: &'a Chain,
    passes_up: bool,
    found: Option<Branches>,
    /// What was counted.
    grades: Grades,
    /// Heads whose branches are still to be counted.
    open: Vec<String>,
    seen: BTreeSet<String>,
}

impl<'a> BranchCount<'a> {
    fn of(chain: &'a Chain, passes_up: bool, head: &str) -> Self {
        let seen = BTreeSet::from([head.to_owned()]);
        Self { chain, passes_up, found: None, grades: Grades::new(), open: vec![head.to_owned()], seen }
    }

    fn add(&mut self, rows: Vec<BranchRow>, replaced: &Grades) {
        for row in rows {
            let (status, grade) = match replaced.get(&row.subject_code) {
                Some((status, grade)) => (status.clone(), grade.clone()),
                None => (row.status, row.grade),
            };
            self.grades.insert(row.subject_code.clone(), (status.clone(), grade.clone()));
            let counts = self.found.get_or_insert_default();
            if status == GRADED {
                counts.of += 1;
                counts.counted += u32::from(grade.as_ref() == Some(&self.chain.counts));
            } else if self.passes_up && self.seen.insert(row.subject_code.clone()) {
                self.open.push(row.subject_code);
            }
        }
    }
}

/// The pattern by which results name a head. Codes are letters and digits only.
fn names_as_parent(head: &str) -> String {
    format!("%\"parent\":\"{head}\"%")
}

impl Rounds {
    /// Recomputes a result, and then the heads above it, as long as a grade changes.
    pub(super) async fn recompute_chain(&self, run: &RunRow, subject: &str) -> Result<Vec<Recomputed>, GradingError> {
        let mut replaced = Grades::new();
        let inputs = self.run_inputs(run).await?;
        let first = self.recompute_now(run, &inputs, subject, &replaced).await?;
        // Most models have no chains, and then nothing else follows.
        if inputs.file.chain.is_none() {
            return Ok(vec![first]);
        }
        let mut seen = BTreeSet::from([subject.to_owned()]);
        let mut above = self.head_above(run, subject).await?;
        let mut changed = self.changes(run, &first).await?;
        replaced.insert(subject.to_owned(), (first.new.status.clone(), first.new.grade.clone()));
        let mut all = vec![first];
        // A cycle ends at the first head that was recomputed already.
        while let Some(head) = above.take().filter(|head| changed && seen.insert(head.clone())) {
            if self.result_of(run, &head).await?.is_none() {
                break;
            }
            above = self.head_above(run, &head).await?;
            let again = self.recompute_now(run, &inputs, &head, &replaced).await?;
            // A head that is not rated stays so, and what is below it counts for the next one.
            if again.new.status == GRADED {
                changed = self.changes(run, &again).await?;
                replaced.insert(head, (again.new.status.clone(), again.new.grade.clone()));
                all.push(again);
            }
        }
        Ok(all)
    }

    /// Reads what the results of a run are recomputed with.
    pub(super) async fn run_inputs(&self, run: &RunRow) -> Result<RunInputs, GradingError> {
        let (model, catalogue) = read_model(&self.env.db, run).await?;
        let period = period_of(run)?;
        let standings = self.subjects(&run.kind, period).await?;
        Ok(RunInputs {
            model: Arc::new(model),
            catalogue,
            file: read_model_file(&self.env.db, &run.model_digest, &run.id).await?,
            period,
            method: method_of(run)?,
            standings: standings.into_iter().map(|standing| (standing.code.clone(), standing)).collect(),
        })
    }

    /// Recomputes the result of a subject by itself, without the heads above it.
    pub(super) async fn recompute_one(
        &self,
        run: &RunRow,
        inputs: &RunInputs,
        subject: &str,
    ) -> Result<Recomputed, GradingError> {
        self.recompute_now(run, inputs, subject, &Grades::new()).await
    }

    /// Recomputes one result from the present facts and the statuses of the half-year's end, as a run would.
    async fn recompute_now(
        &self,
        run: &RunRow,
        inputs: &RunInputs,
        subject: &str,
        replaced: &Grades,
    ) -> Result<Recomputed, GradingError> {
        let RunInputs { model, catalogue, file, period, method, standings } = inputs;
        let scope = Scope::of_period(&self.env.db, *period, model, catalogue.clone(), *method, Some(subject)).await?;
        // Stored with the correction, so that a replay reads the same facts.
        let (imports_to, counting) = (scope.imports_to, scope.counting.number());
        let standing = standings.get(subject).cloned();
        let mut standing = standing.ok_or_else(|| GradingError::NotCovered(subject.to_owned()))?;
        // Its ranks are those that the run stored, because the other subjects are not recomputed.
        if let Some(found) = self.result_of(run, subject).await? {
            let stored = Standing::from_json(subject, &found.standing);
            standing = standing.with_relations_of(&stored.map_err(GradingError::during("reading the result"))?);
        }
        // Its branches are those of today: they may have been corrected since.
        let branches = match self.branches(run, model.file(), subject, replaced).await? {
            Some((found, grades)) => {
                standing.branches = found;
                grades
            }
            None => Grades::new(),
        };
        let rating = Rating::single(self.env.db.clone(), model.clone(), scope, standing);
        let result = rating.rate_single().await?;
        let new = assessment(run, file, result.clone())?;
        Ok(Recomputed { result, new, imports_to, counting, branches })
    }

    /// The branches of a head, by the newest assessments of the round; `None` under a model without chains.
    async fn branches(
        &self,
        run: &RunRow,
        file: &ModelFile,
        head: &str,
        replaced: &Grades,
    ) -> Result<Option<(Option<Branches>, Grades)>, GradingError> {
        let Some(chain) = &file.chain else { return Ok(None) };
        let mut count = BranchCount::of(chain, method_of(run)?.passes_branches_up(), head);
        while let Some(head) = count.open.pop() {
            let rows = rounds::branches(&self.env.db.read("branches"), &run.id, &names_as_parent(&head)).await;
            count.add(rows.map_err(GradingError::during("counting the branches"))?, replaced);
        }
        Ok(Some((count.found, count.grades)))
    }

    /// Whether the branches of a head still have the grades that it was recomputed with. In the transaction of the
    /// correction, which has locked the head and sees what it has written itself.
    pub(super) async fn still_has(&self, tx: &mut Tx, run: &RunRow, head: &Recomputed) -> Result<bool, GradingError> {
        let codes: Vec<String> = head.branches.keys().cloned().collect();
        let rows = rounds::grades_of(tx, &run.id, &codes).await;
        let rows = rows.map_err(GradingError::during("counting the branches"))?;
        let present: Grades = rows.into_iter().map(|row| (row.subject_code, (row.status, row.grade))).collect();
        Ok(present == head.branches)
    }

    async fn result_of(&self, run: &RunRow, subject: &str) -> Result<Option<ResultRow>, GradingError> {
        let found = runs::result(&self.env.db.read("correct"), &run.id, subject).await;
        found.map_err(GradingError::during("reading the result"))
    }

    /// The head of a subject's chain, as the run had it.
    async fn head_above(&self, run: &RunRow, subject: &str) -> Result<Option<String>, GradingError> {
        let Some(found) = self.result_of(run, subject).await? else { return Ok(None) };
        let standing = Standing::from_json(subject, &found.standing);
        Ok(standing.map_err(GradingError::during("reading the result"))?.parent)
    }

    /// Whether a recomputed result has another status or grade than the assessment in force.
    async fn changes(&self, run: &RunRow, again: &Recomputed) -> Result<bool, GradingError> {
        let code = &again.new.subject_code;
        let newest = rounds::newest_of(&self.env.db.read("correct"), code, &run.id).await;
        let newest = newest.map_err(GradingError::during("reading the assessment"))?;
        Ok(newest
            .is_none_or(|newest| (newest.status, newest.grade) != (again.new.status.clone(), again.new.grade.clone())))
    }
}
