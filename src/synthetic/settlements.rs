//! What the fund settles with each subject, month by month: lognormal by tier, scaled to the city's totals, with the
//! seasons, what is withheld, and prepayments that are taken back.

use super::{
    arithmetic::{lognormal, scale_to_total, share},
    city::{CitySubject, Tier},
    stream::Stream,
};
use crate::domain::{
    Day, Fen, Month,
    settlement::{Insurance, Settlement, SettlementStatus},
};

/// A month counts as cleared so many days after its end.
const CLEARED_AFTER_DAYS: i64 = 60;

/// How a tier is settled; amounts in fen a month.
struct Scale {
    median: i64,
    sigma_thousandths: i64,
    total: i64,
    /// Fund money for a visit.
    per_visit: i64,
    /// The employees' share in a hundred, from and to.
    employees: (i64, i64),
}

const YUAN: i64 = 100;

const fn scale(tier: Tier) -> Scale {
    let (median, sigma_thousandths, total, per_visit, employees) = match tier {
        Tier::Tertiary => (35_000_000, 500, 490_000_000, 420, (58, 72)),
        Tier::Secondary => (5_000_000, 700, 300_000_000, 260, (45, 60)),
        Tier::Primary => (750_000, 800, 160_000_000, 120, (25, 45)),
        Tier::Clinic => (25_000, 1_000, 40_000_000, 70, (40, 75)),
        Tier::Pharmacy => (45_000, 900, 110_000_000, 85, (88, 98)),
    };
    Scale { median: median * YUAN, sigma_thousandths, total: total * YUAN, per_visit: per_visit * YUAN, employees }
}

/// What stays the same about a subject's settlements.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Fen of an average month.
    monthly: i64,
    /// Of ten thousand: the employees' share.
    employees_e4: i64,
    /// Of ten thousand: 保证金 kept back.
    retained_e4: i64,
    per_visit: i64,
    /// The month of March to June in which the year before is cleared.
    clearing: u8,
    /// Whether it gets a prepayment in January, taken back over the next months.
    prepaid: bool,
}

/// The accounts of the subjects, in their order; each tier's months add up to its share of the city's total.
pub(super) fn accounts(subjects: &[CitySubject], seed: u64, scale_e4: i64) -> Vec<Account> {
    let mut accounts: Vec<Account> = subjects.iter().map(|subject| account(subject, seed)).collect();
    for tier in Tier::ALL {
        let of_tier = |subject: &CitySubject| subject.tier == tier;
        let (places, mut amounts): (Vec<usize>, Vec<i64>) = subjects
            .iter()
            .zip(&accounts)
            .enumerate()
            .filter(|(_, (subject, _))| of_tier(subject))
            .map(|(at, (_, account))| (at, account.monthly))
            .unzip();
        scale_to_total(&mut amounts, share(scale(tier).total, scale_e4, 10_000));
        for (at, amount) in places.into_iter().zip(amounts) {
            if let Some(account) = accounts.get_mut(at) {
                account.monthly = amount;
            }
        }
    }
    accounts
}

fn account(subject: &CitySubject, seed: u64) -> Account {
    let mut stream = Stream::of(seed, &["account", &subject.code]);
    let scale = scale(subject.tier);
    Account {
        monthly: lognormal(&mut stream, scale.median, scale.sigma_thousandths),
        employees_e4: stream.between(scale.employees.0 * 100, scale.employees.1 * 100),
        retained_e4: stream.between(200, 500),
        per_visit: share(scale.per_visit, stream.between(800, 1_250), 1_000),
        clearing: u8::try_from(stream.between(3, 6)).unwrap_or(3),
        prepaid: matches!(subject.tier, Tier::Tertiary | Tier::Secondary) && stream.happens(3_500),
    }
}

/// Of a thousand: how a month compares with an average one. They average to a thousand.
const fn season(month: u8) -> i64 {
    match month {
        2 => 750,
        12 => 1_100,
        _ => 1_015,
    }
}

/// The rows of a subject in a month, as they stood on a day.
pub(super) fn month(subject: &CitySubject, account: &Account, month: Month, seed: u64, today: Day) -> Vec<Settlement> {
    Insurance::ALL
        .iter()
        .copied()
        .filter_map(|insurance| row(subject, account, month, insurance, (seed, today)))
        .collect()
}

fn row(
    subject: &CitySubject,
    account: &Account,
    month: Month,
    insurance: Insurance,
    (seed, today): (u64, Day),
) -> Option<Settlement> {
    let mut stream = Stream::of(seed, &["settlement", &subject.code, &month.to_string(), insurance.as_str()]);
    let part_e4 = match insurance {
        Insurance::Employee => account.employees_e4,
        Insurance::Resident => 10_000 - account.employees_e4,
    };
    let average = share(account.monthly, part_e4, 10_000);
    let mut settled = share(share(average, season(month.number()), 1_000), stream.between(920, 1_080), 1_000);
    if month.number() == account.clearing {
        settled = share(settled, stream.between(970, 1_030), 1_000);
    }
    let visits = settled / account.per_visit.max(1);
    if visits == 0 {
        return None;
    }
    let claimed = share(settled, stream.between(10_000, 10_120), 10_000);
    let billed = share(claimed, 10_000, stream.between(6_000, 7_800));
    let retained = share(settled, account.retained_e4, 10_000);
    let disallowed = share(settled, stream.between(30, 200), 10_000);
    let deducted = if stream.happens(500) { share(settled, stream.between(100, 300), 10_000) } else { 0 };
    let (prepaid, offset) = ahead(account, average, month);
    let payable = settled - disallowed - deducted + prepaid - offset;
    let (status, as_of) = standing(month, today);
    Some(Settlement {
        month,
        insurance,
        visits,
        persons: share(visits, stream.between(600, 900), 1_000).max(1),
        billed: Fen(billed),
        claimed: Fen(claimed),
        settled: Fen(settled),
        paid: Fen(payable - retained),
        retained: Fen(retained),
        disallowed: Fen(disallowed),
        deducted: Fen(deducted),
        prepaid: Fen(prepaid),
        offset: Fen(offset),
        payable: Fen(payable),
        status,
        as_of,
    })
}

/// A prepayment of six tenths of a month in January, taken back in three equal parts from February to April.
fn ahead(account: &Account, average: i64, month: Month) -> (i64, i64) {
    let part = share(average, 2, 10);
    match month.number() {
        _ if !account.prepaid => (0, 0),
        1 => (part * 3, 0),
        2..=4 => (0, part),
        _ => (0, 0),
    }
}

/// Whether a month was cleared by a day, and the day its figures are as of.
fn standing(month: Month, today: Day) -> (SettlementStatus, Day) {
    let cleared = month.last_day().plus_days(CLEARED_AFTER_DAYS);
    if cleared <= today {
        return (SettlementStatus::Final, cleared);
    }
    (SettlementStatus::Provisional, month.last_day().plus_days(25).min(today))
}
