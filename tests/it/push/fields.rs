//! Records by the fields of a platform: names, codes and forms are the platform's, and what does not fit is named.

use medcredit::{
    domain::{Fen, money::MilliPoints},
    grading::GradeWord,
    push::{
        PushError,
        platform::{
            Admission, AmountUnit, Content, Evaluator, Exclusion, GradeRow, LoanCount, Operation, PackageRow, Platform,
            RenderFault, UsageRow, UsageValue,
        },
    },
};

use super::{BUREAU, entries, export, platform, round};
use crate::support::{TestStore, both_engines};

/// The most that a record can have.
fn with_row<T>(change: impl FnOnce(&mut GradeRow<'_>), use_it: impl FnOnce(&GradeRow<'_>) -> T) -> T {
    let evaluator = Evaluator { name: Some("示范市医疗保障局".into()), uscc: Some(BUREAU.into()) };
    let grade = GradeWord { code: "good".into(), name_zh: "良好".into(), ordinal: 2 };
    let day = |text: &str| Some(text.parse().unwrap());
    let mut row = GradeRow {
        package: PackageRow { batch: "run_1", evaluator: &evaluator, period: "2026-H1", kind: "pharmacy" },
        record_id: "run_1:P33030200017",
        version: 2,
        operation: Operation::Update,
        evaluation_name: "定点零售药店信用评价",
        scheme: "wenzhou-951",
        object_type: Some(2),
        code: "P33030200017",
        uscc: Some("91330302MA2CD5EF8R"),
        name: Some("示范大药房"),
        region: "330302",
        region_name: Some("鹿城区"),
        status: "graded",
        reason: None,
        grade: Some(&grade),
        receiver_grade: None,
        points: Some(MilliPoints(849_990)),
        evaluated_on: "2026-07-09".parse().unwrap(),
        valid_from: day("2026-07-01"),
        valid_until: day("2027-01-31"),
        published_on: day("2026-07-01"),
        under_objection: false,
        remark: None,
    };
    change(&mut row);
    use_it(&row)
}

fn rendered(platform: &Platform, change: impl FnOnce(&mut GradeRow<'_>)) -> Result<Vec<(String, String)>, String> {
    with_row(change, |row| {
        let record = platform.render_grade(row).map_err(|error| error.to_string())?;
        Ok(record.into_iter().map(|(name, text)| (name.to_owned(), text)).collect())
    })
}

#[test]
fn a_record_has_the_platforms_names_codes_and_forms_in_its_order() {
    let record = rendered(&platform("provincial-credit-exchange"), |_| {}).unwrap();
    let record: Vec<_> = record.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(
        record,
        [
            ("pjpc", "run_1"),
            ("pjjg", "示范市医疗保障局"),
            ("pjjg_tyshxydm", BUREAU),
            ("pjmc", "定点零售药店信用评价"),
            ("pjnd", "2026"),
            ("ztlb", "02"),
            ("ztmc", "示范大药房"),
            ("tyshxydm", "91330302MA2CD5EF8R"),
            ("ztbm", "P33030200017"),
            ("dqmc", "鹿城区"),
            ("xzqh", "330302"),
            ("pjdj", "良好"),
            ("pjfz", "849.990"),
            ("pdrq", "20260709"),
            ("yxqs", "20260701"),
            ("yxqz", "20270131"),
            ("fbsj", "2026-07-01 00:00:00"),
            ("jlzt", "1"),
            ("bz", ""),
        ]
    );
}

#[test]
fn an_error_names_platform_field_and_record_and_never_the_text() {
    let to = platform("credit-china");
    let record = "the platform credit-china: the field PJ_XDR_MC of the record run_1:P33030200017";
    let missing = rendered(&to, |row| row.name = None).unwrap_err();
    assert_eq!(missing, format!("{record} is required, and there is no name to send"));
    let long = "药".repeat(201);
    // A name as long as the platform accepts is sent.
    rendered(&to, |row| row.name = Some(&*long.strip_prefix('药').unwrap().to_owned().leak())).unwrap();
    let too_long = rendered(&to, |row| row.name = Some(&*long.clone().leak())).unwrap_err();
    assert_eq!(too_long, format!("{record} has 201 characters, and the platform accepts 200"));
    let hidden = rendered(&to, |row| row.name = Some("示范\u{202e}药房")).unwrap_err();
    assert_eq!(hidden, format!("{record} contains U+202E, which cannot be seen: correct it in the subject's file"));
    let code = rendered(&to, |row| row.status = "expired").unwrap_err();
    assert!(code.ends_with("has no code for status \"expired\": add it to the field's codes"), "{code}");
    let mut strict = to.clone();
    strict.grades.as_mut().unwrap().fields.iter_mut().for_each(|field| field.required = field.name == "PJ_JG");
    let setting = with_row(
        |_| {},
        |row| {
            let evaluator = Evaluator::default();
            let row = GradeRow { package: PackageRow { evaluator: &evaluator, ..row.package }, ..*row };
            strict.render_grade(&row).unwrap_err()
        },
    );
    assert_eq!(setting.fault, RenderFault::Missing { value: "evaluator" });
    assert!(
        setting.to_string().ends_with("there is no evaluator to send: set it in [push] of the configuration"),
        "{setting}"
    );
}

#[test]
fn usage_is_counts_and_amounts_in_the_platforms_unit() {
    let mut to = platform("municipal-credit-service");
    let evaluator = Evaluator::default();
    let row = UsageRow {
        package: PackageRow { batch: "b1", evaluator: &evaluator, period: "2026-03", kind: "pharmacy" },
        record_id: "2026-03:pharmacy",
        version: 1,
        operation: Operation::Insert,
        period_from: "2026-03-01".parse().unwrap(),
        period_until: "2026-03-31".parse().unwrap(),
        counted_on: "2026-04-01".parse().unwrap(),
        consents_granted: 17,
        consents_withdrawn: 0,
        loans: None,
        remark: None,
    };
    let of = |to: &Platform, row: &UsageRow<'_>| -> Vec<(String, String)> {
        to.render_usage(row).unwrap().into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
    };
    let record = of(&to, &row);
    let texts: Vec<_> = record.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["2026-03:pharmacy", "I", "2026-03", "pharmacy", "17", "0", "2026-04-01"]);
    assert_eq!(record[4].0, "consentsGranted");
    let last = to.usage.as_mut().unwrap().fields.last_mut().unwrap();
    (last.content, last.amount) = (Content::Value(UsageValue::LoanAmount), AmountUnit::WanYuan);
    assert_eq!(of(&to, &row).last().unwrap().1, "", "no bank reports a loan");
    let loans = Some(LoanCount { number: 2, amount: Fen(123_456_700) });
    assert_eq!(of(&to, &UsageRow { loans, ..row }).last().unwrap().1, "123.456700");
    assert!(of(&platform("credit-china"), &row).is_empty(), "it has no such package");
}

