//! Steps 4 and 5 of a delivery: a page is read by few statements, and each line is rendered as single answers are.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Delivery, DeliveryPart, Permitted, close::LineReceipt};
use crate::{
    access::Caller,
    disclosure::{DataRequest, Disclosures, GradeAnswer, SettlementsAnswer, grade, refusal::require_entity},
    domain::{
        Failure, Month, Timestamp,
        ids::{ConsentId, DisclosureId},
        permission::Purpose,
    },
    grading::CurrentAssessment,
    identity::signature::content_digest,
    ledger::{Answer, Budget, DisclosureFacts, Draft, ReadVersions},
    store::settlements::{self, SettlementRow},
};

/// A line of a delivery: what one consent allows of it. A disclosure of its own: the SHA-256 of the line, without its
/// newline, is the `content_digest` of its ledger entry.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeliveryLine {
    /// The disclosure; `receipts` of the last line has its receipt.
    #[schema(example = "dis_06fzgvc5pqyd2m8s4tbn0xke71")]
    pub disclosure: String,
    /// When it was made.
    #[schema(value_type = String, example = "2026-04-01T01:02:03Z")]
    pub disclosed_at: Timestamp,
    /// The consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// What the reading is for.
    pub purpose: Purpose,
    /// The legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// The month.
    #[schema(value_type = String, example = "2026-03")]
    pub month: Month,
    /// What this line has: of what was asked for, what the consent allows and what is available now.
    pub what: Vec<DeliveryPart>,
    /// What `GET /v1/consents/{id}/grade` would have answered: the grade of each covered code, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<GradeAnswer>,
    /// What `GET /v1/consents/{id}/settlements` would have answered for this month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlements: Option<SettlementsAnswer>,
    /// `prohibited`: the notice of the last line is for every line.
    #[schema(value_type = String, example = "prohibited")]
    pub onward_supply: &'static str,
}

/// A line that waits to be recorded.
pub(super) struct Drafted {
    pub(super) consent: ConsentId,
    pub(super) receipt: LineReceipt,
    pub(super) draft: Draft,
}

/// What a page rests on, read at one moment.
struct Published {
    publication: i64,
    assessments: BTreeMap<String, CurrentAssessment>,
    settlements: BTreeMap<String, Vec<SettlementRow>>,
}

/// The parts of a line, with the versions they rest on.
struct Parts {
    subjects: Vec<(String, i64)>,
    publication: i64,
    grade: Option<GradeAnswer>,
    settlements: Option<SettlementsAnswer>,
}

impl Disclosures {
    /// The lines of some permitted consents. A consent that has nothing to tell has none.
    pub(super) async fn lines(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        delivery: &Delivery,
        permitted: Vec<Permitted>,
    ) -> Result<Vec<Drafted>, Failure> {
        let published = self.published(delivery, &permitted).await?;
        let mut lines = Vec::with_capacity(permitted.len());
        for of in permitted {
            let covered = of.consent.codes.iter().filter_map(|code| published.assessments.get(code).cloned());
            let assessments: Vec<CurrentAssessment> = covered.collect();
            if require_entity(&of.consent, &assessments).is_err() {
                continue;
            }
            let parts = self.parts(delivery, &of, &assessments, &published);
            if parts.grade.is_none() && parts.settlements.is_none() {
                continue;
            }
            lines.push(self.line(caller, asked, delivery, &of, parts)?);
        }
        Ok(lines)
    }

    /// What is published of all codes of a page, and the month of those that may be given.
    async fn published(&self, delivery: &Delivery, permitted: &[Permitted]) -> Result<Published, Failure> {
        let mut codes: Vec<String> = permitted.iter().flat_map(|of| of.consent.codes.iter().cloned()).collect();
        codes.sort_unstable();
        codes.dedup();
        let (publication, assessments) = self.0.grades.current(&codes, self.0.env.clock.now().day()).await?;
        let available = self.available(&assessments);
        let wanted = delivery.what.contains(&DeliveryPart::Settlements) && !available.is_empty();
        let mut settlements = BTreeMap::<String, Vec<SettlementRow>>::new();
        if wanted {
            let read = self.0.env.db.read("disclosure::delivery");
            for row in settlements::list(&read, &available, delivery.month, delivery.month).await? {
                settlements.entry(row.subject_code.clone()).or_default().push(row);
            }
        }
        let assessments = assessments.into_iter().map(|of| (of.subject_code.clone(), of)).collect();
        Ok(Published { publication, assessments, settlements })
    }

