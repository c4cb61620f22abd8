//! The information catalogue: rows are checked against it, and its status names the categories that are missing.

use medcredit::{
    cli,
    collection::{CategoryState, CategoryStatus, Collection},
    importing::{Importer, Options, References, Template},
    scoring::{Catalogue, shipped},
};

use crate::{
    importing::{ImportHarness, RECORDS, SUBJECTS},
    support::{TestStore, block_on, both_engines, command::medcredit, raw::execute},
};

const CLINIC: &str = "H33030200090";

fn catalogue() -> Catalogue {
    let (name, text) = shipped::CATALOGUES.iter().find(|(name, _)| name.contains("medical_institution")).unwrap();
    Catalogue::parse(name, text).unwrap()
}

async fn status(harness: &ImportHarness, period: &str) -> Vec<CategoryStatus> {
    let collection = Collection::new(harness.store.db.clone(), harness.store.clock.clone(), 15);
    collection.status(&catalogue(), period.parse().unwrap()).await.unwrap()
}

fn of<'a>(all: &'a [CategoryStatus], name: &str) -> &'a CategoryStatus {
    all.iter().find(|one| one.name_zh == name).unwrap_or_else(|| panic!("{name} is not in the catalogue"))
}

/// A measure of institutions that is not an event, with its category.
fn reported() -> (String, String) {
    let catalogue = catalogue();
    let measure = catalogue.measure("beds_open").unwrap();
    (measure.id.clone(), catalogue.category(measure.category).unwrap().name_zh.clone())
}

both_engines! {
    rows_are_checked_against_the_catalogue,
    a_fact_is_too_old_when_no_half_year_can_use_it,
    a_missing_category_is_late_and_names_its_provider,
    the_status_reads_only_totals,
}

/// A clerk imports rows that the catalogue does not allow: each is reported with its line, column and code.
async fn rows_are_checked_against_the_catalogue(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let elsewhere =
        "medical_institution,H33010200001,91330302MA2AB3C47J,合成杭州诊所,330102,一级,,,,,2019-05-01,active,active\n";
    harness.import(Template::Subjects, format!("{SUBJECTS}{elsewhere}")).await;
    let rows = [
        "H33030200090,insurance_commendation,1,2026-01-05,医保局,a",
        "H33030200090,no_such_measure,1,2026-01-05,医保局,b",
        "H33030200090,insurance_commendation,2,2026-01-05,医保局,c",
        "H33030200090,insurance_commendation,1,1999-01-05,医保局,d",
        "H33010200001,insurance_commendation,1,2026-01-05,医保局,e",
        "H33030200090,insurance_commendation,1,2026-01-06,教育局,f",
        "H33030200090,insurance_commendation,1,2026-01-07,鹿城区医保局,g",
        "H33030299999,insurance_commendation,1,2026-01-05,医保局,h",
        "H3303029999,insurance_commendation,1,2026-01-05,医保局,i",
    ];
    let report = harness.import(Template::Records, format!("{RECORDS}{}\n", rows.join("\n"))).await;
    assert_eq!(
        harness.findings(&report),
        [
            "3 measure measure_unknown reject",
            "4 value value_out_of_range reject",
            "5 occurred_on fact_expired reject",
            "6 subject_code region_outside reject",
            "7 source provider_unexpected warning",
            "9 subject_code subject_unknown reject",
            "10 subject_code code_malformed reject",
        ]
    );
    assert_eq!((report.rows, report.accepted, report.rejected, report.warnings), (9, 3, 6, 1));
}

/// A clerk imports rows exactly as old as the oldest half-year that can still be graded can use, and one day older.
async fn a_fact_is_too_old_when_no_half_year_can_use_it(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let catalogue = catalogue();
    let category = catalogue.category(catalogue.measure("insurance_commendation").unwrap().category).unwrap();
    // The morning of 2026-04-01: two years before its half-year.
    let first = category.valid_from("2024-01-01".parse().unwrap());
    assert!(category.valid_to(first) >= "2024-01-01".parse().unwrap());
    let rows = format!(
        "{CLINIC},insurance_commendation,1,{first},医保局,a\n{CLINIC},insurance_commendation,1,{},医保局,b\n",
        first.plus_days(-1)
    );
    let report = harness.import(Template::Records, format!("{RECORDS}{rows}")).await;
    assert_eq!(harness.findings(&report), ["3 occurred_on fact_expired reject"]);
    // A bureau that still grades earlier years configures it.
    let references = References::built_in([catalogue]).unwrap();
    let importer = Importer::new(
        medcredit::store::Env::new(
            harness.store.db.clone(),
            harness.store.clock.clone(),
            harness.store.entropy.clone(),
        ),
        crate::support::operator("tester"),
        harness.crypter.clone(),
        references,
    );
    let path = harness.write("earlier.csv", format!("{RECORDS}{rows}{rows}").replace(",b\n", ",c\n"));
    let options = Options { check_only: true, ..Options::default() };
    let report = importer.looking_back(6).import(Template::Records, &path, &options, &mut |_| {}).await.unwrap();
    assert_eq!((report.rows, report.findings.get("fact_expired")), (4, None));
}

