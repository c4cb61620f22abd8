//! Processes pinned to a core, and their cost as reported by the system.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::time::Instant;

/// Runs this program again, with all its threads and children on one core.
pub(super) fn again_on(core: &str, args: &[&str]) -> Result<()> {
    let program = std::env::current_exe()?;
    let mut command = Command::new("taskset");
    let status = command.args(["-c", core]).arg(program).arg("pinned").args(args).status();
    let status = status.context("taskset (util-linux) is needed")?;
    anyhow::ensure!(status.success(), "the measurement failed");
    Ok(())
}

/// CPU time that all threads of a process have used so far.
pub(super) fn cpu_of(process: u32) -> Result<Duration> {
    // Of each thread, in nanoseconds; /proc/PID/stat counts in hundredths of a second only.
    let mut total = 0u64;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        total += text.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(total))
}

/// A process under measurement; killed when dropped.
#[derive(Debug)]
pub(super) struct Measured {
    child: Child,
    /// From its start until it was ready.
    pub(super) ready_after: Duration,
    /// The address it listens on.
    pub(super) address: String,
}

impl Measured {
    /// Starts a program on a core and waits until its log contains its address and `ready` confirms.
    pub(super) async fn start(
        core: &str,
        program: &Path,
        args: &[&str],
        log: &Path,
        ready: impl AsyncFn(&str) -> bool,
    ) -> Result<Self> {
        let began = Instant::now();
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(program).args(args).env_remove("MEDCREDIT_CONFIG");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?).spawn()?;
        let mut started = Self { child, ready_after: Duration::ZERO, address: String::new() };
        loop {
            if let Some(status) = started.child.try_wait()? {
                anyhow::bail!("{} ended with {status}:\n{}", program.display(), std::fs::read_to_string(log)?);
            }
            let text = std::fs::read_to_string(log)?;
            if let Some(address) = listening(&text)
                && ready(&text).await
            {
                started.ready_after = began.elapsed();
                started.address = address;
                return Ok(started);
            }
            anyhow::ensure!(began.elapsed() < Duration::from_secs(30), "not ready within 30 s:\n{text}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time used so far by all its threads.
    pub(super) fn cpu(&self) -> Result<Duration> {
        cpu_of(self.child.id())
    }

    /// Megabytes of memory in use now.
    pub(super) fn resident_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kilobytes / 1024.0)
    }

    /// Stops it with SIGTERM, as an operator does.
    pub(super) fn stop(mut self) -> Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // Fails when the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address of the partner listener in the log.
fn listening(log: &str) -> Option<String> {
    address_of(log, "partner")
}

/// The address of a listener in the log.
pub(super) fn address_of(log: &str, listener: &str) -> Option<String> {
    let events = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut listening = events.filter(|event| event["message"] == "listening" && event["listener"] == listener);
    listening.next().and_then(|event| event["address"].as_str().map(str::to_owned))
}
