//! The end of a delivery's page: its last line, its own entry, and its one signature.

use data_encoding::BASE64;
use serde::Serialize;

use super::{Delivery, DeliveryPart, Told, cursor};
use crate::{
    access::Caller,
    disclosure::{DataRequest, Disclosures, NOTICE, refusal::refused, render::signed_headers},
    domain::{
        Failure, Month, Timestamp,
        ids::{ConsentId, DisclosureId},
        permission::Purpose,
    },
    identity::signature::content_digest,
    ledger::{DeliveryDraft, DeliveryFacts, DeliveryLines, Disclosed, Entry, RecordError, Step},
};

/// The media type of a delivery: one JSON object a line, each ended by a newline.
const NDJSON: &str = "application/x-ndjson";

/// The last line of a page: what was asked, what was told, the receipts of its lines, and where the next page begins. It
/// says nothing about a consent that has no line.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeliveryEnd {
    /// The page itself, as an entry: its receipt is the header `Medcredit-Disclosure`.
    #[schema(example = "dis_06fzgvc5pqyd2m8s4tbn0xke72")]
    pub delivery: String,
    /// When it was made.
    #[schema(value_type = String, example = "2026-04-01T01:02:03Z")]
    pub delivered_at: Timestamp,
    /// The month.
    #[schema(value_type = String, example = "2026-03")]
    pub month: Month,
    /// What the reading is for.
    pub purpose: Purpose,
    /// What was to be delivered.
    pub what: Vec<DeliveryPart>,
    /// The cursor this page was asked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many lines come before this one.
    #[schema(example = 1)]
    pub lines: usize,
    /// For how many consents in force on this page there is no line. Which, and why, is not told.
    #[schema(example = 0)]
    pub refused: usize,
    /// Where the next page begins: `after`; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The log of all receipts.
    #[schema(example = "credit.example.gov.cn/ledger/1")]
    pub log: String,
    /// The receipt of each line, in the order of the lines.
    pub receipts: Vec<LineReceipt>,
    /// For every line.
    pub notice: &'static str,
    /// `prohibited`.
    #[schema(value_type = String, example = "prohibited")]
    pub onward_supply: &'static str,
}

/// The receipt of a line: the promise that the header `Medcredit-Disclosure` is for a single answer. It cannot stand in
/// the line itself, since the leaf is made from the line's digest.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LineReceipt {
    /// The disclosure.
    #[schema(example = "dis_06fzgvc5pqyd2m8s4tbn0xke71")]
    pub id: String,
    /// The leaf its entry will have in the tree, base64.
    #[schema(example = "OsTAMv/MHSJu1ZqM97BcovPifyeEoGCfTCGTRFZNggs=")]
    pub leaf: String,
    /// Until when it will be under a checkpoint.
    #[schema(value_type = String, example = "2026-04-01T01:02:05Z")]
    pub by: Timestamp,
}

impl LineReceipt {
    pub(super) fn new(entry: &Entry, by: Timestamp) -> Self {
        Self { id: entry.id().to_owned(), leaf: BASE64.encode(&entry.leaf()), by }
    }
}

impl Disclosures {
    /// Ends a page over lines whose records are durable: digest, entry, signature, and one commit more before its release.
    ///
    /// Nothing but the commit of every line has happened before: a crash here leaves records without an answer.
    pub(super) async fn close(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        delivery: &Delivery,
        told: Told,
        next: Option<ConsentId>,
    ) -> Result<Disclosed, Failure> {
        self.0.faults.at(Step::Render).await?;
        let (id, at) = (DisclosureId::new(&*self.0.env.clock, &*self.0.env.entropy), self.0.env.clock.now());
        let Told { lines: recorded, refused: without } = told;
        let mut lines = DeliveryLines::default();
        let mut receipts = Vec::with_capacity(recorded.len());
        for (receipt, line) in recorded.into_values() {
            receipts.push(receipt);
            lines.push(line);
        }
        let count = lines.count();
        let end = DeliveryEnd {
            delivery: id.to_string(),
            delivered_at: at,
            month: delivery.month,
            purpose: delivery.purpose,
            what: delivery.what.clone(),
            after: delivery.after.map(|after| cursor::write(caller.id(), delivery, after)),
            lines: count,
            refused: without,
            next: next.map(|last| cursor::write(caller.id(), delivery, last)),
            log: self.0.policy.log.clone(),
            receipts,
            notice: NOTICE,
            onward_supply: "prohibited",
        };
        let end = serde_json::to_vec(&end)
            .map_err(|error| Failure::internal(format!("a last line does not serialise: {error}")))?;
        let body = lines.finish(&end);
        let digest = content_digest(body.bytes());
        let facts = DeliveryFacts {
            id,
            at,
            client_id: caller.id(),
            purpose: delivery.purpose,
            what: delivery.what.iter().map(|part| part.permission()).collect(),
            month: delivery.month,
            lines: count,
            refused: without,
            content_digest: digest.clone(),
            interaction: asked.interaction_id.to_owned(),
        };
        let (entry, opening) =
            facts.into_entry(&*self.0.env.entropy).map_err(|error| Failure::internal(error.to_string()))?;
        let receipt = self.receipt(&entry, at)?;
        let keys = self.0.keys.load();
        let headers = signed_headers(asked, NDJSON, (digest, receipt), &*keys.answer, at)?;
        let (client_id, client_epoch) = (caller.id(), caller.client().epoch);
        let draft = DeliveryDraft { client_id, client_epoch, entry, opening, headers, body };
        match self.0.delivery_recorder.record(draft).await {
            Err(RecordError::Stale) => {
                // The client was ended while its delivery was made: it is told what its next request would be.
                self.0.access.refresh(caller).await?;
                Err(refused(RecordError::Stale, at))
            }
            Err(error) => Err(refused(error, at)),
            Ok(disclosed) => {
                // 8. Release.
                self.0.faults.at(Step::Release).await?;
                Ok(disclosed)
            }
        }
    }
}
