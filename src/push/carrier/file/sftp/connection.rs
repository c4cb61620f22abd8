//! A connection to a server of SFTP: its key is pinned, and ours is a file that nobody else can read.

use std::{os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use russh::{
    Preferred,
    client::{self, AuthResult, Handle},
    keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, decode_secret_key},
};
use russh_sftp::client::{Config as SftpConfig, SftpSession};
use tokio::time::timeout;

use super::{
    super::super::{Failed, FailureReason},
    error::{sftp_failed, ssh_failed},
};
use crate::push::platform::SftpSettings;

/// An open connection. It ends with this value.
pub(super) struct Connection {
    pub(super) sftp: SftpSession,
    /// The session ends when its handle is dropped.
    _session: Handle<PinnedKey>,
}

/// Accepts one key of a server.
struct PinnedKey(PublicKey);

impl client::Handler for PinnedKey {
    type Error = russh::Error;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        // Comments do not count, and a certificate is another kind of proof than the one that was agreed on.
        Ok(matches!(presented, PublicKeyOrCertificate::PublicKey { key, .. } if key.key_data() == self.0.key_data()))
    }
}

/// Connects, authenticates and opens SFTP.
pub(super) async fn connect(settings: &SftpSettings, host_key: &PublicKey) -> Result<Connection, Failed> {
    let key = read_key(&settings.key_file).await?;
    let at = format!("{}:{}", settings.host, settings.port);
    let opened = timeout(settings.connect_timeout, open(settings, host_key.clone(), key)).await;
    opened.unwrap_or_else(|_| {
        let why = format!("{at} did not answer in time: a firewall may drop the packets");
        Err(Failed::passing(FailureReason::Timeout, why))
    })
}

async fn open(settings: &SftpSettings, host_key: PublicKey, key: PrivateKey) -> Result<Connection, Failed> {
    let at = format!("{}:{}", settings.host, settings.port);
    let failed = |error: &russh::Error| ssh_failed(error, &at);
    // The server proves the key that is pinned, and not another one that it has as well.
    let preferred = Preferred { key: vec![host_key.algorithm()].into(), ..Preferred::default() };
    let config = client::Config { preferred, inactivity_timeout: Some(settings.timeout), ..client::Config::default() };
    let address = (settings.host.as_str(), settings.port);
    let mut session =
        client::connect(Arc::new(config), address, PinnedKey(host_key)).await.map_err(|error| failed(&error))?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    let answer = session.authenticate_publickey(&settings.user, key).await.map_err(|error| failed(&error))?;
    if !matches!(answer, AuthResult::Success) {
        let why = format!(
            "{at} does not accept our key for the user {}: give the server's operator the public key of {}",
            settings.user,
            settings.key_file.display()
        );
        return Err(Failed::passing(FailureReason::Credentials, why));
    }
    let channel = session.channel_open_session().await.map_err(|error| failed(&error))?;
    channel.request_subsystem(true, "sftp").await.map_err(|error| failed(&error))?;
    let config = SftpConfig { request_timeout_secs: settings.timeout.as_secs().max(1), ..SftpConfig::default() };
    let sftp = SftpSession::new_with_config(channel.into_stream(), config).await;
    Ok(Connection { sftp: sftp.map_err(|error| sftp_failed(&error, "opening SFTP at", &at))?, _session: session })
}

/// Reads our private key. Refused where others can read it, as OpenSSH does.
async fn read_key(path: &Path) -> Result<PrivateKey, Failed> {
    let refused = |why: String| Failed::passing(FailureReason::Credentials, format!("{}: {why}", path.display()));
    let unread = |error: std::io::Error| refused(format!("it cannot be read: {error}"));
    let mode = tokio::fs::metadata(path).await.map_err(unread)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(refused(format!("its mode is {mode:o}, so others can use it: chmod 600, and replace the key")));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(unread)?;
    let key = decode_secret_key(&text, None).map_err(|_| {
        refused("it is no private key of OpenSSH without a passphrase (ssh-keygen -t ed25519 -N '')".to_owned())
    })?;
    if key.algorithm().is_rsa() {
        return Err(refused("RSA keys are not supported: make one of type ed25519 or ecdsa".to_owned()));
    }
    Ok(key)
}
