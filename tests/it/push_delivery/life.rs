//! A round reaches platforms, is answered row by row, and its packages close.

use medcredit::push::{
    carrier::RejectReason,
    making::{GradesOf, NotSent, Scope},
    platform::Operation,
};

use super::{City, MUNICIPAL, PUBLIC, entries};
use crate::support::{TestStore, both_engines, tester};

both_engines! {
    a_round_is_delivered_once_and_its_package_closes,
    a_plan_stores_nothing_and_says_who_is_left_out,
    a_rejected_row_is_corrected_sent_again_or_waived,
    a_package_is_signed_and_in_the_ledger_before_anything_leaves,
    what_a_platform_holds_is_compared_record_by_record,
    counts_of_use_are_sent_when_their_period_is_over,
}

async fn a_round_is_delivered_once_and_its_package_closes(store: TestStore) {
    let city = City::with(store).await;
    let made = city.make().await;
    let grades: Vec<_> = made.iter().filter(|made| made.plan.dataset == "grades").collect();
    assert_eq!(
        grades.iter().map(|made| (made.plan.platform.as_str(), made.plan.new)).collect::<Vec<_>>(),
        [(MUNICIPAL, 30), (PUBLIC, 30)]
    );
    assert!(city.make().await.is_empty(), "what was made is not made again");

    let (delivered, answered) = city.pass(MUNICIPAL).await;
    assert_eq!((delivered.dead, delivered.failed, answered.rejected), (0, 0, 0));
    assert_eq!(city.municipal.shows().keys().filter(|record| record.starts_with("wenzhou")).count(), 30);
    let state = city.deliveries.state(MUNICIPAL).await.unwrap();
    assert_eq!((state.state, state.waiting, state.rejected), ("working", 0, 0));
    assert!(state.packages.iter().all(|package| package.state == "closed" && package.accepted == package.rows));
    assert_eq!(state.sent, state.accepted);
    let row = city.municipal.row(&city.record("H33030200011")).unwrap();
    let field = |name: &str| row.fields.iter().find(|(other, _)| &**other == name).unwrap().1.as_str();
    assert_eq!(
        (row.version, row.operation, field("recordVersion"), field("operateType")),
        (1, Operation::Insert, "1", "I")
    );

    // The other platform has its own packages, numbered from 1, with its own names.
    city.pass(PUBLIC).await;
    assert_eq!(city.deliveries.state(PUBLIC).await.unwrap().packages[0].number, 1);
    assert_eq!(city.public.row(&city.record("H33030200011")).unwrap().fields[2], ("PJ_CZ".into(), "1".into()));
    let attempts = city.municipal.attempts();
    city.settle().await;
    assert_eq!(city.municipal.attempts(), attempts, "nothing is sent twice");
}

async fn a_plan_stores_nothing_and_says_who_is_left_out(store: TestStore) {
    let city = City::with(store).await;
    for (code, sql) in [
        ("H33030200012", "UPDATE subjects SET under_objection = 1 WHERE code = $1"),
        ("H33030200013", "UPDATE subjects SET uscc = '92330381MA2CD5EF8R' WHERE code = $1"),
        ("H33030200014", "UPDATE subjects SET licence_status = 'revoked' WHERE code = $1"),
        ("H33030200015", "DELETE FROM subjects WHERE code = $1"),
    ] {
        city.bureau.set(code, sql).await;
    }
    let plan = async |platform: &str| {
        let target = city.deliveries.target(platform).unwrap();
        let of = GradesOf { platform: &target.platform, run: &city.run, scope: &Scope::All };
        city.deliveries.maker().plan_grades(of).await.unwrap()
    };
    let public = plan(PUBLIC).await;
    assert_eq!((public.new, public.rows()), (26, 26));
    let left: Vec<_> = public.left_out.iter().map(|subject| (subject.code.as_str(), subject.because)).collect();
    assert_eq!(
        left,
        [
            ("H33030200012", NotSent::UnderObjection),
            ("H33030200013", NotSent::NaturalPerson),
            ("H33030200014", NotSent::Closed),
            ("H33030200015", NotSent::Unregistered),
        ]
    );
    let municipal = plan(MUNICIPAL).await;
    assert_eq!((municipal.new, municipal.left_out.len()), (28, 2), "it marks objections, and has sole traders by code");
    assert!(city.deliveries.state(PUBLIC).await.unwrap().packages.is_empty());
    assert_eq!(entries(&city.bureau, "package_made").await, 0);
}

