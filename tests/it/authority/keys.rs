//! Private keys in the store, and the keyring that signs with them.

use medcredit::{
    authority::{AuthorityError, Keyring, Purpose, keys},
    identity::Verifier as _,
    store::Arg,
};

use super::{change, custody, custody_under};
use crate::support::{TestStore, both_engines};

both_engines! {
    missing_keys_are_created_once,
    a_rotated_key_signs_no_more_and_still_verifies,
    a_revoked_key_is_no_longer_published_and_an_active_one_is_replaced,
    a_private_key_opens_only_in_its_row_and_for_its_purpose,
    a_changed_public_key_is_detected,
    only_one_key_of_a_purpose_is_active,
    keys_are_sealed_again_under_a_new_key_encryption_key,
    no_debug_text_contains_a_private_key,
}

async fn missing_keys_are_created_once(store: TestStore) {
    // An operator who starts a gateway for the first time, twice.
    let custody = custody(&store);
    let before = change(&store).await;
    assert_eq!(keys::create_missing(&custody).await.unwrap().len(), 3);
    assert!(change(&store).await > before, "running gateways must learn of it");
    assert!(keys::create_missing(&custody).await.unwrap().is_empty());
    let keyring = Keyring::load(&custody).await.unwrap();
    for purpose in Purpose::SIGNING {
        let signer = keyring.signer(purpose).unwrap();
        let signature = signer.sign(b"message").unwrap();
        signer.public_key().verify(b"message", &signature).unwrap();
        assert_eq!(signer.suite(), purpose.suite());
    }
}

async fn a_rotated_key_signs_no_more_and_still_verifies(store: TestStore) {
    // An operator who rotates the key of responses, and a bank with an old response (negative test 31).
    let custody = custody(&store);
    keys::create_missing(&custody).await.unwrap();
    let old = Keyring::load(&custody).await.unwrap().signer(Purpose::AnswerSigning).unwrap();
    let signature = old.sign(b"answer").unwrap();
    let made = keys::rotate(&custody, Purpose::AnswerSigning).await.unwrap();
    let keyring = Keyring::load(&custody).await.unwrap();
    assert_eq!(keyring.signer(Purpose::AnswerSigning).unwrap().key_id(), made.kid);
    let published: Vec<_> = keyring.published(Purpose::AnswerSigning).collect();
    assert_eq!(published.len(), 2);
    let retired = published.iter().find(|key| key.public_key.key_id() == old.key_id()).unwrap();
    assert!(retired.retired_at.is_some());
    retired.public_key.verify(b"answer", &signature).unwrap();
    let kids: Vec<_> = keyring.jwks(&Purpose::SIGNING).into_iter().filter_map(|jwk| jwk.kid).collect();
    assert_eq!(kids.len(), 4);
}

async fn a_revoked_key_is_no_longer_published_and_an_active_one_is_replaced(store: TestStore) {
    // An operator who learns that a key leaked.
    let custody = custody(&store);
    let made = keys::create_missing(&custody).await.unwrap();
    let leaked = made.iter().find(|key| key.purpose == Purpose::TokenSigning).unwrap();
    let replacement = keys::revoke(&custody, leaked.id, "leaked").await.unwrap().unwrap();
    let keyring = Keyring::load(&custody).await.unwrap();
    let published: Vec<_> = keyring.published(Purpose::TokenSigning).map(|key| key.id).collect();
    assert_eq!(published, [replacement.id]);
    assert!(matches!(keys::revoke(&custody, leaked.id, "leaked").await, Err(AuthorityError::Conflict(_))));
}

async fn a_private_key_opens_only_in_its_row_and_for_its_purpose(store: TestStore) {
    // An attacker who can write the database, and swaps keys or changes their purposes.
    let custody = custody(&store);
    keys::create_missing(&custody).await.unwrap();
    let swap = "UPDATE keys SET sealed_private = (SELECT sealed_private FROM keys WHERE purpose = 'answer_signing')
            WHERE purpose = 'token_signing'";
    let relabel =
        "UPDATE keys SET purpose = CASE purpose WHEN 'token_signing' THEN 'answer_signing' ELSE 'token_signing' END
            WHERE purpose = 'answer_signing'";
    let clear = "DELETE FROM keys WHERE purpose = 'token_signing'";
    for statements in [vec![swap], vec![clear, relabel]] {
        let mut tx = store.db.begin("test").await.unwrap();
        for statement in statements {
            tx.execute(statement, vec![]).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert!(matches!(Keyring::load(&custody).await, Err(AuthorityError::Crypter(_))));
    }
}

async fn a_changed_public_key_is_detected(store: TestStore) {
    // An attacker who can write the database, and tries to publish another key.
    let custody = custody(&store);
    keys::create_missing(&custody).await.unwrap();
    let mut tx = store.db.begin("test").await.unwrap();
    let swap = "UPDATE keys SET public_key = (SELECT public_key FROM keys WHERE purpose = 'answer_signing')
            WHERE purpose = 'token_signing'";
    tx.execute(swap, vec![]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(Keyring::load(&custody).await, Err(AuthorityError::Corrupt(_))));
}

async fn only_one_key_of_a_purpose_is_active(store: TestStore) {
    // Two operators at the same time; the second insert conflicts with the first key.
    let custody = custody(&store);
    keys::create_missing(&custody).await.unwrap();
    let mut tx = store.db.begin("test").await.unwrap();
    let again = "INSERT INTO keys (id, purpose, suite, public_key, sealed_private, state, created_at)
            VALUES ('key_x', 'token_signing', 'ES256', $1, $1, 'active', 0)";
    assert!(tx.execute(again, vec![Arg::Bytes(vec![1])]).await.unwrap_err().is_constraint());
}

async fn keys_are_sealed_again_under_a_new_key_encryption_key(store: TestStore) {
    // An operator who changes the key-encryption key.
    let (old, both, new) = ([1; 32], [[2; 32], [1; 32]], [2; 32]);
    keys::create_missing(&custody_under(&store, &[old])).await.unwrap();
    assert!(Keyring::load(&custody_under(&store, &[new])).await.is_err());
    assert_eq!(keys::reseal(&custody_under(&store, &both)).await.unwrap(), 3);
    assert_eq!(keys::reseal(&custody_under(&store, &both)).await.unwrap(), 0);
    Keyring::load(&custody_under(&store, &[new])).await.unwrap();
}

async fn no_debug_text_contains_a_private_key(store: TestStore) {
    // A reader of logs (I8).
    let custody = custody(&store);
    keys::create_missing(&custody).await.unwrap();
    let shown = format!("{:?} {:?}", Keyring::load(&custody).await.unwrap(), custody.crypter);
    assert!(shown.contains("key_id"));
    for word in ["private", "sealed", "pkcs8"] {
        assert!(!shown.to_lowercase().contains(word), "{word}");
    }
}
