//! What is revoked between two steps of a request that is under way (I3).

use std::sync::Arc;

use medcredit::{
    authority::certificates,
    ledger::{Faults, Step},
};
use tokio::sync::Notify;

use super::world::{World, holds_no_data};
use crate::support::{TestStore, both_engines};

/// Stops every request at a step until it is let on.
fn stopping_at(step: Step) -> (Faults, Arc<Notify>, Arc<Notify>) {
    let (reached, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, wait) = (reached.clone(), go_on.clone());
    let faults = Faults::new(move |at| {
        let (told, wait) = (told.clone(), wait.clone());
        async move {
            if at == step {
                told.notify_one();
                wait.notified().await;
            }
            Ok(())
        }
    });
    (faults, reached, go_on)
}

both_engines! {
    a_certificate_revoked_behind_its_check_is_not_answered,
    a_certificate_revoked_on_the_way_to_the_record_is_not_answered,
}

/// A bank whose certificate is revoked after the listener has looked at it and before its token is: the gateway has
/// read the new epoch by then, so comparing epochs alone would find nothing.
async fn a_certificate_revoked_behind_its_check_is_not_answered(store: TestStore) {
    let (faults, reached, go_on) = stopping_at(Step::Caller);
    let world = World::with(store, faults).await;
    let before = world.held().await;
    let revoke = async {
        reached.notified().await;
        let thumbprint = medcredit::identity::CertificateFacts::read(&world.bank.certificate).unwrap().thumbprint;
        certificates::revoke(world.app.custody(), &thumbprint, "keyCompromise").await.unwrap();
        // Only the directory of clients, and not yet the trust in certificates: as when another request, whose record
        // was refused, has had the directory read again.
        world.app.app.access.catch_up().await.unwrap();
        go_on.notify_one();
    };
    let (reply, ()) = tokio::join!(world.read(), revoke);
    assert_eq!(reply.refusal(), (401, "certificate_refused"));
    holds_no_data(&reply);
    assert_eq!(world.held().await, before);
}

/// The same when it is revoked at any later step: the record is refused, and with it the answer.
async fn a_certificate_revoked_on_the_way_to_the_record_is_not_answered(store: TestStore) {
    let (faults, reached, go_on) = stopping_at(Step::Append);
    let world = World::with(store, faults).await;
    let before = world.held().await;
    let revoke = async {
        reached.notified().await;
        let thumbprint = medcredit::identity::CertificateFacts::read(&world.bank.certificate).unwrap().thumbprint;
        certificates::revoke(world.app.custody(), &thumbprint, "keyCompromise").await.unwrap();
        world.app.app.catch_up().await.unwrap();
        go_on.notify_one();
    };
    let (reply, ()) = tokio::join!(world.read(), revoke);
    assert_eq!(reply.refusal(), (503, "state_moving"));
    holds_no_data(&reply);
    assert_eq!(world.held().await, before);
}
