//! The receipt of a consent (C8): the record as it stands, with its history, for whoever it was given to.
//!
//! Its members follow ISO/IEC TS 27560's record: header, subject, processing, parties, and the provenance of events. It is
//! signed as a JWS, so that it can be verified years later with nothing but the published key.

use serde::Serialize;

use super::{Consent, ConsentState, Consents};
use crate::{
    domain::{Failure, Timestamp, permission::Permission, permission::Purpose},
    store::consents::{self, EventRow},
};

/// The media type in the JWS's header.
pub const RECEIPT_TYPE: &str = "consent-receipt+jwt";

/// A consent's receipt.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// The version of this form.
    pub schema_version: &'static str,
    /// The consent.
    pub record_id: String,
    /// Its version.
    pub record_version: i64,
    /// Who issues the receipt.
    pub iss: String,
    /// When it was made, in seconds.
    pub iat: i64,
    /// Where the consent stands at that moment.
    pub state: ConsentState,
    /// Whom it concerns.
    pub principal: Principal,
    /// What is processed, what for, and for how long.
    pub processing: Processing,
    /// Who receives.
    pub recipient: Recipient,
    /// What was signed.
    pub notice: Notice,
    /// What happened, oldest first.
    pub events: Vec<Provenance>,
}

/// Whom a consent concerns.
#[derive(Debug, Clone, Serialize)]
pub struct Principal {
    /// The legal entity.
    pub uscc: String,
    /// The codes covered.
    pub codes: Vec<String>,
}

/// What is processed.
#[derive(Debug, Clone, Serialize)]
pub struct Processing {
    /// Always consent (PIPL art. 13(1), 23).
    pub lawful_basis: &'static str,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// Which data.
    pub data: Vec<Permission>,
    /// First and last month of data.
    pub data_period: [String; 2],
    /// When it came into force.
    pub valid_from: Option<Timestamp>,
    /// When it ends.
    pub valid_until: Timestamp,
    /// The most readings in all and in a day.
    pub limits: [Option<i64>; 2],
    /// Where data is kept.
    pub jurisdiction: &'static str,
    /// How it is withdrawn.
    pub withdrawal: &'static str,
    /// Whether it may be handed on.
    pub onward_supply: &'static str,
}

/// Who receives.
#[derive(Debug, Clone, Serialize)]
pub struct Recipient {
    /// The bank.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// Its product.
    pub product: String,
}

/// What was signed.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// SHA-256 of the text, hex.
    pub sha256: Option<String>,
    /// Which version of the text.
    pub version: Option<String>,
    /// Who signed.
    pub signer: Option<String>,
}

/// One event.
#[derive(Debug, Clone, Serialize)]
pub struct Provenance {
    /// The version it made.
    pub version: i64,
    /// What happened.
    pub event: String,
    /// When.
    pub at: Timestamp,
    /// By which way.
    pub channel: String,
    /// The evidence's SHA-256, hex.
    pub evidence_sha256: Option<String>,
}

impl From<EventRow> for Provenance {
    fn from(row: EventRow) -> Self {
        // Who acted inside the bureau is not the bank's to know: the ledger has it.
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
    /// The receipt of a consent, as it stands now.
    pub async fn receipt(&self, consent: &Consent, recipient_name: &str, issuer: &str) -> Result<Receipt, Failure> {
        let events = consents::events(&self.env.db, &consent.id.to_string()).await?;
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
