//! `settlements`: the months of the codes in good standing, with small cells suppressed.

use std::borrow::Cow;

use serde::Serialize;

use super::{
    Disclosures,
    reading::{CachedReading, CurrentGrades, Extent, Reading, RequestedPeriod},
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
    /// Whether counts and amounts are withheld because there are few visits.
    pub suppressed: bool,
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
        let answer = room.settlements_of(permit, &current.assessments).await?.ok_or_else(|| {
            Failure::forbidden(
                "settlements_not_available",
                "Settlement data is not available under this consent at the moment.",
            )
        })?;
        let months = Some((answer.from, answer.to));
        CachedReading::of(&current, &answer, Extent { permissions: vec![Permission::Settlements], months })
    }
}

impl Disclosures {
    /// The months, or `None` where no code is in good standing.
    pub(super) async fn settlements_of(
        &self,
        permit: &ConsentPermit,
        assessments: &[CurrentAssessment],
    ) -> Result<Option<SettlementsAnswer>, Failure> {
        let consent = permit.consent();
        let (from, to) = permit.months().unwrap_or((consent.data_from, consent.data_to));
        // Before the months are read: no row of a code that is not in good standing leaves the database.
        let available = self.available(assessments);
        if available.is_empty() {
            return Ok(None);
        }
        let rows = settlements::list(&self.0.env.db.read("disclosure::settlements"), &available, from, to).await?;
        Ok(Some(SettlementsAnswer::of(permit, (from, to), &available, &rows, self.0.policy.min_visits)))
    }

    /// The codes whose settlements may be disclosed. Standing is judged on each fetch: a later downgrade stops new data
    /// (domain 0.5), and the answer gives no reason.
    pub(super) fn available(&self, assessments: &[CurrentAssessment]) -> Vec<String> {
        let good = assessments.iter().filter(|of| in_good_standing(&self.0.policy.good_standing, of));
        good.map(|of| of.subject_code.clone()).collect()
    }
}

impl SettlementsAnswer {
    /// The answer for a permit's codes. `rows` are of the available codes only.
    pub(super) fn of(
        permit: &ConsentPermit,
        (from, to): (Month, Month),
        available: &[String],
        rows: &[SettlementRow],
        min_visits: i64,
    ) -> Self {
        let consent = permit.consent();
        let codes = consent.codes.iter().map(|code| CodeSettlements {
            code: code.clone(),
            available: available.contains(code),
            months: rows.iter().filter(|row| row.subject_code == *code).map(|row| month(row, min_visits)).collect(),
        });
        Self {
            consent: consent.id.to_string(),
            purpose: permit.purpose(),
            uscc: consent.uscc.clone(),
            from,
            to,
            codes: codes.collect(),
            totals: totals(rows, min_visits),
            suppressed_below_visits: min_visits,
        }
    }
}

fn month(row: &SettlementRow, min_visits: i64) -> SettlementMonth {
    let suppressed = row.settlement.visits < min_visits;
    SettlementMonth {
        month: row.settlement.month,
        insurance: row.settlement.insurance,
        version: row.version,
        status: row.settlement.status,
        as_of: row.settlement.as_of,
        suppressed,
        consistent: (!suppressed).then(|| row.settlement.identity_gap() == Fen(0)),
        amounts: (!suppressed).then(|| Amounts::of(row)),
    }
}

/// The totals by month. One that contains a suppressed row is suppressed too: subtracting the rows shown from it would
/// yield the row withheld.
fn totals(rows: &[SettlementRow], min_visits: i64) -> Vec<SettlementTotal> {
    let mut months: Vec<Month> = rows.iter().map(|row| row.settlement.month).collect();
    months.sort_unstable();
    months.dedup();
    months
        .into_iter()
        .map(|month| {
            let of_month = || rows.iter().filter(move |row| row.settlement.month == month);
            let suppressed = of_month().any(|row| row.settlement.visits < min_visits);
            let amounts = of_month().map(Amounts::of).fold(Amounts::default(), Amounts::plus);
            SettlementTotal {
                month,
                suppressed,
                provisional: of_month().any(|row| row.settlement.status != SettlementStatus::Final),
                amounts: (!suppressed).then_some(amounts),
            }
        })
        .collect()
}
