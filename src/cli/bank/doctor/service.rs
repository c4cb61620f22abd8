//! The gateway behind the connection: this bank's registration, the clock, tokens, limits, keys and the log.

use std::time::Duration;

use serde::Deserialize;

use super::Examination;
use crate::{
    authority::Purpose,
    cli::bank::{
        BankClient, Response,
        keys::{GatewayKeys, short},
        log::{VerifiedCheckpoint, is_transport_error, open, update_checkpoint},
        saved_answer::Refusal,
        show::clean,
    },
    domain::Timestamp,
    identity::CertificateFacts,
};

/// A larger difference between the clocks is worth a warning.
const CLOCK_WARNING: Duration = Duration::from_secs(2);
/// Tokens and assertions with a larger difference are refused.
const CLOCK_LIMIT: Duration = Duration::from_secs(10);

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

/// Checks in the order of a request.
pub(super) async fn check(exam: &mut Examination<'_>, client: &BankClient, certificate: &CertificateFacts) {
    let before = exam.ctx.clock.now();
    let response = match client.whoami(None).await {
        Ok(response) => response,
        Err(error) => return registration(exam, &error),
    };
    let after = exam.ctx.clock.now();
    let whoami: WhoAmI = match serde_json::from_slice(&response.body) {
        Ok(whoami) => whoami,
        Err(error) => {
            return exam.findings.problem(
                "registration",
                format!("the server is not a gateway: {error}"),
                "compare origin with what the bureau gave you",
            );
        }
    };
    let Client { id, name, .. } = &whoami.client;
    exam.findings.good("registration", format!("{} {}", clean(id), clean(name)));
    thumbprint(exam, &whoami, certificate);
    origin(exam, client).await;
    // With the middle of the request: the gateway read its clock between the two.
    clock(exam, whoami.server_time, before.plus(after.since(before) / 2));
    token(exam, client, &whoami.client).await;
    limits(exam, &response);
    let Some(keys) = published(exam, client).await else { return };
    log(exam, client, &keys).await;
}

/// Reports a certificate that is accepted while the bank itself is refused.
fn registration(exam: &mut Examination<'_>, error: &anyhow::Error) {
    let check = "registration";
    match error.downcast_ref::<Refusal>() {
        Some(refused) if refused.status == 401 => exam.findings.problem(
            check,
            format!("the gateway trusts the certificate and refuses the bank: {} {}", refused.code, refused.detail),
            "the bureau registers a bank by its certificate's exact subject, and may have suspended it: ask the bureau",
        ),
        Some(refused) => exam.findings.problem(
            check,
            format!("{} {} {}", refused.status, refused.code, refused.detail),
            "try again later; if it fails again, ask the bureau",
        ),
        None => exam.findings.problem(check, format!("{error:#}"), "ask the bureau to look in the gateway's log"),
    }
}

fn thumbprint(exam: &mut Examination<'_>, whoami: &WhoAmI, certificate: &CertificateFacts) {
    if whoami.connection.thumbprint == certificate.thumbprint {
        exam.findings
            .good("thumbprint", format!("the gateway saw our certificate, SHA-256 {}", certificate.thumbprint));
    } else {
        exam.findings.problem(
            "thumbprint",
            format!("the gateway saw another certificate: {}", clean(&whoami.connection.thumbprint)),
            "a proxy terminates our TLS and opens its own: it must pass the connection through unchanged",
        );
    }
}

/// Checks the origin: signatures cover the public one, so it must be the one this bank calls.
async fn origin(exam: &mut Examination<'_>, client: &BankClient) {
    let path = "/.well-known/oauth-protected-resource";
    let metadata = match client.get(None, path).await.and_then(Response::ok).and_then(|response| response.json()) {
        Ok(metadata) => metadata,
        Err(error) => return exam.findings.warning("origin", format!("{error:#}"), "ask the bureau"),
    };
    let public = metadata.get("resource").and_then(serde_json::Value::as_str).unwrap_or_default();
    if public == exam.profile.origin {
        exam.findings.good("origin", "it is the public origin, which signatures cover");
    } else {
        exam.findings.problem(
            "origin",
            format!("the gateway's public origin is {}, and its signatures cover that name", clean(public)),
            format!("set origin = {:?} in the profile", clean(public)),
        );
    }
}

