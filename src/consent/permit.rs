//! The permit: proof that a consent allows one particular reading.

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

/// The months requested. An end that is absent is the consent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MonthRange {
    /// The first month.
    pub from: Option<Month>,
    /// The last month.
    pub to: Option<Month>,
}

/// A reading that a bank requests under a consent.
#[derive(Debug, Clone, Copy)]
pub struct PermitRequest<'a> {
    /// The consent in the path, as the caller wrote it.
    pub unverified_consent: &'a str,
    /// The permissions requested. There are several where an answer can leave parts out: the consent must have one.
    pub permissions: &'a [Permission],
    /// The purpose. It may be absent where the consent has only one.
    pub purpose: Option<&'a str>,
    /// The months, if the reading has any.
    pub months: Option<MonthRange>,
    /// The consents that the caller's token is limited to, if it is.
    pub limited_to: Option<&'a [ConsentDetail]>,
}

/// Proof that a consent allows one reading by one caller at one moment. Only this file makes one; the append checks the
/// consent's version again.
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

    /// The consent's id.
    pub fn id(&self) -> ConsentId {
        self.consent.id
    }

    /// The requested permissions that the consent has.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// The purpose of the reading.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The months that may be read.
    pub const fn months(&self) -> Option<(Month, Month)> {
        self.months
    }

    /// When the consent was checked.
    pub const fn at(&self) -> Timestamp {
        self.at
    }
}

impl Consents {
    /// Checks that a consent allows a reading. Unknown, foreign and malformed ids have the same answer (C7).
    pub async fn permit(&self, client: ClientId, request: PermitRequest<'_>) -> Result<ConsentPermit, Failure> {
        let consent = self.get(client, request.unverified_consent).await.map_err(|failure| match failure {
            // A database that cannot be asked says nothing about the consent: 503 and not 404.
            failure if failure.retryable() => failure,
            _ => not_found(),
        })?;
        let consent = Arc::new(consent);
        // Cached before it is judged: it may allow another reading.
        self.recent.insert((client, consent.id), consent.clone(), 1);
        allow(consent, request, self.env.clock.now())
    }

    /// The permit by the cached consent, where that allows the reading. The consent may have changed since, so a caller is
    /// never refused by it, and the append compares its version.
    pub fn permit_cached(&self, client: ClientId, request: PermitRequest<'_>) -> Option<ConsentPermit> {
        // A malformed id is never cached: the check in the tables refuses it.
        let consent = self.recent.get(&(client, request.unverified_consent.parse().ok()?))?;
        allow(consent, request, self.env.clock.now()).ok()
    }

    /// Removes a consent from the cache after the append found that it has changed.
    pub fn forget(&self, permit: &ConsentPermit) {
        self.recent.remove(&(permit.consent.client, permit.consent.id));
    }
}

/// Checks that one of the caller's own consents allows a reading at `now`.
pub(super) fn allow(
    consent: Arc<Consent>,
    request: PermitRequest<'_>,
    now: Timestamp,
) -> Result<ConsentPermit, Failure> {
    // First, because it depends on the token alone and reveals nothing about the consent.
    if request.limited_to.is_some_and(|details| details.iter().all(|detail| detail.identifier != consent.id)) {
        return Err(Failure::forbidden(
            "consent_not_in_token",
            "The token is limited to other consents; get one for this consent.",
        ));
    }
    // By the clock: the expiry may not be recorded yet (C3).
    let state = consent.state_at(now);
    if state != ConsentState::Active {
        return Err(Failure::forbidden("consent_not_active", format!("The consent is {state}.")));
    }
    let permissions: Vec<_> =
        request.permissions.iter().copied().filter(|one| consent.permissions.contains(one)).collect();
    if permissions.is_empty() {
        let requested: Vec<_> = request.permissions.iter().map(|one| one.as_str()).collect();
        return Err(Failure::forbidden(
            "permission_not_granted",
            format!("The consent does not allow to read {}.", requested.join(", ")),
        ));
    }
    let purpose = purpose(&consent, request.purpose)?;
    let months = request.months.map(|range| months(&consent, range)).transpose()?;
    Ok(ConsentPermit { permissions, purpose, months, at: now, consent })
}

/// The purpose of a reading: the one requested, or the consent's only one.
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

/// The months of a reading, all within the consent's period.
fn months(consent: &Consent, range: MonthRange) -> Result<(Month, Month), Failure> {
    let (from, to) = (range.from.unwrap_or(consent.data_from), range.to.unwrap_or(consent.data_to));
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
