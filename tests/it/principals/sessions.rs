//! Sessions: how long they last, what ends them, and that the database decides.

use medcredit::principals::SignInError;

use super::{Bureau, NewSession, Roles, is_refused};
use crate::support::{TestStore, both_engines, tester};

both_engines! {
    a_session_without_requests_ends_and_with_requests_lasts_eight_hours,
    each_sign_in_has_a_session_of_its_own_which_can_be_ended,
    a_session_survives_a_restart_and_ends_on_every_gateway,
    suspension_other_roles_and_a_reset_end_all_sessions,
    a_suspension_beside_a_sign_in_leaves_no_session,
    nothing_that_opens_an_account_is_stored_as_it_is,
}

/// An operator who leaves its desk, and one who works through the night.
async fn a_session_without_requests_ends_and_with_requests_lasts_eight_hours(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    let session = bureau.sign_in(&lin).await.unwrap();
    bureau.pass(15 * 60 - 1);
    assert!(bureau.is_signed_in(&session).await);
    bureau.pass(15 * 60 - 1);
    assert!(bureau.is_signed_in(&session).await, "the request before began the time again");
    bureau.pass(15 * 60);
    assert!(!bureau.is_signed_in(&session).await);

    let session = bureau.sign_in(&lin).await.unwrap();
    for _ in 0..(8 * 6 - 1) {
        bureau.pass(600);
        assert!(bureau.is_signed_in(&session).await);
    }
    bureau.pass(599);
    assert!(bureau.is_signed_in(&session).await);
    bureau.pass(1);
    assert!(!bureau.is_signed_in(&session).await, "eight hours after signing in");
    bureau.sign_in(&lin).await.unwrap();
    assert_eq!(bureau.principals.operator("lin").await.unwrap().sessions.len(), 1, "expired ones are removed");
}

/// An operator at two desks.
async fn each_sign_in_has_a_session_of_its_own_which_can_be_ended(store: TestStore) {
    let bureau = Bureau::new(store);
    let (lin, wang) = (bureau.enrolled("lin", &["read_only"]).await, bureau.enrolled("wang", &["read_only"]).await);
    let first = bureau.sign_in(&lin).await.unwrap();
    bureau.pass(30);
    let second = bureau.sign_in(&lin).await.unwrap();
    let foreign = bureau.sign_in(&wang).await.unwrap();
    assert_ne!(first.cookie, second.cookie);
    let listed = bureau.principals.sessions(&second.signed_in).await.unwrap();
    let marks: Vec<_> = listed.iter().map(|row| row.current).collect();
    assert_eq!(
        (marks, listed[0].address.as_str(), listed[0].agent.as_str()),
        (vec![false, true], "192.0.2.7", "Firefox")
    );
    let id = listed[0].id.clone();
    assert!(!bureau.principals.end_session(&foreign.signed_in, &id).await.unwrap(), "it is another operator's");
    assert!(bureau.is_signed_in(&first).await);
    assert!(bureau.principals.end_session(&second.signed_in, &id).await.unwrap());
    assert!(!bureau.principals.end_session(&second.signed_in, &id).await.unwrap());
    assert!(!bureau.is_signed_in(&first).await && bureau.is_signed_in(&second).await);
    bureau.principals.sign_out(&second.signed_in).await.unwrap();
    bureau.principals.sign_out(&second.signed_in).await.unwrap();
    assert!(!bureau.is_signed_in(&second).await && bureau.is_signed_in(&foreign).await);
    assert_eq!(bureau.count("session_ended").await, 2);
    for token in ["", "x", &"a".repeat(43), &"a".repeat(5000)] {
        assert!(bureau.principals.session(token).await.unwrap().is_none());
    }
}

/// Two gateways behind one address.
async fn a_session_survives_a_restart_and_ends_on_every_gateway(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    let session = bureau.sign_in(&lin).await.unwrap();
    let other = bureau.reopened(bureau.store.reopen().await);
    let found = other.session(&session.cookie).await.unwrap().unwrap();
    assert_eq!(found.csrf_token(), session.signed_in.csrf_token(), "forms of the first gateway are accepted");
    other.sign_out(&found).await.unwrap();
    assert!(!bureau.is_signed_in(&session).await);
}

