//! A bank's connection: mTLS with its certificate, tokens kept in memory, and answers kept whole.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use data_encoding::HEXLOWER;
use http::{HeaderName, Method, StatusCode};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Kept, Profile,
    assertion::{self, SigningKey},
    diagnosis::Trouble,
    doctor::find_trouble,
};
use crate::{
    authority::files,
    cli::Context,
    domain::{Timestamp, clock::SharedClock, ids::ClientId, rng::SharedEntropy},
    identity::{
        signature::{
            SignatureFields, content_digest,
            request::{Signing, sign_request},
        },
        tls,
    },
};

const INTERACTION: HeaderName = HeaderName::from_static("x-fapi-interaction-id");
const DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const IDEMPOTENCY: HeaderName = HeaderName::from_static("idempotency-key");
/// A token with less than this left is not used any more: the request takes time, too.
const TOKEN_MARGIN: Duration = Duration::from_secs(20);
/// How often something that is safe to repeat is tried.
const ATTEMPTS: u32 = 4;

/// A connection that did not come about, or was cut.
#[derive(Debug, thiserror::Error)]
#[error("{method} {target}: {}\n  to mend: {}", trouble.text, trouble.mend)]
pub(in crate::cli) struct Unreached {
    method: Method,
    target: String,
    /// What was wrong.
    pub(in crate::cli) trouble: Trouble,
    timeout: bool,
}

/// An access token as it was issued.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Token {
    /// The token.
    #[serde(rename = "access_token")]
    pub(in crate::cli) text: String,
    /// How long it is good, in seconds.
    pub(in crate::cli) expires_in: u64,
    /// What for.
    pub(in crate::cli) scope: String,
    /// When it is over, by this machine's clock.
    #[serde(skip)]
    pub(in crate::cli) expires_at: Timestamp,
}

/// A bank's connection to the gateway. Clones share tokens.
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

/// A request.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Call<'a> {
    /// Method.
    pub(in crate::cli) method: Method,
    /// Path and query.
    pub(in crate::cli) path: &'a str,
    /// Which token it takes; none without.
    pub(in crate::cli) token: Option<&'a str>,
    /// Body, with its media type.
    pub(in crate::cli) body: Option<(&'static str, Vec<u8>)>,
    /// The key under which the gateway does it once.
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

/// The configuration of TLS as the profile's files have it.
pub(in crate::cli) fn tls_config(profile: &Profile, clock: SharedClock) -> anyhow::Result<rustls::ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in files::read_items(files::CERTIFICATE, &profile.ca).context("the profile's ca")? {
        roots.add(CertificateDer::from(authority.to_vec())).context("the profile's ca")?;
    }
    let chain = files::read_items(files::CERTIFICATE, &profile.certificate).context("the profile's certificate")?;
    let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.to_vec())).collect();
    let key = files::read_item(files::PRIVATE_KEY, &profile.key).context("the profile's key")?;
    let key = PrivateKeyDer::try_from(key.to_vec()).map_err(|error| anyhow::anyhow!("the profile's key: {error}"))?;
    let mut config =
        tls::client_config(roots, Some(tls::ClientCertificate { chain, key }), clock).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => anyhow::anyhow!(
                "{} is not the key of {}: put the key into the profile that its certificate was made for",
                profile.key.display(),
                profile.certificate.display()
            ),
            other => anyhow::Error::new(other).context("the profile's certificate and key"),
        })?;
    config.alpn_protocols = tls::ALPN.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

impl BankClient {
    /// Connects with a profile: TLS 1.3, no redirects, bounded times.
    pub(in crate::cli) fn new(profile: Profile, ctx: &Context) -> anyhow::Result<Self> {
        let config = tls_config(&profile, ctx.clock.clone())?;
        let signing = profile.signing_key.as_deref().map(|file| SigningKey::read(file, profile.signing_key_id.clone()));
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
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

    /// What it connects with.
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

    /// Sends a request and keeps what came back, whatever it is.
    pub(in crate::cli) async fn send(&self, call: Call<'_>) -> anyhow::Result<Kept> {
        let target_uri = format!("{}{}", self.profile.origin, call.path);
        let mut request = self.http.request(call.method.clone(), &target_uri).header(INTERACTION, self.uuid());
        let mut asked = BTreeMap::new();
        let authorization = call.token.map(|token| format!("Bearer {token}"));
        let idempotency = call.idempotency_key.as_ref().map(|key| format!("\"{key}\""));
        if let Some((media_type, body)) = call.body {
            let digest = content_digest(&body);
            request = request.header(http::header::CONTENT_TYPE, media_type).header(DIGEST, &digest).body(body);
            asked.insert(DIGEST.as_str().to_owned(), digest);
        }
        if let Some(value) = &idempotency {
            request = request.header(IDEMPOTENCY, value);
        }
        if let Some(authorization) = &authorization {
            request = request.header(http::header::AUTHORIZATION, authorization);
            let digest = asked.get(DIGEST.as_str()).map(String::as_str);
            if let Some(fields) =
                self.signed((&call.method, &target_uri), authorization, (digest, idempotency.as_deref()))?
            {
                request = request.header(SIGNATURE_INPUT, &fields.input).header(SIGNATURE, &fields.signature);
                asked.insert(SIGNATURE_INPUT.as_str().to_owned(), fields.input);
                asked.insert(SIGNATURE.as_str().to_owned(), fields.signature);
            }
        }
        let way = (&call.method, target_uri.as_str());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(self.unreached(way, &error).await.into()),
        };
        let status = response.status();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = match response.bytes().await {
            Ok(body) => body.to_vec(),
            Err(error) => return Err(self.unreached(way, &error).await.into()),
        };
        Ok(Kept { method: call.method.to_string(), target_uri, asked, status, headers, body })
    }

