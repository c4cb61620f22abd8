//! Deliveries: a month of data for all consents of a bank that are in force, as the lines of one answer.
//!
//! Steps 3 to 8 of docs/DISCLOSURE-CYCLE.md are done for each line; its section on deliveries explains the differences.
//! Each line is a disclosure with its own permit, entry and receipt. A page is read by few statements, its lines are
//! recorded concurrently, and only lines whose records are durable come into the body ([`DeliveryLines`](crate::ledger::DeliveryLines)).
//! The body then has an entry of its own, and one signature.

mod close;
mod cursor;
mod line;
mod record;

use std::{collections::BTreeMap, sync::Arc};

pub use close::{DeliveryEnd, LineReceipt};
pub use line::DeliveryLine;

use super::{DataRequest, Disclosures};
use crate::{
    access::Caller,
    consent::{Consent, ConsentPermit, MonthRange, PermitRequest},
    domain::{
        Failure, FailureKind, Month,
        ids::ConsentId,
        permission::{Permission, Purpose, Scope},
        words::words,
    },
    ledger::{Disclosed, Step},
};

/// The most pages made concurrently in this process; further ones wait. Single answers are not delayed much: a page has no
/// more than [`record::MAX_PENDING`] lines waiting for their commit.
pub(super) const MAX_PAGES: usize = 4;

/// The most codes of a page, unless a single consent has more. It bounds memory and body.
const PAGE_CODES: usize = 2000;

words! {
    /// A part of a delivery: the data that changes from month to month.
    DeliveryPart: "part of a delivery" {
        /// 信用等级: the grade of each covered code, as it is now.
        Grade = "grade",
        /// 医保月度结算数据: the month's settlements of the codes in good standing.
        Settlements = "settlements",
    }
}

impl DeliveryPart {
    const fn permission(self) -> Permission {
        match self {
            Self::Grade => Permission::Grade,
            Self::Settlements => Permission::Settlements,
        }
    }

    const fn scope(self) -> Scope {
        match self {
            Self::Grade => Scope::GradeRead,
            Self::Settlements => Scope::SettlementsRead,
        }
    }
}

/// A request for one page of a delivery.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// The month of the settlements.
    pub month: Month,
    /// The purpose of the reading.
    pub purpose: Purpose,
    /// The parts requested; by default all that the token and each consent allow.
    pub what: Option<&'a [DeliveryPart]>,
    /// The cursor of the previous page.
    pub unverified_after: Option<&'a str>,
}

/// A valid request for a page.
#[derive(Debug, Clone)]
struct Delivery {
    month: Month,
    purpose: Purpose,
    /// Sorted, without duplicates.
    what: Vec<DeliveryPart>,
    after: Option<ConsentId>,
}

/// A consent with its permit for each part that it allows.
struct PermittedConsent {
    consent: Arc<Consent>,
    parts: Vec<(DeliveryPart, ConsentPermit)>,
}

/// The consents of a page.
struct Page {
    consents: Vec<Arc<Consent>>,
    /// The last of them, if another page follows.
    next: Option<ConsentId>,
}

/// The lines recorded so far, and the number of consents without one.
#[derive(Default)]
struct RecordedLines {
    /// Ordered as the consents are.
    lines: BTreeMap<ConsentId, (LineReceipt, Disclosed)>,
    /// The number of consents that have no line.
    refused: usize,
}

impl Disclosures {
    /// Makes a page of a delivery.
    pub async fn deliver(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        page: PageRequest<'_>,
    ) -> Result<Disclosed, Failure> {
        self.0.env.require_clock()?;
        // Before waiting for a slot: a wrong request takes none.
        let delivery = self.validate(caller, page)?;
        self.0.services.recorder.require_current()?;
        // Held until the page is made, so that the number of pages in memory is bounded.
        let _slot = self.0.delivery_pages.acquire().await.map_err(|error| Failure::internal(error.to_string()))?;
        self.0.services.faults.at(Step::Permit).await?;
        let page = self.page(caller, &delivery).await?;
        let mut recorded = RecordedLines::default();
        let stale = self.record_lines(caller, request, &delivery, page.consents, &mut recorded).await?;
        if stale.is_empty() {
            return self.close(caller, request, &delivery, recorded, page.next).await;
        }
        // As for a single answer: a line whose versions moved between reading and append is tried once more.
        let caller = self.0.services.access.refresh(caller).await?;
        let again = self.0.services.consents.find_many(caller.id(), &stale).await?;
        recorded.refused += stale.len().saturating_sub(again.len());
        let still_stale = self.record_lines(&caller, request, &delivery, again, &mut recorded).await?;
        recorded.refused += still_stale.len();
        self.close(&caller, request, &delivery, recorded, page.next).await
    }

    /// Checks a request before anything is read.
    fn validate(&self, caller: &Caller, page: PageRequest<'_>) -> Result<Delivery, Failure> {
        if page.month > self.0.env.clock.now().day().month() {
            // The lines would be empty, and each would use up a fetch of its consent.
            return Err(Failure::new(
                FailureKind::Unprocessable,
                "month_not_begun",
                format!("The month {} is in the future.", page.month),
            ));
        }
        let mut what = match page.what {
            Some([]) => return Err(Failure::invalid("what", "invalid_request", "Name at least one part.")),
            Some(parts) => parts.to_vec(),
            None => {
                let allowed = |part: &&DeliveryPart| caller.scopes().contains(&part.scope());
                DeliveryPart::ALL.iter().filter(allowed).copied().collect()
            }
        };
        // Sorted and unique: the cursor's tag covers the list.
        what.sort_unstable();
        what.dedup();
        // No scope for any part: the refusal names all that would do.
        if what.is_empty() {
            caller.require(&DeliveryPart::ALL.iter().map(|part| part.scope()).collect::<Vec<_>>())?;
        }
        for part in &what {
            caller.require(&[part.scope()])?;
        }
        let mut delivery = Delivery { month: page.month, purpose: page.purpose, what, after: None };
        // Only now: the tag covers the delivery without its cursor.
        if let Some(cursor) = page.unverified_after {
            delivery.after = Some(cursor::read(caller.id(), &delivery, cursor)?);
        }
        Ok(delivery)
    }

