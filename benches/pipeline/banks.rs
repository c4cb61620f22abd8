//! The banks: keep-alive connections over mutual TLS, each sending its next request when it is answered.
//!
//! They do as little as possible besides TLS, so that their cost is not mistaken for the gateway's.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A keep-alive connection.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

/// An answer's status, its body, and its length on the wire.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) bytes: usize,
}

impl Connection {
    pub(super) async fn open(config: &Arc<ClientConfig>, address: &str) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let stream = TlsConnector::from(config.clone()).connect(ServerName::try_from("localhost")?, socket).await?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and reads its answer; the answer's head remains in the buffer.
    async fn exchange(&mut self, request: &[u8]) -> Result<(u16, usize, usize)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            anyhow::ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection was closed");
            if head.is_none()
                && let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n")
            {
                head = Some((end + 4, end + 4 + content_length(&self.buffer[..end])?));
            }
            if let Some((head, whole)) = head
                && self.buffer.len() >= whole
            {
                let status = std::str::from_utf8(&self.buffer[9..12])?.parse()?;
                return Ok((status, head, whole));
            }
        }
    }

    /// Sends a request and returns the whole answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        let (status, head, whole) = self.exchange(request).await?;
        Ok(Answer { status, body: self.buffer[head..whole].to_vec(), bytes: whole })
    }
}

fn content_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Ok(lengths.next().context("content-length")?.1.trim().parse()?)
}

/// The results of the readers.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Answers with status 200.
    pub(super) answers: u64,
    /// Other answers.
    pub(super) refused: u64,
    /// The first other answer.
    pub(super) refusal: Option<String>,
    /// The time of the measurement.
    pub(super) during: Duration,
    latencies: Vec<u32>,
}

impl Seen {
    pub(super) fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let answers = self.answers as f64;
        answers / self.during.as_secs_f64()
    }

    /// A percentile of the time from request to answer, in milliseconds.
    pub(super) fn percentile(&mut self, of_a_thousand: usize) -> f64 {
        self.latencies.sort_unstable();
        let at = (self.latencies.len() * of_a_thousand / 1000).min(self.latencies.len().saturating_sub(1));
        f64::from(self.latencies.get(at).copied().unwrap_or(0)) / 1000.0
    }
}

/// Every connection sends its requests in turn, again and again, until `until` is done.
pub(super) async fn read(
    connections: Vec<Connection>,
    requests: &[Arc<Vec<Vec<u8>>>],
    until: impl Future<Output = ()>,
) -> Result<(Seen, Vec<Connection>)> {
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (nth, mut connection) in connections.into_iter().enumerate() {
        let (requests, stop) = (requests[nth % requests.len()].clone(), stop.clone());
        tasks.spawn(async move {
            let mut seen = Seen::default();
            // Each connection begins at another request, so that together they always read all consents.
            let mut at = nth * 97;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let asked = Instant::now();
                let (status, head, whole) = connection.exchange(&requests[at % requests.len()]).await?;
                at += 1;
                seen.latencies.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                if status == 200 {
                    seen.answers += 1;
                } else {
                    seen.refused += 1;
                    let text = || String::from_utf8_lossy(&connection.buffer[head..whole]).into_owned();
                    seen.refusal.get_or_insert_with(text);
                }
            }
            anyhow::Ok((nth, seen, connection))
        });
    }
    until.await;
    let during = began.elapsed();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (mut all, mut connections) = (Seen { during, ..Seen::default() }, Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (nth, seen, connection) = done??;
        all.answers += seen.answers;
        all.refused += seen.refused;
        all.refusal = all.refusal.or(seen.refusal);
        all.latencies.extend(seen.latencies);
        connections.push((nth, connection));
    }
    // In the order of the connections: a token is bound to its connection's certificate.
    connections.sort_unstable_by_key(|(nth, _)| *nth);
    Ok((all, connections.into_iter().map(|(_, connection)| connection).collect()))
}
