//! One ledger entry with its proof, computed and verified for this page.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};

use crate::{
    app::App,
    domain::Failure,
    http::{
        console::{area::Area, frame::Frame, marks::entry_kind, visitor::Visitor},
        problem::Problem,
        web::{page::Page, preferences::Preferences, when::When},
    },
    i18n::web::Texts,
    ledger::{self, FoundEntry, Proof, ProofStatus},
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/ledger/{id}", get(show))
}

/// Values that identify a subject or a person: they are seen by opening the subject, with a purpose.
const WITHHELD: [&str; 4] = ["codes", "uscc", "signer", "found"];

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/entry.html")]
pub(super) struct EntryPage {
    frame: Frame,
    t: Texts,
    id: String,
    kind: &'static str,
    at: When,
    facts: Vec<(String, String)>,
    values: Option<Vec<(String, String)>>,
    proof: Option<Box<Proof>>,
    body: String,
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    visitor.enter(Area::Ledger)?;
    let t = visitor.t;
    let found = ledger::find_entry(&app.env, &id).await?;
    let entry = found.ok_or_else(|| Failure::not_found("entry_not_found", "There is no entry with this id."))?;
    let proof = match app.log.prove_any(&id).await? {
        Some(ProofStatus::Sealed(proof)) => Some(proof),
        Some(ProofStatus::Pending) | None => None,
    };
    visitor.show(&page(visitor.frame(Area::Ledger.key()), t, entry, proof))
}

fn page(frame: Frame, t: Texts, entry: FoundEntry, proof: Option<Box<Proof>>) -> EntryPage {
    let shown =
        |values: Vec<(String, String)>| values.into_iter().filter(|(name, _)| !WITHHELD.contains(&&**name)).collect();
    EntryPage {
        frame,
        t,
        kind: entry_kind(&entry.kind, t),
        at: When(entry.at),
        facts: entry.facts,
        values: entry.values.map(shown),
        proof,
        body: entry.body,
        id: entry.id,
    }
}

impl Page for EntryPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let entry = |values| FoundEntry {
            id: "ent_06fz0000000000000000000000".into(),
            kind: "operator".into(),
            at: crate::domain::Timestamp::from_seconds(1_785_456_000),
            body: "{\"v\":1}".into(),
            values,
            facts: vec![("action".into(), "client_suspended".into())],
            leaf: Some(3),
        };
        let proof = Proof {
            id: "ent_06fz0000000000000000000000".into(),
            log: "gateway.example/ledger/1".into(),
            entry: "{}".into(),
            opening: None,
            leaf: "AAAA".into(),
            leaf_index: 3,
            tree_size: 12,
            inclusion: vec!["AAAA".into()],
            checkpoint: "gateway.example/ledger/1\n12\n".into(),
        };
        let values = vec![("actor".into(), "operator:lin".into()), ("uscc".into(), "none is shown".into())];
        let frame = || Frame::sample(preferences, "ledger");
        vec![page(frame(), t, entry(Some(values)), Some(Box::new(proof))), page(frame(), t, entry(None), None)]
    }
}
