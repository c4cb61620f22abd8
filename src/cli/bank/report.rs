//! `bank report`: everything the consent allows, in one signed document.

use std::{collections::BTreeMap, io::Write, path::Path};

use clap::Args;
use serde::Deserialize;

use super::{
    grade, history, scorecard,
    session::{Data, ReadArgs, Session, print_exactly, write_footer},
    settlements,
    show::clean,
};
use crate::cli::Context;

/// Read everything the consent allows, in one signed document (信用报告).
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    read: ReadArgs,
    /// Show the settlements of each code and insurance too, not only the totals
    #[arg(long)]
    each: bool,
}

#[derive(Debug, Deserialize)]
struct Answer {
    uscc: String,
    purpose: String,
    #[serde(default)]
    sections: BTreeMap<String, String>,
    grade: Option<grade::Answer>,
    grade_history: Option<history::Answer>,
    scorecard: Option<scorecard::Answer>,
    settlements: Option<settlements::Answer>,
}

/// The scopes of a report's sections: a token with some of them reads their sections.
const SCOPES: [&str; 4] = ["grade:read", "grade-history:read", "scorecard:read", "settlements:read"];

pub(super) async fn run(args: ReportArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let session = Session::open(profile, ctx)?;
    let scopes = session.registered(&SCOPES).await?;
    let (response, verified) =
        session.read(&args.read, Data { resource: "report", scope: &scopes, query: &[] }, ctx).await?;
    if args.read.json {
        return print_exactly(&response, ctx);
    }
    let answer: Answer = serde_json::from_slice(&response.body)?;
    let mut out = ctx.out();
    writeln!(
        out,
        "信用报告 report of {}, under {} for {}",
        clean(&answer.uscc),
        args.read.consent,
        clean(&answer.purpose)
    )?;
    if let Some(section) = &answer.grade {
        writeln!(out, "\n信用等级 grade\n")?;
        grade::write(section, &mut out)?;
    }
    if let Some(section) = &answer.grade_history {
        writeln!(out, "\n历史等级 earlier grades\n")?;
        history::write(section, &mut out)?;
    }
    if let Some(section) = &answer.scorecard {
        writeln!(out, "\n一级指标得分 first-level totals\n")?;
        scorecard::write(section, &mut out)?;
    }
    if let Some(section) = &answer.settlements {
        writeln!(out, "\n医保月度结算 monthly settlements")?;
        settlements::write(section, args.each, ctx.screen, &mut out)?;
    }
    let absent = answer.sections.iter().filter(|(_, state)| *state != "included");
    for (at, (name, state)) in absent.enumerate() {
        if at == 0 {
            writeln!(out)?;
        }
        writeln!(out, "  {}: {}", clean(name).replace('_', " "), clean(state).replace('_', " "))?;
    }
    write_footer(&mut out, &response, &verified)
}
