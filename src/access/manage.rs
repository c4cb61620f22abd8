//! What operators do with clients.

use super::client::{AuthMethod, Client, ClientKind, Delivers, NewClient, SignedRequests};
use crate::{
    domain::{Actor, Failure, FailureKind, ids::ClientId},
    identity::assertion::ClientKeys,
    ledger::{self, Action, Change},
    store::{
        Db, Env, Tx, changes,
        clients::{self, ClientRow},
    },
};

/// Every client, by name.
pub async fn list(db: &Db) -> Result<Vec<Client>, Failure> {
    clients::list(db).await?.iter().map(|row| Client::from_row(row).map_err(Failure::internal)).collect()
}

/// Registers a client. Its certificate's authority and subject together are its identity.
pub async fn register(env: &Env, actor: &Actor, new: &NewClient) -> Result<ClientId, Failure> {
    let invalid = |field: &str, public: String| Failure::invalid(field, "invalid_request", public);
    if new.name.trim().is_empty() || new.name.chars().count() > 100 {
        return Err(invalid("name", "A name of 1 to 100 characters is needed.".into()));
    }
    if new.auth_methods.is_empty() || new.scopes.is_empty() {
        return Err(invalid("auth_methods", "At least one authentication method and one scope are needed.".into()));
    }
    if let Some(scope) = new.scopes.iter().find(|scope| !new.kind.may_have(**scope)) {
        return Err(invalid("scopes", format!("A client of kind {} cannot have the scope {scope}.", new.kind)));
    }
    let delivers = &new.delivers;
    if new.kind == ClientKind::Department {
        // Facts are of a source; without one, a department could speak for another.
        let facts = delivers.templates.iter().any(|template| template == "records" || template == "adverse");
        if delivers.templates.is_empty() || (facts && delivers.sources.is_empty()) {
            let public = "A department needs the templates it delivers, and for records and adverse facts its sources.";
            return Err(invalid("delivers", public.into()));
        }
    } else if *delivers != Delivers::default() {
        return Err(invalid("delivers", format!("A client of kind {} delivers nothing.", new.kind)));
    }
    check_keys(&new.auth_methods, new.signed_requests, new.jwks.as_deref())?;
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
        delivers: (new.kind == ClientKind::Department).then(|| serde_json::json!(new.delivers).to_string()),
        max_pending: new.max_pending,
        epoch: 1,
        state: "active".into(),
        registered_at: now,
        state_changed_at: now,
    };
    let mut tx = env.db.begin("access::register").await?;
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
    changes::raise(&mut tx).await?;
    tx.commit().await?;
    Ok(id)
}

/// The keys a client needs for what it signs: each acceptable, and named where requests are signed.
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

/// What of a client's signing changes; what is left out stays as it is.
#[derive(Debug, Clone, Default)]
pub struct SigningChange {
    /// Whether its requests are signed.
    pub signed_requests: Option<SignedRequests>,
    /// Its JSON Web Key Set.
    pub jwks: Option<String>,
}

/// Gives a client other keys, or another way with signed requests. What is left out stays as it is. Effective on its next
/// request; answers under way are looked at again.
pub async fn change_signing(
    env: &Env,
    actor: &Actor,
    reason: Option<&str>,
    id: &ClientId,
    change: SigningChange,
) -> Result<SignedRequests, Failure> {
    let unknown =
        || Failure::new(FailureKind::Conflict, "client_state_conflict", format!("{id} is unknown or closed."));
    let rows = clients::list(&env.db).await?;
    let row = rows.iter().find(|row| row.id == id.to_string()).ok_or_else(unknown)?;
    let present = Client::from_row(row).map_err(|error| Failure::internal(error.0))?;
    let signed = change.signed_requests.unwrap_or(present.signed_requests);
    let replaced = change.jwks.is_some();
    let jwks = change.jwks.or_else(|| row.jwks.clone());
    check_keys(&present.auth_methods, signed, jwks.as_deref())?;
    let mut tx = env.db.begin("access::change_signing").await?;
    tx.lock_banks_exclusive(&[id.to_string()]).await?;
    if !clients::change_signing(&mut tx, &id.to_string(), jwks, signed.as_str()).await? {
        return Err(unknown());
    }
    let detail = serde_json::json!({ "signed_requests": signed, "keys_replaced": replaced });
    record(&mut tx, env, actor, Action::ClientSigningChanged, id, Change::of(detail).because(reason)).await?;
    changes::raise(&mut tx).await?;
    tx.commit().await?;
    Ok(signed)
}

/// Stops a client: its next request is refused, on open connections too (I3).
pub async fn suspend(env: &Env, actor: &Actor, reason: Option<&str>, id: &ClientId) -> Result<(), Failure> {
    set_state(env, actor, reason, id, NewState { word: "suspended", action: Action::ClientSuspended }).await
}

/// Lets a stopped client go on.
pub async fn resume(env: &Env, actor: &Actor, reason: Option<&str>, id: &ClientId) -> Result<(), Failure> {
    set_state(env, actor, reason, id, NewState { word: "active", action: Action::ClientResumed }).await
}

/// The state a client is put into, and how the ledger names that act.
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
) -> Result<(), Failure> {
    let mut tx = env.db.begin("access::set_state").await?;
    tx.lock_banks_exclusive(&[id.to_string()]).await?;
    if !clients::set_state(&mut tx, &id.to_string(), state.word, env.now()).await? {
        return Err(Failure::new(
            FailureKind::Conflict,
            "client_state_conflict",
            format!("{id} is unknown, closed, or {} already.", state.word),
        ));
    }
    record(&mut tx, env, actor, state.action, id, Change::none().because(reason)).await?;
    changes::raise(&mut tx).await?;
    Ok(tx.commit().await?)
}

/// Writes the entry of an act on a client, in the transaction of the act itself.
async fn record(
    tx: &mut Tx,
    env: &Env,
    actor: &Actor,
    action: Action,
    client: &ClientId,
    change: Change,
) -> Result<(), Failure> {
    let entered = ledger::audit(tx, env, actor, action, Some(&client.to_string()), change).await;
    entered.map(drop).map_err(|error| Failure::unavailable("ledger_unavailable", error.to_string()))
}
