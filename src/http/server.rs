//! A running gateway: its listeners and background tasks, started together and stopped in order.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{Router, response::Response};
use http::{HeaderMap, HeaderValue};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::{
    api::{self, Api},
    bank, console,
    header_names::INTERACTION_ID,
    listener::{
        kind::{Listener, ListenerKind},
        refusal::Refusal,
        settings::Settings,
    },
    oauth, portal,
    problem::Problem,
    request_log,
};
use crate::{
    app::App,
    domain::{Failure, FailureKind, error_chain},
    telemetry::Health,
};

/// A running gateway.
#[derive(Debug)]
pub struct Running {
    app: Arc<App>,
    address: SocketAddr,
    stop_listening: watch::Sender<bool>,
    listeners: JoinSet<()>,
    portal: Option<SocketAddr>,
    console: Option<SocketAddr>,
    /// The checks that the console shows.
    health: Health,
    background: Option<Background>,
}

#[derive(Debug)]
struct Background {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Resolves when the sender says stop.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, and the gateway with it.
    let _ = stopping.wait_for(|stop| *stop).await;
}

impl Running {
    /// Serves banks on a socket, and starts the background tasks.
    pub fn start(app: Arc<App>, socket: TcpListener, health: &Health) -> io::Result<Self> {
        let (stop, stopping) = watch::channel(false);
        // Before the socket is served: without the poll, the state is out of date after a second and nobody is
        // answered (I3).
        let tasks = app.start_background(&stopping);
        app.report_health(health);
        // An error drops `tasks`, which ends them.
        let mut running = Self::listen(app, socket)?;
        running.health = health.clone();
        running.background = Some(Background { stop, tasks });
        Ok(running)
    }

    /// Serves banks on a socket without background tasks: for tests, which run those by hand.
    pub fn listen(app: Arc<App>, socket: TcpListener) -> io::Result<Self> {
        // Asked before the socket moves into its task.
        let address = socket.local_addr()?;
        let (stop_listening, stopping) = watch::channel(false);
        let mut listeners = JoinSet::new();
        listeners.spawn(serve_partner(app.clone(), socket, stopped(stopping)));
        tracing::info!(listener = "partner", address = %address, "listening");
        Ok(Self {
            app,
            address,
            stop_listening,
            listeners,
            portal: None,
            console: None,
            health: Health::new(),
            background: None,
        })
    }

    /// Serves the public on another socket, when the configuration has a portal.
    pub fn open_portal(&mut self, socket: TcpListener) -> io::Result<()> {
        let portal = self.app.portal.as_ref().ok_or_else(|| io::Error::other("the portal is not enabled"))?;
        let (kind, address) = (ListenerKind::Public(portal.server.clone()), socket.local_addr()?);
        let shutdown = stopped(self.stop_listening.subscribe());
        self.listeners.spawn(serve_portal(self.app.clone(), kind, socket, shutdown));
        self.portal = Some(address);
        tracing::info!(listener = "portal", address = %address, "listening");
        Ok(())
    }

    /// Serves administrators on another socket, when the configuration has a console.
    pub fn open_console(&mut self, socket: TcpListener) -> io::Result<()> {
        let console = self.app.console.as_ref().ok_or_else(|| io::Error::other("the console is not enabled"))?;
        let (kind, address) = (ListenerKind::Public(console.server.clone()), socket.local_addr()?);
        let (app, shutdown) = (self.app.clone(), stopped(self.stop_listening.subscribe()));
        let listener = listener(&app, Settings::of_console(&app.config), kind);
        let api = console::api(app, self.health.clone());
        self.listeners.spawn(async move { listener.serve(socket, api, shutdown).await });
        self.console = Some(address);
        tracing::info!(listener = "console", address = %address, "listening");
        Ok(())
    }

    /// The address of the console listener.
    pub const fn console(&self) -> Option<SocketAddr> {
        self.console
    }

    /// The address of the portal listener.
    pub const fn portal(&self) -> Option<SocketAddr> {
        self.portal
    }

    /// The address of the partner listener.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The gateway's rooms.
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Stops in order: accepts no more connections, finishes active requests, then seals once more what was recorded.
    pub async fn stop(mut self) {
        // `send` would do nothing once every listener has ended.
        self.stop_listening.send_replace(true);
        // A listener that panicked has nothing left to drain.
        while self.listeners.join_next().await.is_some() {}
        // After the last request, and before the background ends: the sealer still covers what this commits.
        self.app.recorder.shutdown().await;
        if let Some(Background { stop, mut tasks }) = self.background {
            stop.send_replace(true);
            while tasks.join_next().await.is_some() {}
        }
        // After the last seal. A database that is gone keeps nobody from ending: others then wait for what this one knows.
        if let Err(error) = self.app.history.withdraw().await {
            tracing::warn!(error = %error_chain(&error), "the gateway could not withdraw from the others");
        }
    }
}

/// The API of the partner listener.
fn partner(app: Arc<App>) -> Api {
    let router = Router::new().merge(oauth::router()).merge(bank::router());
    Api::partner(app, router.fallback(api::route_not_found).method_not_allowed_fallback(api::method_not_allowed))
}

async fn serve_partner(app: Arc<App>, socket: TcpListener, shutdown: impl Future<Output = ()> + Send) {
    // A limit beyond this platform's sizes allows no larger bodies than elsewhere.
    let larger = usize::try_from(app.config.imports.max_bytes).unwrap_or(0);
    let settings =
        Settings { larger_bodies: Some((bank::imports::PREFIX, larger)), ..Settings::from(&app.config.partner) };
    let kind = ListenerKind::Partners(app.reloader.live());
    listener(&app, settings, kind).serve(socket, partner(app), shutdown).await;
}

async fn serve_portal(
    app: Arc<App>,
    kind: ListenerKind,
    socket: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) {
    let settings = Settings::of_portal(&app.config);
    listener(&app, settings, kind).serve(socket, portal::api(app), shutdown).await;
}

fn listener(app: &Arc<App>, settings: Settings, kind: ListenerKind) -> Listener {
    let (rendering, finding) = (app.clone(), app.clone());
    Listener {
        settings,
        kind,
        clock: app.env.clock.clone(),
        clock_trust: app.env.clock_trust.clone(),
        render: Arc::new(move |headers, refusal| render(&rendering, headers, refusal)),
        find_client: Arc::new(move |identity| {
            // Also by a directory that may be out of date: then requests are refused, and connections stay.
            let directory = finding.access.directory();
            let client = directory.by_identity(identity.authority(), identity.subject());
            client.filter(|client| client.is_active()).map(|client| client.id.to_string())
        }),
    }
}

/// Renders a refusal by the listener itself. Such a request never reaches the request log, so its id is set here.
fn render(app: &App, headers: &HeaderMap, refusal: Refusal) -> Response {
    let id = request_log::interaction_id(app, headers);
    let problem = match refusal {
        Refusal::Identity(_) => Failure::new(FailureKind::Unauthenticated, refusal.code(), refusal.detail()).into(),
        Refusal::TrustOutOfDate | Refusal::ClockUntrusted | Refusal::RequestTimeout => {
            let mut failure = Failure::unavailable(refusal.code(), "the listener refused the request");
            failure.public = refusal.detail().into();
            failure.into()
        }
        Refusal::Host => Failure::invalid("host", refusal.code(), refusal.detail()).into(),
        Refusal::BodyTooLarge => Problem::body_too_large(),
        Refusal::BodyTooSlow => Problem::body_too_slow(),
    };
    let mut response = problem.render(Some(&id));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(INTERACTION_ID, value);
    }
    response
}
