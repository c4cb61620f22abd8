//! Ten thousand connections that send nothing (negative test 39).

use std::{process::Command, time::Duration};

use medcredit::http::listener::settings::Settings;
use tokio::net::TcpStream;

use super::test_listener::{TestListener, settings, socket_from, status};
use crate::support::{block_on, pki::TestCa};

/// The number of connections, if the system allows a process as many files.
const CONNECTIONS: usize = 10_000;
/// The addresses that they come from, and the unfinished handshakes each may have: together fewer than the total maximum.
const ADDRESSES: u8 = 7;
const OF_ADDRESS: usize = 64;
/// Files that a process needs in addition.
const OTHER_FILES: usize = 1000;

/// Set in the test's own process when it runs again with a raised limit of open files.
const RAISED: &str = "MEDCREDIT_TEST_OPENS_MANY_FILES";

fn most_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(1024)
}

/// Whether the listener has closed the connection.
fn is_closed(socket: &TcpStream) -> bool {
    !matches!(socket.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn ten_thousand_idle_handshakes_leave_a_bank_its_slot() {
    // Connections from seven addresses that send nothing; a bank at another address.
    if std::env::var_os(RAISED).is_none() {
        let raised = "ulimit -n \"$(ulimit -H -n)\" 2>/dev/null; exec \"$0\" \"$@\"";
        let output = Command::new("sh")
            .args(["-c", raised])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "listener::idle::ten_thousand_idle_handshakes_leave_a_bank_its_slot", "--nocapture"])
            .env(RAISED, "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    block_on(async {
        let count = CONNECTIONS.min(most_files().saturating_sub(OTHER_FILES));
        assert!(count > usize::from(ADDRESSES) * OF_ADDRESS, "the system lets a process have {} files", most_files());
        let ca = TestCa::root("Bank CA");
        let bank = ca.bank("bank-a", 7);
        let bounds = Settings {
            handshake_timeout: Duration::from_mins(5),
            max_connections: 4096,
            max_handshakes: 512,
            max_handshakes_per_address: OF_ADDRESS,
            ..settings()
        };
        let listener = TestListener::open(bounds, vec![ca.anchor(vec![ca.list(&[])])]).await;
        let mut idle = Vec::with_capacity(count);
        for number in 0..count {
            let address = 2 + u8::try_from(number % usize::from(ADDRESSES)).unwrap();
            idle.push(socket_from(address, listener.address).await);
            if number % 1000 == 999 {
                assert_eq!(status(&listener.get(Some(&bank), "/").await.unwrap()), 200, "after {number} connections");
            }
        }
        // Connections are accepted in order, so this one is behind all the idle ones.
        assert_eq!(status(&listener.get(Some(&bank), "/").await.unwrap()), 200);
        let held = idle.iter().filter(|socket| !is_closed(socket)).count();
        assert_eq!(held, usize::from(ADDRESSES) * OF_ADDRESS, "each address has its maximum, of {count}");
    });
}
