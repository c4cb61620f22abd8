//! Accounts: created with a link, suspended, resumed, reset, and given other roles. Each act that changes something is one entry.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Principals, PrincipalsError, Roles, SessionRow, name_key,
    secrets::{name_digest, token, token_digest},
    totp::{TotpSecret, invitation_context},
};
use crate::{
    domain::{
        Actor, Malformed, Timestamp,
        ids::OperatorId,
        printable::{LONGEST_REASON, check_text},
        words::words,
    },
    ledger::{self, Action, Change},
    store::{
        DbError, Tx, operator_sessions,
        operators::{self, OperatorRow, RoleRow},
    },
};

words! {
    /// The state of an operator's account.
    OperatorState: "state of an operator" {
        /// It has a link, and no password yet.
        Invited = "invited",
        /// It can sign in.
        Active = "active",
        /// It cannot sign in until it is resumed.
        Suspended = "suspended",
    }
}

/// A link for an operator to enrol with, which is shown once.
pub struct Invited {
    pub id: OperatorId,
    pub name: String,
    pub link: String,
    pub expires_at: Timestamp,
}

impl fmt::Debug for Invited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the link, which opens the account.
        f.debug_struct("Invited").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An operator, for a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorSummary {
    pub id: String,
    pub name: String,
    pub state: OperatorState,
    /// Each with its regions, as in `push_officer:330302`; without regions for all.
    pub roles: Vec<String>,
    pub created_at: Timestamp,
    pub enrolled_at: Option<Timestamp>,
    /// The last sign-in.
    pub seen_at: Option<Timestamp>,
}

/// An operator with what only one account has room for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorDetail {
    #[serde(flatten)]
    pub summary: OperatorSummary,
    /// How many recovery codes are left.
    pub recovery_codes: i64,
    pub sessions: Vec<SessionRow>,
}

fn summary(row: OperatorRow, roles: &[RoleRow]) -> Result<OperatorSummary, DbError> {
    let corrupt = |error: Malformed| DbError::corrupt("operators", error.0);
    let own = roles.iter().filter(|role| role.operator_id == row.id);
    Ok(OperatorSummary {
        roles: Roles::of_rows(own).map_err(corrupt)?.texts(),
        state: row.state.parse().map_err(corrupt)?,
        id: row.id,
        name: row.name,
        created_at: Timestamp::from_micros(row.created_at),
        enrolled_at: row.enrolled_at.map(Timestamp::from_micros),
        seen_at: row.seen_at.map(Timestamp::from_micros),
    })
}

fn check_reason(reason: Option<&str>) -> Result<(), PrincipalsError> {
    reason.map_or(Ok(()), |reason| check_text(reason, LONGEST_REASON)).map_err(PrincipalsError::Reason)
}

impl Principals {
    /// Every operator, by name.
    pub async fn operators(&self) -> Result<Vec<OperatorSummary>, PrincipalsError> {
        let roles = operators::all_roles(&self.env.db).await?;
        let rows = operators::list(&self.env.db).await?;
        Ok(rows.into_iter().map(|row| summary(row, &roles)).collect::<Result<_, _>>()?)
    }

    /// An operator by its name, with its sessions.
    pub async fn operator(&self, name: &str) -> Result<OperatorDetail, PrincipalsError> {
        let row = operators::find(&self.env.db, &name_key(name)).await?;
        let row = row.ok_or_else(|| PrincipalsError::NoSuchOperator(name.to_owned()))?;
        let roles = operators::roles(&self.env.db, &row.id).await?;
        Ok(OperatorDetail {
            recovery_codes: operators::count_codes(&self.env.db, &row.id).await?,
            sessions: self.sessions_of(&row.id, None).await?,
            summary: summary(row, &roles)?,
        })
    }

    /// Creates an operator, which enrols with the link that is returned.
    pub async fn create(&self, actor: &Actor, name: &str, roles: &Roles) -> Result<Invited, PrincipalsError> {
        // The rules of names in the ledger.
        let name = Actor::operator(name, actor.channel()).map_err(PrincipalsError::Name)?.name();
        let row = OperatorRow {
            id: OperatorId::new(&*self.env.clock, &*self.env.entropy).to_string(),
            name_key: name_key(&name),
            name,
            state: OperatorState::Invited.to_string(),
            password: None,
            sealed_totp: None,
            totp_step: 0,
            created_at: self.env.now().micros(),
            enrolled_at: None,
            seen_at: None,
        };
        let mut tx = self.env.db.begin("principals::create").await?;
        operators::insert(&mut tx, &row).await.map_err(|error| {
            // The unique key decides, not a query before.
            if error.is_constraint() { PrincipalsError::Exists(row.name.clone()) } else { error.into() }
        })?;
        operators::set_roles(&mut tx, &row.id, &roles.rows(&row.id)).await?;
        let invited = self.invite(&mut tx, &row).await?;
        let detail = json!({ "name": row.name, "roles": roles.texts() });
        self.enter(&mut tx, actor, Action::OperatorCreated, &row.id, Change::of(detail)).await?;
        tx.commit().await?;
        Ok(invited)
    }

