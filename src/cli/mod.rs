//! The command line: one file a command, each with its arguments (`clap::Args`) and an asynchronous `run`.
//!
//! A command is a thin caller of a use-case: it reads arguments and configuration, calls, and writes what an operator
//! wants to know to the [`Context`]'s streams. Exit codes are a promise to scripts: 0 done, 1 the work failed, 2 wrong
//! usage, 64 bad configuration.
//!
//! To add a command: its file, a `mod` line, a variant of `Command` and an arm of `Command::run`.

mod bank;
mod catalogue;
mod certs;
mod client;
mod config;
mod consent;
mod context;
mod demo;
mod doctor;
mod generate;
mod import;
mod keys;
mod ledger;
mod migrate;
mod model;
mod openapi;
mod operator;
mod score;
mod serve;
mod subject;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

use crate::{
    config::{Config, ConfigError, StoreEngine},
    domain::TableError,
    grading::LibraryError,
};

pub use context::{Context, Input, OrFail, Screen, Stream, Usage};

/// The work was done.
pub const DONE: u8 = 0;
/// The work failed.
pub const FAILED: u8 = 1;
/// The command was called wrongly.
pub const WRONG_USAGE: u8 = 2;
/// The configuration cannot be used.
pub const BAD_CONFIGURATION: u8 = 64;

/// The medical-insurance credit gateway: consented grades and settlement summaries for banks, each answer signed and recorded.
#[derive(Debug, Parser)]
#[command(name = "medcredit", version, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    /// The gateway's configuration file [environment: MEDCREDIT_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// What can be done, in the order an operator meets it.
#[derive(Debug, Subcommand)]
enum Command {
    /// Make a demonstration in a directory, walk through a bank's day, and stay up
    Demo(demo::Demo),
    /// Run the gateway
    Serve(serve::Serve),
    /// Bring the database to this build's schema
    Migrate(migrate::Migrate),
    /// Check or print the configuration
    Config(config::ConfigCommand),
    /// Make authorities, issue, trust, revoke, refuse and list certificates
    Certs(certs::CertsCommand),
    /// Make, list, rotate and revoke the keys a gateway signs with
    Keys(keys::KeysCommand),
    /// Register, list, suspend and resume banks and departments
    Client(client::ClientCommand),
    /// List, show, grant, amend, suspend and revoke consents
    Consent(consent::ConsentCommand),
    /// Print or check the partner API's OpenAPI document
    Openapi(openapi::OpenApi),
    /// Make a synthetic city: files in the bureau's templates
    Generate(generate::Generate),
    /// Import the bureau's files
    Import(import::Import),
    /// Show what is gathered about a kind, and what of it has come or is late
    Catalogue(catalogue::CatalogueCommand),
    /// Check and show scoring models
    Model(model::ModelCommand),
    /// Make rounds of grades, publish and explain them
    Score(score::Score),
    /// Show everything held of a subject; find subjects by what is known of them
    Subject(subject::SubjectCommand),
    /// Verify the ledger, prove an entry, show the newest checkpoint
    Ledger(ledger::LedgerCommand),
    /// A bank's side: ask, verify, keep and prove answers, with a profile instead of a configuration
    Bank(bank::BankCommand),
    /// Look at configuration, files, database, keys, certificates and clock, and say what to mend
    Doctor(doctor::Doctor),
}

impl Command {
    async fn run(self, ctx: &Context) -> anyhow::Result<()> {
        match self {
            Self::Demo(args) => demo::run(args, ctx).await,
            Self::Serve(args) => serve::run(args, ctx).await,
            Self::Migrate(args) => migrate::run(args, ctx).await,
            Self::Config(args) => config::run(&args, ctx),
            Self::Certs(args) => certs::run(args, ctx).await,
            Self::Keys(args) => keys::run(args, ctx).await,
            Self::Client(args) => client::run(args, ctx).await,
            Self::Consent(args) => consent::run(args, ctx).await,
            Self::Openapi(args) => openapi::run(args, ctx).await,
            Self::Generate(args) => generate::run(&args, ctx),
            Self::Import(args) => import::run(args, ctx).await,
            Self::Catalogue(args) => catalogue::run(args, ctx).await,
            Self::Model(args) => model::run(args, ctx),
            Self::Score(args) => score::run(args, ctx).await,
            Self::Subject(args) => subject::run(args, ctx).await,
            Self::Ledger(args) => ledger::run(args, ctx).await,
            Self::Bank(args) => bank::run(args, ctx).await,
            Self::Doctor(args) => doctor::run(args, ctx).await,
        }
    }
}

