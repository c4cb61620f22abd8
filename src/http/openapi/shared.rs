//! What every operation can answer besides its own, told once: shared problems, the fields every answer carries, links
//! from one operation to the next, and examples, which are answers the gateway really gave.
//!
//! Which problems an operation has follows from what it takes: a body, a path, a token. An operation that says something
//! of its own about a status keeps it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::{
    Modify,
    openapi::{
        Content, Header, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder, Type,
        link::Link,
        path::{Operation, Parameter, ParameterIn},
    },
};

use crate::http::{oauth, problem::PROBLEM_JSON};

/// Recorded by tests/it/examples.rs, which compares it with what the gateway answers today.
const EXAMPLES: &str = include_str!("../../../openapi/examples.json");

/// An exchange that really took place.
#[derive(Debug, Clone, Deserialize)]
struct Example {
    request: Option<Value>,
    status: u16,
    body: Value,
}

/// Completes the document.
pub(super) struct Answers;

/// Status, name and description of a shared problem.
const PROBLEMS: [(&str, &str, &str); 10] = [
    ("400", "Malformed", "The request is malformed, or its content is not what its digest says"),
    ("401", "NotProved", "The caller is not proved: certificate, token or signature"),
    ("403", "NotAllowed", "The token lacks the scope, or the consent does not allow it"),
    ("404", "NotFound", "There is none, or it is another's: both look the same"),
    ("408", "TooSlow", "The body did not arrive in time"),
    ("413", "TooLarge", "The body is larger than it may be"),
    ("415", "WrongType", "The body is of another media type, or has a content coding"),
    ("429", "TooOften", "A limit is reached: `Retry-After` says when to go on"),
    ("500", "Defect", "A defect: report the `x-fapi-interaction-id`"),
    ("503", "NotNow", "Not safely possible now: try again"),
];

/// Documents for whoever connects.
const PUBLIC: &str = "/.well-known/";

/// The fields of an answer with a status; limits where the caller is counted.
fn fields(status: &str, counted: bool) -> Vec<(&'static str, &'static str)> {
    let mut fields = vec![
        ("x-fapi-interaction-id", "The request's id: the UUID that was sent, or a new one"),
        ("Cache-Control", "Peer may keep the answer, and for how long"),
        ("X-Content-Type-Options", "Always `nosniff`"),
        ("Content-Digest", "RFC 9530: on every data answer, and wherever Want-Content-Digest asks for it"),
    ];
    if counted {
        fields.push(("RateLimit-Policy", "The limits that apply (draft-ietf-httpapi-ratelimit-headers-11)"));
        fields.push(("RateLimit", "What is left of each, and in how many seconds it is whole again"));
    }
    match status {
        "401" | "403" => {
            fields.push(("WWW-Authenticate", "RFC 6750, with the place of the metadata (RFC 9728)"));
            fields.push(("Accept-Signature", "RFC 9421: what a client that signs its requests must cover"));
        }
        "409" | "429" | "503" => fields.push(("Retry-After", "Seconds until it is worth trying again")),
        _ => {}
    }
    fields
}

fn carry(response: &mut Response, status: &str, counted: bool) {
    for (name, description) in fields(status, counted) {
        if !response.headers.keys().any(|known| known.eq_ignore_ascii_case(name)) {
            let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String).build());
            header.description = Some(description.to_owned());
            response.headers.insert(name.to_owned(), RefOr::T(header));
        }
    }
}

/// A shared problem in one of its two forms.
fn problem(status: &str, description: &str, oauth: bool, examples: &BTreeMap<String, Example>) -> Response {
    let (schema, media_type, form) = if oauth {
        ("OauthErrorDocument", "application/json", "oauth")
    } else {
        ("ProblemDocument", PROBLEM_JSON, "problem")
    };
    let mut content = Content::new(Some(Ref::from_schema_name(schema)));
    content.example = examples.get(&format!("{form}_{status}")).map(|example| example.body.clone());
    let mut response = ResponseBuilder::new().description(description).content(media_type, content).build();
    carry(&mut response, status, true);
    response
}

