//! The report of a round: the distribution of its grades, by region and by level, the movement since the round before, and
//! the other kinds of subject in the same half-year.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    movement::{Movement, MovementTable},
    outcomes::{Column, Outcomes},
    simulate::MeasureCount,
    suppression::{Cell, Released, Suppression},
};
use crate::{
    domain::{Kinds, Timestamp, region::RegionTable},
    grading::{
        GradingError, Rounds, RunState, percent::percent, period::period_of, status::GRADED, transition::parse_state,
    },
    store::{
        rounds::RegionalResultRow,
        runs::{self, RunRow},
    },
};

/// A count, and its share of the total of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// The count; none where it is withheld.
    pub count: Option<u64>,
    /// The share as a percentage with two decimals.
    pub percent: Option<String>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableRow {
    /// The code of the region, level or reason; empty where the subject's file has none.
    pub code: String,
    pub name_zh: String,
    /// The counts by column.
    pub cells: Vec<Share>,
    /// The total of the row.
    pub total: Option<u64>,
}

/// The distribution of grades over regions or levels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// The grades, best first, and not rated.
    pub columns: Vec<Column>,
    pub rows: Vec<TableRow>,
}

/// The grades of one kind of subject in the half-year of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindLine {
    pub kind: String,
    pub name_zh: String,
    pub run: String,
    pub scheme: String,
    pub columns: Vec<Column>,
    /// The counts by grade.
    pub cells: Vec<Share>,
    /// The number of subjects.
    pub total: Option<u64>,
    /// The share whose grade rose since the round before.
    pub risen_percent: Option<String>,
    /// The share whose grade fell since the round before.
    pub fallen_percent: Option<String>,
}

/// The report of a round.
#[derive(Debug, Clone, Serialize)]
pub struct RoundReport {
    pub run: String,
    pub state: String,
    /// Whether the report is for the bureau only, with nothing withheld.
    pub internal: bool,
    /// Counts from one up to this number are withheld, with the counts from which they could be computed.
    pub withheld_below: Option<u64>,
    /// The kind of subject.
    pub kind: String,
    pub kind_zh: String,
    pub period: String,
    pub model: String,
    pub model_zh: String,
    pub model_version: i64,
    pub scheme: String,
    pub scheme_zh: String,
    pub scheme_version: i64,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// The last day on which the grades are valid.
    pub valid_until: Option<String>,
    /// The number of corrections since publication.
    pub corrections: usize,
    /// The number of subjects that the run covers.
    pub subjects: Option<u64>,
    /// The number of graded subjects.
    pub graded: Option<u64>,
    /// The counts by grade; shares are of all graded subjects.
    pub grades: Vec<(Column, Share)>,
    /// The counts of subjects that were not rated, by reason.
    pub not_rated: Vec<(Column, Share)>,
    /// The distribution by region.
    pub by_region: Table,
    /// The distribution by level.
    pub by_level: Table,
    /// The movement since the round before.
    pub movement: Option<MovementTable>,
    /// Every kind with a round of the same half-year.
    pub kinds: Vec<KindLine>,
    /// The measures that the grades lead to; empty where counts are withheld.
    pub measures: Vec<MeasureCount>,
    /// The digest of the model.
    pub model_digest: String,
    /// The digest of the inputs.
    pub input_digest: String,
    /// The digest of the results.
    pub outcome_digest: String,
}

/// The names that a report prints beside codes.
#[derive(Debug, Clone, Copy)]
pub struct ReportNames<'a> {
    /// The names of kinds.
    pub kinds: &'a Kinds,
    /// The names of regions.
    pub regions: &'a RegionTable,
}

/// A table as cells of a suppression system.
struct TableCells {
    rows: Vec<RowCells>,
}

/// A row of [`TableCells`].
struct RowCells {
    code: String,
    name_zh: String,
    cells: Vec<Cell>,
    total: Cell,
}

/// The counts over all subjects of a run, as cells of a suppression system.
struct OverallCells {
    columns: Vec<Cell>,
    subjects: Cell,
}

