//! `bank deliveries`: a month of all consents in force, page by page, each page kept as evidence before the next is asked.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    client::Call,
    saved_answer::Saved,
    session::Session,
    verify::{Verified, verify_answer},
};
use crate::{
    authority::files,
    cli::{Context, Usage},
    domain::{Month, permission::Purpose},
};

/// Have a month delivered.
#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    /// The month, YYYY-MM
    #[arg(long)]
    month: Month,
    /// What for; by default the profile's
    #[arg(long)]
    purpose: Option<Purpose>,
    /// What is to be delivered: grade, settlements; by default both, where scope and consent allow them
    #[arg(long, value_delimiter = ',')]
    what: Vec<String>,
    /// Where the pages are kept; by default a folder of the month in the profile's directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

/// `cursor.json`: how far a delivery has come. Written after a page is kept and before the next is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    month: Month,
    purpose: Purpose,
    what: Vec<String>,
    pages: u32,
    lines: u64,
    refused: u64,
    /// Where the next page begins; null when all is there.
    next: Option<String>,
}

/// The last line of a page.
#[derive(Debug, Deserialize)]
struct End {
    month: Month,
    lines: u64,
    refused: u64,
    next: Option<String>,
    receipts: Vec<LineReceipt>,
}

#[derive(Debug, Deserialize)]
struct LineReceipt {
    id: String,
}

/// Runs the command.
pub(super) async fn run(args: DeliveriesArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let desk = Session::open(profile, ctx)?;
    let purpose = args.purpose.or(desk.client.profile().purpose);
    let purpose =
        purpose.ok_or_else(|| Usage("what for? --purpose post_loan_management, or purpose in the profile".into()))?;
    let folder = args.save.unwrap_or_else(|| desk.archive.path().join(format!("deliveries/{}-{purpose}", args.month)));
    let path = folder.join("cursor.json");
    let mut cursor = Cursor { month: args.month, purpose, what: args.what, pages: 0, lines: 0, refused: 0, next: None };
    if path.exists() {
        let kept: Cursor = serde_json::from_slice(&files::read(&path)?).with_context(|| path.display().to_string())?;
        ensure!(
            kept.month == cursor.month && kept.purpose == cursor.purpose && kept.what == cursor.what,
            "{} holds a delivery of {} for {}: choose another folder with --save",
            folder.display(),
            kept.month,
            kept.purpose
        );
        if kept.next.is_none() {
            writeln!(ctx.err(), "the delivery is complete already; another folder (--save) has it made once more")?;
            return told(&kept, &folder, ctx);
        }
        writeln!(ctx.err(), "going on behind page {}", kept.pages)?;
        cursor = kept;
    }
    let bar = ctx.progress(None, "delivery");
    loop {
        let end = page(&desk, &cursor, &folder).await?;
        cursor.pages += 1;
        cursor.lines += end.lines;
        cursor.refused += end.refused;
        cursor.next = end.next;
        let mut text = serde_json::to_vec_pretty(&cursor).context("the cursor")?;
        text.push(b'\n');
        // A crash before this asks for the page once more: its lines are new disclosures, and the file is the newer one.
        files::write_private(&path, &text)?;
        bar.set_position(cursor.lines);
        if cursor.next.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    told(&cursor, &folder, ctx)
}

fn told(cursor: &Cursor, folder: &Path, ctx: &Context) -> anyhow::Result<()> {
    writeln!(
        ctx.out(),
        "{}: {} lines on {} pages in {}; for {} consents in force there is none",
        cursor.month,
        cursor.lines,
        cursor.pages,
        folder.display(),
        cursor.refused
    )?;
    Ok(())
}

/// Asks for a page, verifies it with its lines, and keeps it twice: as evidence, and as the plain lines.
async fn page(desk: &Session, cursor: &Cursor, folder: &Path) -> anyhow::Result<End> {
    let mut wish = json!({ "month": cursor.month, "purpose": cursor.purpose });
    if let Some(wish) = wish.as_object_mut() {
        wish.extend(cursor.next.as_ref().map(|next| ("after".to_owned(), json!(next))));
        wish.extend((!cursor.what.is_empty()).then(|| ("what".to_owned(), json!(cursor.what))));
    }
    let wanted = match cursor.what.as_slice() {
        [] => vec!["grade:read", "settlements:read"],
        what => what
            .iter()
            .filter_map(|part| {
                Some(*["grade:read", "settlements:read"].iter().find(|scope| scope.starts_with(part.as_str()))?)
            })
            .collect(),
    };
    let scopes = format!("deliveries:read {}", desk.registered(&wanted).await?);
    let token = desk.client.token(&scopes).await?;
    let kept = desk.client.send_patiently(Call::post("/v1/deliveries", &wish).with(&token)).await?.ok()?;
    let Verified { key, .. } = verify_answer(&kept, &desk.keys().await?)?;
    let end = check_lines(&kept.body)?;
    ensure!(end.month == cursor.month, "the page is of {}, not of {}", end.month, cursor.month);
    let client_id = desk.client.client_id().await.ok();
    let number = cursor.pages + 1;
    Saved::new(&kept, key.jwk(), client_id, desk.client.now())?
        .write(&folder.join(format!("page-{number:04}.json")))?;
    files::write_private(&folder.join(format!("page-{number:04}.ndjson")), &kept.body)?;
    Ok(end)
}

/// A page's last line speaks of exactly the lines before it.
fn check_lines(body: &[u8]) -> anyhow::Result<End> {
    let text = std::str::from_utf8(body).context("the page is not UTF-8")?;
    let mut lines: Vec<&str> = text.lines().collect();
    let end: End = serde_json::from_str(lines.pop().context("the page is empty")?).context("the page's last line")?;
    let told: Vec<&str> = end.receipts.iter().map(|receipt| receipt.id.as_str()).collect();
    let mut found = Vec::with_capacity(lines.len());
    for line in &lines {
        let line: Value = serde_json::from_str(line).context("a line of the page")?;
        found.push(line.get("disclosure").and_then(Value::as_str).unwrap_or_default().to_owned());
    }
    if found != told || end.lines != u64::try_from(found.len()).unwrap_or(0) {
        bail!("the page has {} lines, and its last line speaks of others", found.len());
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_whose_lines_are_not_those_of_its_end_is_refused() {
        let end = |ids: &[&str], lines: usize| {
            let receipts: Vec<_> = ids.iter().map(|id| json!({ "id": id, "leaf": "", "by": "" })).collect();
            json!({ "month": "2026-03", "lines": lines, "refused": 2, "receipts": receipts, "next": "c" }).to_string()
        };
        let page = |lines: &[&str], end: String| {
            let lines = lines.iter().map(|id| json!({ "disclosure": id }).to_string());
            let text = lines.chain([end, String::new()]).collect::<Vec<_>>().join("\n");
            check_lines(text.as_bytes())
        };
        assert_eq!(page(&["a", "b"], end(&["a", "b"], 2)).unwrap().refused, 2);
        assert_eq!(page(&[], end(&[], 0)).unwrap().next.as_deref(), Some("c"));
        for wrong in
            [page(&["a"], end(&["a", "b"], 2)), page(&["b", "a"], end(&["a", "b"], 2)), page(&["a"], end(&["a"], 2))]
        {
            assert!(wrong.is_err());
        }
        assert!(check_lines(b"").is_err());
    }
}
