//! Enrolment: the link is used once, expires, and is replaced by a reset.

use medcredit::principals::{EnrolError, PasswordFault};

use super::{Bureau, PASSWORD, code, token_of};
use crate::support::{TestStore, both_engines, tester};

both_engines! {
    a_link_shows_the_secret_and_is_used_once,
    a_link_expires,
    a_link_is_replaced_by_a_reset_and_stopped_by_a_suspension,
    a_wrong_code_or_a_weak_password_leaves_the_link_as_it_was,
}

async fn code_for(bureau: &Bureau, token: &str) -> String {
    let shown = bureau.principals.invitation(token).await.unwrap().unwrap();
    let secret = data_encoding::BASE32_NOPAD.decode(shown.secret.as_bytes()).unwrap();
    code(&secret, medcredit::domain::Clock::now(&*bureau.store.clock).seconds())
}

/// The first operator of a bureau.
async fn a_link_shows_the_secret_and_is_used_once(store: TestStore) {
    let bureau = Bureau::new(store);
    let token = bureau.invite("lin", &["security"]).await;
    let shown = bureau.principals.invitation(&token).await.unwrap().unwrap();
    assert_eq!(shown.name, "lin");
    assert!(shown.uri.starts_with("otpauth://totp/console.example.gov.cn%3A8446:lin?secret="), "{}", shown.uri);
    assert!(shown.uri.contains(&shown.secret) && shown.qr_svg.starts_with("<svg "));
    let again = bureau.principals.invitation(&token).await.unwrap().unwrap();
    assert_eq!(again.secret, shown.secret, "the page can be opened again until it is used");
    let typed = code_for(&bureau, &token).await;
    let other = bureau.reopened(bureau.store.reopen().await);
    let (one, two) = tokio::join!(
        bureau.principals.enrol(&token, PASSWORD, &typed),
        other.enrol(&token, "another kitchen 47 gravel", &typed)
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "two browsers with one link");
    assert!(bureau.principals.invitation(&token).await.unwrap().is_none());
    let used = bureau.principals.enrol(&token, PASSWORD, &typed).await;
    assert!(matches!(used, Err(EnrolError::NoInvitation)));
    assert_eq!(bureau.count("operator_enrolled").await, 1);
    // The code that proved the secret does not sign in.
    let attempts = [PASSWORD, "another kitchen 47 gravel"];
    for password in attempts {
        assert!(super::is_refused(&bureau.attempt("lin", password, &typed).await));
    }
}

/// An operator who is on holiday.
async fn a_link_expires(store: TestStore) {
    let bureau = Bureau::new(store);
    let token = bureau.invite("lin", &["security"]).await;
    bureau.pass(72 * 3600 - 1);
    let typed = code_for(&bureau, &token).await;
    bureau.pass(1);
    assert!(bureau.principals.invitation(&token).await.unwrap().is_none());
    assert!(matches!(bureau.principals.enrol(&token, PASSWORD, &typed).await, Err(EnrolError::NoInvitation)));
}

/// The link was sent to the wrong person.
async fn a_link_is_replaced_by_a_reset_and_stopped_by_a_suspension(store: TestStore) {
    let bureau = Bureau::new(store);
    let first = bureau.invite("lin", &["security"]).await;
    let second = token_of(&bureau.principals.reset(tester(), "lin", None).await.unwrap().link);
    assert!(bureau.principals.invitation(&first).await.unwrap().is_none());
    let typed = code_for(&bureau, &second).await;
    bureau.principals.suspend(tester(), "lin", None).await.unwrap();
    assert!(bureau.principals.invitation(&second).await.unwrap().is_none());
    assert!(matches!(bureau.principals.enrol(&second, PASSWORD, &typed).await, Err(EnrolError::NoInvitation)));
    bureau.principals.resume(tester(), "lin", None).await.unwrap();
    assert!(bureau.principals.enrol(&second, PASSWORD, &typed).await.is_ok());
}

/// An operator who mistypes.
async fn a_wrong_code_or_a_weak_password_leaves_the_link_as_it_was(store: TestStore) {
    let bureau = Bureau::new(store);
    let token = bureau.invite("wangfang", &["security"]).await;
    let typed = code_for(&bureau, &token).await;
    for (password, fault) in [
        ("short", PasswordFault::Short),
        ("password-password", PasswordFault::Common),
        ("my name is WangFang 7", PasswordFault::Name),
        ("abcabcabcabcabc", PasswordFault::Pattern),
    ] {
        match bureau.principals.enrol(&token, password, &typed).await {
            Err(EnrolError::Password(found)) => assert_eq!(found, fault, "{password}"),
            other => panic!("{password}: {other:?}"),
        }
    }
    let wrong = if typed == "000000" { "000001" } else { "000000" };
    assert!(matches!(bureau.principals.enrol(&token, PASSWORD, wrong).await, Err(EnrolError::Code)));
    assert!(bureau.principals.enrol(&token, PASSWORD, &typed).await.is_ok());
}
