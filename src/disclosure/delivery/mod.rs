//! Regular delivery: a month of all the consents of a bank that are in force, as the lines of one answer.
//!
//! Steps 3 to 8 of docs/DISCLOSURE-CYCLE.md are done for each line; its section on deliveries tells what differs. Each line
//! is a disclosure of its own, with its permit, its entry and its receipt. A page is read by few statements, its lines are
//! recorded in company, and only lines whose records are durable come into the body ([`DeliveryLines`](crate::ledger::DeliveryLines)). The body then has an
//! entry of its own, and one signature.

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
    consent::{Ask, Consent, ConsentPermit},
    domain::{
        Failure, FailureKind, Month,
        ids::ConsentId,
        permission::{Permission, Purpose, Scope},
        words::words,
    },
    ledger::{Disclosed, Step},
};

/// How many pages are made at once in this process; others wait their turn. Single answers go before: of a page no more
/// than [`record::TOGETHER`] lines wait for their commit at a time.
pub(super) const AT_ONCE: usize = 4;

/// The most codes of a page, but for one consent alone: what bounds its memory and its body.
const PAGE_CODES: usize = 2000;

words! {
    /// What can be delivered: what a month changes.
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

/// What a bank asks to have delivered.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryWish<'a> {
    /// The month.
    pub month: Month,
    /// What for.
    pub purpose: Purpose,
    /// Which parts; by default all that the token and each consent allow.
    pub what: Option<&'a [DeliveryPart]>,
    /// Go on where a page ended.
    pub unverified_after: Option<&'a str>,
}

/// A delivery that was found in order.
#[derive(Debug, Clone)]
struct Delivery {
    month: Month,
    purpose: Purpose,
    /// In order, each once.
    what: Vec<DeliveryPart>,
    after: Option<ConsentId>,
}

/// A consent with what it allows of the delivery.
struct Permitted {
    consent: Arc<Consent>,
    parts: Vec<(DeliveryPart, ConsentPermit)>,
}

/// Consents that are to have lines.
struct Page {
    consents: Vec<Arc<Consent>>,
    /// The last of them, where there are more.
    next: Option<ConsentId>,
}

/// What has been recorded so far.
#[derive(Default)]
struct Told {
    /// In the order of the consents.
    lines: BTreeMap<ConsentId, (LineReceipt, Disclosed)>,
    /// For how many consents there is no line.
    refused: usize,
}

impl Disclosures {
    /// A page of a delivery.
    pub async fn deliver(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        wish: DeliveryWish<'_>,
    ) -> Result<Disclosed, Failure> {
        let delivery = self.in_order(caller, wish)?;
        let _turn = self.0.deliveries.acquire().await.map_err(|error| Failure::internal(error.to_string()))?;
        self.0.faults.at(Step::Permit).await?;
        let page = self.page(caller, &delivery).await?;
        let mut told = Told::default();
        let stale = self.tell(caller, asked, &delivery, page.consents, &mut told).await?;
        if stale.is_empty() {
            return self.close(caller, asked, &delivery, told, page.next).await;
        }
        // As for a single answer: what moved between reading and append is done once more, and then refused.
        let caller = self.0.access.refresh(caller).await?;
        let again = self.0.consents.find_many(caller.id(), &stale).await?;
        told.refused += stale.len().saturating_sub(again.len());
        let lost = self.tell(&caller, asked, &delivery, again, &mut told).await?;
        told.refused += lost.len();
        self.close(&caller, asked, &delivery, told, page.next).await
    }

    /// Whether a delivery can be asked for, before anything is read.
    fn in_order(&self, caller: &Caller, wish: DeliveryWish<'_>) -> Result<Delivery, Failure> {
        if wish.month > self.0.env.clock.now().day().month() {
            // Its lines would be empty, and each would use up a fetch of its consent.
            return Err(Failure::new(
                FailureKind::Unprocessable,
                "month_not_begun",
                format!("The month {} has not begun.", wish.month),
            ));
        }
        let mut what = match wish.what {
            Some([]) => return Err(Failure::invalid("what", "invalid_request", "It names at least one part.")),
            Some(parts) => parts.to_vec(),
            None => {
                let allowed = |part: &&DeliveryPart| caller.scopes().contains(&part.scope());
                DeliveryPart::ALL.iter().filter(allowed).copied().collect()
            }
        };
        what.sort_unstable();
        what.dedup();
        if what.is_empty() {
            caller.require(&DeliveryPart::ALL.iter().map(|part| part.scope()).collect::<Vec<_>>())?;
        }
        for part in &what {
            caller.require(&[part.scope()])?;
        }
        let mut delivery = Delivery { month: wish.month, purpose: wish.purpose, what, after: None };
        if let Some(cursor) = wish.unverified_after {
            delivery.after = Some(cursor::read(caller.id(), &delivery, cursor)?);
        }
        Ok(delivery)
    }

