//! Whole assessments, kept as text: inputs in `tests/golden/scoring/*.toml`, full explanations beside them in `*.txt`.
//!
//! After a deliberate change of rules or wording: `MEDCREDIT_GOLDEN=write cargo test --test it golden`, and read the diff.

use std::{collections::BTreeSet, fmt::Write, path::PathBuf};

use medcredit::{
    domain::{Day, HalfYear},
    scoring::{Catalogue, Decimal, Fact, Measures, describe_assessment, evaluate},
};
use serde::Deserialize;

use super::{catalogue, institution};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows.
    about: String,
    period: HalfYear,
    agreement_signed_on: Option<Day>,
    expect: String,
    #[serde(default)]
    record: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    measure: String,
    value: Decimal,
    occurred_on: Day,
    #[serde(default)]
    reference: String,
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/scoring")
}

fn facts(case: &Case, catalogue: &Catalogue) -> Vec<Fact> {
    let fact = |(line, record): (usize, &Record)| Fact {
        measure: catalogue.place(&record.measure).unwrap_or_else(|| panic!("no measure {}", record.measure)),
        occurred_on: record.occurred_on,
        value: record.value,
        source: "医保局".into(),
        reference: if record.reference.is_empty() { format!("R{}", line + 1) } else { record.reference.clone() },
        import_seq: 1,
    };
    case.record.iter().enumerate().map(fact).collect()
}

#[test]
fn assessments_read_as_they_did() {
    let (catalogue, model) = (catalogue(), institution());
    let write = std::env::var("MEDCREDIT_GOLDEN").is_ok_and(|value| value == "write");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(directory()).unwrap() {
        names.insert(entry.unwrap().path());
    }
    let inputs: Vec<_> = names.iter().filter(|path| path.extension().is_some_and(|ext| ext == "toml")).collect();
    assert!(inputs.len() >= 8, "the golden cases are gone");
    for input in &inputs {
        let text = std::fs::read_to_string(input).unwrap();
        let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", input.display()));
        let measures = Measures::collect(
            &catalogue,
            case.period,
            model.lookback(),
            case.agreement_signed_on,
            facts(&case, &catalogue),
        )
        .unwrap();
        let assessment = evaluate(&model, &measures);
        assert_eq!(
            format!("{} {}", assessment.points.unwrap(), assessment.grade),
            case.expect,
            "{}: {}\n{}",
            input.display(),
            case.about,
            describe_assessment(model.file(), &assessment)
        );
        let mut told = String::new();
        writeln!(told, "{}\n{} of {}", case.about, case.period, model.id()).unwrap();
        told.push_str(&describe_assessment(model.file(), &assessment));
        let golden = input.with_extension("txt");
        if write {
            std::fs::write(&golden, &told).unwrap();
        }
        let kept = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(told, kept, "{} changed", golden.display());
    }
    for path in names.iter().filter(|path| path.extension().is_some_and(|ext| ext == "txt")) {
        assert!(path.with_extension("toml").exists(), "{} belongs to no case", path.display());
    }
}
