//! `settlements.csv`: monthly settlements. The same month in a later file is a new version of it.

use super::{Codes, Row, RowText, Rules, subject_code};
use crate::{
    domain::{
        Fen,
        settlement::{Insurance, Settlement, SettlementStatus},
    },
    importing::{
        findings::Code,
        template::columns::settlements::{
            AS_OF, BILLED, CLAIMED, DEDUCTED, DISALLOWED, INSURANCE, MONTH, OFFSET, PAID, PAYABLE, PERSONS, PREPAID,
            RETAINED, SETTLED, STATUS, SUBJECT_CODE, VISITS,
        },
    },
};

pub(super) fn check(row: &mut Row<'_>, rules: &Rules, out: &mut RowText) -> Option<Codes> {
    let subject = subject_code(row, SUBJECT_CODE, rules);
    let settlement = read(row);
    let (subject, settlement) = (subject?, settlement?);
    let gap = settlement.identity_gap();
    // A warning only: the figures are the bureau's, and answers show that they do not add up.
    if gap != Fen(0) {
        let message = format!(
            "paid is {gap} yuan away from settled - retained - disallowed - deducted + prepaid - offset; the row is accepted and flagged"
        );
        row.warn(PAID, Code::IdentityGap, message);
    }
    let code = out.push_plain(subject);
    out.push_plain(settlement.month);
    out.push_plain(settlement.insurance);
    out.push_number(settlement.visits);
    out.push_number(settlement.persons);
    let amounts = [
        settlement.billed,
        settlement.claimed,
        settlement.settled,
        settlement.paid,
        settlement.retained,
        settlement.disallowed,
        settlement.deducted,
        settlement.prepaid,
        settlement.offset,
        settlement.payable,
    ];
    for amount in amounts {
        out.push_number(amount.0);
    }
    out.push_plain(settlement.status);
    out.push_plain(settlement.as_of);
    Some([Some((SUBJECT_CODE, code)), None])
}

fn read(row: &mut Row<'_>) -> Option<Settlement> {
    let month = row.past_month(MONTH);
    let insurance = row.word::<Insurance>(INSURANCE);
    let (visits, persons) = (row.count(VISITS), row.count(PERSONS));
    let columns = [BILLED, CLAIMED, SETTLED, PAID, RETAINED, DISALLOWED, DEDUCTED, PREPAID, OFFSET, PAYABLE];
    let amounts = columns.map(|column| row.amount(column).map(Fen));
    let status = row.word::<SettlementStatus>(STATUS);
    let as_of = row.past_day(AS_OF);
    let (month, as_of) = (month?, as_of?);
    if as_of < month.first_day() {
        return row.reject(AS_OF, Code::DateOrder, format!("{as_of} is before {month} begins"));
    }
    let [billed, claimed, settled, paid, retained, disallowed, deducted, prepaid, offset, payable] = amounts;
    Some(Settlement {
        month,
        insurance: insurance?,
        visits: visits?,
        persons: persons?,
        billed: billed?,
        claimed: claimed?,
        settled: settled?,
        paid: paid?,
        retained: retained?,
        disallowed: disallowed?,
        deducted: deducted?,
        prepaid: prepaid?,
        offset: offset?,
        payable: payable?,
        status: status?,
        as_of,
    })
}
