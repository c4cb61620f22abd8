//! The files of `deploy/`: what they name exists, what they restrict stays restricted, and the alerts do what their tests say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use medcredit::telemetry::{METRICS, MetricKind};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// The settings of a unit, section by section, with every value of a repeated one.
fn unit() -> BTreeMap<(String, String), Vec<String>> {
    let (mut section, mut found) = (String::new(), BTreeMap::<_, Vec<_>>::new());
    for line in read("medcredit.service").lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.split_once('=') {
            Some((key, value)) => {
                found.entry((section.clone(), key.to_owned())).or_default().push(value.to_owned());
            }
            None => section = line.trim_matches(['[', ']']).to_owned(),
        }
    }
    found
}

#[test]
fn the_unit_is_notified_reloaded_and_hardened() {
    let unit = unit();
    let of = |key: &str| unit.get(&("Service".to_owned(), key.to_owned())).map(|values| values.join(" "));
    for (key, value) in [
        ("Type", "notify"),
        ("ExecStart", "/usr/local/bin/medcredit serve"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("KillSignal", "SIGTERM"),
        ("User", "medcredit"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
        ("CapabilityBoundingSet", ""),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("ReadWritePaths", "/var/lib/medcredit /var/lib/medcredit-checkpoint"),
    ] {
        assert_eq!(of(key).as_deref(), Some(value), "{key}");
    }
    let seconds = |key: &str| of(key).unwrap().parse::<u64>().unwrap();
    let config = medcredit::config::Config::defaults(Path::new("/")).unwrap();
    // The longest delay that a configuration should have with this unit, the drain, and the grace of telemetry.
    assert!(seconds("TimeoutStopSec") >= 60 + config.partner.drain_timeout().as_secs() + 20);
    assert!(seconds("LimitNOFILE") > config.open_files());
    assert!(of("RestartPreventExitStatus").unwrap().split(' ').any(|code| code == "64"));
}

#[test]
fn the_image_has_no_root_and_builds_what_is_measured() {
    let text = read("Dockerfile");
    let steps: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let last = steps.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    let (build, image) = steps.split_at(last);
    assert_eq!(image[0], "FROM debian:bookworm-slim");
    assert!(build.iter().any(|line| line.contains("cargo build --locked --profile dist")));
    let user = image.iter().position(|line| *line == "USER 10001:10001").expect("a number, not root");
    let entry = image.iter().position(|line| line.starts_with("ENTRYPOINT")).unwrap();
    assert!(user < entry && !image.iter().any(|line| line.starts_with("USER root")));
    assert!(image.contains(&"STOPSIGNAL SIGTERM"));
    assert!(text.contains("--read-only --cap-drop ALL"), "the command to run it says so");
    // Everything that the build reads is copied.
    for line in build.iter().filter(|line| line.starts_with("COPY ")) {
        for name in line.split(' ').skip(1).take(line.split(' ').count() - 2) {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(), "{name}");
        }
    }
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(text.contains(&format!("FROM rust:{rust}-slim-bookworm")), "the image's compiler is the manifest's {rust}");
}

/// The names in a text that look like metrics of ours, without the suffixes that a histogram's series have.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("medcredit_"));
    ours.map(|word| {
        let histogram = METRICS.iter().find(|metric| {
            metric.kind == MetricKind::Histogram
                && ["_bucket", "_count", "_sum"].iter().any(|end| word == format!("{}{end}", metric.name))
        });
        histogram.map_or_else(|| word.to_owned(), |metric| metric.name.to_owned())
    })
    .collect()
}

#[test]
fn every_metric_in_rules_and_dashboard_exists() {
    let known: BTreeSet<_> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    for name in ["prometheus-rules.yml", "prometheus-rules.test.yml", "grafana-dashboard.json"] {
        let used = metrics_in(&read(name));
        assert!(used.len() > 10, "{name} was read");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}

#[test]
fn the_dashboard_is_json_with_a_query_in_every_panel() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "two panels have one id");
        if panel["type"] != "row" {
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{panel}");
            assert!(targets.iter().all(|target| target["expr"].as_str().unwrap().contains("medcredit_")), "{panel}");
        }
    }
    assert!(panels.len() > 20);
}

/// Every alert has a test that expects it, and says what to do.
#[test]
fn every_alert_is_tested_and_names_an_action() {
    let (rules, tests) = (read("prometheus-rules.yml"), read("prometheus-rules.test.yml"));
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 20, "{alerts:?}");
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap();
        assert!(rule.contains("action: \"") && rule.contains("summary: \"") && rule.contains("severity: "), "{name}");
        let tested = [format!("alertname=\"{name}\""), format!("alertname: {name}")];
        assert!(tested.iter().any(|test| tests.contains(test)), "{name} has no test in prometheus-rules.test.yml");
    }
}

#[test]
fn the_tests_of_the_alerts_pass() {
    for args in [["check", "rules", "prometheus-rules.yml"], ["test", "rules", "prometheus-rules.test.yml"]] {
        let output = Command::new("promtool")
            .args(args)
            .current_dir(path(""))
            .output()
            .expect("promtool is needed: install the Debian package `prometheus`, as tests/run does");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "promtool {args:?}: {}", String::from_utf8_lossy(&said));
    }
}
