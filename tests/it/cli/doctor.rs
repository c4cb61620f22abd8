//! `medcredit doctor`: what an operator must fix.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use medcredit::{
    cli,
    store::{Arg, Db},
    telemetry,
};

use crate::support::{block_on, cluster::cluster, command::medcredit};

struct Site {
    directory: tempfile::TempDir,
    config: String,
}

impl Site {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    chmod(path, 0o600);
}

/// A directory with a configuration and its secrets, as an operator should have it.
fn site(config: &str) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    // Any free ports: tests run side by side.
    let ports = "[partner]\nlisten = '127.0.0.1:0'\n[telemetry]\nlisten = '127.0.0.1:0'\n";
    fs::write(&path, if config.contains("listen") { config.to_owned() } else { format!("{config}{ports}") }).unwrap();
    fs::create_dir(directory.path().join("secrets")).unwrap();
    let key = data_encoding::BASE64.encode(&[7; 32]);
    secret(&directory.path().join("secrets/key-encryption-keys"), &format!("{key}\n"));
    Site { config: path.to_str().unwrap().to_owned(), directory }
}

async fn sqlite_site() -> Site {
    sqlite_site_with("").await
}

async fn sqlite_site_with(config: &str) -> Site {
    let site = site(config);
    medcredit(&["migrate", "--config", &site.config]).await.done();
    equip(&site).await;
    site
}

/// Creates a site's keys and certificates.
async fn equip(site: &Site) {
    let (certificate, key) = (site.path("certs/server.crt"), site.path("certs/server.key"));
    let place = ["--set", "organization=示范医保局", "--set", "name=gateway"];
    let files = ["--certificate-out", certificate.to_str().unwrap(), "--key-out", key.to_str().unwrap()];
    let issue = [&["certs", "issue", "--profile", "server", "--host", "localhost"], &place[..], &files].concat();
    for line in [&["keys", "init"][..], &[&["certs", "init"][..], &place].concat(), &issue] {
        medcredit(&[&["--config", &site.config], line].concat()).await.done();
    }
}

async fn postgres_site() -> Site {
    let site = site("[store]\nengine = 'postgres'\nurl_file = 'url'\n");
    let database = cluster().migrated_database().await;
    secret(&site.path("url"), &format!("{}\n", cluster().url(&database)));
    equip(&site).await;
    // As production has it: the owner of the tables migrates, and another role serves.
    cluster().create_role("medcredit_app").await;
    medcredit(&["migrate", "--config", &site.config, "--app-role", "medcredit_app"]).await.done();
    secret(&site.path("url"), &format!("{}\n", cluster().url_as("medcredit_app", &database)));
    site
}

async fn bad(site: &Site) -> String {
    let outcome = medcredit(&["doctor", "--config", &site.config]).await;
    assert_eq!(outcome.code, cli::FAILED, "{}", outcome.out);
    outcome.out
}

/// The line of a check.
fn line<'a>(said: &'a str, check: &str) -> &'a str {
    let of_check = |line: &&str| line.get(9..).is_some_and(|rest| rest.starts_with(check));
    said.lines().find(of_check).unwrap_or_else(|| panic!("{check}: {said}"))
}

#[test]
fn a_sound_gateway_passes_on_both_engines() {
    block_on(async {
        for site in [sqlite_site().await, postgres_site().await] {
            // The private cluster's clock is the real one and the command's stands still, so only SQLite's can be sound.
            let outcome = medcredit(&["doctor", "--config", &site.config]).await;
            let verdicts: Vec<_> = outcome.out.lines().filter(|line| !line.starts_with(' ')).collect();
            let rest = verdicts.iter().filter(|text| **text != line(&outcome.out, "clock"));
            assert!(rest.into_iter().all(|line| line.starts_with("ok")), "{}", outcome.out);
            assert!(line(&outcome.out, "durability").ends_with("every commit is synced"), "{}", outcome.out);
        }
    });
}

#[test]
fn secrets_that_other_users_can_read_are_problems() {
    block_on(async {
        let site = sqlite_site().await;
        chmod(&site.path("secrets/key-encryption-keys"), 0o640);
        let said = bad(&site).await;
        assert!(said.contains("PROBLEM") && said.contains("has mode 640") && said.contains("chmod 600"), "{said}");
    });
}

#[test]
fn a_missing_or_malformed_key_file_is_a_problem() {
    block_on(async {
        let site = sqlite_site().await;
        secret(&site.path("secrets/key-encryption-keys"), "bm90IDMyIGJ5dGVz\n");
        let said = bad(&site).await;
        assert!(said.contains("is not the Base64 of 32 bytes") && !said.contains("bm90"), "{said}");
        fs::remove_file(site.path("secrets/key-encryption-keys")).unwrap();
        assert!(bad(&site).await.contains("cannot be read"));
    });
}

