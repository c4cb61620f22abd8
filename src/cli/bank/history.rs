//! `bank history`: the grades of earlier rounds (历史等级).

use std::{io::Write, path::Path};

use clap::Args;
use serde::Deserialize;

use super::{
    grade::{Grade, status_words},
    session::{Data, ReadArgs, Session, print_exactly, write_footer},
    show::{Align, Table, clean},
};
use crate::{cli::Context, domain::HalfYear};

/// Read the grades of earlier rounds (历史等级).
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    read: ReadArgs,
    /// The first half-year, as in 2025-H1; by default the consent's first
    #[arg(long)]
    from: Option<HalfYear>,
    /// The last half-year; by default the consent's last
    #[arg(long)]
    to: Option<HalfYear>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    codes: Vec<Covered>,
}

#[derive(Debug, Deserialize)]
struct Covered {
    code: String,
    name: String,
    rounds: Vec<Round>,
}

#[derive(Debug, Deserialize)]
struct Round {
    period: String,
    status: String,
    not_rated_reason: Option<String>,
    grade: Option<Grade>,
    evaluated_on: String,
    valid_until: Option<String>,
    #[serde(default)]
    superseded: bool,
    #[serde(default)]
    corrected: bool,
}

pub(super) async fn run(args: HistoryArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let session = Session::open(profile, ctx)?;
    let span = [("from", args.from), ("to", args.to)];
    let span: Vec<_> = span.iter().filter_map(|(name, half)| Some((*name, half.as_ref()?.to_string()))).collect();
    let (response, verified) = session
        .read(&args.read, Data { resource: "grade-history", scope: "grade-history:read", query: &span }, ctx)
        .await?;
    if args.read.json {
        return print_exactly(&response, ctx);
    }
    let mut out = ctx.out();
    writeln!(out, "历史等级 earlier grades under {}\n", args.read.consent)?;
    write(&serde_json::from_slice(&response.body)?, &mut out)?;
    write_footer(&mut out, &response, &verified)
}

/// Writes the table.
pub(super) fn write(answer: &Answer, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        ("编码", "code", Align::Left),
        ("名称", "name", Align::Left),
        ("评价期", "period", Align::Left),
        ("等级", "grade", Align::Left),
        ("状态", "status", Align::Left),
        ("公布", "published", Align::Left),
        ("有效至", "valid until", Align::Left),
        ("备注", "note", Align::Left),
    ]);
    for code in &answer.codes {
        if code.rounds.is_empty() {
            let mut row = vec![clean(&code.code), clean(&code.name)];
            row.extend(["-", "-", "无 none", "-", "-"].map(str::to_owned));
            table.row(row);
        }
        for round in &code.rounds {
            let marks = [(round.superseded, "已被替代 superseded"), (round.corrected, "已更正 corrected")];
            let marks: Vec<&str> = marks.iter().filter(|(applies, _)| *applies).map(|(_, mark)| *mark).collect();
            table.row(vec![
                clean(&code.code),
                clean(&code.name),
                clean(&round.period),
                round.grade.as_ref().map_or_else(|| "-".to_owned(), Grade::words),
                status_words(&round.status, round.not_rated_reason.as_deref()),
                clean(&round.evaluated_on),
                round.valid_until.as_deref().map_or_else(|| "-".to_owned(), clean),
                marks.join(", "),
            ]);
        }
    }
    Ok(table.write(out)?)
}
