//! `bank token`: an access token, its scopes and its lifetime.

use std::{io::Write, path::Path};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::session::Session;
use crate::{authority::files, cli::Context, identity::certificate::thumbprint};

/// Request an access token and show its scopes and lifetime.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// The scopes to request, separated by spaces; by default all that are registered
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Print the token itself, for a script that calls the API with curl
    #[arg(long)]
    show: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: TokenArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let session = Session::open(profile, ctx)?;
    let token = session.client.issue(args.scope.as_deref()).await?;
    let whoami = session.client.whoami(Some(&token.text)).await?.json()?;
    let chain = files::read_items(files::CERTIFICATE, &session.client.profile().certificate)?;
    let own = thumbprint(chain.first().context("the profile's certificate")?);
    let bound = whoami.pointer("/token/valid").and_then(Value::as_bool).unwrap_or_default();
    let mut out = ctx.out();
    if args.json {
        let mut shown = json!({
            "scope": token.scope, "expires_at": token.expires_at, "expires_in": token.expires_in,
            "bound_to": own, "accepted": bound,
        });
        if let (true, Some(shown)) = (args.show, shown.as_object_mut()) {
            shown.insert("access_token".into(), json!(token.text));
        }
        writeln!(out, "{shown:#}")?;
        return Ok(());
    }
    if args.show {
        writeln!(out, "{}", token.text)?;
        return Ok(());
    }
    writeln!(out, "scopes   {}", super::show::clean(&token.scope))?;
    writeln!(out, "expires  {} (in {} s)", token.expires_at, token.expires_in)?;
    writeln!(out, "bound    to the certificate with SHA-256 {own}; with another one it is refused")?;
    writeln!(out, "The token itself is not shown; --show prints it.")?;
    Ok(())
}
