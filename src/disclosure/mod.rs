//! What banks call for data: the one place that joins consent, grading, settlement and ledger.
//!
//! docs/DISCLOSURE-CYCLE.md tells the cycle; the numbers here are its numbers. Steps 1 and 2, caller and limits, are done
//! where the request comes in. Nothing leaves this room but a [`Disclosed`], which only the ledger makes, after the sync.

mod cache;
mod delivery;
mod grade;
mod history;
mod refusal;
mod render;
mod report;
mod scorecard;
mod settlements;

use std::{borrow::Cow, sync::Arc};

use http::HeaderValue;
use tokio::sync::Semaphore;

pub use delivery::{DeliveryEnd, DeliveryLine, DeliveryPart, DeliveryWish, LineReceipt};
pub use grade::{CodeGrade, GradeAnswer, GradeTotal, GradeView};
pub use history::{CodeHistory, FormerGrade, GradeHistoryAnswer};
pub use report::{ReportAnswer, ReportSections, SectionState};
pub use scorecard::{CodeScorecard, LevelTotal, ModelView, ScorecardAnswer};
pub use settlements::{Amounts, CodeSettlements, SettlementMonth, SettlementTotal, SettlementsAnswer};

use crate::{
    access::{Access, Caller},
    consent::{Ask, ConsentPermit, Consents},
    domain::{Failure, HalfYear, Month, Timestamp, ids::DisclosureId, permission::Permission},
    grading::{Archive, CurrentAssessment, GoodStanding, Grades},
    identity::{keyset::LiveKeys, signature::RequestFacts},
    ledger::{
        Budget, DeliveryRecorder, Disclosed, DisclosureFacts, Draft, Entry, Faults, ReadVersions, Receipt, RecordError,
        Recorder, Step,
    },
    store::Env,
};
use cache::{CacheKey, CachedReading, ReadingCache};
use refusal::{refused, require_entity};
use render::Rendered;

/// The notice every data answer carries.
pub const NOTICE: &str = "政务信息,供参考。仅限本次授权目的使用,不得向第三方提供。(Government information, for reference. For the consented purpose only; onward supply is prohibited.)";

/// What data answers keep to.
#[derive(Debug, Clone)]
pub struct DisclosurePolicy {
    /// Settlement rows of fewer visits are suppressed.
    pub min_visits: i64,
    /// Grades, by scheme, that are good standing: settlements are given for no others.
    pub good_standing: GoodStanding,
    /// The log's origin, as receipts name it.
    pub log: String,
    /// Receipts promise sealing within this time.
    pub sealed_within: std::time::Duration,
    /// The most consents in one page of a delivery.
    pub delivery_consents: usize,
}

/// The room.
#[derive(Debug, Clone)]
pub struct Disclosures(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    env: Env,
    access: Access,
    consents: Consents,
    grades: Grades,
    archive: Archive,
    keys: LiveKeys,
    recorder: Recorder,
    faults: Faults,
    delivery_recorder: DeliveryRecorder,
    deliveries: Semaphore,
    policy: DisclosurePolicy,
    memory: ReadingCache,
}

/// What a request for data says of itself.
#[derive(Debug, Clone, Copy)]
pub struct DataRequest<'a> {
    /// The consent in the path.
    pub unverified_consent: &'a str,
    /// The purpose, where named.
    pub purpose: Option<&'a str>,
    /// What the answer's signature says of the request: method, target, and the digest and signature it came with.
    pub request: RequestFacts<'a>,
    /// The request's id.
    pub interaction_id: &'a str,
}

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    Grade,
    GradeHistory { from: Option<HalfYear>, to: Option<HalfYear> },
    Scorecard,
    Settlements { from: Option<Month>, to: Option<Month> },
    Report,
}

/// What is told of the covered codes at this moment: every reading begins with it, and rests on its versions.
struct CurrentGrades {
    publication: i64,
    assessments: Vec<CurrentAssessment>,
}

/// What was read, with the versions it rests on. It is remembered by them, so they were read first, and nothing is in the body
/// that is not under one of them (`memory.rs`).
struct Content {
    /// The body, without what only the rendering knows.
    body: Body,
    subjects: Vec<(String, i64)>,
    publication: i64,
    period: Option<(Month, Month)>,
    /// The permissions whose data is in the body.
    what: Vec<Permission>,
}

enum Body {
    Grade(GradeAnswer),
    GradeHistory(GradeHistoryAnswer),
    Scorecard(ScorecardAnswer),
    Settlements(SettlementsAnswer),
    Report(Box<ReportAnswer>),
}

impl CurrentGrades {
    /// A body with the versions it rests on.
    fn content(&self, body: Body, what: Vec<Permission>, period: Option<(Month, Month)>) -> Content {
        let subjects = self.assessments.iter().map(|of| (of.subject_code.clone(), of.subject_version)).collect();
        Content { body, subjects, publication: self.publication, period, what }
    }
}

