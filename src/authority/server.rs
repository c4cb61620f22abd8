//! The certificate and key of a listener: read, opened and checked before use.

use std::{path::PathBuf, sync::Arc};

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};
use zeroize::Zeroizing;

use super::{AuthorityError, files};
use crate::{
    domain::Timestamp,
    identity::{CertificateFacts, certificate::is_signed_by, tls},
    store::{Crypter, SealContext},
};

/// The paths of a listener's certificate and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// The certificate chain, PEM, leaf first.
    pub certificate: PathBuf,
    /// The sealed private key.
    pub key: PathBuf,
}

/// The place of a sealed key file. It is bound to the public key, so that the key opens only with its own certificate.
fn place(row: &str) -> SealContext<'_> {
    SealContext { table: "server key file", row, column: "private_key" }
}

fn row_of(public_key_der: &[u8]) -> String {
    BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, public_key_der).as_ref())
}

/// Seals a private key for its file, as PEM.
pub fn seal(
    crypter: &Crypter,
    facts: &CertificateFacts,
    private_key: &[u8],
) -> Result<Zeroizing<String>, AuthorityError> {
    let row = row_of(&facts.public_key_der);
    let sealed = crypter.seal(place(&row), private_key).map_err(AuthorityError::Crypter)?;
    Ok(files::to_pem(files::SEALED_KEY, &sealed))
}

/// Reads certificate and key, and checks that they match, are valid now and are for server authentication.
pub fn load(files: &ServerFiles, crypter: &Crypter, now: Timestamp) -> Result<Arc<CertifiedKey>, AuthorityError> {
    let chain: Vec<CertificateDer<'static>> = files::read_items(files::CERTIFICATE, &files.certificate)?
        .iter()
        .map(|der| CertificateDer::from(der.to_vec()))
        .collect();
    let leaf = chain.first().ok_or_else(|| AuthorityError::Invalid("the server's chain is empty".into()))?;
    let facts = check(leaf, now)?;
    // A chain that is out of order fails at some clients only, where it would not be noticed here.
    for pair in chain.windows(2) {
        if let [child, parent] = pair
            && !is_signed_by(child, parent)
        {
            return Err(AuthorityError::Invalid(
                "the server's chain is not in order: leaf first, each signed by the next".into(),
            ));
        }
    }
    let sealed = files::read_item(files::SEALED_KEY, &files.key)?;
    let row = row_of(&facts.public_key_der);
    let private = crypter.open(place(&row), &sealed).map_err(AuthorityError::Crypter)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(private.to_vec()));
    CertifiedKey::from_der(chain, private, &tls::provider()).map(Arc::new).map_err(AuthorityError::Tls)
}

fn check(leaf: &CertificateDer<'_>, now: Timestamp) -> Result<CertificateFacts, AuthorityError> {
    let unusable = |error| AuthorityError::Certificate("the server".into(), error);
    let facts = CertificateFacts::read(leaf).map_err(unusable)?;
    facts.check_strength().map_err(unusable)?;
    // A server's key that could issue certificates would be worth more to steal than the server.
    if !facts.server_authentication || facts.is_authority {
        return Err(AuthorityError::Invalid("the server's certificate is not for server authentication".into()));
    }
    if now < facts.not_before || facts.not_after < now {
        return Err(AuthorityError::Invalid(format!(
            "the server's certificate is valid from {} until {}",
            facts.not_before, facts.not_after
        )));
    }
    Ok(facts)
}