    /// The next consents in force, in the order of their ids, within the bounds of a page.
    async fn page(&self, caller: &Caller, delivery: &Delivery) -> Result<Page, Failure> {
        let most = self.0.policy.delivery_consents;
        let mut consents = match caller.consents() {
            None => self.0.consents.in_force(caller.id(), delivery.after, most + 1).await?,
            // A token that is limited to consents delivers those, and speaks of no others.
            Some(details) => {
                let ids: Vec<_> = details.iter().map(|detail| detail.identifier).collect();
                let mut found = self.0.consents.find_many(caller.id(), &ids).await?;
                found.retain(|consent| delivery.after.is_none_or(|after| consent.id > after));
                found
            }
        };
        let count = fitting(consents.iter().map(|consent| consent.codes.len()), most);
        let more = consents.len() > count;
        consents.truncate(count);
        let next = consents.last().filter(|_| more).map(|consent| consent.id);
        Ok(Page { consents, next })
    }

    /// Steps 3 to 7 for some consents. Returns those whose lines were refused because something had moved.
    async fn tell(
        &self,
        caller: &Caller,
        asked: &DataRequest<'_>,
        delivery: &Delivery,
        consents: Vec<Arc<Consent>>,
        told: &mut Told,
    ) -> Result<Vec<ConsentId>, Failure> {
        let all = consents.len();
        // 3. Permit, each consent by itself.
        let permitted: Vec<_> =
            consents.into_iter().filter_map(|consent| self.permitted(caller, delivery, consent)).collect();
        // 4. Read, the whole page at once; 5. render and digest each line.
        self.0.faults.at(Step::Read).await?;
        let drafts = self.lines(caller, asked, delivery, permitted).await?;
        told.refused += all.saturating_sub(drafts.len());
        // 6. Append, 7. commit: the ledger's own, in company.
        self.0.faults.at(Step::Append).await?;
        let mut stale = Vec::new();
        for (consent, receipt, outcome) in record::together(&self.0.recorder, drafts, &*self.0.env.clock).await? {
            match outcome {
                record::Outcome::Recorded(line) => {
                    told.lines.insert(consent, (receipt, *line));
                }
                record::Outcome::Stale => stale.push(consent),
                record::Outcome::UsedUp => told.refused += 1,
            }
        }
        Ok(stale)
    }

    /// What a consent allows of a delivery; nothing where it allows none of it.
    fn permitted(&self, caller: &Caller, delivery: &Delivery, consent: Arc<Consent>) -> Option<Permitted> {
        let parts = delivery.what.iter().filter_map(|part| {
            let ask = Ask {
                unverified_consent: "",
                permissions: &[part.permission()],
                purpose: Some(delivery.purpose.as_str()),
                // A grade is the present one; the month is the settlements'.
                months: (*part == DeliveryPart::Settlements).then_some((Some(delivery.month), Some(delivery.month))),
                limited_to: caller.consents(),
            };
            self.0.consents.permit_read(caller.id(), &consent, ask).ok().map(|permit| (*part, permit))
        });
        let parts: Vec<_> = parts.collect();
        (!parts.is_empty()).then_some(Permitted { consent, parts })
    }
}

/// How many consents fit a page, given how many codes each covers: at least one.
fn fitting(codes: impl Iterator<Item = usize>, most: usize) -> usize {
    let totals = codes.scan(0, |total, codes| {
        *total += codes;
        Some(*total)
    });
    totals.take(most).enumerate().take_while(|(at, total)| *at == 0 || *total <= PAGE_CODES).count()
}

#[cfg(test)]
mod tests {
    use super::{PAGE_CODES, fitting};

    #[test]
    fn a_page_is_bound_by_consents_and_by_codes_and_never_empty() {
        assert_eq!(fitting([1; 10].into_iter(), 4), 4);
        assert_eq!(fitting([1; 3].into_iter(), 4), 3);
        assert_eq!(fitting([PAGE_CODES / 2; 3].into_iter(), 500), 2);
        assert_eq!(fitting([PAGE_CODES + 1, 1].into_iter(), 500), 1);
        assert_eq!(fitting([1, PAGE_CODES].into_iter(), 500), 1);
        assert_eq!(fitting(std::iter::empty(), 500), 0);
    }
}
