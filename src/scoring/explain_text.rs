//! Assessments as text for a terminal.

use std::fmt::Write;

use super::{
    assessment::{Assessment, Decision, Finding, SignalFinding},
    decide::Part,
    describe::{describe_chain_rule, describe_value},
    evidence::Evidence,
    improvement::{Improvement, ImprovementStep},
    model::{Indicator, ModelFile},
    terms::{Terms, grade_with_word, points, value},
};
use crate::{
    domain::money::MilliPoints,
    i18n::{Lang, number, score as text},
};

// Infallible: writing to a String. The results of `write!` are ignored throughout.

/// Explains an assessment in English: indicators with subtotals by level, signals, the rules that apply, and what would
/// raise the grade.
pub fn describe_assessment(model: &ModelFile, assessment: &Assessment) -> String {
    describe_assessment_in(model, assessment, Terms::of(Lang::En, model))
}

/// Explains an assessment in the language of `terms`, which should be the one that it was evaluated in.
pub fn describe_assessment_in(model: &ModelFile, assessment: &Assessment, terms: Terms<'_>) -> String {
    let lang = terms.lang();
    let mut out = String::new();
    let grade = grade_with_word(model, &assessment.grade, lang);
    let _ = match assessment.points {
        Some(total) => writeln!(out, "{}", text::points_of(lang, points(total), number(model.total), grade)),
        None => writeln!(out, "{grade}"),
    };
    let sum = MilliPoints(assessment.findings.iter().map(|finding| finding.points.0).sum());
    if assessment.points.is_some_and(|total| total != sum) {
        let _ = writeln!(out, "{}", text::limits_reduce(lang, points(sum)));
    }
    write_levels(&mut out, model, assessment, terms);
    for (signal, finding) in model.signal.iter().zip(&assessment.signals) {
        let _ = match lang {
            Lang::En => writeln!(out, "  {} {}", signal.id, signal.name_zh),
            Lang::Zh => writeln!(out, "  {}", terms.signal(&signal.id)),
        };
        let _ = writeln!(out, "       {}: {}", describe_value(&signal.value, terms), measured(finding, lang));
        write_records(&mut out, &finding.records, terms);
    }
    write_decisions(&mut out, model, assessment, terms);
    if let Some(improvement) = &assessment.raise {
        write_improvement(&mut out, model, improvement, lang);
    }
    out
}

fn write_levels(out: &mut String, model: &ModelFile, assessment: &Assessment, terms: Terms<'_>) {
    let lang = terms.lang();
    let points_of = |test: &dyn Fn(u16) -> bool| {
        let sum = assessment.findings.iter().filter(|finding| test(finding.no)).map(|finding| finding.points.0).sum();
        points(MilliPoints(sum))
    };
    for level1 in &model.level1 {
        let in_level1 =
            |no| level1.level2.iter().flat_map(|level2| &level2.indicator).any(|indicator| indicator.no == no);
        let line = text::level_points(lang, &level1.name_zh, points_of(&in_level1), number(level1.weight));
        let _ = writeln!(out, "{line}");
        for level2 in &level1.level2 {
            let in_level2 = |no| level2.indicator.iter().any(|indicator| indicator.no == no);
            let line = text::level_points(lang, &level2.name_zh, points_of(&in_level2), number(level2.weight));
            let _ = writeln!(out, "  {line}");
            for indicator in &level2.indicator {
                if let Some(finding) = assessment.findings.iter().find(|finding| finding.no == indicator.no) {
                    write_finding(out, indicator, finding, terms);
                }
            }
        }
    }
}

fn write_finding(out: &mut String, indicator: &Indicator, finding: &Finding, terms: Terms<'_>) {
    let lang = terms.lang();
    let line = text::level_points(lang, &indicator.name_zh, points(finding.points), number(indicator.weight));
    let _ = writeln!(out, "    {:>2} {line}", indicator.no);
    let measured = match (&finding.shown, &finding.value) {
        (Some(shown), Some(exact)) => format!("{}{}", value(exact, shown), text::clause_join(lang)),
        _ => String::new(),
    };
    let _ = writeln!(out, "       {}: {measured}{}", describe_value(&indicator.value, terms), finding.rule);
    write_records(out, &finding.records, terms);
}

/// The value of a signal, or why there is none.
fn measured(finding: &SignalFinding, lang: Lang) -> String {
    match (&finding.shown, &finding.value, finding.missing) {
        (Some(shown), Some(exact), _) => value(exact, shown),
        (_, _, Some(lack)) => lack.describe(lang).to_owned(),
        _ => String::new(),
    }
}

