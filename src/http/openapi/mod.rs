//! The OpenAPI document of the partner API. It is committed as `openapi/bank.v1.json`, and a test compares the two.

mod shared;

use utoipa::{
    Modify, OpenApi,
    openapi::security::{ClientCredentials, Flow, OAuth2, Scopes, SecurityScheme},
};

use crate::{
    domain::permission::Scope,
    http::{
        bank, oauth,
        problem::{OauthErrorDocument, ProblemDocument},
    },
};
use shared::SharedParts;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Medcredit Gateway: partner API",
        description = "API for partner banks, departments and platforms, over TLS 1.3 with a client certificate. Every data response is signed (RFC 9421) and recorded before it is sent. A client that is registered for signed requests signs each request with a token: RFC 9421, tag `fapi-2-request`, over `@method`, `@target-uri`, `authorization` and, if they are sent, `content-digest` and `idempotency-key`; docs/SIGNATURES.md has worked examples. Every response has an `x-fapi-interaction-id`: the UUID of the request, or a new one. `Content-Digest` of a request is verified before its body is read; `Want-Content-Digest` is honoured. All examples are synthetic.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ProblemDocument, OauthErrorDocument)),
    tags(
        (name = "oauth", description = "Tokens"),
        (name = "consents", description = "Consents"),
        (name = "data", description = "Subject data under a consent"),
        (name = "proofs", description = "The ledger"),
        (name = "imports", description = "Files that departments' systems upload"),
        (name = "platforms", description = "Receipts of platforms that receive packages"),
        (name = "about", description = "The gateway itself"),
    )
)]
struct Partner;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scopes: Scopes =
            Scope::ALL.iter().map(|scope| (scope.as_str().to_owned(), scope.as_str().to_owned())).collect();
        let flow = Flow::ClientCredentials(ClientCredentials::new("/oauth2/token", scopes));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("access_token", SecurityScheme::OAuth2(OAuth2::new([flow])));
    }
}

/// Renders the document.
pub fn partner() -> Result<String, serde_json::Error> {
    let mut document = Partner::openapi();
    document.merge(oauth::Documented::openapi());
    document.merge(bank::Documented::openapi());
    Security.modify(&mut document);
    SharedParts.modify(&mut document);
    document.to_pretty_json().map(|text| text + "\n")
}
