//! `bank settlements`: the months as a table, prepayments in a table of their own, and a chart.

use std::{io::Write, path::Path};

use clap::Args;
use serde::Deserialize;

use super::{
    session::{Data, ReadArgs, Session, print_exactly, write_footer},
    show::{Align, Table, bars, clean, count, yuan},
};
use crate::{
    cli::{Context, Screen},
    domain::{Fen, Month},
};

const PROVISIONAL: &str = "暂定 provisional";
const SUPPRESSED: &str = "隐去 suppressed";
const NEWER_WITHHELD: &str = "新版隐去 newer withheld";

/// Read monthly settlement summaries as tables and a chart (医保月度结算).
#[derive(Debug, Args)]
pub(super) struct SettlementsArgs {
    #[command(flatten)]
    read: ReadArgs,
    /// The first month, as in 2025-07; by default the consent's first
    #[arg(long)]
    from: Option<Month>,
    /// The last month, as in 2026-06; by default the consent's last
    #[arg(long)]
    to: Option<Month>,
    /// Show each code and insurance too, not only the totals
    #[arg(long)]
    each: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    purpose: String,
    uscc: String,
    from: String,
    to: String,
    codes: Vec<Covered>,
    totals: Vec<Total>,
    suppressed_below_visits: i64,
    /// Older gateways do not suppress by persons.
    #[serde(default)]
    suppressed_below_persons: i64,
}

#[derive(Debug, Deserialize)]
struct Covered {
    code: String,
    available: bool,
    months: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    month: String,
    insurance: String,
    version: i64,
    status: String,
    as_of: String,
    suppressed: bool,
    #[serde(default)]
    newer_withheld: bool,
    consistent: Option<bool>,
    amounts: Option<Amounts>,
}

#[derive(Debug, Deserialize)]
struct Total {
    month: String,
    suppressed: bool,
    provisional: bool,
    #[serde(default)]
    newer_withheld: bool,
    amounts: Option<Amounts>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Amounts {
    visits: i64,
    settled_fen: Fen,
    paid_fen: Fen,
    retained_fen: Fen,
    disallowed_fen: Fen,
    deducted_fen: Fen,
    prepaid_fen: Fen,
    offset_fen: Fen,
    payable_fen: Fen,
}

impl Amounts {
    /// The sum of 预留, 不予支付 and 扣款: the difference between settled and paid, without prepayments.
    fn withheld(&self) -> Fen {
        self.retained_fen + self.disallowed_fen + self.deducted_fen
    }

    fn cells(self) -> [String; 5] {
        [count(self.visits), yuan(self.settled_fen), yuan(self.withheld()), yuan(self.paid_fen), yuan(self.payable_fen)]
    }
}

/// Formats the counts and amounts of a row, which may be suppressed.
fn cells(amounts: Option<Amounts>) -> Vec<String> {
    amounts.map_or_else(|| vec!["-".to_owned(); 5], |amounts| amounts.cells().to_vec())
}

const AMOUNTS: [(&str, &str, Align); 5] = [
    ("人次", "visits", Align::Right),
    ("结算", "settled", Align::Right),
    ("扣留", "withheld", Align::Right),
    ("拨付", "paid", Align::Right),
    ("应付", "payable", Align::Right),
];
const NOTE: (&str, &str, Align) = ("备注", "note", Align::Left);

pub(super) async fn run(args: SettlementsArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let session = Session::open(profile, ctx)?;
    let months = [("from", args.from), ("to", args.to)];
    let months: Vec<_> = months.iter().filter_map(|(name, month)| Some((*name, month.as_ref()?.to_string()))).collect();
    let (response, verified) = session
        .read(&args.read, Data { resource: "settlements", scope: "settlements:read", query: &months }, ctx)
        .await?;
    if args.read.json {
        return print_exactly(&response, ctx);
    }
    let answer: Answer = serde_json::from_slice(&response.body)?;
    let mut out = ctx.out();
    writeln!(
        out,
        "医保月度结算 monthly settlements of {}, {} to {}, under {} for {}",
        clean(&answer.uscc),
        clean(&answer.from),
        clean(&answer.to),
        args.read.consent,
        clean(&answer.purpose)
    )?;
    write(&answer, args.each, ctx.screen, &mut out)?;
    write_footer(&mut out, &response, &verified)
}

/// Writes the tables and the chart, as a report shows them too.
pub(super) fn write(answer: &Answer, each: bool, screen: Screen, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "金额单位: 元 (amounts in yuan, exact to the fen)\n")?;
    for code in answer.codes.iter().filter(|code| !code.available) {
        writeln!(out, "  {}: 目前不提供 not available at the moment", clean(&code.code))?;
    }
    if each {
        for code in answer.codes.iter().filter(|code| code.available) {
            write_code(code, out)?;
        }
        writeln!(out, "  合计 totals")?;
    }
    let mut table = Table::new(&[&[("月份", "month", Align::Left)], &AMOUNTS[..], &[NOTE]].concat());
    for total in &answer.totals {
        let mut row = vec![clean(&total.month)];
        row.extend(cells(total.amounts));
        row.push(notes(&[
            (total.suppressed, SUPPRESSED),
            (total.provisional, PROVISIONAL),
            (total.newer_withheld, NEWER_WITHHELD),
        ]));
        table.row(row);
    }
    table.write(out)?;
    write_legend(answer, out)?;
    write_prepayments(answer, out)?;
    let rows: Vec<(String, Option<Fen>, &str)> = answer
        .totals
        .iter()
        .map(|total| {
            let note = if total.suppressed {
                SUPPRESSED
            } else if total.provisional {
                PROVISIONAL
            } else {
                ""
            };
            (clean(&total.month), total.amounts.map(|amounts| amounts.settled_fen), note)
        })
        .collect();
    writeln!(out, "\n  结算 settled by month")?;
    bars(out, screen, &rows)?;
    Ok(())
}