#[test]
fn a_data_directory_open_to_other_users_is_reported() {
    block_on(async {
        let site = sqlite_site().await;
        chmod(&site.path("data"), 0o755);
        let said = bad(&site).await;
        assert!(line(&said, "data directory").starts_with("PROBLEM") && said.contains("chmod 700"), "{said}");
        chmod(&site.path("data"), 0o777);
        assert!(bad(&site).await.contains("other users can write in it"));
        let text = fs::read_to_string(&site.config).unwrap();
        fs::write(&site.config, format!("{text}[secrets]\nallow_other_users = true\n")).unwrap();
        let said = medcredit(&["doctor", "--config", &site.config]).await.done();
        assert!(line(&said, "data directory").starts_with("warning"), "{said}");
    });
}

#[test]
fn a_missing_database_is_not_created() {
    block_on(async {
        let site = site("");
        assert!(bad(&site).await.contains("run `medcredit migrate`"));
        assert!(!site.path("data").exists(), "a check changes nothing");
    });
}

/// I1: with any of these an answer could leave before its record is on the disk.
#[test]
fn a_database_that_does_not_sync_is_a_problem() {
    block_on(async {
        for setting in ["off", "local", "remote_write"] {
            let site = postgres_site().await;
            let url = fs::read_to_string(site.path("url")).unwrap();
            let db = Db::open_postgres(url.trim(), 1).await.unwrap();
            let name: (String,) = db.read("test").fetch_one("SELECT current_database()::text", vec![]).await.unwrap();
            cluster().set_for_database(&name.0, "synchronous_commit", setting).await;
            db.close().await;
            let said = bad(&site).await;
            let expected = format!("synchronous_commit is {setting}; it must be on");
            assert!(line(&said, "durability").contains(&expected), "{said}");
        }
    });
}

/// I10.
#[test]
fn a_clock_behind_the_ledger_is_a_problem() {
    block_on(async {
        let site = sqlite_site().await;
        let db = Db::open_sqlite(&site.path("data")).await.unwrap();
        let mut tx = db.begin("test").await.unwrap();
        let far = 4_000_000_000_000_000_i64;
        let sql = "INSERT INTO ledger_checkpoints (tree_size, root, note, sealed_at) VALUES (1, $1, 'n', $2)";
        tx.execute(sql, vec![Arg::from([0; 32]), Arg::from(far)]).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        assert!(bad(&site).await.contains("but the ledger was sealed at 2096-"));
    });
}

/// I10.
#[test]
fn a_clock_that_differs_from_the_database_servers_is_a_problem() {
    block_on(async {
        let site = postgres_site().await;
        assert!(bad(&site).await.contains("the database server's shows"));
    });
}

#[test]
fn missing_keys_and_certificates_are_problems() {
    block_on(async {
        let site = site("");
        medcredit(&["migrate", "--config", &site.config]).await.done();
        let said = bad(&site).await;
        assert!(said.contains("no answer_signing key") && said.contains("run `medcredit keys init`"), "{said}");
        assert!(said.contains("server.crt"), "{said}");
        assert!(said.contains("none is trusted"), "{said}");
    });
}

#[test]
fn a_server_certificate_that_does_not_match_its_key_is_a_problem() {
    block_on(async {
        let (site, other) = (sqlite_site().await, sqlite_site().await);
        fs::copy(other.path("certs/server.crt"), site.path("certs/server.crt")).unwrap();
        let said = bad(&site).await;
        assert!(line(&said, "server certificate").starts_with("PROBLEM"), "{said}");
    });
}

#[test]
fn a_configuration_that_others_can_write_is_a_problem() {
    block_on(async {
        let site = sqlite_site().await;
        chmod(Path::new(&site.config), 0o664);
        let said = bad(&site).await;
        assert!(line(&said, "configuration file").contains("has mode 664: other users can write it"), "{said}");
        chmod(Path::new(&site.config), 0o644);
        fs::write(site.path("checkpoint"), "x").unwrap();
        chmod(&site.path("checkpoint"), 0o666);
        chmod(&site.path("certs/server.key"), 0o644);
        let said = bad(&site).await;
        assert!(line(&said, "checkpoint file").starts_with("PROBLEM"), "{said}");
        assert!(line(&said, "server key").contains("has mode 644: other users can reach it"), "{said}");
    });
}

/// Listeners at addresses that tests hold.
fn listening(partner: &str, telemetry: &str) -> String {
    format!("[partner]\nlisten = '{partner}'\n[telemetry]\nlisten = '{telemetry}'\n")
}

#[test]
fn a_port_in_use_and_an_address_of_another_machine_are_problems() {
    block_on(async {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let site = sqlite_site_with(&listening(&address.to_string(), "127.0.0.1:0")).await;
        let said = bad(&site).await;
        let expected = format!("partner.listen: another program listens on {address}");
        assert!(said.contains(&expected) && said.contains(&format!("sport = :{}", address.port())), "{said}");
        let site = sqlite_site_with(&listening("192.0.2.1:8443", "127.0.0.1:0")).await;
        let said = bad(&site).await;
        assert!(said.contains("partner.listen: this machine has no address 192.0.2.1"), "{said}");
        let site = sqlite_site_with(&listening("0.0.0.0:18443", "127.0.0.1:18443")).await;
        let said = bad(&site).await;
        assert!(said.contains("partner.listen and telemetry.listen both use port 18443"), "{said}");
    });
}

