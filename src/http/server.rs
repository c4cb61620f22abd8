//! A gateway that serves: its listeners and what runs beside them, started together and stopped in order.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::listener::ListenerKind;
use crate::{app::App, telemetry::Health};

/// A gateway that serves.
#[derive(Debug)]
pub struct Running {
    app: Arc<App>,
    address: SocketAddr,
    listening: watch::Sender<bool>,
    listeners: JoinSet<()>,
    portal: Option<SocketAddr>,
    background: Option<(watch::Sender<bool>, JoinSet<()>)>,
}

async fn told(mut stopping: watch::Receiver<bool>) {
    // An error means the sender is gone, and with it the gateway.
    let _ = stopping.wait_for(|stop| *stop).await;
}

impl Running {
    /// Serves on a socket, with everything that runs beside.
    pub fn start(app: Arc<App>, socket: TcpListener, health: &Health) -> io::Result<Self> {
        let (stop, stopping) = watch::channel(false);
        let background = app.start_background(&stopping);
        let access = app.access.clone();
        health
            .require("state", move || access.is_current().map_err(|failure| failure.context.unwrap_or(failure.public)));
        let (live, clock) = (app.reloader.live(), app.env.clock.clone());
        health.require("trust", move || {
            live.fresh(clock.now()).map(|_| ()).ok_or_else(|| "certificates may be out of date".into())
        });
        let sealer = app.sealer.clone();
        health.require("ledger", move || sealer.problem().map_or(Ok(()), Err));
        let mut running = Self::listen(app, socket)?;
        running.background = Some((stop, background));
        Ok(running)
    }

    /// Serves on a socket and nothing beside: for tests, which do the rest by hand and in their own time.
    pub fn listen(app: Arc<App>, socket: TcpListener) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let (listening, stopping) = watch::channel(false);
        let mut listeners = JoinSet::new();
        listeners.spawn(super::serve_partner(app.clone(), socket, told(stopping)));
        tracing::info!(listener = "partner", address = %address, "listening");
        Ok(Self { app, address, listening, listeners, portal: None, background: None })
    }

    /// Serves the public on another socket, where the configuration has a portal.
    pub fn open_portal(&mut self, socket: TcpListener) -> io::Result<()> {
        let portal = self.app.portal.as_ref().ok_or_else(|| io::Error::other("the portal is not enabled"))?;
        let (door, address) = (ListenerKind::Public(portal.server.clone()), socket.local_addr()?);
        let told = told(self.listening.subscribe());
        self.listeners.spawn(super::serve_portal(self.app.clone(), door, socket, told));
        self.portal = Some(address);
        tracing::info!(listener = "portal", address = %address, "listening");
        Ok(())
    }

    /// Where the public connects.
    pub const fn portal(&self) -> Option<SocketAddr> {
        self.portal
    }

    /// Where banks connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its rooms.
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Stops in order: no new connections, requests under way finish, what was recorded is sealed once more.
    pub async fn stop(mut self) {
        self.listening.send_replace(true);
        // A listener that panicked has nothing left to drain.
        while self.listeners.join_next().await.is_some() {}
        self.app.recorder.shutdown().await;
        if let Some((stop, mut background)) = self.background {
            stop.send_replace(true);
            while background.join_next().await.is_some() {}
        }
    }
}