/// What the marks mean that stand in the table.
fn write_legend(answer: &Answer, out: &mut dyn Write) -> std::io::Result<()> {
    let persons = match answer.suppressed_below_persons {
        0 => String::new(),
        persons => format!(" or {persons} persons"),
    };
    let few = format!("{} visits{persons}", answer.suppressed_below_visits);
    if answer.totals.iter().any(|total| total.suppressed) {
        writeln!(out, "  {SUPPRESSED}: a row in it has fewer than {few}, and could be computed from the total")?;
    }
    if answer.totals.iter().any(|total| total.newer_withheld) {
        writeln!(
            out,
            "  {NEWER_WITHHELD}: a newer version of a row differs by fewer than {few} from one disclosed before"
        )?;
    }
    Ok(())
}

fn write_code(code: &Covered, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "  {}", clean(&code.code))?;
    let mut columns = vec![("月份", "month", Align::Left), ("险种", "insurance", Align::Left)];
    columns.extend(AMOUNTS);
    columns.extend([("截至", "as of", Align::Left), ("版本", "version", Align::Right), NOTE]);
    let mut table = Table::new(&columns);
    for row in &code.months {
        let insurance = match row.insurance.as_str() {
            "employee" => "职工 employee".to_owned(),
            "resident" => "居民 resident".to_owned(),
            other => clean(other),
        };
        let mut line = vec![clean(&row.month), insurance];
        line.extend(cells(row.amounts));
        line.extend([clean(&row.as_of), row.version.to_string()]);
        line.push(notes(&[
            (row.suppressed, SUPPRESSED),
            (row.status == "provisional", PROVISIONAL),
            (row.newer_withheld, NEWER_WITHHELD),
            (row.consistent == Some(false), "不平 does not add up"),
        ]));
        table.row(line);
    }
    table.write(out)?;
    writeln!(out)?;
    Ok(())
}

fn notes(marks: &[(bool, &str)]) -> String {
    let marks: Vec<&str> = marks.iter().filter(|(applies, _)| *applies).map(|(_, mark)| *mark).collect();
    marks.join(", ")
}

