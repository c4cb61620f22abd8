//! Opens the carrier of a platform, as its file describes it.

use std::{path::PathBuf, sync::Arc};

use super::{
    Carrier,
    exchange::Exchange,
    file::FileDrop,
    https::{CurrentSigner, Https},
};
use crate::{
    domain::clock::SharedClock,
    push::platform::{self, Evaluator, Folder, Platform},
};

/// What carriers need of the gateway.
#[derive(Clone)]
pub struct CarrierContext {
    pub clock: SharedClock,
    /// Signs requests over HTTPS.
    pub signer: CurrentSigner,
    /// The evaluator's code is the sender of files whose platform names none.
    pub evaluator: Evaluator,
    /// A directory of the gateway's own for files on their way to another machine, created where it is missing.
    pub working_directory: PathBuf,
}

impl std::fmt::Debug for CarrierContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CarrierContext").field("working_directory", &self.working_directory).finish_non_exhaustive()
    }
}

/// A platform whose file describes a carrier that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the platform {platform} cannot be reached: {key}: {why}")]
pub struct CarrierRefused {
    /// The platform's id.
    pub platform: String,
    /// The key of its file.
    pub key: &'static str,
    /// What is wrong, and what to do.
    pub why: String,
}

/// Opens the carrier of a platform. Nothing is read or connected to yet: files and the network are used from the first delivery
/// on, so that a platform which is away does not keep the gateway from starting.
pub fn open(platform: &Platform, context: &CarrierContext) -> Result<Arc<dyn Carrier>, CarrierRefused> {
    let refused = |key, why: String| CarrierRefused { platform: platform.id.clone(), key, why };
    match &platform.carrier {
        platform::Carrier::Https(settings) => {
            let https = Https::new(settings.clone(), context.signer.clone(), context.clock.clone());
            Ok(Arc::new(https.map_err(|error| refused("[carrier.https] url", error.to_string()))?))
        }
        platform::Carrier::File(settings) => {
            let source = settings.sender(context.evaluator.uscc.as_deref()).ok_or_else(|| {
                let why = "file names begin with the name of the sender: set it here, or set evaluator_uscc in [push] of the \
                           gateway's configuration";
                refused("[carrier.file] source", why.to_owned())
            })?;
            match &settings.folder {
                Folder::Local(directory) => Ok(Arc::new(FileDrop::new(directory.clone(), source, settings.form))),
                Folder::Sftp(sftp) => {
                    let own = || context.working_directory.join(&platform.id);
                    let stage = sftp.working_directory.clone().unwrap_or_else(own);
                    let server = FileDrop::to_server(stage, source, settings.form, sftp.clone());
                    let why = "it is not a public key of OpenSSH: write it as known_hosts has it (ssh-keyscan HOST)";
                    Ok(Arc::new(server.ok_or_else(|| refused("[carrier.file.sftp] host_key", why.to_owned()))?))
                }
            }
        }
        platform::Carrier::Exchange(settings) => {
            let exchange = Exchange::new(platform, settings.as_ref().clone(), context.clock.clone());
            Ok(Arc::new(exchange.map_err(|why| refused("field", why))?))
        }
    }
}
