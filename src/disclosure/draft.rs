//! What the ledger records of an answer or of a line of a delivery, and what the append compares.

use crate::{
    access::Caller,
    consent::Consent,
    domain::{
        Entropy, Failure, Month, Timestamp,
        ids::DisclosureId,
        permission::{Permission, Purpose},
    },
    ledger::{Answer, Budget, DisclosureFacts, Draft, Entry, Opening, ReadVersions},
};

/// A rendered disclosure that is to be recorded.
pub(super) struct DisclosureDraft<'a> {
    pub(super) id: DisclosureId,
    pub(super) at: Timestamp,
    pub(super) caller: &'a Caller,
    pub(super) consent: &'a Consent,
    pub(super) purpose: Purpose,
    /// The codes answered about, with the versions that were read.
    pub(super) subjects: &'a [(String, i64)],
    pub(super) publication: i64,
    pub(super) permissions: Vec<Permission>,
    pub(super) months: Option<(Month, Month)>,
    /// None for a refusal.
    pub(super) content_digest: Option<String>,
    pub(super) interaction_id: &'a str,
}

impl DisclosureDraft<'_> {
    /// The draft of a refusal that says something of a subject: it is recorded and counted like an answer, and what is
    /// released after that is the problem document alone.
    pub(super) fn refusal(self, entropy: &dyn Entropy) -> Result<Draft, Failure> {
        let (versions, budget) = (self.read_versions(), self.budget());
        let (entry, opening) = self.entry(entropy)?;
        let answer = Answer { headers: http::HeaderMap::new(), body: bytes::Bytes::new().into() };
        Ok(Draft { versions, budget, entry, opening, answer })
    }

    /// The ledger entry and its opening.
    pub(super) fn entry(self, entropy: &dyn Entropy) -> Result<(Entry, Opening), Failure> {
        let facts = DisclosureFacts {
            id: self.id,
            at: self.at,
            client_id: self.caller.id(),
            consent_id: self.consent.id,
            consent_version: self.consent.version,
            uscc: Some(self.consent.uscc.clone()),
            codes: self.subjects.iter().map(|(code, _)| code.clone()).collect(),
            purpose: self.purpose,
            what: self.permissions,
            period: self.months,
            publication: self.publication,
            content_digest: self.content_digest,
            interaction: self.interaction_id.to_owned(),
        };
        facts.into_entry(entropy).map_err(|error| Failure::internal(error.to_string()))
    }

    /// The versions that the append compares with those in force at that moment.
    pub(super) fn read_versions(&self) -> ReadVersions {
        ReadVersions {
            client_id: self.caller.id(),
            client_epoch: self.caller.client().epoch,
            consent_id: self.consent.id,
            consent_version: self.consent.version,
            subjects: self.subjects.to_vec(),
            publication: self.publication,
            now: self.at,
            expires_at: self.consent.expires_at,
        }
    }

    /// The fetches that the consent allows.
    pub(super) fn budget(&self) -> Budget {
        let consent = self.consent;
        Budget { max_fetches: consent.max_fetches, per_day: consent.daily_budget, day: self.at.day() }
    }
}
