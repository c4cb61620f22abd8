//! Good standing (信用优良) as configured, and the explanation of a result.

use std::collections::BTreeMap;

use medcredit::grading::{GoodStanding, GradingError, current, in_good_standing};

use super::{Bureau, city, line, periods};
use crate::support::{TestStore, both_engines};

fn rule(scheme: &str, grades: &[&str]) -> GoodStanding {
    GoodStanding(BTreeMap::from([(scheme.to_owned(), grades.iter().map(|grade| (*grade).to_owned()).collect())]))
}

both_engines! {
    good_standing_is_what_the_rule_says,
    a_result_is_explained_with_the_records_behind_it,
}

/// A bank requests settlements of every institution (domain 0.5).
async fn good_standing_is_what_the_rule_says(store: TestStore) {
    let bureau = Bureau::with(store);
    let (files, lines) = city(100, 6);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    let codes: Vec<String> = files.iter().map(|file| file.code.clone()).collect();
    let good = |rule: GoodStanding, today: &'static str| {
        let (db, codes) = (bureau.db().clone(), codes.clone());
        async move {
            let (_, assessments) = current(&db, &codes, today.parse().unwrap()).await.unwrap();
            assessments.iter().filter(|one| in_good_standing(&rule, one)).count()
        }
    };
    assert_eq!(good(rule("wenzhou-951", &["excellent", "good"]), "2026-04-01").await, 73);
    assert_eq!(good(rule("wenzhou-951", &["excellent"]), "2026-04-01").await, 10);
    assert_eq!(good(rule("another-city", &["excellent", "good"]), "2026-04-01").await, 0);
    assert_eq!(good(rule("wenzhou-951", &["excellent", "good"]), "2026-08-01").await, 0, "an expired grade is none");
    bureau.set(&codes[0], "UPDATE subjects SET under_objection = 1 WHERE code = $1").await;
    assert!(good(rule("wenzhou-951", &["excellent", "good"]), "2026-04-01").await >= 72);
}

/// A result is explained to its institution.
async fn a_result_is_explained_with_the_records_behind_it(store: TestStore) {
    let bureau = Bureau::with(store);
    let (files, mut lines) = city(20, 8);
    let code = files[3].code.clone();
    let mut penalty = line(&code, "market_penalty", 1, "2025-09-09");
    penalty.reference = "温市监罚〔2025〕9号".into();
    lines.push(penalty);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    let run = bureau.run(periods()[1]).await;
    let trial = bureau.rounds.explain(&code, None).await.unwrap();
    assert_eq!((trial.run.clone(), trial.state.as_str()), (run.id.to_string(), "trial"));
    let assessment = trial.assessment.clone().unwrap();
    assert_eq!(assessment.findings.len(), 36);
    let finding = assessment.findings.iter().find(|finding| finding.no == 32).unwrap();
    assert!(finding.points.0 <= 15_000 && finding.rule.contains("-15 for each event"), "{finding:?}");
    assert!(finding.records[0].references.contains(&"温市监罚〔2025〕9号".to_owned()), "{finding:?}");
    let text = trial.to_text();
    assert!(text.contains("32 当期市监行政处罚") && text.contains("温市监罚〔2025〕9号"), "{text}");

    bureau.publish(&run).await;
    bureau.run(periods()[1]).await;
    let in_force = bureau.rounds.explain(&code, None).await.unwrap();
    assert_eq!(in_force.run, run.id.to_string(), "the round in force comes before a later trial");
    let nobody = bureau.rounds.explain("H33030299999", None).await.unwrap_err();
    assert!(matches!(nobody, GradingError::NotCovered(_)), "{nobody}");
}
