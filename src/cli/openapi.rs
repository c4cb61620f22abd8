//! `medcredit openapi`: prints the partner API's OpenAPI document.

use std::{io::Write, path::PathBuf};

use anyhow::Context as _;

use super::Context;
use crate::http::openapi;

/// Print the partner API's OpenAPI document, or compare a file with it.
#[derive(Debug, clap::Args)]
pub(super) struct OpenApi {
    /// Compare this file with the document instead of printing it; ends with 1 if they differ
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "openapi/bank.v1.json")]
    check: Option<PathBuf>,
}

#[expect(clippy::unused_async, reason = "every command has the same form")]
pub(super) async fn run(args: OpenApi, ctx: &Context) -> anyhow::Result<()> {
    let document = openapi::partner()?;
    match args.check {
        None => ctx.out().write_all(document.as_bytes())?,
        Some(file) => {
            let committed = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            anyhow::ensure!(
                committed == document,
                "{} differs from the code: run `medcredit openapi > {}` and review the difference",
                file.display(),
                file.display()
            );
            writeln!(ctx.out(), "{} matches the code", file.display())?;
        }
    }
    Ok(())
}
