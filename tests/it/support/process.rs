//! The real program as a process of its own.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Command, Output, Stdio},
    thread::JoinHandle,
};

use super::logs;

/// The program with arguments, without the configuration of this process.
pub fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_medcredit"));
    // A configuration of the developer's own must not reach the program.
    command.args(args).env_remove("MEDCREDIT_CONFIG");
    command
}

/// Runs a command to its end and checks its log for forbidden contents.
pub fn run(args: &[&str]) -> Output {
    let output = program(args).stdin(Stdio::null()).output().unwrap();
    logs::check(&String::from_utf8_lossy(&output.stderr));
    output
}

/// A running gateway; killed if its test fails.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    log: Option<BufReader<ChildStderr>>,
    rest: Option<JoinHandle<String>>,
    seen: String,
}

impl Gateway {
    /// Starts `medcredit serve`.
    pub fn start(config: &str) -> Self {
        Self::start_in(config, &[])
    }

    /// Starts `medcredit serve` with additional environment variables.
    pub fn start_in(config: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = program(&["serve", "--config", config]);
        command.envs(environment.iter().copied());
        Self::spawn(command)
    }

    /// Starts it where a process may open only so many files.
    pub fn start_with_files(config: &str, files: u32) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_medcredit")]);
        command.args(["serve", "--config", config]).env_remove("MEDCREDIT_CONFIG");
        Self::spawn(command)
    }

    /// Starts a command that serves.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = child.stderr.take().map(BufReader::new);
        Self { child, log, rest: None, seen: String::new() }
    }

    /// Reads the log up to the line of a listener and returns its address.
    pub fn address_of(&mut self, listener: &str) -> String {
        loop {
            let mut line = String::new();
            let log = self.log.as_mut().expect("the log is still read by hand");
            assert!(log.read_line(&mut line).unwrap() > 0, "the gateway ended: {}", self.seen);
            self.seen.push_str(&line);
            let event: serde_json::Value =
                serde_json::from_str(&line).unwrap_or_else(|_| panic!("unexpected output: {}", self.seen));
            if event["message"] == "listening" && event["listener"] == listener {
                return event["address"].as_str().unwrap().to_owned();
            }
        }
    }

    /// The origin banks connect to, under a name in the gateway's certificate. From here on a thread reads the log, so that
    /// the gateway never blocks on it.
    pub fn serving(&mut self) -> String {
        let address = self.address_of("partner");
        let mut log = self.log.take().unwrap();
        self.rest = Some(std::thread::spawn(move || {
            let mut rest = String::new();
            // After an error, what was read before is checked all the same.
            let _ = log.read_to_string(&mut rest);
            rest
        }));
        format!("https://localhost:{}", address.rsplit(':').next().unwrap())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Ends it as a power cut would (SIGKILL), and returns its log.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.ended().1
    }

    /// The exit code, and the log to its end.
    pub fn end(mut self) -> (Option<i32>, String) {
        self.ended()
    }

    fn ended(&mut self) -> (Option<i32>, String) {
        if let Some(mut log) = self.log.take() {
            log.read_to_string(&mut self.seen).unwrap();
        }
        if let Some(rest) = self.rest.take() {
            self.seen.push_str(&rest.join().unwrap());
        }
        logs::check(&self.seen);
        // After its log is read: a process that writes into a full pipe would never end.
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Fails when the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
