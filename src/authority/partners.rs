//! Adds and removes the trusted authorities of partners, with the files of their revocation lists.

use std::{collections::HashSet, path::Path};

use rustls::pki_types::CertificateDer;
use serde_json::json;

use super::{
    AuthorityError, Custody,
    audit::{audit, check_reason},
    partner_lists,
};
use crate::{
    domain::{Timestamp, ids::AuthorityId, printable::check_text},
    identity::{
        Anchor, CertificateFacts, PartnerTrust, RevocationList,
        certificate::{is_signed_by, thumbprint},
    },
    ledger::{Action, Change},
    store::{
        Db,
        authorities::{self, AffectedClients, AuthorityRow, RefusedRow},
        changes,
    },
};

/// The greatest length of an authority's name, in characters.
const LONGEST_NAME: usize = 100;

/// An authority, as operators see it.
#[derive(Debug, Clone)]
pub struct AuthorityRecord {
    pub id: AuthorityId,
    /// The authority under which its clients are registered: our present one for a former one, otherwise itself.
    pub identity: AuthorityId,
    pub name: String,
    /// `own`, `former` or `partner`.
    pub kind: String,
    /// The contents of its certificate.
    pub facts: CertificateFacts,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// A partner's file of revocation lists.
    pub crl_file: Option<String>,
    /// The local CA's current list, DER.
    pub crl: Option<Vec<u8>>,
    /// The time of issue of the newest list that was ever used.
    pub newest_list: Option<Timestamp>,
    /// The time of removal.
    pub removed_at: Option<Timestamp>,
}

/// Lists every authority that was ever trusted, in order of addition.
pub async fn list(custody: &Custody) -> Result<Vec<AuthorityRecord>, AuthorityError> {
    let rows = authorities::list(&custody.env.db).await.map_err(AuthorityError::Store)?;
    records(rows)
}

fn records(rows: Vec<AuthorityRow>) -> Result<Vec<AuthorityRecord>, AuthorityError> {
    let mut records = rows.into_iter().map(authority_record).collect::<Result<Vec<_>, _>>()?;
    let own = records.iter().find(|record| record.kind == "own" && record.removed_at.is_none()).map(|own| own.id);
    for record in records.iter_mut().filter(|record| record.kind == "former") {
        record.identity = own.unwrap_or(record.id);
    }
    Ok(records)
}

/// A certificate that an operator refuses, as operators see it.
#[derive(Debug, Clone)]
pub struct RefusedRecord {
    /// SHA-256 of the certificate, base64url.
    pub thumbprint: String,
    /// The operator's reason.
    pub reason: String,
    /// The time of the refusal.
    pub since: Timestamp,
}

/// Lists the certificates that operators refuse.
pub async fn list_refused(custody: &Custody) -> Result<Vec<RefusedRecord>, AuthorityError> {
    let rows = authorities::list_refused(&custody.env.db).await.map_err(AuthorityError::Store)?;
    let record = |row: RefusedRow| RefusedRecord {
        thumbprint: row.thumbprint,
        reason: row.reason,
        since: Timestamp::from_micros(row.refused_at),
    };
    Ok(rows.into_iter().map(record).collect())
}

/// Reads and checks a partner's file of revocation lists as a running gateway does.
pub fn read_lists(file: &Path, certificate: &[u8], now: Timestamp) -> Result<Vec<RevocationList>, String> {
    partner_lists::read(file, &owned(certificate), now)
}

