//! What to try after the walk-through: commands to paste.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{Demo, Demonstration};
use crate::cli::Context;

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

/// The running program, which need not be on the path.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "medcredit".to_owned(), |path: PathBuf| quoted(&path))
}

/// The code of the subject whose grade the demonstration shows.
fn code(demo: &Demonstration) -> &str {
    demo.city.first().map_or("CODE", |subject| &subject.code)
}

/// Three things to try while the gateway runs.
pub(super) fn while_running(demo: &Demonstration, ctx: &Context) -> anyhow::Result<()> {
    let Demonstration { directory, app, banks, consents, .. } = demo;
    let tls = format!(
        "--cacert {} --cert {} --key {}",
        quoted(&directory.file("certs/ca.pem")),
        quoted(&banks[0].certificate),
        quoted(&banks[0].key)
    );
    writeln!(
        ctx.out(),
        r#"
The gateway runs until Ctrl-C. Three things to try in another terminal:

1. As the first bank, read a grade, save settlements as evidence, and prove them:

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

2. As the administrator, explain that grade and verify the ledger:

{program} --config {config} score explain {code}
{program} --config {config} ledger verify
curl -s http://{telemetry}/metrics

3. Revoke the consent, and let the bank read again: the next request is refused.

{program} --config {config} consent revoke {active} --reason 'trying it out'
{program} bank grade {active}

Everything is listed in {summary}."#,
        program = program(),
        profile = quoted(&banks[0].profile),
        saved = quoted(&directory.file("banks")),
        active = consents.active,
        origin = app.config.gateway.public_origin,
        config = quoted(&directory.file("gateway.toml")),
        code = code(demo),
        telemetry = app.config.telemetry.listen,
        summary = directory.file("demo.json").display(),
    )?;
    Ok(())
}

/// Three things to try after the gateway has stopped.
pub(super) fn after_once(demo: &Demonstration, args: &Demo, ctx: &Context) -> anyhow::Result<()> {
    writeln!(
        ctx.out(),
        r"
The walk-through is done. Three things to try:

1. Keep the gateway running, with commands to paste as a bank and as the administrator:

{program} demo --dir {dir}{small}

2. Explain the best grade of the city:

{program} --config {config} score explain {code}

3. Verify the ledger of everything that happened here:

{program} --config {config} ledger verify",
        program = program(),
        dir = quoted(&demo.directory.path),
        small = if args.small { " --small" } else { "" },
        config = quoted(&demo.directory.file("gateway.toml")),
        code = code(demo),
    )?;
    Ok(())
}
