//! A synthetic city of 2,000 institutions has the distribution and the movement that Wenzhou published.

use std::sync::LazyLock;

use super::{Bureau, File, Line, city, counts, grades, periods};
use crate::support::{TestStore, both_engines};

/// Generated once for both engines.
pub(super) static CITY: LazyLock<(Vec<File>, Vec<Line>)> = LazyLock::new(|| city(2000, 2));

both_engines! {
    two_thousand_institutions_are_graded_as_published,
}

/// A bureau rates its whole city twice.
async fn two_thousand_institutions_are_graded_as_published(store: TestStore) {
    let bureau = Bureau::with(store);
    let (files, lines) = &*CITY;
    bureau.accept_files(files).await;
    bureau.import(1, lines, true).await;
    let codes: Vec<String> = files.iter().map(|file| file.code.clone()).collect();

    let before = bureau.run(periods()[0]).await;
    bureau.publish(&before).await;
    let former = grades(&bureau, &codes, "2025-08-01").await;
    let after = bureau.run(periods()[1]).await;
    bureau.publish(&after).await;
    let latter = grades(&bureau, &codes, "2026-04-01").await;

    let report = bureau.report(&after).await;
    assert_eq!(counts(&report), [203, 1249, 468, 80, 0]);
    let percents: Vec<&str> = report.grades.iter().map(|grade| grade.percent.as_str()).collect();
    assert_eq!(percents, ["10.15", "62.45", "23.40", "4.00", "0.00"]);
    assert_eq!((report.subjects, report.graded, report.not_rated.len()), (2000, 2000, 0));
    assert_eq!(after.unknown, 0);

    let order = ["excellent", "good", "medium", "poor", "bad"];
    let place = |grade: &String| order.iter().position(|known| known == grade).unwrap();
    let rose = codes.iter().filter(|code| place(&latter[*code]) < place(&former[*code])).count();
    let fell = codes.iter().filter(|code| place(&latter[*code]) > place(&former[*code])).count();
    // 24.4 % of institutions rose a grade, as published; a tenth fell.
    assert_eq!((rose, fell), (488, 200));
}
