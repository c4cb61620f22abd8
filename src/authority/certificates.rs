//! Issues, revokes and refuses certificates.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use rcgen::{CertificateSigningRequestParams, SubjectPublicKeyInfo};
use rustls::pki_types::CertificateSigningRequestDer;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    AuthorityError, Custody, Profile, ProfileName, ProfileValues,
    audit::{audit, check_reason},
    local_ca,
};
use crate::{
    domain::{
        Timestamp,
        ids::{CertificateId, EntryId},
    },
    identity::{CertificateFacts, KeyPair, Signer as _, Suite},
    ledger::{Action, Change},
    store::{
        authorities::{self, AffectedClients},
        certificates::{self, CertificateRow},
        changes,
    },
};

/// A request for a certificate.
#[derive(Debug)]
pub struct Request<'a> {
    /// The profile: server or bank-client.
    pub profile: ProfileName,
    /// The values that complete the profile. The subject comes from here; the subject of a signing request is ignored.
    pub values: &'a ProfileValues,
    /// A PKCS#10 request, DER, whose key is certified; without one a new key is generated.
    pub signing_request: Option<&'a [u8]>,
}

/// An issued certificate.
#[derive(Debug)]
pub struct Issued {
    pub id: CertificateId,
    /// The contents of the certificate.
    pub facts: CertificateFacts,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The new key, PKCS#8, if one was generated. It is stored nowhere else.
    pub private_key: Option<Zeroizing<Vec<u8>>>,
}

/// A new key, to be stored before a certificate is issued for it.
pub struct NewKey {
    public: SubjectPublicKeyInfo,
    /// SubjectPublicKeyInfo, DER.
    pub public_der: Vec<u8>,
    /// PKCS#8.
    pub private: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Nothing of the private half (I8).
        f.write_str("NewKey(withheld)")
    }
}

impl NewKey {
    /// Generates a key.
    pub fn generate() -> Result<Self, AuthorityError> {
        let provider = |error: crate::identity::SuiteError| AuthorityError::Invalid(error.to_string());
        let private = KeyPair::generate(Suite::Es256).map_err(provider)?;
        let pair = KeyPair::from_pkcs8(Suite::Es256, &private).map_err(provider)?;
        let public_der = pair.public_key_der().to_vec();
        let public = SubjectPublicKeyInfo::from_der(&public_der)
            .map_err(|error| AuthorityError::Create("the new key's certificate", error))?;
        Ok(Self { public, public_der, private })
    }
}

/// Issues a certificate of the local CA: for the key of a signing request, or with a new key.
pub async fn issue(custody: &Custody, request: &Request<'_>) -> Result<Issued, AuthorityError> {
    if request.signing_request.is_some() {
        return certify(custody, request, None).await;
    }
    let key = NewKey::generate()?;
    let issued = certify(custody, request, Some(&key)).await?;
    Ok(Issued { private_key: Some(key.private), ..issued })
}

/// Issues a certificate of the local CA for a key that the caller has stored.
pub async fn issue_for(custody: &Custody, request: &Request<'_>, key: &NewKey) -> Result<Issued, AuthorityError> {
    certify(custody, request, Some(key)).await
}

/// The newest certificate of a profile that was issued for a key, by its public key as SubjectPublicKeyInfo, DER. It finds
/// the certificate again that a command had issued when it was interrupted.
pub async fn find_issued(
    custody: &Custody,
    profile: ProfileName,
    is_for: impl Fn(&[u8]) -> bool,
) -> Result<Option<Issued>, AuthorityError> {
    let rows = certificates::list(&custody.env.db).await.map_err(AuthorityError::Store)?;
    for row in rows.into_iter().rev().filter(|row| row.profile == profile.as_str()) {
        let facts = CertificateFacts::read(&row.certificate)
            .map_err(|error| AuthorityError::Certificate(row.id.clone(), error))?;
        if is_for(&facts.public_key_der) {
            let id =
                row.id.parse().map_err(|error| AuthorityError::Corrupt(format!("certificate {}: {error}", row.id)))?;
            return Ok(Some(Issued { id, facts, certificate: row.certificate, private_key: None }));
        }
    }
    Ok(None)
}

