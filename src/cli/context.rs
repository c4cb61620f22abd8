//! The surroundings of a command: configuration, clock, randomness and streams, each replaceable by a test.

use crate::store::Env;
use std::{
    fmt,
    io::{self, BufRead, IsTerminal, Read as _, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::service_manager::ServiceEnvironment;
use crate::{
    authority::{self, Custody, server::ServerFiles},
    config::{Config, StoreEngine},
    domain::{Failure, SystemClock, SystemEntropy, clock::SharedClock, rng::SharedEntropy},
    ledger::journal_beside,
    store::{Crypter, Db, migrations},
};

/// A stream that commands write to. Cheap to clone; clones write to the same sink.
#[derive(Clone)]
pub struct Stream(Arc<Mutex<dyn Write + Send>>);

impl Stream {
    /// A stream that writes to `sink`.
    pub fn new(sink: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(sink)))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

/// A stream that commands read from. Cheap to clone; clones share the position.
#[derive(Clone)]
pub struct Input(Arc<Mutex<Box<dyn BufRead + Send>>>);

impl Input {
    /// A stream that reads from `source`.
    pub fn new(source: impl BufRead + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(source))))
    }

    fn line(&self) -> io::Result<String> {
        let mut line = String::new();
        // Longer than any name or number.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_ref().take(4096).read_line(&mut line)?;
        Ok(line)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}

/// Wrong usage that the argument parser cannot detect. Ends with code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Marks an error that is in the log already, as its last line: it is not printed a second time.
#[derive(Debug, thiserror::Error)]
#[error("the gateway cannot run")]
pub(super) struct Logged;

/// There was nothing to do, as the output says already: nothing more is printed.
#[derive(Debug, thiserror::Error)]
#[error("there was nothing to do")]
pub(super) struct NothingDone;

/// A use-case's failure, for an operator: here the private half may be shown too.
#[derive(Debug, thiserror::Error)]
#[error("{} ({})", .0.context.as_deref().unwrap_or(&.0.public), .0.code)]
struct Failed(Failure);

/// Turns a use-case's failure into the command's error.
pub trait OrFail<T> {
    /// The value, or an error with the failure's text and code.
    fn or_fail(self) -> anyhow::Result<T>;
}

impl<T> OrFail<T> for Result<T, Failure> {
    fn or_fail(self) -> anyhow::Result<T> {
        self.map_err(|failure| anyhow::Error::new(Failed(failure)))
    }
}

/// The capabilities of standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Whether charts use block characters or ASCII.
    pub blocks: bool,
    /// The width in columns.
    pub columns: usize,
}

impl Screen {
    /// A file or a pipe.
    pub const PLAIN: Self = Self { blocks: false, columns: 100 };

    /// The process's standard output: blocks on a terminal, unless `TERM` is dumb or `NO_COLOR` is set.
    fn system() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let columns = terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
        Self {
            blocks: io::stdout().is_terminal() && !plain,
            columns: columns.filter(|_| io::stdout().is_terminal()).unwrap_or(Self::PLAIN.columns),
        }
    }
}

/// The surroundings of a command.
#[derive(Debug, Clone)]
pub struct Context {
    /// `--config`, or the environment's `MEDCREDIT_CONFIG`.
    pub config_file: Option<PathBuf>,
    /// The environment's `MEDCREDIT_BANK`: a bank's profile.
    pub bank_profile: Option<PathBuf>,
    pub clock: SharedClock,
    pub entropy: SharedEntropy,
    /// The login name of the user, for the ledger.
    pub login: Option<String>,
    /// What the environment says about the service manager.
    pub service: ServiceEnvironment,
    /// Whether standard error is a terminal, so that progress is shown.
    pub terminal: bool,
    /// The source of values that must not appear in the command line.
    pub input: Input,
    /// The capabilities of the output.
    pub screen: Screen,
    out: Stream,
    err: Stream,
}

impl Context {
    /// The process's own surroundings.
    pub fn system() -> Self {
        Self {
            config_file: std::env::var_os("MEDCREDIT_CONFIG").map(PathBuf::from),
            bank_profile: std::env::var_os("MEDCREDIT_BANK").map(PathBuf::from),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            login: super::login::login_name(),
            service: ServiceEnvironment::system(),
            terminal: io::stderr().is_terminal(),
            input: Input::new(io::BufReader::new(io::stdin())),
            screen: Screen::system(),
            out: Stream::new(io::stdout()),
            err: Stream::new(io::stderr()),
        }
    }

