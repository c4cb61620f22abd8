//! The parts of the administrators' listener.

use std::sync::Arc;

use super::{
    App,
    policies::{limit_policy, server_files},
};
use crate::{
    authority::{AuthorityError, Custody, PublicServer},
    config::Config,
    domain::Actor,
    grading::Rounds,
    limits::AddressLimit,
};

/// The parts of the administrators' listener.
#[derive(Debug)]
pub struct Console {
    /// The TLS certificate and key.
    pub server: Arc<PublicServer>,
    /// The limit of requests by address.
    pub addresses: AddressLimit,
}

impl Console {
    /// Opens the console's parts; none when the configuration has no console.
    pub(super) async fn open(config: &Config, custody: &Custody) -> Result<Option<Self>, AuthorityError> {
        let section = &config.console;
        if !section.enabled {
            return Ok(None);
        }
        let files = server_files(section.tls_files(&config.partner));
        let server = Arc::new(PublicServer::start(custody.clone(), files, "console").await?);
        let limit = limit_policy("address", section.per_address);
        let addresses = AddressLimit::new(custody.env.clock.clone(), &*custody.env.entropy, limit);
        Ok(Some(Self { server, addresses }))
    }
}

impl App {
    /// The keys and certificates for the act of a person.
    pub fn custody_for(&self, actor: Actor) -> Custody {
        self.custody.clone().acting_for(actor)
    }

    /// The rounds of the store, to be read.
    pub fn rounds(&self) -> Rounds {
        Rounds::new(self.env.clone())
    }
}
