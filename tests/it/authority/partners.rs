//! Partners' authorities: which ones can be trusted, and the end of the trust.

use std::path::PathBuf;

use medcredit::{
    authority::{AuthorityError, files, partners},
    domain::Timestamp,
    identity::RevocationList,
};

use super::{custody, epoch, init, register};
use crate::support::{
    TestStore, both_engines,
    pki::{DAY, NOW, TestCa},
};

fn write(directory: &tempfile::TempDir, name: &str, lists: &[RevocationList]) -> PathBuf {
    let path = directory.path().join(name);
    let text: String = lists.iter().map(|list| files::to_pem(files::REVOCATION_LIST, list.der()).to_string()).collect();
    std::fs::write(&path, text).unwrap();
    path
}

fn is_invalid<T: std::fmt::Debug>(result: Result<T, AuthorityError>, says: &str) {
    match result {
        Err(AuthorityError::Invalid(text) | AuthorityError::Conflict(text)) => assert!(text.contains(says), "{text}"),
        other => panic!("{other:?}"),
    }
}

both_engines! {
    an_authority_is_trusted_with_its_list,
    a_list_must_be_current_and_signed_by_the_authority,
    only_a_valid_authority_is_trusted,
    no_certificate_may_have_two_owners,
    the_end_of_trust_ends_running_responses_of_its_banks,
}

async fn an_authority_is_trusted_with_its_list(store: TestStore) {
    // An operator who registers a partner CA, and later a new list file.
    let (custody, directory) = (custody(&store), tempfile::tempdir().unwrap());
    let ca = TestCa::root("Partner CA");
    let first = write(&directory, "first.crl", &[ca.list(&[])]);
    let id = partners::trust(&custody, "partner", &ca.certificate, &first).await.unwrap();
    let second = write(&directory, "second.crl", &[ca.list(&[])]);
    assert_eq!(partners::trust(&custody, "partner", &ca.certificate, &second).await.unwrap(), id);
    let known = partners::list(&custody).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].crl_file.as_deref(), second.to_str());
}

async fn a_list_must_be_current_and_signed_by_the_authority(store: TestStore) {
    // An operator with the wrong file.
    let (custody, directory) = (custody(&store), tempfile::tempdir().unwrap());
    let (ca, namesake, other) = (TestCa::root("CA"), TestCa::root("CA"), TestCa::root("Other"));
    let mut cases = vec![
        (vec![ca.list_of(NOW.minus(DAY * 8), NOW.minus(DAY), &[])], "stale"),
        (vec![ca.list_of(NOW.plus(DAY), NOW.plus(DAY * 2), &[])], "future"),
        (vec![namesake.list(&[])], "signature"),
        (vec![other.list(&[])], "of the authority itself"),
        (vec![ca.list(&[]), ca.list(&[7])], "of one issuer"),
        (Vec::new(), "contains no X509 CRL"),
    ];
    for (lists, says) in cases.drain(..) {
        let file = write(&directory, "list.crl", &lists);
        is_invalid(partners::trust(&custody, "partner", &ca.certificate, &file).await, says);
    }
    assert!(partners::list(&custody).await.unwrap().is_empty());
}

async fn only_a_valid_authority_is_trusted(store: TestStore) {
    // An operator with the wrong certificate.
    let (custody, directory) = (custody(&store), tempfile::tempdir().unwrap());
    let ca = TestCa::root("CA");
    let file = write(&directory, "list.crl", &[ca.list(&[])]);
    let bank = ca.bank("bank-a", 7);
    is_invalid(partners::trust(&custody, "partner", &bank.chain[0], &file).await, "not an authority");
    let long_after: Timestamp = NOW.plus(DAY * 4000);
    store.clock.set(long_after);
    is_invalid(partners::trust(&custody, "partner", &ca.certificate, &file).await, "valid from");
}

async fn no_certificate_may_have_two_owners(store: TestStore) {
    // An operator who registers one PKI twice, in each possible way.
    let (custody, directory) = (custody(&store), tempfile::tempdir().unwrap());
    init(&custody).await;
    let root = TestCa::root("Root");
    let issuing = root.intermediate("Issuing", 9);
    let of_root = write(&directory, "root.crl", &[root.list(&[])]);
    let of_issuing = write(&directory, "issuing.crl", &[issuing.list(&[])]);
    partners::trust(&custody, "root", &root.certificate, &of_root).await.unwrap();
    is_invalid(partners::trust(&custody, "again", &root.certificate, &of_root).await, "same key");
    let below = partners::trust(&custody, "issuing", &issuing.certificate, &of_issuing).await;
    is_invalid(below, "issued one another");
    partners::distrust(&custody, "root", "test").await.unwrap();
    partners::trust(&custody, "issuing", &issuing.certificate, &of_issuing).await.unwrap();
    is_invalid(partners::trust(&custody, "root", &root.certificate, &of_root).await, "issued one another");
    is_invalid(partners::trust(&custody, "issuing", &root.certificate, &of_root).await, "belongs to");
}

async fn the_end_of_trust_ends_running_responses_of_its_banks(store: TestStore) {
    // The banks of a removed authority, and others.
    let (custody, directory) = (custody(&store), tempfile::tempdir().unwrap());
    let own = init(&custody).await.id.to_string();
    let ca = TestCa::root("CA");
    let file = write(&directory, "list.crl", &[ca.list(&[])]);
    let id = partners::trust(&custody, "partner", &ca.certificate, &file).await.unwrap().to_string();
    register(&store, "cli_a", &id, "CN=bank-a").await;
    register(&store, "cli_b", &id, "CN=bank-b").await;
    register(&store, "cli_c", &own, "CN=bank-a").await;
    assert_eq!(partners::distrust(&custody, "partner", "test").await.unwrap(), 2);
    assert_eq!(epoch(&store, "cli_a").await, 2);
    assert_eq!(epoch(&store, "cli_b").await, 2);
    assert_eq!(epoch(&store, "cli_c").await, 1);
    assert!(matches!(partners::distrust(&custody, "partner", "test").await, Err(AuthorityError::Conflict(_))));
    assert!(matches!(partners::distrust(&custody, "nobody", "test").await, Err(AuthorityError::Unknown(_))));
}
