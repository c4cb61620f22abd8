//! `medcredit serve` as a process: it starts, can be monitored, and stops on a signal.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
};

use medcredit::{
    authority::{self, Custody},
    config::Config,
    domain::{SystemClock, SystemEntropy},
    store::{Db, migrations},
};

use crate::support::{
    app::{KEY, furnish},
    block_on,
    process::Gateway,
};

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A configuration with free ports, and the file of key-encryption keys.
fn site() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    fs::write(&path, "[telemetry]\nlisten = '127.0.0.1:0'\n[partner]\nlisten = '127.0.0.1:0'\n").unwrap();
    fs::create_dir(directory.path().join("secrets")).unwrap();
    fs::write(directory.path().join("secrets/key-encryption-keys"), KEY).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

/// The same with a schema, keys and certificates of the present day.
fn furnished_site() -> (tempfile::TempDir, String) {
    let (directory, path) = site();
    block_on(async {
        let config = Config::load(Path::new(&path)).unwrap();
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let db = Db::open_sqlite(&config.store.directory).await.unwrap();
        migrations::migrate(&db, &*clock).await.unwrap();
        let crypter = Arc::new(authority::crypter(&config.secrets).unwrap());
        let custody = Custody::new(medcredit::store::Env::new(db.clone(), clock, entropy), crypter, &config.authority);
        furnish(&custody, &config).await;
        db.close().await;
    });
    (directory, path)
}

#[test]
fn an_operator_starts_watches_and_stops_a_gateway() {
    let (_directory, config) = furnished_site();
    let mut gateway = Gateway::start(&config);
    let address = gateway.address_of("telemetry");
    let partner = gateway.address_of("partner");
    let ready = get(&address, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.contains(r#""state":"ok""#) && ready.contains(r#""trust":"ok""#), "{ready}");
    assert!(get(&address, "/metrics").contains("medcredit_build_info"));
    gateway.signal("-TERM");
    let (code, log) = gateway.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains(r#""message":"stopped""#), "{log}");
    assert!(TcpStream::connect(&address).is_err() && TcpStream::connect(&partner).is_err());
}

#[test]
fn a_second_gateway_on_the_same_port_says_which_setting_is_in_the_way() {
    let (_directory, config) = furnished_site();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!("[telemetry]\nlisten = '127.0.0.1:0'\n[partner]\nlisten = '{}'\n", taken.local_addr().unwrap());
    fs::write(&config, text).unwrap();
    let (code, log) = Gateway::start(&config).end();
    assert_eq!(code, Some(1));
    assert!(log.contains("partner.listen: cannot listen on 127.0.0.1:"), "{log}");
}

#[test]
fn a_gateway_without_its_keys_does_not_start() {
    let (directory, config) = furnished_site();
    fs::remove_file(directory.path().join("secrets/key-encryption-keys")).unwrap();
    let (code, log) = Gateway::start(&config).end();
    assert_ne!(code, Some(0));
    assert!(log.contains("key-encryption-keys: "), "{log}");
}

#[test]
fn a_gateway_without_its_schema_does_not_start() {
    let (_directory, config) = site();
    let (code, log) = Gateway::start(&config).end();
    assert_eq!(code, Some(1));
    assert!(log.contains("run `medcredit migrate` first"), "{log}");
}

#[test]
fn telemetry_answers_while_clients_take_every_descriptor_they_can_get() {
    // More silent connections than the process may open files.
    let (_directory, config) = furnished_site();
    let text = fs::read_to_string(&config).unwrap() + "max_handshakes_per_address = 1000\n";
    fs::write(&config, text).unwrap();
    let mut gateway = Gateway::start_with_files(&config, 400);
    let telemetry = gateway.address_of("telemetry");
    // From here on its log is read, which has a line for each refused connection.
    let partner = gateway.serving().replace("https://localhost", "127.0.0.1");
    let silent: Vec<_> = (0..450).filter_map(|_| TcpStream::connect(&partner).ok()).collect();
    assert!(silent.len() > 400, "{} connections", silent.len());
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = get(&telemetry, path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    gateway.signal("-TERM");
    let (code, log) = gateway.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the limit of open files leaves fewer connections than configured"), "{log}");
    assert!(!log.contains("a connection could not be accepted"), "{log}");
}

#[test]
fn a_process_that_may_open_too_few_files_does_not_start() {
    let (_directory, config) = furnished_site();
    let (code, log) = Gateway::start_with_files(&config, 200).end();
    assert_eq!(code, Some(1));
    assert!(log.contains("the process may open 200 files, and needs at least 240"), "{log}");
}
