//! Packages over SFTP, to a real server of OpenSSH.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use medcredit::push::{
    carrier::{
        Carrier as _, FailureReason,
        file::{DiskFaults, FileDrop},
    },
    platform::{Encoding, FileForm, Format, SftpSettings},
};

use super::{
    directory::{Directory, STEM, page},
    package, rows,
};
use crate::support::{
    block_on,
    sshd::{Sshd, generate},
};

const FORM: FileForm = FileForm { format: Format::Csv, encoding: Encoding::Utf8, record_columns: true };

fn settings(server: &Sshd) -> SftpSettings {
    SftpSettings {
        host: "127.0.0.1".into(),
        port: server.port,
        user: Sshd::user(),
        key_file: server.path("client_key"),
        host_key: server.host_key("host_key"),
        directory: server.folder().to_str().unwrap().to_owned(),
        working_directory: None,
        connect_timeout: Duration::from_secs(10),
        timeout: Duration::from_secs(10),
    }
}

/// A carrier that completes packages in a directory below `stage`.
fn carrier(stage: &Path, settings: SftpSettings) -> FileDrop {
    FileDrop::to_server(stage.join("platform"), "330300-ybj".parse().unwrap(), FORM, settings).unwrap()
}

/// The files that the receiver sees, with their content.
fn seen(server: &Sshd) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(server.folder()).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// What the same package is in a folder of this machine.
async fn expected() -> BTreeMap<String, Vec<u8>> {
    let directory = Directory::new();
    page(&directory.carrier(), &package(1, 3), 1, &rows(0..3)).await.unwrap();
    directory.seen()
}

/// The reason why a page is not delivered, which passes.
async fn failure(stage: &Path, settings: SftpSettings) -> (FailureReason, String) {
    let failed = page(&carrier(stage, settings), &package(1, 3), 1, &rows(0..3)).await.unwrap_err();
    assert!(!failed.permanent, "{failed}");
    (failed.reason, failed.detail)
}

