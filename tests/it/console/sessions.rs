//! Signing in and out, and what every response has.

use std::time::Duration;

use super::{ORIGIN, PASSWORD, Site};
use crate::support::{TestStore, both_engines};

both_engines! {
    an_anonymous_visitor_is_led_to_sign_in_and_back,
    a_wrong_code_says_no_more_than_a_wrong_name,
    a_session_ends_by_sign_out_by_its_owner_and_by_time,
    every_response_has_the_security_headers,
    a_link_to_enrol_works_once,
}

async fn an_anonymous_visitor_is_led_to_sign_in_and_back(store: TestStore) {
    let site = Site::open(store).await;
    let mut browser = site.browser();
    for path in ["/", "/banks", "/account", "/consents", "/subjects", "/ledger", "/settings"] {
        let reply = browser.get(path).await;
        assert_eq!(reply.status, 303, "{path}");
        assert!(reply.location.starts_with("/sign-in"), "{path}: {}", reply.location);
        assert!(reply.body.is_empty());
    }
    assert_eq!(browser.get("/banks?state=active").await.location, "/sign-in?next=%2Fbanks%3Fstate%3Dactive");
    assert_eq!(browser.get("/nothing").await.status, 404);
    let secret = site.enrolled("lin", &["read_only"]).await;
    let fields = |next| [("name", "lin"), ("password", PASSWORD), ("next", next)];
    // Another host is never where one is led.
    for (next, target) in
        [("//evil.example", "/"), ("https://evil.example", "/"), ("/banks?state=active", "/banks?state=active")]
    {
        let mut browser = site.browser();
        let code = site.code(&secret);
        let reply = browser.post("/sign-in", &[&fields(next)[..], &[("code", &code)]].concat()).await;
        assert_eq!((reply.status, &*reply.location), (303, target), "{}", reply.body);
        assert!(browser.has_session());
        site.app.store.clock.advance(Duration::from_secs(60));
    }
}

async fn a_wrong_code_says_no_more_than_a_wrong_name(store: TestStore) {
    let site = Site::open(store).await;
    site.enrolled("qlin", &["read_only"]).await;
    let mut browser = site.browser();
    let mut pages = Vec::new();
    for name in ["qlin", "qnobody"] {
        let reply = browser.post("/sign-in", &[("name", name), ("password", PASSWORD), ("code", "000000")]).await;
        assert_eq!(reply.status, 200);
        assert!(!browser.has_session() && !reply.body.contains(PASSWORD), "{}", reply.body);
        pages.push(reply.body.replace(name, "NAME"));
    }
    assert_eq!(pages[0], pages[1]);
    assert!(pages[0].contains("href=\"#name\"") && pages[0].contains("role=\"alert\""));
    let empty = browser.post("/sign-in", &[("name", "lin")]).await;
    assert!(empty.body.contains("href=\"#password\"") && empty.body.contains("href=\"#code\""), "{}", empty.body);
    assert!(empty.body.contains("value=\"lin\""), "what was typed is kept");
}

async fn a_session_ends_by_sign_out_by_its_owner_and_by_time(store: TestStore) {
    let site = Site::open(store).await;
    let mut browser = site.signed_in("lin", &["read_only"]).await;
    assert_eq!(browser.get("/banks").await.status, 200);
    let stolen = browser.cookies.clone();
    let reply = browser.post("/sign-out", &[]).await;
    assert_eq!((reply.status, &*reply.location), (303, "/sign-in"));
    assert!(!browser.has_session(), "the cookie is removed");
    assert!(browser.get("/sign-in").await.body.contains("You are signed out."));
    browser.cookies = stolen;
    assert_eq!(browser.get("/banks").await.status, 303, "the session has ended for every copy of its cookie");
    let mut other = site.signed_in("wang", &["read_only"]).await;
    site.app.store.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(other.get("/banks").await.status, 303, "idle for too long");
}

async fn every_response_has_the_security_headers(store: TestStore) {
    let site = Site::open(store).await;
    let mut browser = site.signed_in("lin", &["read_only"]).await;
    let style = browser.get("/sign-in").await;
    let asset = style.body.split("stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for path in ["/", "/banks", "/sign-in", "/nothing", "/subjects", &asset] {
        let reply = browser.get(path).await;
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"));
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(reply.header(name), value, "{path}");
        }
        let cached = if path == asset { "public, max-age=31536000, immutable" } else { "no-store" };
        assert_eq!(reply.header("cache-control"), cached, "{path}");
        assert!(!reply.body.contains("<script") && !reply.body.contains("style=\""), "{path}");
    }
    // Over the bureau's own name, browsers keep to TLS.
    let mut app = crate::support::app::TestApp::start_with(
        TestStore::sqlite().await,
        "[console]\nenabled = true\npublic_origin = \"https://console.example.gov.cn\"\n",
    )
    .await;
    let site = Site { address: app.open_console().await, app };
    assert_eq!(site.browser().get("/sign-in").await.header("strict-transport-security"), "max-age=31536000");
    assert!(ORIGIN.starts_with("https://localhost"), "and the others had none");
}

async fn a_link_to_enrol_works_once(store: TestStore) {
    let site = Site::open(store).await;
    let roles = medcredit::principals::Roles::parse(&["audit"]).unwrap();
    let invited = site.app.app.principals.create(crate::support::tester(), "zhao", &roles).await.unwrap();
    let path = format!("/enrol/{}", invited.link.rsplit('/').next().unwrap());
    crate::support::logs::never_logged(&path["/enrol/".len()..]);
    let mut browser = site.browser();
    let weak = browser.post(&path, &[("password", "short"), ("code", "123456")]).await;
    assert!(weak.body.contains("href=\"#password\""), "{}", weak.body);
    let wrong = browser.post(&path, &[("password", PASSWORD), ("code", "123456")]).await;
    assert!(wrong.body.contains("href=\"#code\"") && !wrong.body.contains(PASSWORD), "{}", wrong.body);
    let unknown = browser.get("/enrol/none").await;
    assert!(unknown.status == 200 && unknown.body.contains("This link is not valid"));
    site.enrolled("lin", &["audit"]).await;
}
