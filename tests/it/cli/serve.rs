//! `medcredit serve` as a process: it starts, can be monitored, and stops on a signal.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use medcredit::{
    authority::{self, Custody, files},
    config::Config,
    domain::{SystemClock, SystemEntropy},
    store::{Db, migrations},
};

use crate::support::{
    TestStore,
    app::{KEY, TestApp, furnish},
    block_on,
    cluster::cluster,
    command::medcredit,
    process::Gateway,
    store::StoreLocation,
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
    files::write_private(&directory.path().join("secrets/key-encryption-keys"), KEY.as_bytes()).unwrap();
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

/// An operator whose files other users of the machine can reach.
#[test]
fn a_gateway_whose_secrets_others_can_reach_does_not_start() {
    let (directory, config) = furnished_site();
    let at = |name: &str| directory.path().join(name);
    let chmod = |name: &str, mode| fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    for (name, open, closed) in [
        ("secrets/key-encryption-keys", 0o640, 0o600),
        ("secrets/key-encryption-keys", 0o604, 0o600),
        ("certs/server.key", 0o644, 0o600),
        ("data", 0o755, 0o700),
        ("data", 0o730, 0o700),
    ] {
        chmod(name, open);
        let (code, log) = Gateway::start(&config).end();
        assert_eq!(code, Some(1), "{log}");
        let path = at(name).display().to_string();
        assert!(log.contains(&format!("{path} has mode {open:03o}: other users can")), "{log}");
        assert!(log.contains(&format!("run `chmod {closed:03o} {path}`")), "{log}");
        assert!(log.contains("allow_other_users"), "{log}");
        chmod(name, closed);
    }
    chmod("certs/server.key", 0o644);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[secrets]\nallow_other_users = true\n")).unwrap();
    let mut gateway = Gateway::start(&config);
    gateway.serving();
    gateway.signal("-TERM");
    let (code, log) = gateway.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("other users can reach a secret or the store, as configured"), "{log}");
}

/// I7: an operator who serves as the role that migrates. A process that is taken over could rewrite the ledger.
#[test]
fn a_gateway_does_not_serve_as_the_owner_of_the_ledger() {
    block_on(async {
        let app = TestApp::start(TestStore::postgres().await.today()).await;
        let StoreLocation::Postgres { database } = app.store.location() else { unreachable!() };
        let config = app.config_file("gateway");
        let text = fs::read_to_string(&config).unwrap().replace("allow_owner = true", "");
        fs::write(&config, text).unwrap();
        let url = |role: &str| files::write_private(&app.path("url"), cluster().url_as(role, database).as_bytes());
        let started = async || {
            let config = config.clone();
            tokio::task::spawn_blocking(move || Gateway::start(&config).end()).await.unwrap()
        };
        let (code, log) = started().await;
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains("the database role is a superuser") && log.contains("--app-role ROLE"), "{log}");
        let doctor = medcredit(&["doctor", "--config", &config]).await;
        assert!(doctor.out.contains("PROBLEM  database role"), "{}", doctor.out);
        // A role that may act for the owner, and one that was granted too much.
        for (role, grant, says) in [
            ("medcredit_member", "GRANT medcredit TO medcredit_member", "owns tables of the gateway"),
            ("medcredit_wide", "GRANT DELETE ON core.ledger_entries TO medcredit_wide", "may change or remove entries"),
        ] {
            cluster().create_role(role).await;
            medcredit(&["migrate", "--config", &config, "--app-role", role]).await.done();
            app.sql(grant, vec![]).await;
            url(role).unwrap();
            let (code, log) = started().await;
            assert_eq!(code, Some(1), "{log}");
            assert!(log.contains(says), "{log}");
            url("medcredit").unwrap();
        }
        cluster().create_role("medcredit_app").await;
        medcredit(&["migrate", "--config", &config, "--app-role", "medcredit_app"]).await.done();
        url("medcredit_app").unwrap();
        tokio::task::spawn_blocking(move || {
            let mut gateway = Gateway::start(&config);
            gateway.serving();
            gateway.signal("-TERM");
            let (code, log) = gateway.end();
            assert_eq!(code, Some(0), "{log}");
        })
        .await
        .unwrap();
    });
}

/// A service manager, which reads what its service reports as it comes: a full socket would lose it.
fn service_manager(socket: &Path) -> mpsc::Receiver<String> {
    let (manager, (sender, states)) = (UnixDatagram::bind(socket).unwrap(), mpsc::channel());
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while let Ok(length) = manager.recv(&mut buffer) {
            if sender.send(String::from_utf8(buffer[..length].to_vec()).unwrap()).is_err() {
                return;
            }
        }
    });
    states
}

const ALIVE: &str = "WATCHDOG=1";

/// The next state that is not a sign of life.
fn next_state(states: &mpsc::Receiver<String>) -> String {
    states.iter().find(|state| state != ALIVE).unwrap()
}

