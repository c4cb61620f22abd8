//! Compares what we say that a platform holds with what it says, record by record.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Deliveries;
use crate::{
    push::{PushError, carrier::Fault},
    store::push::rows,
};

/// How many of our records are read at a time.
const PAGE: i64 = 2_000;
/// The most differences that are listed; all are counted.
const LISTED: usize = 10_000;

/// A record that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    /// We say that it has the record, and it does not list it.
    Missing { record_id: String, version: i64 },
    /// It lists a record that it should not have.
    Surplus {
        record_id: String,
        version: i64,
        /// Whether we have withdrawn it; otherwise we never sent it.
        withdrawn: bool,
    },
    /// It has another version.
    Version { record_id: String, ours: i64, theirs: i64 },
    /// It has the same version with other fields.
    Content { record_id: String, version: i64 },
}

/// A comparison with a platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Records that we say it has.
    pub ours: u64,
    /// Records that it lists.
    pub theirs: u64,
    /// Records that are the same.
    pub same: u64,
    /// Records with an unanswered version: not compared.
    pub unanswered: u64,
    /// How many records differ.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
    /// Entries of the platform that cannot be read.
    #[serde(skip)]
    pub faults: Vec<Fault>,
}

/// What a platform lists about a record: version, and digest as bytes of hex, which is all that is kept.
type Listed = (i64, String);

impl Deliveries {
    /// Compares with what a platform lists. Records with a version that it has not answered yet are left out.
    pub async fn reconcile(&self, platform: &str) -> Result<Reconciliation, PushError> {
        let mut found = Reconciliation::default();
        let mut theirs = self.inventory(platform, &mut found).await?;
        let read = self.maker.env.db.read("push::newest_rows");
        let during = || PushError::store("reading what the platform was sent");
        let mut after = String::new();
        loop {
            let page = rows::newest(&read, platform, &after, PAGE).await.map_err(during())?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.record_id);
            for newest in page {
                let listed = theirs.remove(&newest.record_id);
                match newest.state.as_str() {
                    "open" | "recalled" => found.unanswered += 1,
                    "accepted" => found.compare(newest, listed),
                    // The platform refused the newest version: it should have the last one that it took.
                    _ => {
                        let all = rows::find(&read, platform, &newest.record_id).await.map_err(during())?;
                        match all.into_iter().rev().find(|row| row.state == "accepted") {
                            Some(accepted) => found.compare(accepted, listed),
                            None => found.surplus(newest.record_id, listed.as_ref(), false),
                        }
                    }
                }
            }
        }
        for (record, listed) in theirs {
            found.surplus(record, Some(&listed), false);
        }
        Ok(found)
    }

    /// Everything that the platform lists, by record.
    async fn inventory(
        &self,
        platform: &str,
        found: &mut Reconciliation,
    ) -> Result<BTreeMap<String, Listed>, PushError> {
        let carrier = &self.target(platform)?.carrier;
        let mut theirs = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = carrier.inventory(after.as_deref()).await;
            let page = page.map_err(|failed| PushError::Carrier { platform: platform.to_owned(), failed })?;
            for held in page.entries {
                found.theirs += 1;
                theirs.insert(held.record_id, (held.version, held.digest));
            }
            found.faults.extend(page.faults);
            let Some(next) = page.next else { return Ok(theirs) };
            after = Some(next);
        }
    }
}

impl Reconciliation {
    /// Compares the version that a platform should have with the one that it lists.
    fn compare(&mut self, ours: rows::SentRow, listed: Option<Listed>) {
        if ours.operation == "D" {
            return self.surplus(ours.record_id, listed.as_ref(), true);
        }
        self.ours += 1;
        let record_id = ours.record_id;
        match listed {
            None => self.differs(Difference::Missing { record_id, version: ours.version }),
            Some((theirs, _)) if theirs != ours.version => {
                self.differs(Difference::Version { record_id, ours: ours.version, theirs });
            }
            Some((version, digest)) if digest != ours.digest => {
                self.differs(Difference::Content { record_id, version });
            }
            Some(_) => self.same += 1,
        }
    }

    fn surplus(&mut self, record_id: String, listed: Option<&Listed>, withdrawn: bool) {
        if let Some(&(version, _)) = listed {
            self.differs(Difference::Surplus { record_id, version, withdrawn });
        }
    }

    fn differs(&mut self, difference: Difference) {
        self.different += 1;
        if self.differences.len() < LISTED {
            self.differences.push(difference);
        }
    }
}
