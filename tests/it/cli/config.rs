//! `medcredit config check|print`.

use medcredit::cli;

use crate::support::{block_on, command::medcredit};

fn file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn a_good_file_passes() {
    let (_directory, path) = file("[store]\nmax_connections = 8\n");
    let said = block_on(medcredit(&["config", "check", "--config", &path])).done();
    assert!(said.contains("can be used"), "{said}");
}

#[test]
fn a_bad_file_ends_with_64_and_every_mistake() {
    let (_directory, path) = file("[store]\nmax_connections = 0\n[log]\nfilter = '!!'\n");
    for args in [["config", "check", "--config", &path], ["--config", &path, "config", "print"]] {
        let outcome = block_on(medcredit(&args));
        assert_eq!(outcome.code, cli::BAD_CONFIGURATION);
        assert!(outcome.err.contains(":2: store.max_connections"), "{}", outcome.err);
        assert!(outcome.err.contains(":4: log.filter"), "{}", outcome.err);
    }
}

#[test]
fn a_missing_file_ends_with_64() {
    let outcome = block_on(medcredit(&["migrate", "--config", "/nowhere/gateway.toml"]));
    assert_eq!(outcome.code, cli::BAD_CONFIGURATION);
    assert!(outcome.err.contains("/nowhere/gateway.toml: cannot be read"), "{}", outcome.err);
}

#[test]
fn without_a_file_print_shows_the_documented_defaults() {
    let printed = block_on(medcredit(&["config", "print"])).done();
    assert_eq!(printed, include_str!("../../../config/gateway.toml"));
}

#[test]
fn with_a_file_print_shows_what_is_in_effect_and_no_secret() {
    let (directory, path) = file("[store]\nengine = 'postgres'\nurl_file = 'url'\n");
    std::fs::write(directory.path().join("url"), "postgres://medcredit:hunter2@db/medcredit\n").unwrap();
    let printed = block_on(medcredit(&["config", "print", "--config", &path])).done();
    assert!(printed.contains("engine = \"postgres\"") && printed.contains("max_connections = 16"), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
}
