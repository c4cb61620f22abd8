//! The command line: one file for each command, with its arguments (`clap::Args`) and its `run`.
//!
//! A command is a thin caller of a use-case: it reads arguments and configuration, calls the use-case, and writes the
//! result to the [`Context`]'s streams. Scripts rely on the exit codes: 0 done, 1 the work failed, 2 wrong usage, 3 there
//! was nothing to do, 64 bad configuration.
//!
//! To add a command: its file, a `mod` line, a variant of `Command` and an arm of `Command::run`. One that changes
//! something takes `--operator` (operator.rs) and leaves one ledger entry for each change; tests/it/cli/audit.rs lists it.

mod approval;
mod backup;
mod bank;
mod catalogue;
mod certs;
mod client;
mod clock;
mod config;
mod consent;
mod context;
mod demo;
mod doctor;
mod exposure;
mod fact;
mod findings;
mod four_eyes;
mod generate;
mod import;
mod keys;
mod ledger;
mod login;
mod migrate;
mod model;
mod objection;
mod openapi;
mod operator;
mod operators;
mod push;
mod recover;
mod restore;
mod score;
mod serve;
mod service_manager;
mod signals;
mod subject;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

use crate::{
    config::{Config, ConfigError, StoreEngine},
    domain::TableError,
    grading::LibraryError,
    push::platform::PlatformsError,
};
use context::{Logged, NothingDone};

pub use context::{Context, Input, OrFail, Screen, Stream, Usage};
pub use service_manager::ServiceEnvironment;

/// The work was done.
pub const DONE: u8 = 0;
/// The work failed.
pub const FAILED: u8 = 1;
/// There was nothing to do: each file was imported before, and nothing has changed since.
pub const NOTHING_DONE: u8 = 3;
/// The command was called wrongly.
pub const WRONG_USAGE: u8 = 2;
/// The configuration cannot be used.
pub const BAD_CONFIGURATION: u8 = 64;

/// The medical-insurance credit gateway: grades and settlement summaries for banks, by consent, signed and recorded.
#[derive(Debug, Parser)]
#[command(name = "medcredit", version, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    /// The gateway's configuration file [env: MEDCREDIT_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// The commands, in the order in which an operator needs them.
#[derive(Debug, Subcommand)]
enum Command {
    /// Set up a demonstration in a directory, walk through a bank's day, and keep the gateway running
    Demo(demo::Demo),
    /// Run the gateway
    Serve(serve::Serve),
    /// Migrate the database to this build's schema
    Migrate(migrate::Migrate),
    /// Check or print the configuration
    Config(config::ConfigCommand),
    /// Manage certificates: our own authority, partners' authorities, issuing and revoking
    Certs(certs::CertsCommand),
    /// Manage the keys that the gateway signs with
    Keys(keys::KeysCommand),
    /// Manage the accounts of the people who administer the gateway
    Operator(operators::OperatorCommand),
    /// Decide and execute acts that another operator has proposed
    Approval(approval::ApprovalCommand),
    /// Manage clients: banks, departments, auditors and platforms
    Client(client::ClientCommand),
    /// Manage consents: list, show, grant, amend, suspend and revoke
    Consent(consent::ConsentCommand),
    /// Accept this machine's clock, after a long downtime or after a clock was wrong
    Clock(clock::ClockCommand),
    /// Print the partner API's OpenAPI document, or compare a file with it
    Openapi(openapi::OpenApi),
    /// Generate a synthetic city as files in the bureau's templates
    Generate(generate::Generate),
    /// Import the bureau's files
    Import(import::Import),
    /// Take a fact back by its document, after a reconsideration, a judgment or an error
    Fact(fact::FactCommand),
    /// Show the data categories of a kind of subject, and which deliveries are late
    Catalogue(catalogue::CatalogueCommand),
    /// Check, show, compare and document scoring models
    Model(model::ModelCommand),
    /// Grade subjects, and publish, explain and report the grades
    Score(score::Score),
    /// Check and list the platforms that receive grades
    Push(push::PushCommand),
    /// Record objections of subjects to their results, and decide them
    Objection(objection::ObjectionCommand),
    /// Show everything stored about a subject, or find subjects by number or name
    Subject(subject::SubjectCommand),
    /// Verify the ledger, prove an entry, or print the newest checkpoint
    Ledger(ledger::LedgerCommand),
    /// Copy the whole store into one archive, while gateways run
    Backup(backup::Backup),
    /// Verify an archive and restore it into an empty store
    Restore(restore::Restore),
    /// Recover from a database that was turned back by a restore or a failover, and resume consents that were compared
    Recover(recover::Recover),
    /// Act as a bank: read data under a consent, and verify, save and prove the answers
    Bank(bank::BankCommand),
    /// Check everything that the configuration names, from files to ports, and say how to fix what is wrong
    Doctor(doctor::Doctor),
}

