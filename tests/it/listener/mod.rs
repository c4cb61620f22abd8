//! The partner listener: handshakes, open connections, and limits of hostile clients.

mod admission;
mod handshake;
mod hostile;
mod identity;
mod idle;
mod staying;
mod test_listener;
