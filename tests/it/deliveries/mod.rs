//! `POST /v1/deliveries`: a month of every consent of a bank, line by line.

mod breaking;
mod lines;
mod pages;
mod refusals;

use medcredit::{
    identity::signature::{Covered, RequestFacts, SignatureFields, content_digest, verify},
    ledger::Receipt,
};
use serde_json::{Value, json};

use crate::support::app::{Bank, Reply, TestApp};

/// Quotas that no test reaches, and small pages.
const SMALL_PAGES: &str = "[limits]\nburst = { quota = 100000, window_seconds = 1 }\nsustained = { quota = 100000, window_seconds = 60 }\n[disclosure]\ndelivery_consents = 200";

/// A page as a bank parses it.
#[derive(Debug)]
struct Page {
    reply: Reply,
    /// The lines' bytes, without newlines and without the last.
    raw: Vec<Vec<u8>>,
    lines: Vec<Value>,
    end: Value,
}

impl Page {
    fn of(reply: Reply) -> Self {
        assert_eq!(reply.status, 200, "{:?}", reply.json);
        assert_eq!(reply.headers["content-type"], "application/x-ndjson");
        let text = reply.bytes.strip_suffix(b"\n").expect("every line ends in a newline");
        let mut raw: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let end: Value = serde_json::from_slice(&raw.pop().unwrap()).unwrap();
        let lines: Vec<Value> = raw.iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
        assert_eq!(end["lines"], lines.len());
        assert_eq!(end["receipts"].as_array().unwrap().len(), lines.len());
        assert!(lines.iter().map(|line| line["consent"].as_str().unwrap()).is_sorted());
        Self { reply, raw, lines, end }
    }

    fn consents(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line["consent"].as_str().unwrap()).collect()
    }

    fn next(&self) -> Option<&str> {
        self.end["next"].as_str()
    }

    fn counts(&self) -> (usize, u64) {
        (self.lines.len(), self.end["refused"].as_u64().unwrap())
    }
}

/// The request of a loan department: all parts of March.
fn request_body() -> Value {
    json!({ "month": "2026-02", "purpose": "pre_loan_review" })
}

async fn ask(bank: &Bank, token: &str, body: &Value) -> Reply {
    bank.post(token, "/v1/deliveries", body).await
}

async fn deliver(bank: &Bank, token: &str, body: &Value) -> Page {
    Page::of(ask(bank, token, body).await)
}

/// Checks what a bank can check with only the page and the published key: digest, signature, receipts.
fn verify_page(app: &TestApp, bank: &Bank, page: &Page, request_digest: Option<&str>) -> Receipt {
    let headers = &page.reply.headers;
    assert_eq!(headers["content-digest"], content_digest(&page.reply.bytes));
    let fields = SignatureFields { input: headers["signature-input"].clone(), signature: headers["signature"].clone() };
    let uri = bank.url("/v1/deliveries");
    let covered = Covered {
        status: 200,
        content_digest: &headers["content-digest"],
        interaction_id: &headers["x-fapi-interaction-id"],
        disclosure: &headers["medcredit-disclosure"],
        request: RequestFacts { method: "POST", target_uri: &uri, digest: request_digest, signature: None },
    };
    let keys = app.app.keys.load();
    let key = keys.answer.public_key();
    verify(&covered, &fields, key.key_id(), key.suite(), key.der()).unwrap();
    let receipt = Receipt::parse(&headers["medcredit-disclosure"]).unwrap();
    assert_eq!(page.end["delivery"], receipt.id);
    for (line, of) in page.lines.iter().zip(page.end["receipts"].as_array().unwrap()) {
        assert_eq!(line["disclosure"], of["id"]);
    }
    receipt
}

/// The number of ledger entries of a type.
async fn entries(app: &TestApp, kind: &str) -> i64 {
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM ledger_entries WHERE type = $1";
    let (count,): (i64,) = app.store.db.read("test").fetch_one(sql, vec![kind.into()]).await.unwrap();
    count
}
