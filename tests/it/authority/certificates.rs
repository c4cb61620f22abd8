//! The local CA: certificates that it issues and revokes.

use std::time::Duration;

use medcredit::{
    authority::{AuthorityError, ProfileName, certificates as issuing, local_ca, partners, server},
    domain::Clock as _,
    identity::{CertificateFacts, PublicKey, RevocationList, certificate::is_signed_by},
    store::authorities,
};
use rustls::pki_types::CertificateDer;

use super::{acts, change, custody, epoch, init, issue, profile_values, register};
use crate::support::{TestStore, both_engines};

async fn own_list(store: &TestStore) -> (RevocationList, CertificateDer<'static>) {
    let own = authorities::find_own(&store.db).await.unwrap().unwrap();
    (RevocationList::read(&own.crl.unwrap()).unwrap(), own.certificate.into())
}

both_engines! {
    an_authority_is_created_once_with_a_list,
    a_banks_certificate_is_issued_with_a_new_key,
    a_signing_request_is_certified_under_the_subject_of_the_operator,
    an_authority_issues_no_authorities_and_nothing_that_outlives_it,
    a_revoked_certificate_is_listed_immediately_and_ends_running_responses,
    a_refused_certificate_ends_the_responses_of_clients_that_may_use_it,
    a_list_is_renewed_at_half_its_validity,
    an_expired_certificate_leaves_the_list,
    our_own_authority_cannot_be_removed,
    a_server_key_opens_only_with_its_own_certificate,
}

async fn an_authority_is_created_once_with_a_list(store: TestStore) {
    // An operator who sets a gateway up.
    let custody = custody(&store);
    let made = init(&custody).await;
    assert_eq!(made.facts.subject, "CN=示范 issuing CA,O=示范,C=CN");
    assert!(made.facts.is_authority && is_signed_by(&made.certificate, &made.certificate));
    let (list, certificate) = own_list(&store).await;
    list.check(&certificate, store.clock.now()).unwrap();
    assert_eq!(list.revoked, 0);
    let again = local_ca::init(&custody, "other", &profile_values("other", &[])).await;
    assert!(matches!(again, Err(AuthorityError::Conflict(_))));
}

async fn a_banks_certificate_is_issued_with_a_new_key(store: TestStore) {
    // An operator who creates key and certificate for a bank.
    let custody = custody(&store);
    let made = init(&custody).await;
    let issued = issue(&custody, ProfileName::BankClient, "bank-a").await;
    assert!(is_signed_by(&issued.certificate, &made.certificate));
    assert_eq!(issued.facts.subject, "CN=bank-a,O=示范,C=CN");
    assert!(issued.facts.client_authentication && !issued.facts.server_authentication);
    assert!(!issued.facts.is_authority);
    assert!(issued.private_key.is_some());
    let listed = issuing::list(&custody).await.unwrap();
    assert_eq!(listed[0].thumbprint, issued.facts.thumbprint);
}

async fn a_signing_request_is_certified_under_the_subject_of_the_operator(store: TestStore) {
    // A bank with its own key, whose request has another bank's name.
    let custody = custody(&store);
    init(&custody).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut asked = rcgen::CertificateParams::default();
    asked.distinguished_name.push(rcgen::DnType::CommonName, "another bank");
    let der = asked.serialize_request(&key).unwrap().der().to_vec();
    let profile_values = profile_values("bank-a", &[]);
    let request = |der| issuing::Request {
        profile: ProfileName::BankClient,
        values: &profile_values,
        signing_request: Some(der),
    };
    let issued = issuing::issue(&custody, &request(&der)).await.unwrap();
    assert_eq!(issued.facts.subject, "CN=bank-a,O=示范,C=CN");
    assert!(issued.private_key.is_none());
    assert_eq!(PublicKey::from_any_der(&issued.facts.public_key_der).unwrap().raw(), &key.public_key_raw()[1..]);
    // The requester must have the key: the signature of the request proves it.
    let mut forged = der.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(matches!(issuing::issue(&custody, &request(&forged)).await, Err(AuthorityError::Invalid(_))));
}

async fn an_authority_issues_no_authorities_and_nothing_that_outlives_it(store: TestStore) {
    // An operator who requests certificates that the authority must not issue.
    let custody = custody(&store);
    let made = init(&custody).await;
    let profile_values = profile_values("sub", &[]);
    let request = issuing::Request { profile: ProfileName::Ca, values: &profile_values, signing_request: None };
    assert!(matches!(issuing::issue(&custody, &request).await, Err(AuthorityError::Invalid(_))));
    store.clock.set(made.facts.not_after.minus(Duration::from_hours(24)));
    let late = issue(&custody, ProfileName::BankClient, "late").await;
    assert_eq!(late.facts.not_after, made.facts.not_after);
    store.clock.advance(Duration::from_hours(25));
    let request = issuing::Request { profile: ProfileName::BankClient, ..request };
    assert!(matches!(issuing::issue(&custody, &request).await, Err(AuthorityError::Conflict(_))));
}