#[test]
fn a_package_arrives_as_in_a_folder_of_this_machine() {
    block_on(async {
        let (server, stage) = (Sshd::start(), tempfile::tempdir().unwrap());
        let carrier = carrier(stage.path(), settings(&server));
        let package = package(2, 5);
        page(&carrier, &package, 1, &rows(0..3)).await.unwrap();
        assert!(seen(&server).is_empty(), "nothing before the package is complete");
        let receipt = page(&carrier, &package, 2, &rows(3..5)).await.unwrap();
        assert_eq!(receipt.number, Some(format!("{STEM}.csv")));
        let local = Directory::new();
        page(&local.carrier(), &package, 1, &rows(0..3)).await.unwrap();
        page(&local.carrier(), &package, 2, &rows(3..5)).await.unwrap();
        assert_eq!(seen(&server), local.seen());
        let left = fs::read_dir(stage.path().join("platform"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().is_file());
        assert_eq!(left.count(), 0, "what was brought over does not stay here");
    });
}

#[test]
fn a_server_with_another_key_gets_nothing() {
    block_on(async {
        let (server, stage) = (Sshd::start(), tempfile::tempdir().unwrap());
        let other = SftpSettings { host_key: server.host_key("other_host_key"), ..settings(&server) };
        let (reason, detail) = failure(stage.path(), other).await;
        assert_eq!(reason, FailureReason::HostKey, "{detail}");
        assert!(detail.contains("`host_key`") && detail.contains("nothing was sent"), "{detail}");
        // A key of another type than the server has.
        generate(&server.path("ecdsa"), &["-t", "ecdsa"]);
        let other = SftpSettings { host_key: server.host_key("ecdsa"), ..settings(&server) };
        let (reason, detail) = failure(stage.path(), other).await;
        assert_eq!(reason, FailureReason::HostKey, "{detail}");
        assert!(seen(&server).is_empty());
    });
}

#[test]
fn a_key_that_is_refused_or_that_others_can_read_is_reported() {
    block_on(async {
        let (server, stage) = (Sshd::start(), tempfile::tempdir().unwrap());
        let with_key = |name: &str| SftpSettings { key_file: server.path(name), ..settings(&server) };
        let (reason, detail) = failure(stage.path(), with_key("other_key")).await;
        assert_eq!(reason, FailureReason::Credentials);
        assert!(detail.contains("does not accept our key") && detail.contains("other_key"), "{detail}");
        let refused = SftpSettings { user: "nobody-here".into(), ..settings(&server) };
        assert_eq!(failure(stage.path(), refused).await.0, FailureReason::Credentials);
        fs::copy(server.path("client_key"), server.path("shared_key")).unwrap();
        fs::set_permissions(server.path("shared_key"), fs::Permissions::from_mode(0o640)).unwrap();
        let (reason, detail) = failure(stage.path(), with_key("shared_key")).await;
        assert_eq!(reason, FailureReason::Credentials);
        assert!(detail.contains("its mode is 640") && detail.contains("chmod 600"), "{detail}");
        generate(&server.path("rsa_key"), &["-t", "rsa"]);
        generate(&server.path("locked_key"), &["-t", "ed25519", "-N", "word"]);
        for (name, said) in
            [("missing", "cannot be read"), ("sshd_config", "mode"), ("locked_key", "passphrase"), ("rsa_key", "")]
        {
            let (reason, detail) = failure(stage.path(), with_key(name)).await;
            assert_eq!(reason, FailureReason::Credentials, "{detail}");
            assert!(detail.contains(name) && detail.contains(said), "{detail}");
        }
        assert!(seen(&server).is_empty());
    });
}

#[test]
fn a_server_that_cannot_store_the_file_shows_none() {
    block_on(async {
        let stage = tempfile::tempdir().unwrap();
        // As on a full disk, the first blocks are written and the next is refused.
        let full = Sshd::start_with("", Some(2));
        let package = package(1, 200);
        let carrier = carrier(stage.path(), settings(&full));
        let failed = page(&carrier, &package, 1, &rows(0..200)).await.unwrap_err();
        assert_eq!((failed.reason, failed.permanent), (FailureReason::Disk, false), "{failed}");
        assert!(failed.detail.contains("may be full"), "{failed}");
        assert!(seen(&full).keys().all(|name| name.ends_with(".tmp")), "{:?}", seen(&full).keys());
        let read_only = Sshd::start_with("-R", None);
        let (reason, detail) = failure(tempfile::tempdir().unwrap().path(), settings(&read_only)).await;
        assert_eq!(reason, FailureReason::Permission, "{detail}");
        // With room, the same package arrives on the next attempt.
        let server = Sshd::start();
        page(&self::carrier(stage.path(), settings(&server)), &package, 1, &rows(0..200)).await.unwrap();
        assert_eq!(seen(&server).len(), 2);
    });
}

#[test]
fn a_server_that_is_away_and_a_folder_that_is_missing_are_distinguished() {
    block_on(async {
        let (server, stage) = (Sshd::start(), tempfile::tempdir().unwrap());
        let missing = SftpSettings { directory: server.path("nowhere").to_str().unwrap().into(), ..settings(&server) };
        let (reason, detail) = failure(stage.path(), missing).await;
        assert_eq!(reason, FailureReason::Missing, "{detail}");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(
            failure(stage.path(), SftpSettings { port: free, ..settings(&server) }).await.0,
            FailureReason::Refused
        );
        // Accepted by the kernel, and never by a program.
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = deaf.local_addr().unwrap().port();
        let hangs = SftpSettings { port, connect_timeout: Duration::from_millis(300), ..settings(&server) };
        assert_eq!(failure(stage.path(), hangs).await.0, FailureReason::Timeout);
        fs::write(server.folder().join(format!("{STEM}.csv")), "another's").unwrap();
        let (reason, detail) = failure(stage.path(), settings(&server)).await;
        assert_eq!(reason, FailureReason::Conflict, "{detail}");
        assert_eq!(seen(&server).len(), 1, "it is not replaced, and has no manifest");
    });
}

/// Interrupts the attempt at one of its steps, counted from the first; none where it has fewer.
fn interrupted_at(step: usize) -> DiskFaults {
    let count = Arc::new(AtomicUsize::new(0));
    DiskFaults::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        at if at == step => Err(io::Error::other("interrupted")),
        _ => Ok(()),
    })
}

