//! A stream whose writes are gathered and written together, so that a line of the log costs no answer a turn of the system.
//!
//! Nothing is lost at an orderly end: whoever holds [`Gathering`] drops it last. What is killed may lose the lines of the
//! last moment; what is wrong is flushed at once, and what must not be lost is in the ledger.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How long a line may wait for others.
const GATHERED_FOR: Duration = Duration::from_millis(50);
/// How much may wait: whoever adds more writes it, as it would without gathering.
const MOST: usize = 256 * 1024;

#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    ended: bool,
}

#[derive(Debug)]
struct Shared<W> {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    sink: Mutex<W>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Write> Shared<W> {
    /// Writes what waits. The sink is taken first, so that what was added first is written first.
    fn drain(&self) -> io::Result<()> {
        let mut sink = lock(&self.sink);
        let text = std::mem::take(&mut lock(&self.waiting).text);
        if text.is_empty() {
            return Ok(());
        }
        sink.write_all(&text)?;
        sink.flush()
    }

    fn run(&self) {
        loop {
            let mut waiting = lock(&self.waiting);
            while waiting.text.is_empty() && !waiting.ended {
                waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            if waiting.ended {
                return;
            }
            drop(waiting);
            thread::sleep(GATHERED_FOR);
            // A stream that cannot be written to is told of by nobody: this is the log.
            let _ = self.drain();
        }
    }
}

/// The stream: what is written to it is written to its sink a moment later, and at once by a flush.
#[derive(Debug)]
pub struct Gathered<W>(Arc<Shared<W>>);

/// Gathering goes on until this is dropped; what waits is then written, and later writes go straight through.
#[derive(Debug)]
pub struct Gathering<W: Write>(Arc<Shared<W>>);

/// Gathers what is written to a sink. Without a thread to write it later, everything goes straight through.
pub fn gathered<W: Write + Send + 'static>(sink: W) -> (Gathered<W>, Gathering<W>) {
    let shared = Arc::new(Shared { waiting: Mutex::default(), arrived: Condvar::new(), sink: Mutex::new(sink) });
    let later = shared.clone();
    let thread = thread::Builder::new().name("log".into()).spawn(move || later.run());
    lock(&shared.waiting).ended = thread.is_err();
    (Gathered(shared.clone()), Gathering(shared))
}

impl<W: Write> Write for Gathered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = lock(&self.0.waiting);
        if waiting.text.is_empty() {
            self.0.arrived.notify_one();
        }
        waiting.text.extend_from_slice(bytes);
        let now = waiting.ended || waiting.text.len() > MOST;
        drop(waiting);
        if now {
            self.0.drain()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.drain()
    }
}

impl<W: Write> Drop for Gathering<W> {
    fn drop(&mut self) {
        lock(&self.0.waiting).ended = true;
        self.0.arrived.notify_one();
        let _ = self.0.drain();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Tells of each write.
    struct Told(mpsc::Sender<String>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_written_together_is_one_write_and_comes_by_itself() {
        let (tell, told) = mpsc::channel();
        let (mut stream, _gathering) = gathered(Told(tell));
        stream.write_all(b"a\n").unwrap();
        stream.write_all(b"b\n").unwrap();
        assert_eq!(told.recv().unwrap(), "a\nb\n");
    }

    #[test]
    fn a_flush_and_the_end_wait_for_nobody_and_lose_nothing() {
        let (tell, told) = mpsc::channel();
        let (mut stream, gathering) = gathered(Told(tell));
        stream.write_all(b"a\n").unwrap();
        stream.flush().unwrap();
        assert_eq!(told.try_recv().unwrap(), "a\n");
        stream.write_all(b"b\n").unwrap();
        drop(gathering);
        assert_eq!(told.try_recv().unwrap(), "b\n");
        stream.write_all(b"after the end\n").unwrap();
        assert_eq!(told.try_recv().unwrap(), "after the end\n");
    }

    #[test]
    fn a_stream_that_is_behind_holds_its_writers_up_and_no_memory() {
        let (tell, told) = mpsc::channel();
        let (mut stream, _gathering) = gathered(Told(tell));
        stream.write_all(&vec![b'x'; MOST + 1]).unwrap();
        assert_eq!(told.try_recv().unwrap().len(), MOST + 1);
    }
}
