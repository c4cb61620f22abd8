//! The report of a round: how its grades are spread, by region and by level, who moved since the round before, and how
//! the other kinds stand in the same half-year.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    movement::{Movement, MovementTold},
    outcomes::{Column, Outcomes},
    percent,
    simulate::Followed,
    withhold::{Cell, Told, Withholding},
};
use crate::{
    domain::{Kinds, Timestamp, region::RegionTable},
    grading::{GradingError, Rounds, RunState, period::period_of, status::GRADED, transition::parse_state},
    store::{
        rounds::PlacedRow,
        runs::{self, RunRow},
    },
};

/// A count with its share of all of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// How many; nothing where it is withheld.
    pub count: Option<u64>,
    /// As a percentage with two decimals.
    pub percent: Option<String>,
}

/// A line of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableRow {
    /// The code of the region, level or reason; empty where the subject's file has none.
    pub code: String,
    /// Its name.
    pub name_zh: String,
    /// By column.
    pub cells: Vec<Share>,
    /// All of them together.
    pub total: Option<u64>,
}

/// How grades are spread over something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// The grades, best first, and not rated.
    pub columns: Vec<Column>,
    /// The lines.
    pub rows: Vec<TableRow>,
}

/// How another kind of subject stands in the same half-year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindLine {
    /// The kind.
    pub kind: String,
    /// Its name.
    pub name_zh: String,
    /// The run.
    pub run: String,
    /// Its scheme.
    pub scheme: String,
    /// Its grades.
    pub columns: Vec<Column>,
    /// How many came to each.
    pub cells: Vec<Share>,
    /// How many it covers.
    pub total: Option<u64>,
    /// The share that rose since the round before.
    pub risen_percent: Option<String>,
    /// The share that fell.
    pub fallen_percent: Option<String>,
}

/// The report of a round.
#[derive(Debug, Clone, Serialize)]
pub struct RoundReport {
    /// The run.
    pub run: String,
    /// Its state.
    pub state: String,
    /// Whether nothing is withheld: for the bureau's own eyes.
    pub internal: bool,
    /// Counts from one up to this number are withheld, and what they could be computed from.
    pub withheld_below: Option<u64>,
    /// The kind of subject.
    pub kind: String,
    /// Its name.
    pub kind_zh: String,
    /// The half-year.
    pub period: String,
    /// The model's id.
    pub model: String,
    /// Its name.
    pub model_zh: String,
    /// Its version.
    pub model_version: i64,
    /// The scheme's id.
    pub scheme: String,
    /// Its name.
    pub scheme_zh: String,
    /// Its version.
    pub scheme_version: i64,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// The last day on which its grades are good.
    pub valid_until: Option<String>,
    /// How many assessments were corrected since.
    pub corrections: usize,
    /// How many subjects it covers.
    pub subjects: Option<u64>,
    /// How many of them were graded.
    pub graded: Option<u64>,
    /// How its grades are spread: shares are of those graded.
    pub grades: Vec<(Column, Share)>,
    /// How many were not rated, by reason.
    pub not_rated: Vec<(Column, Share)>,
    /// By region.
    pub by_region: Table,
    /// By level.
    pub by_level: Table,
    /// Who moved since the round before.
    pub movement: Option<MovementTold>,
    /// Every kind with a round of the half-year.
    pub kinds: Vec<KindLine>,
    /// What is done about whom; not told where counts are withheld.
    pub measures: Vec<Followed>,
    /// The digest of the model.
    pub model_digest: String,
    /// The digest of what was read.
    pub input_digest: String,
    /// The digest of what came of it.
    pub outcome_digest: String,
}

/// The cells of a table before it is known which may be told.
struct Draft {
    rows: Vec<(String, String, Vec<Cell>, Cell)>,
}

