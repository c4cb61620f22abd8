//! Pages of a bank's consents in force, for deliveries.

use std::sync::Arc;

use super::{Consent, ConsentPermit, Consents, PermitRequest, not_found, permit::allow};
use crate::{
    domain::{
        Failure,
        ids::{ClientId, ConsentId},
    },
    store::consents,
};

impl Consents {
    /// A page of this client's consents that are in force at this moment, ordered by id: at most `limit` after `after`.
    pub async fn in_force(
        &self,
        client: ClientId,
        after: Option<ConsentId>,
        limit: usize,
    ) -> Result<Vec<Arc<Consent>>, Failure> {
        // The empty text sorts before every id.
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        // More than any table holds is no limit.
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = consents::in_force(&self.env.db, &client.to_string(), &after, self.env.clock.now(), limit).await?;
        self.with_all_codes(rows).await
    }

    /// The consents of this client with these ids, in any state. Ids of other clients' consents are left out.
    pub async fn find_many(&self, client: ClientId, ids: &[ConsentId]) -> Result<Vec<Arc<Consent>>, Failure> {
        let ids: Vec<String> = ids.iter().map(ConsentId::to_string).collect();
        let rows = consents::find_many(&self.env.db, &client.to_string(), &ids).await?;
        self.with_all_codes(rows).await
    }

    /// Checks that a consent the caller already read allows a reading: [`Consents::permit`] without the query. The append
    /// compares its version, so a consent that has changed since is refused there.
    pub fn permit_loaded(
        &self,
        client: ClientId,
        consent: &Arc<Consent>,
        request: PermitRequest<'_>,
    ) -> Result<ConsentPermit, Failure> {
        // Checked here although the query was limited to the client: a permit is a proof, and is made here.
        if consent.client != client {
            return Err(not_found());
        }
        allow(consent.clone(), request, self.env.clock.now())
    }

    async fn with_all_codes(&self, rows: Vec<consents::ConsentRow>) -> Result<Vec<Arc<Consent>>, Failure> {
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let mut codes = consents::codes_of(&self.env.db, &ids).await?;
        let read = rows.into_iter().map(|row| {
            let codes = codes.remove(&row.id).unwrap_or_default();
            Consent::from_row(row, codes).map(Arc::new).map_err(Failure::from)
        });
        read.collect()
    }
}