/// Writes prepayments (预拨付) in their own table: the paid column of their month includes them, and they are no income of
/// that month.
fn write_prepayments(answer: &Answer, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        ("月份", "month", Align::Left),
        ("预拨付", "prepaid", Align::Right),
        ("冲抵", "offset", Align::Right),
        ("不含预拨的拨付", "paid without them", Align::Right),
    ]);
    let mut any = false;
    for (month, amounts) in answer.totals.iter().filter_map(|total| Some((&total.month, total.amounts?))) {
        if amounts.prepaid_fen != Fen(0) || amounts.offset_fen != Fen(0) {
            any = true;
            let income = amounts.paid_fen.0.saturating_sub(amounts.prepaid_fen.0).saturating_add(amounts.offset_fen.0);
            table.row(vec![clean(month), yuan(amounts.prepaid_fen), yuan(amounts.offset_fen), yuan(Fen(income))]);
        }
    }
    if any {
        writeln!(out, "\n  预拨付 prepayments: paid ahead and set off later, no income of their month")?;
        table.write(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn amounts(settled: i64, paid: i64, prepaid: i64, offset: i64) -> Value {
        json!({
            "visits": 1234, "persons": 1000, "billed_fen": settled, "claimed_fen": settled, "settled_fen": settled,
            "paid_fen": paid, "retained_fen": 100, "disallowed_fen": 20, "deducted_fen": 3, "prepaid_fen": prepaid,
            "offset_fen": offset, "payable_fen": paid,
        })
    }

    fn shown(blocks: bool) -> String {
        let total = |month: &str, suppressed: bool, provisional: bool, amounts: Value| json!({ "month": month, "suppressed": suppressed, "provisional": provisional, "amounts": amounts });
        let code = |code: &str, available: bool| json!({ "code": code, "available": available, "months": [] });
        let answer = json!({
            "purpose": "loan_approval", "uscc": "X", "from": "2026-01", "to": "2026-05", "suppressed_below_visits": 10,
            "codes": [code("H1", true), code("H2", false)],
            "totals": [
                total("2026-01", false, false, amounts(123_456_789, 133_456_666, 10_000_000, 0)),
                total("2026-02", false, false, amounts(123_456_789, 113_456_666, 0, 10_000_000)),
                total("2026-03", true, false, Value::Null),
                total("2026-04", false, false, amounts(-5, -128, 0, 0)),
                total("2026-05", false, true, amounts(61_728_395, 61_728_272, 0, 0)),
            ],
        });
        let mut out = Vec::new();
        let screen = Screen { blocks, columns: 70 };
        write(&serde_json::from_value(answer).unwrap(), false, screen, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn months_are_exact_marked_and_drawn_and_prepayments_have_their_own_table() {
        let expected = "
金额单位: 元 (amounts in yuan, exact to the fen)

  H2: 目前不提供 not available at the moment
  月份       人次          结算      扣留          拨付          应付  备注
  month    visits       settled  withheld          paid       payable  note
  2026-01   1,234  1,234,567.89      1.23  1,334,566.66  1,334,566.66
  2026-02   1,234  1,234,567.89      1.23  1,134,566.66  1,134,566.66
  2026-03       -             -         -             -             -  隐去 suppressed
  2026-04   1,234         -0.05      1.23         -1.28         -1.28
  2026-05   1,234    617,283.95      1.23    617,282.72    617,282.72  暂定 provisional
  隐去 suppressed: a row in it has fewer than 10 visits, and could be computed from the total

  预拨付 prepayments: paid ahead and set off later, no income of their month
  月份         预拨付        冲抵     不含预拨的拨付
  month       prepaid      offset  paid without them
  2026-01  100,000.00        0.00       1,234,566.66
  2026-02        0.00  100,000.00       1,234,566.66

  结算 settled by month
  2026-01  1,234,567.89  ███████████████████████████
  2026-02  1,234,567.89  ███████████████████████████
  2026-03                 隐去 suppressed
  2026-04         -0.05  ░
  2026-05    617,283.95  █████████████▋ 暂定 provisional
";
        assert_eq!(shown(true), expected.trim_start_matches('\n'));
    }

    #[test]
    fn a_total_whose_newer_version_is_withheld_is_marked() {
        let total = json!({ "month": "2026-01", "suppressed": false, "provisional": false, "newer_withheld": true, "amounts": amounts(1, 1, 0, 0) });
        let hidden = json!({ "month": "2026-02", "suppressed": true, "provisional": false, "amounts": null });
        let answer = json!({
            "purpose": "loan_approval", "uscc": "X", "from": "2026-01", "to": "2026-02", "suppressed_below_visits": 10,
            "suppressed_below_persons": 5, "codes": [], "totals": [total, hidden],
        });
        let mut out = Vec::new();
        write(&serde_json::from_value(answer).unwrap(), false, Screen::PLAIN, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("0.01  新版隐去 newer withheld\n"), "{text}");
        assert!(text.contains("隐去 suppressed: a row in it has fewer than 10 visits or 5 persons, and"), "{text}");
        assert!(
            text.contains("newer withheld: a newer version of a row differs by fewer than 10 visits or 5 persons"),
            "{text}"
        );
    }

    #[test]
    fn without_a_terminal_there_are_no_blocks() {
        assert!(!shown(false).contains('█') && shown(false).contains("####"));
    }
}