async fn two_sessions(bureau: &Bureau, lin: &super::Person) -> [NewSession; 2] {
    let first = bureau.sign_in(lin).await.unwrap();
    bureau.pass(30);
    let second = bureau.sign_in(lin).await.unwrap();
    bureau.pass(30);
    assert!(bureau.is_signed_in(&first).await && bureau.is_signed_in(&second).await);
    [first, second]
}

async fn are_ended(bureau: &Bureau, sessions: &[NewSession; 2]) -> bool {
    !bureau.is_signed_in(&sessions[0]).await && !bureau.is_signed_in(&sessions[1]).await
}

/// An operator is dismissed, moves to another office, or loses its telephone.
async fn suspension_other_roles_and_a_reset_end_all_sessions(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    let sessions = two_sessions(&bureau, &lin).await;
    assert!(bureau.principals.suspend(tester(), "lin", Some("dismissed")).await.unwrap());
    assert!(are_ended(&bureau, &sessions).await && is_refused(&bureau.sign_in(&lin).await));
    assert!(bureau.principals.resume(tester(), "lin", None).await.unwrap());
    assert!(are_ended(&bureau, &sessions).await, "a resumed operator signs in again");
    let sessions = two_sessions(&bureau, &lin).await;
    let roles = Roles::parse(&["audit"]).unwrap();
    assert!(bureau.principals.set_roles(tester(), "lin", &roles, None).await.unwrap());
    assert!(!bureau.principals.set_roles(tester(), "lin", &roles, None).await.unwrap());
    assert!(are_ended(&bureau, &sessions).await);
    let sessions = two_sessions(&bureau, &lin).await;
    let invited = bureau.principals.reset(tester(), "lin", None).await.unwrap();
    assert!(are_ended(&bureau, &sessions).await);
    // What it had opens nothing any more.
    assert!(is_refused(&bureau.sign_in(&lin).await));
    assert!(is_refused(&bureau.attempt("lin", super::PASSWORD, &lin.codes.codes()[0]).await));
    let enrolled = bureau.enrol("lin", &super::token_of(&invited.link)).await;
    assert!(is_refused(&bureau.sign_in(&lin).await), "nor the former authenticator");
    assert!(is_refused(&bureau.attempt("lin", super::PASSWORD, &lin.codes.codes()[0]).await));
    assert!(bureau.sign_in(&enrolled).await.is_ok());
}

/// Whichever is committed first, the operator is out.
async fn a_suspension_beside_a_sign_in_leaves_no_session(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    let (session, suspended) = tokio::join!(bureau.sign_in(&lin), bureau.principals.suspend(tester(), "lin", None));
    assert!(suspended.unwrap());
    match session {
        Ok(session) => assert!(!bureau.is_signed_in(&session).await),
        Err(error) => assert!(matches!(error, SignInError::Refused), "{error:?}"),
    }
}

/// Somebody with a copy of the database.
async fn nothing_that_opens_an_account_is_stored_as_it_is(store: TestStore) {
    let bureau = Bureau::new(store);
    let link = bureau.invite("wang", &["read_only"]).await;
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    let session = bureau.sign_in(&lin).await.unwrap();
    let sql = "SELECT COALESCE(password, '') AS text FROM operators UNION ALL SELECT token_digest FROM operator_sessions \
               UNION ALL SELECT token_digest FROM operator_invitations UNION ALL SELECT code_digest FROM operator_recovery_codes";
    let rows: Vec<(String,)> = bureau.store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
    assert_eq!(rows.len(), 14);
    let stored = rows.into_iter().map(|(text,)| text).collect::<Vec<_>>().join(" ");
    assert!(stored.contains("$argon2id$v=19$m=19456,t=2,p=1$"));
    let secrets = lin.codes.codes().iter().map(String::as_str).chain([link.as_str(), &session.cookie, super::PASSWORD]);
    assert!(secrets.into_iter().all(|secret| !stored.contains(secret)));
    let sql = "SELECT sealed_totp FROM operators WHERE sealed_totp IS NOT NULL";
    let sealed: Vec<(Vec<u8>,)> = bureau.store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
    assert!(!sealed[0].0.windows(lin.secret.len()).any(|part| part == lin.secret));
}
