//! A package while it is made: rows by lane, pages in the store, and at last the frozen package.

use serde_json::{Value, json};

use super::{
    Maker, PageBody, StoredRow,
    lanes::Lanes,
    occasions::Occasion,
    plan::{Cause, MadePackage},
};
use crate::{
    domain::{Actor, Timestamp, canonical::canonical, ids::PackageId},
    ledger::{self, Action, Change},
    outbox,
    push::{
        PushError,
        carrier::FieldsDigester,
        detached::sign,
        manifest::sha256,
        platform::{Operation, Platform},
    },
    store::{
        Tx,
        push::{
            packages::{self, Frozen, NewPackage, NewPage},
            rows,
        },
    },
};

/// The topic of outbox items with a page.
const TOPIC: &str = "push.page";
/// The format of the manifest.
const FORMAT: &str = "medcredit-package/2";

/// The lock under which the rows that a platform was sent change. Without it, answers and a package that replaces the same rows would
/// wait for each other's rows on PostgreSQL, and one of them would be ended as a deadlock.
pub fn lock_of(platform: &str) -> String {
    format!("push {platform}")
}

/// The target of a platform's outbox items.
pub fn target(platform: &str) -> String {
    format!("platform:{platform}")
}

/// What a package is about.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) cause: Cause,
    /// `grades` or `usage`.
    pub(super) dataset: &'static str,
    /// The platform's code of the data set.
    pub(super) receiver_set: String,
    pub(super) kind: Option<String>,
    pub(super) scheme: Option<String>,
    pub(super) period: String,
    pub(super) run: Option<String>,
    /// What else the manifest says about where the rows come from.
    pub(super) origin: Value,
}

/// A row to send.
#[derive(Debug)]
pub(super) struct NewRow {
    pub(super) record_id: String,
    pub(super) version: i64,
    pub(super) operation: Operation,
    pub(super) code: Option<String>,
    pub(super) fields: Vec<(String, String)>,
    /// The digest of the fields without version and operation.
    pub(super) content: String,
}

/// A package while it is made.
pub(super) struct Draft<'m> {
    maker: &'m Maker,
    platform: &'m Platform,
    actor: &'m Actor,
    head: Head,
    id: PackageId,
    made_at: Timestamp,
    lanes: Lanes,
    /// The rows of each lane that are not in a page yet.
    waiting: Vec<Vec<NewRow>>,
    pages: i64,
    rows: u64,
}

impl<'m> Draft<'m> {
    pub(super) fn new(maker: &'m Maker, platform: &'m Platform, actor: &'m Actor, head: Head) -> Self {
        let lanes = Lanes::of(platform);
        let id = PackageId::new(&*maker.env.clock, &*maker.env.entropy);
        let waiting = (0..lanes.number).map(|_| Vec::new()).collect();
        Self { maker, platform, actor, head, id, made_at: maker.env.now(), lanes, waiting, pages: 0, rows: 0 }
    }

    /// Adds a row; a full page goes to the store.
    pub(super) async fn add(&mut self, row: NewRow) -> Result<(), PushError> {
        let lane = self.lanes.lane(&row.record_id);
        self.rows += 1;
        let Some(waiting) = self.waiting.get_mut(lane) else { return Ok(()) };
        waiting.push(row);
        if waiting.len() >= self.lanes.page_rows {
            let rows = std::mem::take(waiting);
            self.store(lane, rows).await?;
        }
        Ok(())
    }

    /// Stores a page with its rows.
    async fn store(&mut self, lane: usize, rows: Vec<NewRow>) -> Result<(), PushError> {
        let during = || PushError::store("storing a page");
        let (id, platform) = (self.id.to_string(), self.platform.id.as_str());
        let mut digester = FieldsDigester::default();
        let stored: Vec<_> = rows
            .iter()
            .map(|row| {
                let NewRow { record_id, version, operation, code, fields, content } = row;
                let digest = digester.digest(fields);
                json!([record_id, version, code, operation.as_str(), content, digest])
            })
            .collect();
        let names = rows.first().map(|row| row.fields.iter().map(|(name, _)| name.clone()).collect());
        let number = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let body = PageBody {
            names: names.unwrap_or_default(),
            rows: rows
                .into_iter()
                .map(|row| {
                    let texts = row.fields.into_iter().map(|(_, text)| text).collect();
                    StoredRow(row.record_id, row.version, row.operation, texts)
                })
                .collect(),
        };
        let body = serde_json::to_string(&body).map_err(|error| PushError::Form(error.to_string()))?;
        let page = self.pages + 1;
        let mut tx = self.maker.env.db.begin("push::store_page").await.map_err(during())?;
        if page == 1 {
            let by = self.actor.name();
            packages::insert(&mut tx, self.new_package(&id, &by)).await.map_err(during())?;
        }
        let new = NewPage {
            package_id: &id,
            page,
            lane: i64::try_from(lane).unwrap_or_default(),
            rows: number,
            body: &body,
            digest: &sha256(body.as_bytes()),
        };
        packages::insert_page(&mut tx, new).await.map_err(during())?;
        rows::insert(&mut tx, platform, &id, page, Value::from(stored).to_string()).await.map_err(during())?;
        tx.commit().await.map_err(during())?;
        self.pages = page;
        Ok(())
    }