async fn certify(custody: &Custody, request: &Request<'_>, new_key: Option<&NewKey>) -> Result<Issued, AuthorityError> {
    if request.profile == ProfileName::Ca {
        return Err(AuthorityError::Invalid("create an authority with `medcredit certs init`".into()));
    }
    let now = custody.env.clock.now();
    // The file is read before the transaction begins, so that a slow disk holds no locks.
    let profile = Profile::read(custody.profiles.as_deref(), request.profile)?;
    let mut tx = custody.env.db.begin("authority::issue").await.map_err(AuthorityError::Store)?;
    let own = authorities::find_own_in(&mut tx).await.map_err(AuthorityError::Store)?;
    let own = own.ok_or_else(|| {
        AuthorityError::Unknown("authority of our own: create one with `medcredit certs init`".into())
    })?;
    // Looked at here and not only by verifiers: a certificate of an authority that has ended is refused by everybody.
    let authority = CertificateFacts::read(&own.certificate)
        .map_err(|error| AuthorityError::Certificate(own.name.clone(), error))?;
    if authority.not_after <= now {
        return Err(AuthorityError::Conflict(format!("our authority ended at {}", authority.not_after)));
    }
    let parameters = profile.parameters(request.values, now, Some(authority.not_after), &*custody.env.entropy)?;
    // Dropped with this function: the authority's key is in memory only while it signs.
    let key = local_ca::open_key(&mut tx, custody, &own.certificate).await?;
    let issuer = local_ca::issuer(&own, &key)?;
    let making = |error| AuthorityError::Create("the certificate", error);
    let certificate = match (request.signing_request, new_key) {
        (Some(der), _) => {
            // Parsing verifies the signature, which proves that the requester has the private key.
            let signing_request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
                .map_err(|error| {
                AuthorityError::Invalid(format!("the certificate request cannot be used: {error}"))
            })?;
            parameters.signed_by(&signing_request.public_key, &issuer).map_err(making)?
        }
        (None, Some(key)) => parameters.signed_by(&key.public, &issuer).map_err(making)?,
        (None, None) => return Err(AuthorityError::Invalid("there is no key to certify".into())),
    };
    let name = request.profile.as_str();
    let unusable = |error| AuthorityError::Certificate(name.to_owned(), error);
    // Read back from what was signed: the row holds what verifiers see, and a weak key of a request is refused here.
    let facts = CertificateFacts::read(certificate.der()).map_err(unusable)?;
    facts.check_strength().map_err(unusable)?;
    let id = CertificateId::new(&*custody.env.clock, &*custody.env.entropy);
    let row = CertificateRow {
        id: id.to_string(),
        authority_id: own.id.clone(),
        serial: facts.serial.clone(),
        thumbprint: facts.thumbprint.clone(),
        profile: name.into(),
        subject: facts.subject.clone(),
        certificate: certificate.der().to_vec(),
        not_before_at: facts.not_before.micros(),
        not_after_at: facts.not_after.micros(),
        issued_at: now.micros(),
        revoked_at: None,
        revocation_reason: None,
    };
    // Stored before the caller gets it: a certificate that the store does not know could never be revoked by its serial
    // number.
    certificates::insert(&mut tx, &row).await.map_err(AuthorityError::Store)?;
    let detail = json!({ "profile": name, "serial": row.serial, "subject": row.subject, "thumbprint": row.thumbprint });
    audit(&mut tx, custody, Action::CertificateIssued, &row.id, Change::of(detail)).await?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::info!(certificate.id = %id, kind = name, "a certificate was issued");
    Ok(Issued { id, facts, certificate: row.certificate, private_key: None })
}

/// A revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    pub id: String,
    /// The subject, RFC 4514.
    pub subject: String,
    /// The number of registered clients with this subject.
    pub clients: usize,
    /// The ledger entry.
    pub entry: EntryId,
}

/// Revokes a certificate of the local CA, given by id, serial number or thumbprint. The same transaction signs a
/// new list and ends the running responses of its client.
pub async fn revoke(custody: &Custody, name: &str, reason: &str) -> Result<Revoked, AuthorityError> {
    // Checked first: a reason that is not in the table would make every later list fail.
    if !local_ca::REASONS.iter().any(|(name, _)| *name == reason) {
        let names: Vec<&str> = local_ca::REASONS.iter().map(|(name, _)| *name).collect();
        return Err(AuthorityError::Invalid(format!("{reason:?} is not a reason: use {}", names.join(", "))));
    }
    let mut tx = custody.env.db.begin("authority::revoke").await.map_err(AuthorityError::Store)?;
    // The lock comes first: lists are numbered in the order of revocations.
    let own = authorities::lock_own(&mut tx).await.map_err(AuthorityError::Store)?;
    let own = own.ok_or_else(|| AuthorityError::Unknown("authority of our own".into()))?;
    let mut found = certificates::find_in(&mut tx, name).await.map_err(AuthorityError::Store)?;
    let row = match found.len() {
        1 => found.remove(0),
        0 => return Err(AuthorityError::Unknown(format!("certificate {name}"))),
        _ => return Err(AuthorityError::Conflict(format!("{name} names more than one certificate"))),
    };
    // A second revocation must not change the time or the reason that lists have already published.
    let revoked = certificates::revoke(&mut tx, &row.id, reason, custody.env.clock.now()).await;
    if !revoked.map_err(AuthorityError::Store)? {
        return Err(AuthorityError::Conflict(format!("certificate {} is already revoked", row.id)));
    }
    // After the revocation, which the new list must contain: of the authority that issued it, which may be a former one. One
    // that is trusted no more publishes nothing.
    let issuer = authorities::lock_in(&mut tx, &row.authority_id).await.map_err(AuthorityError::Store)?;
    if let Some(issuer) = issuer.filter(|issuer| issuer.removed_at.is_none()) {
        local_ca::publish_list(&mut tx, custody, &issuer).await?;
    }
    let detail = json!({ "serial": row.serial, "subject": row.subject, "thumbprint": row.thumbprint });
    let entered =
        audit(&mut tx, custody, Action::CertificateRevoked, &row.id, Change::of(detail).because(Some(reason)));
    let entry = entered.await?;
    // Clients of a former authority are registered under the present one.
    let concerned = AffectedClients::Identity(&own.id, &row.subject);
    // In this transaction, so that no answer of the client is recorded after the revocation commits (I2).
    let clients = authorities::invalidate_answers_of(&mut tx, concerned).await.map_err(AuthorityError::Store)?;
    // Gateways poll this number: it is what makes the new list effective on them within a second (I3).
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::warn!(certificate.id = %row.id, reason, "a certificate was revoked");
    Ok(Revoked { id: row.id, subject: row.subject, clients, entry })
}

