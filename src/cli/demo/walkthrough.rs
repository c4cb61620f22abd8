//! The walk-through: a bank's day over the public API, step by step.

use std::io::Write;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Demonstration, banks::DemoBank, city::DemoSubject, consents};
use crate::{
    cli::{
        Context, OrFail,
        bank::{BankClient, Call, GatewayKeys, Profile, Response, fetch_proof, verify_answer, verify_proof},
    },
    consent::Decision,
};

fn client(bank: &DemoBank, ctx: &Context) -> anyhow::Result<BankClient> {
    BankClient::new(Profile::load(&bank.profile)?, ctx)
}

fn text<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
}

/// Formats fen as yuan.
fn yuan(json: &Value, pointer: &str) -> String {
    crate::domain::Fen(json.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()).to_string()
}

/// Walks through a bank's day.
pub(super) async fn run(demo: &Demonstration, ctx: &Context) -> anyhow::Result<()> {
    let Demonstration { app, banks, city, .. } = demo;
    let mut out = ctx.out();
    let subject = city.first().context("no institution of the city is in good standing")?;
    let bank = client(&banks[0], ctx)?;
    writeln!(out, "A bank's day")?;

    // A gateway that started on a busy machine answers 503 until it has learnt of the latest changes (I3).
    bank.send_with_retries(Call::get("/v1/whoami")).await?.ok()?;
    let token = bank.issue(None).await?.text;
    writeln!(
        out,
        "  1. {} gets a token over mutual TLS, bound to its certificate and valid for {} s.",
        banks[0].name, app.config.tokens.lifetime_seconds
    )?;

    let consent = request_consent(&bank, &token, subject, ctx).await?;
    let grade_path = format!("/v1/consents/{consent}/grade");
    let early = get(&bank, &token, &grade_path).await?;
    writeln!(
        out,
        "  2. It requests the consent of {}. Until that is granted, reading is refused: {}.",
        subject.name,
        refusal(&early)?
    )?;

    let operator = Decision::by(super::demo_operator()?);
    app.consents.grant(&consent, &consents::synthetic_grant(), &operator).await.or_fail()?;
    let grade = get(&bank, &token, &grade_path).await?.ok()?;
    let grade = grade.json()?;
    writeln!(
        out,
        "  3. The administrator enters the signed consent. The grade is {} ({}), of {}, valid until {}.",
        text(&grade, "/codes/0/grade/name"),
        text(&grade, "/codes/0/grade/code"),
        text(&grade, "/codes/0/period"),
        text(&grade, "/codes/0/valid_until"),
    )?;

    let settlements = get(&bank, &token, &format!("/v1/consents/{consent}/settlements")).await?.ok()?;
    let body = settlements.json()?;
    let months = body.get("totals").and_then(Value::as_array).map_or(0, Vec::len);
    let last = format!("/totals/{}", months.saturating_sub(1));
    writeln!(
        out,
        "  4. The settlements cover {months} months; in {} the institution was paid {} yuan.",
        text(&body, &format!("{last}/month")),
        yuan(&body, &format!("{last}/amounts/paid_fen")),
    )?;

    evidence(ctx, &bank, &settlements).await?;

    other_bank(ctx, demo, &token, &consent).await?;

    app.consents
        .revoke(&consent, None, &operator.because(Some("the institution withdrew it".into())))
        .await
        .or_fail()?;
    let ended = get(&bank, &token, &grade_path).await?;
    writeln!(out, "  8. The institution withdraws its consent. The next request: {}.", refusal(&ended)?)?;
    Ok(())
}

/// Reads, and repeats the request after a 503: every answer of the walk-through is safe to request again.
async fn get(bank: &BankClient, token: &str, path: &str) -> anyhow::Result<Response> {
    bank.send_with_retries(Call::get(path).with(token)).await
}

/// Requests the consent of an institution, and returns the consent's id.
async fn request_consent(
    bank: &BankClient,
    token: &str,
    subject: &DemoSubject,
    ctx: &Context,
) -> anyhow::Result<String> {
    let present = ctx.clock.now().day().month();
    let request = json!({
        "data_from": present.plus(-24), "data_to": present.plus(-1),
        "uscc": subject.uscc, "codes": [subject.code], "permissions": ["grade", "settlements"], "purposes": ["pre_loan_review"],
        "product": "医保信用贷", "valid_for_days": 30,
    });
    let call = Call { idempotency_key: Some(bank.uuid()), ..Call::post("/v1/consents", &request).with(token) };
    let requested = bank.send_with_retries(call).await?.ok()?.json()?;
    Ok(text(&requested, "/id").to_owned())
}

/// Steps 5 and 6: the evidence that the bank can still verify years later.
async fn evidence(ctx: &Context, bank: &BankClient, response: &Response) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let keys = GatewayKeys::of_set(&bank.jwks().await?)?;
    let verified = verify_answer(response, &keys)?;
    writeln!(
        out,
        "  5. The bank verifies the answer: body, status, request and receipt are what key {} signed at {}.",
        verified.key.key_id().get(..8).unwrap_or_default(),
        verified.signed_at
    )?;
    let proof = fetch_proof(bank, &verified.receipt.id).await?;
    verify_proof(response, &verified.receipt, &proof, &keys)?;
    writeln!(
        out,
        "  6. The disclosure is leaf {} of a log of {}; the bank verifies its place against the signed checkpoint of {}.",
        proof.leaf_index, proof.tree_size, proof.log
    )?;
    Ok(())
}

/// Step 7: another bank tries to read under the consent, also with the first bank's token.
async fn other_bank(ctx: &Context, demo: &Demonstration, token: &str, consent: &str) -> anyhow::Result<()> {
    let (mut out, banks) = (ctx.out(), &demo.banks);
    let path = format!("/v1/consents/{consent}/grade");
    let stranger = client(&banks[1], ctx)?;
    let other = stranger.issue(None).await?.text;
    let refused = get(&stranger, &other, &path).await?;
    writeln!(
        out,
        "  7. {} tries the same consent: {}. It cannot even learn that the consent exists.",
        banks[1].name,
        refusal(&refused)?
    )?;
    let stolen = get(&stranger, token, &path).await?;
    writeln!(out, "     With the first bank's token: {}. Tokens are bound to certificates.", refusal(&stolen)?)?;
    Ok(())
}

/// The status and code of a refusal.
fn refusal(answer: &Response) -> anyhow::Result<String> {
    ensure!(
        !answer.status.is_success(),
        "{} {} was answered and should have been refused",
        answer.method,
        answer.target_uri
    );
    let problem = answer.json()?;
    Ok(format!("{} {}", answer.status.as_u16(), text(&problem, "/code")))
}
