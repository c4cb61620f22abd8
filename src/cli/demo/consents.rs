//! The first bank's consents: one active, one pending, one expired, one revoked.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;

use super::{banks::DemoBank, city::DemoSubject};
use crate::{
    app::{self, App},
    cli::{Context, OrFail},
    consent::{Consent, ConsentState, Consents, Decision, Grant, NewConsent, SignedText},
    domain::{
        ManualClock, Month,
        permission::{Permission, Purpose},
    },
    store::Env,
};

/// The ids of the first bank's consents.
#[derive(Debug, Clone)]
pub(super) struct DemoConsents {
    pub(super) active: String,
    pub(super) pending: String,
    pub(super) expired: String,
    pub(super) revoked: String,
}

/// The consent that the bank requests.
fn new_consent(subject: &DemoSubject, present: Month) -> NewConsent {
    NewConsent {
        uscc: subject.uscc.clone(),
        codes: vec![subject.code.clone()],
        permissions: vec![Permission::Grade, Permission::Settlements],
        purposes: vec![Purpose::PreLoanReview],
        product: "医保信用贷".into(),
        reference: None,
        data_from: Some(present.plus(-24)),
        data_to: Some(present.plus(-1)),
        valid_for_days: Some(90),
        max_fetches: None,
        daily_budget: None,
    }
}

/// Evidence of a signature, which says that nobody signed.
pub(super) fn synthetic_grant() -> Grant {
    let text = "合成授权书 (a synthetic authorisation, signed by nobody)";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    Grant {
        text: SignedText {
            sha256: data_encoding::HEXLOWER.encode(digest.as_ref()),
            version: "demo-1".into(),
            signer: "legal_representative".into(),
        },
        expires_at: None,
        replaces: None,
    }
}

/// Finds a consent in each state, and makes the missing ones.
pub(super) async fn ensure_consents(
    app: &Arc<App>,
    ctx: &Context,
    banks: &[DemoBank; 2],
    city: &[DemoSubject],
) -> anyhow::Result<DemoConsents> {
    let bank = banks[0].id;
    let subject = city.first().context("no institution of the city is in good standing")?;
    let known = app.consents.list(bank, None, 1000).await.or_fail()?;
    let now = ctx.clock.now();
    let find = |state: ConsentState| {
        known.iter().find(|consent| consent.state_at(now) == state).map(|consent| consent.id.to_string())
    };
    let operator = Decision::by(super::demo_operator()?);
    let request = async |room: &Consents| -> anyhow::Result<Consent> {
        room.request(bank, 1000, &new_consent(subject, now.day().month())).await.or_fail()
    };
    let grant = async |room: &Consents| -> anyhow::Result<String> {
        let id = request(room).await?.id.to_string();
        room.grant(&id, &synthetic_grant(), &operator).await.or_fail()?;
        Ok(id)
    };
    let active = if let Some(id) = find(ConsentState::Active) { id } else { grant(&app.consents).await? };
    let pending =
        if let Some(id) = find(ConsentState::Pending) { id } else { request(&app.consents).await?.id.to_string() };
    let expired = if let Some(id) = find(ConsentState::Expired) {
        id
    } else {
        // Granted by a clock set back a hundred days, so that it has expired since.
        let past = ManualClock::new(now.minus(Duration::from_hours(24 * 100)));
        let kinds = Arc::new(app.config.reference.kinds()?);
        let room = Consents::open(
            Env::new(app.env.db.clone(), past, ctx.entropy.clone()),
            kinds,
            app::consent_policy(&app.config),
        );
        grant(&room).await?
    };
    let revoked = if let Some(id) = find(ConsentState::Revoked) {
        id
    } else {
        let id = grant(&app.consents).await?;
        let actor = Decision::by(super::demo_operator()?).because(Some("the institution withdrew it".into()));
        app.consents.revoke(&id, None, &actor).await.or_fail()?;
        id
    };
    Ok(DemoConsents { active, pending, expired, revoked })
}
