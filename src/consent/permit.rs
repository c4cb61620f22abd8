//! The permit: a consent found to allow this very reading.

use std::sync::Arc;

use super::{Consent, ConsentState, Consents, not_found};
use crate::{
    domain::{
        Failure, Malformed, Month, Timestamp,
        ids::{ClientId, ConsentId},
        permission::{Permission, Purpose},
    },
    identity::token::ConsentDetail,
};

/// What a bank wants to read under a consent.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The consent in the path, as written there.
    pub unverified_consent: &'a str,
    /// What is to be read. Several where parts of an answer may be left out: one of them must be allowed.
    pub permissions: &'a [Permission],
    /// What for; may be left out where the consent has one purpose.
    pub purpose: Option<&'a str>,
    /// The months to be read, where there are any; an end that is not named is the consent's.
    pub months: Option<(Option<Month>, Option<Month>)>,
    /// The consents the caller's token is limited to, where it is.
    pub limited_to: Option<&'a [ConsentDetail]>,
}

/// A consent that allows one reading by one caller at one moment. Made here alone; the append looks again.
#[derive(Debug, Clone)]
pub struct ConsentPermit {
    consent: Arc<Consent>,
    permissions: Vec<Permission>,
    purpose: Purpose,
    months: Option<(Month, Month)>,
    at: Timestamp,
}

impl ConsentPermit {
    /// The consent.
    pub fn consent(&self) -> &Consent {
        &self.consent
    }

    /// Its identifier.
    pub fn id(&self) -> ConsentId {
        self.consent.id
    }

    /// What may be read: of what was asked for, all that the consent allows.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// What for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The months that may be read.
    pub const fn months(&self) -> Option<(Month, Month)> {
        self.months
    }

    /// When it was given.
    pub const fn at(&self) -> Timestamp {
        self.at
    }
}

impl Consents {
    /// Looks whether a consent allows a reading. Unknown, foreign and malformed ids are told apart by nothing (C7).
    pub async fn permit(&self, client: ClientId, ask: Ask<'_>) -> Result<ConsentPermit, Failure> {
        let consent = self.get(client, ask.unverified_consent).await.map_err(|failure| match failure {
            failure if failure.retryable() => failure,
            _ => not_found(),
        })?;
        let consent = Arc::new(consent);
        self.recent.insert((client, consent.id), consent.clone(), 1);
        allow(consent, ask, self.env.clock.now())
    }

    /// The permit by what is remembered of the consent, where that allows the reading. It may have changed since: who is
    /// not allowed by it is not refused by it, and the append compares its version.
    pub fn recall(&self, client: ClientId, ask: Ask<'_>) -> Option<ConsentPermit> {
        let consent = self.recent.get(&(client, ask.unverified_consent.parse().ok()?))?;
        allow(consent, ask, self.env.clock.now()).ok()
    }

    /// Forgets what is remembered of a consent that has turned out to be another.
    pub fn forget(&self, permit: &ConsentPermit) {
        self.recent.remove(&(permit.consent.client, permit.consent.id));
    }
}

/// Looks whether a consent of the caller's own allows a reading at a moment.
pub(super) fn allow(consent: Arc<Consent>, ask: Ask<'_>, now: Timestamp) -> Result<ConsentPermit, Failure> {
    if ask.limited_to.is_some_and(|details| details.iter().all(|detail| detail.identifier != consent.id)) {
        return Err(Failure::forbidden(
            "consent_not_in_token",
            "The token is limited to other consents; get one for this consent.",
        ));
    }
    let state = consent.state_at(now);
    if state != ConsentState::Active {
        return Err(Failure::forbidden("consent_not_active", format!("The consent is {state}.")));
    }
    let permissions: Vec<_> =
        ask.permissions.iter().copied().filter(|asked| consent.permissions.contains(asked)).collect();
    if permissions.is_empty() {
        let asked: Vec<_> = ask.permissions.iter().map(|asked| asked.as_str()).collect();
        return Err(Failure::forbidden(
            "permission_not_granted",
            format!("The consent does not allow to read {}.", asked.join(", ")),
        ));
    }
    let purpose = purpose(&consent, ask.purpose)?;
    let months = match ask.months {
        Some(ends) => Some(months(&consent, ends)?),
        None => None,
    };
    Ok(ConsentPermit { permissions, purpose, months, at: now, consent })
}

/// The purpose of a reading: the one named, or the consent's only one.
fn purpose(consent: &Consent, named: Option<&str>) -> Result<Purpose, Failure> {
    match (named, consent.purposes.as_slice()) {
        (None, [only]) => Ok(*only),
        (None, _) => Err(Failure::invalid(
            "purpose",
            "purpose_required",
            "The consent has several purposes: name the one of this reading.",
        )),
        (Some(text), purposes) => {
            let purpose: Purpose =
                text.parse().map_err(|error: Malformed| Failure::invalid("purpose", "invalid_request", error))?;
            if purposes.contains(&purpose) {
                Ok(purpose)
            } else {
                Err(Failure::forbidden("purpose_not_granted", format!("The consent is not for {purpose}.")))
            }
        }
    }
}

/// The months of a reading, all of them within the consent's period.
fn months(consent: &Consent, (from, to): (Option<Month>, Option<Month>)) -> Result<(Month, Month), Failure> {
    let (from, to) = (from.unwrap_or(consent.data_from), to.unwrap_or(consent.data_to));
    if from > to {
        return Err(Failure::invalid(
            "from",
            "invalid_request",
            format!("The first month, {from}, is after the last, {to}."),
        ));
    }
    if from < consent.data_from || to > consent.data_to {
        return Err(Failure::forbidden(
            "period_outside_consent",
            format!("The consent covers the months {} to {}.", consent.data_from, consent.data_to),
        ));
    }
    Ok((from, to))
}
