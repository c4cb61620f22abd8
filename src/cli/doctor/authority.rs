//! Keys and certificates: the gateway can sign, has a server certificate, and can verify the certificates of banks.

use std::{path::Path, sync::Arc};

use super::{Examination, Findings, origin};
use crate::{
    authority::{self, Custody, Keyring, Purpose, partners, partners::AuthorityRecord, server},
    cli::context::server_files,
    config::TlsFiles,
    domain::{SystemEntropy, Timestamp, error_chain},
    identity::{CertificateFacts, RevocationList, revocation::left_permille},
    store::{self, Env},
};

/// A certificate with less of its lifetime left, in thousandths, is worth a warning.
const CERTIFICATE_PERMILLE: i64 = 100;
/// A revocation list with less of its lifetime left, in thousandths, is worth a warning.
const LIST_PERMILLE: i64 = 250;

pub(super) async fn check(exam: &Examination, findings: &mut Findings) {
    // Earlier checks have reported a database or key that is missing.
    let (Some(db), Ok(crypter)) = (&exam.db, authority::crypter(&exam.config.secrets)) else { return };
    let (clock, settings) = (Arc::clone(&exam.clock), &exam.config.authority);
    let custody = Custody::new(Env::new(db.clone(), clock, Arc::new(SystemEntropy)), Arc::new(crypter), settings);
    keys(&custody, findings).await;
    sealing(exam, &custody, findings).await;
    let (partner, portal, console) = (&exam.config.partner, &exam.config.portal, &exam.config.console);
    let origin = &exam.config.gateway.public_origin;
    server_certificate("server certificate", partner.tls_files(), origin, &custody, findings);
    if portal.enabled && portal.tls_files(partner) != partner.tls_files() {
        server_certificate("portal certificate", portal.tls_files(partner), &portal.public_origin, &custody, findings);
    }
    if console.enabled && console.tls_files(partner) != partner.tls_files() {
        let files = console.tls_files(partner);
        server_certificate("console certificate", files, &console.public_origin, &custody, findings);
    }
    authorities(&custody, findings).await;
}

async fn keys(custody: &Custody, findings: &mut Findings) {
    let check = "keys";
    let keyring = match Keyring::load(custody).await {
        Ok(keyring) => keyring,
        Err(error) => return findings.wrong(check, error_chain(&error)),
    };
    let missing: Vec<_> = Purpose::SIGNING.into_iter().filter(|purpose| keyring.signer(*purpose).is_err()).collect();
    if missing.is_empty() {
        findings.good(check, "tokens, answers and the ledger each have one that signs");
    }
    for purpose in missing {
        findings.problem(check, format!("no {purpose} key"), "run `medcredit keys init`");
    }
}

/// Checks whether everything is sealed under the first key of the file, so that the others can be removed.
async fn sealing(exam: &Examination, custody: &Custody, findings: &mut Findings) {
    let check = "sealing";
    let Ok(rows) = store::keys::list(&custody.env.db).await else { return };
    // On this command's own copy: the gateways seal under the key of the newest private key.
    custody.crypter.seal_under_first();
    let keys = rows.iter().filter(|row| custody.crypter.is_outdated(&row.sealed_private)).count();
    let mut outdated: Vec<String> = (keys > 0).then(|| format!("{keys} private keys")).into_iter().collect();
    let secrets = store::operators::sealed_in(&custody.env.db).await.unwrap_or_default();
    let secrets = secrets.iter().filter(|row| custody.crypter.is_outdated(&row.sealed_totp)).count();
    outdated.extend((secrets > 0).then(|| format!("the secrets of {secrets} operators or invitations")));
    for server in server_files(&exam.config) {
        // A file that cannot be read is reported with its certificate.
        if let Ok(Some(true)) = server::is_outdated(&server.key, &custody.crypter) {
            outdated.push(server.key.display().to_string());
        }
    }
    if outdated.is_empty() {
        return findings.good(check, "private keys and key files are under the first key-encryption key");
    }
    findings.warning(
        check,
        format!("not under the first key-encryption key: {}", outdated.join(", ")),
        "run `medcredit keys reseal` before you remove a line of the file",
    );
}

fn server_certificate(
    check: &'static str,
    files: TlsFiles<'_>,
    origin: &str,
    custody: &Custody,
    findings: &mut Findings,
) {
    let files = server::ServerFiles { certificate: files.certificate.to_owned(), key: files.key.to_owned() };
    let now = custody.env.now();
    let certified = match server::load(&files, &custody.crypter, now) {
        Ok(certified) => certified,
        Err(error) => return findings.wrong(check, error_chain(&error)),
    };
    if let Ok(leaf) = certified.end_entity_cert() {
        origin::certificate(check, origin, leaf, findings);
    }
    let facts = certified.end_entity_cert().ok().and_then(|leaf| CertificateFacts::read(leaf).ok());
    let Some(facts) = facts else { return findings.wrong(check, "it cannot be read") };
    let text = format!("matches its key, valid until {}", facts.not_after);
    if left_permille(facts.not_before, facts.not_after, now) <= CERTIFICATE_PERMILLE {
        findings.warning(check, text, "issue a new one with `medcredit certs issue`");
    } else {
        findings.good(check, text);
    }
}

async fn authorities(custody: &Custody, findings: &mut Findings) {
    let check = "authorities";
    let now = custody.env.now();
    let known = match partners::list(custody).await {
        Ok(known) => known,
        Err(error) => return findings.wrong(check, error_chain(&error)),
    };
    let trusted: Vec<_> = known.into_iter().filter(|authority| authority.removed_at.is_none()).collect();
    if trusted.is_empty() {
        findings.warning(
            check,
            "none is trusted, so no bank can connect",
            "run `medcredit certs init` or `medcredit certs trust`",
        );
    }
    for authority in trusted {
        let name = &authority.name;
        match list_validity(&authority, now) {
            Err(why) => findings.caution(check, format!("{name}: its banks are refused: {why}")),
            Ok((_, until)) if until <= now => {
                findings.caution(
                    check,
                    format!("{name}: its banks are refused: its revocation list is stale since {until}"),
                );
            }
            Ok((from, until)) if left_permille(from, until, now) <= LIST_PERMILLE => {
                findings.caution(check, format!("{name}: its revocation list expires at {until}"));
            }
            Ok((_, until)) => findings.good(check, format!("{name}: its revocation list is valid until {until}")),
        }
    }
}

/// The validity of the revocation list that expires first: from, until.
fn list_validity(authority: &AuthorityRecord, now: Timestamp) -> Result<(Timestamp, Timestamp), String> {
    let lists = match (&authority.crl, &authority.crl_file) {
        (Some(der), _) => vec![RevocationList::read(der)?],
        (None, Some(file)) => partners::read_lists(Path::new(file), &authority.certificate, now)?,
        (None, None) => Vec::new(),
    };
    let first = lists.iter().min_by_key(|list| list.next_update);
    first.map(|list| (list.this_update, list.next_update)).ok_or_else(|| "it has no revocation list".to_owned())
}
