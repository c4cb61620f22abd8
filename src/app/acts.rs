//! Does what was approved: each proposed act by the use-case of its room, in the environment of its approval.

use std::sync::Arc;

use super::{App, AppError, deliveries, open::library, principals_policy, reference_tables};
use crate::{
    access::{self, NewClient},
    approvals::{Approved, Proposed},
    authority::{Custody, Keyring, Purpose, keys},
    config::Config,
    domain::{Actor, Failure, FailureKind, error_chain, ids::ClientId},
    grading::{Published, Rounds},
    principals::{Invited, Principals, Roles},
    push::delivery::Deliveries,
    store::{Crypter, Env},
};

/// The outcome of an act.
#[derive(Debug)]
pub enum ActDone {
    ClientRegistered {
        id: ClientId,
        name: String,
    },
    ClientResumed {
        name: String,
    },
    RunPublished(Published),
    /// A key signs, by its key id.
    KeySigns {
        purpose: Purpose,
        kid: String,
    },
    /// `false`: nothing was in the way.
    PlatformResumed {
        platform: String,
        changed: bool,
    },
    PagesRedriven {
        platform: String,
        pages: u64,
    },
    /// With the link, which is shown once.
    OperatorCreated(Invited),
    RolesSet {
        name: String,
    },
    OperatorResumed {
        name: String,
    },
}

/// What acts need of the gateway. Executing in a process with the rooms open is [`App::execute_proposal`].
#[derive(Debug, Clone, Copy)]
pub struct Acts<'a> {
    pub config: &'a Config,
    pub env: &'a Env,
    pub crypter: &'a Arc<Crypter>,
}

impl App {
    /// What acts need.
    pub const fn acts(&self) -> Acts<'_> {
        Acts { config: &self.config, env: &self.env, crypter: &self.custody.crypter }
    }

    /// Executes an approved proposal; refused while the history is not current (I9): it may have been executed or rejected since.
    pub async fn execute_proposal(&self, actor: &Actor, proposal: &str) -> Result<ActDone, Failure> {
        self.recorder.require_current()?;
        let approved = self.approvals.take(proposal).await?;
        self.acts().execute(actor, approved).await
    }
}

impl Acts<'_> {
    /// Executes what was approved. The proposal counts as executed with the first change of it; a crash before leaves it approved.
    pub async fn execute(&self, actor: &Actor, approved: Approved<Proposed>) -> Result<ActDone, Failure> {
        let (proposed, env) = approved.begin(self.env);
        match proposed {
            Proposed::RegisterClient { name, client } => {
                let client: NewClient = serde_json::from_value(client)
                    .map_err(|error| Failure::internal(format!("the proposed client: {error}")))?;
                Ok(ActDone::ClientRegistered { id: access::register(&env, actor, &client).await?, name })
            }
            Proposed::ResumeClient { client, name } => {
                let id = client.parse().map_err(|_| Failure::internal("the client's id"))?;
                access::resume(&env, actor, None, &id).await?;
                Ok(ActDone::ClientResumed { name })
            }
            Proposed::PublishRun { run, .. } => self.publish(env, actor, &run).await,
            Proposed::RotateKey { purpose } => self.key(env, actor, &purpose, true).await,
            Proposed::ActivateKey { purpose } => self.key(env, actor, &purpose, false).await,
            Proposed::ResumePlatform { platform } => {
                let changed = self.deliveries(env).await?.resume(&platform, actor).await?;
                Ok(ActDone::PlatformResumed { platform, changed })
            }
            Proposed::RedriveDead { platform } => {
                let pages = self.deliveries(env).await?.redrive(&platform, actor).await?;
                Ok(ActDone::PagesRedriven { platform, pages })
            }
            Proposed::CreateOperator { name, roles } => {
                let created = self.principals(env).create(actor, &name, &read(&roles)?).await?;
                Ok(ActDone::OperatorCreated(created))
            }
            Proposed::SetRoles { name, before, roles } => {
                let principals = self.principals(env);
                if principals.operator(&name).await?.summary.roles != before {
                    return Err(outdated(&format!("The roles of {name} have changed since they were proposed.")));
                }
                if !principals.set_roles(actor, &name, &read(&roles)?, None).await? {
                    return Err(outdated(&format!("{name} has these roles already.")));
                }
                Ok(ActDone::RolesSet { name })
            }
            Proposed::ResumeOperator { name } => {
                if !self.principals(env).resume(actor, &name, None).await? {
                    return Err(outdated(&format!("{name} is not suspended any more.")));
                }
                Ok(ActDone::OperatorResumed { name })
            }
        }
    }

    async fn publish(&self, env: Env, actor: &Actor, run: &str) -> Result<ActDone, Failure> {
        let section = &self.config.grading;
        let calendar = self.config.reference.calendar().map_err(|error| Failure::internal(error_chain(&error)))?;
        let rounds = Rounds::new(env).with_objections(section.objection_days, calendar);
        Ok(ActDone::RunPublished(rounds.publish(actor, run, section.grace_months).await?))
    }

    async fn key(&self, env: Env, actor: &Actor, purpose: &str, new: bool) -> Result<ActDone, Failure> {
        let purpose = purpose.parse().map_err(|_| Failure::internal("the key's purpose"))?;
        let custody = self.custody(env).acting_for(actor.clone());
        let key = if new { keys::rotate(&custody, purpose).await? } else { keys::activate(&custody, purpose).await? };
        Ok(ActDone::KeySigns { purpose, kid: key.kid })
    }

    fn custody(&self, env: Env) -> Custody {
        Custody::new(env, self.crypter.clone(), &self.config.authority)
    }

    fn principals(&self, env: Env) -> Principals {
        Principals::open(env, self.crypter.clone(), principals_policy(self.config))
    }

    /// The deliveries in the environment of an approval. Nothing is connected to.
    async fn deliveries(&self, env: Env) -> Result<Deliveries, Failure> {
        let internal = |error: AppError| Failure::internal(error_chain(&error));
        let library = library(self.config).map_err(internal)?;
        let references = reference_tables(self.config, &library).map_err(AppError::Data).map_err(internal)?;
        let keyring = Keyring::load(&self.custody(self.env.clone())).await?;
        let signer = keyring.signer(Purpose::AnswerSigning)?;
        let signer = Arc::new(move || signer.clone());
        deliveries(self.config, &env, &library, &references, signer).map_err(internal)
    }
}

fn read(roles: &[String]) -> Result<Roles, Failure> {
    Roles::parse(roles).map_err(|error| Failure::internal(format!("the proposed roles: {}", error.0)))
}

/// What was proposed does not fit what there is now.
fn outdated(why: &str) -> Failure {
    Failure::new(FailureKind::Conflict, "proposal_outdated", format!("{why} Propose it again if it is still needed."))
}
