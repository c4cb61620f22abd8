//! Transitions: every event in every state, each with its event row and its ledger entry (C1, C2).

use medcredit::{
    access,
    consent::{Amendment, Consent, ConsentEvent, ConsentState, Grant, SignedText},
    domain::Failure,
    store::{consents, ledger::seal},
};

use crate::support::{
    TestStore,
    app::{Bank, TestApp, signed, signed_text},
    both_engines,
};

async fn in_state(app: &TestApp, bank: &Bank, state: ConsentState) -> Consent {
    let operator = crate::support::decided_by("tester");
    let room = &app.app.consents;
    let pending = app.pending(bank, |_| {}).await;
    let id = pending.id.to_string();
    if state == ConsentState::Rejected {
        return room.reject(&id, &operator).await.unwrap();
    }
    if state == ConsentState::Pending {
        return pending;
    }
    let active = room.grant(&id, &signed(), &operator).await.unwrap();
    match state {
        ConsentState::Suspended => room.suspend(&id, &operator).await.unwrap(),
        ConsentState::Revoked => room.revoke(&id, None, &operator).await.unwrap(),
        ConsentState::Superseded => {
            let newer = app.pending(bank, |_| {}).await;
            let grant = Grant { replaces: Some(id.clone()), ..signed() };
            room.grant(&newer.id.to_string(), &grant, &operator).await.unwrap();
            room.get_any(&id).await.unwrap()
        }
        ConsentState::Expired => {
            app.sql("UPDATE consents SET expires_at = 1 WHERE id = $1", vec![id.as_str().into()]).await;
            room.record_expiries().await.unwrap();
            room.get_any(&id).await.unwrap()
        }
        _ => active,
    }
}

async fn apply(app: &TestApp, id: &str, event: ConsentEvent) -> Result<Consent, Failure> {
    let operator = crate::support::decided_by("tester");
    let room = &app.app.consents;
    match event {
        ConsentEvent::Granted => room.grant(id, &signed(), &operator).await,
        ConsentEvent::Rejected => room.reject(id, &operator).await,
        ConsentEvent::Suspended => room.suspend(id, &operator).await,
        ConsentEvent::Resumed => room.resume(id, &operator).await,
        ConsentEvent::Amended => {
            room.amend(id, &Amendment { max_fetches: Some(9), ..Amendment::default() }, &operator).await
        }
        ConsentEvent::Revoked => room.revoke(id, None, &operator).await,
        ConsentEvent::Requested | ConsentEvent::Expired | ConsentEvent::Superseded => panic!("not an operator's"),
    }
}

both_engines! {
    the_state_table_holds_and_every_transition_is_recorded,
    a_grant_needs_its_evidence,
    a_text_that_cannot_be_read_is_refused,
    the_receipt_is_the_record_signed,
}

