//! Keys and certificates: the gateway can sign, can be recognised, and can recognise banks.

use std::{path::Path, sync::Arc};

use super::{Examination, Report};
use crate::{
    authority::{self, Custody, Keyring, Purpose, partners, partners::AuthorityRecord, server},
    config::TlsFiles,
    domain::{SystemEntropy, Timestamp},
    identity::{CertificateFacts, RevocationList, revocation::left_permille},
    store::Env,
};

/// Less than this of a certificate's or a list's life is worth a warning.
const CERTIFICATE_PERMILLE: i64 = 100;
const LIST_PERMILLE: i64 = 250;

pub(super) async fn check(exam: &Examination, report: &mut Report) {
    // What is missing here was told by the checks before.
    let (Some(db), Ok(crypter)) = (&exam.db, authority::crypter(&exam.config.secrets)) else { return };
    let (clock, settings) = (Arc::clone(&exam.clock), &exam.config.authority);
    let custody = Custody::new(Env::new(db.clone(), clock, Arc::new(SystemEntropy)), Arc::new(crypter), settings);
    keys(&custody, report).await;
    let (partner, portal) = (&exam.config.partner, &exam.config.portal);
    server_certificate("server certificate", partner.tls_files(), exam, &custody, report);
    if portal.enabled && portal.tls_files(partner) != partner.tls_files() {
        server_certificate("portal certificate", portal.tls_files(partner), exam, &custody, report);
    }
    authorities(&custody, report, exam.now()).await;
}

async fn keys(custody: &Custody, report: &mut Report) {
    let check = "keys";
    let keyring = match Keyring::load(custody).await {
        Ok(keyring) => keyring,
        Err(error) => return report.bad(check, told(error)),
    };
    let missing: Vec<_> = Purpose::SIGNING.into_iter().filter(|purpose| keyring.signer(*purpose).is_err()).collect();
    if missing.is_empty() {
        report.good(check, "tokens, answers and the ledger each have one that signs");
    }
    for purpose in missing {
        report.bad(check, format!("no {purpose} key: run `medcredit keys init`"));
    }
}

fn server_certificate(
    check: &'static str,
    files: TlsFiles<'_>,
    exam: &Examination,
    custody: &Custody,
    report: &mut Report,
) {
    let files = server::ServerFiles { certificate: files.certificate.to_owned(), key: files.key.to_owned() };
    let certified = match server::load(&files, &custody.crypter, exam.now()) {
        Ok(certified) => certified,
        Err(error) => return report.bad(check, told(error)),
    };
    let facts = certified.end_entity_cert().ok().and_then(|leaf| CertificateFacts::read(leaf).ok());
    let Some(facts) = facts else { return report.bad(check, "it cannot be read") };
    let text = format!("fits its key, until {}", facts.not_after);
    if left_permille(facts.not_before, facts.not_after, exam.now()) <= CERTIFICATE_PERMILLE {
        report.warning(check, format!("{text}: issue another one"));
    } else {
        report.good(check, text);
    }
}

async fn authorities(custody: &Custody, report: &mut Report, now: Timestamp) {
    let check = "authorities";
    let known = match partners::list(custody).await {
        Ok(known) => known,
        Err(error) => return report.bad(check, told(error)),
    };
    let trusted: Vec<_> = known.into_iter().filter(|authority| authority.removed_at.is_none()).collect();
    if trusted.is_empty() {
        report.warning(check, "none is trusted, so no bank can connect: run `medcredit certs init` or `certs trust`");
    }
    for authority in trusted {
        let name = &authority.name;
        match lists_of(&authority, now) {
            Err(why) => report.warning(check, format!("{name}: its banks are refused: {why}")),
            Ok((_, until)) if until <= now => {
                report.warning(
                    check,
                    format!("{name}: its banks are refused: its revocation list is stale since {until}"),
                );
            }
            Ok((from, until)) if left_permille(from, until, now) <= LIST_PERMILLE => {
                report.warning(check, format!("{name}: its revocation list runs out at {until}"));
            }
            Ok((_, until)) => report.good(check, format!("{name}: its revocation list is good until {until}")),
        }
    }
}

/// From when until when the list runs that is stale first.
fn lists_of(authority: &AuthorityRecord, now: Timestamp) -> Result<(Timestamp, Timestamp), String> {
    let lists = match (&authority.crl, &authority.crl_file) {
        (Some(der), _) => vec![RevocationList::read(der)?],
        (None, Some(file)) => partners::read_lists(Path::new(file), &authority.certificate, now)?,
        (None, None) => Vec::new(),
    };
    let first = lists.iter().min_by_key(|list| list.next_update);
    first.map(|list| (list.this_update, list.next_update)).ok_or_else(|| "it has no revocation list".to_owned())
}

fn told(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}