    /// Suspends an operator and ends its sessions; `false` when it is suspended already.
    pub async fn suspend(&self, actor: &Actor, name: &str, reason: Option<&str>) -> Result<bool, PrincipalsError> {
        check_reason(reason)?;
        let mut tx = self.env.db.begin("principals::suspend").await?;
        let row = self.locked(&mut tx, name).await?;
        if row.state == OperatorState::Suspended.as_str() {
            return Ok(false);
        }
        operators::set_state(&mut tx, &row.id, OperatorState::Suspended.as_str()).await?;
        let sessions = operator_sessions::end_all(&mut tx, &row.id).await?;
        let change = Change::of(json!({ "name": row.name, "sessions": sessions })).because(reason);
        self.enter(&mut tx, actor, Action::OperatorSuspended, &row.id, change).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Lets a suspended operator sign in again, and ends a lock after failed attempts; `false` when it is not suspended.
    pub async fn resume(&self, actor: &Actor, name: &str, reason: Option<&str>) -> Result<bool, PrincipalsError> {
        check_reason(reason)?;
        let mut tx = self.env.db.begin("principals::resume").await?;
        let row = self.locked(&mut tx, name).await?;
        if row.state != OperatorState::Suspended.as_str() {
            return Ok(false);
        }
        let state = if row.password.is_some() { OperatorState::Active } else { OperatorState::Invited };
        operators::set_state(&mut tx, &row.id, state.as_str()).await?;
        operators::clear_failures(&mut tx, &name_digest(&row.name_key)).await?;
        let change = Change::of(json!({ "name": row.name })).because(reason);
        self.enter(&mut tx, actor, Action::OperatorResumed, &row.id, change).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes an operator's password, secret, recovery codes and sessions away; it enrols again with the link that is returned.
    pub async fn reset(&self, actor: &Actor, name: &str, reason: Option<&str>) -> Result<Invited, PrincipalsError> {
        check_reason(reason)?;
        let mut tx = self.env.db.begin("principals::reset").await?;
        let row = self.locked(&mut tx, name).await?;
        if row.state == OperatorState::Suspended.as_str() {
            return Err(PrincipalsError::Suspended(row.name));
        }
        operators::forget(&mut tx, &row.id).await?;
        operators::set_codes(&mut tx, &row.id, &[]).await?;
        operators::clear_failures(&mut tx, &name_digest(&row.name_key)).await?;
        let sessions = operator_sessions::end_all(&mut tx, &row.id).await?;
        let invited = self.invite(&mut tx, &row).await?;
        let change = Change::of(json!({ "name": row.name, "sessions": sessions })).because(reason);
        self.enter(&mut tx, actor, Action::OperatorReset, &row.id, change).await?;
        tx.commit().await?;
        Ok(invited)
    }

    /// Replaces an operator's roles and ends its sessions; `false` when it has exactly these.
    pub async fn set_roles(
        &self,
        actor: &Actor,
        name: &str,
        roles: &Roles,
        reason: Option<&str>,
    ) -> Result<bool, PrincipalsError> {
        check_reason(reason)?;
        let mut tx = self.env.db.begin("principals::set_roles").await?;
        let row = self.locked(&mut tx, name).await?;
        let before = operators::roles_in(&mut tx, &row.id).await?;
        let before = Roles::of_rows(&before).map_err(|error| DbError::corrupt("operator_roles", error.0))?;
        if before == *roles {
            return Ok(false);
        }
        operators::set_roles(&mut tx, &row.id, &roles.rows(&row.id)).await?;
        // A session has the roles of its beginning on the screen: it ends, and the next one shows what is possible now.
        let sessions = operator_sessions::end_all(&mut tx, &row.id).await?;
        let detail: Value =
            json!({ "name": row.name, "before": before.texts(), "after": roles.texts(), "sessions": sessions });
        self.enter(&mut tx, actor, Action::OperatorRolesChanged, &row.id, Change::of(detail).because(reason)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Locks an operator's row until the transaction ends.
    async fn locked(&self, tx: &mut Tx, name: &str) -> Result<OperatorRow, PrincipalsError> {
        let row = operators::lock(tx, &name_key(name)).await?;
        row.ok_or_else(|| PrincipalsError::NoSuchOperator(name.to_owned()))
    }

    /// Gives an operator a link, in place of an earlier one.
    async fn invite(&self, tx: &mut Tx, row: &OperatorRow) -> Result<Invited, PrincipalsError> {
        let token = token(&*self.env.entropy);
        let secret = TotpSecret::new(&*self.env.entropy);
        let sealed = self.crypter.seal(invitation_context(&row.id), secret.bytes())?;
        let expires_at = self.env.now().plus(self.policy.invitation);
        operators::invite(tx, &row.id, &token_digest(&token), &sealed, expires_at).await?;
        Ok(Invited {
            id: row.id.parse().map_err(|error: Malformed| DbError::corrupt("operators", error.0))?,
            name: row.name.clone(),
            // A segment of the path: the log has routes and never their parameters.
            link: format!("{}/enrol/{token}", self.policy.origin),
            expires_at,
        })
    }

    async fn enter(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: Action,
        operator: &str,
        change: Change,
    ) -> Result<(), PrincipalsError> {
        Ok(ledger::audit(tx, &self.env, actor, action, Some(operator), change).await.map(drop)?)
    }
}
