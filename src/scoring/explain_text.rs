//! Assessments as text that people read.

use std::fmt::Write;

use super::{
    describe::{describe_chain_rule, describe_value},
    evaluate::{Assessment, Decision, Finding, SignalFinding},
    improvement::{Raise, RaiseStep},
    measures::Evidence,
    model::{Indicator, ModelFile},
};
use crate::domain::money::MilliPoints;

// Writing to a String cannot fail: the results of `write!` are let go throughout.

/// An assessment told part by part: indicators with subtotals by level, signals, what decided, what would raise the grade.
pub fn describe_assessment(model: &ModelFile, assessment: &Assessment) -> String {
    let mut out = String::new();
    let grade = model.scheme.grade(&assessment.grade);
    let word = grade.map_or("", |grade| grade.name_zh.as_str());
    let _ = match assessment.points {
        Some(points) => writeln!(out, "{points} points of {}: {} {word}", model.total, assessment.grade),
        None => writeln!(out, "{} {word}", assessment.grade),
    };
    let sum = MilliPoints(assessment.findings.iter().map(|finding| finding.points.0).sum());
    if assessment.points.is_some_and(|points| points != sum) {
        let _ = writeln!(out, "the indicators add up to {sum}; what holds them down is told below");
    }
    tell_levels(&mut out, model, assessment);
    for (signal, finding) in model.signal.iter().zip(&assessment.signals) {
        let _ = writeln!(out, "  {} {}", signal.id, signal.name_zh);
        let _ = writeln!(out, "       {}: {}", describe_value(&signal.value), measured(finding));
        tell_records(&mut out, &finding.records);
    }
    tell_decisions(&mut out, model, assessment);
    if let Some(raise) = &assessment.raise {
        tell_raise(&mut out, model, raise);
    }
    out
}

fn tell_levels(out: &mut String, model: &ModelFile, assessment: &Assessment) {
    let points_of = |test: &dyn Fn(u16) -> bool| {
        let sum = assessment.findings.iter().filter(|finding| test(finding.no)).map(|finding| finding.points.0).sum();
        MilliPoints(sum)
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
                    tell_finding(out, indicator, finding);
                }
            }
        }
    }
}

fn tell_finding(out: &mut String, indicator: &Indicator, finding: &Finding) {
    let _ = writeln!(out, "    {:>2} {} {} of {}", indicator.no, indicator.name_zh, finding.points, indicator.weight);
    let measured = match (&finding.shown, &finding.value) {
        (Some(shown), Some(exact)) if shown == exact => format!("{shown}; "),
        (Some(shown), Some(exact)) => format!("{shown} ({exact}); "),
        _ => String::new(),
    };
    let _ = writeln!(out, "       {}: {measured}{}", describe_value(&indicator.value), finding.rule);
    tell_records(out, &finding.records);
}

fn measured(finding: &SignalFinding) -> String {
    match (&finding.shown, &finding.value, finding.missing) {
        (Some(shown), Some(exact), _) if shown == exact => shown.clone(),
        (Some(shown), Some(exact), _) => format!("{shown} ({exact})"),
        (_, _, Some(lack)) => lack.in_words().to_owned(),
        _ => String::new(),
    }
}

fn tell_records(out: &mut String, records: &[Evidence]) {
    for record in records {
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

fn tell_decisions(out: &mut String, model: &ModelFile, assessment: &Assessment) {
    if !assessment.decisions.is_empty() {
        let _ = writeln!(out, "what holds (> decides):");
    }
    for Decision { part, clause, grade, at_most, because, decides } in &assessment.decisions {
        let mark = if *decides { '>' } else { ' ' };
        let limit = at_most.map(|most| format!(", at most {most} points")).unwrap_or_default();
        let _ = writeln!(out, "  {mark} {} {clause}: {grade}{limit}", part.as_str());
        for reason in because {
            let _ = writeln!(out, "       {reason}");
        }
    }
    if let (Some(chain), Some(branches)) = (&model.chain, assessment.branches)
        && branches.counted == 0
    {
        let first = chain.rule.first().map(|rule| describe_chain_rule(chain, rule)).unwrap_or_default();
        let _ =
            writeln!(out, "  head of a chain: none of {} branches graded is {}; {first}", branches.of, chain.counts);
    }
}

fn tell_raise(out: &mut String, model: &ModelFile, raise: &Raise) {
    let word = model.scheme.grade(&raise.to).map_or("", |grade| grade.name_zh.as_str());
    let _ = writeln!(out, "to reach {} {word}:", raise.to);
    for held in &raise.must_end {
        let _ = writeln!(out, "  {} {} must no longer hold", held.part.as_str(), held.clause);
        for condition in &held.conditions {
            let _ = writeln!(out, "       {condition}");
        }
        if let Some(period) = held.ends_by_itself {
            let _ = writeln!(out, "       if nothing more happens, it does not in the round of {period}");
        }
    }
    if !raise.must_begin.is_empty() {
        let _ = writeln!(out, "  one of these must hold");
    }
    for rule in &raise.must_begin {
        let _ = writeln!(out, "       {rule}");
    }
    if let Some(lacking) = raise.lacking {
        let how = if raise.alone.is_empty() { "together" } else { "each alone" };
        let _ = writeln!(out, "  {lacking} points are lacking, which could give, {how}:");
    }
    let names = |step: &RaiseStep| {
        let placed = model.indicators().find(|placed| placed.indicator.no == step.no);
        placed.map(|placed| placed.indicator.name_zh.clone()).unwrap_or_default()
    };
    for step in raise.alone.iter().chain(&raise.together) {
        let _ = writeln!(out, "    {:>2} {} (up to {} more): {}", step.no, names(step), step.room, step.with);
    }
}
