//! docs/OPERATIONS.md: its commands lead from nothing to an answer, it explains every metric and log field, and a disclosure
//! takes the space that it says.

mod commands;

use std::{collections::BTreeSet, fs, path::Path};

use medcredit::{
    store::Db,
    telemetry::{METRICS, MetricKind},
};

use crate::{
    logs::{calls, field_names, production_code},
    support::{
        TestStore,
        app::{Bank, TestApp},
        both_engines,
        store::StoreLocation,
    },
};

both_engines! {
    a_disclosure_takes_the_documented_space,
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md")).unwrap()
}

fn section(page: &str, number: u8) -> &str {
    let start = format!("\n## {number}. ");
    page.split(&*start).nth(1).unwrap_or_else(|| panic!("section {number}")).split("\n## ").next().unwrap()
}

/// The rows of a table of the page, cell by cell.
fn table(section: &str) -> Vec<Vec<&str>> {
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn every_metric_is_explained_with_its_type_and_labels() {
    let page = page();
    let rows = table(section(&page, 7));
    let written: Vec<_> = rows.iter().map(|cells| cells[..3].join(" ")).collect();
    let expected: Vec<_> = METRICS
        .iter()
        .map(|metric| {
            let kind = match metric.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{}`", label.name)).collect();
            let labels = if labels.is_empty() { "-".to_owned() } else { labels.join(", ") };
            format!("`{}` {kind} {labels}", metric.name)
        })
        .collect();
    assert_eq!(written, expected, "docs/OPERATIONS.md, section 7");
    assert!(rows.iter().all(|cells| cells[3].len() > 10), "each has a meaning");
}

/// The metrics that the code records: name, macro, and the labels that are written as constants.
fn recorded() -> Vec<(String, MetricKind, Vec<String>)> {
    let mut found = Vec::new();
    for (file, text) in production_code() {
        if file.ends_with("telemetry/catalogue.rs") {
            continue;
        }
        for (name, kind) in
            [("counter!(", MetricKind::Counter), ("gauge!(", MetricKind::Gauge), ("histogram!(", MetricKind::Histogram)]
        {
            for call in text.split(&format!("metrics::{name}")).skip(1) {
                let call = call.split(");").next().unwrap().split(").").next().unwrap();
                let strings: Vec<_> = call.split('"').skip(1).step_by(2).collect();
                let labels = call.split("\" =>").filter_map(|before| before.rsplit('"').next());
                let labels: Vec<_> = labels.take(call.matches("\" =>").count()).map(str::to_owned).collect();
                found.push((strings[0].to_owned(), kind, labels));
            }
        }
    }
    found
}

#[test]
fn every_metric_in_the_code_is_in_the_catalogue_and_every_one_there_is_recorded() {
    let recorded = recorded();
    for (name, kind, labels) in &recorded {
        let metric = METRICS.iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("src/telemetry/catalogue.rs has no {name}"));
        assert_eq!(metric.kind, *kind, "{name}");
        let known: Vec<_> = metric.labels.iter().map(|label| label.name.to_owned()).collect();
        assert_eq!(*labels, known, "the labels of {name}, in order");
    }
    let names: BTreeSet<_> = recorded.iter().map(|(name, ..)| name.as_str()).collect();
    let unused: Vec<_> = METRICS.iter().map(|metric| metric.name).filter(|name| !names.contains(name)).collect();
    assert!(unused.is_empty(), "never recorded: {unused:?}");
}

/// A code of our own fault is at zero before it happens, so that an alert sees the first one.
#[test]
fn the_problems_of_our_own_fault_begin_at_zero() {
    let errors = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ERRORS.md")).unwrap();
    let metric = METRICS.iter().find(|metric| metric.name == "medcredit_problems_total").unwrap();
    let mut seen = 0;
    for cells in table(&errors).iter().filter(|cells| cells.len() > 2 && cells[1].starts_with('5')) {
        let code = cells[0].trim_matches('`');
        assert!(metric.labels[0].values.contains(&code), "src/telemetry/catalogue.rs has no {code}");
        seen += 1;
    }
    assert!(seen >= 8, "the codes were read: {seen}");
}

#[test]
fn every_log_field_is_explained() {
    let page = page();
    let explained: BTreeSet<_> =
        table(section(&page, 8)).into_iter().map(|cells| cells[0].trim_matches('`').to_owned()).collect();
    let mut used = BTreeSet::new();
    for (_, text) in production_code() {
        used.extend(calls(&text).iter().flat_map(|call| field_names(call)));
    }
    let missing: Vec<_> = used.difference(&explained).collect();
    assert!(missing.is_empty(), "docs/OPERATIONS.md, section 8, does not explain {missing:?}");
    let unused: Vec<_> = explained.difference(&used).collect();
    assert!(unused.is_empty(), "explained and never logged: {unused:?}");
}

/// The bytes that the ledger takes.
async fn ledger_bytes(store: &TestStore) -> i64 {
    let (bytes,): (i64,) = match store.location() {
        StoreLocation::Sqlite(_) => {
            store.db.checkpoint().await.unwrap();
            let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
            store.db.read("test").fetch_one(sql, vec![]).await.unwrap()
        }
        StoreLocation::Postgres { .. } => {
            let sql = "SELECT CAST(SUM(pg_total_relation_size(c.oid)) AS BIGINT) FROM pg_class c \
                JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'core' AND c.relkind = 'r'";
            store.db.read("test").fetch_one(sql, vec![]).await.unwrap()
        }
    };
    bytes
}

/// The number that the page names for an engine.
fn documented(store: &Db) -> i64 {
    let page = page();
    let numbers: Vec<i64> = section(&page, 6)
        .split("**")
        .filter_map(|bold| bold.split_whitespace().next()?.replace(',', "").parse().ok())
        .take(2)
        .collect();
    assert_eq!(numbers.len(), 2, "two numbers in bold face");
    if store.engine() == medcredit::store::Engine::Sqlite { numbers[0] } else { numbers[1] }
}

/// An engineer who buys disks: the measured size is within a quarter of the documented one.
async fn a_disclosure_takes_the_documented_space(store: TestStore) {
    const READINGS: i64 = 300;
    let app = TestApp::start_with(
        store,
        "[limits]\nburst = { quota = 100000, window_seconds = 1 }\nsustained = { quota = 100000, window_seconds = 60 }",
    )
    .await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let (token, path) = (bank.token().await, Bank::data(&consent, "grade"));
    // Beyond the first pages of each table.
    for _ in 0..20 {
        assert_eq!(bank.get(&token, &path).await.status, 200);
    }
    app.app.sealer.seal_once().await.unwrap();
    let before = ledger_bytes(&app.store).await;
    for _ in 0..READINGS {
        assert_eq!(bank.get(&token, &path).await.status, 200);
    }
    while app.app.sealer.seal_once().await.unwrap().is_some() {}
    let each = (ledger_bytes(&app.store).await - before) / READINGS;
    let documented = documented(&app.store.db);
    assert!((each - documented).abs() * 4 <= documented, "{each} bytes were measured, {documented} are documented");
}
