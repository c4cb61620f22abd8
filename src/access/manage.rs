//! Management of clients by operators.

use super::client::{AuthMethod, Client, ClientKind, Delivers, NewClient, SignedRequests};
use crate::{
    domain::{
        Actor, Failure, FailureKind,
        ids::{ClientId, EntryId},
        printable::{check_reason, check_text},
    },
    identity::assertion::ClientKeys,
    ledger::{self, Action, Change},
    store::{
        Db, Env, Tx, changes,
        clients::{self, ClientRow},
    },
};

/// The most consent requests that a client's registration may let be pending.
pub const MOST_PENDING: i64 = 1_000_000;
/// The longest id of a platform, in characters.
const LONGEST_PLATFORM: usize = 63;
/// The largest quota of a client's own, as of the configuration.
const LARGEST_QUOTA: u32 = 10_000_000;

/// Lists all clients, ordered by name.
pub async fn list(db: &Db) -> Result<Vec<Client>, Failure> {
    clients::list(db).await?.iter().map(|row| Client::from_row(row).map_err(Failure::internal)).collect()
}

/// Registers a client. The authority and the subject of its certificates together identify it.
pub async fn register(env: &Env, actor: &Actor, new: &NewClient) -> Result<ClientId, Failure> {
    check_new(new)?;
    let id = ClientId::new(&*env.clock, &*env.entropy);
    let now = env.now().micros();
    let row = ClientRow {
        id: id.to_string(),
        name: new.name.trim().to_owned(),
        kind: new.kind.as_str().into(),
        authority_id: new.authority.to_string(),
        subject: new.subject.clone(),
        auth_methods: serde_json::json!(new.auth_methods).to_string(),
        jwks: new.jwks.clone(),
        signed_requests: new.signed_requests.as_str().into(),
        scopes: serde_json::json!(new.scopes).to_string(),
        limits: serde_json::json!(new.limits).to_string(),
        delivers: new.kind.delivers().then(|| serde_json::json!(new.delivers).to_string()),
        max_pending: new.max_pending,
        epoch: 1,
        state: "active".into(),
        registered_at: now,
        state_changed_at: now,
    };
    let mut tx = env.db.begin("access::register").await?;
    // The unique constraints decide, not a query before: two registrations may run concurrently.
    clients::insert(&mut tx, &row).await.map_err(|error| {
        if error.is_constraint() {
            Failure::new(
                FailureKind::Conflict,
                "client_exists",
                "A client of this name, or with this authority and subject, is registered already; or the authority is unknown.",
            )
            .because(error.to_string())
        } else {
            error.into()
        }
    })?;
    let detail = serde_json::json!({ "name": row.name, "authority": row.authority_id, "subject": row.subject, "scopes": new.scopes, "signed_requests": row.signed_requests, "delivers": row.delivers });
    record(&mut tx, env, actor, Action::ClientRegistered, &id, Change::of(detail)).await?;
    // Other gateways learn of the client by this number.
    changes::raise(&mut tx).await?;
    tx.commit().await?;
    Ok(id)
}

/// Checks a client before it is registered, or proposed.
pub fn check_new(new: &NewClient) -> Result<(), Failure> {
    let invalid = |field: &str, public: String| Failure::invalid(field, "invalid_request", public);
    check_text(&new.name, 100).map_err(|error| invalid("name", error.0))?;
    for source in new.delivers.sources.iter() {
        check_text(source, 60).map_err(|error| invalid("sources", error.0))?;
    }
    if !(1..=MOST_PENDING).contains(&new.max_pending) {
        return Err(invalid("max_pending", format!("Between 1 and {MOST_PENDING} pending requests.")));
    }
    if let Some(limit) = new.limits.0.iter().find(|(_, quota)| !(1..=LARGEST_QUOTA).contains(*quota)) {
        return Err(invalid("limits", format!("The quota {} is between 1 and {LARGEST_QUOTA}.", limit.0)));
    }
    if new.auth_methods.is_empty() || new.scopes.is_empty() {
        return Err(invalid("auth_methods", "At least one authentication method and one scope are needed.".into()));
    }
    if let Some(scope) = new.scopes.iter().find(|scope| !new.kind.may_have(**scope)) {
        return Err(invalid("scopes", format!("A client of kind {} cannot have the scope {scope}.", new.kind)));
    }
    check_delivers(new.kind, &new.delivers)?;
    check_signing(new.kind, new.signed_requests)?;
    check_keys(&new.auth_methods, new.signed_requests, new.jwks.as_deref())
}

/// Checks what a client may deliver.
fn check_delivers(kind: ClientKind, delivers: &Delivers) -> Result<(), Failure> {
    let invalid = |public: String| Err(Failure::invalid("delivers", "invalid_request", public));
    let Delivers { templates, sources, platform } = delivers;
    match kind {
        ClientKind::Department => {
            // Facts have a source: without this check a department could deliver facts of another.
            let facts = templates.iter().any(|template| matches!(template.as_str(), "records" | "adverse" | "voids"));
            if platform.is_some() {
                return invalid("A department delivers for no platform.".into());
            }
            if templates.is_empty() || (facts && sources.is_empty()) {
                let public = "A department needs the templates it delivers, and for records, adverse facts and voids its sources.";
                return invalid(public.into());
            }
        }
        ClientKind::Platform => {
            let id = platform.as_deref().map(|id| check_text(id, LONGEST_PLATFORM));
            if !matches!(id, Some(Ok(()))) || !templates.is_empty() || !sources.is_empty() {
                return invalid("A platform needs the id of its file, and has neither templates nor sources.".into());
            }
        }
        ClientKind::Bank | ClientKind::Auditor => {
            if *delivers != Delivers::default() {
                return invalid(format!("A client of kind {kind} delivers nothing."));
            }
        }
    }
    Ok(())
}

