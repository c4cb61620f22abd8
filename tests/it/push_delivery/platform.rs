//! A platform of a test's own: it keeps what it takes by the rules of docs/CARRIERS.md, and fails when a test says so.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex},
};

use medcredit::{
    outbox::Receipt,
    push::{
        carrier::{
            Answer, Carrier, Delivery, Failed, FailureReason, Held, Listed, PackageHead, RejectReason, Row, RowReceipt,
            Verdict,
        },
        platform::Operation,
    },
};
use tokio::sync::Notify;

/// What the platform does with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing arrives.
    Refuse,
    /// It takes the page, and its answer is lost.
    LoseAnswer,
    /// It refuses the page for good.
    Final,
}

/// Which rows it rejects, and why.
pub type Rejects = fn(&Row) -> Option<RejectReason>;

#[derive(Default)]
struct State {
    held: BTreeMap<String, Row>,
    /// The pages that it took, by key.
    pages: BTreeMap<String, Vec<Row>>,
    receipts: BTreeMap<i64, Vec<RowReceipt>>,
    faults: VecDeque<Fault>,
    rejects: Option<Rejects>,
    attempts: usize,
    silent: bool,
    /// The entries of a page of receipts, and of a page of what it holds; a few where it is 0.
    page: usize,
    /// The attempt at which the gateway is killed, and whether the platform has taken the page by then.
    kill_at: Option<(usize, bool)>,
}

/// The platform. Clones are the same.
#[derive(Clone, Default)]
pub struct TestPlatform(Arc<Mutex<State>>, Arc<Notify>);

impl std::fmt::Debug for TestPlatform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestPlatform")
    }
}

impl TestPlatform {
    /// The next pages meet these faults.
    pub fn fails(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0.lock().unwrap().faults = faults.into_iter().collect();
    }

    /// It answers again.
    pub fn lives(&self) {
        self.0.lock().unwrap().kill_at = None;
    }

    pub fn rejects(&self, rejects: Option<Rejects>) {
        self.0.lock().unwrap().rejects = rejects;
    }

    /// Its lists have so many entries a page.
    pub fn lists_by(&self, entries: usize) {
        self.0.lock().unwrap().page = entries;
    }

    /// It gives no receipts.
    pub fn is_silent(&self, silent: bool) {
        self.0.lock().unwrap().silent = silent;
    }

    /// At the next attempt but some, it never answers: the test kills the gateway then.
    pub fn kills_after(&self, attempts: usize, taken: bool) {
        let mut state = self.0.lock().unwrap();
        state.kill_at = Some((state.attempts + 1 + attempts, taken));
    }

    /// Waits until the gateway is to be killed.
    pub async fn kill_time(&self) {
        self.1.notified().await;
    }

    pub fn attempts(&self) -> usize {
        self.0.lock().unwrap().attempts
    }

    /// What it shows: records that are not withdrawn, by record.
    pub fn shows(&self) -> BTreeMap<String, Row> {
        let state = self.0.lock().unwrap();
        let shown = state.held.iter().filter(|(_, row)| row.operation != Operation::Delete);
        shown.map(|(record, row)| (record.clone(), row.clone())).collect()
    }

    /// A record that it has, also a withdrawn one.
    pub fn row(&self, record: &str) -> Option<Row> {
        self.0.lock().unwrap().held.get(record).cloned()
    }

    /// Changes what it has, as somebody there could.
    pub fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Row>)) {
        change(&mut self.0.lock().unwrap().held);
    }

    /// Takes a page, unless it is to fail.
    pub fn take(&self, of: &Delivery<'_>) -> Result<Receipt, Failed> {
        let mut state = self.0.lock().unwrap();
        state.attempts += 1;
        let fault = state.faults.pop_front();
        match fault {
            Some(Fault::Refuse) => return Err(Failed::passing(FailureReason::Refused, "nothing listens")),
            Some(Fault::Final) => return Err(Failed::permanent(FailureReason::Status, "422: refused")),
            Some(Fault::LoseAnswer) | None => {}
        }
        if let Some(former) = state.pages.get(of.key) {
            assert_eq!(former, of.rows, "the same key has the same rows");
        } else {
            state.pages.insert(of.key.to_owned(), of.rows.to_vec());
            for row in of.rows {
                state.decide(of.package.number, row);
            }
        }
        match fault {
            Some(_) => Err(Failed::passing(FailureReason::Timeout, "no answer")),
            None => Ok(Receipt { status: Some(200), ..Receipt::default() }),
        }
    }
}

