//! What the gateway says once it lets us in: who we are, its clock, tokens, limits, keys and the log.

use std::time::Duration;

use serde::Deserialize;

use super::{Examination, Own};
use crate::{
    cli::bank::{
        BankClient, Kept,
        log::{is_of_the_way, open, watch},
        saved_answer::Refused,
        show::clean,
        verify::{keys, short},
    },
    domain::Timestamp,
    identity::{PublicKey, Suite},
};

/// Tokens and assertions allow for ten seconds; more than two is worth a warning.
const NOTICED: Duration = Duration::from_secs(2);
const TOO_FAR: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
struct WhoAmI {
    client: Client,
    connection: Connection,
    server_time: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Client {
    id: String,
    name: String,
    auth_methods: Vec<String>,
    scopes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Connection {
    thumbprint: String,
}

/// Asks the gateway, in the order of a request.
pub(super) async fn check(exam: &mut Examination<'_>, client: &BankClient, own: &Own) {
    let before = exam.ctx.clock.now();
    let kept = match client.whoami(None).await {
        Ok(kept) => kept,
        Err(error) => return registration(exam, &error),
    };
    let after = exam.ctx.clock.now();
    let said: WhoAmI = match serde_json::from_slice(&kept.body) {
        Ok(said) => said,
        Err(error) => {
            return exam.findings.problem(
                "registration",
                format!("what answers is no gateway: {error}"),
                "compare origin",
            );
        }
    };
    let Client { id, name, .. } = &said.client;
    exam.findings.good("registration", format!("{} {}", clean(id), clean(name)));
    thumbprint(exam, &said, own);
    origin(exam, client).await;
    clock(exam, said.server_time, before.plus(after.since(before) / 2));
    token(exam, client, &said.client).await;
    limits(exam, &kept);
    let Some(keys) = published(exam, client).await else { return };
    log(exam, client, &keys).await;
}

/// The certificate was accepted, and its bearer is not a client, or not any more.
fn registration(exam: &mut Examination<'_>, error: &anyhow::Error) {
    let check = "registration";
    match error.downcast_ref::<Refused>() {
        Some(refused) if refused.status == 401 => exam.findings.problem(
            check,
            format!(
                "the gateway trusts the certificate and does not serve its bearer: {} {}",
                refused.code, refused.detail
            ),
            "the bureau registers a bank by its certificate's exact subject, and may have suspended it: ask there",
        ),
        Some(refused) => exam.findings.problem(
            check,
            format!("{} {} {}", refused.status, refused.code, refused.detail),
            "try again later; if it stays so, ask the bureau",
        ),
        None => exam.findings.problem(check, format!("{error:#}"), "ask the bureau what its log says"),
    }
}

fn thumbprint(exam: &mut Examination<'_>, said: &WhoAmI, own: &Own) {
    if said.connection.thumbprint == own.thumbprint {
        exam.findings.good("thumbprint", format!("the gateway saw our certificate, SHA-256 {}", own.thumbprint));
    } else {
        exam.findings.problem(
            "thumbprint",
            format!("the gateway saw another certificate: {}", clean(&said.connection.thumbprint)),
            "something between ends our TLS and begins its own: it must pass the connection on unbroken",
        );
    }
}

/// Signatures cover the public origin, so that it must be the one we call.
async fn origin(exam: &mut Examination<'_>, client: &BankClient) {
    let path = "/.well-known/oauth-protected-resource";
    let said = match client.get(None, path).await.and_then(Kept::ok).and_then(|kept| kept.json()) {
        Ok(said) => said,
        Err(error) => return exam.findings.warning("origin", format!("{error:#}"), "ask the bureau"),
    };
    let public = said.get("resource").and_then(serde_json::Value::as_str).unwrap_or_default();
    if public == exam.profile.origin {
        exam.findings.good("origin", "it is the public one, which signatures cover");
    } else {
        exam.findings.problem(
            "origin",
            format!("the gateway calls itself {}, and its signatures cover that name", clean(public)),
            format!("origin = {:?} in the profile", clean(public)),
        );
    }
}

fn clock(exam: &mut Examination<'_>, theirs: Timestamp, ours: Timestamp) {
    let (apart, which) = if theirs > ours { (theirs.since(ours), "slow") } else { (ours.since(theirs), "fast") };
    let text = format!("{}.{:03} s {which} of the gateway's", apart.as_secs(), apart.subsec_millis());
    let mend = "keep this machine's clock by NTP; if it is, tell the bureau that the gateway's is off";
    if apart > TOO_FAR {
        exam.findings.problem("clock", format!("{text}: signed requests and tokens will be refused"), mend);
    } else if apart > NOTICED {
        exam.findings.warning("clock", text, mend);
    } else {
        exam.findings.good("clock", text);
    }
}

async fn token(exam: &mut Examination<'_>, client: &BankClient, registered: &Client) {
    let check = "token";
    let token = match client.issue(None).await {
        Ok(token) => token,
        Err(error) => {
            let methods = registered.auth_methods.join(", ");
            let mend = format!(
                "this bank is registered for {methods}: private_key_jwt needs signing_key in the profile, whose public half is \
                 registered at the bureau"
            );
            return exam.findings.problem(check, format!("{error:#}"), mend);
        }
    };
    let granted: Vec<&str> = token.scope.split(' ').collect();
    let missing: Vec<&str> =
        registered.scopes.iter().map(String::as_str).filter(|scope| !granted.contains(scope)).collect();
    exam.findings.good(check, format!("issued, good for {} s, bound to the certificate", token.expires_in));
    if missing.is_empty() {
        exam.findings.good("scopes", clean(&token.scope));
    } else {
        exam.findings.warning("scopes", format!("not granted: {}", missing.join(" ")), "ask the bureau");
    }
    for (scope, what) in [("grade:read", "grades"), ("disclosures:read", "proofs")] {
        if !registered.scopes.iter().any(|known| known == scope) {
            exam.findings.warning(
                "scopes",
                format!("without {scope} there are no {what}"),
                "have the bureau register it",
            );
        }
    }
}

fn limits(exam: &mut Examination<'_>, kept: &Kept) {
    let field = |name: &str| kept.headers.get(name).map(|text| clean(text)).unwrap_or_default();
    let (policies, state) = (field("ratelimit-policy"), field("ratelimit"));
    if policies.is_empty() {
        return exam.findings.skipped("limits", "the gateway told none");
    }
    let spent = state.split(',').find(|use_| use_.contains(";r=0;") || use_.ends_with(";r=0"));
    let text = format!("{}; left: {}", in_words(&policies, "q", "w"), in_words(&state, "r", "t"));
    match spent {
        Some(_) => exam.findings.warning("limits", text, "something of this bank's asks too often: space requests out"),
        None => exam.findings.good("limits", text),
    }
}

/// `"burst";q=100;w=60` as `burst 100 in 60 s`; what is not of that form as it is.
fn in_words(field: &str, number: &str, seconds: &str) -> String {
    let item = |text: &str| {
        let mut parts = text.trim().split(';');
        let name = parts.next()?.trim_matches('"').to_owned();
        let values: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let value = |wanted: &str| values.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let joined = if number == "q" { "in" } else { "until all is back in" };
        Some(format!("{name} {} {joined} {} s", value(number)?, value(seconds)?))
    };
    let items: Option<Vec<String>> = field.split(',').map(item).collect();
    items.map_or_else(|| field.to_owned(), |items| items.join(", "))
}

async fn published(exam: &mut Examination<'_>, client: &BankClient) -> Option<Vec<PublicKey>> {
    let check = "keys";
    let found = async {
        let jwks = client.jwks().await?;
        let first = exam.archive.keys()?.is_empty();
        let new = exam.archive.remember(&jwks, exam.ctx.clock.now())?;
        anyhow::Ok((keys(&jwks)?, new, first))
    };
    let (keys, new, first) = match found.await {
        Ok(found) => found,
        Err(error) => {
            exam.findings.problem(
                check,
                format!("{error:#}"),
                "without them no answer can be verified: ask the bureau",
            );
            return None;
        }
    };
    let of = |suite: Suite| keys.iter().filter(|key| key.suite() == suite).count();
    if of(Suite::Es256) == 0 || of(Suite::Ed25519) == 0 {
        exam.findings.problem(check, "the gateway publishes no key for answers or none for the log", "ask the bureau");
        return None;
    }
    let text = format!("{} published, all kept in {}", keys.len(), exam.archive.path().display());
    if first || new.is_empty() {
        exam.findings.good(check, text);
    } else {
        let names: Vec<&str> = new.iter().map(|id| short(id)).collect();
        exam.findings.warning(
            check,
            format!("{text}; new since last time: {}", names.join(", ")),
            "compare with the key log the bureau publishes: a rotation is announced there",
        );
    }
    Some(keys)
}

async fn log(exam: &mut Examination<'_>, client: &BankClient, keys: &[PublicKey]) {
    let check = "log";
    let answer = match client.get(None, "/v1/ledger/checkpoint").await {
        Ok(answer) if answer.status == http::StatusCode::NOT_FOUND => {
            return exam.findings.skipped(check, "nothing has been sealed yet");
        }
        Ok(answer) => answer,
        Err(error) => return exam.findings.wrong(check, format!("{error:#}")),
    };
    let verified = async {
        let note = String::from_utf8(answer.ok()?.body)?;
        let checkpoint = open(&note, keys)?;
        let (_, text) = watch(client, &exam.archive, keys, (&checkpoint, &note)).await?;
        anyhow::Ok(format!("checkpoint of {}: {text}", checkpoint.origin))
    };
    match verified.await {
        Ok(text) => exam.findings.good(check, text),
        Err(error) if is_of_the_way(&error) => exam.findings.warning(
            check,
            format!("it could not be compared with the checkpoint kept here: {error:#}"),
            "the kept checkpoint stays; try again",
        ),
        Err(error) => exam.findings.problem(
            check,
            format!("{error:#}"),
            "do not go on as if nothing were: tell the bureau, and keep your older checkpoint",
        ),
    }
}
