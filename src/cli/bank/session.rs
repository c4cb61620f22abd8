//! What the commands that call the gateway share: connecting, reading, verifying, saving and printing.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::Value;

use super::{
    BankClient, Profile, Response,
    archive::Archive,
    keys::{GatewayKeys, short},
    log::fetch_proof,
    saved_answer::{SavePath, SavedAnswer},
    show::clean,
    verify::{Verified, verify_answer},
};
use crate::{
    authority::Purpose,
    cli::Context,
    domain::{ids::ConsentId, permission},
};

/// The arguments of every command that reads data.
#[derive(Debug, Args)]
pub(super) struct ReadArgs {
    /// The consent to read under
    pub(super) consent: ConsentId,
    /// The purpose of the reading; by default the profile's, or the consent's only one
    #[arg(long)]
    pub(super) purpose: Option<permission::Purpose>,
    /// Print the exact body and nothing else
    #[arg(long)]
    pub(super) json: bool,
    /// Save the answer as evidence, in a file or a directory; without a path, in the profile's directory
    #[arg(long, value_name = "FILE|DIR")]
    #[expect(clippy::option_option, reason = "the library's form of an option whose value may be left out")]
    pub(super) save: Option<Option<PathBuf>>,
}

/// The data that a command reads under a consent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data<'a> {
    /// The last segment of the path, such as `grade`.
    pub(super) resource: &'a str,
    /// The scopes of the token.
    pub(super) scope: &'a str,
    /// Query parameters besides the purpose.
    pub(super) query: &'a [(&'a str, String)],
}

/// The client of one command, and the bank's directory.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: BankClient,
    pub(super) archive: Archive,
}

impl Session {
    /// Opens a session with the profile of `--profile` or the environment.
    pub(super) fn open(profile: Option<&Path>, ctx: &Context) -> anyhow::Result<Self> {
        let profile = Profile::find(profile, ctx)?;
        let archive = Archive::at(&profile.directory);
        Ok(Self { client: BankClient::new(profile, ctx)?, archive })
    }

    /// The scopes among `requested` that this bank is registered for: a token request with any other would be refused.
    pub(super) async fn registered(&self, requested: &[&str]) -> anyhow::Result<String> {
        let whoami = self.client.whoami(None).await?.json()?;
        let known = whoami.pointer("/client/scopes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let scopes: Vec<&str> = requested.iter().copied().filter(|scope| known.iter().any(|of| of == scope)).collect();
        anyhow::ensure!(
            !scopes.is_empty(),
            "this bank is registered for none of {}: ask the bureau",
            requested.join(", ")
        );
        Ok(scopes.join(" "))
    }

    /// The published keys; new ones are saved in the bank's directory.
    pub(super) async fn keys(&self) -> anyhow::Result<GatewayKeys> {
        let jwks = self.client.jwks().await?;
        self.archive.save_keys(&jwks, self.client.now())?;
        GatewayKeys::of_set(&jwks)
    }

    /// Reads data under a consent, verifies the answer and saves it if `--save` is given. Returns only verified answers.
    pub(super) async fn read(
        &self,
        read: &ReadArgs,
        data: Data<'_>,
        ctx: &Context,
    ) -> anyhow::Result<(Response, Verified)> {
        // Before the request is sent: a file that exists must not cost a disclosure.
        let save_path = read.save.as_ref();
        let save_path = save_path.map(|path| SavePath::of(path.as_deref(), self.archive.path())).transpose()?;
        let mut query: Vec<String> = data.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let purpose = read.purpose.or(self.client.profile().purpose);
        query.extend(purpose.map(|purpose| format!("purpose={purpose}")));
        let mark = if query.is_empty() { "" } else { "?" };
        let path = format!("/v1/consents/{}/{}{mark}{}", read.consent, data.resource, query.join("&"));
        let token = self.client.token(data.scope).await?;
        let response = self.client.get(Some(&token), &path).await?.ok()?;
        // After the answer, which may be signed with a key that was published a moment ago.
        let keys = self.keys().await?;
        let verified = verify_answer(&response, &keys)?;
        if let Some(save_path) = save_path {
            self.save(&response, &verified, &keys, &save_path.file(&verified.receipt.id), ctx).await?;
        }
        Ok((response, verified))
    }

    /// Saves an answer immediately, so that a crash loses nothing, and again with its proof as soon as it is sealed.
    async fn save(
        &self,
        response: &Response,
        verified: &Verified,
        keys: &GatewayKeys,
        path: &Path,
        ctx: &Context,
    ) -> anyhow::Result<()> {
        let client_id = match self.client.profile().client_id {
            Some(id) => Some(id),
            None => self.client.client_id().await.ok(),
        };
        let mut saved = SavedAnswer::new(response, &verified.key, client_id, self.client.now())?;
        // A crash from here on leaves the answer without its proof, which can be fetched later.
        saved.write(path)?;
        match fetch_proof(&self.client, &verified.receipt.id).await {
            Ok(proof) => {
                saved.proof = Some(proof);
                saved.log_keys = keys.jwks(Purpose::LedgerSigning);
                saved.write(path)?;
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

/// Prints exactly the bytes of a body, so that their digest is the signed one.
pub(super) fn print_exactly(response: &Response, ctx: &Context) -> anyhow::Result<()> {
    ctx.out().write_all(&response.body)?;
    Ok(ctx.out().flush()?)
}

/// Writes the lines below an answer: its conditions, and what was verified.
pub(super) fn write_footer(out: &mut dyn Write, response: &Response, verified: &Verified) -> anyhow::Result<()> {
    let notice = response.json()?.get("notice").and_then(Value::as_str).map(clean).unwrap_or_default();
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
