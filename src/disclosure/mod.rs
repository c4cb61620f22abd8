//! What banks call for data: the one place that joins consent, grades, settlements and ledger.
//!
//! The disclosure cycle has eight steps, and docs/DISCLOSURE-CYCLE.md explains them under the same numbers. Steps 1 (caller)
//! and 2 (limits) are done where the request comes in, by `http`. This room does 3 (permit), 4 (read) and 5 (render). The
//! ledger does 6 (append), 7 (commit) and 8 (release): nothing leaves this room but a [`Disclosed`], which only the ledger
//! makes, after the commit.
//!
//! A kind of data answer is a [`Reading`], one file each; `delivery` is the cycle for a page of consents.

mod cache;
mod counted;
mod delivery;
mod draft;
mod grade;
mod grade_history;
mod reading;
mod refusal;
mod render;
mod report;
mod scorecard;
mod settlements;
mod small_cells;

use std::sync::Arc;

use http::HeaderValue;
use tokio::sync::Semaphore;

pub use delivery::{DeliveryEnd, DeliveryLine, DeliveryPart, LineReceipt, PageRequest};
pub use grade::{CodeGrade, Grade, GradeAnswer, GradeTotal, GradeView};
pub use grade_history::{CodeHistory, FormerGrade, GradeHistory, GradeHistoryAnswer};
pub use reading::{Reading, RequestedPeriod};
pub use report::{Report, ReportAnswer, ReportSections, SectionState};
pub use scorecard::{CodeScorecard, LevelTotal, ModelView, Scorecard, ScorecardAnswer};
pub use settlements::{Amounts, CodeSettlements, SettlementMonth, SettlementTotal, Settlements, SettlementsAnswer};
pub use small_cells::SmallCells;

use crate::{
    access::{Access, Caller},
    consent::{ConsentPermit, Consents, PermitRequest},
    domain::{Failure, Timestamp, ids::DisclosureId, permission::Permission},
    grading::{Archive, GoodStanding, Grades},
    identity::{keyset::LiveKeys, signature::RequestFacts},
    ledger::{DeliveryRecorder, Disclosed, Draft, Entry, Faults, Receipt, RecordError, Recorder, Step},
    store::Env,
};
use cache::{CacheKey, ReadingCache};
use draft::DisclosureDraft;
use reading::{CachedReading, CurrentGrades, Extent};
use refusal::{refused, require_entity};
use render::Rendered;

/// The notice in every data answer.
pub const NOTICE: &str = "政务信息,供参考。仅限本次授权目的使用,不得向第三方提供。(Government information, for reference. For the consented purpose only; onward supply is prohibited.)";

/// The settings of data answers.
#[derive(Debug, Clone)]
pub struct DisclosurePolicy {
    /// The counts below which settlements are suppressed.
    pub small_cells: SmallCells,
    /// Grades, by scheme, that are good standing: settlements are disclosed for no others.
    pub good_standing: GoodStanding,
    /// The log's origin, as receipts name it.
    pub log: String,
    /// Receipts promise sealing within this time.
    pub sealed_within: std::time::Duration,
    /// The most consents in one page of a delivery.
    pub delivery_consents: usize,
}

/// The rooms that a disclosure joins.
#[derive(Debug, Clone)]
pub struct Services {
    /// Authenticates callers, and checks them again when something changed.
    pub access: Access,
    /// Makes the permits.
    pub consents: Consents,
    /// The keys that sign answers.
    pub keys: LiveKeys,
    /// Appends and commits the records.
    pub recorder: Recorder,
    /// Faults that tests inject between the steps.
    pub faults: Faults,
}

/// The entry point of the room.
#[derive(Debug, Clone)]
pub struct Disclosures(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    env: Env,
    services: Services,
    grades: Grades,
    archive: Archive,
    delivery_recorder: DeliveryRecorder,
    /// Bounds the pages of deliveries that are made at one time.
    delivery_pages: Semaphore,
    policy: DisclosurePolicy,
    cache: ReadingCache,
}

/// A request for data under one consent.
#[derive(Debug, Clone, Copy)]
pub struct DataRequest<'a> {
    /// The consent in the path.
    pub unverified_consent: &'a str,
    /// The purpose, if the request names one.
    pub purpose: Option<&'a str>,
    /// The parts of the HTTP request that the answer's signature covers: method, target, its digest and its signature.
    pub request: RequestFacts<'a>,
    /// The value of `x-fapi-interaction-id`.
    pub interaction_id: &'a str,
}

