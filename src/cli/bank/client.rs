//! The HTTP client of a bank: mutual TLS, cached tokens, signed requests, and whole responses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use data_encoding::HEXLOWER;
use http::{HeaderName, Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::{
    assertion::{self, Assertion, SigningKey},
    connection::{diagnose, tls_config},
    diagnosis::Diagnosis,
    profile::Profile,
    saved_answer::Response,
};
use crate::{
    cli::Context,
    domain::{Timestamp, clock::SharedClock, ids::ClientId, rng::SharedEntropy},
    identity::signature::{
        SignatureFields, content_digest,
        request::{Signing, sign_request},
    },
};

const INTERACTION: HeaderName = HeaderName::from_static("x-fapi-interaction-id");
const DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const IDEMPOTENCY: HeaderName = HeaderName::from_static("idempotency-key");
/// A token with less of its lifetime left is not used: the request takes time, too.
const TOKEN_MARGIN: Duration = Duration::from_secs(20);
/// How many times a request that is safe to repeat is sent.
const ATTEMPTS: u32 = 4;

/// A connection that could not be made, or was lost.
#[derive(Debug, thiserror::Error)]
#[error("{method} {target}: {}\n  to fix it: {}", diagnosis.text, diagnosis.fix)]
pub(in crate::cli) struct ConnectionError {
    method: Method,
    target: String,
    diagnosis: Diagnosis,
    timeout: bool,
}

/// An access token as it was issued.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Token {
    #[serde(rename = "access_token")]
    pub(in crate::cli) text: String,
    /// Its lifetime, in seconds.
    pub(in crate::cli) expires_in: u64,
    /// The granted scopes, separated by spaces.
    pub(in crate::cli) scope: String,
    /// When it expires, by this machine's clock.
    #[serde(skip)]
    pub(in crate::cli) expires_at: Timestamp,
}

/// A bank's client of the gateway. Clones share the cached tokens.
#[derive(Clone)]
pub(in crate::cli) struct BankClient {
    http: reqwest::Client,
    profile: Arc<Profile>,
    clock: SharedClock,
    entropy: SharedEntropy,
    signing: Option<Arc<SigningKey>>,
    tokens: Arc<Mutex<BTreeMap<String, Token>>>,
}

impl std::fmt::Debug for BankClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BankClient").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// The parts of a request that its signature covers.
#[derive(Debug)]
struct Unsigned<'a> {
    method: &'a Method,
    target_uri: &'a str,
    authorization: &'a str,
    content_digest: Option<&'a str>,
    idempotency_key: Option<&'a str>,
}

/// A request.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Call<'a> {
    pub(in crate::cli) method: Method,
    /// Path and query.
    pub(in crate::cli) path: &'a str,
    /// The access token, for a request that takes one.
    pub(in crate::cli) token: Option<&'a str>,
    /// The media type and the bytes of the body.
    pub(in crate::cli) body: Option<(&'static str, Vec<u8>)>,
    /// The `Idempotency-Key`: a repeated request with the same key is executed once.
    pub(in crate::cli) idempotency_key: Option<String>,
}

impl<'a> Call<'a> {
    /// A GET.
    pub(in crate::cli) const fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, token: None, body: None, idempotency_key: None }
    }

    /// A POST of JSON.
    pub(in crate::cli) fn post(path: &'a str, body: &Value) -> Self {
        let body = Some(("application/json", body.to_string().into_bytes()));
        Self { method: Method::POST, body, ..Self::get(path) }
    }

    /// The same with a token.
    pub(in crate::cli) const fn with(mut self, token: &'a str) -> Self {
        self.token = Some(token);
        self
    }
}

