//! `medcredit serve`: runs the gateway until SIGTERM or SIGINT.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::{
    Context,
    context::{Logged, Stream},
    exposure,
    service_manager::ServiceManager,
    signals::{Request, Signals},
};
use crate::{
    app::{App, requirements},
    config::{Config, LogFormat},
    http::server::Running,
    store::{Db, durability, server},
    telemetry::{self, FlushGuard, Format, Health, LogSettings, Telemetry},
};

/// Run the gateway until SIGTERM; SIGHUP reloads.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {}

/// How long requests in progress may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);

/// The log of this process. Dropping it writes the buffered lines.
#[derive(Debug)]
pub(super) struct RunningLog {
    _guard: FlushGuard<Stream>,
    /// Whether lines go to this log. A process has one log: a second one is ignored.
    is_in_use: bool,
}

/// Starts the log in a format.
fn start_log_as(format: LogFormat, filter: &str, ctx: &Context) -> RunningLog {
    let format = match format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    let settings = LogSettings { format, filter: filter.to_owned() };
    let (stream, guard) = telemetry::buffered(ctx.err());
    RunningLog { is_in_use: telemetry::init(&settings, ctx.clock.clone(), stream), _guard: guard }
}

/// Starts the log as configured.
pub(super) fn start_log(config: &Config, ctx: &Context) -> RunningLog {
    start_log_as(config.log.format, &config.log.filter, ctx)
}

/// Descriptors of what is neither a connection of a client, nor of telemetry, nor of the database: files, their logs, pipes,
/// and sockets that are closing.
const OTHER_DESCRIPTORS: u64 = 128;
/// The fewest connections worth serving.
const FEWEST_CONNECTIONS: u64 = 64;

/// Makes the caps of connections leave descriptors to everything else: to telemetry above all, which must answer while
/// clients take all they can. Raises the limit of the process where that is allowed.
fn leave_descriptors(config: &mut Config) -> anyhow::Result<()> {
    let portal = if config.portal.enabled { config.portal.max_connections } else { 0 };
    let console = if config.console.enabled { config.console.max_connections } else { 0 };
    let connections = [config.partner.max_connections, portal, console].map(u64::from).iter().sum::<u64>();
    let of_telemetry = u64::try_from(telemetry::MAX_CONNECTIONS).unwrap_or(0);
    let others = OTHER_DESCRIPTORS + of_telemetry + u64::from(config.store.max_connections);
    let limit = telemetry::raise_descriptor_limit(others + connections);
    let room = limit.saturating_sub(others);
    anyhow::ensure!(
        room >= connections.min(FEWEST_CONNECTIONS),
        "the process may open {limit} files, and needs at least {}: raise the limit (`ulimit -n`, or LimitNOFILE= of its unit)",
        others + FEWEST_CONNECTIONS
    );
    if room < connections {
        let part = |number: u32| {
            let part = u64::from(number) * room / connections;
            u32::try_from(part).unwrap_or(number).max(1)
        };
        let partner = &mut config.partner;
        partner.max_connections = part(partner.max_connections);
        partner.max_handshakes = partner.max_handshakes.min(partner.max_connections);
        partner.reserved_handshakes = partner.reserved_handshakes.min(partner.max_handshakes / 4);
        config.portal.max_connections = part(config.portal.max_connections);
        config.console.max_connections = part(config.console.max_connections);
        let count = config.partner.max_connections;
        tracing::warn!(limit, count, "the limit of open files leaves fewer connections than configured");
    }
    Ok(())
}

/// The bound sockets of the listeners.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) partner: TcpListener,
    pub(super) telemetry: TcpListener,
    pub(super) portal: Option<TcpListener>,
    pub(super) console: Option<TcpListener>,
}

