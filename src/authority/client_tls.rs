//! The TLS configuration of a client whose authority, certificate and key are files: a bank's, or ours at another party.

use std::{io, path::PathBuf};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use super::{
    AuthorityError, files,
    seen_file::{FileStamp, stamp},
};
use crate::{
    domain::clock::SharedClock,
    identity::tls::{self, ClientCertificate},
};

/// The files of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// The authorities that may have issued the server's certificate, PEM.
    pub ca: PathBuf,
    /// The client's certificate chain, PEM, its own first.
    pub certificate: PathBuf,
    /// The private key, PKCS#8 PEM.
    pub key: PathBuf,
}

/// The stamps of the files, to see that one of them was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientStamp([Option<FileStamp>; 3]);

/// Why the files of a client cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientTlsError {
    /// The authorities cannot be read.
    #[error("the ca")]
    Ca(#[source] AuthorityError),
    /// An authority is no trust anchor.
    #[error("the ca")]
    Anchor(#[source] rustls::Error),
    /// The certificate cannot be read.
    #[error("the certificate")]
    Certificate(#[source] AuthorityError),
    /// The key cannot be read.
    #[error("the key")]
    Key(#[source] AuthorityError),
    /// The key is in no form that the TLS library reads.
    #[error("the key: {0}")]
    KeyForm(&'static str),
    /// The key belongs to another certificate.
    #[error(
        "{} is not the key of {}: put the key of that certificate there",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// The TLS library refuses them.
    #[error("the certificate and the key")]
    Tls(#[source] rustls::Error),
    /// The task that reads the files failed.
    #[error("the files cannot be read")]
    Io(#[source] io::Error),
}

impl ClientFiles {
    /// Reads the files, and makes the configuration of a client of HTTP. Blocks.
    pub fn read(&self, clock: SharedClock) -> Result<ClientConfig, ClientTlsError> {
        let mut roots = RootCertStore::empty();
        for authority in files::read_items(files::CERTIFICATE, &self.ca).map_err(ClientTlsError::Ca)? {
            roots.add(CertificateDer::from(authority.to_vec())).map_err(ClientTlsError::Anchor)?;
        }
        let chain = files::read_items(files::CERTIFICATE, &self.certificate).map_err(ClientTlsError::Certificate)?;
        let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.to_vec())).collect();
        let key = files::read_item(files::PRIVATE_KEY, &self.key).map_err(ClientTlsError::Key)?;
        let key = PrivateKeyDer::try_from(key.to_vec()).map_err(ClientTlsError::KeyForm)?;
        let identity = Some(ClientCertificate { chain, key });
        let mut config = tls::client_config(roots, identity, clock).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                ClientTlsError::Mismatch { key: self.key.clone(), certificate: self.certificate.clone() }
            }
            other => ClientTlsError::Tls(other),
        })?;
        config.alpn_protocols = tls::ALPN.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }

    /// The same, without blocking the runtime.
    pub async fn read_apart(&self, clock: SharedClock) -> Result<ClientConfig, ClientTlsError> {
        let files = self.clone();
        let read = tokio::task::spawn_blocking(move || files.read(clock)).await;
        read.unwrap_or_else(|error| Err(ClientTlsError::Io(io::Error::other(error))))
    }

    /// The stamps of the files at this moment. Taken before they are read, so that a later change is seen.
    pub async fn stamp(&self) -> ClientStamp {
        ClientStamp([stamp(&self.ca).await, stamp(&self.certificate).await, stamp(&self.key).await])
    }
}