/// The outcome of one attempt to record an answer.
#[expect(clippy::large_enum_variant, reason = "it is matched where it is made, and a box would cost every answer")]
enum Attempt {
    /// The record is durable.
    Disclosed(Disclosed),
    /// A version moved between reading and append: nothing is recorded, and reading again may help.
    Stale,
}

impl Disclosures {
    /// Opens the room.
    pub fn open(env: Env, services: Services, policy: DisclosurePolicy) -> Self {
        Self(Arc::new(Inner {
            grades: Grades::new(env.db.clone()),
            archive: Archive::new(env.db.clone()),
            delivery_recorder: services.recorder.of_deliveries(env.db.clone(), services.faults.clone()),
            delivery_pages: Semaphore::new(delivery::MAX_PAGES),
            cache: ReadingCache::new(),
            env,
            services,
            policy,
        }))
    }

    /// Steps 3 to 8, first from the cache. When a version moved between reading and append, everything is read from the
    /// tables and rendered again; when one moves then too, once more; after that the answer is 503.
    pub async fn disclose<R: Reading>(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        reading: R,
    ) -> Result<Disclosed, Failure> {
        self.0.services.recorder.require_current()?;
        // Before the consent is judged: whether it has ended is a question of time (I10).
        self.0.env.require_clock()?;
        if let Some((permit, cached)) = self.find_cached(caller, request, reading) {
            self.0.services.faults.at(Step::Permit).await?;
            self.0.services.faults.at(Step::Read).await?;
            if let Attempt::Disclosed(disclosed) = self.record(caller, request, &permit, &cached).await? {
                counted::released(R::OPERATION, 1);
                return Ok(disclosed);
            }
            // The cache was out of date. That is no fault of the caller, so it does not count as an attempt.
            // Which of the two was outdated is open, so both are removed.
            self.0.services.consents.forget(&permit);
            self.0.cache.remove(&CacheKey::of(&permit, reading));
            let refreshed = async {
                let caller = self.0.services.access.refresh(caller).await?;
                self.disclose_from_tables(&caller, request, reading).await
            };
            // Boxed like the one below: an outdated cache is rare.
            return Box::pin(refreshed).await;
        }
        // Boxed: most answers come from the cache, and their future should not be as large as this one.
        Box::pin(self.disclose_from_tables(caller, request, reading)).await
    }

    async fn disclose_from_tables<R: Reading>(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        reading: R,
    ) -> Result<Disclosed, Failure> {
        let (permit, answer) = self.read(caller, request, reading).await?;
        if let Attempt::Disclosed(disclosed) = self.record(caller, request, &permit, &answer).await? {
            counted::released(R::OPERATION, 1);
            return Ok(disclosed);
        }
        // The caller is checked again first: one whose access ended is refused here.
        let caller = self.0.services.access.refresh(caller).await?;
        let (permit, answer) = self.read(&caller, request, reading).await?;
        match self.record(&caller, request, &permit, &answer).await? {
            Attempt::Disclosed(disclosed) => {
                counted::released(R::OPERATION, 1);
                Ok(disclosed)
            }
            // Not a third time: the bank's own retry comes later, when the versions have settled.
            Attempt::Stale => Err(refused(RecordError::Stale, self.0.env.clock.now())),
        }
    }

    /// Steps 3 and 4 from the caches, where both have an entry that allows the reading. A caller that they do not allow is
    /// not refused by them: the tables decide.
    fn find_cached<R: Reading>(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        reading: R,
    ) -> Option<(ConsentPermit, Arc<CachedReading>)> {
        let permissions = reading.permissions(caller);
        let permit_request = permit_request(caller, request, reading, &permissions);
        // The permit first: the key of the cached reading contains its consent's version.
        let permit = self.0.services.consents.permit_cached(caller.id(), permit_request)?;
        let cached = self.0.cache.get(&CacheKey::of(&permit, reading))?;
        Some((permit, cached))
    }

    async fn read<R: Reading>(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        reading: R,
    ) -> Result<(ConsentPermit, Arc<CachedReading>), Failure> {
        // 3. Permit: the consent in the path allows this reading, by this caller, now.
        self.0.services.faults.at(Step::Permit).await?;
        let permissions = reading.permissions(caller);
        let permit_request = permit_request(caller, request, reading, &permissions);
        let permit = self.0.services.consents.permit(caller.id(), permit_request).await?;
        // 4. Read: the assessments first, since everything else must be covered by their versions.
        self.0.services.faults.at(Step::Read).await?;
        let current = self.current_grades(&permit).await?;
        let answer = match require_entity(permit.consent(), &current.assessments) {
            Ok(()) => reading.read(self, &permit, current).await?,
            Err(refusal) => {
                let extent = Extent { permissions: permit.permissions().to_vec(), months: permit.months() };
                CachedReading::refused(&current, refusal, extent)?
            }
        };
        let answer = Arc::new(answer);
        // A code that belongs to no subject yet has no version to compare: its answer is not cached. Neither is a refusal, which
        // is rare.
        if permit.consent().codes.len() == answer.subjects.len() && answer.refusal.is_none() {
            self.0.cache.put(CacheKey::of(&permit, reading), &answer);
        }
        Ok((permit, answer))
    }

