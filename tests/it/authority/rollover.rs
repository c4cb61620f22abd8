//! Our own authority is replaced: in order, with both trusted over an overlap, and after its key leaked.

use std::time::Duration;

use medcredit::{
    authority::{
        AuthorityError, ProfileName, certificates as issuing,
        local_ca::{self, Replaced},
        partners,
    },
    domain::Clock as _,
    identity::{CertificateFacts, IdentityError, certificate::is_signed_by},
};

use super::{custody, epoch, issue, profile_values, register, shown, tls_reload::GatewayFiles};
use crate::support::{TestStore, both_engines, pki::identify};

both_engines! {
    banks_keep_their_identity_when_our_authority_is_replaced,
    a_leaked_authority_is_replaced_and_its_certificates_are_refused,
}

async fn banks_keep_their_identity_when_our_authority_is_replaced(store: TestStore) {
    // A bank with a certificate of the former authority, which gets one of the new authority during the overlap.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let own = partners::list(&custody).await.unwrap().remove(0);
    let old = issue(&custody, ProfileName::BankClient, "bank-a").await;
    register(&store, "cli_a", &own.id.to_string(), &old.facts.subject).await;
    let reloader = files.start(&custody).await;
    let trust = || reloader.live().material().trust.clone();
    let connected = identify(trust(), &shown(&old), store.clock.now()).unwrap();
    let values = profile_values("示范 issuing CA 2", &[]);
    let (made, former) = local_ca::roll(&custody, &values, Replaced::Trusted).await.unwrap();
    assert_eq!(made.id, own.id, "the clients' registrations name it");
    assert_ne!(CertificateFacts::read(&made.certificate).unwrap().public_key_der, own.facts.public_key_der);
    let new = issue(&custody, ProfileName::BankClient, "bank-a").await;
    assert!(is_signed_by(&new.certificate, &made.certificate) && !is_signed_by(&old.certificate, &made.certificate));
    assert!(reloader.refresh().await.unwrap());
    let now = store.clock.now();
    connected.recheck(&trust(), now).unwrap();
    for certificate in [&old, &new] {
        let identity = identify(trust(), &shown(certificate), now).unwrap();
        assert_eq!((*identity.authority(), identity.subject()), (own.id, old.facts.subject.as_str()));
    }
    // Both authorities sign their lists, also when they are due.
    store.clock.advance(Duration::from_hours(13));
    assert!(local_ca::renew_list(&custody).await.unwrap());
    assert!(!local_ca::renew_list(&custody).await.unwrap());
    store.clock.advance(Duration::from_hours(11));
    reloader.refresh().await.unwrap();
    let now = store.clock.now();
    identify(trust(), &shown(&old), now).unwrap();
    // A certificate of the former authority is revoked on that authority's list, and its client's answers end.
    let lost = issuing::revoke(&custody, &old.facts.serial, "keyCompromise").await.unwrap();
    assert_eq!((lost.clients, epoch(&store, "cli_a").await), (1, 2));
    reloader.refresh().await.unwrap();
    assert_eq!(connected.recheck(&trust(), now), Err(IdentityError::Revoked));
    identify(trust(), &shown(&new), now).unwrap();
    // The overlap ends.
    assert_eq!(partners::distrust(&custody, &former, "all banks have new certificates").await.unwrap(), 1);
    reloader.refresh().await.unwrap();
    assert!(identify(trust(), &shown(&old), now).is_err());
    identify(trust(), &shown(&new), now).unwrap();
    let again = partners::distrust(&custody, "own", "a mistake").await;
    assert!(matches!(again, Err(AuthorityError::Invalid(_))));
    // A second replacement, with a former one that is trusted no more.
    local_ca::roll(&custody, &values, Replaced::Trusted).await.unwrap();
    reloader.refresh().await.unwrap();
    identify(trust(), &shown(&new), store.clock.now()).unwrap();
}

async fn a_leaked_authority_is_replaced_and_its_certificates_are_refused(store: TestStore) {
    // Somebody who has the authority's key and issues certificates in the name of banks.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let own = partners::list(&custody).await.unwrap().remove(0).id.to_string();
    let bank = issue(&custody, ProfileName::BankClient, "bank-a").await;
    register(&store, "cli_a", &own, &bank.facts.subject).await;
    let reloader = files.start(&custody).await;
    let connected = identify(reloader.live().material().trust.clone(), &shown(&bank), store.clock.now()).unwrap();
    let values = profile_values("示范 issuing CA", &[]);
    let unexplained = local_ca::roll(&custody, &values, Replaced::Compromised("")).await;
    assert!(matches!(unexplained, Err(AuthorityError::Invalid(_))));
    local_ca::roll(&custody, &values, Replaced::Compromised("its key leaked")).await.unwrap();
    assert_eq!(epoch(&store, "cli_a").await, 2, "answers in progress end");
    reloader.refresh().await.unwrap();
    let (trust, now) = (reloader.live().material().trust.clone(), store.clock.now());
    assert!(connected.recheck(&trust, now).is_err());
    assert!(identify(trust.clone(), &shown(&bank), now).is_err());
    let renewed = issue(&custody, ProfileName::BankClient, "bank-a").await;
    let identity = identify(trust, &shown(&renewed), now).unwrap();
    assert_eq!((identity.authority().to_string(), identity.subject()), (own, bank.facts.subject.as_str()));
    // A certificate that is refused anyway may still be revoked, for the record.
    issuing::revoke(&custody, &bank.facts.serial, "cessationOfOperation").await.unwrap();
    // Started again, as after the operator put the new server certificate in place.
    files.put_server(&custody, &issue(&custody, ProfileName::Server, "gateway").await);
    files.start(&custody).await;
    assert!(matches!(init_again(&custody).await, Err(AuthorityError::Conflict(_))));
}

async fn init_again(custody: &medcredit::authority::Custody) -> Result<local_ca::CreatedAuthority, AuthorityError> {
    local_ca::init(custody, "another", &profile_values("another", &[])).await
}
