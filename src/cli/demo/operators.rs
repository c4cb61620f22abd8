//! Two operators and an auditor of the demonstration, who have enrolled, so that the console can be tried.

use anyhow::{Context as _, ensure};
use aws_lc_rs::hmac;
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use serde::{Deserialize, Serialize};

use super::{DemoDirectory, demo_operator};
use crate::{
    app::App,
    authority::files,
    domain::{Entropy, Timestamp},
    principals::{PrincipalsError, Roles},
};

/// The accounts with their roles. Two have the roles of officers, so that one decides on what the other proposes.
const ACCOUNTS: [(&str, &[&str]); 3] = [
    ("lin", &["security", "consent_officer", "scoring_officer", "push_officer"]),
    ("wang", &["security", "consent_officer", "scoring_officer", "push_officer"]),
    ("zhao", &["audit"]),
];

/// The file that remembers them: a demonstration that is renewed has the same accounts.
const FILE: &str = "secrets/operators.json";

/// The seconds of a step of one-time codes (RFC 6238).
const STEP_SECONDS: i64 = 30;

/// An account with everything that its person has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DemoOperator {
    pub(super) name: String,
    pub(super) roles: Vec<String>,
    pub(super) password: String,
    /// The secret of the authenticator, base32.
    pub(super) totp_secret: String,
}

/// Makes the accounts that are missing.
pub(super) async fn ensure_operators(directory: &DemoDirectory, app: &App) -> anyhow::Result<Vec<DemoOperator>> {
    let file = directory.file(FILE);
    if file.exists() {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        return serde_json::from_str(&text).with_context(|| file.display().to_string());
    }
    let mut operators = Vec::new();
    for (name, roles) in ACCOUNTS {
        operators.push(enrolled(app, name, roles).await?);
    }
    // After the last: an interrupted demonstration gives the accounts other secrets.
    files::write_private(&file, serde_json::to_string_pretty(&operators)?.as_bytes())?;
    Ok(operators)
}

async fn enrolled(app: &App, name: &str, roles: &[&str]) -> anyhow::Result<DemoOperator> {
    let (principals, actor) = (&app.principals, demo_operator()?);
    let invited = match principals.create(&actor, name, &Roles::parse(roles)?).await {
        Err(PrincipalsError::Exists(_)) => principals.reset(&actor, name, Some("renewed")).await?,
        created => created?,
    };
    let token = invited.link.rsplit('/').next().unwrap_or_default();
    let shown = principals.invitation(token).await?.context("the link was not found")?;
    let password = new_password(&*app.env.entropy);
    // The code of the step before: it counts too, and the present one is left for signing in.
    let code = code_of(&shown.secret, app.env.now(), -1)?;
    principals.enrol(token, &password, &code).await?;
    let roles = roles.iter().map(ToString::to_string).collect();
    Ok(DemoOperator { name: name.to_owned(), roles, password, totp_secret: shown.secret })
}

fn new_password(entropy: &dyn Entropy) -> String {
    let mut random = [0; 18];
    entropy.fill(&mut random);
    BASE64URL_NOPAD.encode(&random)
}

/// What an authenticator shows for a secret, some steps after an instant.
fn code_of(secret: &str, now: Timestamp, steps: i64) -> anyhow::Result<String> {
    let key = BASE32_NOPAD.decode(secret.as_bytes()).context("the secret")?;
    let step = now.seconds().div_euclid(STEP_SECONDS) + steps;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 0xf);
    let part = tag.get(offset..offset + 4).and_then(|part| <[u8; 4]>::try_from(part).ok());
    ensure!(part.is_some(), "a tag of SHA-1 has 20 bytes");
    let number = u32::from_be_bytes(part.unwrap_or_default()) & 0x7fff_ffff;
    Ok(format!("{:06}", number % 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, the last six digits, for the secret "12345678901234567890".
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(code_of(secret, Timestamp::from_seconds(seconds), 0).unwrap(), code);
        }
        assert_eq!(code_of(secret, Timestamp::from_seconds(89), -1).unwrap(), "287082");
    }
}
