//! Accounts: names, roles that exclude each other, and secrets under another key-encryption key.

use std::sync::Arc;

use medcredit::{
    principals::{OperatorState, Principals, PrincipalsError, Roles},
    store::Crypter,
};

use super::{Bureau, PASSWORD, policy, reseal_operators, visit};
use crate::support::{TestStore, both_engines, tester};

both_engines! {
    a_name_is_an_operators_once,
    the_database_refuses_roles_that_exclude_each_other,
    operators_are_listed_with_their_roles,
    secrets_are_sealed_again_under_another_key,
}

/// The command line, twice.
async fn a_name_is_an_operators_once(store: TestStore) {
    let bureau = Bureau::new(store);
    let roles = Roles::parse(&["read_only"]).unwrap();
    bureau.principals.create(tester(), "Lin Fang", &roles).await.unwrap();
    for name in ["Lin Fang", "lin fang", " LIN  FANG "] {
        let refused = bureau.principals.create(tester(), name, &roles).await.unwrap_err();
        assert!(matches!(refused, PrincipalsError::Exists(_)), "{refused:?}");
    }
    for name in ["", " ", "li\u{200b}n", &"x".repeat(65)] {
        let refused = bureau.principals.create(tester(), name, &roles).await.unwrap_err();
        assert!(matches!(refused, PrincipalsError::Name(_)), "{refused:?}");
    }
    assert_eq!(bureau.count("operator_created").await, 1);
    for act in [
        bureau.principals.suspend(tester(), "wang", None).await.map(drop),
        bureau.principals.resume(tester(), "wang", None).await.map(drop),
        bureau.principals.reset(tester(), "wang", None).await.map(drop),
        bureau.principals.set_roles(tester(), "wang", &roles, None).await.map(drop),
    ] {
        assert!(matches!(act, Err(PrincipalsError::NoSuchOperator(_))));
    }
    bureau.principals.suspend(tester(), "lin fang", None).await.unwrap();
    assert!(matches!(bureau.principals.reset(tester(), "lin fang", None).await, Err(PrincipalsError::Suspended(_))));
    let reason = bureau.principals.resume(tester(), "lin fang", Some("a\nb")).await;
    assert!(matches!(reason, Err(PrincipalsError::Reason(_))));
}

/// 三员分立: a defect of the program does not join the three either.
async fn the_database_refuses_roles_that_exclude_each_other(store: TestStore) {
    let bureau = Bureau::new(store);
    bureau.invite("lin", &["system", "read_only"]).await;
    let sql = "INSERT INTO operator_roles (operator_id, role) SELECT id, 'audit' FROM operators";
    let mut tx = bureau.store.db.begin("test").await.unwrap();
    assert!(tx.execute(sql, vec![]).await.unwrap_err().is_constraint());
    drop(tx);
    let audit = Roles::parse(&["audit"]).unwrap();
    assert!(bureau.principals.set_roles(tester(), "lin", &audit, None).await.unwrap(), "but they can be exchanged");
}

/// The security officer.
async fn operators_are_listed_with_their_roles(store: TestStore) {
    let bureau = Bureau::new(store);
    bureau.invite("wang", &["consent_officer:330302,330303", "read_only"]).await;
    let lin = bureau.enrolled("lin", &["security"]).await;
    bureau.sign_in(&lin).await.unwrap();
    let listed = bureau.principals.operators().await.unwrap();
    let [lin, wang] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(
        (lin.name.as_str(), lin.state, lin.roles.as_slice()),
        ("lin", OperatorState::Active, &["security".to_owned()][..])
    );
    assert!(lin.seen_at.is_some() && lin.enrolled_at.is_some());
    assert_eq!((wang.state, wang.seen_at, wang.enrolled_at), (OperatorState::Invited, None, None));
    assert_eq!(wang.roles, ["consent_officer:330302,330303", "read_only"]);
}

/// `keys reseal`, and then the former key is removed from its file.
async fn secrets_are_sealed_again_under_another_key(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["security"]).await;
    let link = bureau.invite("wang", &["read_only"]).await;
    let both = Crypter::from_bytes([&[8; 32], &[7; 32]]).unwrap();
    let env = bureau.store.env();
    assert_eq!(reseal_operators(&env, tester(), &both).await.unwrap(), 2);
    assert_eq!(reseal_operators(&env, tester(), &both).await.unwrap(), 0);
    assert_eq!(bureau.count("operators_resealed").await, 1);
    let only = Arc::new(Crypter::from_bytes([&[8; 32]]).unwrap());
    let principals = Principals::open(env, only, policy());
    assert!(principals.sign_in("lin", PASSWORD, &bureau.code_of(&lin), &visit()).await.is_ok());
    assert!(principals.invitation(&link).await.unwrap().is_some());
}
