//! `bank deliveries`: a month's data of all active consents, page by page. Each page is saved as evidence before the next
//! one is requested.

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
    saved_answer::SavedAnswer,
    session::Session,
    verify::{Verified, verify_answer},
};
use crate::{
    authority::files,
    cli::{Context, Usage},
    domain::{Month, permission::Purpose},
};

/// Fetch a month's data for all active consents, page by page; continues after an interruption.
#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    /// The month to fetch, as in 2026-06
    #[arg(long)]
    month: Month,
    /// The purpose of the reading; by default the profile's
    #[arg(long)]
    purpose: Option<Purpose>,
    /// The data to fetch: grade, settlements; by default both, as far as scopes and consents allow
    #[arg(long, value_delimiter = ',')]
    what: Vec<String>,
    /// Where to save the pages; by default a folder of the month in the profile's directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

/// `cursor.json`: the progress of a delivery. Written after a page is saved and before the next one is requested.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    month: Month,
    purpose: Purpose,
    what: Vec<String>,
    pages: u32,
    lines: u64,
    refused: u64,
    /// Where the next page begins; null when the delivery is complete.
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

pub(super) async fn run(args: DeliveriesArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let session = Session::open(profile, ctx)?;
    let purpose = args.purpose.or(session.client.profile().purpose);
    let purpose = purpose.ok_or_else(|| {
        Usage("a purpose is needed: --purpose post_loan_management, or purpose in the profile".into())
    })?;
    let folder =
        args.save.unwrap_or_else(|| session.archive.path().join(format!("deliveries/{}-{purpose}", args.month)));
    let path = folder.join("cursor.json");
    let mut cursor = Cursor { month: args.month, purpose, what: args.what, pages: 0, lines: 0, refused: 0, next: None };
    if path.exists() {
        let saved: Cursor = serde_json::from_slice(&files::read(&path)?).with_context(|| path.display().to_string())?;
        // A cursor is good for its own delivery only.
        ensure!(
            saved.month == cursor.month && saved.purpose == cursor.purpose && saved.what == cursor.what,
            "{} contains a delivery of {} for {}: choose another folder with --save",
            folder.display(),
            saved.month,
            saved.purpose
        );
        if saved.next.is_none() {
            writeln!(
                ctx.err(),
                "the delivery is complete already; choose another folder with --save to fetch it again"
            )?;
            return print_summary(&saved, &folder, ctx);
        }
        writeln!(ctx.err(), "continuing after page {}", saved.pages)?;
        cursor = saved;
    }
    let bar = ctx.progress(None, "delivery");
    loop {
        let end = fetch_page(&session, &cursor, &folder).await?;
        cursor.pages += 1;
        cursor.lines += end.lines;
        cursor.refused += end.refused;
        cursor.next = end.next;
        let mut text = serde_json::to_vec_pretty(&cursor).context("the cursor")?;
        text.push(b'\n');
        // After a crash before this line the page is requested again: its lines are new disclosures and replace the file.
        files::write_private(&path, &text)?;
        bar.set_position(cursor.lines);
        if cursor.next.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    print_summary(&cursor, &folder, ctx)
}

fn print_summary(cursor: &Cursor, folder: &Path, ctx: &Context) -> anyhow::Result<()> {
    writeln!(
        ctx.out(),
        "{}: {} lines on {} pages in {}; {} active consents have none",
        cursor.month,
        cursor.lines,
        cursor.pages,
        folder.display(),
        cursor.refused
    )?;
    Ok(())
}

/// Fetches a page, verifies it with its lines, and saves it twice: as evidence, and as the plain lines.
async fn fetch_page(session: &Session, cursor: &Cursor, folder: &Path) -> anyhow::Result<End> {
    let mut body = json!({ "month": cursor.month, "purpose": cursor.purpose });
    if let Some(body) = body.as_object_mut() {
        body.extend(cursor.next.as_ref().map(|next| ("after".to_owned(), json!(next))));
        body.extend((!cursor.what.is_empty()).then(|| ("what".to_owned(), json!(cursor.what))));
    }
    let requested = match cursor.what.as_slice() {
        [] => vec!["grade:read", "settlements:read"],
        what => what
            .iter()
            .filter_map(|part| {
                Some(*["grade:read", "settlements:read"].iter().find(|scope| scope.starts_with(part.as_str()))?)
            })
            .collect(),
    };
    let scopes = format!("deliveries:read {}", session.registered(&requested).await?);
    let token = session.client.token(&scopes).await?;
    let response = session.client.send_with_retries(Call::post("/v1/deliveries", &body).with(&token)).await?.ok()?;
    // Before anything is saved: a page that does not verify is no evidence.
    let Verified { key, .. } = verify_answer(&response, &session.keys().await?)?;
    let end = check_lines(&response.body)?;
    ensure!(end.month == cursor.month, "the page is for {}, not for {}", end.month, cursor.month);
    // Without it the page is saved all the same: it only lets the entry's client be compared.
    let client_id = session.client.client_id().await.ok();
    let number = cursor.pages + 1;
    // A crash between the two files leaves the cursor as it was: the page is requested again.
    SavedAnswer::new(&response, &key, client_id, session.client.now())?
        .write(&folder.join(format!("page-{number:04}.json")))?;
    files::write_private(&folder.join(format!("page-{number:04}.ndjson")), &response.body)?;
    Ok(end)
}

/// Checks that a page's last line lists exactly the lines before it.
fn check_lines(body: &[u8]) -> anyhow::Result<End> {
    let text = std::str::from_utf8(body).context("the page is not UTF-8")?;
    let mut lines: Vec<&str> = text.lines().collect();
    let end: End = serde_json::from_str(lines.pop().context("the page is empty")?).context("the page's last line")?;
    let listed: Vec<&str> = end.receipts.iter().map(|receipt| receipt.id.as_str()).collect();
    let mut found = Vec::with_capacity(lines.len());
    for line in &lines {
        let line: Value = serde_json::from_str(line).context("a line of the page")?;
        found.push(line.get("disclosure").and_then(Value::as_str).unwrap_or_default().to_owned());
    }
    if found != listed || end.lines != u64::try_from(found.len()).unwrap_or(0) {
        bail!("the page has {} lines, and its last line lists others", found.len());
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_whose_last_line_lists_other_lines_is_refused() {
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
