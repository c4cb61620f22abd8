//! Buffers log lines so that a request never waits for a write.
//!
//! An orderly shutdown loses nothing: the process drops its [`FlushGuard`] last. A killed process may lose the lines of the
//! last moment. Warnings and errors are flushed immediately, and what must never be lost is in the ledger.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How long a line may stay in the buffer.
const FLUSH_INTERVAL: Duration = Duration::from_millis(50);
/// The size of the buffer in bytes. A line beyond it is written immediately, by the thread that logs it.
const CAPACITY: usize = 256 * 1024;

#[derive(Debug, Default)]
struct Buffer {
    text: Vec<u8>,
    closed: bool,
}

#[derive(Debug)]
struct Shared<W> {
    buffer: Mutex<Buffer>,
    filled: Condvar,
    sink: Mutex<W>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under the lock leaves the buffer usable, at worst with a line cut short.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Write> Shared<W> {
    /// Writes the buffer to the sink. Locks the sink first: otherwise a second thread could take later lines out of the buffer
    /// and write them before this one.
    fn drain(&self) -> io::Result<()> {
        let mut sink = lock(&self.sink);
        // Taken under the lock and written after it: a slow sink delays no thread that logs.
        let text = std::mem::take(&mut lock(&self.buffer).text);
        if text.is_empty() {
            return Ok(());
        }
        // After a failure these lines are lost: kept, they would let the buffer grow without bound.
        sink.write_all(&text)?;
        sink.flush()
    }

    fn run(&self) {
        loop {
            let mut buffer = lock(&self.buffer);
            while buffer.text.is_empty() && !buffer.closed {
                buffer = self.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
            }
            // What is left in the buffer is written by the guard.
            if buffer.closed {
                return;
            }
            // Released first: other threads append while this one sleeps.
            drop(buffer);
            thread::sleep(FLUSH_INTERVAL);
            // A failure cannot be reported: this is the log.
            let _ = self.drain();
        }
    }
}

/// A writer that passes its input on to a sink a moment later, or immediately when flushed.
#[derive(Debug)]
pub struct BufferedWriter<W>(Arc<Shared<W>>);

/// Keeps the writer buffering. When dropped, the buffer is written, and later input passes straight through.
#[derive(Debug)]
pub struct FlushGuard<W: Write>(Arc<Shared<W>>);

/// Buffers the input of a sink. If no thread can be started to write it, everything passes straight through.
pub fn buffered<W: Write + Send + 'static>(sink: W) -> (BufferedWriter<W>, FlushGuard<W>) {
    let shared = Arc::new(Shared { buffer: Mutex::default(), filled: Condvar::new(), sink: Mutex::new(sink) });
    let background = shared.clone();
    let thread = thread::Builder::new().name("log".into()).spawn(move || background.run());
    lock(&shared.buffer).closed = thread.is_err();
    (BufferedWriter(shared.clone()), FlushGuard(shared))
}

impl<W: Write> Write for BufferedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut buffer = lock(&self.0.buffer);
        // Only with an empty buffer does the thread wait. The lock is held, so it cannot miss the line.
        if buffer.text.is_empty() {
            self.0.filled.notify_one();
        }
        buffer.text.extend_from_slice(bytes);
        let immediately = buffer.closed || buffer.text.len() > CAPACITY;
        // Released first: `drain` takes the sink's lock before this one.
        drop(buffer);
        if immediately {
            self.0.drain()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.drain()
    }
}

impl<W: Write> Drop for FlushGuard<W> {
    fn drop(&mut self) {
        lock(&self.0.buffer).closed = true;
        self.0.filled.notify_one();
        // A failure cannot be reported: this is the log.
        let _ = self.0.drain();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A sink that reports each write.
    struct Recorded(mpsc::Sender<String>);

    impl Write for Recorded {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_of_one_moment_are_one_write() {
        let (sender, writes) = mpsc::channel();
        let (mut writer, _guard) = buffered(Recorded(sender));
        writer.write_all(b"a\n").unwrap();
        writer.write_all(b"b\n").unwrap();
        assert_eq!(writes.recv().unwrap(), "a\nb\n");
    }

    #[test]
    fn a_flush_and_the_guard_write_immediately_and_lose_nothing() {
        let (sender, writes) = mpsc::channel();
        let (mut writer, guard) = buffered(Recorded(sender));
        writer.write_all(b"a\n").unwrap();
        writer.flush().unwrap();
        assert_eq!(writes.try_recv().unwrap(), "a\n");
        writer.write_all(b"b\n").unwrap();
        drop(guard);
        assert_eq!(writes.try_recv().unwrap(), "b\n");
        writer.write_all(b"after the end\n").unwrap();
        assert_eq!(writes.try_recv().unwrap(), "after the end\n");
    }

    #[test]
    fn a_full_buffer_is_written_by_the_thread_that_logs() {
        let (sender, writes) = mpsc::channel();
        let (mut writer, _guard) = buffered(Recorded(sender));
        writer.write_all(&vec![b'x'; CAPACITY + 1]).unwrap();
        assert_eq!(writes.try_recv().unwrap().len(), CAPACITY + 1);
    }
}
