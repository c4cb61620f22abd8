//! Runs a command line as the binary does, in this process, with its streams caught.

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use medcredit::{
    cli::{self, Context, Input, Stream},
    domain::{ManualClock, SeededEntropy},
};

use super::store::START;

/// The outcome of a command line.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: u8,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Outcome {
    /// The output of a command that is meant to succeed.
    pub fn done(self) -> String {
        assert_eq!(self.code, cli::DONE, "{}", self.err);
        self.out
    }
}

#[derive(Clone, Default)]
struct Caught(Arc<Mutex<Vec<u8>>>);

impl Write for Caught {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Caught {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Runs `medcredit ARGS...` at [`START`].
pub async fn medcredit(args: &[&str]) -> Outcome {
    medcredit_at(ManualClock::new(START.parse().unwrap()), args).await
}

/// Runs `medcredit ARGS...` by a clock, as the login name `tester`. Each run has its own randomness, as processes do.
pub async fn medcredit_at(clock: Arc<ManualClock>, args: &[&str]) -> Outcome {
    medcredit_with_input(clock, args, "").await
}

/// The same with something on its standard input.
pub async fn medcredit_with_input(clock: Arc<ManualClock>, args: &[&str], input: &str) -> Outcome {
    // From 2, because the entropy of test stores has the seed 1.
    static RUNS: AtomicU64 = AtomicU64::new(2);
    let (out, err) = (Caught::default(), Caught::default());
    let entropy = SeededEntropy::new(RUNS.fetch_add(1, Ordering::SeqCst));
    let mut ctx = Context::new(clock, entropy, Stream::new(out.clone()), Stream::new(err.clone()));
    // The default of --operator, for command lines without it.
    ctx.login = Some("tester".to_owned());
    ctx.input = Input::new(io::Cursor::new(input.to_owned()));
    let line = std::iter::once("medcredit").chain(args.iter().copied()).map(Into::into);
    let code = cli::run(line, ctx).await;
    Outcome { code, out: out.text(), err: err.text() }
}
