//! Models and assessments as text that people read.

use std::fmt::Write;

use super::{
    evaluate::{Assessment, Finding},
    model::{Indicator, Missing, Model, ModelFile, ScoreForm, SubjectDay, ValueForm},
};

/// An indicator's rule in one line: what is measured, how it earns points, what happens without data.
pub fn describe_rule(indicator: &Indicator) -> String {
    let score = match &indicator.score {
        ScoreForm::Linear { worst, best } => format!("in proportion from {worst} (0) to {best} ({})", indicator.weight),
        ScoreForm::PassThrough { out_of } => format!("as scored out of {out_of}"),
        ScoreForm::PerEvent { start, each } => format!("{start}, and {each} for each"),
        ScoreForm::Bands(bands) => {
            let steps: Vec<String> = bands
                .iter()
                .map(|band| match band.below {
                    Some(below) => format!("below {below}: {}", band.points),
                    None => format!("else {}", band.points),
                })
                .collect();
            steps.join(", ")
        }
    };
    let missing = match indicator.missing {
        Missing::NoneHappened => "no record means none".to_owned(),
        Missing::Zero => "without data 0".to_owned(),
        Missing::Full => format!("without data {}", indicator.weight),
        Missing::Points(points) => format!("without data {points}"),
    };
    format!("{} -> {score}; {missing}", describe_value(&indicator.value))
}

fn describe_value(value: &ValueForm) -> String {
    match value {
        ValueForm::Measure(id) => id.clone(),
        ValueForm::Ratio { numerator, denominator } => {
            let side = |ids: &[String]| match ids {
                [one] => one.clone(),
                many => format!("({})", many.join(" + ")),
            };
            format!("{} / {}", side(numerator), side(denominator))
        }
        ValueForm::Growth { of } => format!("growth of {}", describe_value(of)),
        ValueForm::Count { measures, periods_back } => {
            let when = match periods_back {
                [0, 0] => String::new(),
                [0, back] => format!(", with {back} half-years before"),
                [nearest, farthest] => format!(", {nearest} to {farthest} half-years before"),
            };
            format!("number of {}{when}", measures.join(" + "))
        }
        ValueForm::Age { since: SubjectDay::AgreementSignedOn } => "months since the agreement was signed".to_owned(),
    }
}

/// A model as a tree: levels, weights, rules and where they come from.
pub fn describe_model(model: &Model) -> String {
    let file = model.file();
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ =
        writeln!(out, "{} version {}: {} ({}, {} points)", file.id, file.version, file.name_zh, file.kind, file.total);
    if let Some(published) = &file.published {
        let _ = writeln!(out, "published: {}; {}", published.fields.join(", "), published.source);
    }
    if let Some(default) = &file.default {
        let _ = writeln!(out, "default: {}; {}", default.fields.join(", "), default.reason);
    }
    let scheme = model.scheme();
    let _ = writeln!(
        out,
        "scheme {} version {}: {} ({})",
        scheme.id,
        scheme.version,
        scheme.name_zh,
        scheme.basis.as_str()
    );
    for grade in &scheme.grade {
        let band = grade.from.map_or_else(|| "the rest".to_owned(), |from| format!("from {from}"));
        let _ = writeln!(out, "  {} {} {}: {band}", grade.ordinal, grade.code, grade.name_zh);
    }
    let (mut level1, mut level2) = ("", "");
    for placed in model.indicators() {
        if level1 != placed.level1.name_zh {
            level1 = &placed.level1.name_zh;
            level2 = "";
            let _ = writeln!(out, "{level1} {}", placed.level1.weight);
        }
        if level2 != placed.level2.name_zh {
            level2 = &placed.level2.name_zh;
            let _ = writeln!(out, "  {level2} {}", placed.level2.weight);
        }
        let indicator = placed.indicator;
        let _ = writeln!(out, "    {:>2} {} {}", indicator.no, indicator.name_zh, indicator.weight);
        let _ = writeln!(out, "       {}", describe_rule(indicator));
        let why = indicator.source.as_ref().or(indicator.reason.as_ref());
        let _ = writeln!(out, "       {}: {}", indicator.basis.as_str(), why.map_or("", String::as_str));
    }
    out
}

/// An assessment told indicator by indicator, with subtotals by level.
pub fn describe_assessment(model: &ModelFile, assessment: &Assessment) -> String {
    let mut out = String::new();
    let grade = model.scheme.grade(&assessment.grade);
    let word = grade.map_or("", |grade| grade.name_zh.as_str());
    let _ = writeln!(out, "{} points of {}: {} {word}", assessment.points, model.total, assessment.grade);
    let points_of = |test: &dyn Fn(u16) -> bool| {
        let sum = assessment.findings.iter().filter(|finding| test(finding.no)).map(|finding| finding.points.0).sum();
        crate::domain::money::MilliPoints(sum)
    };
    for level1 in &model.level1 {
        let in_level1 =
            |no| level1.level2.iter().flat_map(|level2| &level2.indicator).any(|indicator| indicator.no == no);
        let _ = writeln!(out, "{} {} of {}", level1.name_zh, points_of(&in_level1), level1.weight);
        for level2 in &level1.level2 {
            let in_level2 = |no| level2.indicator.iter().any(|indicator| indicator.no == no);
            let _ = writeln!(out, "  {} {} of {}", level2.name_zh, points_of(&in_level2), level2.weight);
            for indicator in &level2.indicator {
                if let Some(finding) = assessment.findings.iter().find(|finding| finding.no == indicator.no) {
                    describe_finding(&mut out, indicator, finding);
                }
            }
        }
    }
    out
}

fn describe_finding(out: &mut String, indicator: &Indicator, finding: &Finding) {
    let _ = writeln!(out, "    {:>2} {} {} of {}", indicator.no, indicator.name_zh, finding.points, indicator.weight);
    let measured = match (&finding.shown, &finding.value) {
        (Some(shown), Some(exact)) if shown == exact => format!("{shown}; "),
        (Some(shown), Some(exact)) => format!("{shown} ({exact}); "),
        _ => String::new(),
    };
    let _ = writeln!(out, "       {}: {measured}{}", describe_value(&indicator.value), finding.rule);
    for record in &finding.records {
        let more = if record.facts > record.references.len() { ", ..." } else { "" };
        let count = if record.facts == 1 { "1 record".to_owned() } else { format!("{} records", record.facts) };
        let value = record.value.as_deref().unwrap_or("-");
        let _ = writeln!(
            out,
            "       {} {}: {value}, {count}: {}{more}",
            record.period,
            record.measure,
            record.references.join(", ")
        );
    }
}
