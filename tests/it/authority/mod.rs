//! Keys and certificates: create, seal, issue, revoke, and reload in a running gateway.

mod certificates;
mod command;
mod keys;
mod next_keys;
mod partners;
mod rollover;
mod rotation;
mod tls_reload;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use medcredit::{
    authority::{Custody, ProfileName, ProfileValues, certificates as issuing, local_ca},
    store::{Arg, Crypter},
};

use crate::support::{TestStore, pki::TestCertificate};

/// The custody of a test store, with one key-encryption key.
fn custody(store: &TestStore) -> Custody {
    custody_under(store, &[[1; 32]])
}

fn custody_under(store: &TestStore, keys: &[[u8; 32]]) -> Custody {
    Custody {
        env: store.env(),
        crypter: Arc::new(Crypter::from_bytes(keys).unwrap()),
        profiles: None,
        list_life: Duration::from_hours(24),
        actor: crate::support::operator("lin"),
    }
}

fn profile_values(name: &str, hosts: &[&str]) -> ProfileValues {
    ProfileValues {
        subject: BTreeMap::from([("organization".into(), "示范".into()), ("name".into(), name.into())]),
        hosts: hosts.iter().map(|host| (*host).into()).collect(),
    }
}

async fn init(custody: &Custody) -> local_ca::CreatedAuthority {
    local_ca::init(custody, "own", &profile_values("示范 issuing CA", &[])).await.unwrap()
}

async fn issue(custody: &Custody, profile: ProfileName, name: &str) -> issuing::Issued {
    let hosts: &[&str] = if profile == ProfileName::Server { &["localhost"] } else { &[] };
    let request = issuing::Request { profile, values: &profile_values(name, hosts), signing_request: None };
    issuing::issue(custody, &request).await.unwrap()
}

fn shown(issued: &issuing::Issued) -> TestCertificate {
    TestCertificate {
        chain: vec![issued.certificate.clone().into()],
        key: issued.private_key.as_ref().unwrap().to_vec(),
    }
}

/// Registers a bank with an identity.
async fn register(store: &TestStore, id: &str, authority: &str, subject: &str) {
    let mut tx = store.db.begin("test").await.unwrap();
    let text = |value: &str| Arg::Text(value.into());
    tx.execute(
        "INSERT INTO clients (id, name, kind, authority_id, subject, auth_methods, jwks, scopes, limits, max_pending, epoch, state, registered_at, state_changed_at)
         VALUES ($1, $2, 'bank', $3, $4, '[]', NULL, '[]', '{}', 10, 1, 'active', 0, 0)",
        vec![text(id), text(id), text(authority), text(subject)],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

struct Number(i64);

impl<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> for Number {
    fn from_row(row: &'r sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
        sqlx::Row::try_get(row, 0).map(Self)
    }
}

impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for Number {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        sqlx::Row::try_get(row, 0).map(Self)
    }
}

async fn epoch(store: &TestStore, id: &str) -> i64 {
    let sql = "SELECT epoch FROM clients WHERE id = $1";
    store.db.read("test").fetch_one::<Number>(sql, vec![Arg::Text(id.into())]).await.unwrap().0
}

/// The number of operator entries in the ledger.
async fn acts(store: &TestStore) -> i64 {
    let sql = "SELECT COUNT(*) FROM ledger_entries WHERE type = 'operator'";
    store.db.read("test").fetch_one::<Number>(sql, vec![]).await.unwrap().0
}

async fn change(store: &TestStore) -> i64 {
    medcredit::store::changes::current(&store.db).await.unwrap()
}
