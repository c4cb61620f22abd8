//! The local CA, the gateway's own authority: creation, signatures, revocation lists.

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData,
    RevocationReason, RevokedCertParams, SerialNumber, SigningKey,
};
use rustls::pki_types::CertificateDer;
use serde_json::json;

use super::{
    AuthorityError, Custody, Profile, ProfileName, ProfileValues, Purpose,
    audit::{audit, check_reason},
    keys,
};
use crate::{
    domain::{Timestamp, ids::AuthorityId},
    identity::{CertificateFacts, KeyPair, Signer as _, Suite, suite},
    ledger::{Action, Change},
    store::{
        Tx,
        authorities::{self, AffectedClients, AuthorityRow, OwnList},
        certificates::{self, RevokedRow},
        changes,
        keys::{self as key_rows, KeyRow},
    },
};

/// The reasons of revocation, by their names in RFC 5280 section 5.3.1.
pub const REASONS: [(&str, RevocationReason); 6] = [
    ("unspecified", RevocationReason::Unspecified),
    ("keyCompromise", RevocationReason::KeyCompromise),
    ("affiliationChanged", RevocationReason::AffiliationChanged),
    ("superseded", RevocationReason::Superseded),
    ("cessationOfOperation", RevocationReason::CessationOfOperation),
    ("privilegeWithdrawn", RevocationReason::PrivilegeWithdrawn),
];

/// A new authority.
#[derive(Debug, Clone)]
pub struct CreatedAuthority {
    pub id: AuthorityId,
    /// The contents of its certificate.
    pub facts: CertificateFacts,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
}

/// Creates the local CA in one transaction: key, self-signed certificate and a first, empty revocation list.
pub async fn init(
    custody: &Custody,
    name: &str,
    profile_values: &ProfileValues,
) -> Result<CreatedAuthority, AuthorityError> {
    let now = custody.env.clock.now();
    let profile = Profile::read(custody.profiles.as_deref(), ProfileName::Ca)?;
    let mut tx = custody.env.db.begin("authority::init").await.map_err(AuthorityError::Store)?;
    if let Some(own) = authorities::find_own_in(&mut tx).await.map_err(AuthorityError::Store)? {
        return Err(AuthorityError::Conflict(format!(
            "there already is an authority of our own: {}; `medcredit certs roll` replaces it",
            own.name
        )));
    }
    // Its unique index also refuses a second authority that is created at the same time.
    keys::create_in(&mut tx, custody, Purpose::Authority).await?;
    let (facts, certificate) = self_sign(&mut tx, custody, &profile, profile_values).await?;
    let id = AuthorityId::new(&*custody.env.clock, &*custody.env.entropy);
    let mut row = AuthorityRow {
        id: id.to_string(),
        name: name.to_owned(),
        kind: "own".into(),
        certificate,
        crl_file: None,
        crl: None,
        // The first list gets the next number, 2; only the order of numbers matters.
        crl_number: 1,
        crl_this_update_at: None,
        crl_next_update_at: None,
        added_at: now.micros(),
        removed_at: None,
    };
    // An authority without a list proves nothing (T3), so it starts with an empty one.
    let key = open_key(&mut tx, custody, &row.certificate).await?;
    let list = sign_list(custody, &row, &key, &[], now)?;
    row.crl = Some(list.der);
    row.crl_number = list.number;
    row.crl_this_update_at = Some(list.this_update.micros());
    row.crl_next_update_at = Some(list.next_update.micros());
    let detail = json!({ "name": name, "subject": facts.subject, "thumbprint": facts.thumbprint });
    audit(&mut tx, custody, Action::AuthorityMade, &row.id, Change::of(detail)).await?;
    match authorities::insert(&mut tx, &row).await {
        Err(error) if error.is_constraint() => {
            return Err(AuthorityError::Conflict(format!("the name {name} is taken")));
        }
        other => other.map_err(AuthorityError::Store)?,
    }
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::info!(authority.id = %id, "our own authority was created");
    Ok(CreatedAuthority { id, facts, certificate: row.certificate })
}