/// Refuses a leaf or intermediate certificate, even if its authority has not revoked it. The SHA-256 thumbprint is
/// base64url, or hex with or without colons. It is unknown which clients use a certificate of another authority, so the
/// running responses of all clients end; clients with other certificates can repeat their requests.
pub async fn refuse(custody: &Custody, thumbprint: &str, reason: &str) -> Result<String, AuthorityError> {
    check_reason(reason)?;
    let thumbprint = canonical_thumbprint(thumbprint)?;
    let mut tx = custody.env.db.begin("authority::refuse").await.map_err(AuthorityError::Store)?;
    // An existing refusal keeps its reason, because the ledger already has it.
    let fresh = authorities::refuse(&mut tx, &thumbprint, reason, custody.env.clock.now()).await;
    if !fresh.map_err(AuthorityError::Store)? {
        return Err(AuthorityError::Conflict(format!("certificate {thumbprint} is already refused")));
    }
    let ours = certificates::find_in(&mut tx, &thumbprint).await.map_err(AuthorityError::Store)?;
    let own = authorities::find_own_in(&mut tx).await.map_err(AuthorityError::Store)?;
    let concerned = match (ours.first(), &own) {
        (Some(row), Some(own)) => AffectedClients::Identity(&own.id, &row.subject),
        _ => AffectedClients::All,
    };
    // As in `revoke`: no answer over this certificate is recorded after the refusal commits (I2).
    authorities::invalidate_answers_of(&mut tx, concerned).await.map_err(AuthorityError::Store)?;
    let detail = json!({});
    audit(&mut tx, custody, Action::CertificateRefused, &thumbprint, Change::of(detail).because(Some(reason))).await?;
    // Without it other gateways would accept the certificate until another change (I3).
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::warn!(certificate.thumbprint = %thumbprint, "a certificate is refused from now on");
    Ok(thumbprint)
}

fn canonical_thumbprint(text: &str) -> Result<String, AuthorityError> {
    let plain: String = text.trim().chars().filter(|letter| *letter != ':').collect();
    let bytes = match plain.len() {
        64 => HEXLOWER_PERMISSIVE.decode(plain.as_bytes()).ok(),
        43 => BASE64URL_NOPAD.decode(plain.as_bytes()).ok(),
        _ => None,
    };
    let bytes = bytes.ok_or_else(|| {
        AuthorityError::Invalid(format!("{text:?} is not a SHA-256 thumbprint: 64 hex digits or 43 of base64url"))
    })?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// A certificate of the local CA, as operators see it.
#[derive(Debug, Clone)]
pub struct CertificateRecord {
    pub id: String,
    pub profile: String,
    /// The subject, RFC 4514.
    pub subject: String,
    /// The serial number, hex.
    pub serial: String,
    /// The thumbprint, base64url.
    pub thumbprint: String,
    /// The beginning of validity.
    pub not_before: Timestamp,
    /// The end of validity.
    pub not_after: Timestamp,
    /// The time and reason of revocation.
    pub revoked: Option<(Timestamp, String)>,
}

/// Lists the issued certificates, oldest first.
pub async fn list(custody: &Custody) -> Result<Vec<CertificateRecord>, AuthorityError> {
    let rows = certificates::list(&custody.env.db).await.map_err(AuthorityError::Store)?;
    let record = |row: CertificateRow| CertificateRecord {
        id: row.id,
        profile: row.profile,
        subject: row.subject,
        serial: row.serial,
        thumbprint: row.thumbprint,
        not_before: Timestamp::from_micros(row.not_before_at),
        not_after: Timestamp::from_micros(row.not_after_at),
        revoked: row.revoked_at.map(Timestamp::from_micros).zip(row.revocation_reason),
    };
    Ok(rows.into_iter().map(record).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_parsed_in_each_of_its_forms() {
        let hex = "2E:7D:2C:03:A9:50:7A:E2:65:EC:F5:B5:35:68:85:A5:33:93:A2:02:9D:24:13:94:99:72:65:A1:A2:5A:EF:C6";
        let text = canonical_thumbprint(hex).unwrap();
        assert_eq!(canonical_thumbprint(&hex.replace(':', "").to_lowercase()).unwrap(), text);
        assert_eq!(canonical_thumbprint(&text).unwrap(), text);
        assert!(canonical_thumbprint("abc").is_err());
        assert!(canonical_thumbprint(&"g".repeat(64)).is_err());
    }
}
