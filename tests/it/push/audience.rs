//! Audiences of platforms: a kind that is not publishable by the table of kinds is shared with departments and never exported
//! to a platform that publishes.

use medcredit::{
    domain::{Kinds, kinds},
    push::{
        PushError,
        platform::{Audience, Natural, Platform},
    },
};

use super::{entries, export, export_with, platform, round};
use crate::support::{TestStore, both_engines};

/// A city's own table of kinds, in which institutions are not publishable.
fn unpublished() -> Kinds {
    let (head, rest) = kinds::BUILT_IN.split_once("id = \"medical_institution\"").unwrap();
    let rest = rest.replacen("publishable = true", "publishable = false", 1);
    let table = Kinds::from_toml("kinds.toml", &format!("{head}id = \"medical_institution\"{rest}")).unwrap();
    assert!(!table.find("medical_institution").unwrap().publishable && table.find("pharmacy").unwrap().publishable);
    table
}

both_engines! {
    a_kind_that_is_not_publishable_is_shared_with_departments_only,
    an_unknown_kind_is_not_published,
    a_sole_trader_is_not_published,
    an_open_objection_is_left_out_or_marked,
}

/// A city decides that institutions are not published, and an operator exports to the platform that publishes.
async fn a_kind_that_is_not_publishable_is_shared_with_departments_only(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    let public = platform("city-credit-platform");
    let refused = export_with(&bureau, &key, unpublished(), (&run, &public)).await.unwrap_err();
    assert!(matches!(refused, PushError::NotPublishable { .. }), "{refused}");
    assert_eq!(
        refused.to_string(),
        "city-credit-platform publishes to everybody, and medical_institution is not publishable by the table of \
             kinds: its grades may be shared with departments only"
    );
    assert_eq!(entries(&bureau).await, 0, "nothing left");
    let departments = Platform { audience: Audience::Departments, ..public.clone() };
    export_with(&bureau, &key, unpublished(), (&run, &departments)).await.unwrap();
    export(&bureau, &key, &run, &public).await.unwrap();
    assert_eq!(entries(&bureau).await, 2, "shared by the one file, published by the other");
}

/// The table of kinds no longer has the kind of a round, so nothing says that it may be published.
async fn an_unknown_kind_is_not_published(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    let text = kinds::BUILT_IN.replace("id = \"medical_institution\"", "id = \"institution\"");
    let kinds = Kinds::from_toml("kinds.toml", &text).unwrap();
    let refused = export_with(&bureau, &key, kinds, (&run, &platform("city-credit-platform"))).await.unwrap_err();
    assert!(matches!(refused, PushError::NotPublishable { .. }), "{refused}");
}

/// A sole trader is a natural person, and is never exported to a platform that publishes, whatever its file says.
async fn a_sole_trader_is_not_published(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    bureau.set("H33030200013", "UPDATE subjects SET uscc = '92330381MA2CD5EF8R' WHERE code = $1").await;
    let to = Platform { natural: Natural::Code, ..platform("city-credit-platform") };
    let exported = export(&bureau, &key, &run, &to).await.unwrap();
    assert_eq!(exported.manifest.left_out.natural_persons, 1);
    assert!(!String::from_utf8(exported.package.data).unwrap().contains("H33030200013"));
    let to = Platform { audience: Audience::Departments, ..to };
    assert_eq!(export(&bureau, &key, &run, &to).await.unwrap().manifest.left_out.natural_persons, 0);
}

/// One platform gets no subject with an open objection, another gets it with a mark.
async fn an_open_objection_is_left_out_or_marked(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    bureau.set("H33030200012", "UPDATE subjects SET under_objection = 1 WHERE code = $1").await;
    let left = export(&bureau, &key, &run, &platform("city-credit-platform")).await.unwrap();
    assert_eq!((left.manifest.left_out.under_objection, left.manifest.marked), (1, 0));
    let manifest = String::from_utf8(left.package.manifest).unwrap();
    assert!(!manifest.contains("marked"), "{manifest}");
    let marked = export(&bureau, &key, &run, &platform("municipal-credit-service")).await.unwrap();
    assert_eq!((marked.manifest.left_out.under_objection, marked.manifest.marked), (0, 1));
    let text = String::from_utf8(marked.package.data).unwrap();
    let of = |code: &str| text.lines().find(|line| line.contains(code)).unwrap().to_owned();
    let (objected, other) = (of("H33030200012"), of("H33030200011"));
    assert!(objected.contains(r#""underObjection":"1","remark":"异议处理中""#), "{objected}");
    assert!(other.contains(r#""underObjection":"0""#) && !other.contains("remark"), "{other}");
}
