//! Signing in: what is needed, and that wrong parts have one answer.

use medcredit::principals::{Role, SecurityOfficer, SystemOfficer};

use super::{Bureau, PASSWORD, is_refused};
use crate::support::{TestStore, both_engines};

both_engines! {
    an_operator_signs_in_with_name_password_and_code,
    whatever_is_wrong_has_one_answer,
    a_code_counts_once,
    of_two_attempts_with_one_code_one_signs_in,
    a_recovery_code_counts_once,
    a_secret_moved_to_another_account_does_not_open,
}

/// The security officer of a bureau.
async fn an_operator_signs_in_with_name_password_and_code(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("林 Lin", &["security", "push_officer:330302"]).await;
    let session = bureau.sign_in(&lin).await.unwrap();
    assert_eq!(session.cookie.len(), 43, "256 bits");
    let found = bureau.principals.session(&session.cookie).await.unwrap().unwrap();
    assert_eq!((found.name(), found.operator_id()), ("林 Lin", session.signed_in.operator_id()));
    assert_eq!(found.csrf_token(), session.signed_in.csrf_token());
    assert_ne!(found.csrf_token(), session.cookie);
    assert_eq!((found.actor().to_string(), found.actor().channel().as_str()), ("operator:林 Lin".into(), "console"));
    assert!(found.roles().has(Role::Security) && !found.roles().has(Role::System));
    assert!(found.acting_as::<SecurityOfficer>().unwrap().covers("110101".parse().unwrap()));
    assert_eq!(found.acting_as::<SystemOfficer>().unwrap_err().0, Role::System);
    let entries = bureau.entries().await;
    let expected = [
        ("operator_created", "operator:tester"),
        ("operator_enrolled", "operator:林 Lin"),
        ("operator_signed_in", "operator:林 Lin"),
    ];
    assert_eq!(entries.len(), 3);
    assert!(
        expected.iter().all(|(action, actor)| entries.contains(&((*action).into(), (*actor).into()))),
        "{entries:?}"
    );
    // The name is compared as people write it.
    bureau.pass(30);
    assert!(bureau.attempt(" 林LIN ", PASSWORD, &bureau.code_of(&lin)).await.is_ok());
}

/// Somebody who guesses learns nothing from the answers.
async fn whatever_is_wrong_has_one_answer(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    bureau.invite("invited", &["read_only"]).await;
    let wang = bureau.enrolled("wang", &["read_only"]).await;
    bureau.principals.suspend(crate::support::tester(), "wang", None).await.unwrap();
    let code = bureau.code_of(&lin);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for (name, password, code) in [
        ("lin", "another password", code.as_str()),
        ("lin", PASSWORD, wrong),
        ("lin", PASSWORD, ""),
        ("nobody", PASSWORD, &code),
        ("invited", PASSWORD, &code),
        ("wang", PASSWORD, &bureau.code_of(&wang)),
        ("", "", ""),
    ] {
        assert!(is_refused(&bureau.attempt(name, password, code).await), "{name} {code}");
    }
    assert!(bureau.sign_in(&lin).await.is_ok());
}

/// Somebody who saw the digits being typed.
async fn a_code_counts_once(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    let code = bureau.code_of(&lin);
    bureau.attempt("lin", PASSWORD, &code).await.unwrap();
    assert!(is_refused(&bureau.attempt("lin", PASSWORD, &code).await));
    // The code of the next step may be typed early, and then the present one is past.
    bureau.pass(120);
    let present = bureau.code_of(&lin);
    let next = super::code(&lin.secret, medcredit::domain::Clock::now(&*bureau.store.clock).seconds() + 30);
    bureau.attempt("lin", PASSWORD, &next).await.unwrap();
    assert!(is_refused(&bureau.attempt("lin", PASSWORD, &present).await));
}

/// The digits arrive at two gateways at the same time.
async fn of_two_attempts_with_one_code_one_signs_in(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    let other = bureau.reopened(bureau.store.reopen().await);
    let code = bureau.code_of(&lin);
    let visit = super::visit();
    let (one, two) =
        tokio::join!(bureau.attempt("lin", PASSWORD, &code), other.sign_in("lin", PASSWORD, &code, &visit));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
    assert_eq!(bureau.count("operator_signed_in").await, 1);
}

/// An operator whose telephone is at home.
async fn a_recovery_code_counts_once(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    let other = bureau.enrolled("wang", &["read_only"]).await;
    assert_eq!(lin.codes.codes().len(), 10);
    let code = &lin.codes.codes()[3];
    assert!(is_refused(&bureau.attempt("wang", PASSWORD, code).await), "it is lin's");
    assert!(is_refused(&bureau.attempt("lin", "another password", code).await));
    let typed = code.to_uppercase().replace('-', " ");
    bureau.attempt("lin", PASSWORD, &typed).await.unwrap();
    assert!(is_refused(&bureau.attempt("lin", PASSWORD, code).await));
    assert_eq!(bureau.principals.operator("lin").await.unwrap().recovery_codes, 9);
    bureau.attempt("lin", PASSWORD, &lin.codes.codes()[0]).await.unwrap();
    assert!(bureau.sign_in(&other).await.is_ok());
}

/// An administrator of the database who gives another operator the secret of an account that he controls.
async fn a_secret_moved_to_another_account_does_not_open(store: TestStore) {
    let bureau = Bureau::new(store);
    bureau.enrolled("lin", &["security"]).await;
    let own = bureau.enrolled("wang", &["read_only"]).await;
    let sql = "UPDATE operators SET sealed_totp = (SELECT o.sealed_totp FROM operators o WHERE o.name = 'wang'), \
               password = (SELECT o.password FROM operators o WHERE o.name = 'wang') WHERE name = 'lin'";
    let mut tx = bureau.store.db.begin("test").await.unwrap();
    tx.execute(sql, vec![]).await.unwrap();
    tx.commit().await.unwrap();
    let attempt = bureau.attempt("lin", PASSWORD, &bureau.code_of(&own)).await;
    assert!(attempt.is_err() && !is_refused(&attempt), "{attempt:?}");
    assert_eq!(bureau.count("operator_signed_in").await, 0);
}