/// An operator who tries every event in every state.
async fn the_state_table_holds_and_every_transition_is_recorded(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank_with("Bank A", |new| new.max_pending = 1000).await;
    for state in ConsentState::ALL {
        for event in [
            ConsentEvent::Granted,
            ConsentEvent::Rejected,
            ConsentEvent::Suspended,
            ConsentEvent::Resumed,
            ConsentEvent::Amended,
            ConsentEvent::Revoked,
        ] {
            let before = in_state(&app, &bank, *state).await;
            assert_eq!(before.state, *state);
            let id = before.id.to_string();
            let entries = seal::backlog(&app.store.db).await.unwrap().waiting;
            let outcome = apply(&app, &id, event).await;
            let written = seal::backlog(&app.store.db).await.unwrap().waiting - entries;
            let events = consents::events(&app.store.db, &id).await.unwrap();
            match state.after(event) {
                Some(next) => {
                    let after = outcome.unwrap();
                    assert_eq!(written, 1, "its ledger entry is of the same transaction");
                    assert_eq!((after.state, after.version), (next, before.version + 1), "{state} {event}");
                    let last = events.last().unwrap();
                    assert_eq!((last.event.as_str(), last.version), (event.as_str(), after.version));
                    assert_eq!(last.actor, "operator:tester");
                    assert_eq!(after.ended_at.is_some(), next.is_terminal());
                }
                None => {
                    let failure = outcome.unwrap_err();
                    assert_eq!(failure.code, "consent_state_conflict", "{state} {event}");
                    assert_eq!((events.last().unwrap().version, written), (before.version, 0), "nothing is written");
                }
            }
            let versions: Vec<i64> = events.iter().map(|event| event.version).collect();
            assert_eq!(
                versions,
                (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>(),
                "no version is left out"
            );
        }
    }
}

/// An operator who grants with invalid evidence, or replaces another bank's consent.
async fn a_grant_needs_its_evidence(store: TestStore) {
    let app = TestApp::start(store).await;
    let (bank, other) = (app.bank("Bank A").await, app.bank("Bank B").await);
    let pending = app.pending(&bank, |_| {}).await;
    let theirs = app.consent(&other, |_| {}).await;
    let operator = crate::support::decided_by("tester");
    let grant = async |grant: Grant| app.app.consents.grant(&pending.id.to_string(), &grant, &operator).await;
    assert_eq!(grant(Grant { text: signed_text("AB"), ..signed() }).await.unwrap_err().code, "invalid_request");
    let stranger = SignedText { signer: "somebody".into(), ..signed_text("ab") };
    assert_eq!(grant(Grant { text: stranger, ..signed() }).await.unwrap_err().code, "invalid_request");
    let past = medcredit::domain::Timestamp::from_seconds(1);
    assert_eq!(grant(Grant { expires_at: Some(past), ..signed() }).await.unwrap_err().code, "invalid_request");
    let stranger = Grant { replaces: Some(theirs.id.to_string()), ..signed() };
    assert_eq!(grant(stranger).await.unwrap_err().code, "consent_not_replaceable");
    assert_eq!(app.app.consents.get_any(&pending.id.to_string()).await.unwrap().state, ConsentState::Pending);
    // Replacing: the new one comes into force and the old one ends in one transaction.
    let old = app.consent(&bank, |_| {}).await;
    let replaced = grant(Grant { replaces: Some(old.id.to_string()), ..signed() }).await.unwrap();
    assert_eq!(replaced.state, ConsentState::Active);
    assert_eq!(app.app.consents.get_any(&old.id.to_string()).await.unwrap().state, ConsentState::Superseded);
    let reply = bank.get(&bank.token().await, &Bank::data(&old, "grade")).await;
    assert_eq!(reply.refusal(), (403, "consent_not_active"));
}

/// An operator who pastes reasons and names with characters that nobody sees: the ledger would have them for ever.
async fn a_text_that_cannot_be_read_is_refused(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let (id, room) = (consent.id.to_string(), &app.app.consents);
    let entries = seal::backlog(&app.store.db).await.unwrap().waiting;
    for text in ["on paper\u{202e}", "on\u{200b}paper", "on\npaper", "\u{1b}[2Jon paper", " ", &"x".repeat(501)] {
        let decision = crate::support::decided_by("tester").because(Some(text.to_owned()));
        assert_eq!(room.suspend(&id, &decision).await.unwrap_err().code, "invalid_request", "{text:?}");
        let client = access::suspend(&app.store.env(), crate::support::tester(), Some(text), &bank.id).await;
        assert_eq!(client.unwrap_err().code, "invalid_request", "{text:?}");
    }
    let pending = app.pending(&bank, |_| {}).await;
    let grant = Grant { text: SignedText { version: "1\u{feff}".into(), ..signed().text }, ..signed() };
    let refused = room.grant(&pending.id.to_string(), &grant, &crate::support::decided_by("tester")).await;
    assert_eq!(refused.unwrap_err().code, "invalid_request");
    assert_eq!(room.get_any(&id).await.unwrap().state, ConsentState::Active);
    assert_eq!(seal::backlog(&app.store.db).await.unwrap().waiting, entries + 1, "the request alone is written down");
}

/// A bank that stores the receipt, and verifies it without the gateway (C8).
async fn the_receipt_is_the_record_signed(store: TestStore) {
    let app = TestApp::start(store).await;
    let (bank, other) = (app.bank("Bank A").await, app.bank("Bank B").await);
    let consent = app.consent(&bank, |new| new.max_fetches = Some(5)).await;
    app.app
        .consents
        .revoke(
            &consent.id.to_string(),
            None,
            &crate::support::decided_by("tester").because(Some("a secret reason".into())),
        )
        .await
        .unwrap();
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "receipt")).await;
    assert_eq!((reply.status, reply.headers["content-type"].as_str()), (200, "application/jose"));
    let jws = String::from_utf8(reply.bytes).unwrap();
    let (message, signature) = jws.rsplit_once('.').unwrap();
    let decode = |text: &str| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let keys = app.app.keys.load();
    let key = keys.answer.public_key();
    medcredit::identity::suite::verify(key.suite(), key.der(), message.as_bytes(), &decode(signature)).unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let header: serde_json::Value = serde_json::from_slice(&decode(header)).unwrap();
    assert_eq!((&header["typ"], &header["kid"]), (&"consent-receipt+jwt".into(), &key.key_id().into()));
    let record: serde_json::Value = serde_json::from_slice(&decode(payload)).unwrap();
    assert_eq!((&record["record_id"], &record["state"]), (&consent.id.to_string().into(), &"revoked".into()));
    assert_eq!(record["recipient"]["client_id"], bank.id.to_string());
    assert_eq!(record["notice"]["sha256"], "ab".repeat(32));
    let events: Vec<_> =
        record["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["requested", "granted", "revoked"]);
    assert!(!record.to_string().contains("tester"), "the receipt does not name who acted inside the bureau");
    let theirs = other.get(&other.token().await, &Bank::data(&consent, "receipt")).await;
    assert_eq!(theirs.refusal(), (404, "consent_not_found"));
}
