//! Assessments as text for a terminal.

use std::fmt::Write;

use super::{
    assessment::{Assessment, Decision, Finding, SignalFinding},
    describe::{describe_chain_rule, describe_value},
    evidence::Evidence,
    improvement::{Improvement, ImprovementStep},
    model::{Indicator, ModelFile},
};
use crate::domain::money::MilliPoints;

// Infallible: writing to a String. The results of `write!` are ignored throughout.

/// Explains an assessment: indicators with subtotals by level, signals, the rules that apply, and what would raise the grade.
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
        let _ = writeln!(out, "the indicators add up to {sum}; the limits listed below reduce the total");
    }
    write_levels(&mut out, model, assessment);
    for (signal, finding) in model.signal.iter().zip(&assessment.signals) {
        let _ = writeln!(out, "  {} {}", signal.id, signal.name_zh);
        let _ = writeln!(out, "       {}: {}", describe_value(&signal.value), measured(finding));
        write_records(&mut out, &finding.records);
    }
    write_decisions(&mut out, model, assessment);
    if let Some(improvement) = &assessment.raise {
        write_improvement(&mut out, model, improvement);
    }
    out
}

fn write_levels(out: &mut String, model: &ModelFile, assessment: &Assessment) {
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
                    write_finding(out, indicator, finding);
                }
            }
        }
    }
}

fn write_finding(out: &mut String, indicator: &Indicator, finding: &Finding) {
    let _ = writeln!(out, "    {:>2} {} {} of {}", indicator.no, indicator.name_zh, finding.points, indicator.weight);
    let measured = match (&finding.shown, &finding.value) {
        (Some(shown), Some(exact)) if shown == exact => format!("{shown}; "),
        (Some(shown), Some(exact)) => format!("{shown} ({exact}); "),
        _ => String::new(),
    };
    let _ = writeln!(out, "       {}: {measured}{}", describe_value(&indicator.value), finding.rule);
    write_records(out, &finding.records);
}

fn measured(finding: &SignalFinding) -> String {
    match (&finding.shown, &finding.value, finding.missing) {
        (Some(shown), Some(exact), _) if shown == exact => shown.clone(),
        (Some(shown), Some(exact), _) => format!("{shown} ({exact})"),
        (_, _, Some(lack)) => lack.describe().to_owned(),
        _ => String::new(),
    }
}

fn write_records(out: &mut String, records: &[Evidence]) {
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
        if !record.other_sources.is_empty() {
            let others = record.other_sources.join(", ");
            let _ = writeln!(out, "       another value for the same day does not count: {others}");
        }
    }
}

fn write_decisions(out: &mut String, model: &ModelFile, assessment: &Assessment) {
    if !assessment.decisions.is_empty() {
        let _ = writeln!(out, "rules that apply (> decides):");
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
            writeln!(out, "  head of a chain: none of {} graded branches is {}; {first}", branches.of, chain.counts);
    }
}

fn write_improvement(out: &mut String, model: &ModelFile, improvement: &Improvement) {
    let word = model.scheme.grade(&improvement.to).map_or("", |grade| grade.name_zh.as_str());
    let _ = writeln!(out, "to reach {} {word}:", improvement.to);
    for blocker in &improvement.must_end {
        let _ = writeln!(out, "  {} {} must no longer apply", blocker.part.as_str(), blocker.clause);
        for condition in &blocker.conditions {
            let _ = writeln!(out, "       {condition}");
        }
        if let Some(period) = blocker.ends_by_itself {
            let _ = writeln!(out, "       without new events it ends in the round of {period}");
        }
    }
    if !improvement.must_begin.is_empty() {
        let _ = writeln!(out, "  one of these must apply");
    }
    for rule in &improvement.must_begin {
        let _ = writeln!(out, "       {rule}");
    }
    if let Some(lacking) = improvement.lacking {
        let how = if improvement.alone.is_empty() { "together" } else { "each alone" };
        let _ = writeln!(out, "  {lacking} points are missing; indicators that could add them, {how}:");
    }
    let names = |step: &ImprovementStep| {
        let placed = model.indicators().find(|placed| placed.indicator.no == step.no);
        placed.map(|placed| placed.indicator.name_zh.clone()).unwrap_or_default()
    };
    for step in improvement.alone.iter().chain(&improvement.together) {
        let _ = writeln!(out, "    {:>2} {} (up to {} more): {}", step.no, names(step), step.room, step.with);
    }
}
