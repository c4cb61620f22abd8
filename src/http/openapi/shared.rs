//! Adds the shared parts to every operation: problems, header fields, links to other operations, and examples, which are
//! recorded responses of the gateway.
//!
//! Which problems an operation has follows from its input: a body, a path parameter, a token. An operation that documents a
//! status itself keeps its own text.

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

use crate::http::problem::{OAUTH_PREFIX, PROBLEM_JSON};

/// Recorded by tests/it/examples.rs, which compares them with the gateway's present responses.
const EXAMPLES: &str = include_str!("../../../openapi/examples.json");

/// A recorded exchange.
#[derive(Debug, Clone, Deserialize)]
struct Example {
    request: Option<Value>,
    status: u16,
    body: Value,
}

/// Adds the shared parts to the document.
pub(super) struct SharedParts;

/// Status, name and description of each shared problem.
const PROBLEMS: [(&str, &str, &str); 10] = [
    ("400", "Malformed", "Malformed request, or content that does not match its digest"),
    ("401", "NotProved", "Certificate, token or signature that is not accepted"),
    ("403", "NotAllowed", "Token without the scope, or consent that does not allow the request"),
    ("404", "NotFound", "Unknown id, or an id of another client: both look the same"),
    ("408", "TooSlow", "Body that did not arrive in time"),
    ("413", "TooLarge", "Body that is larger than allowed"),
    ("415", "WrongType", "Body with another media type, or with a content coding"),
    ("429", "TooOften", "Limit reached: try again after `Retry-After`"),
    ("500", "Defect", "Defect of the gateway: report the `x-fapi-interaction-id`"),
    ("503", "NotNow", "Not safely possible now: try again"),
];

/// The path prefix of public documents.
const PUBLIC: &str = "/.well-known/";

/// The header fields of a response with a status; with limits if the request is counted.
fn fields(status: &str, counted: bool) -> Vec<(&'static str, &'static str)> {
    let mut fields = vec![
        ("x-fapi-interaction-id", "Id of the request: the UUID that was sent, or a new one"),
        ("Cache-Control", "Caches that may store the response, and for how long"),
        ("X-Content-Type-Options", "Always `nosniff`"),
        ("Content-Digest", "RFC 9530: on every data response, and on others if Want-Content-Digest requests it"),
    ];
    if counted {
        fields.push(("RateLimit-Policy", "The limits that apply (draft-ietf-httpapi-ratelimit-headers-11)"));
        fields.push(("RateLimit", "Remaining quota of each limit, and seconds until it is full again"));
    }
    match status {
        "401" | "403" => {
            fields.push(("WWW-Authenticate", "RFC 6750, with the URL of the metadata (RFC 9728)"));
            fields.push(("Accept-Signature", "RFC 9421: components that a signed request must cover"));
        }
        "409" | "429" | "503" => fields.push(("Retry-After", "Seconds to wait before trying again")),
        _ => {}
    }
    fields
}

/// The further header fields of every response with subject data. An operation may describe one of them itself.
const SIGNED_FIELDS: [(&str, &str); 4] = [
    ("Content-Digest", "RFC 9530, SHA-256 of the body"),
    ("Medcredit-Disclosure", "The receipt: the entry's id, its leaf in the log, and by when it is sealed"),
    ("Signature", "RFC 9421, over status, digest, receipt and request"),
    ("Signature-Input", "RFC 9421"),
];

/// Adds the header fields that a response does not describe itself.
fn add_fields(response: &mut Response, fields: impl IntoIterator<Item = (&'static str, &'static str)>) {
    for (name, description) in fields {
        if !response.headers.keys().any(|known| known.eq_ignore_ascii_case(name)) {
            let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String).build());
            header.description = Some(description.to_owned());
            response.headers.insert(name.to_owned(), RefOr::T(header));
        }
    }
}

/// A shared problem, in the form of the API or of the OAuth endpoints.
fn problem(status: &str, description: &str, oauth: bool, examples: &BTreeMap<String, Example>) -> Response {
    let (schema, media_type, form) = if oauth {
        ("OauthErrorDocument", "application/json", "oauth")
    } else {
        ("ProblemDocument", PROBLEM_JSON, "problem")
    };
    let mut content = Content::new(Some(Ref::from_schema_name(schema)));
    content.example = examples.get(&format!("{form}_{status}")).map(|example| example.body.clone());
    let mut response = ResponseBuilder::new().description(description).content(media_type, content).build();
    add_fields(&mut response, fields(status, true));
    response
}

fn name_of(name: &str, oauth: bool) -> String {
    if oauth { format!("Oauth{name}") } else { name.to_owned() }
}

fn is_in_path(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
}

/// Whether an operation can respond with a status, by its input.
fn is_possible(status: &str, path: &str, operation: &Operation) -> bool {
    let scoped = operation.security.as_ref().is_some_and(|security| !security.is_empty());
    match status {
        "400" | "401" | "429" => !path.starts_with(PUBLIC),
        // `whoami` needs no scope.
        "403" => scoped && path != "/v1/whoami",
        "404" => operation.parameters.iter().flatten().any(is_in_path),
        // RFC 6749 has no other status for a malformed form.
        "415" => operation.request_body.is_some() && !path.starts_with(OAUTH_PREFIX),
        "408" | "413" => operation.request_body.is_some(),
        _ => true,
    }
}

fn add_problems(path: &str, operation: &mut Operation) {
    let oauth = path.starts_with(OAUTH_PREFIX);
    let data = operation.tags.iter().flatten().any(|tag| tag == "data");
    for (status, name, _) in PROBLEMS {
        if is_possible(status, path, operation) {
            let shared = || RefOr::Ref(Ref::from_response_name(name_of(name, oauth)));
            operation.responses.responses.entry(status.to_owned()).or_insert_with(shared);
        }
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            if data && status == "200" {
                add_fields(response, SIGNED_FIELDS);
            }
            add_fields(response, fields(status, !path.starts_with(PUBLIC)));
        }
    }
}

/// The links of an operation's response: target operations, and the part of the response that is their `id`.
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

fn add_links(operation: &mut Operation) {
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

fn set_example<'a>(contents: impl Iterator<Item = &'a mut RefOr<Content>>, example: &Value) {
    for content in contents {
        if let RefOr::T(content) = content {
            content.example = Some(example.clone());
        }
    }
}

fn add_examples(operation: &mut Operation, examples: &BTreeMap<String, Example>) {
    let Some(example) = operation.operation_id.as_ref().and_then(|id| examples.get(id)) else { return };
    let status = example.status.to_string();
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(&status) {
        set_example(response.content.values_mut(), &example.body);
    }
    if let (Some(request), Some(RefOr::T(body))) = (&example.request, &mut operation.request_body) {
        // The recorded request is text, so it is no example of a Parquet file.
        let texts = body.content.iter_mut().filter(|(media_type, _)| !media_type.ends_with("parquet"));
        set_example(texts.map(|(_, content)| content), request);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

impl Modify for SharedParts {
    fn modify(&self, document: &mut OpenApi) {
        // A file that does not parse leaves the document without examples, which a test reports.
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
                add_problems(path, operation);
                add_links(operation);
                add_examples(operation, &examples);
            }
        }
    }
}