async fn a_rejected_row_is_corrected_sent_again_or_waived(store: TestStore) {
    let city = City::with(store).await;
    city.public.rejects(Some(|row| {
        let name = &row.fields.iter().find(|(name, _)| &**name == "PJ_XDR_MC").unwrap().1;
        let number: u32 = row.record_id[row.record_id.len() - 2..].parse().unwrap();
        (name == "synthetic" && number < 3).then_some(RejectReason::SubjectUnknown)
    }));
    city.settle().await;
    let rejected = city.deliveries.rejected(PUBLIC).await.unwrap();
    let records: Vec<_> = [0, 1, 2].map(|nth| city.record(&format!("H3303020000{nth}"))).into();
    assert_eq!(rejected.iter().map(|row| row.record_id.clone()).collect::<Vec<_>>(), records);
    assert_eq!(
        (rejected[0].reason.as_str(), rejected[0].note.as_deref(), rejected[0].package),
        ("R02", Some("见说明"), 1)
    );
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    assert_eq!((state.packages[0].state.as_str(), state.packages[0].rejected), ("open", 3));
    assert!(city.make().await.is_empty(), "a rejected row waits for a person");

    // One is corrected and sent again, one is waived, one is sent again as it is.
    city.bureau.set("H33030200000", "UPDATE subjects SET name = '示范医院' WHERE code = $1").await;
    let lock = city.deliveries.maker().lock().await.unwrap().unwrap();
    let made = city.deliveries.resend(PUBLIC, Some(&records[0]), tester()).await.unwrap();
    lock.release().await.unwrap();
    assert_eq!(made.iter().map(|made| made.plan.new).collect::<Vec<_>>(), [1]);
    assert!(city.deliveries.waive(PUBLIC, &records[1], "已在平台人工登记", tester()).await.unwrap());
    assert!(!city.deliveries.waive(PUBLIC, &records[1], "again", tester()).await.unwrap());
    city.public.rejects(None);
    let lock = city.deliveries.maker().lock().await.unwrap().unwrap();
    assert_eq!(city.deliveries.resend(PUBLIC, None, tester()).await.unwrap().len(), 1);
    lock.release().await.unwrap();
    city.pass(PUBLIC).await;
    assert_eq!(city.public.row(&records[0]).unwrap().version, 2);
    assert_eq!(city.public.row(&records[1]), None);
    assert_eq!(city.public.row(&records[2]).unwrap().operation, Operation::Insert);
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    assert!(state.packages.iter().all(|package| package.state == "closed"), "{state:?}");
    assert_eq!((state.packages[2].resolved, state.packages[2].waived), (2, 1));
    assert_eq!((entries(&city.bureau, "row_waived").await, state.rejected), (1, 0));
    assert!(city.make().await.is_empty(), "a waived row is not sent again");
}

async fn a_package_is_signed_and_in_the_ledger_before_anything_leaves(store: TestStore) {
    let city = City::with(store).await;
    let made = city.make().await;
    assert_eq!(city.municipal.attempts() + city.public.attempts(), 0);
    assert_eq!(entries(&city.bureau, "package_made").await, i64::try_from(made.len()).unwrap());
    let package = made[0].package.as_ref().unwrap();
    let stored: (String, String) = city
        .bureau
        .db()
        .read("test")
        .fetch_one(
            "SELECT manifest, signature FROM push_packages WHERE id = $1",
            vec![medcredit::store::Arg::Text(package.id.to_string())],
        )
        .await
        .unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&stored.0).unwrap();
    assert_eq!((&manifest["digest"], &manifest["number"]), (&package.digest.as_str().into(), &1.into()));
    assert_eq!(stored.1.split('.').nth(1), Some(""), "a detached signature");
}

async fn what_a_platform_holds_is_compared_record_by_record(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    let same = city.deliveries.reconcile(PUBLIC).await.unwrap();
    assert_eq!((same.ours, same.theirs, same.same, same.different), (30, 30, 30, 0));
    let [missing, version, content] = [1, 2, 3].map(|nth| city.record(&format!("H3303020000{nth}")));
    city.public.change(|held| {
        held.remove(&missing);
        held.get_mut(&version).unwrap().version = 7;
        held.get_mut(&content).unwrap().fields[11].1 = "A".into();
        let mut other = held[&content].clone();
        other.record_id = "foreign".into();
        held.insert("foreign".into(), other);
    });
    let found = city.deliveries.reconcile(PUBLIC).await.unwrap();
    assert_eq!((found.same, found.different), (27, 4));
    let found = serde_json::to_value(&found.differences).unwrap();
    assert_eq!(
        found,
        serde_json::json!([
            { "difference": "missing", "record_id": missing, "version": 1 },
            { "difference": "version", "record_id": version, "ours": 1, "theirs": 7 },
            { "difference": "content", "record_id": content, "version": 1 },
            { "difference": "surplus", "record_id": "foreign", "version": 1, "withdrawn": false },
        ])
    );
}

async fn counts_of_use_are_sent_when_their_period_is_over(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    let record = "usage:2026-03:medical_institution";
    let row = city.municipal.row(record).unwrap();
    let field = |name: &str| row.fields.iter().find(|(other, _)| &**other == name).unwrap().1.clone();
    assert_eq!((field("period"), field("consentsGranted")), ("2026-03".into(), "0".into()));
    assert_eq!(city.municipal.row("usage:2026-04:medical_institution"), None);
    city.advance(std::time::Duration::from_hours(24 * 30));
    city.settle().await;
    assert!(city.municipal.row("usage:2026-04:medical_institution").is_some());
    assert_eq!(city.municipal.row(record).unwrap().version, 1);
}
