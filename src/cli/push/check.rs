//! `medcredit push check`: checks files of platforms, and the platforms in force.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use super::Tables;
use crate::{
    cli::{Context, model::check::texts},
    domain::{TableError, table::TableFault},
    push::platform::{Carrier, CheckedPlatform, Evaluator, GradeValue, Platform, UsageValue},
};

/// Checks the platforms in force.
pub(super) fn in_force(tables: &Tables, ctx: &Context) -> anyhow::Result<()> {
    let platforms = tables.platforms(ctx)?;
    for found in platforms.iter() {
        writeln!(ctx.out(), "{}", summary(&found.checked.platform))?;
    }
    for found in platforms.iter() {
        // Addresses and credentials of shipped platforms are placeholders.
        if let Some(file) = &found.file {
            warn(&file.display().to_string(), &found.checked, &tables.evaluator, ctx)?;
        }
    }
    for (id, refused) in platforms.left_out() {
        writeln!(
            ctx.err(),
            "{id} comes with the program and is not in force: it does not fit the kinds, models and mappings in force"
        )?;
        writeln!(ctx.err(), "{refused}")?;
    }
    Ok(())
}

/// Checks files, and every file in folders.
pub(super) fn files(tables: &Tables, paths: &[PathBuf], ctx: &Context) -> anyhow::Result<()> {
    let all = texts(paths)?;
    let mut refused = 0;
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for (path, text) in &all {
        let name = path.display().to_string();
        let directory = path.parent().unwrap_or(Path::new(""));
        match CheckedPlatform::parse(&name, text, directory, &tables.reference()) {
            Ok(checked) => {
                let id = checked.platform.id.clone();
                if let Some(other) = ids.get(&id) {
                    refused += 1;
                    writeln!(
                        ctx.err(),
                        "{name}: {id} is already defined by {other}: give each platform an id of its own"
                    )?;
                    continue;
                }
                writeln!(ctx.out(), "{name}: {}", summary(&checked.platform))?;
                warn(&name, &checked, &tables.evaluator, ctx)?;
                ids.insert(id, name);
            }
            Err(error) => {
                refused += 1;
                writeln!(ctx.err(), "{error}")?;
            }
        }
    }
    anyhow::ensure!(refused == 0, "{refused} of {} files cannot be used", all.len());
    Ok(())
}

/// Reports what a person should look at.
fn warn(file: &str, checked: &CheckedPlatform, evaluator: &Evaluator, ctx: &Context) -> anyhow::Result<()> {
    let mut faults = checked.warnings.clone();
    faults.extend(checked.unreadable_credentials());
    let missing = lacking(&checked.platform, evaluator).into_iter().chain(without_sender(&checked.platform, evaluator));
    faults.extend(missing.map(|message| TableFault { line: None, message }));
    if faults.is_empty() {
        return Ok(());
    }
    let warnings = TableError { file: file.to_owned(), faults }.to_string();
    for line in warnings.lines() {
        writeln!(ctx.err(), "warning: {line}")?;
    }
    Ok(())
}

/// The settings that a platform has fields for and that are not there.
pub(in crate::cli) fn lacking(platform: &Platform, evaluator: &Evaluator) -> Option<String> {
    let has = |grade, usage| {
        platform.grades.as_ref().is_some_and(|fields| fields.has(grade))
            || platform.usage.as_ref().is_some_and(|fields| fields.has(usage))
    };
    let needs = [
        ("evaluator", evaluator.name.is_none() && has(GradeValue::Evaluator, UsageValue::Evaluator)),
        ("evaluator_uscc", evaluator.uscc.is_none() && has(GradeValue::EvaluatorUscc, UsageValue::EvaluatorUscc)),
    ];
    let keys: Vec<&str> = needs.into_iter().filter_map(|(key, lacks)| lacks.then_some(key)).collect();
    (!keys.is_empty())
        .then(|| format!("it has fields for {}, which [push] does not set: they stay empty", keys.join(" and ")))
}

/// Whether its files would have no sender: the gateway does not start with such a platform.
fn without_sender(platform: &Platform, evaluator: &Evaluator) -> Option<String> {
    let Carrier::File(settings) = &platform.carrier else { return None };
    settings.sender(evaluator.uscc.as_deref()).is_none().then(|| {
        "file names begin with the name of the sender, and there is none: set `source` in [carrier.file], or evaluator_uscc in \
         [push] of the gateway's configuration. The gateway does not start with this platform"
            .to_owned()
    })
}

/// A platform in a line.
fn summary(platform: &Platform) -> String {
    let Platform { id, audience, carrier, schedule, .. } = platform;
    let mut packages = Vec::new();
    if let (Some(fields), Some(when)) = (&platform.grades, schedule.grades) {
        packages.push(format!("grades {when} in {} fields", fields.fields.len()));
    }
    if let (Some(fields), Some(when)) = (&platform.usage, schedule.usage) {
        packages.push(format!("usage {when} in {} fields", fields.fields.len()));
    }
    let (packages, kinds) = (packages.join(", "), platform.kinds.len());
    format!("{id} can be used: {packages}; {kinds} kinds, audience {audience}; {} {}", carrier.name(), carrier.target())
}
