//! Clients of the gateway under test: banks with their certificates, and the public.

use std::{collections::BTreeMap, time::Duration};

use medcredit::{consent::Consent, domain::ids::ClientId};
use serde_json::Value;

use crate::support::logs::never_logged;

/// A bank with its certificate.
#[derive(Debug, Clone)]
pub struct Bank {
    pub id: ClientId,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The private key, PKCS#8.
    pub key: Vec<u8>,
    /// A client with its certificate.
    pub http: reqwest::Client,
    pub(super) origin: String,
}

/// A client without a certificate.
#[derive(Debug, Clone)]
pub struct Public {
    pub http: reqwest::Client,
    /// The origin of the portal.
    pub origin: String,
}

impl Public {
    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.http.get(self.url(path))).await
    }

    /// Sends a request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        Reply::of(request.send().await.unwrap()).await.unwrap()
    }
}

/// A response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub bytes: Vec<u8>,
    /// The body as JSON, or null.
    pub json: Value,
}

impl Reply {
    /// The code of the problem or of the OAuth error.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().or_else(|| self.json["error"].as_str()).unwrap_or_default()
    }

    /// Status and code, for a short assertion.
    pub fn refusal(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    async fn of(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let bytes = response.bytes().await?.to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Self { status, headers, bytes, json })
    }
}

impl Bank {
    /// The same bank as a client of another gateway.
    pub fn at(&self, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..self.clone() }
    }

    /// Sends a request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.try_send(request).await.unwrap()
    }

    /// Sends a request to a gateway that may have been killed. A partial response is an error.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
        Reply::of(request.send().await?).await
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Posts a form to an OAuth endpoint.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let encode = |text: &str| {
            text.bytes()
                .map(|byte| {
                    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                        char::from(byte).to_string()
                    } else {
                        format!("%{byte:02X}")
                    }
                })
                .collect::<String>()
        };
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let request = self
            .http
            .post(self.url(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        self.send(request).await
    }

    /// Gets a token with every scope. Asks again, as a bank does, while the gateway cannot answer at the moment: on a loaded
    /// machine its last look at the changes may be older than a second.
    pub async fn token(&self) -> String {
        for _ in 0..100 {
            let reply = self.form("/oauth2/token", &[("grant_type", "client_credentials")]).await;
            // Whatever the reason: a gateway that was just started, or that a loaded machine has kept from reading changes for a
            // second, asks to be called again.
            if reply.status != 503 {
                assert_eq!(reply.status, 200, "{:?}", reply.json);
                return never_logged(reply.json["access_token"].as_str().unwrap().to_owned());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the gateway has given no token for ten seconds");
    }

    /// Sends a GET with a token.
    pub async fn get(&self, token: &str, path: &str) -> Reply {
        self.send(self.http.get(self.url(path)).bearer_auth(token)).await
    }

    /// Sends a POST of JSON with a token.
    pub async fn post(&self, token: &str, path: &str, body: &Value) -> Reply {
        self.send(self.http.post(self.url(path)).bearer_auth(token).json(body)).await
    }

    /// Sends a DELETE with a token.
    pub async fn delete(&self, token: &str, path: &str) -> Reply {
        self.send(self.http.delete(self.url(path)).bearer_auth(token)).await
    }

    /// The path of a consent's data.
    pub fn data(consent: &Consent, what: &str) -> String {
        format!("/v1/consents/{}/{what}", consent.id)
    }
}
