//! A folder on a server of SFTP. Packages are completed in a directory of our own first, with the same code and the same
//! guarantees as in a folder of this machine, and then brought over: the data, and the manifest last, each under a temporary
//! name that is changed when the file is complete.
//!
//! The receiver may take both away as soon as the manifest is there. Before the manifest gets its name, this is recorded here
//! (`<stem>.publishing`), and afterwards that it has it (`<stem>.published`). An attempt that finds the first record and no
//! second looks for the temporary name: as long as it is there, the manifest was not published; when it is gone, it was, and
//! nothing is brought over again.
//!
//! The receiver's answers are copied here, and read as those in a folder of this machine.

mod connection;
mod error;
mod mirror;
mod publish;

use std::{
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use russh::keys::PublicKey;

use super::{super::Failed, Target, disk::disk_failed};
use crate::push::platform::SftpSettings;

/// A folder on a server.
#[derive(Debug)]
pub(super) struct Remote {
    settings: SftpSettings,
    host_key: PublicKey,
}

impl Remote {
    /// A folder on a server, which is connected to when it is needed. None where the host key is not one.
    pub(super) fn new(settings: SftpSettings) -> Option<Self> {
        let host_key = PublicKey::from_openssh(&settings.host_key).ok()?;
        Some(Self { settings, host_key })
    }

    /// The path of a file in the folder.
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.settings.directory.trim_end_matches('/'))
    }
}

/// Creates the directory in which packages are completed and answers are copied, for the gateway's user alone.
pub(super) fn create_stage(target: &Target) -> Result<(), Failed> {
    let create =
        |path: &Path| -> io::Result<()> { std::fs::DirBuilder::new().mode(0o700).recursive(true).create(path) };
    let receipts: PathBuf = target.directory.join("receipts");
    create(&receipts).map_err(|error| disk_failed(&error, "creating", &receipts))
}