/// A running gateway with its telemetry.
#[derive(Debug)]
pub(super) struct Serving {
    running: Running,
    health: Health,
    monitored: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Serving {
    /// Serves banks and monitoring, and the public and administrators where there are sockets for them.
    pub(super) fn start(app: Arc<App>, sockets: Sockets) -> anyhow::Result<Self> {
        let Sockets { partner, telemetry, portal, console } = sockets;
        let health = Health::new();
        tracing::info!(listener = "telemetry", address = %telemetry.local_addr()?, "listening");
        // First: what is counted before the recorder is installed is lost.
        let metrics = telemetry::install_metrics();
        let mut running = Running::start(app, partner, &health)?;
        if let Some(socket) = portal {
            running.open_portal(socket)?;
        }
        if let Some(socket) = console {
            running.open_console(socket)?;
        }
        // Last, when every check is registered: a probe that came before would have found nothing wrong. It waits in the socket.
        let (stop, mut stopping) = watch::channel(false);
        let monitor = Telemetry { metrics, health: health.clone() };
        // In a task of its own, which ends last: probes are answered while requests are drained.
        let monitored = tokio::spawn(async move {
            let until = async move {
                // An error means that the sender was dropped, and with it the gateway.
                let _ = stopping.wait_for(|stop| *stop).await;
            };
            telemetry::serve(telemetry, monitor, until).await;
        });
        Ok(Self { running, health, monitored, stop })
    }

    /// Stops in order: telemetry last, so that the drain can be observed.
    pub(super) async fn stop(self) {
        // First: a balancer sees `/readyz` fail while requests in progress are still finished.
        self.health.drain();
        self.running.stop().await;
        self.stop.send_replace(true);
        // Telemetry that hangs must not keep the process from ending.
        let _ = tokio::time::timeout(GRACE, self.monitored).await;
    }
}

pub(super) async fn run(_: Serve, ctx: &Context) -> anyhow::Result<()> {
    let config = match ctx.config() {
        Ok(config) => config,
        // A person at a terminal reads the error itself. A collector reads a line of the log, in the default format, because
        // the configured one is unknown.
        Err(error) if ctx.terminal => return Err(error),
        Err(error) => return Err(logged(error, &start_log_as(LogFormat::Json, "info", ctx))),
    };
    // Dropped last, on success and on failure, so that every line is written.
    let log = start_log(&config, ctx);
    if log.is_in_use {
        report_panics();
    }
    // Boxed, so that other commands do not carry its size.
    Box::pin(serve(config, ctx)).await.map_err(|error| logged(error, &log))
}

/// Reports an error that ends the gateway in its log, in the format of every other line.
fn logged(error: anyhow::Error, log: &RunningLog) -> anyhow::Error {
    if !log.is_in_use {
        return error;
    }
    let why = format!("{error:#}");
    tracing::error!(error = %why, "the gateway cannot run");
    error.context(Logged)
}

/// Reports panics in the log, by their location alone: the message of one may contain data (I8).
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map_or_else(|| "-".to_owned(), ToString::to_string);
        tracing::error!(reason = at, "a task panicked: this is a defect");
    }));
}

async fn serve(mut config: Config, ctx: &Context) -> anyhow::Result<()> {
    let configured = config.clone();
    leave_descriptors(&mut config)?;
    // Before anything that takes time: from here on, a SIGHUP does not end the process.
    let mut signals = Signals::new()?;
    let manager = Arc::new(ServiceManager::new(&ctx.service));
    // Before the secrets are read, so that what others could have read is reported and not used.
    exposure::check_files(&config)?;
    let db = ctx.store(&config).await?;
    // Before the role is judged: an operator who connected to a standby reads that it is one.
    require_server(&db).await?;
    exposure::check_role(&config, &db).await?;
    require_durability(&config, &db).await?;
    let listen = async |address, key| {
        TcpListener::bind(address).await.with_context(|| format!("{key}: cannot listen on {address}"))
    };
    // Bound before the gateway is opened, so that an address in use is reported first.
    let telemetry = listen(config.telemetry.listen, "telemetry.listen").await?;
    let partner = listen(config.partner.listen, "partner.listen").await?;
    let portal = if config.portal.enabled { Some(listen(config.portal.listen, "portal.listen").await?) } else { None };
    let console =
        if config.console.enabled { Some(listen(config.console.listen, "console.listen").await?) } else { None };
    let delay = config.telemetry.stop_delay();
    let app = App::open(config, ctx.env(&db)).await.context("the gateway")?;
    app.require_known_history()?;
    let history = app.history.history().clone();
    let serving = Serving::start(app.clone(), Sockets { partner, telemetry, portal, console })?;
    manager.notify("READY=1\nSTATUS=serving");
    // To the end: also while requests in progress are finished, which may take longer than the service manager waits for a sign.
    let _alive = signs_of_life(&manager, ctx.service.watchdog_interval());
    let reloading = Reloading { app, configured, ctx };
    let moved = tokio::select! {
        signal = obey(&mut signals, &manager, &reloading) => {
            tracing::info!(signal, "stopping: requests in progress are finished, new ones are refused");
            None
        }
        moved = history.epoch_moved() => Some(moved),
    };
    manager.notify("STOPPING=1\nSTATUS=finishing requests in progress");
    serving.health.drain();
    if moved.is_none() {
        tokio::select! {
            // The listeners stay open meanwhile: a balancer that has not noticed yet is still served.
            () = tokio::time::sleep(delay) => {}
            // A second signal ends the wait.
            _ = signals.stop() => {}
        }
    }
    serving.stop().await;
    // After `stop`, which seals once more.
    db.close().await;
    tracing::info!("stopped");
    // An error, so that a supervisor starts the gateway again, in the new epoch.
    moved.map_or(Ok(()), |moved| Err(moved.into()))
}

