//! The next signing key: published before it signs, and for the log with signatures of both keys over an overlap.

use std::time::Duration;

use medcredit::{
    authority::{AuthorityError, Keyring, Purpose, keyring::COSIGNED_FOR, keys},
    identity::SharedSigner,
    merkle::{Checkpoint, NoteError, VerifierKey},
};

use super::custody;
use crate::support::{TestStore, app::TestApp, both_engines};

both_engines! {
    a_key_signs_only_after_everybody_can_have_fetched_it,
    a_revoked_key_is_replaced_by_the_published_one,
    checkpoints_have_both_signatures_over_an_overlap,
    the_key_set_is_cached_for_less_than_a_key_is_published_ahead,
}

async fn a_key_signs_only_after_everybody_can_have_fetched_it(store: TestStore) {
    // An operator who rotates, in order and too early.
    let custody = custody(&store);
    keys::create_missing(&custody).await.unwrap();
    for purpose in Purpose::SIGNING {
        let conflict = |result: Result<keys::CreatedKey, AuthorityError>, says: &str| {
            assert!(matches!(&result, Err(AuthorityError::Conflict(text)) if text.contains(says)), "{result:?}");
        };
        conflict(keys::activate(&custody, purpose).await, "is published: run `medcredit keys prepare");
        let old = Keyring::load(&custody).await.unwrap().signer(purpose).unwrap().key_id().to_owned();
        let next = keys::prepare(&custody, purpose).await.unwrap();
        conflict(keys::prepare(&custody, purpose).await, "is published already");
        let keyring = Keyring::load(&custody).await.unwrap();
        assert_eq!(keyring.signer(purpose).unwrap().key_id(), old);
        assert!(keyring.published(purpose).any(|key| key.id == next.id), "others can fetch it");
        store.clock.advance(keys::PUBLISHED_AHEAD - Duration::from_micros(1));
        conflict(keys::activate(&custody, purpose).await, "may sign from");
        store.clock.advance(Duration::from_micros(1));
        assert_eq!(keys::activate(&custody, purpose).await.unwrap(), next);
        let keyring = Keyring::load(&custody).await.unwrap();
        assert_eq!(keyring.signer(purpose).unwrap().key_id(), next.kid);
        assert_eq!(keyring.published(purpose).count(), 2);
    }
    assert!(keys::prepare(&custody, Purpose::Authority).await.is_err());
}

async fn a_revoked_key_is_replaced_by_the_published_one(store: TestStore) {
    // An operator whose key leaks while the next one is published: banks have that one already.
    let custody = custody(&store);
    let made = keys::create_missing(&custody).await.unwrap();
    let active = made.iter().find(|key| key.purpose == Purpose::AnswerSigning).unwrap();
    let next = keys::prepare(&custody, Purpose::AnswerSigning).await.unwrap();
    let replacement = keys::revoke(&custody, active.id, "leaked").await.unwrap().unwrap();
    assert_eq!(replacement, next);
    let unused = keys::prepare(&custody, Purpose::AnswerSigning).await.unwrap();
    assert_eq!(keys::revoke(&custody, unused.id, "not needed").await.unwrap(), None);
    let keyring = Keyring::load(&custody).await.unwrap();
    assert_eq!(keyring.signer(Purpose::AnswerSigning).unwrap().key_id(), next.kid);
    assert_eq!(keyring.published(Purpose::AnswerSigning).count(), 1);
}

/// The newest checkpoint, after everything that waits is sealed.
async fn sealed(app: &TestApp) -> String {
    app.app.catch_up().await.unwrap();
    app.app.sealer.seal_once().await.unwrap();
    app.app.log.checkpoint().await.unwrap().unwrap()
}

async fn checkpoints_have_both_signatures_over_an_overlap(store: TestStore) {
    // A newspaper that noted the log's key years ago, and one that notes it today.
    let app = TestApp::start(store).await;
    let origin = app.app.config.ledger.origin(&app.app.config.gateway.public_origin);
    let verifier =
        |signer: &SharedSigner| VerifierKey::new(&origin, signer.public_key().raw().try_into().unwrap()).unwrap();
    let signer = || app.app.keys.load().ledger.clone();
    let old = verifier(&signer());
    keys::prepare(app.custody(), Purpose::LedgerSigning).await.unwrap();
    let before = sealed(&app).await;
    Checkpoint::open(&before, std::slice::from_ref(&old)).unwrap();
    app.advance(keys::PUBLISHED_AHEAD).await;
    keys::activate(app.custody(), Purpose::LedgerSigning).await.unwrap();
    let during = sealed(&app).await;
    let new = verifier(&signer());
    assert_ne!(new, old);
    for known in [&old, &new] {
        Checkpoint::open(&during, std::slice::from_ref(known)).unwrap();
    }
    Checkpoint::open(&during, &[old.clone(), new.clone()]).unwrap();
    assert_eq!(during.matches("\u{2014} ").count(), 2, "{during}");
    // Each further round continues from a checkpoint with two signatures, and the overlap ends by itself.
    app.advance(COSIGNED_FOR).await;
    keys::prepare(app.custody(), Purpose::AnswerSigning).await.unwrap();
    let after = sealed(&app).await;
    Checkpoint::open(&after, std::slice::from_ref(&new)).unwrap();
    assert_eq!(Checkpoint::open(&after, std::slice::from_ref(&old)).unwrap_err(), NoteError::UnknownKey);
    // A revoked key cosigns nothing, also within the overlap.
    let leaked = keys::rotate(app.custody(), Purpose::LedgerSigning).await.unwrap();
    let both = sealed(&app).await;
    Checkpoint::open(&both, std::slice::from_ref(&new)).unwrap();
    keys::rotate(app.custody(), Purpose::LedgerSigning).await.unwrap();
    keys::revoke(app.custody(), leaked.id, "leaked").await.unwrap();
    app.app.catch_up().await.unwrap();
    let cosigners: Vec<String> =
        app.app.keys.load().cosigners.iter().map(|(_, signer)| signer.key_id().to_owned()).collect();
    assert!(cosigners.len() == 1 && !cosigners.contains(&leaked.kid), "{cosigners:?}");
    Checkpoint::open(&sealed(&app).await, std::slice::from_ref(&new)).unwrap();
}

async fn the_key_set_is_cached_for_less_than_a_key_is_published_ahead(store: TestStore) {
    // A bank's library that keeps the key set for as long as it may.
    let app = TestApp::start(store).await;
    let next = keys::prepare(app.custody(), Purpose::AnswerSigning).await.unwrap();
    app.app.catch_up().await.unwrap();
    let bank = app.bank("bank-a").await;
    let answer = bank.http.get(format!("{}/.well-known/jwks.json", app.origin)).send().await.unwrap();
    let cached = answer.headers()["cache-control"].to_str().unwrap().to_owned();
    let seconds: u64 = cached.rsplit('=').next().unwrap().parse().unwrap();
    assert!(2 * Duration::from_secs(seconds) <= keys::PUBLISHED_AHEAD, "{cached}");
    let set: serde_json::Value = answer.json().await.unwrap();
    let listed = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == next.kid.as_str()).unwrap();
    assert_eq!(listed["medcredit_purpose"], "answer_signing");
}
