//! The consents that a recovery suspends, until each was compared with the text that its subject signed.

use std::io::Write;

use crate::{
    cli::{Context, OrFail},
    consent::{Consent, ConsentState, Consents, Decision},
    domain::{Actor, Failure, FailureKind},
    store::{Db, consents as rows},
};

/// The reason in a consent that a recovery has suspended, by which it is found again.
const REASON: &str = "recovery";
/// How many consents are read at a time.
const PAGE: i64 = 500;

/// Every consent for which a condition holds, oldest first.
async fn select(consents: &Consents, condition: fn(&Consent) -> bool) -> Result<Vec<Consent>, Failure> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = consents.list_any(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id.to_string());
        found.extend(page.into_iter().filter(condition));
    }
}

fn is_unreconciled(consent: &Consent) -> bool {
    consent.state == ConsentState::Suspended && consent.status_reason.as_deref() == Some(REASON)
}

/// Suspends every active consent and returns how many: one that was revoked, narrowed or replaced in the lost time is
/// active in an older database, and nothing in it shows that.
pub(super) async fn suspend_all(consents: &Consents, actor: &Actor) -> Result<usize, Failure> {
    let decision = Decision::by(actor.clone()).because(Some(REASON.into()));
    let mut suspended = 0;
    for consent in select(consents, |consent| consent.state == ConsentState::Active).await? {
        match consents.suspend(&consent.id.to_string(), &decision).await {
            Ok(_) => suspended += 1,
            // It has expired, or ended meanwhile.
            Err(Failure { kind: FailureKind::Conflict, .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(suspended)
}

/// Lists the consents that recoveries have suspended, with the digests of the texts to compare them with.
pub(super) async fn list(consents: &Consents, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    for consent in select(consents, is_unreconciled).await.or_fail()? {
        let id = consent.id.to_string();
        let evidence = rows::events(db, &id).await?.into_iter().rev().find_map(|event| event.evidence_sha256);
        let evidence = evidence.as_deref().unwrap_or("-");
        writeln!(
            ctx.out(),
            "{id}  {}  {}  until {}  text {evidence}",
            consent.client,
            consent.uscc,
            consent.expires_at
        )?;
    }
    Ok(())
}

/// Resumes consents that recoveries have suspended: some, or all where none is named.
pub(super) async fn resume(
    consents: &Consents,
    ids: &[String],
    actor: &Actor,
    reason: &str,
    ctx: &Context,
) -> anyhow::Result<()> {
    let suspended = select(consents, is_unreconciled).await.or_fail()?;
    let suspended: Vec<_> = suspended.into_iter().map(|consent| consent.id.to_string()).collect();
    if let Some(other) = ids.iter().find(|id| !suspended.contains(id)) {
        anyhow::bail!("{other} is no consent that a recovery has suspended: see `medcredit recover --list`");
    }
    let decision = Decision::by(actor.clone()).because(Some(reason.to_owned()));
    let chosen: &[String] = if ids.is_empty() { &suspended } else { ids };
    for id in chosen {
        consents.resume(id, &decision).await.or_fail()?;
        writeln!(ctx.out(), "resumed    {id}")?;
    }
    Ok(())
}