/// Checks that a client with this chain, leaf first, would be accepted under one authority now: issued by it (or by the one
/// it replaced), for client authentication, valid, neither revoked nor refused. Returns the contents of the leaf.
pub async fn prove_client(
    db: &Db,
    authority: &AuthorityId,
    chain: &[CertificateDer<'static>],
    now: Timestamp,
) -> Result<CertificateFacts, AuthorityError> {
    let known = records(authorities::list(db).await.map_err(AuthorityError::Store)?)?;
    let mut anchors = Vec::new();
    for record in known.into_iter().filter(|known| known.identity == *authority && known.removed_at.is_none()) {
        let lists = match (&record.crl, &record.crl_file) {
            (Some(der), _) => RevocationList::read(der).map(|list| vec![list]),
            (None, Some(file)) => read_lists(Path::new(file), &record.certificate, now),
            (None, None) => Ok(Vec::new()),
        };
        let lists = lists.map_err(|why| AuthorityError::Invalid(format!("the lists of {}: {why}", record.name)))?;
        let certificate = owned(&record.certificate);
        anchors.push(Anchor { id: record.identity, name: record.name, certificate, lists });
    }
    let refused = authorities::list_refused(db).await.map_err(AuthorityError::Store)?;
    let refused = refused.into_iter().map(|row| row.thumbprint).collect();
    // The same verifier as in a handshake, with one authority: another one may have issued it to somebody else.
    let trust = PartnerTrust::new(0, anchors, refused).map_err(|error| AuthorityError::Invalid(error.to_string()))?;
    let unusable = |error| AuthorityError::Certificate("the client".into(), error);
    trust.check_chain(chain, now).map_err(unusable)?;
    let leaf = chain.first().ok_or_else(|| AuthorityError::Invalid("the chain is empty".into()))?;
    CertificateFacts::read(leaf).map_err(unusable)
}

fn authority_record(row: AuthorityRow) -> Result<AuthorityRecord, AuthorityError> {
    let id = row.id.parse().map_err(|error| AuthorityError::Corrupt(format!("authority {}: {error}", row.id)))?;
    let facts = CertificateFacts::read(&row.certificate)
        .map_err(|error| AuthorityError::Certificate(row.name.clone(), error))?;
    Ok(AuthorityRecord {
        id,
        identity: id,
        name: row.name,
        kind: row.kind,
        facts,
        certificate: row.certificate,
        crl_file: row.crl_file,
        crl: row.crl,
        newest_list: row.crl_this_update_at.map(Timestamp::from_micros),
        removed_at: row.removed_at.map(Timestamp::from_micros),
    })
}

/// Trusts a partner's authority, or sets a new list file for a trusted one. Certificate and file must be valid now; a
/// file that becomes invalid later only leaves the old lists in use.
pub async fn trust(
    custody: &Custody,
    name: &str,
    certificate: &[u8],
    crl_file: &Path,
) -> Result<AuthorityId, AuthorityError> {
    check_text(name, LONGEST_NAME)
        .map_err(|error| AuthorityError::Invalid(format!("the authority's name {name:?}: {}", error.0)))?;
    let now = custody.env.clock.now();
    // Stored as an absolute path: the gateway that reads it may run in another folder.
    let crl_file = std::path::absolute(crl_file).map_err(|source| AuthorityError::File {
        path: crl_file.to_owned(),
        verb: "read",
        source,
    })?;
    let path =
        crl_file.to_str().ok_or_else(|| AuthorityError::Invalid("the path of the list file is not UTF-8".into()))?;
    // Certificate and file are checked before the transaction begins: reading them may be slow.
    check_certificate(name, certificate, now)?;
    let lists = check_lists(&crl_file, certificate, now)?;
    let mut tx = custody.env.db.begin("authority::trust").await.map_err(AuthorityError::Store)?;
    let existing = authorities::list_in(&mut tx).await.map_err(AuthorityError::Store)?;
    let id = match existing.iter().find(|row| row.name == name) {
        Some(row) if row.certificate == certificate && row.kind == "partner" => {
            let others = existing.iter().filter(|other| other.id != row.id && other.removed_at.is_none());
            check_unrelated(certificate, others)?;
            // Trusting again must not bring back a list from before a revocation.
            let newest = row.crl_this_update_at.map(Timestamp::from_micros);
            partner_lists::check_not_before(&lists, &owned(certificate), newest).map_err(AuthorityError::Invalid)?;
            partner_lists::check_numbers(&mut tx, &row.id, &lists).await.map_err(AuthorityError::Invalid)?;
            authorities::set_file(&mut tx, &row.id, path).await.map_err(AuthorityError::Store)?;
            row.id.parse().map_err(|error| AuthorityError::Corrupt(format!("authority {}: {error}", row.id)))?
        }
        Some(_) => {
            return Err(AuthorityError::Conflict(format!(
                "the name {name} belongs to an authority with another certificate"
            )));
        }
        None => {
            check_unrelated(certificate, existing.iter().filter(|other| other.removed_at.is_none()))?;
            let id = AuthorityId::new(&*custody.env.clock, &*custody.env.entropy);
            let row = new_row(id, name, certificate, path, now);
            authorities::insert(&mut tx, &row).await.map_err(AuthorityError::Store)?;
            id
        }
    };
    // The TLS library must accept the authority now, before it becomes part of the trust.
    let anchor = Anchor { id, name: name.to_owned(), certificate: owned(certificate), lists };
    // Generation 0 is never used: this trust is built only to see whether it can be.
    PartnerTrust::new(0, vec![anchor], HashSet::new()).map_err(|error| AuthorityError::Invalid(error.to_string()))?;
    let detail = json!({ "name": name, "thumbprint": thumbprint(certificate) });
    let target = id.to_string();
    audit(&mut tx, custody, Action::AuthorityTrusted, &target, Change::of(detail)).await?;
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::info!(authority.id = %id, "a partner's authority is trusted");
    Ok(id)
}

/// Removes a partner's authority from the trust. Returns the number of its registered clients.
pub async fn distrust(custody: &Custody, name: &str, reason: &str) -> Result<usize, AuthorityError> {
    check_reason(reason)?;
    let mut tx = custody.env.db.begin("authority::distrust").await.map_err(AuthorityError::Store)?;
    let row = authorities::find_in(&mut tx, name).await.map_err(AuthorityError::Store)?;
    let row = row.ok_or_else(|| AuthorityError::Unknown(format!("authority {name}")))?;
    if row.kind == "own" {
        return Err(AuthorityError::Invalid(
            "our own authority cannot be removed while it issues: `medcredit certs roll` replaces it".into(),
        ));
    }
    if !authorities::remove(&mut tx, &row.id, custody.env.clock.now()).await.map_err(AuthorityError::Store)? {
        return Err(AuthorityError::Conflict(format!("authority {name} is already removed")));
    }
    // Answers in progress of its banks end too, or they could be recorded after the removal (I2). Those of a former
    // authority of ours are registered under the present one.
    let own = if row.kind == "former" {
        authorities::find_own_in(&mut tx).await.map_err(AuthorityError::Store)?
    } else {
        None
    };
    let concerned = AffectedClients::Authority(own.as_ref().map_or(&row.id, |own| &own.id));
    let clients = authorities::invalidate_answers_of(&mut tx, concerned).await.map_err(AuthorityError::Store)?;
    let detail = json!({ "name": name });
    audit(&mut tx, custody, Action::AuthorityDistrusted, &row.id, Change::of(detail).because(Some(reason))).await?;
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::warn!(authority.id = %row.id, "a partner's authority was removed from the trust");
    Ok(clients)
}

fn new_row(id: AuthorityId, name: &str, certificate: &[u8], crl_file: &str, now: Timestamp) -> AuthorityRow {
    AuthorityRow {
        id: id.to_string(),
        name: name.to_owned(),
        kind: "partner".into(),
        certificate: certificate.to_vec(),
        crl_file: Some(crl_file.to_owned()),
        crl: None,
        crl_number: 0,
        crl_this_update_at: None,
        crl_next_update_at: None,
        added_at: now.micros(),
        removed_at: None,
    }
}

fn owned(der: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from(der.to_vec())
}

fn check_certificate(name: &str, der: &[u8], now: Timestamp) -> Result<(), AuthorityError> {
    let unusable = |error| AuthorityError::Certificate(name.to_owned(), error);
    let facts = CertificateFacts::read(der).map_err(unusable)?;
    facts.check_strength().map_err(unusable)?;
    if !facts.is_authority {
        return Err(AuthorityError::Invalid(
            "the certificate is not an authority's: it may not issue certificates".into(),
        ));
    }
    if now < facts.not_before || facts.not_after < now {
        return Err(AuthorityError::Invalid(format!(
            "the certificate is valid from {} until {}",
            facts.not_before, facts.not_after
        )));
    }
    Ok(())
}

fn check_lists(file: &Path, certificate: &[u8], now: Timestamp) -> Result<Vec<RevocationList>, AuthorityError> {
    let invalid = |why: String| AuthorityError::Invalid(format!("{}: {why}", file.display()));
    let lists = partner_lists::read(file, &owned(certificate), now).map_err(invalid)?;
    match lists.iter().find(|list| list.is_stale(now)) {
        Some(stale) => Err(invalid(format!("a list has been stale since {}", stale.next_update))),
        None => Ok(lists),
    }
}

/// Checks that no certificate could verify under two authorities: the owner must not depend on the order of the trust.
fn check_unrelated<'a>(
    certificate: &[u8],
    others: impl Iterator<Item = &'a AuthorityRow>,
) -> Result<(), AuthorityError> {
    let unusable = |name: &str| {
        let name = name.to_owned();
        move |error| AuthorityError::Certificate(name, error)
    };
    let key = CertificateFacts::read(certificate).map_err(unusable("the new authority"))?.public_key_der;
    // The same key under two names would be two authorities for one certificate.
    for other in others {
        let facts = CertificateFacts::read(&other.certificate).map_err(unusable(&other.name))?;
        if facts.public_key_der == key {
            return Err(AuthorityError::Conflict(format!("authority {} has the same key", other.name)));
        }
        if is_signed_by(certificate, &other.certificate) || is_signed_by(&other.certificate, certificate) {
            return Err(AuthorityError::Conflict(format!(
                "this authority and {} issued one another: trust only one of them, or a certificate would have two owners",
                other.name
            )));
        }
    }
    Ok(())
}
