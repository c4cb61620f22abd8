//! Digests of the inputs, the model and the results of a run: equal for equal content, whatever the order of reading and
//! the engine (I5).

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use super::eligibility::Standing;
use crate::{
    scoring::{Catalogue, Measures, PeerRank, Sums},
    store::runs::ResultRow,
};

/// A digest of a list of fields, each preceded by its length, so that two different lists never digest the same bytes.
struct Fields(Context);

impl Fields {
    fn new(domain: &str) -> Self {
        let mut fields = Self(Context::new(&SHA256));
        fields.text(domain);
        fields
    }

    fn text(&mut self, text: &str) {
        // A fixed byte order, so that the digest is the same on any machine (I5).
        self.0.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: i128) {
        // Of fixed width, so no length is needed.
        self.0.update(&number.to_be_bytes());
    }

    /// Distinguishes an absent text from an empty one.
    fn optional(&mut self, text: Option<&str>) {
        // Without the mark an absent and an empty text would digest alike.
        self.text(if text.is_some() { "+" } else { "-" });
        self.text(text.unwrap_or_default());
    }

    fn hex(self) -> String {
        HEXLOWER.encode(self.0.finish().as_ref())
    }
}

/// Digests by subject. The digest over all of them follows the order of codes, so the order of adding does not matter.
#[derive(Debug, Default)]
pub(super) struct BySubject(BTreeMap<String, String>);

impl BySubject {
    pub(super) fn add(&mut self, subject: &str, digest: String) {
        self.0.insert(subject.to_owned(), digest);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The digest of the inputs of every subject.
    pub(super) fn inputs(&self) -> String {
        self.all("medcredit inputs 2")
    }

    /// The digest of the results of every subject.
    pub(super) fn outcomes(&self) -> String {
        self.all("medcredit outcomes 2")
    }

    fn all(&self, domain: &str) -> String {
        let mut fields = Fields::new(domain);
        for (subject, digest) in &self.0 {
            fields.text(subject);
            fields.text(digest);
        }
        fields.hex()
    }
}

/// The digest of the canonical form of a model or catalogue.
pub(super) fn document(canonical: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(canonical.as_bytes());
    HEXLOWER.encode(context.finish().as_ref())
}

/// The digest of one subject's inputs: its file, its rank among its peers, and the sums of its measures. It does not depend
/// on which import, and which line of it, delivered a fact.
pub(super) fn input(standing: &Standing, measures: Option<&Measures>, catalogue: &Catalogue) -> String {
    let mut fields = Fields::new("medcredit input 2");
    let (agreement, licence) = standing.statuses();
    fields.text(&standing.code);
    fields.optional(standing.agreement_signed_on.map(|day| day.to_string()).as_deref());
    fields.text(agreement);
    fields.text(licence);
    // Present only under models that use them, so that the digests of other models stay what they were.
    if let Some(parent) = &standing.parent {
        fields.text("parent");
        fields.text(parent);
    }
    for (name, PeerRank { below, equal, of }) in &standing.peers {
        fields.text(name);
        fields.number((*below).into());
        fields.number((*equal).into());
        fields.number((*of).into());
    }
    if let Some(measures) = measures {
        let id = |place: usize| catalogue.measures().get(place).map_or("", |measure| measure.id.as_str());
        let mut sums: Vec<_> = measures.sums().map(|(back, place, sums)| (id(place), back, sums)).collect();
        // By the id of the measure: its position changes when the catalogue's file is reordered.
        sums.sort_unstable_by_key(|(id, back, _)| (*id, *back));
        for (id, back, Sums { count, sum, latest }) in sums {
            fields.text(id);
            fields.number(back.into());
            fields.number(i128::from(count));
            fields.number(sum.into());
            fields.number(latest.into());
        }
    }
    fields.hex()
}

/// The digest of one subject's result.
pub(super) fn outcome(result: &ResultRow) -> String {
    let mut fields = Fields::new("medcredit outcome 2");
    fields.text(&result.subject_code);
    fields.text(&result.status);
    fields.optional(result.reason.as_deref());
    fields.optional(result.grade.as_deref());
    fields.optional(result.points.map(|points| points.to_string()).as_deref());
    fields.text(&result.findings);
    fields.hex()
}
