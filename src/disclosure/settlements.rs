//! `settlements`: the months of the codes in good standing, with small cells suppressed.

use std::borrow::Cow;

use serde::Serialize;

use super::{
    Disclosures, SmallCells,
    reading::{CachedReading, CurrentGrades, Extent, Reading, RequestedPeriod},
    small_cells::ReleasedMonth,
};
use crate::{
    access::Caller,
    consent::{ConsentPermit, MonthRange},
    domain::{
        Day, Failure, Fen, Month,
        permission::{Permission, Purpose},
        settlement::{Insurance, SettlementStatus},
    },
    grading::{CurrentAssessment, in_good_standing},
    store::settlements::{self, SettlementRow},
};

/// Reads the settlement months of the covered codes in good standing.
#[derive(Debug, Clone, Copy)]
pub struct Settlements(pub MonthRange);

/// Monthly settlement summaries (医保月度结算数据). Amounts are integer fen.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SettlementsAnswer {
    /// The id of the consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// The purpose of the reading.
    pub purpose: Purpose,
    /// The unified social credit code of the legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// The first month of the answer.
    #[schema(value_type = String, example = "2026-01")]
    pub from: Month,
    /// The last month of the answer.
    #[schema(value_type = String, example = "2026-06")]
    pub to: Month,
    /// Each covered code, whether its data is available, and its months.
    pub codes: Vec<CodeSettlements>,
    /// The totals per month, over the available codes and all insurances.
    pub totals: Vec<SettlementTotal>,
    /// Rows of fewer visits than this are suppressed.
    #[schema(example = 10)]
    pub suppressed_below_visits: i64,
    /// Rows of fewer persons than this are suppressed.
    #[schema(example = 10)]
    pub suppressed_below_persons: i64,
}

/// One covered code.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CodeSettlements {
    /// The medical-insurance code.
    #[schema(example = "H33030200090")]
    pub code: String,
    /// Whether its data is available at this moment. No reason is given.
    pub available: bool,
    /// The months, oldest first.
    pub months: Vec<SettlementMonth>,
}

/// One month of one code and insurance.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SettlementMonth {
    /// The month.
    #[schema(value_type = String, example = "2026-03")]
    pub month: Month,
    /// 险种: `employee` (职工) or `resident` (居民).
    #[schema(value_type = String, example = "employee")]
    pub insurance: Insurance,
    /// The version: a month may be revised, and every version is stored.
    #[schema(example = 1)]
    pub version: i64,
    /// `provisional` (暂定) or `final` (已清算).
    #[schema(value_type = String, example = "final")]
    pub status: SettlementStatus,
    /// The day of the figures.
    #[schema(value_type = String, example = "2026-04-25")]
    pub as_of: Day,
    /// Whether counts and amounts are withheld because there are few visits or persons.
    pub suppressed: bool,
    /// Whether a newer version exists that is withheld, because its visits or persons differ by few from a version that was
    /// disclosed.
    pub newer_withheld: bool,
    /// Whether paid = settled - retained - disallowed - deducted + prepaid - offset; null where suppressed.
    pub consistent: Option<bool>,
    /// Counts and amounts; null where suppressed.
    pub amounts: Option<Amounts>,
}

/// Counts, and amounts in fen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Amounts {
    /// 人次.
    pub visits: i64,
    /// 人数.
    pub persons: i64,
    /// 发生总费用.
    #[schema(value_type = i64)]
    pub billed_fen: Fen,
    /// 申报.
    #[schema(value_type = i64)]
    pub claimed_fen: Fen,
    /// 结算.
    #[schema(value_type = i64)]
    pub settled_fen: Fen,
    /// 拨付.
    #[schema(value_type = i64)]
    pub paid_fen: Fen,
    /// 预留考核保证金.
    #[schema(value_type = i64)]
    pub retained_fen: Fen,
    /// 不予支付.
    #[schema(value_type = i64)]
    pub disallowed_fen: Fen,
    /// 扣款.
    #[schema(value_type = i64)]
    pub deducted_fen: Fen,
    /// 预拨付: paid ahead, not income of the month; count it apart.
    #[schema(value_type = i64)]
    pub prepaid_fen: Fen,
    /// 冲抵 of earlier prepayments.
    #[schema(value_type = i64)]
    pub offset_fen: Fen,
    /// 应付: due by the month's end; due less paid is the receivable (应付未付).
    #[schema(value_type = i64)]
    pub payable_fen: Fen,
}

/// One month over all available codes and insurances.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SettlementTotal {
    /// The month.
    #[schema(value_type = String, example = "2026-03")]
    pub month: Month,
    /// Whether the total is withheld because a suppressed row could be computed from it.
    pub suppressed: bool,
    /// Whether one of its rows is not final.
    pub provisional: bool,
    /// Whether one of its rows has a newer version that is withheld.
    pub newer_withheld: bool,
    /// Counts and amounts; null where suppressed. Persons are added up: one with two rows counts twice.
    pub amounts: Option<Amounts>,
}

impl Amounts {
    fn of(row: &SettlementRow) -> Self {
        let row = &row.settlement;
        Self {
            visits: row.visits,
            persons: row.persons,
            billed_fen: row.billed,
            claimed_fen: row.claimed,
            settled_fen: row.settled,
            paid_fen: row.paid,
            retained_fen: row.retained,
            disallowed_fen: row.disallowed,
            deducted_fen: row.deducted,
            prepaid_fen: row.prepaid,
            offset_fen: row.offset,
            payable_fen: row.payable,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            // Counts never reach the maximum; a corrupt row must not panic.
            visits: self.visits.saturating_add(other.visits),
            persons: self.persons.saturating_add(other.persons),
            billed_fen: self.billed_fen + other.billed_fen,
            claimed_fen: self.claimed_fen + other.claimed_fen,
            settled_fen: self.settled_fen + other.settled_fen,
            paid_fen: self.paid_fen + other.paid_fen,
            retained_fen: self.retained_fen + other.retained_fen,
            disallowed_fen: self.disallowed_fen + other.disallowed_fen,
            deducted_fen: self.deducted_fen + other.deducted_fen,
            prepaid_fen: self.prepaid_fen + other.prepaid_fen,
            offset_fen: self.offset_fen + other.offset_fen,
            payable_fen: self.payable_fen + other.payable_fen,
        }
    }
}