/// A service manager and a balancer in front of a gateway that is reloaded, and then stopped.
#[test]
fn a_stopping_gateway_is_not_ready_before_it_refuses_connections() {
    let (directory, config) = furnished_site();
    let text = "[telemetry]\nlisten = '127.0.0.1:0'\nstop_delay_seconds = 300\n[partner]\nlisten = '127.0.0.1:0'\n";
    fs::write(&config, text).unwrap();
    let socket = directory.path().join("notify");
    let manager = service_manager(&socket);
    let mut gateway =
        Gateway::start_in(&config, &[("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "100000")]);
    let telemetry = gateway.address_of("telemetry");
    let partner = gateway.address_of("partner");
    assert_eq!(next_state(&manager), "READY=1\nSTATUS=serving");
    assert_eq!(manager.recv().unwrap(), ALIVE);

    // A reload names what it cannot apply, and one of a broken file changes nothing.
    fs::write(&config, format!("{text}[limits]\nburst = {{ quota = 5, window_seconds = 10 }}\n")).unwrap();
    gateway.signal("-HUP");
    assert_eq!(next_state(&manager), "RELOADING=1");
    assert_eq!(next_state(&manager), "READY=1\nSTATUS=serving");
    fs::write(&config, "[no_such_section]\n").unwrap();
    gateway.signal("-HUP");
    assert_eq!(next_state(&manager), "RELOADING=1");
    assert_eq!(next_state(&manager), "READY=1\nSTATUS=serving");
    let metrics = get(&telemetry, "/metrics");
    assert!(metrics.contains(r#"medcredit_reloads_total{outcome="done"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"medcredit_reloads_total{outcome="failed"} 1"#), "{metrics}");

    gateway.signal("-TERM");
    assert!(next_state(&manager).starts_with("STOPPING=1\n"));
    while get(&telemetry, "/readyz").starts_with("HTTP/1.1 200") {}
    let ready = get(&telemetry, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("shutting down"), "{ready}");
    // A bank whose connection the balancer still sends here.
    let mut bank = TcpStream::connect(&partner).expect("the listener is open for the delay");
    bank.write_all(b"not TLS, and so counted as such").unwrap();
    let counted = r#"medcredit_handshakes_total{listener="partner",outcome="not_tls"} 1"#;
    while !get(&telemetry, "/metrics").contains(counted) {}
    // Also while it stops: the delay is longer than the manager waits.
    assert_eq!(manager.recv_timeout(Duration::from_secs(10)).as_deref(), Ok(ALIVE));
    gateway.signal("-TERM");
    let (code, log) = gateway.end();
    assert_eq!(code, Some(0), "the second signal ends the delay: {log}");
    assert!(log.contains(r#""message":"changed settings take effect at the next start","reason":"limits""#), "{log}");
    assert!(log.contains("a restart would fail") && log.contains("no_such_section"), "{log}");
    assert!(TcpStream::connect(&partner).is_err());
}

/// Another program opens a running gateway's database and closes it, as an operator's tool does. SQLite asks for the file alone
/// then, and if it gets it, removes the log into which the gateway writes, and with it what is recorded from then on.
#[test]
fn a_running_gateway_does_not_leave_its_database_to_another_program() {
    let (directory, config) = furnished_site();
    let mut gateway = Gateway::start(&config);
    gateway.serving();
    for name in ["core.db", "bulk.db"] {
        let file =
            fs::OpenOptions::new().read(true).write(true).open(directory.path().join("data").join(name)).unwrap();
        let alone = rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        assert!(alone.is_err(), "{name}: the gateway has no lock on it");
    }
    gateway.signal("-TERM");
    assert_eq!(gateway.end().0, Some(0));
}

/// A collector of logs reads why a gateway ended, as a line like every other.
#[test]
fn a_fatal_error_is_a_line_of_the_log() {
    let (_directory, config) = furnished_site();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let in_use = format!("[telemetry]\nlisten = '127.0.0.1:0'\n[partner]\nlisten = '{address}'\n");
    let text_format = format!("[log]\nformat = 'text'\n{in_use}");
    for (text, code, expected) in [
        (&*in_use, 1, format!("partner.listen: cannot listen on {address}: ")),
        ("[store]\nengin = 'sqlite'\n", 64, "gateway.toml:2: store.engin: unknown field".to_owned()),
        ("[store\n", 64, "gateway.toml:1: ".to_owned()),
    ] {
        fs::write(&config, text).unwrap();
        let (ended, log) = Gateway::start(&config).end();
        assert_eq!(ended, Some(code), "{log}");
        let lines: Vec<serde_json::Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {log}"))).collect();
        let last = lines.last().unwrap();
        assert_eq!((&last["level"], &last["message"]), (&"ERROR".into(), &"the gateway cannot run".into()), "{log}");
        assert!(last["error"].as_str().unwrap().contains(&expected), "{log}");
    }
    fs::write(&config, text_format).unwrap();
    let (_, log) = Gateway::start(&config).end();
    let last = log.lines().last().unwrap();
    assert!(last.contains(" ERROR medcredit::cli::serve: the gateway cannot run error="), "{log}");
}
