//! Other gateways and other processes on the database of a [`TestApp`].

use super::{app::TestApp, store::Place};

impl TestApp {
    /// A configuration for another process, with the newest checkpoint in a file of its own.
    pub fn config_file(&self, name: &str) -> String {
        let store = match self.store.place() {
            Place::Sqlite(directory) => format!("engine = 'sqlite'\ndirectory = '{}'", directory.path().display()),
            Place::Postgres { .. } => {
                std::fs::write(self.path("url"), self.store.url()).unwrap();
                "engine = 'postgres'\nurl_file = 'url'".into()
            }
        };
        let gateway = format!("[gateway]\npublic_origin = '{}'\n{}", self.origin, self.settings());
        let listeners = "[partner]\nlisten = '127.0.0.1:0'\n[telemetry]\nlisten = '127.0.0.1:0'";
        let ledger = format!("[ledger]\ncheckpoint_file = 'checkpoint-{name}'\nseal_interval_ms = 200");
        let path = self.path(&format!("{name}.toml"));
        std::fs::write(&path, format!("{gateway}\n[store]\n{store}\n{listeners}\n{ledger}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    }
}
