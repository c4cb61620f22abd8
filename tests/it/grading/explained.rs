//! After a correction, explanation, reports and lists show the version in force, and what it was before.

use medcredit::{
    domain::{Kinds, region::RegionTable},
    grading::{Change, Correction, ReportNames, explained_page, report_page, report_rows},
    i18n::Lang,
};

use super::{Bureau, File, city, line, periods};
use crate::support::{TestStore, both_engines, tester};

const CODE: &str = "H33030200001";
const OTHER: &str = "H33030200002";

both_engines! {
    every_report_shows_the_version_in_force_and_the_one_before,
    a_correction_to_not_rated_is_explained,
    an_explanation_becomes_a_page_to_print,
    lists_have_the_names_behind_every_figure,
}

/// A published round with a corrected assessment.
async fn corrected(store: TestStore) -> (Bureau, String) {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE), File::usual(OTHER)]).await;
    let lines = [CODE, OTHER].map(|code| line(code, "public_credit_score", 900, "2025-12-31"));
    bureau.import(1, &lines, true).await;
    let run = bureau.run(periods()[1]).await;
    bureau.publish(&run).await;
    bureau.import(2, &[line(CODE, "public_credit_score", 1000, "2025-12-31")], true).await;
    let correction = Correction { subject: CODE, run: None, reason: "发改委更正", actor: tester() };
    assert!(bureau.rounds.correct(correction).await.unwrap().changed);
    (bureau, run.id.to_string())
}

/// A bureau reads every form of report after a correction.
async fn every_report_shows_the_version_in_force_and_the_one_before(store: TestStore) {
    let (bureau, run) = corrected(store).await;
    let explained = bureau.rounds.explain(CODE, None).await.unwrap();
    let assessment = explained.assessment.as_ref().unwrap();
    assert_eq!((assessment.grade.as_str(), assessment.points.unwrap().to_string().as_str()), ("medium", "753.000"));
    let versions: Vec<_> = explained.versions.iter().map(|of| (of.version, of.result.grade.as_deref())).collect();
    assert_eq!(versions, [(1, Some("poor")), (2, Some("medium"))]);
    let text = explained.to_text();
    assert!(text.contains("version 1 of 2026-04-01: poor"), "{text}");
    assert!(text.contains("version 2 of 2026-04-01, in force: medium, 753 points"), "{text}");
    assert!(text.contains("corrected because: 发改委更正"), "{text}");
    let finding = assessment.findings.iter().find(|finding| !finding.records.is_empty()).unwrap();
    assert_eq!(finding.records[0].value.as_deref(), Some("1000"), "the facts of the correction, not of the run");
    // The same result that is in force for banks.
    let in_force = bureau.rounds.in_force(&run).await.unwrap();
    let results = bureau.rounds.results_in_force(&in_force, "").await.unwrap();
    let exported = results.iter().find(|result| result.code == CODE).unwrap();
    assert_eq!((exported.version, exported.points), (2, assessment.points));

    let report = bureau.rounds.report(&run).await.unwrap();
    let counts: Vec<_> =
        report.grades.iter().filter(|grade| grade.count > 0).map(|grade| (grade.code.as_str(), grade.count)).collect();
    assert_eq!(counts, [("medium", 1), ("poor", 1)]);
    let text = report.to_text(&report.kind, Lang::En);
    assert!(text.contains(&format!("{CODE} version 2 of 2026-04-01: poor, ")), "{text}");
    assert!(report.to_text("定点医疗机构", Lang::Zh).contains("发布后更正 1 家"));

    let (kinds, regions) = (Kinds::built_in().unwrap(), RegionTable::built_in().unwrap());
    let names = ReportNames { kinds: &kinds, regions: &regions };
    let internal = bureau.rounds.round_report(&run, names, None).await.unwrap();
    assert_eq!(internal.corrected.len(), 1);
    assert_eq!(internal.corrected[0].before.grade.as_deref(), Some("poor"));
    assert!(report_page(&internal, Lang::Zh).contains("发布后的更正"));
    assert!(report_page(&internal, Lang::En).contains("Corrections since publication"));
    let rows = String::from_utf8(report_rows(&internal).unwrap()).unwrap();
    assert!(rows.contains(&format!("corrected,{CODE},2,poor,medium,,")), "{rows}");
    // Outside the bureau nobody learns who was corrected.
    let public = bureau.rounds.round_report(&run, names, Some(10)).await.unwrap();
    assert!(public.corrected.is_empty() && !report_page(&public, Lang::Zh).contains(CODE));

    let listing = bureau.rounds.listing(&run, names).await.unwrap();
    let row = listing.results.iter().find(|row| row.code == CODE).unwrap();
    assert_eq!((row.version, row.result.grade.as_deref()), (Some(2), Some("medium")));
    assert_eq!(row.corrected_from.as_ref().and_then(|before| before.grade.as_deref()), Some("poor"));
    let other = listing.results.iter().find(|row| row.code == OTHER).unwrap();
    assert_eq!((other.version, &other.corrected_from), (Some(1), &None));
}