    fn parts(
        &self,
        delivery: &Delivery,
        of: &Permitted,
        assessments: &[CurrentAssessment],
        published: &Published,
    ) -> Parts {
        let permit = |part| of.parts.iter().find(|(of, _)| *of == part).map(|(_, permit)| permit);
        let grade = permit(DeliveryPart::Grade).map(|permit| grade::answer(permit, assessments));
        let available = self.available(assessments);
        let settlements = permit(DeliveryPart::Settlements).filter(|_| !available.is_empty()).map(|permit| {
            let rows = available.iter().filter_map(|code| published.settlements.get(code));
            let rows: Vec<SettlementRow> = rows.flatten().cloned().collect();
            let month = (delivery.month, delivery.month);
            SettlementsAnswer::of(permit, month, &available, &rows, self.0.policy.min_visits)
        });
        let subjects = assessments.iter().map(|of| (of.subject_code.clone(), of.subject_version)).collect();
        Parts { subjects, publication: published.publication, grade, settlements }
    }

    /// Step 5: the exact bytes of a line, its digest, entry and receipt. The signature is the delivery's.
    fn line(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        delivery: &Delivery,
        of: &Permitted,
        parts: Parts,
    ) -> Result<Drafted, Failure> {
        let consent = &of.consent;
        let (id, at) = (DisclosureId::new(&*self.0.env.clock, &*self.0.env.entropy), self.0.env.clock.now());
        let what: Vec<DeliveryPart> = [
            parts.grade.as_ref().map(|_| DeliveryPart::Grade),
            parts.settlements.as_ref().map(|_| DeliveryPart::Settlements),
        ]
        .into_iter()
        .flatten()
        .collect();
        let permissions = what.iter().map(|part| part.permission()).collect();
        let period = parts.settlements.as_ref().map(|_| (delivery.month, delivery.month));
        let line = DeliveryLine {
            disclosure: id.to_string(),
            disclosed_at: at,
            consent: consent.id.to_string(),
            purpose: delivery.purpose,
            uscc: consent.uscc.clone(),
            month: delivery.month,
            what,
            grade: parts.grade,
            settlements: parts.settlements,
            onward_supply: "prohibited",
        };
        let body = serde_json::to_vec(&line)
            .map_err(|error| Failure::internal(format!("a line does not serialise: {error}")))?;
        let facts = DisclosureFacts {
            id,
            at,
            client_id: caller.id(),
            consent_id: consent.id,
            consent_version: consent.version,
            uscc: Some(consent.uscc.clone()),
            codes: parts.subjects.iter().map(|(code, _)| code.clone()).collect(),
            purpose: delivery.purpose,
            what: permissions,
            period,
            publication: parts.publication,
            content_digest: content_digest(&body),
            interaction: asked.interaction_id.to_owned(),
        };
        let (entry, opening) =
            facts.into_entry(&*self.0.env.entropy).map_err(|error| Failure::internal(error.to_string()))?;
        let receipt = LineReceipt::new(&entry, self.sealed_by(at));
        let versions = ReadVersions {
            client_id: caller.id(),
            client_epoch: caller.client().epoch,
            consent_id: consent.id,
            consent_version: consent.version,
            subjects: parts.subjects,
            publication: parts.publication,
            now: at,
            expires_at: consent.expires_at,
        };
        let budget = Budget { max_fetches: consent.max_fetches, per_day: consent.daily_budget, day: at.day() };
        let answer = Answer { headers: http::HeaderMap::new(), body: body.into() };
        Ok(Drafted { consent: consent.id, receipt, draft: Draft { versions, budget, entry, opening, answer } })
    }
}
