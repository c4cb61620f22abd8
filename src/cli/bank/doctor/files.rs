//! The profile's files: certificate, key and authority, before anything is sent.

use std::{path::Path, time::Duration};

use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};

use super::Examination;
use crate::{
    authority::files,
    cli::{
        bank::{assertion::SigningKey, connection::tls_config},
        findings::mode_open_to_others,
    },
    identity::{CertificateFacts, certificate::is_signed_by, tls},
};

const DAY: Duration = Duration::from_hours(24);
/// A certificate with less of its lifetime left is worth a warning: issuing one takes a bank some weeks.
const RENEWAL: Duration = Duration::from_hours(24 * 30);

/// Checks the files, and returns the bank's certificate if all of them can be used.
pub(super) fn check(exam: &mut Examination<'_>) -> Option<CertificateFacts> {
    let own = certificate(exam);
    let fits = own.is_some() && key(exam);
    let ca = authority(exam);
    signing_key(exam);
    // The whole configuration, so that anything the checks above miss is reported here and not as a failed connection.
    if fits
        && ca
        && let Err(error) = tls_config(exam.profile, exam.ctx.clock.clone())
    {
        exam.findings.wrong("files", format!("{error:#}"));
        return None;
    }
    own.filter(|_| fits && ca)
}

fn certificate(exam: &mut Examination<'_>) -> Option<CertificateFacts> {
    let check = "certificate";
    let path = &exam.profile.certificate;
    let fix = "put the certificate your authority issued into the profile, PEM, your own first, then intermediates";
    let chain = match files::read_items(files::CERTIFICATE, path) {
        Ok(chain) => chain,
        Err(error) => {
            exam.findings.problem(check, error.to_string(), fix);
            return None;
        }
    };
    let read = chain.first().and_then(|der| CertificateFacts::read(der).ok());
    let Some(facts) = read else {
        exam.findings.problem(check, format!("{} is not a certificate that can be read", path.display()), fix);
        return None;
    };
    let now = exam.ctx.clock.now();
    let issue = "have a new one issued (`medcredit certs issue` at the bureau, or your own authority)";
    if !facts.client_authentication {
        exam.findings.problem(
            check,
            format!("{} lacks the extended key usage clientAuth", facts.subject),
            "have one issued for client authentication",
        );
        return None;
    }
    if facts.check_strength().is_err() {
        exam.findings.problem(check, "its key is too weak", "have one issued with P-256, or RSA of 2048 bits or more");
        return None;
    }
    if now < facts.not_before {
        exam.findings.problem(
            check,
            format!("it is valid from {}, and here it is {now}", facts.not_before),
            "if it was just issued, this machine's clock is slow: set it, and keep it by NTP",
        );
        return None;
    }
    if now > facts.not_after {
        exam.findings.problem(check, format!("it expired at {}, and here it is {now}", facts.not_after), issue);
        return None;
    }
    for (child, parent) in chain.iter().zip(chain.iter().skip(1)) {
        if !is_signed_by(child, parent) {
            exam.findings.problem(check, "a certificate of the chain was not issued by the next one in the file", fix);
            return None;
        }
    }
    let left = facts.not_after.since(now);
    let text = format!("{}, serial {}, for {} more days", facts.subject, facts.serial, left.as_secs() / DAY.as_secs());
    if left < RENEWAL {
        exam.findings.warning(check, text, issue);
    } else {
        exam.findings.good(check, text);
    }
    Some(facts)
}

/// Checks that the key exists and matches the certificate.
fn key(exam: &mut Examination<'_>) -> bool {
    let check = "key";
    let path = &exam.profile.key;
    let key = files::read_item(files::PRIVATE_KEY, path).ok();
    let Some(key) = key.and_then(|der| PrivateKeyDer::try_from(der.to_vec()).ok()) else {
        exam.findings.problem(
            check,
            format!("{} does not contain exactly one private key in PKCS#8 PEM", path.display()),
            "`openssl pkcs8 -topk8 -nocrypt -in KEY -out bank.key` converts another format",
        );
        return false;
    };
    let chain = files::read_items(files::CERTIFICATE, &exam.profile.certificate).unwrap_or_default();
    let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    match CertifiedKey::from_der(chain, key, &tls::provider()) {
        Ok(_) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            exam.findings.problem(
                check,
                format!("{} is not the key of {}", path.display(), exam.profile.certificate.display()),
                "put the key with which the certificate was requested into the profile",
            );
            return false;
        }
        Err(error) => {
            exam.findings.problem(check, error.to_string(), "use a P-256, Ed25519 or RSA key");
            return false;
        }
    }
    private(exam, check, path, "it matches the certificate");
    true
}

/// Reports whether other users of this machine can read a secret.
fn private(exam: &mut Examination<'_>, check: &'static str, path: &Path, text: &str) {
    match mode_open_to_others(path) {
        None => exam.findings.good(check, text),
        Some(mode) => exam.findings.warning(
            check,
            format!("{text}, and other users of this machine can read it (mode {mode:o})"),
            format!("chmod 600 {}", path.display()),
        ),
    }
}

fn authority(exam: &mut Examination<'_>) -> bool {
    let check = "ca";
    let path = &exam.profile.ca;
    let fix = "put the certificate of the authority that issued the gateway's certificate into the profile; ask the bureau for it";
    let read = match files::read_items(files::CERTIFICATE, path) {
        Ok(items) => items,
        Err(error) => {
            exam.findings.problem(check, error.to_string(), fix);
            return false;
        }
    };
    let facts: Option<Vec<_>> = read.iter().map(|der| CertificateFacts::read(der).ok()).collect();
    match facts {
        Some(facts) if facts.iter().all(|facts| facts.is_authority) => {
            let names: Vec<_> =
                facts.iter().map(|facts| format!("{} (SHA-256 {})", facts.subject, facts.thumbprint)).collect();
            exam.findings.good(check, names.join("; "));
            true
        }
        Some(_) => {
            exam.findings.problem(
                check,
                format!("{} contains a certificate that is not an authority's", path.display()),
                fix,
            );
            false
        }
        None => {
            exam.findings.problem(check, format!("{} contains no certificate that can be read", path.display()), fix);
            false
        }
    }
}

fn signing_key(exam: &mut Examination<'_>) {
    let Some(path) = exam.profile.signing_key.clone() else { return };
    match SigningKey::read(&path, None) {
        Ok(_) => private(exam, "signing key", &path, "it can sign"),
        Err(error) => exam.findings.problem(
            "signing key",
            format!("{error:#}"),
            "its public key must be the one the bureau registered for this bank",
        ),
    }
}