fn clock(exam: &mut Examination<'_>, theirs: Timestamp, ours: Timestamp) {
    let (apart, which) = if theirs > ours { (theirs.since(ours), "slow") } else { (ours.since(theirs), "fast") };
    let text = format!("{}.{:03} s {which} of the gateway's", apart.as_secs(), apart.subsec_millis());
    let fix = "keep this machine's clock by NTP; if it is, ask the bureau to correct the gateway's";
    if apart > CLOCK_LIMIT {
        exam.findings.problem("clock", format!("{text}: signed requests and tokens will be refused"), fix);
    } else if apart > CLOCK_WARNING {
        exam.findings.warning("clock", text, fix);
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
            let fix = format!(
                "this bank is registered for {methods}: private_key_jwt needs signing_key in the profile, and its public key \
                 registered at the bureau"
            );
            return exam.findings.problem(check, format!("{error:#}"), fix);
        }
    };
    let granted: Vec<&str> = token.scope.split(' ').collect();
    let missing: Vec<&str> =
        registered.scopes.iter().map(String::as_str).filter(|scope| !granted.contains(scope)).collect();
    exam.findings.good(check, format!("issued, valid for {} s, bound to the certificate", token.expires_in));
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
                "ask the bureau to register it",
            );
        }
    }
}

fn limits(exam: &mut Examination<'_>, response: &Response) {
    let field = |name: &str| response.headers.get(name).map(|text| clean(text)).unwrap_or_default();
    let (policies, state) = (field("ratelimit-policy"), field("ratelimit"));
    if policies.is_empty() {
        return exam.findings.skipped("limits", "the gateway reports none");
    }
    let spent = state.split(',').find(|use_| use_.contains(";r=0;") || use_.ends_with(";r=0"));
    let text = format!("{}; left: {}", in_words(&policies, "q", "w"), in_words(&state, "r", "t"));
    match spent {
        Some(_) => exam.findings.warning("limits", text, "this bank sends requests too often: space them out"),
        None => exam.findings.good("limits", text),
    }
}

/// Formats `"burst";q=100;w=60` as `burst 100 in 60 s`, and anything else unchanged.
fn in_words(field: &str, number: &str, seconds: &str) -> String {
    let item = |text: &str| {
        let mut parts = text.trim().split(';');
        let name = parts.next()?.trim_matches('"').to_owned();
        let values: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let value = |parameter: &str| values.iter().find(|(name, _)| *name == parameter).map(|(_, value)| *value);
        let joined = if number == "q" { "in" } else { "until it refills in" };
        Some(format!("{name} {} {joined} {} s", value(number)?, value(seconds)?))
    };
    let items: Option<Vec<String>> = field.split(',').map(item).collect();
    items.map_or_else(|| field.to_owned(), |items| items.join(", "))
}

async fn published(exam: &mut Examination<'_>, client: &BankClient) -> Option<GatewayKeys> {
    let check = "keys";
    let found = async {
        let jwks = client.jwks().await?;
        // Before saving: at the first contact every key is new, and that is no warning.
        let first = exam.archive.keys()?.all().is_empty();
        let new = exam.archive.save_keys(&jwks, exam.ctx.clock.now())?;
        anyhow::Ok((GatewayKeys::of_set(&jwks)?, new, first))
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
    if [Purpose::AnswerSigning, Purpose::LedgerSigning].into_iter().any(|purpose| keys.of(purpose).next().is_none()) {
        exam.findings.problem(check, "the gateway publishes no key for answers or none for the log", "ask the bureau");
        return None;
    }
    let text = format!("{} published, all saved in {}", keys.all().len(), exam.archive.path().display());
    if first || new.is_empty() {
        exam.findings.good(check, text);
    } else {
        let names: Vec<&str> = new.iter().map(|id| short(id)).collect();
        exam.findings.warning(
            check,
            format!("{text}; new since last time: {}", names.join(", ")),
            "compare them with the key log that the bureau publishes: it announces a rotation",
        );
    }
    Some(keys)
}

async fn log(exam: &mut Examination<'_>, client: &BankClient, keys: &GatewayKeys) {
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
        let (_, text) =
            update_checkpoint(client, &exam.archive, keys, VerifiedCheckpoint { checkpoint: &checkpoint, note: &note })
                .await?;
        anyhow::Ok(format!("checkpoint of {}: {text}", checkpoint.origin))
    };
    match verified.await {
        Ok(text) => exam.findings.good(check, text),
        Err(error) if is_transport_error(&error) => exam.findings.warning(
            check,
            format!("it could not be compared with the checkpoint saved here: {error:#}"),
            "try again: the saved checkpoint is unchanged",
        ),
        Err(error) => exam.findings.problem(
            check,
            format!("{error:#}"),
            "report this to the bureau immediately, and keep your older checkpoint",
        ),
    }
}
