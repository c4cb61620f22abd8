//! Reports the state of the process to the service manager (`sd_notify(3)`): a datagram to the socket that `NOTIFY_SOCKET`
//! names. Without that variable nothing is sent.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

/// What the environment says about the service manager.
#[derive(Debug, Clone, Default)]
pub struct ServiceEnvironment {
    /// `NOTIFY_SOCKET`: a path, or a name in the abstract namespace behind an `@`.
    pub notify_socket: Option<OsString>,
    /// `WATCHDOG_USEC`: the service is restarted when it is silent for so many microseconds.
    pub watchdog_micros: Option<u64>,
}

impl ServiceEnvironment {
    /// The process's own environment.
    pub(super) fn system() -> Self {
        let watchdog = std::env::var("WATCHDOG_USEC").ok();
        Self {
            notify_socket: std::env::var_os("NOTIFY_SOCKET"),
            watchdog_micros: watchdog.and_then(|micros| micros.parse().ok()),
        }
    }

    /// How often the service manager expects a sign of life: half of the time after which it restarts the service.
    pub(super) fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog_micros.filter(|micros| *micros > 0).map(|micros| Duration::from_micros(micros / 2))
    }
}

/// A connection to the service manager, if there is one.
#[derive(Debug)]
pub(super) struct ServiceManager(Option<(UnixDatagram, SocketAddr)>);

impl ServiceManager {
    /// The service manager of an environment. One that cannot be reached is reported in the log and then ignored: a gateway
    /// that works is better than one that does not start.
    pub(super) fn new(environment: &ServiceEnvironment) -> Self {
        let Some(name) = &environment.notify_socket else { return Self(None) };
        match connect(name) {
            Ok(connection) => Self(Some(connection)),
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be notified");
                Self(None)
            }
        }
    }

    /// Sends lines such as `READY=1`.
    pub(super) fn notify(&self, state: &str) {
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::warn!(%error, "the service manager could not be notified");
        }
    }
}

fn connect(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A service manager that does not read must not stop the gateway.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(name: OsString, socket: &UnixDatagram) -> String {
        let manager = ServiceManager::new(&ServiceEnvironment { notify_socket: Some(name), watchdog_micros: None });
        manager.notify("READY=1\nSTATUS=serving");
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_state_arrives_at_either_kind_of_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        assert_eq!(received(path.into_os_string(), &socket), "READY=1\nSTATUS=serving");
        let name = format!("medcredit-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        assert_eq!(received(format!("@{name}").into(), &socket), "READY=1\nSTATUS=serving");
    }

    #[test]
    fn without_a_socket_nothing_is_sent_and_a_missing_one_is_no_error() {
        ServiceManager::new(&ServiceEnvironment::default()).notify("READY=1");
        let missing = ServiceEnvironment { notify_socket: Some("/nowhere/notify".into()), watchdog_micros: None };
        ServiceManager::new(&missing).notify("READY=1");
    }

    #[test]
    fn the_watchdog_is_served_twice_in_its_time() {
        let of = |watchdog_micros| ServiceEnvironment { notify_socket: None, watchdog_micros }.watchdog_interval();
        assert_eq!(of(Some(30_000_000)), Some(Duration::from_secs(15)));
        assert_eq!((of(Some(0)), of(None)), (None, None));
    }
}