/// After how many steps of its tasks a thread looks whether something has arrived, as the runtime has it.
const LOOKS_EVERY: u32 = 61;
/// The same where PostgreSQL answers for batches: 61 steps are milliseconds of signing, and for so long a server that has
/// answered would not be heard. With SQLite there is nobody to hear but banks, and fewer looks bring more of them at once.
const LOOKS_EVERY_OF_POSTGRES: u32 = 16;

/// How often a thread looks. Whatever is wrong with arguments or configuration is told later.
fn looks_every(args: &[OsString], ctx: &Context) -> u32 {
    let serves = Cli::try_parse_from(args).ok().filter(|cli| matches!(cli.command, Command::Serve(_)));
    let file = serves.and_then(|cli| cli.config.or_else(|| ctx.config_file.clone()));
    match file.and_then(|file| Config::load(&file).ok()) {
        Some(config) if config.store.engine == StoreEngine::Postgres => LOOKS_EVERY_OF_POSTGRES,
        _ => LOOKS_EVERY,
    }
}

/// Runs the process: the system's clock, randomness and streams.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Libraries that ask for the process's provider must find ours. A second installation is refused and changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ctx = Context::system();
    let args: Vec<OsString> = args.into_iter().collect();
    let looks_every = looks_every(&args, &ctx);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(looks_every)
        .global_queue_interval(looks_every)
        .build();
    ExitCode::from(match runtime {
        Ok(runtime) => runtime.block_on(run(args, ctx)),
        Err(error) => complain(&ctx, &anyhow::Error::new(error).context("the asynchronous runtime did not start")),
    })
}

/// Runs one command line in a context and returns its exit code.
pub async fn run(args: impl IntoIterator<Item = OsString>, mut ctx: Context) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return explain(&ctx, &error),
    };
    if cli.config.is_some() {
        ctx.config_file = cli.config;
    }
    match cli.command.run(&ctx).await {
        Ok(()) => DONE,
        Err(error) => complain(&ctx, &error),
    }
}

/// Help and version are answers; everything else clap says is a complaint.
fn explain(ctx: &Context, error: &clap::Error) -> u8 {
    let (mut stream, code) = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => (ctx.out(), DONE),
        _ => (ctx.err(), WRONG_USAGE),
    };
    // Nobody is left to be told when the stream itself is closed.
    let _ = std::io::Write::write_fmt(&mut stream, format_args!("{}", error.render()));
    code
}

/// Says what went wrong, with its causes, and chooses the exit code.
fn complain(ctx: &Context, error: &anyhow::Error) -> u8 {
    let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(broken_pipe) {
        // Whoever read the output, such as `head`, has seen enough.
        return DONE;
    }
    let mut lines = vec![format!("medcredit: {error}")];
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some libraries repeat their cause in their own text.
        if !said.ends_with(&cause) {
            lines.push(format!("  because: {cause}"));
        }
        said = cause;
    }
    lines.push(String::new());
    let _ = std::io::Write::write_all(&mut ctx.err(), lines.join("\n").as_bytes());
    let is_configuration = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<ConfigError>()
            || cause.is::<TableError>()
            || cause.is::<LibraryError>()
            || cause.is::<bank::ProfileError>()
    };
    if error.chain().any(is_configuration) {
        BAD_CONFIGURATION
    } else if error.chain().any(<dyn std::error::Error>::is::<Usage>) {
        WRONG_USAGE
    } else {
        FAILED
    }
}
