//! Reports of a round, as files: what they say, what they withhold, and that pages need nothing else.
//!
//! After a deliberate change: `MEDCREDIT_GOLDEN=write cargo test --test it grading::reports`, and read the diff.

use std::path::PathBuf;

use medcredit::{
    domain::{Kinds, region::RegionTable},
    grading::{GradingError, RoundReport, report_page, report_rows},
    store::Arg,
};

use super::{Bureau, File, distribution::CITY, periods};
use crate::support::{TestStore, both_engines};

const REGIONS: [&str; 12] = [
    "330302", "330303", "330304", "330305", "330324", "330326", "330327", "330328", "330329", "330381", "330382",
    "330383",
];

/// A city of two thousand with regions and levels, two rounds, and a few who took no part.
async fn two_rounds(store: TestStore) -> (Bureau, String, String) {
    let bureau = Bureau::with(store);
    let (files, lines) = &*CITY;
    bureau.accept_files(files).await;
    bureau
        .accept_files(
            &(0..14)
                .map(|nth| File { signed: Some("2025-10-01"), ..File::usual(&format!("H3303029{nth:04}")) })
                .collect::<Vec<_>>(),
        )
        .await;
    let places = files.iter().enumerate().map(|(nth, file)| {
        let level = match nth {
            0..14 => Some("三级"),
            14..74 => Some("二级"),
            74..294 => Some("一级"),
            _ => None,
        };
        // Most live in few places, as they do.
        serde_json::json!({ "code": file.code, "region": REGIONS[(nth * nth / 7) % 12], "level": level })
    });
    let mut tx = bureau.db().begin("test").await.unwrap();
    for place in places.collect::<Vec<_>>().chunks(500) {
        tx.execute(
            "UPDATE subjects SET region = (SELECT value->>'region' FROM json_rows($1) WHERE value->>'code' = subjects.code),
                                 level = (SELECT value->>'level' FROM json_rows($1) WHERE value->>'code' = subjects.code)
             WHERE code IN (SELECT value->>'code' FROM json_rows($1))",
            vec![Arg::Text(serde_json::json!(place).to_string())],
        )
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
    bureau.import(1, lines, true).await;
    let before = bureau.run(periods()[0]).await;
    bureau.publish(&before).await;
    let after = bureau.run(periods()[1]).await;
    bureau.publish(&after).await;
    (bureau, before.id.to_string(), after.id.to_string())
}

async fn report(bureau: &Bureau, run: &str, internal: bool) -> RoundReport {
    let (kinds, regions) = (Kinds::built_in().unwrap(), RegionTable::built_in().unwrap());
    bureau.rounds.round_report(run, (&kinds, &regions), (internal, 10)).await.unwrap()
}

/// Compares with a golden file, or writes it. What differs from version to version of a model is left out.
fn golden(name: &str, report: &RoundReport, text: &str) {
    let mut text = text.to_owned();
    for (value, word) in [
        (&report.run, "RUN"),
        (&report.model_digest, "MODEL"),
        (&report.input_digest, "INPUT"),
        (&report.outcome_digest, "OUTCOME"),
    ] {
        text = text.replace(value.as_str(), word);
    }
    if let Some(movement) = &report.movement {
        text = text.replace(movement.before.run.as_str(), "RUN-BEFORE");
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reports").join(name);
    if std::env::var("MEDCREDIT_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == kept, "{} changed", path.display());
}

both_engines! {
    reports_read_as_they_did,
    nobody_is_found_in_a_small_cell,
    a_trial_is_reported_to_the_bureau_alone,
}

/// A bureau writes its reports, for itself and for others.
async fn reports_read_as_they_did(store: TestStore) {
    let (bureau, before, after) = two_rounds(store).await;
    let whole = report(&bureau, &after, true).await;
    assert_eq!((whole.subjects, whole.graded), (Some(2014), Some(2000)));
    let movement = whole.movement.as_ref().unwrap();
    assert_eq!(movement.before.run, before);
    // As Wenzhou published: 24.4 % of institutions rose.
    assert_eq!(movement.risen_percent.as_deref(), Some("24.40"));
    golden("internal.json", &whole, &serde_json::to_string_pretty(&whole).unwrap());
    golden("internal.html", &whole, &report_page(&whole));

    let told = report(&bureau, &after, false).await;
    golden("public.csv", &told, &String::from_utf8(report_rows(&told).unwrap()).unwrap());
    golden("public.html", &told, &report_page(&told));
}

/// Somebody reads a report that may be shown to others.
async fn nobody_is_found_in_a_small_cell(store: TestStore) {
    let (bureau, _, after) = two_rounds(store).await;
    let (whole, told) = (report(&bureau, &after, true).await, report(&bureau, &after, false).await);
    let mut withheld = 0;
    for (whole, told) in [(&whole.by_region, &told.by_region), (&whole.by_level, &told.by_level)] {
        for (whole, told) in whole.rows.iter().zip(&told.rows) {
            for (whole, told) in whole.cells.iter().zip(&told.cells) {
                assert!(told.count.is_none() || !(1..10).contains(&whole.count.unwrap()), "{told:?}");
                withheld += usize::from(told.count.is_none());
            }
            let hidden = told.cells.iter().filter(|share| share.count.is_none()).count();
            assert!(hidden != 1 || told.total.is_none(), "what is withheld is what remains: {told:?}");
        }
        // Nor is one alone in its column, whose sum is told.
        for at in 0..whole.columns.len() {
            let hidden = told.rows.iter().filter(|row| row.cells[at].count.is_none()).count();
            assert_ne!(hidden, 1, "column {at}");
        }
    }
    assert!(withheld > 0, "nothing was small: nothing was tested");
    let movement = told.movement.unwrap();
    let small = |count: &Option<u64>| count.is_some_and(|count| (1..10).contains(&count));
    assert!(!movement.counts.iter().flatten().any(small));
}

/// Somebody would like to see a trial.
async fn a_trial_is_reported_to_the_bureau_alone(store: TestStore) {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual("H33030200001")]).await;
    let trial = bureau.run(periods()[1]).await.id.to_string();
    let (kinds, regions) = (Kinds::built_in().unwrap(), RegionTable::built_in().unwrap());
    let refused = bureau.rounds.round_report(&trial, (&kinds, &regions), (false, 10)).await.unwrap_err();
    assert!(matches!(refused, GradingError::NotForOthers { .. }), "{refused}");
    let page = report_page(&report(&bureau, &trial, true).await);
    assert!(page.contains("内部资料") && page.contains("试评"), "{page}");
}

/// Somebody opens a page without a network, and with a browser that runs nothing.
#[test]
fn a_page_needs_nothing_else_and_lets_nothing_in() {
    let page = include_str!("../../golden/reports/public.html");
    for never in [
        "<script",
        "http://",
        "https://",
        "javascript:",
        "<img",
        "<link",
        "<iframe",
        " style=",
        " onclick",
        "url(",
        "@import",
    ] {
        let found = page.replace("http://www.w3.org/2000/svg", "").contains(never);
        assert!(!found, "{never} is in the page");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("lang=\"zh-CN\"") && page.contains("role=\"img\"") && page.contains("<th scope=\"row\">"));
    // The policy names the style by its digest: another would not be applied.
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let digest =
        data_encoding::BASE64.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes()).as_ref());
    assert!(page.contains(&format!("style-src 'sha256-{digest}'")), "{digest}");
    assert!(!page.contains("内部资料"));
}