fn name_of(name: &str, oauth: bool) -> String {
    if oauth { format!("Oauth{name}") } else { name.to_owned() }
}

fn is_in_path(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
}

/// Whether an operation can answer so, by what it takes.
fn is_possible(status: &str, path: &str, operation: &Operation) -> bool {
    let scoped = operation.security.as_ref().is_some_and(|security| !security.is_empty());
    match status {
        "400" | "401" | "429" => !path.starts_with(PUBLIC),
        // Whoever asks who it is needs no scope.
        "403" => scoped && path != "/v1/whoami",
        "404" => operation.parameters.iter().flatten().any(is_in_path),
        // RFC 6749 knows no other status for a form that is none.
        "415" => operation.request_body.is_some() && !path.starts_with(oauth::PREFIX),
        "408" | "413" => operation.request_body.is_some(),
        _ => true,
    }
}

fn share(path: &str, operation: &mut Operation) {
    let oauth = path.starts_with(oauth::PREFIX);
    for (status, name, _) in PROBLEMS {
        if is_possible(status, path, operation) {
            let shared = || RefOr::Ref(Ref::from_response_name(name_of(name, oauth)));
            operation.responses.responses.entry(status.to_owned()).or_insert_with(shared);
        }
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            carry(response, status, !path.starts_with(PUBLIC));
        }
    }
}

/// Where an answer leads: an operation, and where its `id` stands in the answer.
fn links(operation: &str) -> &'static [(&'static str, &'static str)] {
    const ID: &str = "$response.body#/id";
    match operation {
        "request_consent" => {
            &[("show_consent", ID), ("revoke_consent", ID), ("receipt", ID), ("grade", ID), ("settlements", ID)]
        }
        "grade" | "grade_history" | "scorecard" | "settlements" | "report" => {
            &[("proof", "$response.body#/disclosure")]
        }
        _ => &[],
    }
}

fn link(operation: &mut Operation) {
    let targets = links(operation.operation_id.as_deref().unwrap_or_default());
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            for (target, value) in targets {
                let link = Link::builder().operation_id(*target).parameter("id", *value).build();
                response.links.insert((*target).to_owned(), RefOr::T(link));
            }
        }
    }
}

fn exemplify<'a>(contents: impl Iterator<Item = &'a mut RefOr<Content>>, example: &Value) {
    for content in contents {
        if let RefOr::T(content) = content {
            content.example = Some(example.clone());
        }
    }
}

fn show(operation: &mut Operation, examples: &BTreeMap<String, Example>) {
    let Some(example) = operation.operation_id.as_ref().and_then(|id| examples.get(id)) else { return };
    let status = example.status.to_string();
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(&status) {
        exemplify(response.content.values_mut(), &example.body);
    }
    if let (Some(request), Some(RefOr::T(body))) = (&example.request, &mut operation.request_body) {
        // What was sent is text; a Parquet file is not.
        let texts = body.content.iter_mut().filter(|(media_type, _)| !media_type.ends_with("parquet"));
        exemplify(texts.map(|(_, content)| content), request);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

impl Modify for Answers {
    fn modify(&self, document: &mut OpenApi) {
        // The file is compiled in, and a test reads it: what does not parse shows as a document without examples.
        let examples: BTreeMap<String, Example> = serde_json::from_str(EXAMPLES).unwrap_or_default();
        let components = document.components.get_or_insert_default();
        for (status, name, description) in PROBLEMS {
            for oauth in [false, true] {
                let shared = problem(status, description, oauth, &examples);
                components.responses.insert(name_of(name, oauth), RefOr::T(shared));
            }
        }
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                share(path, operation);
                link(operation);
                show(operation, &examples);
            }
        }
    }
}
