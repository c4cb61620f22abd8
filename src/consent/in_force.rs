//! The consents of a bank that are in force, a page at a time: for deliveries.

use std::sync::Arc;

use super::{Ask, Consent, ConsentPermit, Consents, not_found, permit::allow};
use crate::{
    domain::{
        Failure,
        ids::{ClientId, ConsentId},
    },
    store::consents,
};

impl Consents {
    /// A page of this client's consents that are in force at this moment, by id: those behind `after`, at most `limit`.
    pub async fn in_force(
        &self,
        client: ClientId,
        after: Option<ConsentId>,
        limit: usize,
    ) -> Result<Vec<Arc<Consent>>, Failure> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = consents::in_force(&self.env.db, &client.to_string(), &after, self.env.clock.now(), limit).await?;
        self.with_all_codes(rows).await
    }

    /// Some consents of this client as they are now, whatever their state. Ids of others are left out.
    pub async fn find_many(&self, client: ClientId, ids: &[ConsentId]) -> Result<Vec<Arc<Consent>>, Failure> {
        let ids: Vec<String> = ids.iter().map(ConsentId::to_string).collect();
        let rows = consents::find_many(&self.env.db, &client.to_string(), &ids).await?;
        self.with_all_codes(rows).await
    }

    /// Looks whether a consent that was read already allows a reading: the same as [`Consents::permit`], without reading
    /// it again. The append compares its version, so what was read too early is refused there.
    pub fn permit_read(
        &self,
        client: ClientId,
        consent: &Arc<Consent>,
        ask: Ask<'_>,
    ) -> Result<ConsentPermit, Failure> {
        if consent.client != client {
            return Err(not_found());
        }
        allow(consent.clone(), ask, self.env.clock.now())
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