    async fn record(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        permit: &ConsentPermit,
        answer: &CachedReading,
    ) -> Result<Attempt, Failure> {
        // 5. Render the exact bytes; fix id and time; digest; sign. A signature whose append fails is discarded.
        let faults = &self.0.services.faults;
        faults.at(Step::Render).await?;
        let draft = self.render(caller, request, permit, answer)?;
        // 6. Append with all other waiting answers, 7. commit with full sync: the ledger does both.
        faults.at(Step::Append).await?;
        match self.0.services.recorder.record(draft).await {
            Ok(disclosed) => {
                // 8. Release. A crash before this line leaves a record without an answer, which is safe (I1).
                faults.at(Step::Release).await?;
                // A refusal that says something of a subject leaves after its record too.
                answer.refusal.clone().map_or_else(|| Ok(Attempt::Disclosed(disclosed)), Err)
            }
            Err(RecordError::Stale) => Ok(Attempt::Stale),
            Err(error) => Err(refused(error, self.0.env.clock.now())),
        }
    }

    async fn current_grades(&self, permit: &ConsentPermit) -> Result<CurrentGrades, Failure> {
        let consent = permit.consent();
        let (publication, assessments) = self.0.grades.current(&consent.codes, permit.at().day()).await?;
        Ok(CurrentGrades { publication, assessments })
    }

    /// The receipt header: what an answer promises about its entry.
    fn receipt(&self, entry: &Entry, at: Timestamp) -> Result<HeaderValue, Failure> {
        let (id, leaf, log) = (entry.id().to_owned(), entry.leaf(), self.0.policy.log.clone());
        let receipt = Receipt { id, leaf, log, by: self.sealed_by(at) };
        receipt.to_header().map_err(|error| Failure::internal(error.0))
    }

    /// The latest time at which an entry recorded at `at` is covered by a checkpoint.
    fn sealed_by(&self, at: Timestamp) -> Timestamp {
        at.plus(self.0.policy.sealed_within)
    }

    /// Step 5: the signed bytes, their ledger entry, and the versions to compare.
    fn render(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        permit: &ConsentPermit,
        answer: &CachedReading,
    ) -> Result<Box<Draft>, Failure> {
        let env = &self.0.env;
        // Fixed before the bytes, which contain both.
        let (id, at) = (DisclosureId::new(&*env.clock, &*env.entropy), env.clock.now());
        let rendered = Rendered::of(&answer.members, id, at);
        let draft = DisclosureDraft {
            id,
            at,
            caller,
            consent: permit.consent(),
            purpose: permit.purpose(),
            subjects: &answer.subjects,
            publication: answer.publication,
            permissions: answer.extent.permissions.clone(),
            months: answer.extent.months,
            content_digest: answer.refusal.is_none().then(|| rendered.digest.clone()),
            interaction_id: request.interaction_id,
        };
        if answer.refusal.is_some() {
            return draft.refusal(&*env.entropy).map(Box::new);
        }
        let (versions, budget) = (draft.read_versions(), draft.budget());
        let (entry, opening) = draft.entry(&*env.entropy)?;
        let receipt = self.receipt(&entry, at)?;
        // One snapshot, so that a rotation meanwhile does not change the signer.
        let keys = self.0.services.keys.load();
        let answer = rendered.sign(request, receipt, &*keys.answer, at)?;
        // Boxed: the future of an answer should not have room for what only the recorder needs.
        Ok(Box::new(Draft { versions, budget, entry, opening, answer }))
    }
}

fn permit_request<'a>(
    caller: &'a Caller,
    request: &DataRequest<'a>,
    reading: impl Reading,
    permissions: &'a [Permission],
) -> PermitRequest<'a> {
    PermitRequest {
        unverified_consent: request.unverified_consent,
        permissions,
        purpose: request.purpose,
        months: reading.period().months(),
        limited_to: caller.consents(),
    }
}
