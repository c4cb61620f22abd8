//! Digests of what a run read, by which model, and what came of it: the same for the same content, in whatever order it
//! came and on whatever engine it lay (I5).

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use super::eligibility::Standing;
use crate::{
    scoring::{Catalogue, Measures, Peer, Sums},
    store::runs::ResultRow,
};

/// A digest of a list of fields, each with its length before it, so that no two lists look alike.
struct Fields(Context);

impl Fields {
    fn new(matter: &str) -> Self {
        let mut fields = Self(Context::new(&SHA256));
        fields.text(matter);
        fields
    }

    fn text(&mut self, text: &str) {
        self.0.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: i128) {
        self.0.update(&number.to_be_bytes());
    }

    /// Absent and empty are different.
    fn optional(&mut self, text: Option<&str>) {
        self.text(if text.is_some() { "+" } else { "-" });
        self.text(text.unwrap_or_default());
    }

    fn hex(self) -> String {
        HEXLOWER.encode(self.0.finish().as_ref())
    }
}

/// Digests by subject, from which one over all of them is made in the order of codes.
#[derive(Debug, Default)]
pub(super) struct BySubject(BTreeMap<String, String>);

impl BySubject {
    pub(super) fn add(&mut self, subject: &str, digest: String) {
        self.0.insert(subject.to_owned(), digest);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The digest over what was read of every subject.
    pub(super) fn inputs(&self) -> String {
        self.all("medcredit inputs 2")
    }

    /// The digest over the results of every subject.
    pub(super) fn outcomes(&self) -> String {
        self.all("medcredit outcomes 2")
    }

    fn all(&self, matter: &str) -> String {
        let mut fields = Fields::new(matter);
        for (subject, digest) in &self.0 {
            fields.text(subject);
            fields.text(digest);
        }
        fields.hex()
    }
}

/// The digest of a model's or catalogue's canonical form.
pub(super) fn document(canonical: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(canonical.as_bytes());
    HEXLOWER.encode(context.finish().as_ref())
}

/// The digest of what was read of one subject: its file, how it stands among its peers, and what its measures come to. Which import
/// brought a fact, and on which line, is not in it.
pub(super) fn input(standing: &Standing, measures: Option<&Measures>, catalogue: &Catalogue) -> String {
    let mut fields = Fields::new("medcredit input 2");
    let (agreement, licence) = standing.words();
    fields.text(&standing.code);
    fields.optional(standing.agreement_signed_on.map(|day| day.to_string()).as_deref());
    fields.text(agreement);
    fields.text(licence);
    // Only of models that look at them.
    if let Some(parent) = &standing.parent {
        fields.text("parent");
        fields.text(parent);
    }
    for (name, Peer { below, equal, of }) in &standing.peers {
        fields.text(name);
        fields.number((*below).into());
        fields.number((*equal).into());
        fields.number((*of).into());
    }
    if let Some(measures) = measures {
        let id = |place: usize| catalogue.measures().get(place).map_or("", |measure| measure.id.as_str());
        let mut sums: Vec<_> = measures.sums().map(|(back, place, sums)| (id(place), back, sums)).collect();
        // By the measure's name, not by its place in the catalogue, which may be put in another order.
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

/// The digest of what came of one subject.
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
