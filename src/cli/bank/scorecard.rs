//! `bank scorecard`: the totals of the first-level indicators (一级指标得分).

use std::{io::Write, path::Path};

use clap::Args;
use serde::Deserialize;

use super::{
    grade::status_words,
    session::{Data, ReadArgs, Session, print_exactly, write_footer},
    show::{Align, Table, clean},
};
use crate::{cli::Context, domain::money::MilliPoints};

/// Read the totals of the first-level indicators (一级指标得分).
#[derive(Debug, Args)]
pub(super) struct ScorecardArgs {
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    codes: Vec<Covered>,
}

#[derive(Debug, Deserialize)]
struct Covered {
    code: String,
    name: String,
    status: String,
    not_rated_reason: Option<String>,
    model: Option<Model>,
    milli_points: Option<MilliPoints>,
    max_milli_points: Option<MilliPoints>,
    levels: Option<Vec<Level>>,
    period: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Model {
    id: String,
    version: i64,
}

#[derive(Debug, Deserialize)]
struct Level {
    name: String,
    milli_points: MilliPoints,
    max_milli_points: MilliPoints,
}

pub(super) async fn run(args: ScorecardArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let session = Session::open(profile, ctx)?;
    let (response, verified) =
        session.read(&args.read, Data { resource: "scorecard", scope: "scorecard:read", query: &[] }, ctx).await?;
    if args.read.json {
        return print_exactly(&response, ctx);
    }
    let mut out = ctx.out();
    writeln!(out, "一级指标得分 first-level totals under {}\n", args.read.consent)?;
    write(&serde_json::from_slice(&response.body)?, &mut out)?;
    write_footer(&mut out, &response, &verified)
}

/// Writes a table for each code.
pub(super) fn write(answer: &Answer, out: &mut dyn Write) -> anyhow::Result<()> {
    for (at, code) in answer.codes.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        let status = status_words(&code.status, code.not_rated_reason.as_deref());
        let period = code.period.as_deref().map(clean).unwrap_or_default();
        let model = code.model.as_ref().map(|model| format!("{} v{}", clean(&model.id), model.version));
        let head = [clean(&code.code), clean(&code.name), status, period, model.unwrap_or_default()];
        writeln!(out, "  {}", head.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("  "))?;
        let mut table = Table::new(&[
            ("一级指标", "indicator", Align::Left),
            ("得分", "points", Align::Right),
            ("满分", "of", Align::Right),
        ]);
        for level in code.levels.iter().flatten() {
            table.row(vec![clean(&level.name), level.milli_points.to_string(), level.max_milli_points.to_string()]);
        }
        if let (Some(points), Some(most)) = (code.milli_points, code.max_milli_points) {
            table.row(vec!["合计 total".to_owned(), points.to_string(), most.to_string()]);
            table.write(out)?;
        }
    }
    Ok(())
}
