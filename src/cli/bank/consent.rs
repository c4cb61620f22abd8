//! `bank consent`: requests, shows, lists and revokes consents, and fetches their receipts.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Response,
    client::Call,
    keys::short,
    receipt::verify_receipt,
    session::{Session, print_exactly},
    show::{Align, Table, clean},
};
use crate::{
    authority::files,
    cli::{Context, Usage},
    domain::{
        Month,
        ids::ConsentId,
        permission::{Permission, Purpose},
    },
};

/// Request, show, list and revoke consents, and fetch their receipts.
#[derive(Debug, Args)]
pub(super) struct ConsentCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Request the consent of an institution
    Request(Box<RequestArgs>),
    /// Show a consent
    Show(One),
    /// List this bank's consents, oldest first
    List(ListArgs),
    /// Revoke a consent, or withdraw a request
    Revoke(One),
    /// Fetch and verify the signed receipt of a consent
    Receipt(ReceiptArgs),
}

#[derive(Debug, Args)]
struct RequestArgs {
    /// The unified social credit code of the legal entity (统一社会信用代码)
    #[arg(long)]
    uscc: String,
    /// Its medical-insurance codes, separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    codes: Vec<String>,
    /// The data to read: grade, grade_history, scorecard, settlements, account_match
    #[arg(long, value_delimiter = ',', required = true)]
    permissions: Vec<Permission>,
    /// The purposes: pre_loan_review, loan_approval, post_loan_management; by default the profile's
    #[arg(long = "purpose", value_delimiter = ',')]
    purposes: Vec<Purpose>,
    /// The name of the bank's product
    #[arg(long)]
    product: String,
    /// The bank's own reference number
    #[arg(long)]
    reference: Option<String>,
    /// The first month of data, as in 2025-07
    #[arg(long, value_name = "MONTH")]
    data_from: Option<Month>,
    /// The last month of data, as in 2026-06
    #[arg(long, value_name = "MONTH")]
    data_to: Option<Month>,
    /// How many days the consent is valid once granted
    #[arg(long, value_name = "DAYS")]
    valid_for_days: Option<i64>,
    /// The maximum number of readings in total
    #[arg(long, value_name = "NUMBER")]
    max_fetches: Option<i64>,
    /// The maximum number of readings per day
    #[arg(long, value_name = "NUMBER")]
    daily_budget: Option<i64>,
    /// The idempotency key of the request: repeated with the same key, it is executed once
    #[arg(long, value_name = "UUID")]
    idempotency_key: Option<String>,
    /// Print the exact body
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct One {
    /// The consent's id
    id: ConsentId,
    /// Print the exact body
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// List the consents after this one
    #[arg(long)]
    after: Option<ConsentId>,
    /// The maximum number of consents to list, 1 to 200
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Print the exact body
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ReceiptArgs {
    /// The consent's id
    id: ConsentId,
    /// Save the receipt, a compact JWS, in a file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print the verified record as JSON
    #[arg(long)]
    json: bool,
}

/// A consent as the API returns it.
#[derive(Debug, Deserialize)]
struct Consent {
    id: String,
    version: i64,
    status: String,
    uscc: String,
    codes: Vec<String>,
    permissions: Vec<String>,
    purposes: Vec<String>,
    product: String,
    reference: Option<String>,
    data_from: String,
    data_to: String,
    requested_at: String,
    request_expires_at: String,
    granted_at: Option<String>,
    expires_at: Option<String>,
    ended_at: Option<String>,
    max_fetches: Option<i64>,
    daily_budget: Option<i64>,
    fetches: Option<Fetches>,
}

#[derive(Debug, Deserialize)]
struct Fetches {
    used: i64,
    used_today: i64,
}

pub(super) async fn run(command: ConsentCommand, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    match command.action {
        Action::Request(args) => request(*args, &Session::open(profile, ctx)?, ctx).await,
        Action::Show(args) => {
            let session = Session::open(profile, ctx)?;
            let response = call(&session, Method::GET, &format!("/v1/consents/{}", args.id), "consents:read").await?;
            show(&response, args.json, ctx)
        }
        Action::Revoke(args) => {
            let session = Session::open(profile, ctx)?;
            let response =
                call(&session, Method::DELETE, &format!("/v1/consents/{}", args.id), "consents:write").await?;
            show(&response, args.json, ctx)
        }
        Action::List(args) => list(&args, &Session::open(profile, ctx)?, ctx).await,
        Action::Receipt(args) => receipt(&args, &Session::open(profile, ctx)?, ctx).await,
    }
}

async fn call(session: &Session, method: Method, path: &str, scope: &str) -> anyhow::Result<Response> {
    let token = session.client.token(scope).await?;
    session.client.send(Call { method, token: Some(&token), ..Call::get(path) }).await?.ok()
}

async fn request(args: RequestArgs, session: &Session, ctx: &Context) -> anyhow::Result<()> {
    let mut purposes = args.purposes;
    if purposes.is_empty() {
        purposes.extend(session.client.profile().purpose);
    }
    if purposes.is_empty() {
        return Err(Usage("a purpose is needed: --purpose pre_loan_review, or purpose in the profile".into()).into());
    }
    let mut body = json!({
        "uscc": args.uscc, "codes": args.codes, "permissions": args.permissions, "purposes": purposes,
        "product": args.product,
    });
    let optional = [
        ("reference", args.reference.map(Value::from)),
        ("data_from", args.data_from.map(|month| json!(month))),
        ("data_to", args.data_to.map(|month| json!(month))),
        ("valid_for_days", args.valid_for_days.map(Value::from)),
        ("max_fetches", args.max_fetches.map(Value::from)),
        ("daily_budget", args.daily_budget.map(Value::from)),
    ];
    if let Some(body) = body.as_object_mut() {
        body.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    // Chosen before the first attempt: all attempts have the same key, and the request is executed once (M9).
    let key = args.idempotency_key.unwrap_or_else(|| session.client.uuid());
    let token = session.client.token("consents:write").await?;
    let call = Call { idempotency_key: Some(key.clone()), ..Call::post("/v1/consents", &body).with(&token) };
    let response = session.client.send_with_retries(call).await.with_context(|| {
        format!(
            "it is unknown whether the request arrived; repeat it with --idempotency-key {key}, and it is executed once"
        )
    })?;
    show(&response.ok()?, args.json, ctx)
}

fn show(response: &Response, json: bool, ctx: &Context) -> anyhow::Result<()> {
    if json {
        return print_exactly(response, ctx);
    }
    let consent: Consent = serde_json::from_slice(&response.body).context("the consent")?;
    let limit =
        |most: i64, used: Option<i64>| used.map_or_else(|| format!("{most}"), |used| format!("{used} of {most}"));
    let used = consent.fetches.as_ref();
    let lines = [
        ("consent", Some(format!("{} (version {})", consent.id, consent.version))),
        ("status", Some(status_words(&consent.status))),
        ("uscc", Some(consent.uscc)),
        ("codes", Some(consent.codes.join(", "))),
        ("permissions", Some(consent.permissions.join(", "))),
        ("purposes", Some(consent.purposes.join(", "))),
        ("product", Some(consent.product)),
        ("reference", consent.reference),
        ("data", Some(format!("{} to {}", consent.data_from, consent.data_to))),
        ("requested", Some(consent.requested_at)),
        ("waits until", Some(consent.request_expires_at).filter(|_| consent.granted_at.is_none())),
        ("granted", consent.granted_at),
        ("expires", consent.expires_at),
        ("ended", consent.ended_at),
        ("read in all", consent.max_fetches.map(|most| limit(most, used.map(|used| used.used)))),
        ("read today", consent.daily_budget.map(|most| limit(most, used.map(|used| used.used_today)))),
    ];
    let mut out = ctx.out();
    for (name, text) in lines.into_iter().filter_map(|(name, text)| Some((name, text?))) {
        writeln!(out, "{name:13}{}", clean(&text))?;
    }
    Ok(())
}

fn status_words(status: &str) -> String {
    let chinese = match status {
        "pending" => "待授权",
        "active" => "有效",
        "suspended" => "已暂停",
        "revoked" => "已撤回",
        "rejected" => "已拒绝",
        "expired" => "已过期",
        "superseded" => "已被替代",
        _ => return clean(status),
    };
    format!("{chinese} {status}")
}

async fn list(args: &ListArgs, session: &Session, ctx: &Context) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Page {
        consents: Vec<Consent>,
        next: Option<String>,
    }
    let after = args.after.map(|id| format!("&after={id}")).unwrap_or_default();
    let path = format!("/v1/consents?limit={}{after}", args.limit);
    let response = call(session, Method::GET, &path, "consents:read").await?;
    if args.json {
        return print_exactly(&response, ctx);
    }
    let page: Page = serde_json::from_slice(&response.body).context("the list")?;
    let mut table = Table::new(&[
        ("授权", "consent", Align::Left),
        ("状态", "status", Align::Left),
        ("信用代码", "uscc", Align::Left),
        ("编码", "codes", Align::Left),
        ("内容", "permissions", Align::Left),
        ("到期", "expires", Align::Left),
    ]);
    for consent in page.consents {
        let codes = match consent.codes.as_slice() {
            [] => "-".to_owned(),
            [one] => clean(one),
            [first, rest @ ..] => format!("{} +{}", clean(first), rest.len()),
        };
        let until = consent.expires_at.unwrap_or(consent.request_expires_at);
        let day = until.split('T').next().unwrap_or_default();
        let (status, permissions) = (status_words(&consent.status), consent.permissions.join(","));
        table.row(vec![clean(&consent.id), status, clean(&consent.uscc), codes, clean(&permissions), clean(day)]);
    }
    let mut out = ctx.out();
    table.write(&mut out)?;
    if let Some(next) = page.next {
        writeln!(out, "\n  There are more: --after {}", clean(&next))?;
    }
    Ok(())
}

async fn receipt(args: &ReceiptArgs, session: &Session, ctx: &Context) -> anyhow::Result<()> {
    if let Some(path) = args.save.as_deref().filter(|path| path.exists()) {
        bail!("{} exists, and evidence is not overwritten: choose another name", path.display());
    }
    let response = call(session, Method::GET, &format!("/v1/consents/{}/receipt", args.id), "consents:read").await?;
    let keys = session.keys().await?;
    let (record, key) = verify_receipt(&response.body, &keys)?;
    let text = |pointer: &str| record.pointer(pointer).map(plain).unwrap_or_default();
    // The signature alone would accept the receipt of another consent.
    ensure!(
        text("/record_id") == args.id.to_string(),
        "the receipt is for another consent: {}",
        clean(&text("/record_id"))
    );
    if let Some(path) = &args.save {
        files::write_private(path, &response.body)?;
        writeln!(ctx.err(), "saved: {}", path.display())?;
    }
    let mut out = ctx.out();
    if args.json {
        writeln!(out, "{record:#}")?;
        return Ok(());
    }
    let lines = [
        ("consent", format!("{} (version {})", text("/record_id"), text("/record_version"))),
        ("state", status_words(&text("/state"))),
        ("principal", format!("{}: {}", text("/principal/uscc"), text("/principal/codes"))),
        ("data", format!("{}, {}", text("/processing/data"), text("/processing/data_period"))),
        ("purposes", text("/processing/purposes")),
        ("valid until", text("/processing/valid_until")),
        ("recipient", format!("{} {}", text("/recipient/client_id"), text("/recipient/name"))),
        ("signed text", format!("SHA-256 {}", text("/notice/sha256"))),
    ];
    for (name, text) in lines {
        writeln!(out, "{name:13}{}", clean(&text))?;
    }
    for event in record.get("events").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| event.get(name).map(plain).unwrap_or_default();
        writeln!(out, "{:13}{}", "", clean(&format!("{} {} by {}", of("at"), of("event"), of("channel"))))?;
    }
    writeln!(out, "\nVerified: the record is what key {} signed.", short(key.key_id()))?;
    Ok(())
}

/// Formats a JSON value for reading.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