    /// The next consents in force, ordered by id, within the bounds of a page.
    async fn page(&self, caller: &Caller, delivery: &Delivery) -> Result<Page, Failure> {
        let most = self.0.policy.delivery_consents;
        // One more than fits, to know whether another page follows.
        let mut consents = match caller.consents() {
            None => self.0.services.consents.in_force(caller.id(), delivery.after, most + 1).await?,
            // A token that is limited to consents delivers those only, and counts no others as refused.
            Some(details) => {
                let ids: Vec<_> = details.iter().map(|detail| detail.identifier).collect();
                let mut found = self.0.services.consents.find_many(caller.id(), &ids).await?;
                // The ids are the token's and not the cursor's, so the cursor is applied here.
                found.retain(|consent| delivery.after.is_none_or(|after| consent.id > after));
                found
            }
        };
        let count = consents_that_fit(consents.iter().map(|consent| consent.codes.len()), most);
        let more = consents.len() > count;
        consents.truncate(count);
        let next = consents.last().filter(|_| more).map(|consent| consent.id);
        Ok(Page { consents, next })
    }

    /// Steps 3 to 7 for some consents. Returns those whose line was refused because a version had moved.
    async fn record_lines(
        &self,
        caller: &Caller,
        request: &DataRequest<'_>,
        delivery: &Delivery,
        consents: Vec<Arc<Consent>>,
        recorded: &mut RecordedLines,
    ) -> Result<Vec<ConsentId>, Failure> {
        let all = consents.len();
        // 3. Permit, for each consent.
        let permitted: Vec<_> =
            consents.into_iter().filter_map(|consent| self.permitted(caller, delivery, consent)).collect();
        // 4. Read, the whole page by few statements; 5. render and digest each line.
        self.0.services.faults.at(Step::Read).await?;
        let drafts = self.lines(caller, request, delivery, permitted).await?;
        recorded.refused += all.saturating_sub(drafts.len());
        // 6. Append, 7. commit: the ledger does both, for many lines concurrently.
        self.0.services.faults.at(Step::Append).await?;
        let mut stale = Vec::new();
        for (consent, receipt, outcome) in
            record::record_all(&self.0.services.recorder, drafts, &*self.0.env.clock).await?
        {
            match (outcome, receipt) {
                (record::Outcome::Recorded(line), Some(receipt)) => {
                    // Keyed by consent: lines of the second attempt take their place among those of the first.
                    recorded.lines.insert(consent, (receipt, *line));
                }
                (record::Outcome::Stale, _) => stale.push(consent),
                // A refusal has no receipt.
                (record::Outcome::Recorded(_), None) | (record::Outcome::UsedUp, _) => recorded.refused += 1,
            }
        }
        Ok(stale)
    }

    /// The permits of a consent for the parts of a delivery, or `None` where it allows none.
    fn permitted(&self, caller: &Caller, delivery: &Delivery, consent: Arc<Consent>) -> Option<PermittedConsent> {
        let month = MonthRange { from: Some(delivery.month), to: Some(delivery.month) };
        let parts = delivery.what.iter().filter_map(|part| {
            let request = PermitRequest {
                // Not used: the consent is loaded already.
                unverified_consent: "",
                permissions: &[part.permission()],
                purpose: Some(delivery.purpose.as_str()),
                // The grade is the one in force now; the month is of the settlements only.
                months: (*part == DeliveryPart::Settlements).then_some(month),
                limited_to: caller.consents(),
            };
            // The reason is dropped: a page only counts the consents without a line.
            self.0.services.consents.permit_loaded(caller.id(), &consent, request).ok().map(|permit| (*part, permit))
        });
        let parts: Vec<_> = parts.collect();
        (!parts.is_empty()).then_some(PermittedConsent { consent, parts })
    }
}

/// The number of consents that fit on a page, given the number of codes of each: at least one.
fn consents_that_fit(codes: impl Iterator<Item = usize>, most: usize) -> usize {
    let totals = codes.scan(0, |total, codes| {
        *total += codes;
        Some(*total)
    });
    // The first always fits: otherwise a consent with more codes than a page could never be delivered.
    totals.take(most).enumerate().take_while(|(at, total)| *at == 0 || *total <= PAGE_CODES).count()
}

#[cfg(test)]
mod tests {
    use super::{PAGE_CODES, consents_that_fit};

    #[test]
    fn a_page_is_bounded_by_consents_and_by_codes_and_never_empty() {
        assert_eq!(consents_that_fit([1; 10].into_iter(), 4), 4);
        assert_eq!(consents_that_fit([1; 3].into_iter(), 4), 3);
        assert_eq!(consents_that_fit([PAGE_CODES / 2; 3].into_iter(), 500), 2);
        assert_eq!(consents_that_fit([PAGE_CODES + 1, 1].into_iter(), 500), 1);
        assert_eq!(consents_that_fit([1, PAGE_CODES].into_iter(), 500), 1);
        assert_eq!(consents_that_fit(std::iter::empty(), 500), 0);
    }
}