    /// The signature of a request, where the profile wants requests signed.
    fn signed(
        &self,
        (method, target_uri): (&Method, &str),
        authorization: &str,
        (content_digest, idempotency_key): (Option<&str>, Option<&str>),
    ) -> anyhow::Result<Option<SignatureFields>> {
        let Some(key) = self.signing.as_ref().filter(|_| self.profile.sign_requests) else { return Ok(None) };
        let nonce = self.uuid();
        let signing = Signing {
            method: method.as_str(),
            target_uri,
            authorization,
            content_digest,
            idempotency_key,
            key_id: key.id(),
            nonce: Some(&nonce),
        };
        Ok(Some(sign_request(&signing, key.pair(), self.now()).context("the request's signature")?))
    }

    /// Why a request was not answered; where the HTTP client does not tell, the way is gone once more to find out.
    async fn unreached(&self, (method, target): (&Method, &str), error: &reqwest::Error) -> Unreached {
        let mut trouble = Trouble::of(error, &self.profile);
        if trouble.is_none() {
            trouble = find_trouble(&self.profile, self.clock.clone()).await;
        }
        let trouble = trouble.unwrap_or_else(|| Trouble::unknown(error));
        Unreached { method: method.clone(), target: target.to_owned(), trouble, timeout: error.is_timeout() }
    }

    /// Sends what may safely be repeated until it is answered: 503 and time-outs are tried again, a few times.
    pub(in crate::cli) async fn send_patiently(&self, call: Call<'_>) -> anyhow::Result<Kept> {
        let mut attempt = 1;
        loop {
            let wait = match self.send(call.clone()).await {
                Ok(kept) if kept.status == StatusCode::SERVICE_UNAVAILABLE && attempt < ATTEMPTS => {
                    kept.retry_after().unwrap_or(Duration::from_secs(1))
                }
                Err(error) if attempt < ATTEMPTS && error.downcast_ref().is_some_and(|it: &Unreached| it.timeout) => {
                    Duration::from_secs(1)
                }
                outcome => return outcome,
            };
            tokio::time::sleep(wait.min(Duration::from_secs(10))).await;
            attempt += 1;
        }
    }

    /// Gets an access token; without scopes, with all that are registered.
    pub(in crate::cli) async fn issue(&self, scope: Option<&str>) -> anyhow::Result<Token> {
        let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        form.extend(scope.map(|scope| ("scope".to_owned(), scope.to_owned())));
        if let Some((key, client)) = self.asserting().await? {
            let audience = format!("{}/oauth2/token", self.profile.origin);
            let mut jti = [0; 16];
            self.entropy.fill(&mut jti);
            let assertion = assertion::sign(key, client, &audience, (&HEXLOWER.encode(&jti), self.now()))?;
            form.push(("client_assertion_type".into(), assertion::TYPE.into()));
            form.push(("client_assertion".into(), assertion));
        }
        let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let body = Some(("application/x-www-form-urlencoded", form.join("&").into_bytes()));
        let call = Call { method: Method::POST, body, ..Call::get("/oauth2/token") };
        let answer = self.send(call).await?.ok()?;
        let mut token: Token = serde_json::from_slice(&answer.body).context("the token answer")?;
        token.expires_at = self.now().plus(Duration::from_secs(token.expires_in));
        Ok(token)
    }

    /// The key and the name of client assertions, where this bank is registered for them: a signing key may be there for
    /// request signatures alone.
    async fn asserting(&self) -> anyhow::Result<Option<(&SigningKey, ClientId)>> {
        let Some(key) = &self.signing else { return Ok(None) };
        let said = self.whoami(None).await?.json()?;
        let methods = said.pointer("/client/auth_methods").and_then(Value::as_array);
        if !methods.is_some_and(|methods| methods.iter().any(|method| method == "private_key_jwt")) {
            return Ok(None);
        }
        let id = said.pointer("/client/id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        Ok(Some((key, self.profile.client_id.or(id).context("the gateway did not say who we are")?)))
    }

    /// A token of a scope, from memory while it lasts.
    pub(in crate::cli) async fn token(&self, scope: &str) -> anyhow::Result<String> {
        let known = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned();
        if let Some(token) = known.filter(|token| token.expires_at > self.now().plus(TOKEN_MARGIN)) {
            return Ok(token.text);
        }
        let token = self.issue(Some(scope)).await?;
        let text = token.text.clone();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.to_owned(), token);
        Ok(text)
    }

    /// A GET, with a token where there is one.
    pub(in crate::cli) async fn get(&self, token: Option<&str>, path: &str) -> anyhow::Result<Kept> {
        self.send(Call { token, ..Call::get(path) }).await
    }

    /// What the gateway sees of us.
    pub(in crate::cli) async fn whoami(&self, token: Option<&str>) -> anyhow::Result<Kept> {
        self.get(token, "/v1/whoami").await?.ok()
    }

    /// Who we are there.
    pub(in crate::cli) async fn client_id(&self) -> anyhow::Result<ClientId> {
        let said = self.whoami(None).await?.json()?;
        let id = said.pointer("/client/id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        id.context("the gateway did not say who we are")
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