/// Makes the self-signed certificate of the active authority key.
async fn self_sign(
    tx: &mut Tx,
    custody: &Custody,
    profile: &Profile,
    values: &ProfileValues,
) -> Result<(CertificateFacts, Vec<u8>), AuthorityError> {
    let row = key_rows::find_active_in(tx, Purpose::Authority.as_str()).await.map_err(AuthorityError::Store)?;
    let key = issuing_key(custody, &row.ok_or(AuthorityError::NoKey(Purpose::Authority))?)?;
    let parameters = profile.parameters(values, custody.env.clock.now(), None, &*custody.env.entropy)?;
    let certificate =
        parameters.self_signed(&key).map_err(|error| AuthorityError::Create("the authority's certificate", error))?;
    let facts = CertificateFacts::read(certificate.der())
        .map_err(|error| AuthorityError::Certificate("our own authority".into(), error))?;
    Ok((facts, certificate.der().to_vec()))
}

/// What becomes of the present authority when it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced<'a> {
    /// It stays trusted beside the new one, until an operator ends that.
    Trusted,
    /// Its key may be in other hands: all its certificates are refused immediately. With the reason.
    Compromised(&'a str),
}

/// Replaces the local CA by a new one, in one transaction. Banks stay registered: an identity of ours is the same under
/// both. Certificates of the former one remain valid until its trust ends, and its lists are signed until then. Returns
/// the new authority, and the name under which the former one is listed.
pub async fn roll(
    custody: &Custody,
    profile_values: &ProfileValues,
    replaced: Replaced<'_>,
) -> Result<(CreatedAuthority, String), AuthorityError> {
    let now = custody.env.clock.now();
    if let Replaced::Compromised(reason) = replaced {
        check_reason(reason)?;
    }
    let profile = Profile::read(custody.profiles.as_deref(), ProfileName::Ca)?;
    let mut tx = custody.env.db.begin("authority::roll").await.map_err(AuthorityError::Store)?;
    // Locked against revocations, which number the lists of the authority that they find here.
    let own = authorities::lock_own(&mut tx).await.map_err(AuthorityError::Store)?.ok_or_else(|| {
        AuthorityError::Unknown("authority of our own: create one with `medcredit certs init`".into())
    })?;
    let known = authorities::list_in(&mut tx).await.map_err(AuthorityError::Store)?;
    let formers = known.iter().filter(|row| row.kind == "former").count();
    let former_id = AuthorityId::new(&*custody.env.clock, &*custody.env.entropy);
    let former = AuthorityRow {
        id: former_id.to_string(),
        name: format!("{}-{}", own.name, formers + 1),
        kind: "former".into(),
        added_at: now.micros(),
        ..own.clone()
    };
    match authorities::insert(&mut tx, &former).await {
        Err(error) if error.is_constraint() => {
            return Err(AuthorityError::Conflict(format!("the name {} is taken", former.name)));
        }
        other => other.map_err(AuthorityError::Store)?,
    }
    certificates::move_to(&mut tx, &own.id, &former.id).await.map_err(AuthorityError::Store)?;
    // Retired, and not removed: it signs the lists of the former authority.
    key_rows::retire(&mut tx, Purpose::Authority.as_str(), now).await.map_err(AuthorityError::Store)?;
    keys::create_in(&mut tx, custody, Purpose::Authority).await?;
    let (facts, certificate) = self_sign(&mut tx, custody, &profile, profile_values).await?;
    let new = AuthorityRow { certificate, ..own };
    let key = open_key(&mut tx, custody, &new.certificate).await?;
    let list = sign_list(custody, &new, &key, &[], now)?;
    authorities::replace_own(&mut tx, &new.id, &new.certificate, &list).await.map_err(AuthorityError::Store)?;
    let detail = json!({
        "name": new.name, "subject": facts.subject, "thumbprint": facts.thumbprint, "replaces": former.name,
    });
    audit(&mut tx, custody, Action::AuthorityMade, &new.id, Change::of(detail)).await?;
    if let Replaced::Compromised(reason) = replaced {
        authorities::remove(&mut tx, &former.id, now).await.map_err(AuthorityError::Store)?;
        // In this transaction, so that no answer to a forged certificate is recorded after it commits (I2).
        let concerned = AffectedClients::Authority(&new.id);
        authorities::invalidate_answers_of(&mut tx, concerned).await.map_err(AuthorityError::Store)?;
        let change = Change::of(json!({ "name": former.name })).because(Some(reason));
        audit(&mut tx, custody, Action::AuthorityDistrusted, &former.id, change).await?;
    }
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::warn!(authority.id = %new.id, "our own authority was replaced");
    let id = new.id.parse().map_err(|error| AuthorityError::Corrupt(format!("authority {}: {error}", new.id)))?;
    Ok((CreatedAuthority { id, facts, certificate: new.certificate }, former.name))
}

