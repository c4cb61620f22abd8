//! Revocations between two steps of a request in progress (I3).

use std::sync::Arc;

use medcredit::{
    authority::certificates,
    ledger::{Faults, Step},
};
use tokio::sync::Notify;

use super::fixture::{GatewayFixture, holds_no_data};
use crate::support::{TestStore, both_engines};

/// Holds every request at a step until it is released.
fn stopping_at(step: Step) -> (Faults, Arc<Notify>, Arc<Notify>) {
    let (reached, resume) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (at_step, wait) = (reached.clone(), resume.clone());
    let faults = Faults::new(move |at| {
        let (at_step, wait) = (at_step.clone(), wait.clone());
        async move {
            if at == step {
                at_step.notify_one();
                wait.notified().await;
            }
            Ok(())
        }
    });
    (faults, reached, resume)
}

both_engines! {
    a_certificate_revoked_behind_its_check_is_not_answered,
    a_certificate_revoked_on_the_way_to_the_record_is_not_answered,
}

/// A bank whose certificate is revoked after the listener has looked at it and before its token is: the gateway has
/// read the new epoch by then, so comparing epochs alone would find nothing.
async fn a_certificate_revoked_behind_its_check_is_not_answered(store: TestStore) {
    let (faults, reached, resume) = stopping_at(Step::Caller);
    let fixture = GatewayFixture::with(store, faults).await;
    let before = fixture.counts().await;
    let revoke = async {
        reached.notified().await;
        let thumbprint = medcredit::identity::CertificateFacts::read(&fixture.bank.certificate).unwrap().thumbprint;
        certificates::revoke(fixture.app.custody(), &thumbprint, "keyCompromise").await.unwrap();
        // Only the directory of clients, and not yet the trust in certificates: as when another request, whose record
        // was refused, has had the directory read again.
        fixture.app.app.access.catch_up().await.unwrap();
        resume.notify_one();
    };
    let (reply, ()) = tokio::join!(fixture.read(), revoke);
    assert_eq!(reply.refusal(), (401, "certificate_refused"));
    holds_no_data(&reply);
    assert_eq!(fixture.counts().await, before);
}

/// The same when it is revoked at any later step: the record is refused, and with it the answer.
async fn a_certificate_revoked_on_the_way_to_the_record_is_not_answered(store: TestStore) {
    let (faults, reached, resume) = stopping_at(Step::Append);
    let fixture = GatewayFixture::with(store, faults).await;
    let before = fixture.counts().await;
    let revoke = async {
        reached.notified().await;
        let thumbprint = medcredit::identity::CertificateFacts::read(&fixture.bank.certificate).unwrap().thumbprint;
        certificates::revoke(fixture.app.custody(), &thumbprint, "keyCompromise").await.unwrap();
        fixture.app.app.catch_up().await.unwrap();
        resume.notify_one();
    };
    let (reply, ()) = tokio::join!(fixture.read(), revoke);
    assert_eq!(reply.refusal(), (503, "state_moving"));
    holds_no_data(&reply);
    assert_eq!(fixture.counts().await, before);
}