/// In summer, an officer looks up what is missing for the first half-year, and whom to call.
async fn a_missing_category_is_late_and_names_its_provider(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let (measure, category) = reported();
    let all = status(&harness, "2026-H1").await;
    assert_eq!(all.len(), catalogue().categories().len());
    assert_eq!(of(&all, &category).state, CategoryState::NotDue, "the half-year is not over");
    let provider = of(&all, &category).provider_zh.clone();
    let row = format!("{CLINIC},{measure},20,2026-03-01,{provider},a\n");
    harness.import(Template::Records, format!("{RECORDS}{row}")).await;
    let more =
        "medical_institution,H33030200091,91330302MA2AB3C47J,合成门诊,330302,一级,,,,,2019-05-01,active,active\n";
    harness.import(Template::Subjects, format!("{SUBJECTS}{more}")).await;
    harness.store.clock.advance(std::time::Duration::from_hours(24 * 150));
    let all = status(&harness, "2026-H1").await;
    let delivered = of(&all, &category);
    assert_eq!(delivered.state, CategoryState::Delivered);
    assert_eq!((delivered.facts, delivered.subjects_with, delivered.subjects_without), (1, 1, 1));
    assert_eq!(delivered.last_delivery_at.map(|at| at.day().to_string()).as_deref(), Some("2026-04-01"));
    let late: Vec<_> = all.iter().filter(|one| one.state == CategoryState::Late).collect();
    assert!(!late.is_empty() && late.iter().all(|one| one.facts == 0 && one.subjects_without == 2));
    assert!(all.iter().any(|one| one.state == CategoryState::Silent), "no event need have happened");
    // Nothing was delivered for the half-year before.
    assert_eq!(of(&status(&harness, "2025-H2").await, &category).state, CategoryState::Late);
    // Facts of an import that was not accepted do not count.
    execute(&harness.store, "UPDATE imports SET state = 'discarded' WHERE template = 'records'").await;
    assert_eq!(of(&status(&harness, "2026-H1").await, &category).state, CategoryState::Late);
}

/// In a city with millions of facts, not one of them is read.
async fn the_status_reads_only_totals(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let (measure, category) = reported();
    let rows: String =
        (1..=28).map(|day| format!("{CLINIC},{measure},{day},2026-02-{day:02},医保局,{day}\n")).collect();
    harness.import(Template::Records, format!("{RECORDS}{rows}")).await;
    let before = status(&harness, "2026-H1").await;
    let none = if harness.store.url().is_empty() { "x''" } else { "''" };
    execute(&harness.store, &format!("UPDATE bulk.fact_chunks SET facts = {none}")).await;
    let after = status(&harness, "2026-H1").await;
    assert_eq!(after, before);
    assert_eq!(of(&after, &category).facts, 28);
}

#[test]
fn the_command_reports_late_categories_and_so_does_its_exit_code() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("gateway.toml");
        std::fs::write(&config, "").unwrap();
        let config = config.to_str().unwrap();
        medcredit(&["migrate", "--config", config]).await.done();
        let shown = medcredit(&["catalogue", "show", "medical_institution"]).await.done();
        let (measure, category) = reported();
        assert!(shown.contains(&measure) && shown.contains(&category) && shown.contains("温州市"), "{shown}");
        let json = medcredit(&["catalogue", "show", "nurse", "--json"]).await.done();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["kind"], "nurse");
        assert_eq!(medcredit(&["catalogue", "show", "nobody"]).await.code, cli::WRONG_USAGE);
        let status = async |period: &str, more: &[&str]| {
            medcredit(&[&["catalogue", "status", "--period", period, "--config", config], more].concat()).await
        };
        let late = status("2025H2", &["--kind", "medical_institution"]).await;
        assert_eq!(late.code, cli::FAILED);
        assert!(
            late.out.contains("LATE") && late.err.contains("categories are late, to be delivered by"),
            "{}",
            late.err
        );
        assert!(late.err.contains("医保局"), "{}", late.err);
        let future = status("2026-H2", &[]).await;
        assert_eq!(future.code, cli::DONE, "{}", future.err);
        for kind in ["medical_institution", "insured_person"] {
            assert!(future.out.contains(&format!("{kind} in 2026-H2")), "{}", future.out);
        }
        let json = status("2025-H2", &["--kind", "nurse", "--json"]).await;
        let shown: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert!(shown["late"].as_u64().unwrap() > 0 && shown["categories"][0]["kind"] == "nurse");
        assert_eq!(status("2025-03", &[]).await.code, cli::WRONG_USAGE);
    });
}