#[test]
fn the_audience_decides_over_what_the_file_says_of_natural_persons() {
    let kinds = medcredit::domain::Kinds::built_in().unwrap();
    let (pharmacy, doctor) = (kinds.find("pharmacy"), kinds.find("doctor"));
    let public = platform("credit-china");
    let departments = platform("municipal-credit-service");
    let left = Admission::LeftOut(Exclusion::NaturalPerson);
    for (of, kind, uscc, expected) in [
        (&public, pharmacy, Some("91330302MA2CD5EF8R"), Admission::Named),
        (&public, pharmacy, None, Admission::Named),
        (&public, pharmacy, Some("92330381MA2CD5EF8R"), left),
        (&public, doctor, None, left),
        (&public, None, None, left),
        (&departments, pharmacy, Some("92330381MA2CD5EF8R"), Admission::CodeOnly),
        (&departments, doctor, None, Admission::CodeOnly),
        (&departments, None, None, Admission::CodeOnly),
    ] {
        assert_eq!(of.admission(kind, uscc, false), expected, "{} {kind:?} {uscc:?}", of.id);
    }
    assert_eq!(public.admission(pharmacy, None, true), Admission::LeftOut(Exclusion::UnderObjection));
    assert_eq!(departments.admission(pharmacy, None, true), Admission::Named);
}

both_engines! {
    records_that_do_not_fit_are_all_counted_and_nothing_is_written,
    a_platform_without_grades_gets_none,
}

/// An operator exports to a platform whose fields are too short for thirty names.
async fn records_that_do_not_fit_are_all_counted_and_nothing_is_written(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    let mut to = platform("city-credit-platform");
    let name = to.grades.as_mut().unwrap().fields.iter_mut().find(|field| field.name == "name").unwrap();
    name.longest = Some(2);
    let refused = export(&bureau, &key, &run, &to).await.unwrap_err();
    assert!(matches!(refused, PushError::Records(_)), "{refused}");
    let said = refused.to_string();
    assert!(said.starts_with(&format!("30 records of the run {run} cannot be sent, and so nothing is")), "{said}");
    assert_eq!(said.lines().count(), 1 + 10 + 1, "{said}");
    assert!(
        said.ends_with("and 20 more") && said.contains("the field name of the record wenzhou-951:2025-H2:H3303"),
        "{said}"
    );
    assert_eq!(entries(&bureau).await, 0);
}

/// A platform that receives only the use made of the grades.
async fn a_platform_without_grades_gets_none(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    let to = Platform { grades: None, ..platform("municipal-credit-service") };
    let refused = export(&bureau, &key, &run, &to).await.unwrap_err();
    assert_eq!(refused.to_string(), "municipal-credit-service receives no grades: its file has no [grades]");
    assert_eq!(entries(&bureau).await, 0);
}
