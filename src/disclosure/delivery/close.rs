//! The end of a page: its last line, its ledger entry, and its one signature.

use data_encoding::BASE64;
use serde::Serialize;

use super::{Delivery, DeliveryPart, RecordedLines, cursor};
use crate::{
    access::Caller,
    disclosure::{DataRequest, Disclosures, NOTICE, counted, refusal::refused, render::signed_headers},
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

/// The last line of a page: the request, the counts, the receipts of its lines, and where the next page begins. It names
/// no consent that has no line.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeliveryEnd {
    /// The page's own entry. Its receipt is the header `Medcredit-Disclosure`.
    #[schema(example = "dis_06fzgvc5pqyd2m8s4tbn0xke72")]
    pub delivery: String,
    /// The time of the page.
    #[schema(value_type = String, example = "2026-04-01T01:02:03Z")]
    pub delivered_at: Timestamp,
    /// The month delivered.
    #[schema(value_type = String, example = "2026-03")]
    pub month: Month,
    /// The purpose of the reading.
    pub purpose: Purpose,
    /// The parts requested.
    pub what: Vec<DeliveryPart>,
    /// The cursor in the request for this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The number of lines before this one.
    #[schema(example = 1)]
    pub lines: usize,
    /// The number of consents in force on this page that have no line. Neither their ids nor the reasons are given.
    #[schema(example = 0)]
    pub refused: usize,
    /// The cursor of the next page, to be sent as `after`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The log of all receipts.
    #[schema(example = "credit.example.gov.cn/ledger/1")]
    pub log: String,
    /// The receipt of each line, in the order of the lines.
    pub receipts: Vec<LineReceipt>,
    /// The notice, for every line.
    pub notice: &'static str,
    /// `prohibited`.
    #[schema(value_type = String, example = "prohibited")]
    pub onward_supply: &'static str,
}

/// The receipt of a line: the same promise as the header `Medcredit-Disclosure` of a single answer. It cannot be in the
/// line itself, since the leaf is computed from the line's digest.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LineReceipt {
    /// The disclosure that the line is.
    #[schema(example = "dis_06fzgvc5pqyd2m8s4tbn0xke71")]
    pub id: String,
    /// The leaf of its entry in the tree, base64.
    #[schema(example = "OsTAMv/MHSJu1ZqM97BcovPifyeEoGCfTCGTRFZNggs=")]
    pub leaf: String,
    /// The latest time at which a checkpoint covers it.
    #[schema(value_type = String, example = "2026-04-01T01:02:05Z")]
    pub by: Timestamp,
}

impl LineReceipt {
    pub(super) fn new(entry: &Entry, by: Timestamp) -> Self {
        Self { id: entry.id().to_owned(), leaf: BASE64.encode(&entry.leaf()), by }
    }
}

impl Disclosures {
    /// Ends a page of lines whose records are durable: digest, entry, signature, and one more commit before the release.
    ///
    /// A crash before that commit leaves records without an answer.
    pub(super) async fn close(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        delivery: &Delivery,
        recorded: RecordedLines,
        next: Option<ConsentId>,
    ) -> Result<Disclosed, Failure> {
        self.0.services.faults.at(Step::Render).await?;
        let (id, at) = (DisclosureId::new(&*self.0.env.clock, &*self.0.env.entropy), self.0.env.clock.now());
        let RecordedLines { lines: recorded, refused } = recorded;
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
            refused,
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
            refused,
            content_digest: digest.clone(),
            interaction: request.interaction_id.to_owned(),
        };
        let (entry, opening) =
            facts.into_entry(&*self.0.env.entropy).map_err(|error| Failure::internal(error.to_string()))?;
        let receipt = self.receipt(&entry, at)?;
        let keys = self.0.services.keys.load();
        let headers = signed_headers(request, NDJSON, digest, receipt, &*keys.answer, at)?;
        // The epoch under which the lines were recorded: after a revocation since then, the page is refused.
        let (client_id, client_epoch) = (caller.id(), caller.client().epoch);
        let draft = DeliveryDraft { client_id, client_epoch, entry, opening, headers, body };
        let released = u64::try_from(count).unwrap_or(u64::MAX);
        self.commit(caller, draft).await.inspect(|_| counted::released(counted::DELIVERY_LINE, released))
    }

    /// Commits the entry of a page (step 7), and releases the page (step 8).
    async fn commit(&self, caller: &Caller, draft: DeliveryDraft) -> Result<Disclosed, Failure> {
        match self.0.delivery_recorder.record(draft).await {
            Ok(disclosed) => {
                // A crash here leaves a recorded page that the bank never got; it requests the page again.
                self.0.services.faults.at(Step::Release).await?;
                Ok(disclosed)
            }
            Err(error) => {
                if error == RecordError::Stale {
                    // The client's access ended while its delivery was made. The refresh fails with the refusal that its
                    // next request would get.
                    self.0.services.access.refresh(caller).await?;
                }
                Err(refused(error, self.0.env.clock.now()))
            }
        }
    }
}
