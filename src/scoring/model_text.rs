//! A model as text for a terminal: the tree, the rules, and where each comes from.

use std::fmt::Write;

use super::{
    describe::{
        describe_chain_rule, describe_own_worse, describe_rule, describe_rule_when, describe_signal, describe_when,
    },
    model::{Model, ModelFile, Origin},
    terms::Terms,
};
use crate::i18n::Lang;

// Infallible: writing to a String. The results of `write!` are ignored throughout.

/// Describes a model as a tree: levels, weights, rules and where they come from.
pub fn describe_model(model: &Model) -> String {
    let file = model.file();
    let mut out = String::new();
    let size = if file.by_points() { format!("{} points", file.total) } else { "by rules".to_owned() };
    let _ = writeln!(out, "{} version {}: {} ({}, {size})", file.id, file.version, file.name_zh, file.kind);
    if let (Some(provider), Some(region)) = (&file.provider_zh, &file.region_zh) {
        let _ = writeln!(out, "of {provider}, for {region}");
    }
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
        let band = match grade.from {
            Some(from) => format!(": from {from}"),
            None if file.by_points() => ": the rest".to_owned(),
            None => String::new(),
        };
        let _ = writeln!(out, "  {} {} {}{band}", grade.ordinal, grade.code, grade.name_zh);
    }
    write_tree(&mut out, model);
    for signal in &file.signal {
        let _ = writeln!(out, "signal {} {}", signal.id, signal.name_zh);
        let _ = writeln!(out, "       {}", describe_signal(signal, Terms::ENGLISH));
        write_basis(&mut out, signal.origin());
    }
    write_decisions(&mut out, file);
    out
}

fn write_tree(out: &mut String, model: &Model) {
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
        let _ = writeln!(out, "       {}", describe_rule(indicator, Terms::ENGLISH));
        write_basis(out, indicator.origin());
    }
}

fn write_decisions(out: &mut String, file: &ModelFile) {
    for rule in &file.rule {
        let when = describe_rule_when(rule.when.as_ref(), Terms::ENGLISH);
        let _ = writeln!(out, "rule {}: {} when {when}", rule.clause, rule.grade);
        write_basis(out, rule.origin());
    }
    for veto in &file.veto {
        let _ =
            writeln!(out, "veto {}: {} when {}", veto.clause, veto.grade, describe_when(&veto.when, Terms::ENGLISH));
        write_basis(out, veto.origin());
    }
    for cap in &file.cap {
        let most = match (&cap.grade, cap.at) {
            (_, Some(at)) => format!("{at} points at most"),
            (Some(grade), None) => format!("{grade} at best"),
            (None, None) => String::new(),
        };
        let _ = writeln!(out, "cap {}: {most} when {}", cap.clause, describe_when(&cap.when, Terms::ENGLISH));
        write_basis(out, cap.origin());
    }
    if let Some(chain) = &file.chain {
        let _ = writeln!(out, "chain: the head of a chain, by its branches that are {}", chain.counts);
        write_basis(out, chain.origin());
        for rule in &chain.rule {
            let _ = writeln!(out, "  {}", describe_chain_rule(chain, rule, Terms::ENGLISH));
            write_basis(out, rule.origin());
        }
        let own = &chain.own_worse;
        let _ = writeln!(out, "  {}", describe_own_worse(own.outcome, Lang::En));
        write_basis(out, own.origin());
    }
    for consequence in &file.consequence {
        let times = match consequence.after_consecutive {
            1 => String::new(),
            times => format!(" {times} times in a row"),
        };
        let _ = writeln!(out, "after {}{times}: {}", consequence.grade, consequence.text_zh);
        write_basis(out, consequence.origin());
    }
}

fn write_basis(out: &mut String, of: Origin<'_>) {
    let _ = writeln!(out, "       {of}");
}
