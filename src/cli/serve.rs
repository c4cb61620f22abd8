//! `medcredit serve`: the gateway, until it is told to stop.

use std::time::Duration;

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::Context;
use crate::{
    config::{Config, LogFormat},
    store::durability,
    telemetry::{self, Format, Health, LogSettings, Telemetry},
};

/// Run the gateway.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {}

/// How long answers under way may take once the process is told to stop.
const GRACE: Duration = Duration::from_secs(20);

/// Starts the log as the configuration wants it.
pub(super) fn start_log(config: &Config, ctx: &Context) {
    let format = match config.log.format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    let settings = LogSettings { format, filter: config.log.filter.clone() };
    telemetry::init(&settings, ctx.clock.clone(), ctx.err());
}

/// Resolves when the process is told to stop (SIGTERM, or SIGINT from a terminal).
async fn told_to_stop() -> std::io::Result<&'static str> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Runs the command.
pub(super) async fn run(_: Serve, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    start_log(&config, ctx);
    let db = ctx.store(&config).await?;
    let durability = durability::examine(&db).await?;
    anyhow::ensure!(
        durability.refused.is_empty(),
        "the database does not sync its commits ({}): an answer could leave before its record is safe",
        durability.refused.join("; ")
    );
    for warning in &durability.warned {
        tracing::warn!(reason = warning, "the database could lose what it commits");
    }

    let health = Health::new();
    let listener = TcpListener::bind(config.telemetry.listen)
        .await
        .with_context(|| format!("telemetry.listen: {} cannot be listened on", config.telemetry.listen))?;
    tracing::info!(listener = "telemetry", address = %listener.local_addr()?, "listening");
    let (stop, stopping) = watch::channel(false);
    let telemetry = Telemetry { metrics: telemetry::install_metrics(), health: health.clone() };
    let mut until = stopping.clone();
    let monitored = tokio::spawn(telemetry::serve(listener, telemetry, async move {
        // An error means the sender is gone, and with it the gateway.
        let _ = until.wait_for(|stop| *stop).await;
    }));

    let signal = told_to_stop().await?;
    tracing::info!(signal, "stopping: what has begun is finished, nothing new is taken");
    health.drain();
    // Telemetry goes last, so that the drain can be watched.
    stop.send_replace(true);
    let _ = tokio::time::timeout(GRACE, monitored).await;
    db.close().await;
    tracing::info!("stopped");
    Ok(())
}
