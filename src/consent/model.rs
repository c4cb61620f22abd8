//! A consent, its states, and the table of transitions between them.

use crate::{
    domain::{
        Malformed, Month, Timestamp,
        ids::{ClientId, ConsentId},
        permission::{Permission, Purpose},
        words::words,
    },
    store::{DbError, consents::ConsentRow},
};

words! {
    /// The state of a consent (C1).
    ConsentState: "state of a consent" {
        /// 待签: requested, not granted yet.
        Pending = "pending",
        /// 生效: in force.
        Active = "active",
        /// 暂停: suspended until it is resumed.
        Suspended = "suspended",
        /// 撤回: revoked by the subject, the bank or an operator.
        Revoked = "revoked",
        /// 到期: its validity, or the time to grant it, is over.
        Expired = "expired",
        /// Replaced by a newer consent.
        Superseded = "superseded",
        /// 驳回: the subject refused to grant it.
        Rejected = "rejected",
    }
}

words! {
    /// An event of a consent.
    ConsentEvent: "event of a consent" {
        /// A bank requests it.
        Requested = "requested",
        /// The subject signs it.
        Granted = "granted",
        /// It is suspended.
        Suspended = "suspended",
        /// It is in force again.
        Resumed = "resumed",
        /// Its content changes; the id stays (C5).
        Amended = "amended",
        /// It is revoked.
        Revoked = "revoked",
        /// Its validity is over.
        Expired = "expired",
        /// A newer consent replaces it.
        Superseded = "superseded",
        /// The subject refuses it.
        Rejected = "rejected",
    }
}

impl ConsentEvent {
    /// Whether it may narrow or end what a bank reads, so that a database from before it must not be served from (I9).
    /// Not the end of validity, which any database judges by the time (C3).
    pub(super) const fn narrows(self) -> bool {
        matches!(self, Self::Suspended | Self::Amended | Self::Revoked | Self::Superseded | Self::Rejected)
    }

    /// Whether it gives access or counts from the time of day, so that it waits for a clock that can be relied on (I10).
    /// What takes access away never waits.
    pub(super) const fn needs_clock(self) -> bool {
        match self {
            Self::Requested | Self::Granted | Self::Resumed | Self::Amended | Self::Expired => true,
            Self::Suspended | Self::Revoked | Self::Superseded | Self::Rejected => false,
        }
    }
}

impl ConsentState {
    /// The state after an event, or `None` where the event is not allowed. This is the whole table of C1.
    pub const fn after(self, event: ConsentEvent) -> Option<Self> {
        match (self, event) {
            (Self::Pending, ConsentEvent::Granted)
            | (Self::Suspended, ConsentEvent::Resumed)
            | (Self::Active, ConsentEvent::Amended) => Some(Self::Active),
            (Self::Pending, ConsentEvent::Rejected) => Some(Self::Rejected),
            (Self::Active, ConsentEvent::Suspended) => Some(Self::Suspended),
            (Self::Pending | Self::Active | Self::Suspended, ConsentEvent::Revoked) => Some(Self::Revoked),
            (Self::Pending | Self::Active | Self::Suspended, ConsentEvent::Expired) => Some(Self::Expired),
            (Self::Active | Self::Suspended, ConsentEvent::Superseded) => Some(Self::Superseded),
            _ => None,
        }
    }

    /// Whether no event is allowed any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Revoked | Self::Expired | Self::Superseded | Self::Rejected)
    }
}

/// A consent.
#[derive(Debug, Clone)]
pub struct Consent {
    /// The id. Amendments do not change it.
    pub id: ConsentId,
    /// Raised by every transition.
    pub version: i64,
    /// The bank that may read.
    pub client: ClientId,
    /// The unified social credit code of the legal entity.
    pub uscc: String,
    /// The medical-insurance codes of that entity that it covers, sorted.
    pub codes: Vec<String>,
    /// The state in the database. [`Consent::state_at`] also considers the time.
    pub state: ConsentState,
    pub permissions: Vec<Permission>,
    pub purposes: Vec<Purpose>,
    /// The bank's name for its product.
    pub product: String,
    /// The bank's own reference number.
    pub reference: Option<String>,
    pub data_from: Month,
    pub data_to: Month,
    /// The most fetches in total.
    pub max_fetches: Option<i64>,
    /// The most fetches in a day.
    pub daily_budget: Option<i64>,
    pub requested_at: Timestamp,
    /// The end of the time to grant it.
    pub request_expires_at: Timestamp,
    pub granted_at: Option<Timestamp>,
    /// The end of validity: the requested one until the grant, then the granted one.
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// The reason of the latest event.
    pub status_reason: Option<String>,
    pub(super) row: ConsentRow,
}

impl Consent {
    pub(super) fn from_row(row: ConsentRow, codes: Vec<String>) -> Result<Self, DbError> {
        let id = row.id.clone();
        Self::read(row, codes).map_err(|error| DbError::corrupt("consents", format!("{id}: {error}")))
    }

    fn read(row: ConsentRow, codes: Vec<String>) -> Result<Self, Malformed> {
        let json = |error: serde_json::Error| Malformed(error.to_string());
        let expires_at = row.expires_at.ok_or_else(|| Malformed("no end of validity".into()))?;
        Ok(Self {
            id: row.id.parse()?,
            version: row.version,
            client: row.client_id.parse()?,
            uscc: row.uscc.clone(),
            codes,
            state: row.state.parse()?,
            permissions: serde_json::from_str(&row.permissions).map_err(json)?,
            purposes: serde_json::from_str(&row.purposes).map_err(json)?,
            product: row.product.clone(),
            reference: row.reference.clone(),
            data_from: row.data_from.parse()?,
            data_to: row.data_to.parse()?,
            max_fetches: row.max_fetches,
            daily_budget: row.daily_budget,
            requested_at: Timestamp::from_micros(row.requested_at),
            request_expires_at: Timestamp::from_micros(row.request_expires_at),
            granted_at: row.granted_at.map(Timestamp::from_micros),
            expires_at: Timestamp::from_micros(expires_at),
            ended_at: row.ended_at.map(Timestamp::from_micros),
            status_reason: row.status_reason.clone(),
            row,
        })
    }

    /// The state at an instant. A consent can have expired before its expiry is recorded (C3).
    pub fn state_at(&self, now: Timestamp) -> ConsentState {
        match self.state {
            ConsentState::Pending if self.request_expires_at <= now => ConsentState::Expired,
            ConsentState::Active | ConsentState::Suspended if self.expires_at <= now => ConsentState::Expired,
            state => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConsentEvent, ConsentState};

    #[test]
    fn terminal_states_are_immutable_and_every_other_state_can_end() {
        for state in ConsentState::ALL {
            let reachable = ConsentEvent::ALL.iter().filter(|event| state.after(**event).is_some()).count();
            assert_eq!(reachable == 0, state.is_terminal(), "{state}");
            if !state.is_terminal() {
                assert_eq!(state.after(ConsentEvent::Revoked), Some(ConsentState::Revoked), "{state}");
                assert_eq!(state.after(ConsentEvent::Expired), Some(ConsentState::Expired), "{state}");
            }
        }
    }

    #[test]
    fn only_a_grant_or_a_resumption_puts_a_consent_in_force() {
        for state in ConsentState::ALL {
            for event in ConsentEvent::ALL {
                if *state != ConsentState::Active && state.after(*event) == Some(ConsentState::Active) {
                    assert!(matches!(
                        (state, event),
                        (ConsentState::Pending, ConsentEvent::Granted)
                            | (ConsentState::Suspended, ConsentEvent::Resumed)
                    ));
                }
            }
        }
    }
}
