//! The certificate and key of a listener: read, opened and checked before use.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{AuthorityError, Custody, audit::audit, files};
use crate::{
    domain::Timestamp,
    identity::{CertificateFacts, certificate::is_signed_by, tls},
    ledger::{Action, Change},
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
    seal_for(crypter, &facts.public_key_der, private_key)
}

/// [`seal`] before there is a certificate, for the public key that it will certify.
pub fn seal_for(
    crypter: &Crypter,
    public_key_der: &[u8],
    private_key: &[u8],
) -> Result<Zeroizing<String>, AuthorityError> {
    let row = row_of(public_key_der);
    let sealed = crypter.seal(place(&row), private_key).map_err(AuthorityError::Crypter)?;
    Ok(files::to_pem(files::SEALED_KEY, &sealed))
}

/// Whether a key file, as read, has the private key of a public key.
pub fn is_key_of(crypter: &Crypter, sealed: &[u8], public_key_der: &[u8]) -> bool {
    crypter.open(place(&row_of(public_key_der)), sealed).is_ok()
}

/// The state of a server's key file after [`reseal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resealed {
    /// There is no such file.
    Missing,
    /// The sealing key had sealed it already.
    Current,
    /// It was sealed again.
    Again,
}

/// Whether a server's key file is sealed under another key than the one that seals; `None` without a file.
pub fn is_outdated(key_file: &Path, crypter: &Crypter) -> Result<Option<bool>, AuthorityError> {
    if !key_file.try_exists().unwrap_or(true) {
        return Ok(None);
    }
    let sealed = files::read_item(files::SEALED_KEY, key_file)?;
    Ok(Some(crypter.is_outdated(&sealed)))
}

/// Seals a server's key file again, if another key-encryption key sealed it.
pub async fn reseal(custody: &Custody, server: &ServerFiles) -> Result<Resealed, AuthorityError> {
    match is_outdated(&server.key, &custody.crypter)? {
        None => return Ok(Resealed::Missing),
        Some(false) => return Ok(Resealed::Current),
        Some(true) => {}
    }
    let sealed = files::read_item(files::SEALED_KEY, &server.key)?;
    let chain = files::read_items(files::CERTIFICATE, &server.certificate)?;
    let leaf = chain.first().ok_or_else(|| AuthorityError::Invalid("the server's chain is empty".into()))?;
    let facts =
        CertificateFacts::read(leaf).map_err(|error| AuthorityError::Certificate("the server".into(), error))?;
    let row = row_of(&facts.public_key_der);
    let private = custody.crypter.open(place(&row), &sealed).map_err(AuthorityError::Crypter)?;
    let text = seal(&custody.crypter, &facts, &private)?;
    let mut tx = custody.env.db.begin("authority::reseal_server").await.map_err(AuthorityError::Store)?;
    let detail = json!({ "file": server.key.display().to_string() });
    audit(&mut tx, custody, Action::KeysResealed, &facts.thumbprint, Change::of(detail)).await?;
    // The entry first: a crash before the file is replaced leaves the former file, which still opens, and a repetition.
    tx.commit().await.map_err(AuthorityError::Store)?;
    files::write_private(&server.key, text.as_bytes())?;
    Ok(Resealed::Again)
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
