//! Differences between two models in words: what was added, removed, moved and changed.

use super::{
    describe::{
        describe_chain_rule, describe_own_worse, describe_rule, describe_rule_when, describe_signal, describe_when,
    },
    model::{ModelFile, Origin},
    terms::Terms,
};
use crate::i18n::Lang;

/// A part that both models may have: its name, and its properties in words.
struct Item {
    name: String,
    properties: Vec<(&'static str, String)>,
}

/// Items of one sort, in an order that may matter.
struct Section {
    word: &'static str,
    ordered: bool,
    items: Vec<Item>,
}

/// A line for each difference between `old` and `new`; empty where they are equal.
pub fn diff_models(old: &ModelFile, new: &ModelFile) -> Vec<String> {
    let mut lines = Vec::new();
    // Every model has all sections in the same order, empty or not.
    for (one, other) in sections(old).iter().zip(&sections(new)) {
        compare(one, other, &mut lines);
    }
    lines
}

fn compare(old: &Section, new: &Section, lines: &mut Vec<String>) {
    let word = old.word;
    for item in &old.items {
        if !new.items.iter().any(|other| other.name == item.name) {
            lines.push(format!("{word} {} removed: {}", item.name, in_short(item)));
        }
    }
    for item in &new.items {
        let Some(before) = old.items.iter().find(|other| other.name == item.name) else {
            lines.push(format!("{word} {} added: {}", item.name, in_short(item)));
            continue;
        };
        for ((what, was), (_, is)) in before.properties.iter().zip(&item.properties).filter(|(was, is)| was.1 != is.1) {
            lines.push(format!("{word} {}: {what} {was} -> {is}", item.name));
        }
    }
    if old.ordered {
        let common = |of: &Section, other: &Section| -> Vec<String> {
            let both = of.items.iter().filter(|item| other.items.iter().any(|there| there.name == item.name));
            both.map(|item| item.name.clone()).collect()
        };
        let (was, is) = (common(old, new), common(new, old));
        if was != is {
            lines.push(format!("{word}: order {} -> {}", was.join(", "), is.join(", ")));
        }
    }
}

fn in_short(item: &Item) -> String {
    let shown = item.properties.iter().filter(|(what, text)| *what != "basis" && !text.is_empty());
    shown.map(|(what, text)| format!("{what} {text}")).collect::<Vec<_>>().join(", ")
}

fn basis(of: Origin<'_>) -> (&'static str, String) {
    ("basis", of.to_string())
}

fn sections(file: &ModelFile) -> Vec<Section> {
    let mut all = vec![head(file), grades(file)];
    all.extend(tree(file));
    all.extend(decisions(file));
    all
}

fn head(file: &ModelFile) -> Section {
    let reasons: Vec<_> = file.not_rated.reasons.iter().map(|reason| reason.as_str()).collect();
    let exceptions = file.not_rated.except.iter();
    let exceptions: Vec<_> =
        exceptions.map(|of| format!("{} {}", of.case.as_str(), describe_when(&of.when, Terms::ENGLISH))).collect();
    let properties = vec![
        ("id", file.id.clone()),
        ("version", file.version.to_string()),
        ("name", file.name_zh.clone()),
        ("kind", file.kind.clone()),
        ("points", file.total.to_string()),
        ("scheme", format!("{} version {}", file.scheme.id, file.scheme.version)),
        ("not rated", reasons.join(", ")),
        ("not rated upon", file.not_rated.other.join(", ")),
        ("rated all the same", exceptions.join("; ")),
        ("provider", file.provider_zh.clone().unwrap_or_default()),
        ("region", file.region_zh.clone().unwrap_or_default()),
    ];
    Section { word: "model", ordered: false, items: vec![Item { name: String::from("itself"), properties }] }
}

fn grades(file: &ModelFile) -> Section {
    let grade = |grade: &super::model::Grade| Item {
        name: grade.code.clone(),
        properties: vec![
            ("name", grade.name_zh.clone()),
            ("from", grade.from.map_or_else(|| "no points".to_owned(), |from| from.to_string())),
        ],
    };
    Section { word: "grade", ordered: true, items: file.scheme.grade.iter().map(grade).collect() }
}

fn tree(file: &ModelFile) -> Vec<Section> {
    let level1 = file
        .level1
        .iter()
        .map(|level| Item { name: level.name_zh.clone(), properties: vec![("weight", level.weight.to_string())] });
    let level2 = file.level1.iter().flat_map(|level1| {
        level1.level2.iter().map(|level| Item {
            name: level.name_zh.clone(),
            properties: vec![("weight", level.weight.to_string()), ("under", level1.name_zh.clone())],
        })
    });
    let indicators = file.indicators().map(|placed| {
        let of = placed.indicator;
        Item {
            name: of.name_zh.clone(),
            properties: vec![
                ("place", format!("{} / {}", placed.level1.name_zh, placed.level2.name_zh)),
                ("number", of.no.to_string()),
                ("weight", of.weight.to_string()),
                ("rule", describe_rule(of, Terms::ENGLISH)),
                basis(of.origin()),
            ],
        }
    });
    vec![
        Section { word: "first level", ordered: false, items: level1.collect() },
        Section { word: "second level", ordered: false, items: level2.collect() },
        Section { word: "indicator", ordered: false, items: indicators.collect() },
    ]
}

fn decisions(file: &ModelFile) -> Vec<Section> {
    let signals = file.signal.iter().map(|of| Item {
        name: of.id.clone(),
        properties: vec![
            ("name", of.name_zh.clone()),
            ("value", describe_signal(of, Terms::ENGLISH)),
            basis(of.origin()),
        ],
    });
    let rules = file.rule.iter().map(|of| Item {
        name: of.clause.clone(),
        properties: vec![
            ("grade", of.grade.clone()),
            ("when", describe_rule_when(of.when.as_ref(), Terms::ENGLISH)),
            basis(of.origin()),
        ],
    });
    let vetoes = file.veto.iter().map(|of| Item {
        name: of.clause.clone(),
        properties: vec![
            ("grade", of.grade.clone()),
            ("when", describe_when(&of.when, Terms::ENGLISH)),
            basis(of.origin()),
        ],
    });
    let caps = file.cap.iter().map(|of| Item {
        name: of.clause.clone(),
        properties: vec![
            ("at", of.at.map_or_else(|| of.grade.clone().unwrap_or_default(), |at| at.to_string())),
            ("when", describe_when(&of.when, Terms::ENGLISH)),
            basis(of.origin()),
        ],
    });
    let consequences = file.consequence.iter().map(|of| Item {
        name: format!("of {}: {}", of.grade, of.text_zh),
        properties: vec![("after results in a row", of.after_consecutive.to_string()), basis(of.origin())],
    });
    vec![
        Section { word: "signal", ordered: false, items: signals.collect() },
        Section { word: "rule", ordered: true, items: rules.collect() },
        Section { word: "veto", ordered: false, items: vetoes.collect() },
        Section { word: "cap", ordered: false, items: caps.collect() },
        chain(file),
        Section { word: "measure", ordered: false, items: consequences.collect() },
    ]
}

fn chain(file: &ModelFile) -> Section {
    let mut items = Vec::new();
    if let Some(chain) = &file.chain {
        items.push(Item {
            name: String::from("of heads"),
            properties: vec![
                ("counts branches that are", chain.counts.clone()),
                ("own grade", describe_own_worse(chain.own_worse.outcome, Lang::En).to_owned()),
                basis(chain.origin()),
            ],
        });
        items.extend(chain.rule.iter().map(|rule| Item {
            name: format!("from {}", rule.from),
            properties: vec![("rule", describe_chain_rule(chain, rule, Terms::ENGLISH)), basis(rule.origin())],
        }));
    }
    Section { word: "chain", ordered: false, items }
}