/// Checks that requests are signed where they must be: what a platform says closes packages for good, and its signature binds
/// it to its word.
fn check_signing(kind: ClientKind, signed: SignedRequests) -> Result<(), Failure> {
    if kind == ClientKind::Platform && signed != SignedRequests::Required {
        let public = "Every request of a platform must be signed: signed requests are required.";
        return Err(Failure::invalid("signed_requests", "invalid_request", public));
    }
    Ok(())
}

/// Checks the keys of a client: it has them if it signs anything, each is acceptable, and each has a `kid` if requests are
/// signed.
fn check_keys(methods: &[AuthMethod], signed: SignedRequests, jwks: Option<&str>) -> Result<(), Failure> {
    let invalid = |public: String| Failure::invalid("jwks", "invalid_request", public);
    let keys = jwks.map(ClientKeys::parse).transpose().map_err(|error| invalid(error.to_string()))?;
    match keys {
        None if methods.contains(&AuthMethod::PrivateKeyJwt) => {
            Err(invalid("private_key_jwt needs the client's JSON Web Key Set.".into()))
        }
        None if signed != SignedRequests::Ignored => {
            Err(invalid("Signed requests need the client's JSON Web Key Set.".into()))
        }
        Some(keys) if signed != SignedRequests::Ignored && !keys.all_have_ids() => {
            Err(invalid("Signed requests need a kid for every key of the set.".into()))
        }
        _ => Ok(()),
    }
}

/// A change of a client's signing. Absent values stay as they are.
#[derive(Debug, Clone, Default)]
pub struct SigningChange {
    pub signed_requests: Option<SignedRequests>,
    pub jwks: Option<String>,
}

/// Changes a client's keys, or its policy for signed requests. Effective on its next request; answers in progress are
/// checked again.
pub async fn change_signing(
    env: &Env,
    actor: &Actor,
    reason: Option<&str>,
    id: &ClientId,
    change: SigningChange,
) -> Result<SignedRequests, Failure> {
    check_reason(reason)?;
    let unknown =
        || Failure::new(FailureKind::Conflict, "client_state_conflict", format!("{id} is unknown or closed."));
    // Outside the transaction: the statement below refuses a client that was closed meanwhile.
    let rows = clients::list(&env.db).await?;
    let row = rows.iter().find(|row| row.id == id.to_string()).ok_or_else(unknown)?;
    let present = Client::from_row(row).map_err(|error| Failure::internal(error.0))?;
    let signed = change.signed_requests.unwrap_or(present.signed_requests);
    check_signing(present.kind, signed)?;
    let replaced = change.jwks.is_some();
    let jwks = change.jwks.or_else(|| row.jwks.clone());
    check_keys(&present.auth_methods, signed, jwks.as_deref())?;
    let mut tx = env.db.begin("access::change_signing").await?;
    // The bank's lock, exclusively: requests verified with the old keys are answered before, or checked again.
    tx.lock_banks_exclusive(&[id.to_string()]).await?;
    if !clients::change_signing(&mut tx, &id.to_string(), jwks, signed.as_str()).await? {
        return Err(unknown());
    }
    let detail = serde_json::json!({ "signed_requests": signed, "keys_replaced": replaced });
    record(&mut tx, env, actor, Action::ClientSigningChanged, id, Change::of(detail).because(reason)).await?;
    // Last: every transaction that raises the change number waits for its row.
    changes::raise(&mut tx).await?;
    tx.commit().await?;
    Ok(signed)
}

/// Suspends a client: its next request is refused, on open connections too (I3). Returns the entry of the act.
pub async fn suspend(env: &Env, actor: &Actor, reason: Option<&str>, id: &ClientId) -> Result<EntryId, Failure> {
    set_state(env, actor, reason, id, NewState { word: "suspended", action: Action::ClientSuspended }).await
}

/// Lets a suspended client call again. Returns the entry of the act.
pub async fn resume(env: &Env, actor: &Actor, reason: Option<&str>, id: &ClientId) -> Result<EntryId, Failure> {
    set_state(env, actor, reason, id, NewState { word: "active", action: Action::ClientResumed }).await
}

/// The new state of a client, and the ledger's action for the change.
struct NewState {
    word: &'static str,
    action: Action,
}

async fn set_state(
    env: &Env,
    actor: &Actor,
    reason: Option<&str>,
    id: &ClientId,
    state: NewState,
) -> Result<EntryId, Failure> {
    check_reason(reason)?;
    let mut tx = env.db.begin("access::set_state").await?;
    // The bank's lock, exclusively: answers in progress are committed before, or find the raised epoch (I2, I3).
    tx.lock_banks_exclusive(&[id.to_string()]).await?;
    if !clients::set_state(&mut tx, &id.to_string(), state.word, env.now()).await? {
        return Err(Failure::new(
            FailureKind::Conflict,
            "client_state_conflict",
            format!("{id} is unknown, closed, or {} already.", state.word),
        ));
    }
    let entry = record(&mut tx, env, actor, state.action, id, Change::none().because(reason)).await?;
    // By this number every gateway refuses or accepts the client within a second (I3).
    changes::raise(&mut tx).await?;
    tx.commit().await?;
    Ok(entry)
}

/// Writes the ledger entry of a change of a client, in the transaction of the change.
async fn record(
    tx: &mut Tx,
    env: &Env,
    actor: &Actor,
    action: Action,
    client: &ClientId,
    change: Change,
) -> Result<EntryId, Failure> {
    let entered = ledger::audit(tx, env, actor, action, Some(&client.to_string()), change).await;
    entered.map_err(|error| Failure::unavailable("ledger_unavailable", error.to_string()))
}