impl Rounds {
    /// The report of a run. With `withheld_below` it is for readers outside the bureau: counts from one up to this number are
    /// withheld, and only published runs are reported. Without it the report is internal.
    pub async fn round_report(
        &self,
        run_id: &str,
        names: ReportNames<'_>,
        withheld_below: Option<u64>,
    ) -> Result<RoundReport, GradingError> {
        let internal = withheld_below.is_none();
        let now = self.outcomes(run_id).await?;
        let state = parse_state(&now.row.state)?;
        // Before anything is computed: results that do not count yet must not reach readers outside.
        if !internal && !state.was_published() {
            return Err(GradingError::NotForOthers { run: now.row.id, state });
        }
        let before = self.outcomes_before(&now.row).await?;
        // Counts of measures are outside the suppression system, so they are for the bureau only.
        let measures = if internal { self.measures(&now, before.as_ref()).await? } else { Vec::new() };
        let corrections = self.corrections(run_id).await?.len();
        let kinds = self.kind_lines(&now, names.kinds, withheld_below).await?;
        let figures = Figures::of(&now, before.as_ref(), Some(names.regions), withheld_below);
        let name = |kind: &str| names.kinds.find(kind).map_or_else(|| kind.to_owned(), |kind| kind.name.clone());
        let Outcomes { row, model, .. } = now;
        Ok(RoundReport {
            run: row.id,
            state: row.state,
            internal,
            withheld_below,
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

    /// Every kind with a round of the same half-year, the kind of this run first.
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

    async fn kind_line(
        &self,
        outcomes: &Outcomes,
        names: &Kinds,
        below: Option<u64>,
    ) -> Result<KindLine, GradingError> {
        let before = self.outcomes_before(&outcomes.row).await?;
        let figures = Figures::of(outcomes, before.as_ref(), None, below);
        let kind = outcomes.row.kind.clone();
        let movement = figures.movement.as_ref();
        Ok(KindLine {
            name_zh: names.find(&kind).map_or_else(|| kind.clone(), |kind| kind.name.clone()),
            kind,
            run: outcomes.row.id.clone(),
            scheme: outcomes.row.scheme.clone(),
            columns: figures.grades.iter().map(|(column, _)| column.clone()).collect(),
            cells: figures.grades.iter().map(|(_, share)| share.clone()).collect(),
            total: figures.subjects,
            risen_percent: movement.and_then(|table| table.risen_percent.clone()),
            fallen_percent: movement.and_then(|table| table.fallen_percent.clone()),
        })
    }
}

/// All figures of one run. They share one suppression system, so that no table reveals what another one withholds.
struct Figures {
    subjects: Option<u64>,
    graded: Option<u64>,
    grades: Vec<(Column, Share)>,
    not_rated: Vec<(Column, Share)>,
    by_region: Table,
    by_level: Table,
    movement: Option<MovementTable>,
}

impl Figures {
    fn of(now: &Outcomes, before: Option<&Outcomes>, regions: Option<&RegionTable>, below: Option<u64>) -> Self {
        let mut system = Suppression::default();
        let columns = now.columns();
        let cells: Vec<Cell> = now.counts(now.subjects.values()).into_iter().map(|count| system.cell(count)).collect();
        let subjects = system.total(&cells);
        let overall = OverallCells { columns: cells, subjects };
        let (grades, unrated) = overall.columns.split_at(overall.columns.len().saturating_sub(1));
        let graded = system.total(grades);
        // Known to readers even if it is not printed, so the system must know it too.
        system.adds_up(subjects, &[&[graded], unrated].concat());
        let ends = period_of(&now.row).map(|period| period.last_month().last_day()).ok();
        let named = |code: &str| {
            let line = regions.zip(ends).and_then(|(table, ends)| table.find(code.parse().ok()?, ends));
            line.map_or_else(|| code.to_owned(), |line| line.name.clone())
        };
        let region = spread(now, &mut system, &overall, |row| row.region.clone(), named);
        let level = spread(now, &mut system, &overall, |row| row.level.clone(), str::to_owned);
        let reasons = reasons(now, &mut system, unrated);
        let movement = before.map(|before| Movement::between(before, now));
        let placed = movement.as_ref().map(|movement| movement.add_to(&mut system, &overall.columns));
        // Only now, when every count and every sum is in: a sum added later could reveal a count that was released.
        let released = system.release(below);
        let of_graded = |cell: &Cell| share(&released, *cell, graded);
        Self {
            subjects: released.get(subjects),
            graded: released.get(graded),
            grades: columns.iter().cloned().zip(grades.iter().map(of_graded)).collect(),
            not_rated: reasons.into_iter().map(|(column, cell)| (column, share(&released, cell, subjects))).collect(),
            by_region: region.release(&columns, &released),
            by_level: level.release(&columns, &released),
            movement: movement.zip(placed).map(|(movement, cells)| movement.table(&cells, &released)),
        }
    }
}

/// The distribution over a field of the subjects' files. Subjects without a value, or no longer registered, come last.
fn spread(
    now: &Outcomes,
    system: &mut Suppression,
    overall: &OverallCells,
    of: impl Fn(&RegionalResultRow) -> Option<String>,
    named: impl Fn(&str) -> String,
) -> TableCells {
    let mut groups: BTreeMap<(usize, String), Vec<&RegionalResultRow>> = BTreeMap::new();
    for row in now.subjects.values() {
        let code = of(row);
        groups.entry((rank(code.as_deref()), code.unwrap_or_default())).or_default().push(row);
    }
    let rows: Vec<RowCells> = groups
        .into_iter()
        .map(|((rank, code), rows)| {
            let cells: Vec<Cell> = now.counts(rows.into_iter()).into_iter().map(|count| system.cell(count)).collect();
            let total = system.total(&cells);
            let name = if rank == UNKNOWN { "未登记".to_owned() } else { named(&code) };
            RowCells { code, name_zh: name, cells, total }
        })
        .collect();
    for (at, total) in overall.columns.iter().enumerate() {
        let column: Vec<Cell> = rows.iter().filter_map(|row| row.cells.get(at).copied()).collect();
        system.adds_up(*total, &column);
    }
    let totals: Vec<Cell> = rows.iter().map(|row| row.total).collect();
    system.adds_up(overall.subjects, &totals);
    TableCells { rows }
}

/// The rank of subjects without a value.
const UNKNOWN: usize = usize::MAX;

/// Ranks levels, the highest first; everything else is ordered by code.
fn rank(code: Option<&str>) -> usize {
    const LEVELS: [&str; 3] = ["三级", "二级", "一级"];
    code.map_or(UNKNOWN, |code| LEVELS.iter().position(|level| *level == code).unwrap_or(LEVELS.len()))
}

impl TableCells {
    fn release(self, columns: &[Column], released: &Released) -> Table {
        let row = |RowCells { code, name_zh, cells, total }| TableRow {
            code,
            name_zh,
            cells: cells.into_iter().map(|cell| share(released, cell, total)).collect(),
            total: released.get(total),
        };
        Table { columns: columns.to_vec(), rows: self.rows.into_iter().map(row).collect() }
    }
}

/// The reasons of subjects that were not rated.
fn reasons(now: &Outcomes, system: &mut Suppression, unrated: &[Cell]) -> Vec<(Column, Cell)> {
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

/// The Chinese words of a reason.
fn reason_zh(code: &str) -> &str {
    match code {
        "agreement_under_one_year" => "签订医保服务协议不满一年",
        "agreement_ended_by_subject" => "主动解除服务协议",
        "agreement_ended_by_bureau" => "被解除服务协议",
        "licence_suspended" => "执业许可暂停或吊销",
        "insufficient_data" => "数据不足",
        _ => "其他情形",
    }
}

fn share(released: &Released, count: Cell, of: Cell) -> Share {
    let count = released.get(count);
    Share { count, percent: count.zip(released.get(of)).map(|(count, of)| percent(count, of)) }
}
