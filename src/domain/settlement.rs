//! 医保月度结算, the monthly settlement of a subject: aggregates only, without patients, diagnoses or visits.

use super::{
    money::Fen,
    time::{Day, Month},
    words::words,
};

words! {
    /// 险种: the two schemes, whose funds are settled separately.
    Insurance: "insurance" {
        /// 职工.
        Employee = "employee",
        /// 居民.
        Resident = "resident",
    }
}

words! {
    /// Whether a month may still change.
    SettlementStatus: "status of a settlement" {
        /// 暂定.
        Provisional = "provisional",
        /// 已清算. A final month may still be revised, which makes a new version.
        Final = "final",
    }
}

/// One version of a month of one subject under one insurance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub month: Month,
    /// 险种.
    pub insurance: Insurance,
    /// 人次.
    pub visits: i64,
    /// 人数.
    pub persons: i64,
    /// 总费用.
    pub billed: Fen,
    /// 申报: the amount claimed from the fund.
    pub claimed: Fen,
    /// 结算: the claimed amount after review.
    pub settled: Fen,
    /// 拨付: the amount paid out.
    pub paid: Fen,
    /// 预留考核保证金.
    pub retained: Fen,
    /// 不予支付.
    pub disallowed: Fen,
    /// 扣款.
    pub deducted: Fen,
    /// 预拨付, separate from the settled amount so that a lender does not count it twice.
    pub prepaid: Fen,
    /// 冲抵: an earlier prepayment that is deducted.
    pub offset: Fen,
    /// 应付.
    pub payable: Fen,
    /// 暂定 or 已清算.
    pub status: SettlementStatus,
    /// The day of the figures.
    pub as_of: Day,
}

impl Settlement {
    /// The difference between the two sides of 拨付 = 结算 - 保证金 - 不予支付 - 扣款 + 预拨付 - 冲抵; zero if they agree.
    pub fn identity_gap(&self) -> Fen {
        let terms = [
            (1, self.paid),
            (-1, self.settled),
            (1, self.retained),
            (1, self.disallowed),
            (1, self.deducted),
            (-1, self.prepaid),
            (1, self.offset),
        ];
        // Seven terms of 64 bits cannot overflow 128; a gap beyond 64 bits is clamped, and still a gap.
        let gap: i128 = terms.into_iter().map(|(sign, amount)| sign * i128::from(amount.0)).sum();
        Fen(i64::try_from(gap).unwrap_or(if gap < 0 { i64::MIN } else { i64::MAX }))
    }

    /// 应付未付, the amount that the fund still owes the subject for the month.
    pub fn receivable(&self) -> Fen {
        // An amount at the limit is a data error; it must not wrap to a plausible one.
        Fen(self.payable.0.saturating_sub(self.paid.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn month(settled: i64, held: [i64; 3], prepaid: i64, offset: i64) -> Settlement {
        let [retained, disallowed, deducted] = held;
        Settlement {
            month: "2026-03".parse().unwrap(),
            insurance: Insurance::Employee,
            visits: 120,
            persons: 80,
            billed: Fen(settled),
            claimed: Fen(settled),
            settled: Fen(settled),
            paid: Fen(settled - retained - disallowed - deducted + prepaid - offset),
            retained: Fen(retained),
            disallowed: Fen(disallowed),
            deducted: Fen(deducted),
            prepaid: Fen(prepaid),
            offset: Fen(offset),
            payable: Fen(settled),
            status: SettlementStatus::Final,
            as_of: "2026-04-25".parse().unwrap(),
        }
    }

    #[test]
    fn the_identity_counts_a_prepayment_in_and_its_offset_out() {
        let mut row = month(1_000_000, [30_000, 5_000, 0], 400_000, 0);
        assert_eq!((row.paid, row.identity_gap()), (Fen(1_365_000), Fen(0)));
        row.paid = Fen(1_365_001);
        assert_eq!(row.identity_gap(), Fen(1));
        let back = month(1_000_000, [30_000, 5_000, 0], 0, 400_000);
        assert_eq!((back.paid, back.receivable()), (Fen(565_000), Fen(435_000)));
    }

    #[test]
    fn amounts_at_the_edge_of_64_bits_are_a_gap_and_no_panic() {
        let mut row = month(0, [0, 0, 0], 0, 0);
        (row.paid, row.settled, row.payable) = (Fen(i64::MAX), Fen(i64::MIN), Fen(i64::MIN));
        assert_eq!(row.identity_gap(), Fen(i64::MAX));
        assert_eq!(row.receivable(), Fen(i64::MIN));
    }

    proptest! {
        #[test]
        fn a_month_made_by_the_identity_has_no_gap_and_a_changed_one_has_it(
            settled in -1_000_000_000..1_000_000_000i64,
            held in proptest::array::uniform3(0..1_000_000i64),
            ahead in proptest::array::uniform2(0..1_000_000i64),
            by in -1_000..1_000i64,
        ) {
            let mut row = month(settled, held, ahead[0], ahead[1]);
            prop_assert_eq!(row.identity_gap(), Fen(0));
            row.paid.0 += by;
            prop_assert_eq!(row.identity_gap(), Fen(by));
        }

        #[test]
        fn words_read_back(insurance in 0..2usize) {
            let word = Insurance::ALL[insurance];
            prop_assert_eq!(word.to_string().parse::<Insurance>().unwrap(), word);
        }
    }
}
