//! Client authentication with `private_key_jwt`.

use data_encoding::BASE64URL_NOPAD;
use medcredit::{
    access::AuthMethod,
    domain::Clock,
    identity::{KeyPair, Signer, Suite},
};
use serde_json::{Value, json};

use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn assertion(pair: &KeyPair, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let message = format!("{}.{}", part(&json!({ "alg": "ES256", "kid": pair.key_id() })), part(claims));
    format!("{message}.{}", BASE64URL_NOPAD.encode(&pair.sign(message.as_bytes()).unwrap()))
}

async fn signing_bank(app: &TestApp) -> (Bank, KeyPair) {
    let pair = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
    let jwks = json!({ "keys": [pair.public_key().jwk()] }).to_string();
    let bank = app
        .bank_with("Bank A", |new| {
            new.auth_methods = vec![AuthMethod::PrivateKeyJwt];
            new.jwks = Some(jwks);
        })
        .await;
    (bank, pair)
}

both_engines! {
    an_assertion_is_accepted_once,
    an_assertion_is_accepted_from_its_own_client_only,
}

/// Each assertion is accepted once, by whichever gateway (27, K3).
async fn an_assertion_is_accepted_once(store: TestStore) {
    let app = TestApp::start(store).await;
    let (bank, pair) = signing_bank(&app).await;
    let now = app.store.clock.now().seconds();
    let claims =
        json!({ "iss": bank.id, "sub": bank.id, "aud": [app.origin], "iat": now, "exp": now + 60, "jti": "first" });
    let first = assertion(&pair, &claims);
    let fields = |assertion: &'static str| {
        vec![("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", assertion)]
    };
    let first: &'static str = Box::leak(first.into_boxed_str());
    assert_eq!(bank.form("/oauth2/token", &fields(first)).await.status, 200);
    assert_eq!(bank.form("/oauth2/token", &fields(first)).await.refusal(), (401, "invalid_client"));
    let mut claims = claims;
    claims["jti"] = json!("second");
    claims["aud"] = json!(format!("{}/oauth2/token", app.origin));
    let second: &'static str = Box::leak(assertion(&pair, &claims).into_boxed_str());
    assert_eq!(bank.form("/oauth2/token", &fields(second)).await.status, 200);
    // The certificate alone is not enough for this client.
    assert_eq!(
        bank.form("/oauth2/token", &[("grant_type", "client_credentials")]).await.refusal(),
        (401, "invalid_client")
    );
    // An expired assertion is refused too, although its identifier is no longer stored.
    app.advance(std::time::Duration::from_secs(700)).await;
    app.app.tidy().await.unwrap();
    assert_eq!(bank.form("/oauth2/token", &fields(first)).await.refusal(), (401, "invalid_client"));
}

/// Another bank sends this bank's assertion.
async fn an_assertion_is_accepted_from_its_own_client_only(store: TestStore) {
    let app = TestApp::start(store).await;
    let (bank, pair) = signing_bank(&app).await;
    let other = app.bank("Bank B").await;
    let now = app.store.clock.now().seconds();
    let claims = json!({ "iss": bank.id, "sub": bank.id, "aud": app.origin, "iat": now, "exp": now + 60, "jti": "x" });
    let text = assertion(&pair, &claims);
    let fields =
        [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", text.as_str())];
    assert_eq!(other.form("/oauth2/token", &fields).await.refusal(), (401, "invalid_client"));
}
