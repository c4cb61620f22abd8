//! Sessions of the console, and what a signed-in operator may do.

use std::{collections::BTreeSet, fmt, marker::PhantomData, time::Duration};

use serde_json::json;

use super::{
    Principals, PrincipalsError, Role, RoleMarker, RoleMissing, Roles,
    roles::is_within,
    secrets::{csrf_token, token_digest},
};
use crate::{
    domain::{
        Actor, Channel, Malformed, Region, Timestamp,
        ids::{OperatorId, SessionId},
    },
    ledger::{self, Action, Change},
    store::{
        DbError,
        operator_sessions::{self, ActiveSessionRow},
        operators::{self, RoleRow},
    },
};

/// A session's last request is noted when the noted one is so old: not every request writes.
const TOUCH_AFTER: Duration = Duration::from_secs(30);

/// Where a browser calls from, for the list of an operator's sessions.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    pub address: String,
    /// The browser, as it names itself.
    pub agent: String,
}

/// Evidence that the database knows the session of a request, and that its operator is active.
#[derive(Clone)]
pub struct SignedIn {
    pub(super) operator_id: OperatorId,
    pub(super) session_id: SessionId,
    pub(super) actor: Actor,
    pub(super) name: String,
    pub(super) roles: Roles,
    pub(super) csrf_token: String,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the token and the name.
        f.debug_struct("SignedIn").field("operator_id", &self.operator_id).finish_non_exhaustive()
    }
}

impl SignedIn {
    /// Joins what the rows of a session, its operator and its roles say.
    pub(super) fn new(
        (operator, session): (&str, &str),
        name: String,
        roles: &[RoleRow],
        token: &str,
    ) -> Result<Self, PrincipalsError> {
        let corrupt = |error: Malformed| DbError::corrupt("operators", error.0);
        Ok(Self {
            operator_id: operator.parse().map_err(corrupt)?,
            session_id: session.parse().map_err(corrupt)?,
            actor: Actor::operator(&name, Channel::Console).map_err(corrupt)?,
            roles: Roles::of_rows(roles).map_err(corrupt)?,
            csrf_token: csrf_token(token),
            name,
        })
    }

    /// The operator.
    pub const fn operator_id(&self) -> &OperatorId {
        &self.operator_id
    }

    /// The operator's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The operator as a party of the ledger.
    pub fn actor(&self) -> Actor {
        self.actor.clone()
    }

    /// The operator's roles.
    pub const fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The session.
    pub const fn session_id(&self) -> &SessionId {
        &self.session_id
    }

    /// The token that each form of the session carries, bound to the session.
    pub fn csrf_token(&self) -> &str {
        &self.csrf_token
    }

    /// Evidence that the operator has a role.
    pub fn acting_as<R: RoleMarker>(&self) -> Result<OperatorSession<R>, RoleMissing> {
        let regions = self.roles.iter().find(|(role, _)| *role == R::ROLE).ok_or(RoleMissing(R::ROLE))?.1;
        Ok(OperatorSession { actor: self.actor.clone(), regions: regions.cloned(), role: PhantomData })
    }
}

/// Evidence that an operator with a role is signed in: what needs the role takes it.
pub struct OperatorSession<R> {
    actor: Actor,
    regions: Option<BTreeSet<Region>>,
    role: PhantomData<fn() -> R>,
}

impl<R: RoleMarker> fmt::Debug for OperatorSession<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OperatorSession").field(&R::ROLE).finish()
    }
}

impl<R: RoleMarker> OperatorSession<R> {
    /// The role.
    pub const ROLE: Role = R::ROLE;

    /// The operator as a party of the ledger.
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The regions that the role is for; none for all.
    pub const fn regions(&self) -> Option<&BTreeSet<Region>> {
        self.regions.as_ref()
    }

    /// Whether the role is for a region.
    pub fn covers(&self, region: Region) -> bool {
        is_within(self.regions.as_ref(), region)
    }
}

/// A session of an operator, for a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SessionRow {
    pub id: String,
    pub created_at: Timestamp,
    /// The last request, to half a minute.
    pub seen_at: Timestamp,
    /// Where the operator signed in from.
    pub address: String,
    pub agent: String,
    /// Whether it is the session that asks.
    pub current: bool,
}

impl Principals {
    /// The session of a cookie's token, unless it has ended, was idle for too long, or its operator is not active.
    pub async fn session(&self, token: &str) -> Result<Option<SignedIn>, PrincipalsError> {
        let now = self.env.now();
        let (seen, created) = self.session_limits(now);
        let digest = token_digest(token);
        let Some(row) = operator_sessions::find(&self.env.db, &digest, seen, created).await? else { return Ok(None) };
        let roles = operators::roles(&self.env.db, &row.operator_id).await?;
        self.touch(&row, now).await?;
        SignedIn::new((&row.operator_id, &row.id), row.name, &roles, token).map(Some)
    }

    /// The instants after which a session must have been seen, and created, to count.
    pub(super) fn session_limits(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        (now.minus(self.policy.session_idle), now.minus(self.policy.session_absolute))
    }

    async fn touch(&self, row: &ActiveSessionRow, now: Timestamp) -> Result<(), PrincipalsError> {
        if now.since(Timestamp::from_micros(row.seen_at)) < TOUCH_AFTER {
            return Ok(());
        }
        let mut tx = self.env.db.begin("principals::touch").await?;
        operator_sessions::touch(&mut tx, &row.id, now).await?;
        Ok(tx.commit().await?)
    }

    /// Ends the session.
    pub async fn sign_out(&self, who: &SignedIn) -> Result<(), PrincipalsError> {
        self.end_session(who, &who.session_id.to_string()).await.map(drop)
    }

    /// The operator's own sessions, oldest first.
    pub async fn sessions(&self, who: &SignedIn) -> Result<Vec<SessionRow>, PrincipalsError> {
        self.sessions_of(&who.operator_id.to_string(), Some(who.session_id)).await
    }

    /// The sessions of an operator; `current` marks one of them.
    pub(super) async fn sessions_of(
        &self,
        operator: &str,
        current: Option<SessionId>,
    ) -> Result<Vec<SessionRow>, PrincipalsError> {
        let (seen, created) = self.session_limits(self.env.now());
        let current = current.map(|id| id.to_string());
        let rows = operator_sessions::list(&self.env.db, operator, seen, created).await?;
        let rows = rows.into_iter().map(|row| SessionRow {
            current: current.as_ref() == Some(&row.id),
            id: row.id,
            created_at: Timestamp::from_micros(row.created_at),
            seen_at: Timestamp::from_micros(row.seen_at),
            address: row.address,
            agent: row.agent,
        });
        Ok(rows.collect())
    }

    /// Ends one of the operator's own sessions; `false` when it has no such session.
    pub async fn end_session(&self, who: &SignedIn, session_id: &str) -> Result<bool, PrincipalsError> {
        let operator = who.operator_id.to_string();
        let mut tx = self.env.db.begin("principals::end_session").await?;
        // The deletion decides: of two requests at the same time one leaves an entry.
        if !operator_sessions::end(&mut tx, &operator, session_id).await? {
            return Ok(false);
        }
        let change = Change::of(json!({ "session": session_id }));
        ledger::audit(&mut tx, &self.env, &who.actor, Action::SessionEnded, Some(&operator), change).await?;
        tx.commit().await?;
        Ok(true)
    }
}
