//! `medcredit serve` as a process of its own: it starts, can be watched, and stops when it is told to.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
};

use crate::support::logs;

/// A running gateway; killed if its test fails.
struct Gateway {
    child: Child,
    log: BufReader<ChildStderr>,
    seen: String,
}

impl Gateway {
    fn start(config: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_medcredit"));
        command.args(["serve", "--config", config]).env_remove("MEDCREDIT_CONFIG");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log, seen: String::new() }
    }

    /// Reads the log up to a line of a listener, and returns the address in it.
    fn address_of(&mut self, listener: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the gateway ended: {}", self.seen);
            self.seen.push_str(&line);
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            if event["message"] == "listening" && event["listener"] == listener {
                return event["address"].as_str().unwrap().to_owned();
            }
        }
    }

    fn tell(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// The exit code, and the log to its end.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        self.seen.push_str(&rest);
        logs::check(&self.seen);
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Fails when it has ended, which is as good.
        let _ = self.child.kill();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn site(config: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    fs::write(&path, config).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn an_operator_starts_watches_and_stops_a_gateway() {
    let (_directory, config) = site("[telemetry]\nlisten = '127.0.0.1:0'\n");
    let migrated =
        Command::new(env!("CARGO_BIN_EXE_medcredit")).args(["migrate", "--config", &config]).output().unwrap();
    assert!(migrated.status.success(), "{migrated:?}");
    let mut gateway = Gateway::start(&config);
    let address = gateway.address_of("telemetry");
    assert!(get(&address, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(&address, "/metrics").contains("medcredit_build_info"));
    gateway.tell("-TERM");
    let (code, log) = gateway.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains(r#""message":"stopped""#), "{log}");
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn a_gateway_without_its_schema_does_not_start() {
    let (_directory, config) = site("[telemetry]\nlisten = '127.0.0.1:0'\n");
    let (code, log) = Gateway::start(&config).end();
    assert_eq!(code, Some(1));
    assert!(log.contains("run `medcredit migrate` first"), "{log}");
}