    /// A context with the caller's streams, clock and randomness, and without a terminal.
    pub fn new(clock: SharedClock, entropy: SharedEntropy, out: Stream, err: Stream) -> Self {
        let (terminal, screen, input) = (false, Screen::PLAIN, Input::new(io::empty()));
        let service = ServiceEnvironment::default();
        Self {
            config_file: None,
            bank_profile: None,
            clock,
            entropy,
            login: None,
            service,
            terminal,
            input,
            screen,
            out,
            err,
        }
    }

    /// The stream for results: `writeln!(ctx.out(), "...")?`.
    pub fn out(&self) -> Stream {
        self.out.clone()
    }

    /// The stream for errors and notices.
    pub fn err(&self) -> Stream {
        self.err.clone()
    }

    /// Reads one line of standard input, with a prompt on a terminal: a value that must not appear in the command line,
    /// where other users and the shell's history see it.
    pub fn ask(&self, what: &str) -> anyhow::Result<String> {
        if self.terminal {
            write!(self.err(), "{what}: ")?;
            self.err().flush()?;
        }
        let line = self.input.line().with_context(|| format!("{what} cannot be read"))?;
        let value = line.trim();
        if value.is_empty() {
            return Err(Usage(format!("{what} is read from standard input: give it as one line")).into());
        }
        Ok(value.to_owned())
    }

    /// The configuration of `--config` or the environment.
    pub fn config(&self) -> anyhow::Result<Config> {
        let file = self.config_file.as_deref().ok_or_else(|| {
            Usage("this command needs a configuration: --config FILE, or MEDCREDIT_CONFIG in the environment".into())
        })?;
        Ok(Config::load(file)?)
    }

    /// Opens the configured database; an error unless its schema is exactly this build's.
    pub async fn store(&self, config: &Config) -> anyhow::Result<Db> {
        let db = open_store(config).await?;
        migrations::check(&db).await?;
        Ok(db)
    }

    /// The environment of use-cases: this store, and the context's clock and randomness.
    pub fn env(&self, db: &Db) -> Env {
        Env::new(db.clone(), self.clock.clone(), self.entropy.clone())
    }

    /// A progress bar for long work, drawn only on a terminal: a spinner without a total.
    pub fn progress(&self, total: Option<u64>, what: &'static str) -> ProgressBar {
        let target = if self.terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        let shape = match total {
            Some(_) => "{msg} {wide_bar} {pos}/{len} {eta}",
            None => "{msg} {spinner} {pos} {elapsed}",
        };
        // Both templates are valid; the default is only a fallback.
        let style = ProgressStyle::with_template(shape).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.with_style(style).with_message(what)
    }
}

/// Opens the configured database without checking its schema.
pub(super) async fn open_store(config: &Config) -> anyhow::Result<Db> {
    let db = match config.store.engine {
        StoreEngine::Sqlite => Db::open_sqlite(&config.store.directory).await?,
        StoreEngine::Postgres => {
            let url = config.store.url()?;
            Db::open_postgres(url.expose(), config.store.max_connections)
                .await
                .context("the database cannot be reached")?
        }
    };
    // What an operator ends is in the journal beside the checkpoint file before the command says so.
    Ok(db.with_end_journal(journal_beside(&config.ledger.checkpoint_file)))
}

/// The certificate and key files of the listeners, each pair once.
pub(super) fn server_files(config: &Config) -> Vec<ServerFiles> {
    let mut servers = Vec::new();
    let partner = &config.partner;
    for files in [partner.tls_files(), config.portal.tls_files(partner), config.console.tls_files(partner)] {
        let files = ServerFiles { certificate: files.certificate.to_owned(), key: files.key.to_owned() };
        if !servers.contains(&files) {
            servers.push(files);
        }
    }
    servers
}

/// Opens the configured keys and certificates for an operator.
pub(super) async fn custody(ctx: &Context) -> anyhow::Result<Custody> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let crypter = crypter(&config, &db).await?;
    Ok(Custody::new(ctx.env(&db), crypter, &config.authority))
}

/// The configured key-encryption keys, of which the one seals that the store is sealed under.
pub(super) async fn crypter(config: &Config, db: &Db) -> anyhow::Result<Arc<Crypter>> {
    let crypter = authority::crypter(&config.secrets)?;
    authority::keys::follow_store(&crypter, db).await?;
    Ok(Arc::new(crypter))
}