impl BankClient {
    /// A client with the profile's files: TLS 1.3, no redirects, time limits.
    pub(in crate::cli) fn new(profile: Profile, ctx: &Context) -> anyhow::Result<Self> {
        let config = tls_config(&profile, ctx.clock.clone())?;
        let signing = profile.signing_key.as_deref().map(|file| SigningKey::read(file, profile.signing_key_id.clone()));
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            // A redirect would send token and signature to another address.
            .redirect(reqwest::redirect::Policy::none())
            // Direct, like the probe that diagnoses a failed connection, which knows of no proxy.
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30))
            .build()
            .context("the HTTP client")?;
        Ok(Self {
            http,
            profile: Arc::new(profile),
            clock: ctx.clock.clone(),
            entropy: ctx.entropy.clone(),
            signing: signing.transpose()?.map(Arc::new),
            tokens: Arc::default(),
        })
    }

    /// The profile it was made with.
    pub(in crate::cli) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// This machine's clock.
    pub(in crate::cli) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A random UUID.
    pub(in crate::cli) fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// Sends a request and returns the response, whatever its status.
    pub(in crate::cli) async fn send(&self, call: Call<'_>) -> anyhow::Result<Response> {
        let target_uri = format!("{}{}", self.profile.origin, call.path);
        let mut request = self.http.request(call.method.clone(), &target_uri).header(INTERACTION, self.uuid());
        let mut signed_fields = BTreeMap::new();
        let authorization = call.token.map(|token| format!("Bearer {token}"));
        let idempotency = call.idempotency_key.as_ref().map(|key| format!("\"{key}\""));
        if let Some((media_type, body)) = call.body {
            let digest = content_digest(&body);
            request = request.header(http::header::CONTENT_TYPE, media_type).header(DIGEST, &digest).body(body);
            signed_fields.insert(DIGEST.as_str().to_owned(), digest);
        }
        if let Some(value) = &idempotency {
            request = request.header(IDEMPOTENCY, value);
        }
        if let Some(authorization) = &authorization {
            request = request.header(http::header::AUTHORIZATION, authorization);
            let digest = signed_fields.get(DIGEST.as_str()).map(String::as_str);
            let signing = Unsigned {
                method: &call.method,
                target_uri: &target_uri,
                authorization,
                content_digest: digest,
                idempotency_key: idempotency.as_deref(),
            };
            if let Some(fields) = self.sign(&signing)? {
                request = request.header(SIGNATURE_INPUT, &fields.input).header(SIGNATURE, &fields.signature);
                signed_fields.insert(SIGNATURE_INPUT.as_str().to_owned(), fields.input);
                signed_fields.insert(SIGNATURE.as_str().to_owned(), fields.signature);
            }
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(self.connection_error(&call.method, &target_uri, &error).await.into()),
        };
        let status = response.status();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = match response.bytes().await {
            Ok(body) => body.to_vec(),
            Err(error) => return Err(self.connection_error(&call.method, &target_uri, &error).await.into()),
        };
        Ok(Response {
            method: call.method.to_string(),
            target_uri,
            request_headers: signed_fields,
            status,
            headers,
            body,
        })
    }

    /// Signs a request (RFC 9421), if the profile says that requests are signed.
    fn sign(&self, request: &Unsigned<'_>) -> anyhow::Result<Option<SignatureFields>> {
        let Some(key) = self.signing.as_ref().filter(|_| self.profile.sign_requests) else { return Ok(None) };
        // A new one for each attempt: a nonce is good once.
        let nonce = self.uuid();
        let signing = Signing {
            method: request.method.as_str(),
            target_uri: request.target_uri,
            authorization: request.authorization,
            content_digest: request.content_digest,
            idempotency_key: request.idempotency_key,
            key_id: key.id(),
            nonce: Some(&nonce),
        };
        Ok(Some(sign_request(&signing, key.pair(), self.now()).context("the request's signature")?))
    }

    /// Why a request got no response. Where the HTTP client does not say, the connection is probed step by step.
    async fn connection_error(&self, method: &Method, target: &str, error: &reqwest::Error) -> ConnectionError {
        let mut diagnosis = Diagnosis::of(error, &self.profile);
        if diagnosis.is_none() {
            diagnosis = diagnose(&self.profile, self.clock.clone()).await;
        }
        // The client's own words are better than none.
        let diagnosis = diagnosis.unwrap_or_else(|| Diagnosis::unknown(error));
        ConnectionError { method: method.clone(), target: target.to_owned(), diagnosis, timeout: error.is_timeout() }
    }

    /// Sends a request that is safe to repeat: after a 503 or a time-out it is sent again, a few times.
    pub(in crate::cli) async fn send_with_retries(&self, call: Call<'_>) -> anyhow::Result<Response> {
        let mut attempt = 1;
        loop {
            let wait = match self.send(call.clone()).await {
                Ok(response) if response.status == StatusCode::SERVICE_UNAVAILABLE && attempt < ATTEMPTS => {
                    // A second, where the gateway names no time.
                    response.retry_after().unwrap_or(Duration::from_secs(1))
                }
                // Of the errors only a time-out: a refused connection or certificate is the same a second later.
                Err(error)
                    if attempt < ATTEMPTS && error.downcast_ref().is_some_and(|it: &ConnectionError| it.timeout) =>
                {
                    Duration::from_secs(1)
                }
                outcome => return outcome,
            };
            // Bounded, whatever `Retry-After` says: somebody waits at the terminal.
            tokio::time::sleep(wait.min(Duration::from_secs(10))).await;
            attempt += 1;
        }
    }

    /// Requests an access token; without scopes, one with all that are registered.
    pub(in crate::cli) async fn issue(&self, scope: Option<&str>) -> anyhow::Result<Token> {
        let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        form.extend(scope.map(|scope| ("scope".to_owned(), scope.to_owned())));
        if let Some((key, client)) = self.assertion_key().await? {
            // 128 random bits: the gateway refuses an identifier that it has seen.
            let mut jti = [0; 16];
            self.entropy.fill(&mut jti);
            let assertion = Assertion {
                client,
                audience: &format!("{}/oauth2/token", self.profile.origin),
                jti: &HEXLOWER.encode(&jti),
                now: self.now(),
            };
            let assertion = assertion.sign(key)?;
            form.push(("client_assertion_type".into(), assertion::TYPE.into()));
            form.push(("client_assertion".into(), assertion));
        }
        let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let body = Some(("application/x-www-form-urlencoded", form.join("&").into_bytes()));
        let call = Call { method: Method::POST, body, ..Call::get("/oauth2/token") };
        let answer = self.send(call).await?.ok()?;
        let mut token: Token = serde_json::from_slice(&answer.body).context("the token answer")?;
        // By this machine's clock, with which it is compared; the gateway's may differ.
        token.expires_at = self.now().plus(Duration::from_secs(token.expires_in));
        Ok(token)
    }

    /// The key and client id for a client assertion, if this bank is registered for `private_key_jwt`: the profile may have
    /// a signing key for request signatures alone.
    async fn assertion_key(&self) -> anyhow::Result<Option<(&SigningKey, ClientId)>> {
        let Some(key) = &self.signing else { return Ok(None) };
        let whoami = self.whoami(None).await?.json()?;
        let methods = whoami.pointer("/client/auth_methods").and_then(Value::as_array);
        if !methods.is_some_and(|methods| methods.iter().any(|method| method == "private_key_jwt")) {
            return Ok(None);
        }
        let id = whoami.pointer("/client/id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        Ok(Some((key, self.profile.client_id.or(id).context("the gateway did not return this bank's client_id")?)))
    }

    /// A token with these scopes, cached until shortly before it expires.
    pub(in crate::cli) async fn token(&self, scope: &str) -> anyhow::Result<String> {
        // Not held over the request below: two calls may both get a token, which costs one request more.
        let cached = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned();
        if let Some(token) = cached.filter(|token| token.expires_at > self.now().plus(TOKEN_MARGIN)) {
            return Ok(token.text);
        }
        let token = self.issue(Some(scope)).await?;
        let text = token.text.clone();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.to_owned(), token);
        Ok(text)
    }

    /// Sends a GET, with a token if there is one.
    pub(in crate::cli) async fn get(&self, token: Option<&str>, path: &str) -> anyhow::Result<Response> {
        self.send(Call { token, ..Call::get(path) }).await
    }

    /// What the gateway sees of this bank (`GET /v1/whoami`).
    pub(in crate::cli) async fn whoami(&self, token: Option<&str>) -> anyhow::Result<Response> {
        self.get(token, "/v1/whoami").await?.ok()
    }

    /// This bank's `client_id`.
    pub(in crate::cli) async fn client_id(&self) -> anyhow::Result<ClientId> {
        let whoami = self.whoami(None).await?.json()?;
        let id = whoami.pointer("/client/id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        id.context("the gateway did not return this bank's client_id")
    }

    /// The published keys.
    pub(in crate::cli) async fn jwks(&self) -> anyhow::Result<Value> {
        self.get(None, "/.well-known/jwks.json").await?.ok()?.json()
    }
}

/// A form's value, percent-encoded.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    out
}