/// A licence was suspended all along: the subject should not have been rated.
async fn a_correction_to_not_rated_is_explained(store: TestStore) {
    let (bureau, _) = corrected(store).await;
    bureau.set(CODE, "UPDATE subjects SET licence_status = 'suspended', version = version + 1 WHERE code = $1").await;
    let correction = Correction { subject: CODE, run: None, reason: "licence", actor: tester() };
    bureau.rounds.correct(correction).await.unwrap();
    let explained = bureau.rounds.explain_in(CODE, None, Lang::Zh).await.unwrap();
    assert!(explained.assessment.is_none());
    assert_eq!(explained.not_rated.as_deref(), Some("licence_suspended"));
    let text = explained.to_text();
    assert!(text.contains("第 3 版") && text.contains("不参评：执业许可暂停或吊销"), "{text}");
    assert!(explained_page(&explained).contains("执业许可暂停或吊销"));
}

/// A hospital's director is given the page of its grade.
async fn an_explanation_becomes_a_page_to_print(store: TestStore) {
    let (bureau, _) = corrected(store).await;
    let explained = bureau.rounds.explain_in(CODE, None, Lang::Zh).await.unwrap();
    let page = explained_page(&explained);
    for part in ["<html lang=\"zh-CN\">", "失分情况", "如何提升至良好", "更正前后", "全部指标", "753 / 1,000"]
    {
        assert!(page.contains(part), "{part}");
    }
    // Two charts, each with a title for screen readers; no script, nothing fetched.
    assert_eq!(page.matches("<svg").count(), 2);
    assert_eq!(page.matches("aria-labelledby").count(), 2);
    assert!(
        page.contains("default-src 'none'") && !page.contains("<script") && !page.contains("http://www.w3.org/1999")
    );
    assert!(!page.contains("发改委更正"), "the reason of a correction is for the bureau only");
    let english = explained_page(&bureau.rounds.explain(CODE, None).await.unwrap());
    assert!(english.contains("<html lang=\"en\">") && english.contains("Where points were lost"), "{english}");
}

/// A bureau looks up who is behind the figures of its round.
async fn lists_have_the_names_behind_every_figure(store: TestStore) {
    let bureau = Bureau::with(store);
    let (files, lines) = city(60, 5);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    bureau.publish(&bureau.run(periods()[0]).await).await;
    let run = bureau.run(periods()[1]).await;
    bureau.publish(&run).await;
    let run = run.id.to_string();
    let (kinds, regions) = (Kinds::built_in().unwrap(), RegionTable::built_in().unwrap());
    let names = ReportNames { kinds: &kinds, regions: &regions };
    let listing = bureau.rounds.listing(&run, names).await.unwrap();
    assert_eq!(listing.results.len(), 60);
    assert!(
        listing.results.iter().all(|row| row.name == "synthetic" && row.region == "鹿城区" && row.version == Some(1))
    );

    let report = bureau.rounds.round_report(&run, names, None).await.unwrap();
    let table = report.movement.unwrap();
    for (row, counts) in table.rows.iter().zip(&table.counts) {
        for (column, count) in table.columns.iter().zip(counts) {
            let behind = listing.movement.iter().filter(|moved| moved.before == *row && moved.now == *column).count();
            assert_eq!(u64::try_from(behind).unwrap(), count.unwrap(), "{} to {}", row.code, column.code);
        }
    }
    let changed = |of: fn(&Change) -> bool| {
        let count = listing.results.iter().filter(|row| row.change.as_ref().is_some_and(of)).count();
        u64::try_from(count).unwrap()
    };
    assert_eq!(changed(|change| matches!(change, Change::Up(_))), table.risen.unwrap());
    assert_eq!(changed(|change| matches!(change, Change::Down(_))), table.fallen.unwrap());
    assert_eq!(changed(|change| matches!(change, Change::Same)), table.stayed.unwrap());
    assert_eq!(listing.measures.len(), report.measures.len());
    for (listed, counted) in listing.measures.iter().zip(&report.measures) {
        assert_eq!(listed.measure, *counted);
        assert_eq!(u64::try_from(listed.subjects.len()).unwrap(), counted.subjects);
    }
}
