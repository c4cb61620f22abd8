//! The configuration: defaults, the merge with the operator's file, and error messages.

use std::path::Path;

use medcredit::config::{Config, ConfigError, Secret, StoreEngine};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/medcredit/gateway.toml"))
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_gives_the_documented_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config.store.engine, StoreEngine::Sqlite);
    assert_eq!(config.gateway.issuer(), "https://localhost:8443");
    assert!(config.telemetry.listen.ip().is_loopback());
}

#[test]
fn a_file_needs_only_the_keys_that_differ() {
    let config = parse("[store]\nmax_connections = 40\n[gateway]\nissuer = 'https://issuer.example'\n").unwrap();
    assert_eq!(config.store.max_connections, 40);
    assert_eq!(config.store.engine, StoreEngine::Sqlite);
    assert_eq!(config.gateway.issuer(), "https://issuer.example");
    assert_eq!(config.gateway.public_origin, "https://localhost:8443");
}

#[test]
fn fewer_connections_than_an_import_needs_are_refused() {
    assert!(parse("[store]\nmax_connections = 7\n").is_ok());
    assert!(parse("[store]\nmax_connections = 6\n").unwrap_err().to_string().contains("max_connections"));
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = parse("[store]\nengine = 'postgres'\nurl_file = 'secrets/url'\n").unwrap();
    assert_eq!(config.store.directory, Path::new("/etc/medcredit/data"));
    assert_eq!(config.store.url_file.as_deref(), Some(Path::new("/etc/medcredit/secrets/url")));
    let absolute = parse("[store]\ndirectory = '/var/lib/medcredit'\n").unwrap();
    assert_eq!(absolute.store.directory, Path::new("/var/lib/medcredit"));
}

#[test]
fn an_unknown_key_is_named_with_file_line_and_path() {
    let text = refusal("[gateway]\n\n[store]\nengin = 'sqlite'\n");
    assert!(text.starts_with("/etc/medcredit/gateway.toml:4: store.engin: unknown field `engin`"), "{text}");
    assert!(text.contains("`engine`"), "the known keys are listed: {text}");
}

#[test]
fn every_section_refuses_unknown_keys() {
    for section in Config::SECTIONS {
        let text = refusal(&format!("# a comment\n[{section}]\nno_such_key = 1\n"));
        assert!(text.contains(&format!("gateway.toml:3: {section}.no_such_key: unknown field")), "{text}");
    }
}

#[test]
fn an_unknown_section_is_named() {
    let text = refusal("[sotre]\nengine = 'sqlite'\n");
    assert!(text.starts_with("/etc/medcredit/gateway.toml:1: sotre: unknown section"), "{text}");
}

#[test]
fn a_value_of_the_wrong_type_is_named() {
    let text = refusal("[store]\nengine = 'sqlite'\nmax_connections = 'many'\n");
    assert!(text.starts_with("/etc/medcredit/gateway.toml:3: store.max_connections: invalid type"), "{text}");
}

#[test]
fn values_out_of_range_are_all_reported_together() {
    let text = refusal("[store]\nmax_connections = 0\n[telemetry]\nlisten = '0.0.0.0:9464'\n");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains(":2: store.max_connections: must be between"), "{text}");
    assert!(lines[1].contains(":4: telemetry.listen: is not a loopback address"), "{text}");
}

#[test]
fn a_missing_key_is_reported_at_its_section() {
    let text = refusal("[store]\nengine = 'postgres'\n");
    assert!(text.contains("gateway.toml:1: store.url_file: is required"), "{text}");
}

#[test]
fn text_that_is_not_toml_is_reported_with_its_line() {
    let text = refusal("[store]\nengine = \n");
    assert!(text.starts_with("/etc/medcredit/gateway.toml:2: "), "{text}");
}

#[test]
fn the_printed_configuration_parses_to_the_same() {
    let config = parse("[store]\nmax_connections = 40\n").unwrap();
    let printed = config.to_toml().unwrap();
    assert_eq!(parse(&printed).unwrap().to_toml().unwrap(), printed);
}

#[test]
fn a_secret_does_not_print() {
    let secret = Secret::new("hunter2".into());
    assert!(!format!("{secret:?}").contains("hunter2"));
    assert_eq!(secret.expose(), "hunter2");
}

#[test]
fn key_encryption_keys_are_read_in_order_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    let keys = directory.path().join("secrets/key-encryption-keys");
    std::fs::create_dir(directory.path().join("secrets")).unwrap();
    let config = Config::parse("", &path).unwrap();

    let missing = config.secrets.key_encryption_keys().unwrap_err().to_string();
    assert!(missing.contains("secrets.key_encryption_key_file: cannot be read"), "{missing}");

    let line = |byte: u8| data_encoding::BASE64.encode(&[byte; 32]);
    std::fs::write(&keys, format!("# newest first\n{} # 2026\n\n{}\n", line(2), line(1))).unwrap();
    let read = config.secrets.key_encryption_keys().unwrap();
    assert_eq!(read.iter().map(|key| key.expose()[0]).collect::<Vec<_>>(), [2, 1]);
    assert!(!format!("{read:?}").contains('2'), "keys do not print");

    std::fs::write(&keys, "c2hvcnQ=\n").unwrap();
    let short = config.secrets.key_encryption_keys().unwrap_err().to_string();
    assert!(short.contains("key-encryption-keys:1: "), "{short}");
    assert!(!short.contains("c2hvcnQ"), "the value is not repeated: {short}");
}

#[test]
fn the_evaluator_has_a_printable_name_and_a_code_that_somebody_can_have() {
    let parsed = |key: &str, value: &str| parse(&format!("[push]\n{key} = \"{value}\"\n"));
    assert!(parsed("evaluator", "示范市医疗保障局").is_ok() && parsed("evaluator_uscc", "11330300MB1234A561").is_ok());
    for (key, value) in [
        ("evaluator", " "),
        ("evaluator", "局\u{202e}"),
        ("evaluator_uscc", "11330300MB1234A562"),
        ("evaluator_uscc", "1"),
    ] {
        let text = parsed(key, value).unwrap_err().to_string();
        assert!(text.contains(&format!("gateway.toml:2: push.{key}: ")), "{text}");
    }
}
