//! A platform behind real TLS: the rules of [`TestPlatform`] over HTTP, with the faults of a network in between.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use medcredit::{
    domain::{Clock as _, Entropy as _, SeededEntropy, SystemClock},
    push::carrier::{Delivery, PackageHead, Row, Verdict},
};
use serde_json::{Value, json};

use super::TestPlatform;
use crate::push_carriers::sink::{Act, Received, Sink};

/// The entries of a page of its lists.
const PAGE: usize = 5_000;
/// One of so many pages meets a fault.
const ONE_IN: u8 = 8;

/// A platform with its listener.
pub struct Receiver {
    pub platform: TestPlatform,
    pub sink: Sink,
    /// How many faults pages have met.
    pub faults: Arc<AtomicUsize>,
    /// How many pages it takes; it hangs at the next one.
    pub gate: Arc<AtomicUsize>,
}

impl Receiver {
    /// Opens it. Its faults are the same in every run, for the same order of requests.
    pub async fn open(seed: u64) -> Self {
        let sink = Sink::open_at(SystemClock.now(), &["localhost"]).await;
        let platform = TestPlatform::default();
        let (faults, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(usize::MAX)));
        platform.lists_by(PAGE);
        let (chance, receiver, met, most) = (SeededEntropy::new(seed), platform.clone(), faults.clone(), gate.clone());
        sink.answers_by(move |request| {
            let is_page = request.method == "POST";
            if is_page && receiver.attempts() >= most.load(Ordering::SeqCst) {
                return Act::Hang;
            }
            answer(request, &receiver, &chance, &met)
        });
        Self { platform, sink, faults, gate }
    }
}

/// Answers a request: most as they should be, some by what networks and servers do.
fn answer(request: &Received, platform: &TestPlatform, chance: &SeededEntropy, faults: &AtomicUsize) -> Act {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let after = query.strip_prefix("after=");
    let parts: Vec<&str> = path.trim_start_matches("/credit/").split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["packages", _, "pages", _]) => {
            let mut bytes = [0; 2];
            chance.fill(&mut bytes);
            let fault = (bytes[0] % ONE_IN == 0).then_some(bytes[1] % 6);
            faults.fetch_add(usize::from(fault.is_some()), Ordering::SeqCst);
            // Before it is taken.
            match fault {
                Some(0) => return Act::status(500, None),
                Some(1) => return Act::status(429, Some(("retry-after", "1"))),
                Some(2) => return Act::Close,
                _ => {}
            }
            take(request, platform);
            // After it was taken: the gateway cannot know.
            match fault {
                Some(3) => Act::Half,
                Some(4) => Act::Close,
                Some(5) => Act::status(503, None),
                _ => Act::json(200, r#"{"receipt_number":"1"}"#),
            }
        }
        ("GET", ["packages", package, "receipts"]) => {
            let listed = platform.list_receipts(package.parse().unwrap(), after);
            let entries: Vec<_> = listed
                .entries
                .into_iter()
                .map(|entry| match entry.verdict {
                    Verdict::Accepted => {
                        json!({ "record_id": entry.record_id, "version": entry.version, "verdict": "accepted" })
                    }
                    Verdict::Rejected { reason, note } => json!({
                        "record_id": entry.record_id, "version": entry.version, "verdict": "rejected",
                        "reason": reason.code(), "note": note,
                    }),
                })
                .collect();
            Act::json(200, &json!({ "receipts": entries, "next": listed.next }).to_string())
        }
        ("GET", ["records"]) => {
            let after = after.map(|after| after.replace("%3A", ":"));
            let listed = platform.list_held(after.as_deref());
            let held = |held: medcredit::push::carrier::Held| json!({ "record_id": held.record_id, "version": held.version, "digest": held.digest });
            let records: Vec<_> = listed.entries.into_iter().map(held).collect();
            Act::json(200, &json!({ "records": records, "next": listed.next }).to_string())
        }
        other => panic!("an unexpected request: {other:?}"),
    }
}

/// Takes a page into the platform.
fn take(request: &Received, platform: &TestPlatform) {
    let page: Value = serde_json::from_slice(&request.body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows: Vec<Row> = page["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| Row {
            record_id: text(&row["record_id"]),
            version: row["version"].as_i64().unwrap(),
            operation: row["operation"].as_str().unwrap().parse().unwrap(),
            fields: row["fields"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.as_str().into(), text(value)))
                .collect(),
        })
        .collect();
    let package = PackageHead {
        platform: text(&page["platform"]),
        number: page["package"].as_i64().unwrap(),
        dataset: text(&page["dataset"]),
        period: text(&page["period"]),
        digest: text(&page["digest"]),
        made_at: page["made_at"].as_str().unwrap().parse().unwrap(),
        rows: page["rows_in_package"].as_u64().unwrap(),
        pages: u32::try_from(page["pages"].as_u64().unwrap()).unwrap(),
    };
    let number = u32::try_from(page["page"].as_u64().unwrap()).unwrap();
    let key = request.header("idempotency-key").trim_matches('"');
    platform.take(&Delivery { package: &package, page: number, key, rows: &rows }).unwrap();
}
