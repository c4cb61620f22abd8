//! Other gateways and other processes on the database of a [`TestApp`].

use std::sync::Arc;

use medcredit::{app::App, config::Config, http::server::Running, ledger::Faults, store::Env, telemetry::Health};
use tokio::net::TcpListener;

use super::{app::TestApp, command::medcredit, store::StoreLocation};

/// Another gateway on the same database.
#[derive(Debug)]
pub struct SecondGateway {
    /// The application.
    pub app: Arc<App>,
    /// The origin banks connect to.
    pub origin: String,
    running: Running,
}

impl SecondGateway {
    /// Shuts it down gracefully.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// Writes a file that does not exist yet; another process may be reading one that does.
fn write_once(path: &std::path::Path, text: &str) {
    if !path.exists() {
        medcredit::authority::files::write_private(path, text.as_bytes()).unwrap();
    }
}

impl TestApp {
    /// Writes the configuration of another process, with a checkpoint file of its own.
    pub fn config_file(&self, name: &str) -> String {
        let store = match self.store.location() {
            StoreLocation::Sqlite(directory) => {
                format!("engine = 'sqlite'\ndirectory = '{}'", directory.path().display())
            }
            StoreLocation::Postgres { .. } => {
                write_once(&self.path("url"), self.store.url());
                // The cluster's only role for most tests; what the serving role may do has tests of its own.
                "engine = 'postgres'\nurl_file = 'url'\nallow_owner = true".into()
            }
        };
        let gateway = format!("[gateway]\npublic_origin = '{}'\n{}", self.origin, self.settings());
        let listeners = "[partner]\nlisten = '127.0.0.1:0'\n[telemetry]\nlisten = '127.0.0.1:0'";
        // Sealed five times a second, so that tests wait only briefly.
        let ledger = format!("[ledger]\ncheckpoint_file = 'checkpoint-{name}'\nseal_interval_ms = 200");
        let path = self.path(&format!("{name}.toml"));
        write_once(&path, &format!("{gateway}\n[store]\n{store}\n{listeners}\n{ledger}\n"));
        path.to_str().unwrap().to_owned()
    }

    /// Writes the configuration of another host, whose operator accepts the log as it is.
    pub async fn host(&self, name: &str) -> String {
        let config = self.config_file(name);
        medcredit(&["ledger", "accept-checkpoint", "--reason", "a new host", "--config", &config]).await.done();
        config
    }

    /// Starts a second gateway with its background tasks, as on another machine: with connections and a checkpoint file of
    /// its own.
    pub async fn second_gateway(&self, name: &str, faults: Faults) -> SecondGateway {
        let config = Config::load(self.host(name).await.as_ref()).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", socket.local_addr().unwrap().port());
        let env = Env { db: self.store.reopen().await, ..self.store.env() };
        let app = App::open_breakable(config, env, faults).await.unwrap();
        let running = Running::start(app.clone(), socket, &Health::new()).unwrap();
        SecondGateway { app, origin, running }
    }
}