impl TestPlatform {
    /// A page of its receipts for a package.
    pub fn list_receipts(&self, package: i64, after: Option<&str>) -> Listed<RowReceipt> {
        let state = self.0.lock().unwrap();
        let all = if state.silent { None } else { state.receipts.get(&package) };
        let all = all.map(Vec::as_slice).unwrap_or_default();
        let most = if state.page == 0 { 7 } else { state.page };
        let from: usize = after.map_or(0, |after| after.parse().unwrap());
        let page = all.get(from..).unwrap_or_default();
        let next = (page.len() > most).then(|| (from + most).to_string());
        Listed { entries: page.iter().take(most).cloned().collect(), faults: Vec::new(), next }
    }

    /// A page of what it holds.
    pub fn list_held(&self, after: Option<&str>) -> Listed<Held> {
        let state = self.0.lock().unwrap();
        let most = if state.page == 0 { 5 } else { state.page };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let held = state.held.range::<str, _>((from, Bound::Unbounded)).map(|(_, row)| row);
        let shown = held.filter(|row| row.operation != Operation::Delete).take(most);
        let entries: Vec<Held> = shown
            .map(|row| Held { record_id: row.record_id.clone(), version: row.version, digest: row.digest() })
            .collect();
        let next = (entries.len() == most).then(|| entries[most - 1].record_id.clone());
        Listed { entries, faults: Vec::new(), next }
    }
}

impl State {
    fn decide(&mut self, package: i64, row: &Row) {
        let former = self.held.get(&row.record_id);
        // A correction never overtakes what it corrects.
        assert!(former.is_none_or(|former| former.version < row.version), "{row:?} after {former:?}");
        let stands = former.is_some_and(|former| former.operation != Operation::Delete);
        let reason = self.rejects.and_then(|rejects| rejects(row)).or({
            match row.operation {
                Operation::Insert if stands => Some(RejectReason::Duplicate),
                Operation::Update | Operation::Delete if !stands => Some(RejectReason::NoOriginal),
                _ => None,
            }
        });
        let verdict = match reason {
            Some(reason) => Verdict::Rejected { reason, note: Some("见说明".into()) },
            None => {
                self.held.insert(row.record_id.clone(), row.clone());
                Verdict::Accepted
            }
        };
        let receipt = RowReceipt { record_id: row.record_id.clone(), version: row.version, verdict };
        let receipts = self.receipts.entry(package).or_default();
        // Duplicated and out of order, as platforms do.
        receipts.insert(0, receipt.clone());
        receipts.push(receipt);
    }
}

impl Carrier for TestPlatform {
    fn deliver<'a>(&'a self, of: &'a Delivery<'a>) -> Answer<'a, Receipt> {
        Box::pin(async move {
            let kill = {
                let state = self.0.lock().unwrap();
                state.kill_at.filter(|(at, _)| state.attempts + 1 >= *at)
            };
            let Some((_, taken)) = kill else { return self.take(of) };
            if taken {
                let _ = self.take(of);
            }
            self.1.notify_one();
            std::future::pending().await
        })
    }

    fn receipts<'a>(&'a self, of: &'a PackageHead, after: Option<&'a str>) -> Answer<'a, Listed<RowReceipt>> {
        Box::pin(async move { Ok(self.list_receipts(of.number, after)) })
    }

    fn inventory<'a>(&'a self, after: Option<&'a str>) -> Answer<'a, Listed<Held>> {
        Box::pin(async move { Ok(self.list_held(after)) })
    }
}
