//! A consent as it stands, and the table of its transitions.

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
    /// Where a consent stands (C1).
    ConsentState: "state of a consent" {
        /// 待签: requested, not granted.
        Pending = "pending",
        /// 生效: in force.
        Active = "active",
        /// 暂停: stopped for the moment.
        Suspended = "suspended",
        /// 撤回: withdrawn.
        Revoked = "revoked",
        /// 到期: over.
        Expired = "expired",
        /// Replaced by a newer one.
        Superseded = "superseded",
        /// 驳回: refused by whom it concerns.
        Rejected = "rejected",
    }
}

words! {
    /// What can happen to a consent.
    ConsentEvent: "event of a consent" {
        /// A bank asks for it.
        Requested = "requested",
        /// It is signed.
        Granted = "granted",
        /// It is stopped for the moment.
        Suspended = "suspended",
        /// It goes on.
        Resumed = "resumed",
        /// Its content changes; the id stays (C5).
        Amended = "amended",
        /// It is withdrawn.
        Revoked = "revoked",
        /// Its time is over.
        Expired = "expired",
        /// A newer one takes its place.
        Superseded = "superseded",
        /// It is refused.
        Rejected = "rejected",
    }
}

impl ConsentState {
    /// The state after an event, or `None` where the event cannot happen. The whole table of C1.
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

    /// Whether nothing can happen to it any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Revoked | Self::Expired | Self::Superseded | Self::Rejected)
    }
}

/// A consent.
#[derive(Debug, Clone)]
pub struct Consent {
    /// Its identifier, the same over amendments.
    pub id: ConsentId,
    /// Raised by every transition.
    pub version: i64,
    /// The bank it is given to.
    pub client: ClientId,
    /// The legal entity it concerns.
    pub uscc: String,
    /// The medical-insurance codes of that entity it covers, in order.
    pub codes: Vec<String>,
    /// As written; [`Consent::state_at`] also looks at the clock.
    pub state: ConsentState,
    /// What may be read.
    pub permissions: Vec<Permission>,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// The bank's product.
    pub product: String,
    /// The bank's own number.
    pub reference: Option<String>,
    /// First month of data.
    pub data_from: Month,
    /// Last month of data.
    pub data_to: Month,
    /// The most fetches in all.
    pub max_fetches: Option<i64>,
    /// The most fetches in a day.
    pub daily_budget: Option<i64>,
    /// When it was requested.
    pub requested_at: Timestamp,
    /// Until when the request waits.
    pub request_expires_at: Timestamp,
    /// When it was granted.
    pub granted_at: Option<Timestamp>,
    /// End of validity: asked for while pending, in force once granted.
    pub expires_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it stands as it does.
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

    /// Where it stands at an instant: its time may be over without anybody having written so (C3).
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