/// Signs a new revocation list of each authority of ours, present and former, if half the validity of its current one is
/// over. Returns whether it signed any.
pub async fn renew_list(custody: &Custody) -> Result<bool, AuthorityError> {
    let now = custody.env.clock.now();
    let due = |row: &AuthorityRow| match row.crl_this_update_at.zip(row.crl_next_update_at) {
        Some((from, until)) => now.micros() >= from + (until - from) / 2,
        // Without a list every certificate of the authority is refused (T3), so one is due.
        None => true,
    };
    let mut renewed = false;
    // Looked at without a lock first: this runs twice a minute on every gateway, and a list is due only after hours.
    let seen = authorities::list_ours(&custody.env.db).await.map_err(AuthorityError::Store)?;
    for seen in seen.iter().filter(|row| due(row)) {
        let mut tx = custody.env.db.begin("authority::renew_list").await.map_err(AuthorityError::Store)?;
        // Locked, and its age judged again: two gateways must not sign two lists of one number.
        let locked = authorities::lock_in(&mut tx, &seen.id).await.map_err(AuthorityError::Store)?;
        let Some(own) = locked.filter(|row| row.removed_at.is_none() && due(row)) else {
            // Another gateway has signed one in the meantime.
            continue;
        };
        publish_list(&mut tx, custody, &own).await?;
        changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
        tx.commit().await.map_err(AuthorityError::Store)?;
        tracing::info!(authority.id = %own.id, "a new list of our own authority was signed");
        renewed = true;
    }
    Ok(renewed)
}

/// Signs a list of all revoked certificates, in the transaction that locked the local CA.
pub(super) async fn publish_list(tx: &mut Tx, custody: &Custody, own: &AuthorityRow) -> Result<(), AuthorityError> {
    let now = custody.env.clock.now();
    // Certificates that have expired are left out, so that the list does not grow for ever.
    let revoked = certificates::list_revoked(tx, &own.id, now).await.map_err(AuthorityError::Store)?;
    let key = open_key(tx, custody, &own.certificate).await?;
    let list = sign_list(custody, own, &key, &revoked, now)?;
    // The store takes only a higher number: a list that is not newer must never replace one with more revocations.
    if authorities::set_list(tx, &own.id, &list).await.map_err(AuthorityError::Store)? {
        Ok(())
    } else {
        Err(AuthorityError::Conflict("there already is a later revocation list".into()))
    }
}

