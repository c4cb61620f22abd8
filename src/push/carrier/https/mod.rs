//! Delivery over HTTPS: mutual TLS, signed JSON pages, one request a page.
//!
//! A page is `POST {url}/packages/{number}/pages/{page}` with a JSON object:
//!
//! ```json
//! {"platform": "city-credit", "package": 12, "dataset": "grades", "period": "2026-H1", "digest": "<SHA-256 of the package, hex>",
//!  "made_at": "2026-07-20T02:00:00Z", "rows_in_package": 2, "page": 1, "pages": 1,
//!  "rows": [{"record_id": "run:H33030200011", "version": 2, "operation": "U", "fields": {"PJDJ": "A", "...": "..."}}]}
//! ```
//!
//! - `fields` has the receiver's names in the receiver's order; every value is a string.
//! - `Content-Digest` (RFC 9530) covers the body, and the signature (RFC 9421, label `medcredit`, tag `medcredit-push`) covers
//!   method, URL, digest and `Idempotency-Key`. Keys are in the gateway's published key set, purpose `answer_signing`.
//! - Any 2xx acknowledges the page; `receipt_number` of a JSON answer is kept. 408, 409, 425, 429 and 5xx are tried again, after
//!   `Retry-After` if there is one; another 4xx is final; a redirect is a failure and never followed.
//!
//! `GET {url}/packages/{number}/receipts?after=...` answers `{"receipts": [{"record_id", "version", "verdict", "reason", "note"}],
//! "next": "..."}`, and `GET {url}/records?after=...` answers `{"records": [{"record_id", "version", "digest"}], "next": "..."}`;
//! without `next` the page is the last.
//!
//! Connections are made only to addresses in the platform's networks, without a proxy. Certificates and keys are read again
//! when their files change.

mod answer;
mod body;
mod client;
mod error;
mod networks;
mod url;

use std::sync::Arc;

use http::{Method, header};
use serde_json::Value;

use self::{
    answer::{Answered, acknowledged, listed},
    body::page_body,
    client::Clients,
    error::connection_failed,
    networks::AllowedResolver,
};
use super::{Answer, Carrier, Delivery, Failed, FailureReason, Held, Listed, PackageHead, RowReceipt, verdict::Entry};
use crate::{
    domain::clock::SharedClock,
    identity::{
        SharedSigner,
        signature::{
            content_digest,
            outgoing::{Outgoing, sign_outgoing},
        },
    },
    outbox::Receipt,
    push::platform::{AddressRefused, AllowedNetworks, HttpsSettings, PlatformUrl},
};

/// The signing key in force. Called for each request, because keys are rotated.
pub type CurrentSigner = Arc<dyn Fn() -> SharedSigner + Send + Sync>;

/// Carries packages to a platform over HTTPS.
pub struct Https {
    base: PlatformUrl,
    clients: Clients,
    signer: CurrentSigner,
    clock: SharedClock,
    largest_answer: usize,
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Https").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Https {
    /// A carrier to a platform. Refused where the host of its URL is an address outside its networks. Files are read at the
    /// first delivery.
    pub fn new(settings: HttpsSettings, signer: CurrentSigner, clock: SharedClock) -> Result<Self, AddressRefused> {
        let HttpsSettings { url: base, files, allow, connect_timeout, timeout, largest_answer, .. } = settings;
        let networks = AllowedNetworks::new(allow);
        networks.admit_url(&base)?;
        let clients = Clients::new(files, AllowedResolver(networks), (connect_timeout, timeout), clock.clone());
        Ok(Self { base, clients, signer, clock, largest_answer })
    }

    /// Sends a signed request, and reads the answer as far as it is allowed to be long.
    async fn send(&self, method: Method, target: &reqwest::Url, page: Option<Page>) -> Result<Answered, Failed> {
        let client = self.clients.current().await?;
        let digest = page.as_ref().map(|page| content_digest(&page.body));
        let key = page.as_ref().map(|page| format!("\"{}\"", page.key));
        let signed = Outgoing {
            method: method.as_str(),
            target_uri: target.as_str(),
            content_digest: digest.as_deref(),
            idempotency_key: key.as_deref(),
        };
        // The time of this attempt: a signature is good for a minute.
        let fields = sign_outgoing(&signed, &*(self.signer)(), self.clock.now()).map_err(|error| {
            Failed::passing(FailureReason::Signature, format!("the request could not be signed: {error}"))
        })?;
        let mut request = client
            .request(method, target.clone())
            .header(header::ACCEPT, "application/json")
            .header("signature-input", fields.input)
            .header("signature", fields.signature);
        if let (Some(page), Some(digest), Some(key)) = (page, digest, key) {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .header("content-digest", digest)
                .header("idempotency-key", key)
                .body(page.body);
        }
        let sent = request.send().await;
        let response = sent.map_err(|error| connection_failed(&error, &self.base))?;
        Answered::read(response, self.largest_answer, &self.base).await
    }

    async fn post_page(&self, of: &Delivery<'_>) -> Result<Receipt, Failed> {
        of.check()?;
        // A key in quotes is a string of structured fields: what would end the quotes cannot be in it.
        if of.key.is_empty() || !of.key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
            let why = format!("the idempotency key {:?} is not of printable ASCII without quotes", of.key);
            return Err(Failed::permanent(FailureReason::Page, why));
        }
        let page = Page { key: of.key.to_owned(), body: page_body(of)? };
        let target = url::page(&self.base, of.package.number, of.page)?;
        let answered = self.send(Method::POST, &target, Some(page)).await?;
        acknowledged(&answered, self.clock.now())
    }

    async fn list<T>(
        &self,
        target: &reqwest::Url,
        member: &'static str,
        read: fn(&Entry) -> Result<T, String>,
    ) -> Result<Listed<T>, Failed> {
        let answered = self.send(Method::GET, target, None).await?;
        // The same judgement of the status as for a page.
        acknowledged(&answered, self.clock.now())?;
        let Ok(value) = serde_json::from_slice::<Value>(&answered.body) else {
            return Err(answered.unreadable("it is not JSON"));
        };
        listed(&value, member, target.path(), read).map_err(|why| answered.unreadable(&why))
    }
}

/// A page as it is sent.
struct Page {
    key: String,
    body: Vec<u8>,
}

impl Carrier for Https {
    fn deliver<'a>(&'a self, of: &'a Delivery<'a>) -> Answer<'a, Receipt> {
        Box::pin(self.post_page(of))
    }

    fn receipts<'a>(&'a self, of: &'a PackageHead, after: Option<&'a str>) -> Answer<'a, Listed<RowReceipt>> {
        Box::pin(
            async move { self.list(&url::receipts(&self.base, of.number, after)?, "receipts", Entry::receipt).await },
        )
    }

    fn inventory<'a>(&'a self, after: Option<&'a str>) -> Answer<'a, Listed<Held>> {
        Box::pin(async move { self.list(&url::records(&self.base, after)?, "records", Entry::held).await })
    }
}