impl Disclosures {
    /// Opens the room.
    pub fn open(
        env: Env,
        (access, consents): (Access, Consents),
        keys: LiveKeys,
        (recorder, faults): (Recorder, Faults),
        policy: DisclosurePolicy,
    ) -> Self {
        let (grades, archive) = (Grades::new(env.db.clone()), Archive::new(env.db.clone()));
        let delivery_recorder = DeliveryRecorder::new(env.db.clone(), faults.clone());
        let deliveries = Semaphore::new(delivery::AT_ONCE);
        Self(Arc::new(Inner {
            env,
            access,
            consents,
            grades,
            archive,
            keys,
            recorder,
            faults,
            delivery_recorder,
            deliveries,
            policy,
            memory: ReadingCache::new(),
        }))
    }

    /// The grade of every covered code.
    pub async fn grade(&self, caller: &Caller, asked: &DataRequest<'_>) -> Result<Disclosed, Failure> {
        self.disclose(caller, asked, Reading::Grade).await
    }

    /// The settlement months of the covered codes in good standing.
    pub async fn settlements(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        (from, to): (Option<Month>, Option<Month>),
    ) -> Result<Disclosed, Failure> {
        self.disclose(caller, asked, Reading::Settlements { from, to }).await
    }

    /// The grades of former rounds of the covered codes.
    pub async fn grade_history(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        (from, to): (Option<HalfYear>, Option<HalfYear>),
    ) -> Result<Disclosed, Failure> {
        self.disclose(caller, asked, Reading::GradeHistory { from, to }).await
    }

    /// The first-level totals of the covered codes.
    pub async fn scorecard(&self, caller: &Caller, asked: &DataRequest<'_>) -> Result<Disclosed, Failure> {
        self.disclose(caller, asked, Reading::Scorecard).await
    }

    /// All that the consent allows and the token may read, in one answer.
    pub async fn report(&self, caller: &Caller, asked: &DataRequest<'_>) -> Result<Disclosed, Failure> {
        self.disclose(caller, asked, Reading::Report).await
    }

    /// Steps 3 to 8, at first from memory. When a head has moved between reading and append, all is read from the tables
    /// and rendered again; when one moves then too, once more; after that the request is not answered.
    async fn disclose(&self, caller: &Caller, asked: &DataRequest<'_>, reading: Reading) -> Result<Disclosed, Failure> {
        if let Some((permit, known)) = self.recall(caller, asked, reading) {
            self.0.faults.at(Step::Permit).await?;
            self.0.faults.at(Step::Read).await?;
            match self.record(caller, asked, &permit, &known).await? {
                Err(RecordError::Stale) => {}
                outcome => return outcome.map_err(|error| refused(error, self.0.env.clock.now())),
            }
            // It was old, which is nobody's fault: it does not count as having been tried.
            self.0.consents.forget(&permit);
            self.0.memory.forget(&CacheKey::of(&permit, reading));
            let refreshed = async {
                let caller = self.0.access.refresh(caller).await?;
                self.disclose_afresh(&caller, asked, reading).await
            };
            return Box::pin(refreshed).await;
        }
        // Apart, so that what every answer carries about is not as large as what few of them need.
        Box::pin(self.disclose_afresh(caller, asked, reading)).await
    }

    async fn disclose_afresh(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        reading: Reading,
    ) -> Result<Disclosed, Failure> {
        let (permit, known) = self.read(caller, asked, reading).await?;
        match self.record(caller, asked, &permit, &known).await? {
            Err(RecordError::Stale) => {}
            outcome => return outcome.map_err(|error| refused(error, self.0.env.clock.now())),
        }
        let caller = self.0.access.refresh(caller).await?;
        let (permit, known) = self.read(&caller, asked, reading).await?;
        self.record(&caller, asked, &permit, &known).await?.map_err(|error| refused(error, self.0.env.clock.now()))
    }

    /// Steps 3 and 4 from memory, where both are remembered and allow the reading. Whoever is to be refused is refused by
    /// the tables.
    fn recall(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        reading: Reading,
    ) -> Option<(ConsentPermit, Arc<CachedReading>)> {
        let permissions = permissions(caller, reading);
        let permit = self.0.consents.recall(caller.id(), ask(caller, asked, reading, &permissions))?;
        let known = self.0.memory.recall(&CacheKey::of(&permit, reading))?;
        Some((permit, known))
    }

    async fn read(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        reading: Reading,
    ) -> Result<(ConsentPermit, Arc<CachedReading>), Failure> {
        // 3. Permit: the consent in the path allows this reading, by this caller, now.
        self.0.faults.at(Step::Permit).await?;
        let permissions = permissions(caller, reading);
        let permit = self.0.consents.permit(caller.id(), ask(caller, asked, reading, &permissions)).await?;
        // 4. Read, with the versions of what was read.
        self.0.faults.at(Step::Read).await?;
        let present = self.present(&permit).await?;
        let content = match reading {
            Reading::Grade => grade::read(&permit, &present),
            Reading::GradeHistory { from, to } => self.read_history(&permit, present, (from, to)).await?,
            Reading::Scorecard => self.read_scorecard(&permit, present).await?,
            Reading::Settlements { .. } => self.read_settlements(&permit, present).await?,
            Reading::Report => self.read_report(&permit, present).await?,
        };
        let whole = permit.consent().codes.len() == content.subjects.len();
        let known = Arc::new(CachedReading::of(content)?);
        // A code that is no subject's yet has no version that could be compared.
        if whole {
            self.0.memory.keep(CacheKey::of(&permit, reading), &known);
        }
        Ok((permit, known))
    }