#[test]
fn an_attempt_that_was_interrupted_at_any_step_is_completed_by_the_next() {
    block_on(async {
        let (server, expected) = (Sshd::start(), expected().await);
        for step in 0.. {
            let stage = tempfile::tempdir().unwrap();
            let first = carrier(stage.path(), settings(&server)).with_faults(interrupted_at(step));
            let done = page(&first, &package(1, 3), 1, &rows(0..3)).await.is_ok();
            page(&carrier(stage.path(), settings(&server)), &package(1, 3), 1, &rows(0..3)).await.unwrap();
            assert_eq!(seen(&server), expected, "step {step}");
            for name in expected.keys() {
                fs::remove_file(server.folder().join(name)).unwrap();
            }
            if done {
                assert!(step > 20, "there are many steps: {step}");
                return;
            }
        }
    });
}

#[test]
fn a_receiver_that_takes_the_files_away_immediately_gets_them_once() {
    block_on(async {
        let (server, expected) = (Sshd::start(), expected().await);
        for step in 0.. {
            let stage = tempfile::tempdir().unwrap();
            let first = carrier(stage.path(), settings(&server)).with_faults(interrupted_at(step));
            let done = page(&first, &package(1, 3), 1, &rows(0..3)).await.is_ok();
            // It waits for the manifest, and takes both.
            let mut taken = Vec::new();
            let mut take = || {
                let found = seen(&server);
                if found.contains_key(&format!("{STEM}.manifest.json")) {
                    for name in expected.keys() {
                        fs::remove_file(server.folder().join(name)).unwrap();
                    }
                    taken.push(found);
                }
            };
            take();
            for _ in 0..2 {
                page(&carrier(stage.path(), settings(&server)), &package(1, 3), 1, &rows(0..3)).await.unwrap();
                take();
            }
            assert_eq!(taken, std::slice::from_ref(&expected), "step {step}");
            if done {
                return;
            }
        }
    });
}

#[test]
fn receipts_and_the_inventory_are_read_as_they_change() {
    block_on(async {
        let (server, stage) = (Sshd::start(), tempfile::tempdir().unwrap());
        let (carrier, package) = (carrier(stage.path(), settings(&server)), package(1, 3));
        page(&carrier, &package, 1, &rows(0..3)).await.unwrap();
        let none = carrier.receipts(&package, None).await.unwrap();
        assert_eq!((none.entries.len(), none.next), (0, None), "without a folder for them there are none");
        let receipts = server.folder().join("receipts");
        fs::create_dir(&receipts).unwrap();
        let answer = |name: &str, text: &str| fs::write(receipts.join(name), text).unwrap();
        answer(&format!("{STEM}.1.csv"), "record_id,version,verdict\nrun_1:H00000,1,accepted\n");
        answer("another.csv", "record_id,version,verdict\nx,1,accepted\n");
        assert_eq!(carrier.receipts(&package, None).await.unwrap().entries.len(), 1);
        answer(
            &format!("{STEM}.1.csv"),
            "record_id,version,verdict\nrun_1:H00000,1,accepted\nrun_1:H00001,2,accepted\n",
        );
        let page = carrier.receipts(&package, None).await.unwrap();
        assert_eq!((page.entries.len(), page.faults.len()), (2, 0), "it has grown");
        fs::remove_file(receipts.join(format!("{STEM}.1.csv"))).unwrap();
        assert_eq!(carrier.receipts(&package, None).await.unwrap().entries.len(), 0, "it is gone");
        let digest = "ab".repeat(32);
        answer("inventory.csv", &format!("record_id,version,digest\nr:1,2,{digest}\n"));
        let held = carrier.inventory(None).await.unwrap().entries;
        assert_eq!((held[0].record_id.as_str(), held[0].version, &held[0].digest), ("r:1", 2, &digest));
        let missing = SftpSettings { directory: "/nowhere".into(), ..settings(&server) };
        let failed = self::carrier(stage.path(), missing).receipts(&package, None).await.unwrap_err();
        assert_eq!(failed.reason, FailureReason::Missing, "{failed}");
    });
}