    fn new_package<'a>(&'a self, id: &'a str, made_by: &'a str) -> NewPackage<'a> {
        let days = self.maker.tables.answer_days;
        let days = if matches!(self.head.cause, Cause::Correction) { days.correction } else { days.other };
        NewPackage {
            id,
            platform: &self.platform.id,
            cause: self.head.cause.as_str(),
            dataset: self.head.dataset,
            receiver_set: &self.head.receiver_set,
            kind: self.head.kind.as_deref(),
            scheme: self.head.scheme.as_deref(),
            period: &self.head.period,
            run_id: self.head.run.as_deref(),
            definition: &self.platform.digest,
            made_at: self.made_at,
            made_by,
            due_at: self.made_at.plus(std::time::Duration::from_hours(24 * u64::from(days))),
        }
    }

    /// Freezes the package; none where it has no rows. What the schedule made is noted in the same transaction.
    pub(super) async fn freeze(mut self, occasion: Option<&Occasion>) -> Result<Option<MadePackage>, PushError> {
        for lane in 0..self.waiting.len() {
            let rows = self.waiting.get_mut(lane).map(std::mem::take).unwrap_or_default();
            if !rows.is_empty() {
                self.store(lane, rows).await?;
            }
        }
        let during = || PushError::store("freezing the package");
        let env = &self.maker.env;
        let (platform, id) = (self.platform.id.as_str(), self.id.to_string());
        if self.pages == 0 {
            if let Some(occasion) = occasion {
                let mut tx = env.db.begin("push::nothing_due").await.map_err(during())?;
                self.set_made(&mut tx, occasion).await?;
                tx.commit().await.map_err(during())?;
            }
            return Ok(None);
        }
        // Before the transaction, which then holds its locks for a few statements only.
        let digests = packages::page_digests(&env.db.read("push::page_digests"), &id).await.map_err(during())?;
        let digest = sha256(digests.concat().as_bytes());
        let lanes = packages::lanes(&env.db.read("push::lanes"), &id).await.map_err(during())?;
        let mut tx = env.db.begin("push::freeze").await.map_err(during())?;
        tx.lock_names(&[lock_of(platform)]).await.map_err(during())?;
        let number = packages::next_number(&mut tx, platform).await.map_err(during())?;
        let manifest = self.manifest(number, &digest)?;
        let signature = sign(&*(self.maker.signer)(), manifest.as_bytes()).map_err(PushError::Key)?;
        let pages = i64::try_from(lanes.len()).unwrap_or(i64::MAX);
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        let frozen = Frozen { number, rows, pages, digest: &digest, manifest: &manifest, signature: &signature };
        if !packages::freeze(&mut tx, &id, frozen).await.map_err(during())? {
            return Err(PushError::Form(format!("the package {id} was discarded by another process")));
        }
        rows::resolve_former(&mut tx, &id, self.made_at).await.map_err(during())?;
        self.record(&mut tx, number, &manifest, &digest).await?;
        self.enqueue(&mut tx, &id, &lanes).await?;
        if let Some(occasion) = occasion {
            self.set_made(&mut tx, occasion).await?;
        }
        tx.commit().await.map_err(during())?;
        let pages = u64::try_from(pages).unwrap_or_default();
        Ok(Some(MadePackage { id: self.id, number, rows: self.rows, pages, digest }))
    }

    /// Notes that the schedule's occasion is done.
    async fn set_made(&self, tx: &mut Tx, occasion: &Occasion) -> Result<(), PushError> {
        let (platform, occasion) = (&self.platform.id, occasion.to_string());
        let set = packages::set_made(tx, platform, self.head.dataset, &occasion, self.made_at).await;
        set.map_err(PushError::store("noting what the schedule made"))
    }

    /// An outbox item for each page.
    async fn enqueue(&self, tx: &mut Tx, id: &str, lanes: &[(i64, i64)]) -> Result<(), PushError> {
        let during = || PushError::store("queueing the pages");
        let items: Vec<[String; 3]> = lanes
            .iter()
            .map(|(page, lane)| {
                let body = json!({ "package": id, "page": page }).to_string();
                [format!("lane {lane}"), format!("{id}/{page}"), body]
            })
            .collect();
        let target = target(&self.platform.id);
        let queued = outbox::enqueue_all(tx, &self.maker.env, (&target, TOPIC), &items).await.map_err(during())?;
        let pairs: Vec<_> = lanes.iter().zip(queued).map(|((page, _), item)| json!([page, item])).collect();
        packages::set_items(tx, id, Value::from(pairs).to_string()).await.map_err(during())
    }

    /// The manifest, canonical: a reader that writes it again gets the bytes that were signed.
    fn manifest(&self, number: i64, digest: &str) -> Result<String, PushError> {
        let Head { cause, dataset, receiver_set, kind, scheme, period, run, origin } = &self.head;
        let manifest = json!({
            "format": FORMAT,
            "id": self.id,
            "platform": self.platform.id,
            "platform_sha256": self.platform.digest,
            "number": number,
            "cause": cause,
            "dataset": dataset,
            "receiver_dataset": receiver_set,
            "kind": kind,
            "scheme": scheme,
            "period": period,
            "run": run,
            "origin": origin,
            "made_at": self.made_at,
            "rows": self.rows,
            "pages": self.pages,
            "digest": digest,
        });
        canonical(&manifest).map_err(|error| PushError::Form(error.0))
    }

    /// The entry in the ledger, before anything can leave (I1).
    async fn record(&self, tx: &mut Tx, number: i64, manifest: &str, digest: &str) -> Result<(), PushError> {
        let detail = json!({
            "platform": self.platform.id,
            "number": number,
            "cause": self.head.cause,
            "dataset": self.head.dataset,
            "period": self.head.period,
            "run": self.head.run,
            "rows": self.rows,
            "digest": digest,
            "manifest_sha256": sha256(manifest.as_bytes()),
        });
        let (env, id) = (&self.maker.env, self.id.to_string());
        let recorded = ledger::audit(tx, env, self.actor, Action::PackageMade, Some(&id), Change::of(detail)).await;
        recorded.map(drop).map_err(PushError::Ledger)
    }
}
