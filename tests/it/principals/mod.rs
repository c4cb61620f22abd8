//! Operators: enrolment, sign-in, sessions, and what ends them.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use medcredit::{
    domain::Clock as _,
    principals::{
        NewSession, Principals, PrincipalsPolicy, RecoveryCodes, Roles, SignInError, Visit, reseal_operators,
    },
    store::{Crypter, Db, Env},
};
use serde_json::Value;

use crate::support::{TestStore, logs::never_logged, tester};

mod accounts;
mod enrolment;
mod locks;
mod sessions;
mod sign_in;

/// A password that is allowed.
const PASSWORD: &str = "kitchen gravel 47 sonnet";

fn policy() -> PrincipalsPolicy {
    PrincipalsPolicy {
        origin: "https://console.example.gov.cn:8446".into(),
        session_idle: Duration::from_secs(15 * 60),
        session_absolute: Duration::from_secs(8 * 3600),
        invitation: Duration::from_secs(72 * 3600),
    }
}

fn crypter() -> Arc<Crypter> {
    Arc::new(Crypter::from_bytes([&[7; 32]]).unwrap())
}

fn visit() -> Visit {
    Visit { address: "192.0.2.7".into(), agent: "Firefox".into() }
}

/// A bureau with operators.
struct Bureau {
    store: TestStore,
    principals: Principals,
}

/// An operator with what it needs to sign in.
struct Person {
    name: &'static str,
    secret: Vec<u8>,
    codes: RecoveryCodes,
}

impl Bureau {
    fn new(store: TestStore) -> Self {
        never_logged(PASSWORD);
        let principals = Principals::open(store.env(), crypter(), policy());
        Self { store, principals }
    }

    /// The room as another gateway has it, or the same after a restart.
    fn reopened(&self, db: Db) -> Principals {
        let env = Env::new(db, self.store.clock.clone(), self.store.entropy.clone());
        Principals::open(env, crypter(), policy())
    }

    /// Creates an operator and returns its link's token.
    async fn invite(&self, name: &str, roles: &[&str]) -> String {
        let invited = self.principals.create(tester(), name, &Roles::parse(roles).unwrap()).await.unwrap();
        token_of(&invited.link)
    }

    /// Creates an operator that has enrolled, a minute ago.
    async fn enrolled(&self, name: &'static str, roles: &[&str]) -> Person {
        let token = self.invite(name, roles).await;
        self.enrol(name, &token).await
    }

    async fn enrol(&self, name: &'static str, token: &str) -> Person {
        let shown = self.principals.invitation(token).await.unwrap().unwrap();
        let secret = BASE32_NOPAD.decode(never_logged(&shown.secret).as_bytes()).unwrap();
        let code = code(&secret, self.store.clock.now().seconds());
        let codes = self.principals.enrol(token, PASSWORD, &code).await.unwrap();
        for code in codes.codes() {
            never_logged(code);
        }
        // The code that proved the secret is used.
        self.pass(60);
        Person { name, secret, codes }
    }

    fn pass(&self, seconds: u64) {
        self.store.clock.advance(Duration::from_secs(seconds));
    }

    /// The code that the authenticator of an operator shows.
    fn code_of(&self, person: &Person) -> String {
        code(&person.secret, self.store.clock.now().seconds())
    }

    async fn sign_in(&self, person: &Person) -> Result<NewSession, SignInError> {
        self.attempt(person.name, PASSWORD, &self.code_of(person)).await
    }

    async fn attempt(&self, name: &str, password: &str, code: &str) -> Result<NewSession, SignInError> {
        self.principals.sign_in(name, password, code, &visit()).await
    }

    /// Whether a session counts.
    async fn is_signed_in(&self, session: &NewSession) -> bool {
        self.principals.session(&session.cookie).await.unwrap().is_some()
    }

    /// The actions of all entries with their actors, in the order of their ids.
    async fn entries(&self) -> Vec<(String, String)> {
        let sql =
            "SELECT e.body, o.body FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id ORDER BY e.id";
        let rows: Vec<(String, String)> = self.store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
        let text = |body: &str, pointer: &str| {
            let body: Value = serde_json::from_str(body).unwrap();
            body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let both =
            |(entry, opening): (String, String)| (text(&entry, "/facts/action"), text(&opening, "/fields/actor/value"));
        rows.into_iter().map(both).collect()
    }

    /// How many entries have an action.
    async fn count(&self, action: &str) -> usize {
        self.entries().await.into_iter().filter(|(name, _)| name == action).count()
    }
}

fn token_of(link: &str) -> String {
    let (origin, token) = link.split_once("/enrol/").unwrap();
    assert_eq!(origin, policy().origin);
    never_logged(token).to_owned()
}

/// A code as an authenticator computes it (RFC 6238).
fn code(secret: &[u8], seconds: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &(seconds / 30).to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Whether an attempt was refused without saying why.
fn is_refused(attempt: &Result<NewSession, SignInError>) -> bool {
    matches!(attempt, Err(SignInError::Refused))
}