/// A gateway that runs holds its ports, and reports by itself whether it is ready.
#[test]
fn a_running_gateway_is_no_port_in_use() {
    block_on(async {
        let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = gateway.local_addr().unwrap();
        let site = sqlite_site().await;
        let probed = std::thread::spawn(move || {
            for body in [r#"{"ready":true,"checks":{}}"#, r#"{"ready":false,"checks":{"ledger":"not sealed"}}"#] {
                let (mut stream, _) = gateway.accept().unwrap();
                let _ = stream.read(&mut [0; 512]).unwrap();
                write!(stream, "HTTP/1.1 200 OK\r\n\r\n{body}").unwrap();
            }
        });
        let config = listening("127.0.0.1:0", &address.to_string());
        fs::write(&site.config, config).unwrap();
        let said = medcredit(&["doctor", "--config", &site.config]).await.done();
        assert!(line(&said, "ports").contains("a gateway is running"), "{said}");
        let said = bad(&site).await;
        assert!(line(&said, "ports").contains("is not ready") && said.contains("not sealed"), "{said}");
        probed.join().unwrap();
    });
}

#[test]
fn a_public_origin_that_contradicts_listener_or_certificate_is_a_problem() {
    block_on(async {
        let site = sqlite_site_with(&listening("0.0.0.0:0", "127.0.0.1:0")).await;
        let said = bad(&site).await;
        assert!(line(&said, "public origin").contains("only this machine can reach"), "{said}");
        let origin = "[gateway]\npublic_origin = 'https://credit.example.gov.cn:8443'\n";
        let site = sqlite_site_with(&format!("{origin}{}", listening("127.0.0.1:18444", "127.0.0.1:0"))).await;
        let said = bad(&site).await;
        assert!(line(&said, "public origin").starts_with("warning"), "another port may be a forwarder's: {said}");
        assert!(said.contains("it does not name credit.example.gov.cn"), "{said}");
        assert!(said.contains("certs issue --profile server --host credit.example.gov.cn"), "{said}");
    });
}

/// An operator who moves the gateway to another name, and with it, by mistake, the ledger.
#[test]
fn a_ledger_of_another_name_is_a_problem() {
    block_on(async {
        let site = sqlite_site().await;
        let db = Db::open_sqlite(&site.path("data")).await.unwrap();
        let mut tx = db.begin("test").await.unwrap();
        let note = "old.example.gov.cn/ledger/1\n1\nAA==\n";
        let sql = "INSERT INTO ledger_checkpoints (tree_size, root, note, sealed_at) VALUES (1, $1, $2, 1)";
        tx.execute(sql, vec![Arg::from([0; 32]), Arg::from(note)]).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        let said = bad(&site).await;
        assert!(line(&said, "ledger name").contains("is old.example.gov.cn/ledger/1"), "{said}");
        assert!(said.contains(r#"set [ledger] host = "old.example.gov.cn""#), "{said}");
    });
}

#[test]
fn grades_past_their_validity_are_a_problem() {
    block_on(async {
        for site in [sqlite_site().await, postgres_site().await] {
            let db = match fs::read_to_string(site.path("url")) {
                Ok(url) => Db::open_postgres(url.trim(), 2).await.unwrap(),
                Err(_) => Db::open_sqlite(&site.path("data")).await.unwrap(),
            };
            let mut tx = db.begin("test").await.unwrap();
            let model = "INSERT INTO models (digest, model_id, body, seen_at) VALUES ('d', 'm', '{}', 0)";
            tx.execute(model, vec![]).await.unwrap();
            let run = "INSERT INTO runs (id, model_id, model_digest, scheme, kind, period, state, input_digest, \
                outcome_digest, subject_count, created_at, published_at, valid_until_on) VALUES \
                ('run_1', 'm', 'd', 'wenzhou-951', 'pharmacy', '2025-H1', 'published', 'i', 'o', 1, 0, 0, '2026-01-31')";
            tx.execute(run, vec![]).await.unwrap();
            tx.commit().await.unwrap();
            db.close().await;
            let said = bad(&site).await;
            let expected = "pharmacy of 2025-H1 under wenzhou-951 were valid until 2026-01-31";
            assert!(line(&said, "grades").contains(expected), "{said}");
        }
    });
}

/// More connections than a process may have descriptors.
#[test]
fn too_few_file_descriptors_are_a_problem() {
    block_on(async {
        let limit = telemetry::open_files().hard_limit;
        let config =
            "[partner]\nlisten = '127.0.0.1:0'\nmax_connections = 100000\n[telemetry]\nlisten = '127.0.0.1:0'\n";
        let site = sqlite_site_with(config).await;
        let outcome = medcredit(&["doctor", "--config", &site.config]).await;
        let said = line(&outcome.out, "file descriptors");
        assert_eq!(said.starts_with("PROBLEM"), limit < 100_176, "{limit}: {said}");
        assert!(said.contains("100176"), "{said}");
    });
}
