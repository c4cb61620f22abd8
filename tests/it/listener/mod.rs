//! The partner listener: who gets in, who stays in, and what a hostile client may cost.

mod handshake;
mod hostile;
mod identity;
mod idle;
mod staying;
mod test_listener;
