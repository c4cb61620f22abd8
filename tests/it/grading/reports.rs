//! Reports of a round as files: their content, their suppression of small counts, and self-contained pages.
//!
//! After a deliberate change: `MEDCREDIT_GOLDEN=write cargo test --test it grading::reports`, and review the diff.

use std::path::PathBuf;

use medcredit::{
    domain::{Kinds, region::RegionTable},
    grading::{GradingError, ReportNames, RoundReport, report_page, report_rows},
    i18n::Lang,
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
        // Most subjects are in a few regions, as in a real city.
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
    let names = ReportNames { kinds: &kinds, regions: &regions };
    bureau.rounds.round_report(run, names, (!internal).then_some(10)).await.unwrap()
}

/// Compares with a golden file, or writes it. Ids and digests are replaced by placeholders.
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
    reports_match_their_golden_files_and_identify_nobody_in_a_small_cell,
    a_trial_is_reported_to_the_bureau_only,
}

/// A bureau writes its internal and public reports.
async fn reports_match_their_golden_files_and_identify_nobody_in_a_small_cell(store: TestStore) {
    let (bureau, before, after) = two_rounds(store).await;
    let whole = report(&bureau, &after, true).await;
    assert_eq!((whole.subjects, whole.graded), (Some(2014), Some(2000)));
    let movement = whole.movement.as_ref().unwrap();
    assert_eq!(movement.before.run, before);
    // As Wenzhou published: 24.4 % of institutions rose.
    assert_eq!(movement.risen_percent.as_deref(), Some("24.40"));
    golden("internal.json", &whole, &serde_json::to_string_pretty(&whole).unwrap());
    golden("internal.html", &whole, &report_page(&whole, Lang::Zh));

    let public = report(&bureau, &after, false).await;
    golden("public.csv", &public, &String::from_utf8(report_rows(&public).unwrap()).unwrap());
    golden("public.html", &public, &report_page(&public, Lang::Zh));
    assert_that_nobody_is_identified(&whole, &public);
}

/// A reader of a public report looks for small counts.
fn assert_that_nobody_is_identified(internal: &RoundReport, public: &RoundReport) {
    let mut withheld = 0;
    for (internal, public) in [(&internal.by_region, &public.by_region), (&internal.by_level, &public.by_level)] {
        for (internal, public) in internal.rows.iter().zip(&public.rows) {
            for (internal, public) in internal.cells.iter().zip(&public.cells) {
                assert!(public.count.is_none() || !(1..10).contains(&internal.count.unwrap()), "{public:?}");
                withheld += usize::from(public.count.is_none());
            }
            let hidden = public.cells.iter().filter(|share| share.count.is_none()).count();
            assert!(hidden != 1 || public.total.is_none(), "what is withheld can be computed: {public:?}");
        }
        // Nor is a cell the only withheld one of its column, whose sum is published.
        for at in 0..internal.columns.len() {
            let hidden = public.rows.iter().filter(|row| row.cells[at].count.is_none()).count();
            assert_ne!(hidden, 1, "column {at}");
        }
    }
    assert!(withheld > 0, "the test needs small counts");
    let movement = public.movement.as_ref().unwrap();
    let small = |count: &Option<u64>| count.is_some_and(|count| (1..10).contains(&count));
    assert!(!movement.counts.iter().flatten().any(small));
}

/// A public report of a trial is requested.
async fn a_trial_is_reported_to_the_bureau_only(store: TestStore) {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual("H33030200001")]).await;
    let trial = bureau.run(periods()[1]).await.id.to_string();
    let (kinds, regions) = (Kinds::built_in().unwrap(), RegionTable::built_in().unwrap());
    let names = ReportNames { kinds: &kinds, regions: &regions };
    let refused = bureau.rounds.round_report(&trial, names, Some(10)).await.unwrap_err();
    assert!(matches!(refused, GradingError::NotForOthers { .. }), "{refused}");
    let page = report_page(&report(&bureau, &trial, true).await, Lang::Zh);
    assert!(page.contains("内部资料") && page.contains("试评"), "{page}");
}

/// A page is opened without a network, in a browser without scripts.
#[test]
fn a_page_is_self_contained_and_safe() {
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
    // The policy allows only the style with this digest.
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let digest =
        data_encoding::BASE64.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes()).as_ref());
    assert!(page.contains(&format!("style-src 'sha256-{digest}'")), "{digest}");
    assert!(!page.contains("内部资料"));
}
