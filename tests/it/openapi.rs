//! The committed OpenAPI document, the routes, and the access checks of each operation.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    architecture::rust_files,
    support::{TestStore, app::TestApp, both_engines},
};

/// Operations that need no token: public documents, and operations that need only a certificate.
const WITHOUT_TOKEN: &[&str] = &[
    "get /.well-known/jwks.json",
    "get /.well-known/oauth-authorization-server",
    "get /.well-known/oauth-protected-resource",
    "get /v1/ledger/checkpoint",
    "get /v1/ledger/keys",
    "get /v1/ledger/tile/{name}",
    "get /v1/schemes",
    "get /v1/whoami",
    "post /oauth2/introspect",
    "post /oauth2/revoke",
    "post /oauth2/token",
];

/// Operations for every trusted certificate, also of no client.
const WITHOUT_CLIENT: &[&str] = &[
    "get /.well-known/jwks.json",
    "get /.well-known/oauth-authorization-server",
    "get /.well-known/oauth-protected-resource",
];

fn document() -> Value {
    serde_json::from_str(&medcredit::http::openapi::partner().unwrap()).unwrap()
}

/// The ids of the operations that `which` selects.
fn operation_ids(which: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let document = document();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values()).filter(|operation| which(operation));
    operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

fn operations() -> Vec<(String, String)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone())))
        .collect()
}

#[test]
fn the_committed_document_is_up_to_date() {
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/bank.v1.json")).unwrap();
    let made = medcredit::http::openapi::partner().unwrap();
    assert!(committed == made, "run `medcredit openapi > openapi/bank.v1.json` and review the difference");
}

/// Every file below a folder of the source.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let files = rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder));
    files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(&file).unwrap())).collect()
}

/// The text between two marks, for each occurrence of the first.
fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(|rest| rest.split('"').next().unwrap())
}

/// A handler that no `operations!` lists is neither mounted nor documented, and would go unnoticed.
#[test]
fn every_handler_is_an_operation() {
    let documented: BTreeSet<String> = operation_ids(|_| true);
    for (file, text) in sources("http/bank").into_iter().chain(sources("http/oauth")) {
        let handlers = text.matches("#[utoipa::path(").count();
        let ids: Vec<_> = quoted(&text, "operation_id = \"").collect();
        assert!(handlers <= 1 && ids.len() == handlers, "{}: one handler, with its operation_id", file.display());
        for id in ids {
            assert!(documented.contains(id), "{}: {id} is in no `operations!`", file.display());
        }
    }
}

/// A `Reading` and the operation that returns it have one name; a delivery is lines of several readings.
#[test]
fn every_reading_has_an_operation_and_every_data_operation_a_reading() {
    let sources = sources("disclosure");
    let readings = sources.iter().flat_map(|(_, text)| quoted(text, "const OPERATION: &'static str = \""));
    let readings: BTreeSet<String> = readings.map(str::to_owned).collect();
    let mut data = operation_ids(|operation| operation["tags"][0] == "data");
    assert!(data.remove("deliver"));
    assert_eq!(readings, data);
}

/// A token with one scope.
async fn only(bank: &crate::support::app::Bank, scope: &str) -> String {
    let reply = bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("scope", scope)]).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    reply.json["access_token"].as_str().unwrap().to_owned()
}

both_engines! {
    every_operation_checks_its_caller,
    allow_names_the_methods_that_are_served,
}

/// A client that sends a method which no path has, then each that `Allow` names.
async fn allow_names_the_methods_that_are_served(store: TestStore) {
    let app =
        TestApp::start_with(store, "[limits]\nauthentication_failures = { quota = 1000, window_seconds = 1 }").await;
    let bank = app.bank("Bank A").await;
    let paths: BTreeSet<String> = operations().into_iter().map(|(_, path)| path).collect();
    for path in paths {
        let url = bank.url(&path.replace("{id}", "con_nonsense").replace("{name}", "000"));
        let send = async |method: &str| bank.send(bank.http.request(method.parse().unwrap(), &url)).await;
        let refused = send("PATCH").await;
        assert_eq!(refused.refusal(), (405, "method_not_allowed"), "{path}");
        let allowed: BTreeSet<&str> = refused.headers["allow"].split(',').map(str::trim).collect();
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = send(method).await;
            assert_eq!(answer.status != 405, allowed.contains(method), "{method} {path}: {allowed:?}");
            if answer.status == 405 {
                let same: BTreeSet<&str> = answer.headers["allow"].split(',').map(str::trim).collect();
                assert_eq!(same, allowed, "{method} {path}");
            }
        }
    }
}

