//! A subject's file as text.

use std::io::{self, Write};

use crate::{domain::money::MilliPoints, dossier::Dossier};

/// The maximum number of printed rows of a list; `--json` has all.
const MOST_LISTED: usize = 20;

fn or_dash(text: Option<&String>) -> &str {
    text.map_or("-", String::as_str)
}

/// Writes a heading with the number of rows, and the first of them.
fn list<T>(out: &mut impl Write, heading: &str, all: &[T], line: impl Fn(&T) -> String) -> io::Result<()> {
    writeln!(out, "\n{heading} ({})", all.len())?;
    for one in all.iter().take(MOST_LISTED) {
        writeln!(out, "  {}", line(one))?;
    }
    if all.len() > MOST_LISTED {
        writeln!(out, "  and {} more: --json lists all", all.len() - MOST_LISTED)?;
    }
    Ok(())
}

/// Writes a subject's file.
pub(super) fn write(dossier: &Dossier, out: &mut impl Write) -> io::Result<()> {
    identity(dossier, out)?;
    let chain = &dossier.chain;
    if let Some(head) = &chain.head {
        writeln!(out, "chain          a branch of {head}")?;
    }
    if !chain.branches.is_empty() {
        list(out, "branches", &chain.branches, String::clone)?;
    }
    if !dossier.affiliations.is_empty() {
        list(out, "affiliations", &dossier.affiliations, |one| {
            let main = if one.main { "main" } else { "also" };
            format!("{main}  {}  {}  {} to {}", one.person, one.institution, one.from_on, or_dash(one.to_on.as_ref()))
        })?;
    }
    facts(dossier, out)?;
    list(out, "assessments", &dossier.assessments, |one| {
        let points = one.points_milli.map_or_else(String::new, |points| format!("  {} points", MilliPoints(points)));
        let grade = one.grade.as_ref().or(one.reason.as_ref());
        let corrected = if one.version > 1 { format!("  correction {}", one.version - 1) } else { String::new() };
        format!("{}  {}  {}  {}{points}{corrected}  {}", one.period, one.model, one.state, or_dash(grade), one.run)
    })?;
    list(out, "adverse facts", &dossier.adverse, |one| {
        let (from, to) = (or_dash(one.publish_from_on.as_ref()), or_dash(one.latest_end_on.as_ref()));
        let counts = one.ended.as_ref().map_or_else(String::new, |why| format!("  does not count ({why})"));
        format!(
            "{}  {:8}  {:9}  published {from} to {to}  {}  {}{counts}",
            one.decided_on, one.tier, one.status, one.source, one.reference
        )
    })?;
    list(out, "facts taken back", &dossier.voids, |one| {
        let state = match (one.restored, one.replaced) {
            (false, false) => "taken back",
            (false, true) => "taken back, restored later",
            (true, false) => "restored",
            (true, true) => "restored, taken back again later",
        };
        let decision = one.decision.as_ref().map_or_else(String::new, |decision| format!("  by {decision}"));
        format!("{}  {state}  {}  {}{decision}  {}", one.decided_on, one.measure, one.reference, one.reason)
    })?;
    list(out, "consents", &dossier.consents, |one| {
        let until = one.expires_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        format!("{}  {:10}  until {until}  {}  {}", one.id, one.state, one.permissions.join(","), one.bank)
    })?;
    list(out, "disclosures", &dossier.disclosures, |one| {
        format!("{}  {}  {}  {}  {}", one.at, one.id, one.what.join(","), one.purpose, one.bank)
    })
}

fn identity(dossier: &Dossier, out: &mut impl Write) -> io::Result<()> {
    let identity = &dossier.identity;
    let kind_zh = or_dash(dossier.kind_zh.as_ref());
    writeln!(out, "{}  {} ({})", dossier.code, dossier.kind, kind_zh)?;
    writeln!(out, "name           {}", identity.name)?;
    if let Some(uscc) = &dossier.uscc {
        writeln!(out, "uscc           {uscc}")?;
    }
    if let Some(number) = &identity.id_number {
        writeln!(out, "certificate    {} {number}", or_dash(identity.id_type.as_ref()))?;
    }
    if let Some(name) = &identity.legal_representative {
        writeln!(out, "represented by {name}")?;
    }
    if identity.masked {
        writeln!(out, "               masked; --reveal --purpose WHY shows it in full and records that in the ledger")?;
    }
    writeln!(out, "region         {} {}", dossier.region, or_dash(dossier.region_zh.as_ref()))?;
    if let Some(level) = &dossier.level {
        writeln!(out, "level          {level}")?;
    }
    let signed = or_dash(dossier.agreement_signed_on.as_ref());
    let since = |day: Option<&String>| day.map(|day| format!(" since {day}")).unwrap_or_default();
    let (agreement, licence) = (since(dossier.agreement_status_on.as_ref()), since(dossier.licence_status_on.as_ref()));
    writeln!(out, "agreement      {}{agreement}, signed {signed}", dossier.agreement_status)?;
    writeln!(out, "licence        {}{licence}", dossier.licence_status)?;
    if dossier.under_objection {
        writeln!(out, "objection      open")?;
    }
    Ok(())
}

fn facts(dossier: &Dossier, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nfacts by category")?;
    for category in &dossier.facts {
        let state = match (category.latest_on, category.valid_to) {
            (Some(latest), Some(valid)) if category.fresh => format!("latest {latest}, good to {valid}"),
            (Some(latest), Some(valid)) => format!("latest {latest}, good to {valid}: over"),
            _ => "none".to_owned(),
        };
        let voided = if category.voided > 0 { format!("  and {} taken back", category.voided) } else { String::new() };
        writeln!(
            out,
            "  {:>3}  {:>6} facts  {state:45}  {} ({}){voided}",
            category.no, category.facts, category.name_zh, category.provider_zh
        )?;
    }
    if dossier.facts_of_no_category > 0 {
        writeln!(out, "       {:>6} facts of measures that the catalogue does not have", dossier.facts_of_no_category)?;
    }
    Ok(())
}
