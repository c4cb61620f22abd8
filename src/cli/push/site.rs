//! The platforms that packages are delivered to, opened for a command.

use std::sync::Arc;

use crate::{
    app,
    authority::{Keyring, Purpose},
    cli::{Context, Usage, context::custody, ledger::must_be_current, model::library},
    push::delivery::Deliveries,
    store::{Db, Env, JobLock},
};

/// The deliveries of the configured gateway.
pub(super) struct Site {
    pub(super) deliveries: Arc<Deliveries>,
    db: Db,
}

impl Site {
    /// Opens the store, the keys and the carriers. Nothing is connected to yet.
    pub(super) async fn open(ctx: &Context) -> anyhow::Result<Self> {
        let config = ctx.config()?;
        let library = library(ctx)?;
        let references = app::reference_tables(&config, &library)?;
        let custody = custody(ctx).await?;
        let signer = Keyring::load(&custody).await?.signer(Purpose::AnswerSigning)?;
        let env = custody.env.clone();
        let deliveries = app::deliveries(&config, &env, &library, &references, Arc::new(move || signer.clone()))?;
        Ok(Self { deliveries: Arc::new(deliveries), db: env.db })
    }

    /// Refuses a database that was turned back: what it would send was sent before in another form (I9).
    pub(super) async fn must_be_current(&self, ctx: &Context) -> anyhow::Result<()> {
        must_be_current(&ctx.config()?, &self.db).await
    }

    /// The platforms that a command is about: those named, or all.
    pub(super) fn chosen(&self, named: &[String]) -> anyhow::Result<Vec<String>> {
        for platform in named {
            self.deliveries.target(platform).map_err(|error| Usage(error.to_string()))?;
        }
        let all: Vec<String> = self.deliveries.platforms().map(str::to_owned).collect();
        if all.is_empty() {
            let why = "no platform gets packages: name some in [push] deliver_to (`medcredit push list` lists those there are)";
            return Err(Usage(why.into()).into());
        }
        Ok(if named.is_empty() { all } else { named.to_vec() })
    }

    /// The lock under which packages are made.
    pub(super) async fn lock(&self) -> anyhow::Result<JobLock> {
        Ok(self.deliveries.maker().lock().await?.ok_or(crate::push::PushError::Busy)?)
    }

    /// The environment of acts that the command proposes.
    pub(super) fn env(&self, ctx: &Context) -> Env {
        ctx.env(&self.db)
    }

    pub(super) async fn close(self) {
        self.db.close().await;
    }
}