async fn require_server(db: &Db) -> anyhow::Result<()> {
    let problems = server::examine(db).await?;
    anyhow::ensure!(problems.is_empty(), "the gateway cannot serve over this database: {}", problems.join("; "));
    Ok(())
}

async fn require_durability(config: &Config, db: &Db) -> anyhow::Result<()> {
    let durability = durability::examine(db, requirements(config)).await?;
    anyhow::ensure!(
        durability.refused.is_empty(),
        "the database does not sync its commits ({}): an answer could leave before its record is safe",
        durability.refused.join("; ")
    );
    for warning in &durability.warned {
        tracing::warn!(reason = warning, "the database could lose committed data");
    }
    Ok(())
}

/// What a reload works on.
#[derive(Debug)]
struct Reloading<'a> {
    app: Arc<App>,
    /// The configuration as it was read, before its limits were fitted to this machine.
    configured: Config,
    ctx: &'a Context,
}

/// Gives the service manager signs of life until the set is dropped: from the runtime that serves banks, so that one which hangs
/// gives none.
fn signs_of_life(manager: &Arc<ServiceManager>, interval: Option<Duration>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if let Some(interval) = interval {
        let manager = manager.clone();
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            loop {
                ticks.tick().await;
                manager.notify("WATCHDOG=1");
            }
        });
    }
    tasks
}

/// Reloads on request, and returns the signal to stop.
async fn obey(signals: &mut Signals, manager: &ServiceManager, reloading: &Reloading<'_>) -> &'static str {
    loop {
        match signals.next().await {
            Request::Stop(signal) => return signal,
            Request::Reload => {
                manager.notify("RELOADING=1");
                reload(reloading).await;
                manager.notify("READY=1\nSTATUS=serving");
            }
        }
    }
}

/// Reads everything again that a running gateway can replace: keys, clients, trust, revocation lists and server certificates.
/// The configuration is only checked, and what differs from the running one is named.
async fn reload(reloading: &Reloading<'_>) {
    let Reloading { app, configured, ctx } = reloading;
    let mut failed = false;
    match ctx.config() {
        Ok(new) => {
            let changed = configured.changed_sections(&new);
            if !changed.is_empty() {
                tracing::warn!(reason = %changed.join(", "), "changed settings take effect at the next start");
            }
        }
        Err(error) => {
            failed = true;
            let why = format!("{error:#}");
            tracing::error!(error = %why, "the changed configuration cannot be used: a restart would fail");
        }
    }
    if let Err(failure) = app.catch_up().await {
        failed = true;
        let reason = failure.context.as_deref().unwrap_or("-");
        tracing::error!(code = failure.code, reason, "the reload could not read the database");
    }
    if let Some(portal) = &app.portal {
        portal.server.refresh().await;
    }
    if let Some(console) = &app.console {
        console.server.refresh().await;
    }
    let outcome = if failed { "failed" } else { "done" };
    metrics::counter!("medcredit_reloads_total", "outcome" => outcome).increment(1);
    tracing::info!(state = outcome, "reloaded");
}