/// The characters of a class in a pattern, such as `[^\\u0000-\\u001f]`: single ones and ranges, all as `\\uXXXX`.
fn class(text: &str) -> BTreeSet<char> {
    let codes: Vec<&str> = text.split("\\u").skip(1).collect();
    let code = |text: &str| u32::from_str_radix(&text[..4], 16).unwrap();
    let mut characters = BTreeSet::new();
    for (at, first) in codes.iter().enumerate() {
        let last = if first.ends_with('-') { codes[at + 1] } else { first };
        characters.extend((code(first)..=code(last)).filter_map(char::from_u32));
    }
    characters
}

/// What a bank writes of its own is refused where it cannot be seen; the document says so, as far as patterns can.
#[test]
fn the_patterns_of_free_texts_refuse_what_the_gateway_refuses() {
    let document = document();
    let properties = &document["components"]["schemas"]["ConsentRequest"]["properties"];
    for name in ["product", "reference"] {
        let pattern = properties[name]["pattern"].as_str().unwrap_or_else(|| panic!("{name} has no pattern"));
        let classes: Vec<&str> = pattern.split("[^").skip(1).map(|rest| rest.split(']').next().unwrap()).collect();
        let [before, visible, after] = classes[..] else { panic!("{pattern}") };
        assert_eq!(pattern, format!("^[^{before}]*[^{visible}][^{after}]*$"));
        assert!(before == after && visible == format!("\\s{before}"), "{pattern}");
        let refused = class(before);
        let plane = (0..=0xffff).filter_map(char::from_u32);
        let expected: BTreeSet<char> = plane.filter(|c| medcredit::domain::printable::is_unprintable(*c)).collect();
        assert_eq!(refused, expected, "{name}");
    }
}

/// At every operation: a trusted certificate of no client; a bank without a token, with a bad one, and with one that lacks
/// the scope.
async fn every_operation_checks_its_caller(store: TestStore) {
    let app =
        TestApp::start_with(store, "[limits]\nauthentication_failures = { quota = 1000, window_seconds = 1 }").await;
    let bank = app.bank("Bank A").await;
    let [token, other] = [only(&bank, "disclosures:read").await, only(&bank, "consents:write").await];
    let (certificate, key) = app.certificate("Nobody").await;
    let mut nobody = bank.clone();
    nobody.http = app.connect(&certificate, &key);
    let document = document();
    for (method, path) in operations() {
        let operation = format!("{method} {path}");
        let security = document["paths"][&path][&method]["security"].to_string();
        let without_scope = if security.contains("disclosures:read") { &other } else { &token };
        let url = bank.url(&path.replace("{id}", "con_nonsense").replace("{name}", "000"));
        let method: http::Method = method.to_uppercase().parse().unwrap();
        let form = path.starts_with("/oauth2/");
        let request = |of: &crate::support::app::Bank, token: Option<&str>| {
            let mut request = of.http.request(method.clone(), &url);
            if form {
                request = request
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body("grant_type=client_credentials&token=x");
            } else if method == http::Method::POST {
                request = request.json(&serde_json::json!({}));
            }
            match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            }
        };
        let stranger = nobody.send(request(&nobody, Some(&token))).await;
        if WITHOUT_CLIENT.contains(&operation.as_str()) {
            assert_eq!(stranger.status, 200, "{operation}");
        } else {
            assert_eq!(stranger.status, 401, "{operation}: {:?}", stranger.json);
        }
        if !WITHOUT_TOKEN.contains(&operation.as_str()) {
            assert_eq!(bank.send(request(&bank, None)).await.refusal(), (401, "token_required"), "{operation}");
            assert_eq!(
                bank.send(request(&bank, Some("nonsense"))).await.refusal(),
                (401, "invalid_token"),
                "{operation}"
            );
            assert_eq!(
                bank.send(request(&bank, Some(without_scope))).await.refusal(),
                (403, "insufficient_scope"),
                "{operation}"
            );
        }
    }
}
