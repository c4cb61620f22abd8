//! `bank grade`: the current grade of each covered code.

use std::{io::Write, path::Path};

use clap::Args;
use serde::Deserialize;

use super::{
    session::{Data, ReadArgs, Session, print_exactly, write_footer},
    show::{Align, Table, clean},
};
use crate::cli::Context;

/// Read the grade of each covered code (信用等级).
#[derive(Debug, Args)]
pub(super) struct GradeArgs {
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    purpose: String,
    uscc: String,
    codes: Vec<Graded>,
}

#[derive(Debug, Deserialize)]
struct Graded {
    code: String,
    name: String,
    status: String,
    not_rated_reason: Option<String>,
    grade: Option<Grade>,
    period: Option<String>,
    evaluated_on: Option<String>,
    valid_until: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Grade {
    scheme: String,
    code: String,
    name: String,
}

impl Grade {
    /// Formats its name, code and scheme.
    pub(super) fn words(&self) -> String {
        clean(&format!("{} {} ({})", self.name, self.code, self.scheme))
    }
}

/// Formats a status in Chinese and English, with the reason if there is one.
pub(super) fn status_words(status: &str, reason: Option<&str>) -> String {
    let chinese = match status {
        "graded" => "已评 ",
        "not_rated" => "不予评定 ",
        "not_evaluated" => "未评价 ",
        "expired" => "已过期 ",
        "under_objection" => "异议中 ",
        _ => "",
    };
    let reason = reason.map(|reason| format!(": {}", clean(reason).replace('_', " "))).unwrap_or_default();
    format!("{chinese}{}{reason}", clean(status).replace('_', " "))
}

pub(super) async fn run(args: GradeArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let session = Session::open(profile, ctx)?;
    let (response, verified) =
        session.read(&args.read, Data { resource: "grade", scope: "grade:read", query: &[] }, ctx).await?;
    if args.read.json {
        return print_exactly(&response, ctx);
    }
    let answer: Answer = serde_json::from_slice(&response.body)?;
    let mut out = ctx.out();
    let (uscc, purpose) = (clean(&answer.uscc), clean(&answer.purpose));
    writeln!(out, "信用等级 grade of {uscc}, under {} for {purpose}\n", args.read.consent)?;
    write(&answer, &mut out)?;
    write_footer(&mut out, &response, &verified)
}

/// Writes the table.
pub(super) fn write(answer: &Answer, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        ("编码", "code", Align::Left),
        ("名称", "name", Align::Left),
        ("等级", "grade", Align::Left),
        ("状态", "status", Align::Left),
        ("评价期", "period", Align::Left),
        ("公布", "published", Align::Left),
        ("有效至", "valid until", Align::Left),
    ]);
    let text = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), clean);
    for code in &answer.codes {
        table.row(vec![
            clean(&code.code),
            clean(&code.name),
            code.grade.as_ref().map_or_else(|| "-".to_owned(), Grade::words),
            status_words(&code.status, code.not_rated_reason.as_deref()),
            text(&code.period),
            text(&code.evaluated_on),
            text(&code.valid_until),
        ]);
    }
    Ok(table.write(out)?)
}
