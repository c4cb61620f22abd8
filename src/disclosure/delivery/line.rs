//! Steps 4 and 5 of a delivery: a page is read by few statements, and each line is rendered like a single answer.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Delivery, DeliveryPart, PermittedConsent, close::LineReceipt};
use crate::{
    access::Caller,
    disclosure::{
        DataRequest, Disclosures, GradeAnswer, SettlementsAnswer, draft::DisclosureDraft, grade,
        refusal::require_entity,
    },
    domain::{
        Failure, Month, Timestamp,
        ids::{ConsentId, DisclosureId},
        permission::Purpose,
    },
    grading::CurrentAssessment,
    identity::signature::content_digest,
    ledger::{Answer, Draft},
    store::settlements::{self, SettlementRow},
};

/// A line of a delivery: the parts that one consent allows. It is a disclosure of its own: the SHA-256 of the line without
/// its newline is the `content_digest` of its ledger entry.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeliveryLine {
    /// The disclosure; `receipts` of the last line has its receipt.
    #[schema(example = "dis_06fzgvc5pqyd2m8s4tbn0xke71")]
    pub disclosure: String,
    /// The time of the disclosure.
    #[schema(value_type = String, example = "2026-04-01T01:02:03Z")]
    pub disclosed_at: Timestamp,
    /// The consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// The purpose of the reading.
    pub purpose: Purpose,
    /// The legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// The month delivered.
    #[schema(value_type = String, example = "2026-03")]
    pub month: Month,
    /// The parts in this line: those requested that the consent allows and that are available now.
    pub what: Vec<DeliveryPart>,
    /// The answer of `GET /v1/consents/{id}/grade`: the grade of each covered code, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<GradeAnswer>,
    /// The answer of `GET /v1/consents/{id}/settlements` for this month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlements: Option<SettlementsAnswer>,
    /// Always `prohibited`. The notice in the last line is for every line.
    #[schema(value_type = String, example = "prohibited")]
    pub onward_supply: &'static str,
}

/// A rendered line that is to be recorded, or a refusal that says something of a subject.
pub(super) struct LineDraft {
    pub(super) consent: ConsentId,
    /// None for a refusal.
    pub(super) receipt: Option<LineReceipt>,
    pub(super) draft: Draft,
}

/// The data of a page, read at one moment.
struct PageData {
    publication: i64,
    assessments: BTreeMap<String, CurrentAssessment>,
    /// Every version of the month, by code.
    settlements: BTreeMap<String, Vec<SettlementRow>>,
}

/// The parts of a line, with the versions they rest on.
struct LineParts {
    subjects: Vec<(String, i64)>,
    publication: i64,
    grade: Option<GradeAnswer>,
    settlements: Option<SettlementsAnswer>,
}

impl Disclosures {
    /// The lines of some permitted consents. A consent for which no part is available has none: that says something of its
    /// subjects, so it is recorded and counted like a line.
    pub(super) async fn lines(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        delivery: &Delivery,
        permitted: Vec<PermittedConsent>,
    ) -> Result<Vec<LineDraft>, Failure> {
        let data = self.page_data(delivery, &permitted).await?;
        let mut lines = Vec::with_capacity(permitted.len());
        for of in permitted {
            let covered = of.consent.codes.iter().filter_map(|code| data.assessments.get(code).cloned());
            let assessments: Vec<CurrentAssessment> = covered.collect();
            let mut parts = self.parts(delivery, &of, &assessments, &data);
            // A refusal of one consent does not fail the page.
            if require_entity(&of.consent, &assessments).is_err() {
                (parts.grade, parts.settlements) = (None, None);
            }
            // An error here is the gateway's own and fails the page: a count would hide it.
            if parts.grade.is_none() && parts.settlements.is_none() {
                lines.push(self.refusal(caller, request, delivery, &of, &parts)?);
            } else {
                lines.push(self.line(caller, request, delivery, &of, parts)?);
            }
        }
        Ok(lines)
    }

