//! `medcredit score replay`: recomputes a run to verify it.

use std::io::Write;

use crate::{
    cli::Context,
    grading::{Replayed, Rounds},
};

/// Recomputes a run and reports the differences.
pub(super) async fn replay(rounds: &Rounds, run: &str, json: bool, ctx: &Context) -> anyhow::Result<()> {
    let bar = ctx.progress(Some(0), "recomputing");
    let progress = |done: usize, of: usize| {
        bar.set_length(u64::try_from(of).unwrap_or(0));
        bar.set_position(u64::try_from(done).unwrap_or(0));
    };
    let replayed = rounds.replay(run, &progress).await;
    bar.finish_and_clear();
    let replayed = replayed?;
    if json {
        writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&replayed)?)?;
    } else {
        write!(ctx.out(), "{}", in_words(&replayed))?;
    }
    if replayed.is_proven() {
        Ok(())
    } else {
        anyhow::bail!("{run} does not match its stored results: something was changed since")
    }
}

fn in_words(replayed: &Replayed) -> String {
    let mut lines = vec![format!(
        "{} ({}): {} subjects recomputed from {} chunks of facts, and {} corrections",
        replayed.run, replayed.state, replayed.subjects, replayed.chunks, replayed.corrections
    )];
    let digests = [
        ("model", &replayed.model),
        ("catalogue", &replayed.catalogue),
        ("input", &replayed.input),
        ("outcome", &replayed.outcome),
    ];
    for (name, of) in digests {
        lines.push(match &of.found {
            Some(found) if *found == of.kept => format!("  {name:<9} {found}  the same"),
            Some(found) => format!("  {name:<9} {}  comes out as {found}", of.kept),
            None => format!("  {name:<9} {}  could not be recomputed", of.kept),
        });
    }
    for one in &replayed.differences {
        let of = one.subject_code.as_deref().unwrap_or("-");
        lines.push(format!("  {} of {of}: kept {}, comes out as {}", one.what, one.kept, one.found));
    }
    let listed = replayed.differences.len();
    if replayed.differing > listed {
        lines.push(format!("  and {} more", replayed.differing - listed));
    }
    lines.push(String::new());
    lines.join("\n")
}
