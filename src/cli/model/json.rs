//! A model as JSON.

use serde_json::{Value, json};

use crate::scoring::{Model, Points, Terms, describe_rule};

/// Integral points as a number, others as text, so that no reader rounds them to a binary fraction.
fn points(points: Points) -> Value {
    if points.0 % 1000 == 0 { json!(points.0 / 1000) } else { json!(points.to_string()) }
}

pub(super) fn to_json(model: &Model) -> serde_json::Result<Value> {
    let file = model.file();
    let grades: Vec<Value> = file
        .scheme
        .grade
        .iter()
        .map(|grade| {
            json!({ "code": grade.code, "name": grade.name_zh, "ordinal": grade.ordinal, "from": grade.from.map(points) })
        })
        .collect();
    let mut indicators = Vec::new();
    for placed in model.indicators() {
        let indicator = placed.indicator;
        indicators.push(json!({
            "no": indicator.no,
            "level1": placed.level1.name_zh,
            "level1_weight": points(placed.level1.weight),
            "level2": placed.level2.name_zh,
            "level2_weight": points(placed.level2.weight),
            "name": indicator.name_zh,
            "weight": points(indicator.weight),
            "rule": describe_rule(indicator, Terms::ENGLISH),
            "value": serde_json::to_value(&indicator.value)?,
            "score": serde_json::to_value(&indicator.score)?,
            "missing": serde_json::to_value(indicator.missing)?,
            "basis": indicator.basis.as_str(),
            "source": indicator.source,
            "reason": indicator.reason,
        }));
    }
    Ok(json!({
        "id": file.id,
        "version": file.version,
        "name": file.name_zh,
        "kind": file.kind,
        "provider": file.provider_zh,
        "region": file.region_zh,
        "total": model.by_points().then(|| points(file.total)),
        "published": file.published,
        "default": file.default,
        "scheme": {
            "id": file.scheme.id,
            "version": file.scheme.version,
            "name": file.scheme.name_zh,
            "basis": file.scheme.basis.as_str(),
            "source": file.scheme.source,
            "reason": file.scheme.reason,
            "grades": grades,
        },
        "indicators": indicators,
        "signals": file.signal,
        "rules": file.rule,
        "vetoes": file.veto,
        "caps": file.cap,
        "chain": file.chain,
        "consequences": file.consequence,
    }))
}
