use std::{collections::BTreeMap, convert::Infallible};

use super::*;
use crate::scoring::{evaluate, shipped};

fn shipped_model() -> (Catalogue, Model) {
    shipped_of("medical_institution", "models/wenzhou-institution.toml")
}

fn shipped_of(kind: &str, model: &str) -> (Catalogue, Model) {
    let catalogues = shipped::CATALOGUES.iter().map(|(name, text)| Catalogue::parse(name, text).unwrap());
    let catalogue = catalogues.into_iter().find(|catalogue| catalogue.kind() == kind).unwrap();
    let (name, text) = shipped::MODELS.iter().find(|(name, _)| *name == model).unwrap();
    let model = Model::parse(name, text, &catalogue).unwrap();
    (catalogue, model)
}

/// Institutions in the proportions of a city: 14 tertiary, 60 secondary, 220 primary of 2,000.
fn city(count: usize) -> Vec<SubjectSeed> {
    (0..count)
        .map(|nth| {
            let size = match nth * 2000 / count {
                0..14 => Size::Tertiary,
                14..74 => Size::Secondary,
                74..294 => Size::Primary,
                _ => Size::Clinic,
            };
            let signed =
                Day::new(2008 + i32::try_from(nth % 15).unwrap(), 1 + u8::try_from(nth % 12).unwrap(), 15).unwrap();
            SubjectSeed {
                code: format!("H3303{:02}{nth:05}", nth % 12),
                size,
                agreement_signed_on: signed,
                rated: true,
            }
        })
        .collect()
}

type Line = (String, String, i64, Day, String);

fn lines(plan: &Plan<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let rows = records::<Infallible>(plan, |row| {
        let key = (row.subject_code.to_owned(), row.measure.to_owned());
        lines.push((key.0, key.1, row.value.0, row.occurred_on, row.reference.to_owned()));
        Ok(())
    })
    .unwrap();
    assert_eq!(rows, lines.len() as u64);
    lines
}

/// The assessment of every subject with data in a half-year, from the rows alone.
fn assess(plan: &Plan<'_>, lines: &[Line], period: HalfYear) -> BTreeMap<String, (i64, String)> {
    let mut facts: BTreeMap<&str, Vec<Fact>> = BTreeMap::new();
    for (code, measure, value, occurred_on, reference) in lines {
        facts.entry(code).or_default().push(Fact {
            measure: plan.catalogue.place(measure).unwrap(),
            occurred_on: *occurred_on,
            value: Decimal(*value),
            source: String::new(),
            reference: reference.clone(),
            import_seq: 1,
        });
    }
    plan.subjects
        .iter()
        .filter_map(|subject| {
            let facts = facts.remove(subject.code.as_str())?;
            let signed = Some(subject.agreement_signed_on);
            let measures = Measures::collect(plan.catalogue, period, plan.model.lookback(), signed, facts).unwrap();
            let assessment = evaluate(plan.model, &measures);
            Some((subject.code.clone(), (assessment.points.unwrap().0, assessment.grade)))
        })
        .collect()
}

fn counts(assessed: &BTreeMap<String, (i64, String)>) -> [usize; 5] {
    ["excellent", "good", "medium", "poor", "bad"]
        .map(|code| assessed.values().filter(|(_, grade)| grade == code).count())
}

fn periods() -> [HalfYear; 2] {
    ["2025-H2".parse().unwrap(), "2026-H1".parse().unwrap()]
}

#[test]
fn two_thousand_institutions_have_the_published_distribution_and_movement() {
    let (catalogue, model) = shipped_model();
    let (subjects, periods) = (city(2000), periods());
    let plan =
        Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed: 2, rows: None };
    let lines = lines(&plan);
    let (before, after) = (assess(&plan, &lines, periods[0]), assess(&plan, &lines, periods[1]));
    assert_eq!(counts(&after), [203, 1249, 468, 80, 0]);
    let ordinal = |grade: &str| model.scheme().grade(grade).unwrap().ordinal;
    let moved = |test: fn(i64, i64) -> bool| {
        after.iter().filter(|(code, (_, grade))| test(ordinal(&before[*code].1), ordinal(grade))).count()
    };
    assert_eq!((moved(|before, after| after < before), moved(|before, after| after > before)), (488, 200));
    for bound in [850_000, 800_000, 750_000, 700_000, 849_999, 799_999, 749_999] {
        assert!(after.values().any(|(points, _)| *points == bound), "nobody has {bound}");
    }
}