impl Reading for Settlements {
    const OPERATION: &'static str = "settlements";

    fn permissions(&self, _: &Caller) -> Cow<'static, [Permission]> {
        Cow::Borrowed(&[Permission::Settlements])
    }

    fn period(&self) -> RequestedPeriod {
        RequestedPeriod::Months(self.0)
    }

    async fn read(
        self,
        room: &Disclosures,
        permit: &ConsentPermit,
        current: CurrentGrades,
    ) -> Result<CachedReading, Failure> {
        let extent = |months| Extent { permissions: vec![Permission::Settlements], months: Some(months) };
        let Some(answer) = room.settlements_of(permit, &current.assessments).await? else {
            let refusal = Failure::forbidden(
                "settlements_not_available",
                "Settlement data is not available under this consent at the moment.",
            );
            return CachedReading::refused(&current, refusal, extent(requested_months(permit)));
        };
        CachedReading::of(&current, &answer, extent((answer.from, answer.to)))
    }
}

impl Disclosures {
    /// The months, or `None` where no code is in good standing.
    pub(super) async fn settlements_of(
        &self,
        permit: &ConsentPermit,
        assessments: &[CurrentAssessment],
    ) -> Result<Option<SettlementsAnswer>, Failure> {
        let (from, to) = requested_months(permit);
        // Before the months are read: no row of a code that is not in good standing leaves the database.
        let available = self.available(assessments);
        if available.is_empty() {
            return Ok(None);
        }
        let read = self.0.env.db.read("disclosure::settlements");
        // All versions and not the newest alone: the earlier ones decide whether it may be released.
        let versions = settlements::list_versions(&read, &available, from, to).await?;
        let small_cells = self.0.policy.small_cells;
        let months: Vec<ReleasedMonth<'_>> = small_cells.release(&versions).collect();
        Ok(Some(SettlementsAnswer::of(permit, (from, to), &available, &months, small_cells)))
    }

    /// The codes whose settlements may be disclosed. Standing is judged on each fetch: a later downgrade stops new data
    /// (domain 0.5), and the answer gives no reason.
    pub(super) fn available(&self, assessments: &[CurrentAssessment]) -> Vec<String> {
        let good = assessments.iter().filter(|of| in_good_standing(&self.0.policy.good_standing, of));
        good.map(|of| of.subject_code.clone()).collect()
    }
}

impl SettlementsAnswer {
    /// The answer for a permit's codes. `months` are of the available codes only.
    pub(super) fn of(
        permit: &ConsentPermit,
        (from, to): (Month, Month),
        available: &[String],
        months: &[ReleasedMonth<'_>],
        small_cells: SmallCells,
    ) -> Self {
        let consent = permit.consent();
        let codes = consent.codes.iter().map(|code| CodeSettlements {
            code: code.clone(),
            available: available.contains(code),
            months: months.iter().filter(|of| of.row.subject_code == *code).map(month).collect(),
        });
        Self {
            consent: consent.id.to_string(),
            purpose: permit.purpose(),
            uscc: consent.uscc.clone(),
            from,
            to,
            codes: codes.collect(),
            totals: totals(months),
            suppressed_below_visits: small_cells.min_visits,
            suppressed_below_persons: small_cells.min_persons,
        }
    }
}

/// The months of a reading: those requested, or all of the consent.
fn requested_months(permit: &ConsentPermit) -> (Month, Month) {
    let consent = permit.consent();
    permit.months().unwrap_or((consent.data_from, consent.data_to))
}

fn month(released: &ReleasedMonth<'_>) -> SettlementMonth {
    let (row, suppressed) = (released.row, released.suppressed);
    SettlementMonth {
        month: row.settlement.month,
        insurance: row.settlement.insurance,
        version: row.version,
        status: row.settlement.status,
        as_of: row.settlement.as_of,
        suppressed,
        newer_withheld: released.newer_withheld,
        // Withheld too: whether the amounts add up says something about them.
        consistent: (!suppressed).then(|| row.settlement.identity_gap() == Fen(0)),
        amounts: (!suppressed).then(|| Amounts::of(row)),
    }
}

/// The totals by month. One that contains a suppressed row is suppressed too: subtracting the rows shown from it would
/// yield the row withheld.
fn totals(released: &[ReleasedMonth<'_>]) -> Vec<SettlementTotal> {
    let mut months: Vec<Month> = released.iter().map(|of| of.row.settlement.month).collect();
    months.sort_unstable();
    months.dedup();
    months
        .into_iter()
        .map(|month| {
            let of_month = || released.iter().filter(move |of| of.row.settlement.month == month);
            let suppressed = of_month().any(|of| of.suppressed);
            let amounts = of_month().map(|of| Amounts::of(of.row)).fold(Amounts::default(), Amounts::plus);
            SettlementTotal {
                month,
                suppressed,
                provisional: of_month().any(|of| of.row.settlement.status != SettlementStatus::Final),
                newer_withheld: of_month().any(|of| of.newer_withheld),
                amounts: (!suppressed).then_some(amounts),
            }
        })
        .collect()
}
