//! A bank's connection: mTLS with its certificate, and answers kept whole.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::Context as _;
use http::StatusCode;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::Value;

use crate::{authority::files, domain::clock::SharedClock, identity::tls};

/// What a bank connects with.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Credentials {
    /// The gateway's public origin.
    pub(in crate::cli) origin: String,
    /// The authority of the gateway's own certificate.
    pub(in crate::cli) ca: PathBuf,
    /// The bank's certificate chain.
    pub(in crate::cli) certificate: PathBuf,
    /// Its private key, PKCS#8 PEM.
    pub(in crate::cli) key: PathBuf,
}

/// An answer as it arrived: everything its signature covers, and the body's exact bytes.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Kept {
    /// What was asked.
    pub(in crate::cli) method: String,
    /// Where.
    pub(in crate::cli) target_uri: String,
    /// What came back.
    pub(in crate::cli) status: StatusCode,
    /// Its header fields, names in lower case.
    pub(in crate::cli) headers: BTreeMap<String, String>,
    /// Its body.
    pub(in crate::cli) body: Vec<u8>,
}

impl Kept {
    /// A header field.
    pub(in crate::cli) fn header(&self, name: &str) -> anyhow::Result<&str> {
        self.headers.get(name).map(String::as_str).with_context(|| format!("the answer has no {name}"))
    }

    /// The body as JSON.
    pub(in crate::cli) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the answer's body is not JSON")
    }

    /// The answer, or an error that says what the gateway said.
    pub(in crate::cli) fn ok(self) -> anyhow::Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let said = self.json().unwrap_or_default();
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (code, detail) = (text("code") + &text("error"), text("detail") + &text("error_description"));
        anyhow::bail!("{} {}: {} {code}: {detail}", self.method, self.target_uri, self.status.as_u16())
    }
}

/// A bank's connection to the gateway.
#[derive(Debug, Clone)]
pub(in crate::cli) struct BankClient {
    http: reqwest::Client,
    origin: String,
}

impl BankClient {
    /// Connects with a bank's credentials: TLS 1.3, no redirects, bounded times.
    pub(in crate::cli) fn new(credentials: &Credentials, clock: SharedClock) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for authority in files::read_items("CERTIFICATE", &credentials.ca)? {
            roots.add(CertificateDer::from(authority.to_vec())).context("the gateway's authority")?;
        }
        let chain = files::read_items("CERTIFICATE", &credentials.certificate)?;
        let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.to_vec())).collect();
        let key = files::read_item("PRIVATE KEY", &credentials.key)?;
        let key = PrivateKeyDer::try_from(key.to_vec()).map_err(|error| anyhow::anyhow!("the bank's key: {error}"))?;
        let mut config = tls::client_config(roots, Some((chain, key)), clock)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30))
            .build()
            .context("the HTTP client")?;
        Ok(Self { http, origin: credentials.origin.clone() })
    }

    async fn keep(&self, method: &str, path: &str, request: reqwest::RequestBuilder) -> anyhow::Result<Kept> {
        let target_uri = format!("{}{path}", self.origin);
        let response = request.send().await.with_context(|| format!("{method} {target_uri}"))?;
        let status = response.status();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = response.bytes().await.with_context(|| format!("{method} {target_uri}"))?.to_vec();
        Ok(Kept { method: method.to_owned(), target_uri, status, headers, body })
    }

    /// An access token; without scopes, with all that are registered.
    pub(in crate::cli) async fn token(&self, scopes: Option<&str>) -> anyhow::Result<String> {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scopes.map(|scopes| ("scope", scopes)));
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
        let request = self
            .http
            .post(format!("{}/oauth2/token", self.origin))
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.join("&"));
        let answer = self.keep("POST", "/oauth2/token", request).await?.ok()?.json()?;
        let token = answer.get("access_token").and_then(Value::as_str);
        Ok(token.context("the token answer has no access_token")?.to_owned())
    }

    /// A GET, with a token where there is one.
    pub(in crate::cli) async fn get(&self, token: Option<&str>, path: &str) -> anyhow::Result<Kept> {
        let mut request = self.http.get(format!("{}{path}", self.origin));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        self.keep("GET", path, request).await
    }

    /// A POST of JSON.
    pub(in crate::cli) async fn post(&self, token: &str, path: &str, body: &Value) -> anyhow::Result<Kept> {
        let request = self.http.post(format!("{}{path}", self.origin)).bearer_auth(token).json(body);
        self.keep("POST", path, request).await
    }
}