async fn a_revoked_certificate_is_listed_immediately_and_ends_running_responses(store: TestStore) {
    // A bank whose key leaked, and another bank (I2, I3).
    let custody = custody(&store);
    let own = init(&custody).await.id.to_string();
    let leaked = issue(&custody, ProfileName::BankClient, "bank-a").await;
    let other = issue(&custody, ProfileName::BankClient, "bank-b").await;
    register(&store, "cli_a", &own, &leaked.facts.subject).await;
    register(&store, "cli_b", &own, &other.facts.subject).await;
    let before = change(&store).await;
    let revoked = issuing::revoke(&custody, &leaked.facts.serial, "keyCompromise").await.unwrap();
    assert_eq!(revoked.clients, 1);
    assert_eq!((epoch(&store, "cli_a").await, epoch(&store, "cli_b").await), (2, 1));
    assert!(change(&store).await > before);
    // The authority and its key, two certificates, one revocation.
    assert_eq!(acts(&store).await, 5, "each act is an entry of the ledger");
    let (list, certificate) = own_list(&store).await;
    list.check(&certificate, store.clock.now()).unwrap();
    assert_eq!(list.revoked, 1);
    let again = issuing::revoke(&custody, &revoked.id, "keyCompromise").await;
    assert!(matches!(again, Err(AuthorityError::Conflict(_))));
    let unknown = issuing::revoke(&custody, "crt_unknown", "keyCompromise").await;
    assert!(matches!(unknown, Err(AuthorityError::Unknown(_))));
    let unreasonable = issuing::revoke(&custody, &other.facts.serial, "because").await;
    assert!(matches!(unreasonable, Err(AuthorityError::Invalid(_))));
}

async fn a_refused_certificate_ends_the_responses_of_clients_that_may_use_it(store: TestStore) {
    // An operator who refuses a certificate before the partner's authority revokes it.
    let custody = custody(&store);
    let own = init(&custody).await.id.to_string();
    let ours = issue(&custody, ProfileName::BankClient, "bank-a").await;
    register(&store, "cli_a", &own, &ours.facts.subject).await;
    register(&store, "cli_b", &own, "CN=bank-b").await;
    issuing::refuse(&custody, &ours.facts.thumbprint, "stolen laptop").await.unwrap();
    assert_eq!((epoch(&store, "cli_a").await, epoch(&store, "cli_b").await), (2, 1));
    issuing::refuse(&custody, &"ab".repeat(32), "reported by telephone").await.unwrap();
    assert_eq!((epoch(&store, "cli_a").await, epoch(&store, "cli_b").await), (3, 2));
    let again = issuing::refuse(&custody, &"AB".repeat(32), "reported again").await;
    assert!(matches!(again, Err(AuthorityError::Conflict(_))));
}

async fn a_list_is_renewed_at_half_its_validity(store: TestStore) {
    // A gateway that runs for a day without an operator.
    let custody = custody(&store);
    init(&custody).await;
    let (first, _) = own_list(&store).await;
    assert!(!local_ca::renew_list(&custody).await.unwrap());
    store.clock.advance(Duration::from_hours(11));
    assert!(!local_ca::renew_list(&custody).await.unwrap());
    store.clock.advance(Duration::from_hours(1));
    let before = change(&store).await;
    assert!(local_ca::renew_list(&custody).await.unwrap());
    assert!(change(&store).await > before);
    let (second, _) = own_list(&store).await;
    assert_eq!(second.next_update, first.next_update.plus(Duration::from_hours(12)));
    let number = authorities::find_own(&store.db).await.unwrap().unwrap().crl_number;
    assert_eq!(number, 3, "every list has a higher number");
}

async fn an_expired_certificate_leaves_the_list(store: TestStore) {
    // A certificate revoked long ago.
    let custody = custody(&store);
    init(&custody).await;
    let issued = issue(&custody, ProfileName::BankClient, "bank-a").await;
    issuing::revoke(&custody, &issued.facts.serial, "superseded").await.unwrap();
    store.clock.set(issued.facts.not_after.plus(Duration::from_secs(1)));
    assert!(local_ca::renew_list(&custody).await.unwrap());
    assert_eq!(own_list(&store).await.0.revoked, 0);
}

async fn our_own_authority_cannot_be_removed(store: TestStore) {
    // An operator who mistakes a name.
    let custody = custody(&store);
    init(&custody).await;
    assert!(matches!(partners::distrust(&custody, "own", "test").await, Err(AuthorityError::Invalid(_))));
}

async fn a_server_key_opens_only_with_its_own_certificate(store: TestStore) {
    // An attacker who can write the directory of the server's files.
    let custody = custody(&store);
    init(&custody).await;
    let directory = tempfile::tempdir().unwrap();
    let files = server::ServerFiles {
        certificate: directory.path().join("server.crt"),
        key: directory.path().join("server.key"),
    };
    let write = |certificate: &issuing::Issued, key: &issuing::Issued, sealed_for: &CertificateFacts| {
        let pem = medcredit::authority::files::to_pem("CERTIFICATE", &certificate.certificate);
        std::fs::write(&files.certificate, pem.as_bytes()).unwrap();
        let sealed = server::seal(&custody.crypter, sealed_for, key.private_key.as_ref().unwrap()).unwrap();
        std::fs::write(&files.key, sealed.as_bytes()).unwrap();
    };
    let one = issue(&custody, ProfileName::Server, "one").await;
    let two = issue(&custody, ProfileName::Server, "two").await;
    let bank = issue(&custody, ProfileName::BankClient, "bank-a").await;
    let now = store.clock.now();
    write(&one, &one, &one.facts);
    server::load(&files, &custody.crypter, now).unwrap();
    assert!(matches!(
        server::load(&files, &custody.crypter, one.facts.not_after.plus(Duration::from_secs(1))),
        Err(AuthorityError::Invalid(_))
    ));
    write(&one, &two, &two.facts);
    assert!(matches!(server::load(&files, &custody.crypter, now), Err(AuthorityError::Crypter(_))));
    write(&one, &two, &one.facts);
    assert!(matches!(server::load(&files, &custody.crypter, now), Err(AuthorityError::Tls(_))));
    write(&bank, &bank, &bank.facts);
    assert!(matches!(server::load(&files, &custody.crypter, now), Err(AuthorityError::Invalid(_))));
}