fn sign_list(
    custody: &Custody,
    own: &AuthorityRow,
    key: &IssuingKey,
    revoked: &[RevokedRow],
    now: Timestamp,
) -> Result<OwnList, AuthorityError> {
    let number = own.crl_number + 1;
    let next_update = now.plus(custody.list_life);
    let parameters = CertificateRevocationListParams {
        this_update: now.to_utc(),
        next_update: next_update.to_utc(),
        // Infallible: the number starts at one and grows.
        crl_number: SerialNumber::from(u64::try_from(number).unwrap_or_default()),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect::<Result<_, _>>()?,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let signed = parameters
        .signed_by(&issuer(own, key)?)
        .map_err(|error| AuthorityError::Create("the revocation list", error))?;
    // The times in a list have whole seconds.
    // With microseconds in the row, `check_not_before` would refuse the list as older than the newest one.
    let whole = |at: Timestamp| Timestamp::from_seconds(at.seconds());
    Ok(OwnList { der: signed.der().to_vec(), number, this_update: whole(now), next_update: whole(next_update) })
}

fn entry(row: &RevokedRow) -> Result<RevokedCertParams, AuthorityError> {
    let corrupt = || AuthorityError::Corrupt(format!("the revoked certificate {} cannot be listed", row.serial));
    // The store has serial numbers without leading zeros; bytes need two digits each.
    let even = if row.serial.len().is_multiple_of(2) { row.serial.clone() } else { format!("0{}", row.serial) };
    let serial = data_encoding::HEXLOWER.decode(even.as_bytes()).map_err(|_| corrupt())?;
    let (_, reason) = REASONS.into_iter().find(|(name, _)| *name == row.revocation_reason).ok_or_else(corrupt)?;
    Ok(RevokedCertParams {
        serial_number: SerialNumber::from_slice(&serial),
        revocation_time: Timestamp::from_micros(row.revoked_at).to_utc(),
        // RFC 5280 section 5.3.1: the reason unspecified is expressed by omitting the reason code.
        reason_code: (reason != RevocationReason::Unspecified).then_some(reason),
        invalidity_date: None,
    })
}

/// The local CA as an issuer.
pub(super) fn issuer<'a>(
    own: &AuthorityRow,
    key: &'a IssuingKey,
) -> Result<Issuer<'static, &'a IssuingKey>, AuthorityError> {
    Issuer::from_ca_cert_der(&CertificateDer::from(own.certificate.as_slice()), key)
        .map_err(|error| AuthorityError::Create("a signature of our authority", error))
}

/// Opens the key of one of our authorities, by its certificate. Callers drop it right after they signed.
pub(super) async fn open_key(tx: &mut Tx, custody: &Custody, certificate: &[u8]) -> Result<IssuingKey, AuthorityError> {
    let facts = CertificateFacts::read(certificate)
        .map_err(|error| AuthorityError::Certificate("our own authority".into(), error))?;
    let rows = key_rows::list_in(tx).await.map_err(AuthorityError::Store)?;
    let row = rows.iter().find(|row| {
        row.purpose == Purpose::Authority.as_str() && row.public_key == facts.public_key_der && row.state != "revoked"
    });
    issuing_key(custody, row.ok_or(AuthorityError::NoKey(Purpose::Authority))?)
}

fn issuing_key(custody: &Custody, row: &KeyRow) -> Result<IssuingKey, AuthorityError> {
    let purpose = Purpose::Authority;
    let pair = KeyPair::from_pkcs8(purpose.suite(), &keys::open(custody, row)?)
        .map_err(|error| AuthorityError::Key(purpose, error))?;
    Ok(IssuingKey::new(pair))
}

/// Adapts a key pair to the certificate library, which never gets the private key.
#[derive(Debug)]
pub(super) struct IssuingKey {
    pair: KeyPair,
    /// The public key as in the bit string of a SubjectPublicKeyInfo.
    point: Vec<u8>,
}

impl IssuingKey {
    fn new(pair: KeyPair) -> Self {
        let raw = pair.public_key().raw();
        let point = match pair.suite() {
            // 4 marks an uncompressed point (SEC 1 section 2.3.3).
            Suite::Es256 => [&[4], raw].concat(),
            Suite::Ed25519 => raw.to_vec(),
        };
        Self { pair, point }
    }
}

impl PublicKeyData for IssuingKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.pair.suite() {
            Suite::Es256 => &PKCS_ECDSA_P256_SHA256,
            Suite::Ed25519 => &PKCS_ED25519,
        }
    }
}

impl SigningKey for IssuingKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        // The library's error for a key that it does not hold; it has none that would carry ours.
        let signature = self.pair.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(suite::x509_signature(self.pair.suite(), &signature))
    }
}
