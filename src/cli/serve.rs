//! `medcredit serve`: runs the gateway until SIGTERM or SIGINT.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use super::{Context, context::Stream, exposure};
use crate::{
    app::{App, requirements},
    config::{Config, LogFormat},
    http::server::Running,
    store::durability,
    telemetry::{self, FlushGuard, Format, Health, LogSettings, Telemetry},
};

/// Run the gateway.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {}

/// How long requests in progress may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);

/// Starts the log as configured. Dropping the returned guard writes the buffered lines.
pub(super) fn start_log(config: &Config, ctx: &Context) -> FlushGuard<Stream> {
    let format = match config.log.format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    let settings = LogSettings { format, filter: config.log.filter.clone() };
    let (stream, guard) = telemetry::buffered(ctx.err());
    telemetry::init(&settings, ctx.clock.clone(), stream);
    guard
}

/// Waits for the signal to stop: SIGTERM, or SIGINT from a terminal.
pub(super) async fn wait_for_stop() -> std::io::Result<&'static str> {
    // Both are registered before either is awaited: from here on no signal ends the process by its default.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
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
    let connections = u64::from(config.partner.max_connections) + u64::from(portal);
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
        let count = config.partner.max_connections;
        tracing::warn!(limit, count, "the limit of open files leaves fewer connections than configured");
    }
    Ok(())
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
    /// Serves banks on one socket, monitoring on another, and the public on a third if there is one.
    pub(super) fn start(
        app: Arc<App>,
        partner: TcpListener,
        telemetry: TcpListener,
        portal: Option<TcpListener>,
    ) -> anyhow::Result<Self> {
        let health = Health::new();
        tracing::info!(listener = "telemetry", address = %telemetry.local_addr()?, "listening");
        let (stop, mut stopping) = watch::channel(false);
        let monitor = Telemetry { metrics: telemetry::install_metrics(), health: health.clone() };
        // In a task of its own, which ends last: probes are answered while requests are drained.
        let monitored = tokio::spawn(async move {
            let until = async move {
                // An error means that the sender was dropped, and with it the gateway.
                let _ = stopping.wait_for(|stop| *stop).await;
            };
            telemetry::serve(telemetry, monitor, until).await;
        });
        let mut running = Running::start(app, partner, &health)?;
        if let Some(socket) = portal {
            running.open_portal(socket)?;
        }
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
    let mut config = ctx.config()?;
    // Dropped last, on success and on failure, so that every line is written.
    let _log = start_log(&config, ctx);
    leave_descriptors(&mut config)?;
    // Before the secrets are read, so that what others could have read is reported and not used.
    exposure::check_files(&config)?;
    let db = ctx.store(&config).await?;
    exposure::check_role(&config, &db).await?;
    let durability = durability::examine(&db, requirements(&config)).await?;
    anyhow::ensure!(
        durability.refused.is_empty(),
        "the database does not sync its commits ({}): an answer could leave before its record is safe",
        durability.refused.join("; ")
    );
    for warning in &durability.warned {
        tracing::warn!(reason = warning, "the database could lose committed data");
    }
    let listen = async |address, key| {
        TcpListener::bind(address).await.with_context(|| format!("{key}: cannot listen on {address}"))
    };
    // Bound before the gateway is opened, so that an address in use is reported first.
    let telemetry = listen(config.telemetry.listen, "telemetry.listen").await?;
    let partner = listen(config.partner.listen, "partner.listen").await?;
    let portal = if config.portal.enabled { Some(listen(config.portal.listen, "portal.listen").await?) } else { None };
    let app = App::open(config, ctx.env(&db)).await.context("the gateway")?;
    app.require_known_history()?;
    let history = app.history.history().clone();
    let serving = Serving::start(app, partner, telemetry, portal)?;
    let moved = tokio::select! {
        signal = wait_for_stop() => {
            let signal = signal?;
            tracing::info!(signal, "stopping: requests in progress are finished, new ones are refused");
            None
        }
        moved = history.epoch_moved() => Some(moved),
    };
    serving.stop().await;
    // After `stop`, which seals once more.
    db.close().await;
    tracing::info!("stopped");
    // An error, so that a supervisor starts the gateway again, in the new epoch.
    moved.map_or(Ok(()), |moved| Err(moved.into()))
}
