//! Consents as operators look for them.

use super::{Consent, ConsentState, Consents};
use crate::{
    domain::{Failure, Timestamp},
    store::{
        DbError, Env,
        consent_lists::{self, ConsentPage},
        consents::{self, EventRow},
    },
};

/// A consent in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConsent {
    pub id: String,
    pub client_id: String,
    /// The client's name.
    pub client: String,
    /// The unified social credit code of the entity.
    pub uscc: String,
    /// The state now, which considers the time.
    pub state: ConsentState,
    pub product: String,
    pub requested_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// The number of consents by their state now: of one client, or of all.
pub async fn counts(env: &Env, client: &str) -> Result<Vec<(ConsentState, i64)>, Failure> {
    let rows = consent_lists::counts(&env.db, client, env.now()).await?;
    let read = |row: consent_lists::StateCountRow| -> Result<_, Failure> {
        let state = row.state.parse().map_err(|error| DbError::corrupt("consents", error))?;
        Ok((state, row.number))
    };
    rows.into_iter().map(read).collect()
}

impl Consents {
    /// A page of consents, latest first.
    pub async fn page(&self, page: &ConsentPage<'_>) -> Result<Vec<ListedConsent>, Failure> {
        let now = self.env.now();
        let rows = consent_lists::page(&self.env.db, page).await?;
        let read = |row: consent_lists::ListedRow| -> Result<_, Failure> {
            let state: ConsentState = row.state.parse().map_err(|error| DbError::corrupt("consents", error))?;
            let ends = if state == ConsentState::Pending { Some(row.request_expires_at) } else { row.expires_at };
            let has_ended = !state.is_terminal() && ends.is_some_and(|at| at <= now.micros());
            Ok(ListedConsent {
                id: row.id,
                client_id: row.client_id,
                client: row.client,
                uscc: row.uscc,
                state: if has_ended { ConsentState::Expired } else { state },
                product: row.product,
                requested_at: Timestamp::from_micros(row.requested_at),
                expires_at: row.expires_at.map(Timestamp::from_micros),
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Every transition of a consent, in order.
    pub async fn history(&self, id: &str) -> Result<Vec<EventRow>, Failure> {
        Ok(consents::events(&self.env.db, id).await?)
    }
}

impl Consent {
    /// The signed text: its digest, its version, and the word for who signed it; none before the grant.
    pub fn evidence(&self) -> Option<(&str, &str, &str)> {
        let row = &self.row;
        Some((row.text_sha256.as_deref()?, row.text_version.as_deref().unwrap_or("-"), row.signer.as_deref()?))
    }
}
