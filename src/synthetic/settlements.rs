//! Monthly settlements of each subject: lognormal by tier and scaled to the city's totals, with seasons, deductions,
//! and prepayments that are offset later.

use std::ops::RangeInclusive;

use super::{
    arithmetic::{lognormal, scale_to_total, share},
    city::{CitySubject, Tier},
    stream::Stream,
};
use crate::domain::{
    Day, Fen, Month,
    settlement::{Insurance, Settlement, SettlementStatus},
};

/// Days after the end of a month until it is cleared.
const CLEARED_AFTER_DAYS: i64 = 60;

/// The settlements of a tier; amounts in fen per month.
struct Scale {
    median: i64,
    sigma_thousandths: i64,
    total: i64,
    /// Fund money per visit.
    per_visit: i64,
    /// The range of the employees' share, in percent.
    employees: RangeInclusive<i64>,
}

const YUAN: i64 = 100;

const fn scale(tier: Tier) -> Scale {
    let (median, sigma_thousandths, total, per_visit, employees) = match tier {
        Tier::Tertiary => (35_000_000, 500, 490_000_000, 420, 58..=72),
        Tier::Secondary => (5_000_000, 700, 300_000_000, 260, 45..=60),
        Tier::Primary => (750_000, 800, 160_000_000, 120, 25..=45),
        Tier::Clinic => (25_000, 1_000, 40_000_000, 70, 40..=75),
        Tier::Pharmacy => (45_000, 900, 110_000_000, 85, 88..=98),
    };
    Scale { median: median * YUAN, sigma_thousandths, total: total * YUAN, per_visit: per_visit * YUAN, employees }
}

/// What stays the same in a subject's settlements.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// The amount of an average month, in fen.
    monthly: i64,
    /// The employees' share, in ten-thousandths.
    employees_e4: i64,
    /// The share that is retained as 保证金, in ten-thousandths.
    retained_e4: i64,
    per_visit: i64,
    /// The month, March to June, in which the previous year is cleared.
    clearing: u8,
    /// Whether it gets a prepayment in January, which is offset in the next months.
    prepaid: bool,
}

/// The accounts of the subjects, in the same order. The average months of a tier add up to its share of the city's
/// total.
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
    // A stream of its own for each subject: what is drawn for one does not shift the others.
    let mut stream = Stream::of(seed, &["account", &subject.code]);
    let scale = scale(subject.tier);
    Account {
        monthly: lognormal(&mut stream, scale.median, scale.sigma_thousandths),
        employees_e4: stream.between(scale.employees.start() * 100, scale.employees.end() * 100),
        retained_e4: stream.between(200, 500),
        per_visit: share(scale.per_visit, stream.between(800, 1_250), 1_000),
        clearing: u8::try_from(stream.between(3, 6)).unwrap_or(3),
        prepaid: matches!(subject.tier, Tier::Tertiary | Tier::Secondary) && stream.happens(3_500),
    }
}

/// A month relative to an average one, in thousandths. Over a year they average to a thousand.
const fn season(month: u8) -> i64 {
    match month {
        2 => 750,
        12 => 1_100,
        _ => 1_015,
    }
}

/// A subject whose settlements are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled<'a> {
    pub(super) subject: &'a CitySubject,
    pub(super) account: &'a Account,
    pub(super) seed: u64,
    /// The day of the data: it decides which months are cleared.
    pub(super) today: Day,
}

/// The rows of a subject in a month.
pub(super) fn month(settled: &Settled<'_>, month: Month) -> Vec<Settlement> {
    Insurance::ALL.iter().filter_map(|insurance| row(settled, month, *insurance)).collect()
}

fn row(settled: &Settled<'_>, month: Month, insurance: Insurance) -> Option<Settlement> {
    let Settled { subject, account, seed, today } = *settled;
    // By subject, month and insurance: a longer period gives the same months again.
    let mut stream = Stream::of(seed, &["settlement", &subject.code, &month.to_string(), insurance.as_str()]);
    let part_e4 = match insurance {
        Insurance::Employee => account.employees_e4,
        Insurance::Resident => 10_000 - account.employees_e4,
    };
    let average = share(account.monthly, part_e4, 10_000);
    let mut amount = share(share(average, season(month.number()), 1_000), stream.between(920, 1_080), 1_000);
    if month.number() == account.clearing {
        amount = share(amount, stream.between(970, 1_030), 1_000);
    }
    let settled = amount;
    let visits = settled / account.per_visit.max(1);
    if visits == 0 {
        return None;
    }
    let claimed = share(settled, stream.between(10_000, 10_120), 10_000);
    let billed = share(claimed, 10_000, stream.between(6_000, 7_800));
    let retained = share(settled, account.retained_e4, 10_000);
    let disallowed = share(settled, stream.between(30, 200), 10_000);
    let deducted = if stream.happens(500) { share(settled, stream.between(100, 300), 10_000) } else { 0 };
    let (prepaid, offset) = prepayment(account, average, month);
    let payable = settled - disallowed - deducted + prepaid - offset;
    let (status, as_of) = status(month, today);
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

/// The amounts prepaid and offset: 60 % of a month is prepaid in January and offset in three equal parts until April.
fn prepayment(account: &Account, average: i64, month: Month) -> (i64, i64) {
    let part = share(average, 2, 10);
    match month.number() {
        _ if !account.prepaid => (0, 0),
        1 => (part * 3, 0),
        2..=4 => (0, part),
        _ => (0, 0),
    }
}

/// Whether a month is cleared on a day, and the day that its figures are as of.
fn status(month: Month, today: Day) -> (SettlementStatus, Day) {
    let cleared = month.last_day().plus_days(CLEARED_AFTER_DAYS);
    if cleared <= today {
        return (SettlementStatus::Final, cleared);
    }
    // No figures from the future.
    (SettlementStatus::Provisional, month.last_day().plus_days(25).min(today))
}