impl Rounds {
    /// The report of a run. Without `internal`, counts from one up to `below` are withheld, and only what was published
    /// is reported at all.
    pub async fn round_report(
        &self,
        run_id: &str,
        names: (&Kinds, &RegionTable),
        (internal, below): (bool, u64),
    ) -> Result<RoundReport, GradingError> {
        let now = self.outcomes(run_id).await?;
        let state = parse_state(&now.row.state)?;
        if !internal && !state.was_published() {
            return Err(GradingError::NotForOthers { run: now.row.id, state });
        }
        let below = (!internal).then_some(below);
        let before = self.outcomes_before(&now.row).await?;
        let measures = if internal { self.measures(&now, before.as_ref()).await? } else { Vec::new() };
        let corrections = self.corrections(run_id).await?.len();
        let kinds = self.kind_lines(&now, names.0, below).await?;
        let figures = Figures::of(&now, before.as_ref(), Some(names.1), below);
        let name = |kind: &str| names.0.find(kind).map_or_else(|| kind.to_owned(), |kind| kind.name.clone());
        let Outcomes { row, model, .. } = now;
        Ok(RoundReport {
            run: row.id,
            state: row.state,
            internal,
            withheld_below: below,
            kind_zh: name(&row.kind),
            kind: row.kind,
            period: row.period,
            model: model.id,
            model_zh: model.name_zh,
            model_version: model.version,
            scheme: model.scheme.id,
            scheme_zh: model.scheme.name_zh,
            scheme_version: model.scheme.version,
            published_at: row.published_at.map(Timestamp::from_micros),
            valid_until: row.valid_until_on,
            corrections,
            subjects: figures.subjects,
            graded: figures.graded,
            grades: figures.grades,
            not_rated: figures.not_rated,
            by_region: figures.by_region,
            by_level: figures.by_level,
            movement: figures.movement,
            kinds,
            measures,
            model_digest: row.model_digest,
            input_digest: row.input_digest,
            outcome_digest: row.outcome_digest,
        })
    }

    /// Every kind with a round of the same half-year, this run's own first.
    async fn kind_lines(
        &self,
        now: &Outcomes,
        names: &Kinds,
        below: Option<u64>,
    ) -> Result<Vec<KindLine>, GradingError> {
        let all = runs::list(&self.env.db.read("report")).await.map_err(GradingError::during("listing the runs"))?;
        let others = |other: &&RunRow| {
            other.state == RunState::Published.as_str()
                && other.period == now.row.period
                && (&other.kind, &other.scheme) != (&now.row.kind, &now.row.scheme)
        };
        let mut others: Vec<&RunRow> = all.iter().filter(others).collect();
        others.sort_by(|one, other| (&one.kind, &one.scheme).cmp(&(&other.kind, &other.scheme)));
        let mut lines = vec![self.kind_line(now, names, below).await?];
        for other in others {
            let other = self.outcomes(&other.id).await?;
            lines.push(self.kind_line(&other, names, below).await?);
        }
        Ok(lines)
    }

    async fn kind_line(&self, of: &Outcomes, names: &Kinds, below: Option<u64>) -> Result<KindLine, GradingError> {
        let before = self.outcomes_before(&of.row).await?;
        let figures = Figures::of(of, before.as_ref(), None, below);
        let kind = of.row.kind.clone();
        let movement = figures.movement.as_ref();
        Ok(KindLine {
            name_zh: names.find(&kind).map_or_else(|| kind.clone(), |kind| kind.name.clone()),
            kind,
            run: of.row.id.clone(),
            scheme: of.row.scheme.clone(),
            columns: figures.grades.iter().map(|(column, _)| column.clone()).collect(),
            cells: figures.grades.iter().map(|(_, share)| share.clone()).collect(),
            total: figures.subjects,
            risen_percent: movement.and_then(|of| of.risen_percent.clone()),
            fallen_percent: movement.and_then(|of| of.fallen_percent.clone()),
        })
    }
}

/// Everything that is told together of one run, so that nothing withheld in one table is told by another.
struct Figures {
    subjects: Option<u64>,
    graded: Option<u64>,
    grades: Vec<(Column, Share)>,
    not_rated: Vec<(Column, Share)>,
    by_region: Table,
    by_level: Table,
    movement: Option<MovementTold>,
}

impl Figures {
    fn of(now: &Outcomes, before: Option<&Outcomes>, regions: Option<&RegionTable>, below: Option<u64>) -> Self {
        let mut system = Withholding::default();
        let columns = now.columns();
        let overall: Vec<Cell> =
            now.counts(now.subjects.values()).into_iter().map(|count| system.cell(count)).collect();
        let subjects = system.total(&overall);
        let (grades, unrated) = overall.split_at(overall.len().saturating_sub(1));
        let graded = system.total(grades);
        system.adds_up(subjects, &[&[graded], unrated].concat());
        let ends = period_of(&now.row).map(|period| period.last_month().last_day()).ok();
        let named = |code: &str| {
            let line = regions.zip(ends).and_then(|(table, ends)| table.find(code.parse().ok()?, ends));
            line.map_or_else(|| code.to_owned(), |line| line.name.clone())
        };
        let region = spread(now, &mut system, (&overall, subjects), |row| row.region.clone(), named);
        let level = spread(now, &mut system, (&overall, subjects), |row| row.level.clone(), str::to_owned);
        let reasons = reasons(now, &mut system, unrated);
        let movement = before.map(|before| Movement::between(before, now));
        let placed = movement.as_ref().map(|movement| movement.place(&mut system, &overall));
        let told = system.told(below);
        let of_graded = |cell: &Cell| share(&told, *cell, graded);
        Self {
            subjects: told.of(subjects),
            graded: told.of(graded),
            grades: columns.iter().cloned().zip(grades.iter().map(of_graded)).collect(),
            not_rated: reasons.into_iter().map(|(column, cell)| (column, share(&told, cell, subjects))).collect(),
            by_region: region.told(&columns, &told),
            by_level: level.told(&columns, &told),
            movement: movement.zip(placed).map(|(movement, placed)| movement.told(&placed, &told)),
        }
    }
}

