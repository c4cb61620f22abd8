//! Verdicts on the answers of a batch, and the counting of answers against their consents' budgets.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::{
    budget::{Budget, BudgetUse},
    disclosed::Draft,
};
use crate::{
    domain::ids::ConsentId,
    store::{DbError, Tx, ledger::append as table},
};

/// The decision about one answer of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// With the use of the budget including this answer, where the consent has one.
    Recorded(Option<BudgetUse>),
    Stale,
    TotalUsedUp(BudgetUse),
    DayUsedUp(BudgetUse),
}

impl Verdict {
    pub(super) const fn is_recorded(self) -> bool {
        matches!(self, Self::Recorded(_))
    }
}

/// The verdicts of the comparison alone: an answer is stale when a row of its own is, or its bank's.
pub(super) fn verdicts_of(bank_positions: &[i64], stale: &[i64]) -> Vec<Verdict> {
    let stale: HashSet<_> = stale.iter().copied().collect();
    let verdict = |(position, bank): (i64, &i64)| {
        if stale.contains(&position) || stale.contains(bank) { Verdict::Stale } else { Verdict::Recorded(None) }
    };
    (0i64..).zip(bank_positions).map(verdict).collect()
}

/// Counts the answers, in the batch's order, and refuses those beyond their consent's limit. A consent without limits is
/// counted too: an amendment may add one, and `ledger verify` compares the count with the entries.
///
/// Returns whether the stored day of a wrong clock was corrected: that is to be committed even where every answer is refused.
pub(super) async fn charge(
    tx: &mut Tx,
    drafts: impl Iterator<Item = &Draft> + Clone + Send,
    verdicts: &mut [Verdict],
) -> Result<bool, DbError> {
    // One row for each consent: several answers of a batch may be given under the same one.
    let days: HashMap<ConsentId, String> = drafts
        .clone()
        .zip(verdicts.iter())
        .filter(|(_, verdict)| verdict.is_recorded())
        .map(|(draft, _)| (draft.versions.consent_id, draft.budget.day.to_string()))
        .collect();
    if days.is_empty() {
        return Ok(false);
    }
    let rows: Vec<_> = days.iter().map(|(consent, day)| json!({ "consent": consent, "day": day })).collect();
    // All consents in one statement, which sorts them: row locks taken one by one in batch order could deadlock.
    let rows = table::lock_use(tx, serde_json::Value::from(rows).to_string()).await?;
    let mut used: HashMap<String, table::UseRow> = rows.into_iter().map(|row| (row.consent_id.clone(), row)).collect();
    let mut is_day_corrected = false;
    for (draft, verdict) in drafts.zip(verdicts) {
        if verdict.is_recorded()
            && let Some(row) = used.get_mut(&draft.versions.consent_id.to_string())
        {
            is_day_corrected |= correct_day(row, draft.budget);
            *verdict = use_once(row, draft.budget);
        }
    }
    // Written for all locked rows, also where every answer was refused: the values are then those read, but for the day.
    let rows: Vec<_> = used
        .values()
        .map(|row| json!({ "consent": row.consent_id, "used": row.used, "day": row.day, "used_today": row.used_today }))
        .collect();
    table::set_use(tx, serde_json::Value::from(rows).to_string()).await?;
    Ok(is_day_corrected)
}

/// Replaces a stored day later than tomorrow by today: no two clocks that agree are a day apart, so a wrong one wrote it.
/// What was used on it counts as used today, which gives nothing away, and the bank does not wait for that day (I10).
fn correct_day(row: &mut table::UseRow, budget: Budget) -> bool {
    let is_wrong = row.day > budget.day.plus_days(1).to_string();
    if is_wrong {
        row.day = budget.day.to_string();
    }
    is_wrong
}

fn use_once(row: &mut table::UseRow, budget: Budget) -> Verdict {
    // ISO days sort as text. An answer rendered before midnight and committed after one of the new day counts on the new
    // day: the budget of a past day is never used again.
    let day = budget.day.to_string();
    let (today, counted_on) =
        if day > row.day { (0, budget.day) } else { (row.used_today, row.day.parse().unwrap_or(budget.day)) };
    let budget = Budget { day: counted_on, ..budget };
    let use_of = |used, used_today| BudgetUse { budget, used, used_today };
    // The total is checked first: it does not recover tomorrow, so reporting the day would invite a useless retry.
    if budget.max_fetches.is_some_and(|max| row.used >= max) {
        return Verdict::TotalUsedUp(use_of(row.used, today));
    }
    if budget.per_day.is_some_and(|max| today >= max) {
        return Verdict::DayUsedUp(use_of(row.used, today));
    }
    // Counted in memory: the next answer of the batch under this consent is judged by it.
    row.used += 1;
    row.used_today = today + 1;
    if day > row.day {
        row.day = day;
    }
    Verdict::Recorded(budget.is_limited().then(|| use_of(row.used, row.used_today)))
}