    async fn record(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        permit: &ConsentPermit,
        known: &CachedReading,
    ) -> Result<Result<Disclosed, RecordError>, Failure> {
        // 5. Render the exact bytes; fix id and time; digest; sign. A signature whose append fails is thrown away.
        let faults = &self.0.faults;
        faults.at(Step::Render).await?;
        let id = DisclosureId::new(&*self.0.env.clock, &*self.0.env.entropy);
        let at = self.0.env.clock.now();
        let draft = self.draft(caller, asked, permit, known, (id, at))?;
        // 6. Append with the answers that wait, 7. commit with full sync, 8. release: the ledger's own.
        faults.at(Step::Append).await?;
        let recorded = self.0.recorder.record(draft).await;
        if recorded.is_ok() {
            faults.at(Step::Release).await?;
        }
        Ok(recorded)
    }

    async fn present(&self, permit: &ConsentPermit) -> Result<CurrentGrades, Failure> {
        let consent = permit.consent();
        let (publication, assessments) = self.0.grades.current(&consent.codes, permit.at().day()).await?;
        require_entity(consent, &assessments)?;
        Ok(CurrentGrades { publication, assessments })
    }

    /// What the header of an answer promises of its entry.
    fn receipt(&self, entry: &Entry, at: Timestamp) -> Result<HeaderValue, Failure> {
        let (id, leaf, log) = (entry.id().to_owned(), entry.leaf(), self.0.policy.log.clone());
        let receipt = Receipt { id, leaf, log, by: self.sealed_by(at) };
        receipt.to_header().map_err(|error| Failure::internal(error.0))
    }

    /// Until when what is recorded at a time will be under a checkpoint.
    fn sealed_by(&self, at: Timestamp) -> Timestamp {
        at.plus(self.0.policy.sealed_within)
    }

    fn draft(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        permit: &ConsentPermit,
        known: &CachedReading,
        (id, at): (DisclosureId, Timestamp),
    ) -> Result<Box<Draft>, Failure> {
        let consent = permit.consent();
        let rendered = Rendered::of(&known.members, id, at);
        let facts = DisclosureFacts {
            id,
            at,
            client_id: caller.id(),
            consent_id: consent.id,
            consent_version: consent.version,
            uscc: Some(consent.uscc.clone()),
            codes: known.codes.clone(),
            purpose: permit.purpose(),
            what: known.what.clone(),
            period: known.period,
            publication: known.publication,
            content_digest: rendered.digest.clone(),
            interaction: asked.interaction_id.to_owned(),
        };
        let (entry, opening) =
            facts.into_entry(&*self.0.env.entropy).map_err(|error| Failure::internal(error.to_string()))?;
        let receipt = self.receipt(&entry, at)?;
        let keys = self.0.keys.load();
        let answer = rendered.sign(asked, receipt, &*keys.answer, at)?;
        let versions = ReadVersions {
            client_id: caller.id(),
            client_epoch: caller.client().epoch,
            consent_id: consent.id,
            consent_version: consent.version,
            subjects: known.subjects.clone(),
            publication: known.publication,
            now: at,
            expires_at: consent.expires_at,
        };
        let budget = Budget { max_fetches: consent.max_fetches, per_day: consent.daily_budget, day: at.day() };
        // Boxed, so that what every answer carries about is not as large as what only the recorder needs.
        Ok(Box::new(Draft { versions, budget, entry, opening, answer }))
    }
}

/// What a reading is of. What the token may not read of a report is not asked for.
fn permissions(caller: &Caller, reading: Reading) -> Cow<'static, [Permission]> {
    match reading {
        Reading::Grade => (&[Permission::Grade]).into(),
        Reading::GradeHistory { .. } => (&[Permission::GradeHistory]).into(),
        Reading::Scorecard => (&[Permission::Scorecard]).into(),
        Reading::Settlements { .. } => (&[Permission::Settlements]).into(),
        Reading::Report => report::readable(caller).into(),
    }
}

fn ask<'a>(caller: &'a Caller, asked: &DataRequest<'a>, reading: Reading, permissions: &'a [Permission]) -> Ask<'a> {
    let months = match reading {
        Reading::Settlements { from, to } => Some((from, to)),
        Reading::Report => Some((None, None)),
        Reading::Grade | Reading::GradeHistory { .. } | Reading::Scorecard => None,
    };
    Ask {
        unverified_consent: asked.unverified_consent,
        permissions,
        purpose: asked.purpose,
        months,
        limited_to: caller.consents(),
    }
}