/// A table over what a subject's file says; who has nothing there, or is no longer known, comes last.
fn spread(
    now: &Outcomes,
    system: &mut Withholding,
    (overall, subjects): (&[Cell], Cell),
    of: impl Fn(&PlacedRow) -> Option<String>,
    named: impl Fn(&str) -> String,
) -> Draft {
    let mut groups: BTreeMap<(usize, String), Vec<&PlacedRow>> = BTreeMap::new();
    for row in now.subjects.values() {
        let code = of(row);
        groups.entry((rank(code.as_deref()), code.unwrap_or_default())).or_default().push(row);
    }
    let rows: Vec<(String, String, Vec<Cell>, Cell)> = groups
        .into_iter()
        .map(|((rank, code), rows)| {
            let cells: Vec<Cell> = now.counts(rows.into_iter()).into_iter().map(|count| system.cell(count)).collect();
            let total = system.total(&cells);
            let name = if rank == UNKNOWN { "未登记".to_owned() } else { named(&code) };
            (code, name, cells, total)
        })
        .collect();
    for (at, total) in overall.iter().enumerate() {
        let column: Vec<Cell> = rows.iter().filter_map(|(_, _, cells, _)| cells.get(at).copied()).collect();
        system.adds_up(*total, &column);
    }
    let totals: Vec<Cell> = rows.iter().map(|(_, _, _, total)| *total).collect();
    system.adds_up(subjects, &totals);
    Draft { rows }
}

/// The place of who has nothing there.
const UNKNOWN: usize = usize::MAX;

/// Levels stand highest first; what has no order of its own stands by its code.
fn rank(code: Option<&str>) -> usize {
    const LEVELS: [&str; 3] = ["三级", "二级", "一级"];
    code.map_or(UNKNOWN, |code| LEVELS.iter().position(|level| *level == code).unwrap_or(LEVELS.len()))
}

impl Draft {
    fn told(self, columns: &[Column], told: &Told) -> Table {
        let row = |(code, name_zh, cells, total): (String, String, Vec<Cell>, Cell)| TableRow {
            code,
            name_zh,
            cells: cells.into_iter().map(|cell| share(told, cell, total)).collect(),
            total: told.of(total),
        };
        Table { columns: columns.to_vec(), rows: self.rows.into_iter().map(row).collect() }
    }
}

fn reasons(now: &Outcomes, system: &mut Withholding, unrated: &[Cell]) -> Vec<(Column, Cell)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for row in now.subjects.values().filter(|row| row.status != GRADED) {
        *counts.entry(row.reason.as_deref().unwrap_or("other")).or_default() += 1;
    }
    let reasons: Vec<(Column, Cell)> = counts
        .into_iter()
        .map(|(code, count)| {
            (Column { code: code.to_owned(), name_zh: reason_zh(code).to_owned() }, system.cell(count))
        })
        .collect();
    if let [total] = unrated {
        let cells: Vec<Cell> = reasons.iter().map(|(_, cell)| *cell).collect();
        system.adds_up(*total, &cells);
    }
    reasons
}

/// The words for why a subject takes no part.
fn reason_zh(code: &str) -> &str {
    match code {
        "agreement_under_one_year" => "签订医保服务协议不满一年",
        "agreement_ended_by_subject" => "主动解除服务协议",
        "agreement_ended_by_bureau" => "被解除服务协议",
        "licence_suspended" => "执业许可暂停或吊销",
        _ => "其他情形",
    }
}

fn share(told: &Told, count: Cell, of: Cell) -> Share {
    let count = told.of(count);
    Share { count, percent: count.zip(told.of(of)).map(|(count, of)| percent(count, of)) }
}
