//! The private cluster ends with the process that started it, even if that is killed.

use std::{
    io::{BufRead, BufReader, Read},
    net::Shutdown,
    os::unix::net::UnixStream,
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::cluster::cluster;

/// Set in the process that holds a cluster until it is killed.
const HOLD: &str = "MEDCREDIT_TEST_HOLDS_A_CLUSTER";

#[test]
fn a_killed_process_ends_its_cluster() {
    if std::env::var_os(HOLD).is_some() {
        println!("\ncluster in {}", cluster().directory().display());
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "storage::cluster::a_killed_process_ends_its_cluster"])
        .env(HOLD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let directory = lines.find_map(|line| line.unwrap().strip_prefix("cluster in ").map(str::to_owned)).unwrap();
    let connect = || UnixStream::connect(format!("{directory}/.s.PGSQL.5432"));
    let mut connection = connect().unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    // An idle connection ends with its server. A server that is shutting down may still accept a few, and waits for what they
    // have to say: they say immediately that it is nothing.
    for _ in 0..1000 {
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let _ = connection.read_to_end(&mut Vec::new());
        match connect() {
            Ok(next) => {
                let _ = next.shutdown(Shutdown::Write);
                connection = next;
            }
            Err(_) => return,
        }
    }
    panic!("the server outlived its process");
}