#[test]
fn a_small_city_has_the_same_shares_by_largest_remainder() {
    let (catalogue, model) = shipped_model();
    let (mut subjects, periods) = (city(101), periods());
    subjects[50].rated = false;
    let plan =
        Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed: 9, rows: None };
    let assessed = assess(&plan, &lines(&plan), periods[1]);
    assert!(!assessed.contains_key(&subjects[50].code), "who is not rated has no data");
    assert_eq!(counts(&assessed), [10, 63, 23, 4, 0]);
}

#[test]
fn the_same_seed_gives_the_same_rows_in_any_listing_and_another_seed_others() {
    let (catalogue, model) = shipped_model();
    let (subjects, periods) = (city(60), periods());
    let plan =
        Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed: 5, rows: None };
    let one = lines(&plan);
    assert_eq!(one, lines(&plan));
    let reversed: Vec<SubjectSeed> = subjects.iter().rev().cloned().collect();
    let sorted = |mut lines: Vec<Line>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(one.clone()), sorted(lines(&Plan { subjects: &reversed, ..plan })));
    assert_ne!(one, lines(&Plan { seed: 6, ..plan }));
}

#[test]
fn the_requested_number_of_rows_gives_the_same_grades() {
    let (catalogue, model) = shipped_model();
    let (subjects, periods) = (city(40), periods());
    let plan =
        Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed: 5, rows: None };
    let few = lines(&plan);
    let many = lines(&Plan { rows: Some(20_011), ..plan });
    assert_eq!(many.len(), 20_011);
    assert!(few.len() < 10_000, "{}", few.len());
    for period in periods {
        assert_eq!(assess(&plan, &few, period), assess(&plan, &many, period));
    }
    assert_eq!(lines(&Plan { rows: Some(1), ..plan }).len(), few.len(), "fewer than the least is not possible");
}

#[test]
fn every_row_is_valid_by_the_catalogue() {
    let (catalogue, model) = shipped_model();
    let (subjects, periods) = (city(200), periods());
    let plan =
        Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed: 3, rows: None };
    let mut seen = std::collections::BTreeSet::new();
    for (code, measure, value, on, reference) in lines(&plan) {
        let measure = catalogue.measure(&measure).unwrap();
        assert!(measure.admits(Decimal(value)), "{code} {} {value}", measure.id);
        assert!(on <= periods[1].last_month().last_day());
        assert!(seen.insert((code, measure.id.clone(), on, reference)), "a reference names one fact");
    }
}

#[test]
fn every_measure_of_the_catalogue_is_reported() {
    let (catalogue, model) = shipped_model();
    let (subjects, periods) = (city(2000), periods());
    let plan =
        Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed: 1, rows: None };
    let lines = lines(&plan);
    for measure in catalogue.measures() {
        assert!(lines.iter().any(|line| line.1 == measure.id), "nobody reports {}", measure.id);
    }
}

#[test]
fn rows_are_the_same_on_every_machine() {
    let (catalogue, model) = shipped_model();
    let (subjects, periods) = (city(20), periods());
    let plan =
        Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed: 1, rows: None };
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    // Without measures that others add to the catalogue: these have streams of their own.
    let scores: Vec<_> = model.indicators().filter_map(|one| knobs::score_measure(one.indicator, &catalogue)).collect();
    let own = |id: &str| {
        let event = institution::EVENTS.iter().any(|chance| chance.measure == id);
        event || institution::REPORTED.contains(&id) || scores.contains(&id)
    };
    for line in lines(&plan).iter().filter(|line| own(&line.1)) {
        context.update(format!("{line:?}").as_bytes());
    }
    let digest = data_encoding::HEXLOWER.encode(context.finish().as_ref());
    // Changes only when the draws are changed on purpose, because every synthetic city changes with them.
    assert_eq!(digest, "2150c7b7b01b213f890af7e5a92066f6f11a32af47830603aed3b692a5d49904");
}

