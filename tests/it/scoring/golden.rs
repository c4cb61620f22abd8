//! Golden files of assessments: inputs in `tests/golden/scoring/*.toml`, full explanations beside them in `*.txt`.
//!
//! After a deliberate change of rules or wording: `MEDCREDIT_GOLDEN=write cargo test --test it golden`, and review the diff.

use std::{collections::BTreeSet, fmt::Write, path::PathBuf};

use medcredit::{
    domain::{Day, HalfYear},
    grading::Library,
    scoring::{Branches, Catalogue, Decimal, Fact, Measures, PeerRank, describe_assessment, evaluate},
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The purpose of the case.
    about: String,
    /// The model; by default Wenzhou's model of institutions.
    model: Option<String>,
    period: HalfYear,
    agreement_signed_on: Option<Day>,
    expect: String,
    /// The counts of its branches, where it is the head of a chain.
    branches: Option<Branches>,
    /// Its ranks among its peers, in the order of the model's comparisons.
    #[serde(default)]
    peers: Vec<PeerRank>,
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
fn assessments_match_their_golden_files() {
    let library = Library::shipped().unwrap();
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
        let in_force = library.get(case.model.as_deref().unwrap_or("wenzhou-institution")).unwrap();
        let (model, catalogue) = (in_force.model, in_force.catalogue);
        let measures = Measures::collect(
            catalogue,
            case.period,
            model.lookback(),
            case.agreement_signed_on,
            facts(&case, catalogue),
        )
        .unwrap();
        let peers = case.peers.iter().copied().map(Some).collect();
        let measures = measures.with_peers(peers).with_branches(case.branches);
        let assessment = evaluate(model, &measures);
        let points = assessment.points.map(|points| format!("{points} ")).unwrap_or_default();
        assert_eq!(
            format!("{points}{}", assessment.grade),
            case.expect,
            "{}: {}\n{}",
            input.display(),
            case.about,
            describe_assessment(model.file(), &assessment)
        );
        let mut text = String::new();
        writeln!(text, "{}\n{} of {}", case.about, case.period, model.id()).unwrap();
        text.push_str(&describe_assessment(model.file(), &assessment));
        let golden = input.with_extension("txt");
        if write {
            std::fs::write(&golden, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(text, expected, "{} changed", golden.display());
    }
    for path in names.iter().filter(|path| path.extension().is_some_and(|ext| ext == "txt")) {
        assert!(path.with_extension("toml").exists(), "{} belongs to no case", path.display());
    }
}