impl Command {
    async fn run(self, ctx: &Context) -> anyhow::Result<()> {
        match self {
            // It holds a whole city and a gateway: boxed, so that other commands do not carry its size.
            Self::Demo(args) => Box::pin(demo::run(args, ctx)).await,
            Self::Serve(args) => serve::run(args, ctx).await,
            Self::Migrate(args) => migrate::run(args, ctx).await,
            Self::Config(args) => config::run(&args, ctx),
            Self::Certs(args) => certs::run(args, ctx).await,
            Self::Keys(args) => keys::run(args, ctx).await,
            Self::Operator(args) => operators::run(args, ctx).await,
            Self::Approval(args) => approval::run(args, ctx).await,
            Self::Client(args) => client::run(args, ctx).await,
            Self::Consent(args) => consent::run(args, ctx).await,
            Self::Clock(args) => clock::run(args, ctx).await,
            Self::Openapi(args) => openapi::run(args, ctx).await,
            Self::Generate(args) => generate::run(&args, ctx),
            Self::Fact(args) => fact::run(args, ctx).await,
            Self::Import(args) => import::run(args, ctx).await,
            Self::Catalogue(args) => catalogue::run(args, ctx).await,
            Self::Model(args) => model::run(args, ctx),
            Self::Score(args) => score::run(args, ctx).await,
            Self::Push(args) => push::run(args, ctx).await,
            Self::Objection(args) => objection::run(args, ctx).await,
            Self::Subject(args) => subject::run(args, ctx).await,
            Self::Ledger(args) => ledger::run(args, ctx).await,
            Self::Backup(args) => backup::run(args, ctx).await,
            Self::Restore(args) => restore::run(args, ctx).await,
            Self::Recover(args) => recover::run(args, ctx).await,
            Self::Bank(args) => bank::run(args, ctx).await,
            Self::Doctor(args) => doctor::run(args, ctx).await,
        }
    }
}

/// How many task polls a thread runs between two polls of the I/O driver: the runtime's default.
const POLLS_PER_IO: u32 = 61;
/// The same with PostgreSQL: 61 polls are milliseconds of signing, during which a response of the server would wait. With
/// SQLite only requests of banks arrive, and rarer I/O polls take in more of them together.
const POLLS_PER_IO_WITH_POSTGRES: u32 = 16;

/// The polls per I/O for a command line. Errors in arguments or configuration are reported later.
fn polls_per_io(args: &[OsString], ctx: &Context) -> u32 {
    // Parsed here too, because the runtime has to be built before `run`.
    let serves = Cli::try_parse_from(args).ok().filter(|cli| matches!(cli.command, Command::Serve(_)));
    let file = serves.and_then(|cli| cli.config.or_else(|| ctx.config_file.clone()));
    match file.and_then(|file| Config::load(&file).ok()) {
        Some(config) if config.store.engine == StoreEngine::Postgres => POLLS_PER_IO_WITH_POSTGRES,
        _ => POLLS_PER_IO,
    }
}

/// The command line's definition, for tests and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the process with the system's clock, randomness and streams.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // For libraries that use the process's default provider. A second installation fails and changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ctx = Context::system();
    let args: Vec<OsString> = args.into_iter().collect();
    let polls_per_io = polls_per_io(&args, &ctx);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(polls_per_io)
        .global_queue_interval(polls_per_io)
        .build();
    ExitCode::from(match runtime {
        Ok(runtime) => runtime.block_on(run(args, ctx)),
        Err(error) => print_error(&ctx, &anyhow::Error::new(error).context("the asynchronous runtime did not start")),
    })
}

/// Runs one command line in a context and returns its exit code.
pub async fn run(args: impl IntoIterator<Item = OsString>, mut ctx: Context) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return print_clap_error(&ctx, &error),
    };
    if cli.config.is_some() {
        ctx.config_file = cli.config;
    }
    // Boxed: the future of the largest command is some sixteen kilobytes.
    match Box::pin(cli.command.run(&ctx)).await {
        Ok(()) => DONE,
        Err(error) => print_error(&ctx, &error),
    }
}

/// Prints help and version to standard output, and wrong usage to standard error.
fn print_clap_error(ctx: &Context, error: &clap::Error) -> u8 {
    let (mut stream, code) = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => (ctx.out(), DONE),
        _ => (ctx.err(), WRONG_USAGE),
    };
    // A closed stream cannot be reported anywhere.
    let _ = std::io::Write::write_fmt(&mut stream, format_args!("{}", error.render()));
    code
}

/// Prints an error with its causes, and returns the exit code.
fn print_error(ctx: &Context, error: &anyhow::Error) -> u8 {
    let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    };
    if error.is::<NothingDone>() {
        return NOTHING_DONE;
    }
    if error.chain().any(broken_pipe) {
        // The reader of the output, such as `head`, has closed it.
        return DONE;
    }
    let mut lines = vec![format!("medcredit: {error}")];
    let mut previous = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some libraries repeat the cause in their own text.
        if !previous.ends_with(&cause) {
            lines.push(format!("  because: {cause}"));
        }
        previous = cause;
    }
    lines.push(String::new());
    if !error.is::<Logged>() {
        let _ = std::io::Write::write_all(&mut ctx.err(), lines.join("\n").as_bytes());
    }
    let is_configuration = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<ConfigError>()
            || cause.is::<TableError>()
            || cause.is::<LibraryError>()
            || cause.is::<PlatformsError>()
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
