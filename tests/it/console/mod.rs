//! The console over real TLS: sign-in, forms, roles, acts and their entries.

use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use medcredit::{domain::Clock as _, principals::Roles};
use reqwest::redirect::Policy;

use crate::support::{TestStore, app::TestApp, logs::never_logged, tester};

mod acts;
mod pages;
mod persons;
mod sessions;

const PASSWORD: &str = "kitchen gravel 47 sonnet";
/// The configured origin, which browsers see behind a forwarder: the port on loopback is another.
const ORIGIN: &str = "https://localhost:8446";

/// A gateway with a console, and the address that it listens on.
struct Site {
    app: TestApp,
    address: String,
}

impl Site {
    async fn open(store: TestStore) -> Self {
        never_logged(PASSWORD);
        let mut app = TestApp::start_with(store, "[console]\nenabled = true\n").await;
        let address = app.open_console().await;
        Self { app, address }
    }

    /// A browser of somebody who is not signed in.
    fn browser(&self) -> Browser {
        let tls = std::sync::Arc::unwrap_or_clone(self.app.public_tls(&["h2", "http/1.1"]));
        let builder = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().redirect(Policy::none());
        let http = builder.timeout(Duration::from_secs(30)).build().unwrap();
        Browser { http, address: self.address.clone(), cookies: Vec::new(), csrf: String::new() }
    }

    /// Creates an operator that has enrolled at the console's page, and returns its secret.
    async fn enrolled(&self, name: &'static str, roles: &[&str]) -> Vec<u8> {
        let principals = &self.app.app.principals;
        let invited = principals.create(tester(), name, &Roles::parse(roles).unwrap()).await.unwrap();
        let token = never_logged(invited.link.rsplit('/').next().unwrap().to_owned());
        let shown = principals.invitation(&token).await.unwrap().unwrap();
        let secret = BASE32_NOPAD.decode(never_logged(&shown.secret).as_bytes()).unwrap();
        let mut browser = self.browser();
        let path = format!("/enrol/{token}");
        let page = browser.get(&path).await;
        assert!(page.status == 200 && page.body.contains(&shown.secret) && page.body.contains("<svg"), "{}", page.body);
        let code = self.code(&secret);
        let done = browser.post(&path, &[("password", PASSWORD), ("code", &code)]).await;
        assert!(done.status == 200 && done.body.contains("class=\"codes\""), "{}", done.body);
        // The code is used: the next one counts.
        self.app.store.clock.advance(Duration::from_secs(60));
        secret
    }

    fn code(&self, secret: &[u8]) -> String {
        let step = self.app.store.clock.now().seconds().div_euclid(30);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret), &step.to_be_bytes());
        let at = usize::from(tag.as_ref()[19] & 15);
        let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }

    /// The browser of an operator who is signed in.
    async fn signed_in(&self, name: &'static str, roles: &[&str]) -> Browser {
        let secret = self.enrolled(name, roles).await;
        let mut browser = self.browser();
        let reply =
            browser.post("/sign-in", &[("name", name), ("password", PASSWORD), ("code", &self.code(&secret))]).await;
        assert_eq!((reply.status, reply.location.as_str()), (303, "/"), "{}", reply.body);
        let page = browser.get("/account").await;
        assert_eq!(page.status, 200, "{}", page.body);
        browser.csrf = never_logged(page.field("csrf"));
        browser
    }

    /// The number of entries, and those with an action by an operator.
    async fn entries(&self, action: &str, operator: &str) -> (usize, usize) {
        let sql = "SELECT e.body, o.body FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id";
        let rows: Vec<(String, String)> = self.app.store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
        let by = format!("\"operator:{operator}\"");
        let of = rows.iter().filter(|(entry, opening)| {
            entry.contains(&format!("\"{action}\"")) && opening.contains(&by) && opening.contains("\"console\"")
        });
        (rows.len(), of.count())
    }
}

/// A browser with its cookies, which follows no redirect by itself.
struct Browser {
    http: reqwest::Client,
    address: String,
    cookies: Vec<(String, String)>,
    /// The token of the session's forms.
    csrf: String,
}

/// A response.
struct Reply {
    status: u16,
    location: String,
    headers: reqwest::header::HeaderMap,
    body: String,
}

impl Reply {
    /// The value of a hidden field.
    fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self.body.split_once(&start).unwrap_or_else(|| panic!("no field {name}: {}", self.body)).1;
        rest.split('"').next().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Browser {
    fn with_cookies(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header("cookie", pairs.join("; "))
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Reply {
        let response = self.with_cookies(request).send().await.unwrap();
        let headers = response.headers().clone();
        for set in headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
                assert!(set.contains(attribute) && set.starts_with("__Host-"), "{set}");
            }
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let location = headers.get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
        Reply { status: response.status().as_u16(), location, headers, body: response.text().await.unwrap() }
    }

    async fn get(&mut self, path: &str) -> Reply {
        let request = self.http.get(format!("{}{path}", self.address)).header("accept-language", "en");
        self.send(request).await
    }

    /// Sends a form as a page of ours does: with the session's token, and from our origin.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let csrf = self.csrf.clone();
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", &*csrf)]).collect();
        let request = self.form(path, &fields).header("origin", "null").header("sec-fetch-site", "same-origin");
        self.send(request).await
    }

    /// A form without any header of a browser.
    fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let encode = medcredit::http::web::target::encode;
        let body: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.http
            .post(format!("{}{path}", self.address))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept-language", "en")
            .body(body.join("&"))
    }

    fn has_session(&self) -> bool {
        self.cookies.iter().any(|(name, _)| name == "__Host-medcredit-session")
    }
}
