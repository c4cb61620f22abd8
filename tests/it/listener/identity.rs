//! A bank's identity, by a handshake in memory (T2, T3, T4, T9; negative tests 2 to 9).

use std::{collections::HashSet, sync::Arc, time::Duration};

use medcredit::identity::{IdentityError, PartnerTrust};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{CertificateError, Error};

use crate::support::pki::{CertificateSpec, DAY, NOW, Refusal, TestCa, TestCertificate, identify, trust};

fn refused(trust: PartnerTrust, certificate: &TestCertificate) -> CertificateError {
    match identify(Arc::new(trust), certificate, NOW) {
        Err(Refusal::Handshake(Error::InvalidCertificate(error))) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_of_a_trusted_authority_is_an_identity() {
    // A bank of the first of two authorities.
    let (ours, other) = (TestCa::root("Bank CA"), TestCa::root("Other CA"));
    let bank = ours.bank("bank-a", 0x00ab_cdef);
    let trust = Arc::new(trust(1, vec![other.anchor(vec![other.list(&[])]), ours.anchor(vec![ours.list(&[])])]));
    let identity = identify(trust, &bank, NOW).unwrap();
    assert_eq!(*identity.authority(), ours.id);
    assert_eq!(identity.subject(), "CN=bank-a,C=CN");
    assert_eq!(identity.serial(), "abcdef");
    assert_eq!(identity.thumbprint().len(), 43);
    assert_eq!(identity.certificate_der(), bank.chain[0].as_ref());
    assert_eq!(identity.not_after(), NOW.plus(DAY * 90));
}

#[test]
fn the_same_names_of_another_authority_are_another_identity() {
    // Banks with the same subject, of two CAs with the same name.
    let (ours, namesake) = (TestCa::root("Bank CA"), TestCa::root("Bank CA"));
    let anchors = || vec![ours.anchor(vec![ours.list(&[])]), namesake.anchor(vec![namesake.list(&[])])];
    let bank = identify(Arc::new(trust(1, anchors())), &ours.bank("bank-a", 7), NOW).unwrap();
    let impostor = identify(Arc::new(trust(1, anchors())), &namesake.bank("bank-a", 7), NOW).unwrap();
    assert_eq!((bank.subject(), bank.serial()), (impostor.subject(), impostor.serial()));
    assert_eq!(*bank.authority(), ours.id);
    assert_eq!(*impostor.authority(), namesake.id);
    // Trust in one CA does not extend to the other.
    let only_ours = trust(1, vec![ours.anchor(vec![ours.list(&[])])]);
    assert_eq!(refused(only_ours, &namesake.bank("bank-a", 7)), CertificateError::UnknownIssuer);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    // A certificate of a public CA.
    let (ours, public) = (TestCa::root("Bank CA"), TestCa::root("Public CA"));
    let trust = trust(1, vec![ours.anchor(vec![ours.list(&[])])]);
    assert_eq!(refused(trust, &public.bank("bank-a", 7)), CertificateError::UnknownIssuer);
}

#[test]
fn a_certificate_outside_its_time_is_refused() {
    // A bank that forgot to renew, and one that is too early.
    let ca = TestCa::root("Bank CA");
    let trusted = || trust(1, vec![ca.anchor(vec![ca.list(&[])])]);
    let expired = ca
        .issue(&CertificateSpec { not_after: NOW.minus(Duration::from_secs(1)), ..CertificateSpec::bank("bank-a", 7) });
    let early = ca
        .issue(&CertificateSpec { not_before: NOW.plus(Duration::from_secs(1)), ..CertificateSpec::bank("bank-a", 8) });
    assert_eq!(refused(trusted(), &expired), CertificateError::Expired);
    assert_eq!(refused(trusted(), &early), CertificateError::NotValidYet);
}

#[test]
fn a_certificate_must_name_client_authentication() {
    // A web server's certificate, and one that names no purpose.
    let ca = TestCa::root("Bank CA");
    let trusted = || trust(1, vec![ca.anchor(vec![ca.list(&[])])]);
    for purposes in [vec![ExtendedKeyUsagePurpose::ServerAuth], Vec::new()] {
        let wrong = ca.issue(&CertificateSpec { purposes, ..CertificateSpec::bank("bank-a", 7) });
        assert_eq!(refused(trusted(), &wrong), CertificateError::InvalidPurpose);
    }
}

#[test]
fn a_revoked_leaf_or_intermediate_is_refused() {
    // A bank whose certificate was revoked; a bank whose issuing CA was.
    let root = TestCa::root("Bank root");
    let issuing = root.intermediate("Bank issuing CA", 9);
    let bank = issuing.bank("bank-a", 7);
    let with = |of_root: &[u64], of_issuing: &[u64]| {
        trust(1, vec![root.anchor(vec![root.list(of_root), issuing.list(of_issuing)])])
    };
    identify(Arc::new(with(&[], &[])), &bank, NOW).unwrap();
    assert_eq!(refused(with(&[], &[7]), &bank), CertificateError::Revoked);
    assert_eq!(refused(with(&[issuing.serial()], &[]), &bank), CertificateError::Revoked);
}

#[test]
fn a_missing_list_is_refused_for_leaf_and_intermediate() {
    // A bank of an authority that gave us no list, or only some.
    let root = TestCa::root("Bank root");
    let issuing = root.intermediate("Bank issuing CA", 9);
    let bank = issuing.bank("bank-a", 7);
    let with = |lists| trust(1, vec![root.anchor(lists)]);
    assert_eq!(refused(with(vec![root.list(&[])]), &bank), CertificateError::UnknownRevocationStatus);
    assert_eq!(refused(with(vec![issuing.list(&[])]), &bank), CertificateError::UnknownRevocationStatus);
    assert_eq!(refused(with(Vec::new()), &root.bank("bank-a", 8)), CertificateError::UnknownRevocationStatus);
}

#[test]
fn a_stale_list_stops_only_its_own_authoritys_banks() {
    // A bank of an authority that let its list go stale, and a bank of another.
    let (stale, fresh) = (TestCa::root("Stale CA"), TestCa::root("Fresh CA"));
    let old = stale.list_of(NOW.minus(DAY * 8), NOW.minus(DAY), &[]);
    let trusted = || trust(1, vec![stale.anchor(vec![old.clone()]), fresh.anchor(vec![fresh.list(&[])])]);
    assert_eq!(refused(trusted(), &stale.bank("bank-a", 7)), CertificateError::ExpiredRevocationList);
    identify(Arc::new(trusted()), &fresh.bank("bank-b", 7), NOW).unwrap();
}

#[test]
fn a_list_signed_by_a_namesake_proves_nothing() {
    // A bank whose authority's list was replaced by one of the same name and another key.
    let (ours, namesake) = (TestCa::root("Bank CA"), TestCa::root("Bank CA"));
    let forged = namesake.list(&[]);
    assert!(forged.check(&ours.certificate, NOW).unwrap_err().contains("signature"));
    let trust = trust(1, vec![ours.anchor(vec![forged])]);
    assert_eq!(refused(trust, &ours.bank("bank-a", 7)), CertificateError::UnknownRevocationStatus);
}

#[test]
fn a_list_is_checked_before_it_is_used() {
    // An operator who puts a list in place.
    let ca = TestCa::root("Bank CA");
    ca.list(&[]).check(&ca.certificate, NOW).unwrap();
    let stale = ca.list_of(NOW.minus(DAY * 8), NOW, &[]);
    assert!(stale.is_stale(NOW) && !ca.list(&[]).is_stale(NOW));
    let future = ca.list_of(NOW.plus(DAY), NOW.plus(DAY * 2), &[]);
    assert!(future.check(&ca.certificate, NOW).unwrap_err().contains("future"));
    let twice = PartnerTrust::new(1, vec![ca.anchor(vec![ca.list(&[]), ca.list(&[7])])], HashSet::new());
    assert!(twice.unwrap_err().to_string().contains("two lists"));
}

#[test]
fn a_certificate_that_an_operator_blocks_is_refused() {
    // A blocked certificate, and a blocked issuing CA.
    let root = TestCa::root("Bank root");
    let issuing = root.intermediate("Bank issuing CA", 9);
    let bank = issuing.bank("bank-a", 7);
    for refused in &bank.chain {
        let thumbprint = medcredit::identity::certificate::thumbprint(refused);
        let anchors = vec![root.anchor(vec![root.list(&[]), issuing.list(&[])])];
        let trust = PartnerTrust::new(1, anchors, HashSet::from([thumbprint])).unwrap();
        assert!(matches!(identify(Arc::new(trust), &bank, NOW), Err(Refusal::Handshake(_))));
    }
}

#[test]
fn an_open_connection_is_verified_under_current_trust() {
    // A bank whose connection stays open while its standing changes (T4).
    let root = TestCa::root("Bank root");
    let issuing = root.intermediate("Bank issuing CA", 9);
    let with = |generation, of_root: &[u64], of_issuing: &[u64]| {
        trust(generation, vec![root.anchor(vec![root.list(of_root), issuing.list(of_issuing)])])
    };
    let first = with(1, &[], &[]);
    let identity = identify(Arc::new(with(1, &[], &[])), &issuing.bank("bank-a", 7), NOW).unwrap();
    assert_eq!(identity.recheck(&first, NOW), Ok(()));
    assert_eq!(identity.recheck(&with(2, &[], &[7]), NOW), Err(IdentityError::Revoked));
    assert_eq!(identity.recheck(&with(3, &[9], &[]), NOW), Err(IdentityError::Revoked));
    assert_eq!(identity.recheck(&trust(4, Vec::new()), NOW), Err(IdentityError::UnknownAuthority));
    assert_eq!(identity.recheck(&with(5, &[], &[]), NOW), Ok(()));
    // Time alone: the lists last a week, the certificate ninety days.
    assert_eq!(identity.recheck(&first, NOW.plus(DAY * 8)), Err(IdentityError::RevocationStale));
    let late = NOW.plus(DAY * 91);
    let renewed = vec![root.list_of(late, late.plus(DAY), &[]), issuing.list_of(late, late.plus(DAY), &[])];
    assert_eq!(identity.recheck(&trust(6, vec![root.anchor(renewed)]), late), Err(IdentityError::Expired));
}

#[test]
fn a_list_reports_how_much_of_its_validity_is_left() {
    // An operator watching the metric.
    let ca = TestCa::root("Bank CA");
    let trusted = trust(1, vec![ca.anchor(vec![ca.list_of(NOW, NOW.plus(DAY * 4), &[])])]);
    let life = &trusted.lists()[0];
    assert_eq!(life.left_permille(NOW), 1000);
    assert_eq!(life.left_permille(NOW.plus(DAY * 3)), 250);
    assert_eq!(life.left_permille(NOW.plus(DAY * 5)), 0);
    assert_eq!(trust(1, vec![ca.anchor(Vec::new())]).lists()[0].left_permille(NOW), 0);
}