    /// The assessments of all codes of a page, and the month's settlements of those in good standing.
    async fn page_data(&self, delivery: &Delivery, permitted: &[PermittedConsent]) -> Result<PageData, Failure> {
        let mut codes: Vec<String> = permitted.iter().flat_map(|of| of.consent.codes.iter().cloned()).collect();
        codes.sort_unstable();
        codes.dedup();
        // First: everything else in a line must be covered by these versions.
        let (publication, assessments) = self.0.grades.current(&codes, self.0.env.clock.now().day()).await?;
        let available = self.available(&assessments);
        let with_settlements = delivery.what.contains(&DeliveryPart::Settlements) && !available.is_empty();
        let mut settlements = BTreeMap::<String, Vec<SettlementRow>>::new();
        if with_settlements {
            let read = self.0.env.db.read("disclosure::delivery");
            for row in settlements::list_versions(&read, &available, delivery.month, delivery.month).await? {
                settlements.entry(row.subject_code.clone()).or_default().push(row);
            }
        }
        let assessments = assessments.into_iter().map(|of| (of.subject_code.clone(), of)).collect();
        Ok(PageData { publication, assessments, settlements })
    }

    fn parts(
        &self,
        delivery: &Delivery,
        of: &PermittedConsent,
        assessments: &[CurrentAssessment],
        data: &PageData,
    ) -> LineParts {
        let permit = |part| of.parts.iter().find(|(of, _)| *of == part).map(|(_, permit)| permit);
        let grade = permit(DeliveryPart::Grade).map(|permit| grade::answer(permit, assessments));
        let available = self.available(assessments);
        let settlements = permit(DeliveryPart::Settlements).filter(|_| !available.is_empty()).map(|permit| {
            let rows = available.iter().filter_map(|code| data.settlements.get(code));
            // The rule of single answers: a delivery must not show what they withhold.
            let small_cells = self.0.policy.small_cells;
            let months: Vec<_> = rows.flat_map(|versions| small_cells.release(versions)).collect();
            let month = (delivery.month, delivery.month);
            SettlementsAnswer::of(permit, month, &available, &months, small_cells)
        });
        let subjects = assessments.iter().map(|of| (of.subject_code.clone(), of.subject_version)).collect();
        LineParts { subjects, publication: data.publication, grade, settlements }
    }

    /// The record of a consent without a line.
    fn refusal(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        delivery: &Delivery,
        of: &PermittedConsent,
        parts: &LineParts,
    ) -> Result<LineDraft, Failure> {
        let env = &self.0.env;
        let with_settlements = of.parts.iter().any(|(part, _)| *part == DeliveryPart::Settlements);
        let draft = DisclosureDraft {
            id: DisclosureId::new(&*env.clock, &*env.entropy),
            at: env.clock.now(),
            caller,
            consent: &of.consent,
            purpose: delivery.purpose,
            subjects: &parts.subjects,
            publication: parts.publication,
            permissions: of.parts.iter().map(|(part, _)| part.permission()).collect(),
            months: with_settlements.then_some((delivery.month, delivery.month)),
            content_digest: None,
            interaction_id: request.interaction_id,
        };
        Ok(LineDraft { consent: of.consent.id, receipt: None, draft: draft.refusal(&*env.entropy)? })
    }

    /// Step 5: the exact bytes of a line, its digest, entry and receipt. Only the page is signed.
    fn line(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        delivery: &Delivery,
        of: &PermittedConsent,
        parts: LineParts,
    ) -> Result<LineDraft, Failure> {
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
        let months = parts.settlements.as_ref().map(|_| (delivery.month, delivery.month));
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
        // Without the newline, which the page adds: the digest is of the line alone.
        let body = serde_json::to_vec(&line)
            .map_err(|error| Failure::internal(format!("a line does not serialise: {error}")))?;
        let draft = DisclosureDraft {
            id,
            at,
            caller,
            consent,
            purpose: delivery.purpose,
            subjects: &parts.subjects,
            publication: parts.publication,
            permissions,
            months,
            content_digest: Some(content_digest(&body)),
            interaction_id: request.interaction_id,
        };
        let (versions, budget) = (draft.read_versions(), draft.budget());
        let (entry, opening) = draft.entry(&*self.0.env.entropy)?;
        let receipt = Some(LineReceipt::new(&entry, self.sealed_by(at)));
        // The headers belong to the page, not to the line.
        let answer = Answer { headers: http::HeaderMap::new(), body: body.into() };
        Ok(LineDraft { consent: consent.id, receipt, draft: Draft { versions, budget, entry, opening, answer } })
    }
}