#[test]
fn targets_of_four_half_years_are_reached_from_other_seeds() {
    let (catalogue, model) = shipped_model();
    let subjects = city(150);
    let periods: Vec<HalfYear> = (0..4).map(|nth| periods()[0].plus(nth - 2)).collect();
    for seed in 100..104 {
        let plan =
            Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed, rows: None };
        let assessed = assess(&plan, &lines(&plan), periods[3]);
        assert_eq!(counts(&assessed), [15, 94, 35, 6, 0], "seed {seed}");
    }
}

#[test]
fn the_requested_number_of_rows_is_reached_over_many_batches() {
    let (catalogue, model) = shipped_model();
    let (subjects, periods) = (city(300), periods());
    let plan = Plan {
        model: &model,
        catalogue: &catalogue,
        subjects: &subjects,
        periods: &periods,
        seed: 5,
        rows: Some(90_001),
    };
    let lines = lines(&plan);
    assert_eq!(lines.len(), 90_001);
    let few = assess(&plan, &self::lines(&Plan { rows: None, ..plan }), periods[1]);
    assert_eq!(assess(&plan, &lines, periods[1]), few);
}

/// Kinds other than institutions, how many are tried, their counts by grade, and how many rose a grade.
const OTHERS: [(&str, &str, [usize; 5]); 8] = [
    ("pharmacy", "pharmacy", [24, 174, 81, 18, 3]),
    ("doctor", "doctor", [90, 180, 24, 5, 1]),
    ("nurse", "nurse", [90, 180, 24, 5, 1]),
    ("pharmacist", "pharmacist", [90, 180, 24, 5, 1]),
    ("agency", "agency", [24, 174, 81, 18, 3]),
    ("medical_company", "medical-company", [24, 174, 81, 18, 3]),
    ("employer", "employer", [24, 174, 81, 18, 3]),
    ("insured_person", "insured-person", [90, 180, 24, 5, 1]),
];

#[test]
fn every_other_kind_has_its_distribution_and_valid_rows() {
    let (subjects, periods) = (city(300), periods());
    for (kind, name, expected) in OTHERS {
        let (catalogue, model) = shipped_of(kind, &format!("models/wenzhou-{name}.toml"));
        let plan =
            Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed: 4, rows: None };
        let lines = lines(&plan);
        let (before, after) = (assess(&plan, &lines, periods[0]), assess(&plan, &lines, periods[1]));
        assert_eq!(counts(&after), expected, "{kind}");
        let ordinal = |grade: &str| model.scheme().grade(grade).unwrap().ordinal;
        let rose = after.iter().filter(|(code, (_, grade))| ordinal(grade) < ordinal(&before[*code].1)).count();
        let fell = after.iter().filter(|(code, (_, grade))| ordinal(grade) > ordinal(&before[*code].1)).count();
        assert_eq!((rose, fell), (46, 30), "{kind}: 15.3 % rose, a tenth fell");
        let mut seen = std::collections::BTreeSet::new();
        for (code, measure, value, on, reference) in &lines {
            let measure = catalogue.measure(measure).unwrap();
            assert!(measure.admits(Decimal(*value)), "{kind} {code} {} {value}", measure.id);
            assert!(seen.insert((code, &measure.id, on, reference)), "a reference names one fact");
        }
        for measure in catalogue.measures().iter().filter(|measure| measure.form != crate::scoring::MeasureForm::Event)
        {
            assert!(lines.iter().any(|line| line.1 == measure.id), "no {kind} reports {}", measure.id);
        }
    }
}

#[test]
fn a_citys_own_measure_is_reported_and_changes_nothing_else() {
    let (catalogue, model) = shipped_model();
    let (name, text) = shipped::CATALOGUES[0];
    let own = "\n[[measure]]\nid = \"our_own_score\"\nname_zh = \"x\"\nunit = \"\"\nform = \"stock\"\ncategory = 8\nleast = 0\nmost = 100\n";
    let widened = Catalogue::parse(name, &format!("{text}{own}")).unwrap();
    let (subjects, periods) = (city(20), periods());
    let plan =
        Plan { model: &model, catalogue: &catalogue, subjects: &subjects, periods: &periods, seed: 5, rows: None };
    let (before, mut after) = (lines(&plan), lines(&Plan { catalogue: &widened, ..plan }));
    let all = after.len();
    after.retain(|line| line.1 != "our_own_score");
    assert_eq!(all - after.len(), 40, "twenty subjects in two half-years");
    assert_eq!(before, after);
}