/// A line about the records of a measure in a half-year.
pub fn describe_evidence(record: &Evidence, terms: Terms<'_>) -> String {
    let lang = terms.lang();
    let count =
        if record.facts == 1 { text::record_one(lang).to_owned() } else { text::records(lang, number(record.facts)) };
    let value = record.value.as_deref().map_or_else(|| "-".to_owned(), number);
    let (period, measure) = (record.period, terms.measure(&record.measure));
    let named: Vec<&str> = record.references.iter().map(String::as_str).filter(|one| !one.is_empty()).collect();
    if named.is_empty() {
        return text::evidence_plain(lang, period, measure, value, count);
    }
    let more = if record.facts > record.references.len() { text::more_references(lang) } else { "" };
    let references = format!("{}{more}", named.join(text::doc_join(lang)));
    text::evidence(lang, period, measure, value, count, references)
}

fn write_records(out: &mut String, records: &[Evidence], terms: Terms<'_>) {
    for record in records {
        let _ = writeln!(out, "       {}", describe_evidence(record, terms));
        if !record.other_sources.is_empty() {
            let _ = writeln!(
                out,
                "       {}",
                text::other_sources(terms.lang(), record.other_sources.join(text::doc_join(terms.lang())))
            );
        }
    }
}

/// The word for a sort of rule.
pub const fn part_in_words(part: Part, lang: Lang) -> &'static str {
    match part {
        Part::Rule => text::part_rule(lang),
        Part::Veto => text::part_veto(lang),
        Part::Cap => text::part_cap(lang),
        Part::Chain => text::part_chain(lang),
    }
}

/// What a rule, cap, veto or chain rule gives or allows.
pub fn describe_effect(decision: &Decision, terms: Terms<'_>) -> String {
    let lang = terms.lang();
    let limit = decision.at_most.map(|most| text::decision_at_most(lang, points(most))).unwrap_or_default();
    format!("{}{limit}", terms.grade(&decision.grade))
}

fn write_decisions(out: &mut String, model: &ModelFile, assessment: &Assessment, terms: Terms<'_>) {
    let lang = terms.lang();
    if !assessment.decisions.is_empty() {
        let _ = writeln!(out, "{}", text::rules_that_apply(lang));
    }
    for decision in &assessment.decisions {
        let mark = if decision.decides { '>' } else { ' ' };
        let (part, effect) = (part_in_words(decision.part, lang), describe_effect(decision, terms));
        let _ = writeln!(out, "  {mark} {}", text::decision(lang, part, &decision.clause, effect));
        for reason in &decision.because {
            let _ = writeln!(out, "       {reason}");
        }
    }
    if let Some(line) = idle_chain(model, assessment, terms) {
        let _ = writeln!(out, "  {line}");
    }
}

/// The line about a head of a chain none of whose branches counts.
fn idle_chain(model: &ModelFile, assessment: &Assessment, terms: Terms<'_>) -> Option<String> {
    let (chain, branches) = (model.chain.as_ref()?, assessment.branches.filter(|branches| branches.counted == 0)?);
    let first = chain.rule.first().map(|rule| describe_chain_rule(chain, rule, terms)).unwrap_or_default();
    Some(text::head_of_chain(terms.lang(), branches.of, terms.grade(&chain.counts), first))
}

fn write_improvement(out: &mut String, model: &ModelFile, improvement: &Improvement, lang: Lang) {
    let _ = writeln!(out, "{}", text::to_reach(lang, grade_with_word(model, &improvement.to, lang)));
    for blocker in &improvement.must_end {
        let part = part_in_words(blocker.part, lang);
        let _ = writeln!(out, "  {}", text::must_end(lang, part, &blocker.clause));
        for condition in &blocker.conditions {
            let _ = writeln!(out, "       {condition}");
        }
        if let Some(period) = blocker.ends_by_itself {
            let _ = writeln!(out, "       {}", text::ends_by_itself(lang, period));
        }
    }
    if !improvement.must_begin.is_empty() {
        let _ = writeln!(out, "  {}", text::one_must_apply(lang));
    }
    for rule in &improvement.must_begin {
        let _ = writeln!(out, "       {rule}");
    }
    if let Some(lacking) = improvement.lacking {
        let _ = writeln!(out, "  {}", describe_lacking(improvement, lacking, lang));
    }
    for step in improvement.alone.iter().chain(&improvement.together) {
        let name = indicator_name(model, step);
        let no = format!("{:>2}", step.no);
        let _ = writeln!(out, "    {}", text::step(lang, no, name, points(step.room), &step.with));
    }
}

/// The line about the missing points.
pub fn describe_lacking(improvement: &Improvement, lacking: MilliPoints, lang: Lang) -> String {
    if improvement.alone.is_empty() {
        text::lacking_together(lang, points(lacking))
    } else {
        text::lacking_alone(lang, points(lacking))
    }
}

/// The name of a step's indicator.
fn indicator_name<'m>(model: &'m ModelFile, step: &ImprovementStep) -> &'m str {
    let placed = model.indicators().find(|placed| placed.indicator.no == step.no);
    placed.map_or("", |placed| placed.indicator.name_zh.as_str())
}
