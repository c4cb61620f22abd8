//! What every command that talks to the gateway does alike: connect, read, verify, save, show.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::Value;

use super::{
    BankClient, Kept, Profile,
    archive::Archive,
    log::fetch_proof,
    saved_answer::{Saved, Shelf},
    show::clean,
    verify::{Verified, keys, short, verify_answer},
};
use crate::{
    cli::Context,
    domain::{ids::ConsentId, permission::Purpose},
    identity::{PublicKey, Suite},
};

/// What commands that read data have in common.
#[derive(Debug, Args)]
pub(super) struct Reading {
    /// The consent to read under
    pub(super) consent: ConsentId,
    /// What for; by default the profile's, or the consent's only one
    #[arg(long)]
    pub(super) purpose: Option<Purpose>,
    /// Print the exact body, and nothing else on standard output
    #[arg(long)]
    pub(super) json: bool,
    /// Keep the answer as evidence, in a file or a directory; without a path, in the profile's directory
    #[arg(long, value_name = "FILE|DIR")]
    #[expect(clippy::option_option, reason = "the library's form of an option whose value may be left out")]
    pub(super) save: Option<Option<PathBuf>>,
}

/// A command's connection, and the bank's directory.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: BankClient,
    pub(super) archive: Archive,
}

impl Session {
    /// Connects with the profile that was given.
    pub(super) fn open(profile: Option<&Path>, ctx: &Context) -> anyhow::Result<Self> {
        let profile = Profile::find(profile, ctx)?;
        let archive = Archive::at(&profile.directory);
        Ok(Self { client: BankClient::new(profile, ctx)?, archive })
    }

    /// Those of some scopes that this bank is registered for: asking for another one would be refused.
    pub(super) async fn registered(&self, wanted: &[&str]) -> anyhow::Result<String> {
        let said = self.client.whoami(None).await?.json()?;
        let known = said.pointer("/client/scopes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let scopes: Vec<&str> = wanted.iter().copied().filter(|scope| known.iter().any(|of| of == scope)).collect();
        anyhow::ensure!(
            !scopes.is_empty(),
            "this bank is registered for none of {}: ask the bureau",
            wanted.join(", ")
        );
        Ok(scopes.join(" "))
    }

    /// The published keys; new ones are kept in the bank's directory.
    pub(super) async fn keys(&self) -> anyhow::Result<Vec<PublicKey>> {
        let jwks = self.client.jwks().await?;
        self.archive.remember(&jwks, self.client.now())?;
        keys(&jwks)
    }

    /// Reads data under a consent: asks, verifies, saves where that is wanted. Nothing comes back that did not verify.
    pub(super) async fn read(
        &self,
        reading: &Reading,
        (scope, what): (&str, &str),
        more: &[(&str, String)],
        ctx: &Context,
    ) -> anyhow::Result<(Kept, Verified)> {
        let shelf = reading.save.as_ref();
        let shelf = shelf.map(|path| Shelf::of(path.as_deref(), self.archive.path())).transpose()?;
        let mut query: Vec<String> = more.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let purpose = reading.purpose.or(self.client.profile().purpose);
        query.extend(purpose.map(|purpose| format!("purpose={purpose}")));
        let mark = if query.is_empty() { "" } else { "?" };
        let path = format!("/v1/consents/{}/{what}{mark}{}", reading.consent, query.join("&"));
        let token = self.client.token(scope).await?;
        let kept = self.client.get(Some(&token), &path).await?.ok()?;
        let keys = self.keys().await?;
        let verified = verify_answer(&kept, &keys)?;
        if let Some(shelf) = shelf {
            self.save(&kept, &verified, &keys, (&shelf, ctx)).await?;
        }
        Ok((kept, verified))
    }

    /// Keeps an answer: at once, and once more with its proof as soon as it is sealed.
    async fn save(
        &self,
        kept: &Kept,
        verified: &Verified,
        keys: &[PublicKey],
        (shelf, ctx): (&Shelf, &Context),
    ) -> anyhow::Result<()> {
        let path = shelf.file(&verified.receipt.id);
        let client_id = match self.client.profile().client_id {
            Some(id) => Some(id),
            None => self.client.client_id().await.ok(),
        };
        let mut saved = Saved::new(kept, verified.key.jwk(), client_id, self.client.now())?;
        saved.write(&path)?;
        match fetch_proof(&self.client, &verified.receipt.id).await {
            Ok(proof) => {
                saved.proof = Some(proof);
                saved.log_keys = log_jwks(keys);
                saved.write(&path)?;
                writeln!(ctx.err(), "saved with its proof: {}", path.display())?;
            }
            Err(error) => {
                writeln!(ctx.err(), "saved, without its proof ({error}): {}", path.display())?;
                writeln!(ctx.err(), "  `medcredit bank proof {}` fetches it later", path.display())?;
            }
        }
        Ok(())
    }
}

/// The keys that checkpoints are signed with.
pub(super) fn log_jwks(keys: &[PublicKey]) -> Vec<crate::identity::Jwk> {
    keys.iter().filter(|key| key.suite() == Suite::Ed25519).map(PublicKey::jwk).collect()
}

/// Prints a body exactly: no byte more, so that its digest is the one that was signed.
pub(super) fn print_exactly(kept: &Kept, ctx: &Context) -> anyhow::Result<()> {
    ctx.out().write_all(&kept.body)?;
    Ok(ctx.out().flush()?)
}

/// The lines under an answer: what was verified, and under which conditions it was given.
pub(super) fn write_foot(out: &mut dyn Write, kept: &Kept, verified: &Verified) -> anyhow::Result<()> {
    let notice = kept.json()?.get("notice").and_then(Value::as_str).map(clean).unwrap_or_default();
    writeln!(out, "\n  {notice}")?;
    writeln!(
        out,
        "  Verified: body, status and request are what key {} signed at {}; recorded as {}.",
        short(verified.key.key_id()),
        verified.signed_at,
        verified.receipt.id
    )?;
    Ok(())
}
