//! A bank's day, on nothing but the public API, told in plain words.

use std::io::Write;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{banks::DemoBank, city::DemoSubject, consents, consents::DemoConsents, place::Place};
use crate::{
    app::App,
    cli::{
        Context, OrFail,
        bank::{BankClient, Call, Kept, Profile, fetch_proof, keys, verify_answer, verify_proof},
    },
    consent::Decision,
};

fn client(bank: &DemoBank, ctx: &Context) -> anyhow::Result<BankClient> {
    BankClient::new(Profile::load(&bank.profile)?, ctx)
}

fn text<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
}

/// Fen as yuan.
fn yuan(json: &Value, pointer: &str) -> String {
    crate::domain::Fen(json.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()).to_string()
}

/// The walk-through.
pub(super) async fn walk(ctx: &Context, app: &App, banks: &[DemoBank; 2], city: &[DemoSubject]) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let subject = city.first().context("no institution of the city is in good standing")?;
    let bank = client(&banks[0], ctx)?;
    writeln!(out, "A bank's day")?;

    let token = bank.issue(None).await?.text;
    writeln!(
        out,
        "  1. {} gets a token over mTLS, bound to its certificate, good for {} s.",
        banks[0].name, app.config.tokens.lifetime_seconds
    )?;

    let present = ctx.clock.now().day().month();
    let wish = json!({
        "data_from": present.plus(-24), "data_to": present.plus(-1),
        "uscc": subject.uscc, "codes": [subject.code], "permissions": ["grade", "settlements"], "purposes": ["pre_loan_review"],
        "product": "医保信用贷", "valid_for_days": 30,
    });
    let requested = bank.send(Call::post("/v1/consents", &wish).with(&token)).await?.ok()?.json()?;
    let consent = text(&requested, "/id").to_owned();
    let early = bank.get(Some(&token), &format!("/v1/consents/{consent}/grade")).await?;
    writeln!(
        out,
        "  2. It asks {} for consent. Before it is granted, reading is refused: {}.",
        subject.name,
        refusal(&early)?
    )?;

    let operator = Decision::by(super::demo_operator()?);
    app.consents.grant(&consent, &consents::signed(), &operator).await.or_fail()?;
    let grade = bank.get(Some(&token), &format!("/v1/consents/{consent}/grade")).await?.ok()?;
    let said = grade.json()?;
    writeln!(
        out,
        "  3. The administrator enters the signed consent. The grade: {} ({}), of {}, good until {}.",
        text(&said, "/codes/0/grade/name"),
        text(&said, "/codes/0/grade/code"),
        text(&said, "/codes/0/period"),
        text(&said, "/codes/0/valid_until"),
    )?;

    let settlements = bank.get(Some(&token), &format!("/v1/consents/{consent}/settlements")).await?.ok()?;
    let said = settlements.json()?;
    let months = said.get("totals").and_then(Value::as_array).map_or(0, Vec::len);
    let last = format!("/totals/{}", months.saturating_sub(1));
    writeln!(
        out,
        "  4. Its settlements: {months} months; in {} it was paid {} yuan.",
        text(&said, &format!("{last}/month")),
        yuan(&said, &format!("{last}/amounts/paid_fen")),
    )?;

    evidence(ctx, &bank, &settlements).await?;

    let stranger = client(&banks[1], ctx)?;
    let other = stranger.issue(None).await?.text;
    let refused = stranger.get(Some(&other), &format!("/v1/consents/{consent}/grade")).await?;
    writeln!(
        out,
        "  7. {} tries the same consent: {}. It is not even told that there is one.",
        banks[1].name,
        refusal(&refused)?
    )?;
    let stolen = stranger.get(Some(&token), &format!("/v1/consents/{consent}/grade")).await?;
    writeln!(out, "     With the first bank's token: {}. Tokens are bound to certificates.", refusal(&stolen)?)?;

    app.consents
        .revoke(&consent, None, &operator.because(Some("the institution withdrew it".into())))
        .await
        .or_fail()?;
    let ended = bank.get(Some(&token), &format!("/v1/consents/{consent}/grade")).await?;
    writeln!(out, "  8. The institution withdraws its consent. The very next request: {}.", refusal(&ended)?)?;
    Ok(())
}

/// Steps 5 and 6: what the bank can prove years later.
async fn evidence(ctx: &Context, bank: &BankClient, kept: &Kept) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let keys = keys(&bank.jwks().await?)?;
    let verified = verify_answer(kept, &keys)?;
    writeln!(
        out,
        "  5. The bank verifies the answer: body, status, request and receipt are what key {} signed at {}.",
        verified.key.key_id().get(..8).unwrap_or_default(),
        verified.signed_at
    )?;
    let proof = fetch_proof(bank, &verified.receipt.id).await?;
    verify_proof(kept, &verified.receipt, &proof, &keys)?;
    writeln!(
        out,
        "  6. The disclosure is leaf {} of a log of {}; the bank verifies its place against the signed checkpoint of {}.",
        proof.leaf_index, proof.tree_size, proof.log
    )?;
    Ok(())
}

/// What a refusal said.
fn refusal(answer: &Kept) -> anyhow::Result<String> {
    ensure!(
        !answer.status.is_success(),
        "{} {} was answered and should not have been",
        answer.method,
        answer.target_uri
    );
    let said = answer.json()?;
    Ok(format!("{} {}", answer.status.as_u16(), text(&said, "/code")))
}

/// Lines to paste.
pub(super) fn invite(
    ctx: &Context,
    place: &Place,
    app: &App,
    banks: &[DemoBank; 2],
    consents: &DemoConsents,
) -> anyhow::Result<()> {
    let origin = &app.config.gateway.public_origin;
    let quoted = |path: &std::path::Path| format!("'{}'", path.display());
    let tls = format!(
        "--cacert {} --cert {} --key {}",
        quoted(&place.file("certs/ca.pem")),
        quoted(&banks[0].certificate),
        quoted(&banks[0].key)
    );
    // The program that runs now, which need not be on the path.
    let program = std::env::current_exe().map_or_else(|_| "medcredit".to_owned(), |path| quoted(&path));
    writeln!(
        ctx.out(),
        r#"
The gateway stays up until Ctrl-C. To paste in another terminal, as the first bank:

export MEDCREDIT_BANK={profile}
{program} bank doctor
{program} bank grade {active}
SAVED={saved}/settlements-$(date +%s).json
{program} bank settlements {active} --save "$SAVED"
{program} bank proof "$SAVED"
{program} bank verify "$SAVED"

The same with curl:

TOKEN=$(curl -s {tls} {origin}/oauth2/token -d grant_type=client_credentials | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s {tls} -H "Authorization: Bearer $TOKEN" {origin}/v1/consents/{active}/grade
curl -si {tls} -H "Authorization: Bearer $TOKEN" {origin}/v1/consents/{active}/settlements
curl -s {tls} -H "Authorization: Bearer $TOKEN" {origin}/v1/whoami

As the administrator:

{program} --config {config} consent revoke {active} --reason 'trying it out'
curl -s http://{telemetry}/metrics

Everything is listed in {book}."#,
        profile = quoted(&banks[0].profile),
        saved = quoted(&place.file("banks")),
        active = consents.active,
        config = quoted(&place.file("gateway.toml")),
        telemetry = app.config.telemetry.listen,
        book = place.file("demo.json").display(),
    )?;
    Ok(())
}
