//! The receipt of a consent (C8): its current record and its history, for the bank that holds it.
//!
//! The members follow the record of ISO/IEC TS 27560: header, subject, processing, parties, and the provenance of events.
//! The receipt is signed as a JWS, so it can be verified years later with only the published key.

use serde::Serialize;

use super::{Consent, ConsentState, Consents};
use crate::{
    domain::{Failure, Timestamp, permission::Permission, permission::Purpose},
    store::consents::{self, EventRow},
};

/// The `typ` in the header of the JWS.
pub const RECEIPT_TYPE: &str = "consent-receipt+jwt";

/// A consent's receipt.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// The version of this format.
    pub schema_version: &'static str,
    /// The id of the consent.
    pub record_id: String,
    /// The version of the consent.
    pub record_version: i64,
    /// The issuer of the receipt.
    pub iss: String,
    /// The time of issue, in seconds since the epoch.
    pub iat: i64,
    /// The state of the consent at that time.
    pub state: ConsentState,
    pub principal: Principal,
    pub processing: Processing,
    pub recipient: Recipient,
    pub notice: Notice,
    /// The events, oldest first.
    pub events: Vec<Provenance>,
}

/// The subject of a consent.
#[derive(Debug, Clone, Serialize)]
pub struct Principal {
    /// The unified social credit code of the legal entity.
    pub uscc: String,
    /// The medical-insurance codes that the consent covers.
    pub codes: Vec<String>,
}

/// The data processed, the purposes and the limits.
#[derive(Debug, Clone, Serialize)]
pub struct Processing {
    /// Always `consent` (PIPL art. 13(1), 23).
    pub lawful_basis: &'static str,
    pub purposes: Vec<Purpose>,
    /// The permissions of the consent.
    pub data: Vec<Permission>,
    /// The first and the last month of data.
    pub data_period: [String; 2],
    /// The time of the grant.
    pub valid_from: Option<Timestamp>,
    pub valid_until: Timestamp,
    /// The most fetches in total, and in a day.
    pub limits: [Option<i64>; 2],
    /// The country where the data is stored.
    pub jurisdiction: &'static str,
    /// How the consent can be withdrawn.
    pub withdrawal: &'static str,
    /// Whether the bank may pass the data on.
    pub onward_supply: &'static str,
}

/// The recipient of the data.
#[derive(Debug, Clone, Serialize)]
pub struct Recipient {
    /// The id of the bank.
    pub client_id: String,
    /// The name of the bank.
    pub name: String,
    /// The bank's name for its product.
    pub product: String,
}

/// The text that was signed.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// The SHA-256 of the text, in hex.
    pub sha256: Option<String>,
    /// The version of the text.
    pub version: Option<String>,
    /// The capacity of the person who signed.
    pub signer: Option<String>,
}

/// One event in the history of a consent.
#[derive(Debug, Clone, Serialize)]
pub struct Provenance {
    /// The version of the consent after the event.
    pub version: i64,
    pub event: String,
    pub at: Timestamp,
    /// The channel through which it was decided.
    pub channel: String,
    /// The SHA-256 of the evidence, in hex.
    pub evidence_sha256: Option<String>,
}

impl From<EventRow> for Provenance {
    fn from(row: EventRow) -> Self {
        // Not the actor: the bank need not know who acted inside the bureau. The ledger has it.
        Self {
            version: row.version,
            event: row.event,
            at: Timestamp::from_micros(row.at),
            channel: row.channel,
            evidence_sha256: row.evidence_sha256,
        }
    }
}

impl Consents {
    /// Makes the receipt of a consent in its current state.
    pub async fn receipt(&self, consent: &Consent, recipient_name: &str, issuer: &str) -> Result<Receipt, Failure> {
        let events = consents::events(&self.env.db, &consent.id.to_string()).await?;
        // One instant for state and time of issue, so that they cannot contradict each other.
        let now = self.env.clock.now();
        Ok(Receipt {
            schema_version: "medcredit-consent-receipt-1",
            record_id: consent.id.to_string(),
            record_version: consent.version,
            iss: issuer.to_owned(),
            iat: now.seconds(),
            state: consent.state_at(now),
            principal: Principal { uscc: consent.uscc.clone(), codes: consent.codes.clone() },
            processing: Processing {
                lawful_basis: "consent",
                purposes: consent.purposes.clone(),
                data: consent.permissions.clone(),
                data_period: [consent.data_from.to_string(), consent.data_to.to_string()],
                valid_from: consent.granted_at,
                valid_until: consent.expires_at,
                limits: [consent.max_fetches, consent.daily_budget],
                jurisdiction: "CN",
                withdrawal: "at any time, in one step, by the subject at the bureau or by the bank over this API",
                onward_supply: "prohibited",
            },
            recipient: Recipient {
                client_id: consent.client.to_string(),
                name: recipient_name.to_owned(),
                product: consent.product.clone(),
            },
            notice: Notice {
                sha256: consent.row.text_sha256.clone(),
                version: consent.row.text_version.clone(),
                signer: consent.row.signer.clone(),
            },
            events: events.into_iter().map(Provenance::from).collect(),
        })
    }
}
