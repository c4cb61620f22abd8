//! A publication or correction that is broken off at every point where it waits: banks see the old or the new, never a part.

use std::{collections::BTreeSet, future::poll_fn, pin::pin, task::Poll};

use medcredit::{
    grading::{Correction, current},
    store::Engine,
};

use super::{Bureau, File, city, line, periods};
use crate::support::both_engines;

/// Lets a future go on a number of times, then breaks it off; its value if it came to its end.
async fn broken_off<T>(future: impl Future<Output = T>, after: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        if polls >= after {
            return Poll::Ready(None);
        }
        polls += 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// The rounds that grades are told of, and the publication number.
async fn told(bureau: &Bureau, codes: &[String]) -> (i64, BTreeSet<Option<String>>) {
    let (number, told) = current(bureau.db(), codes, "2026-04-01".parse().unwrap()).await.unwrap();
    assert_eq!(told.len(), codes.len());
    (number, told.into_iter().map(|told| told.run_id).collect())
}

/// A server is waited for at its statements, and each wait is a point of breakdown. How many there are is for the machine
/// to say: what is asked may have been answered already, and on SQLite all of it.
fn waited(bureau: &Bureau, broken: usize) {
    assert!(broken > 1 || bureau.db().engine() == Engine::Sqlite, "it was never broken off");
}

both_engines! {
    /// A bank asks after each breakdown.
    async fn a_publication_broken_off_anywhere_is_whole_or_nothing(store: TestStore) {
        let bureau = Bureau::with(store);
        let (files, lines) = city(40, 4);
        bureau.accept_files(&files).await;
        bureau.import(1, &lines, true).await;
        let codes: Vec<String> = files.iter().map(|file| file.code.clone()).collect();
        let old = bureau.run(periods()[0]).await;
        bureau.publish(&old).await;
        let new = bureau.run(periods()[1]).await.id.to_string();
        let (before, _) = told(&bureau, &codes).await;
        let (old, mut broken) = (old.id.to_string(), 0);
        loop {
            broken += 1;
            let done = broken_off(bureau.rounds.publish(&new, 1), broken).await;
            let (number, rounds) = told(&bureau, &codes).await;
            assert_eq!(rounds.len(), 1, "a mixture of rounds after {broken} steps");
            let seen = rounds.into_iter().next().flatten().unwrap();
            if number == before {
                assert!(done.is_none() && seen == old, "after {broken} steps");
            } else {
                // Broken off after the commit was sent, or done.
                assert_eq!((number, seen), (before + 1, new.clone()), "after {broken} steps");
                break;
            }
        }
        waited(&bureau, broken);
        let sql = "SELECT COUNT(*) FROM assessments WHERE run_id = $1";
        let (assessments,): (i64,) = bureau.db().read("test").fetch_one(sql, vec![new.as_str().into()]).await.unwrap();
        assert_eq!(assessments, 40);
    }

    /// An operator tries again after each breakdown.
    async fn a_correction_broken_off_anywhere_is_made_once(store: TestStore) {
        const CODE: &str = "H33030200001";
        let bureau = Bureau::with(store);
        bureau.accept_files(&[File::usual(CODE)]).await;
        bureau.import(1, &[line(CODE, "public_credit_score", 900, "2025-12-31")], true).await;
        bureau.publish(&bureau.run(periods()[1]).await).await;
        bureau.import(2, &[line(CODE, "public_credit_score", 1000, "2025-12-31")], true).await;
        let publication = async || told(&bureau, &[CODE.to_owned()]).await.0;
        let before = publication().await;
        let correction = Correction { subject: CODE, run: None, reason: "the file was wrong", operator: "tester" };
        let mut broken = 0;
        let done = loop {
            broken += 1;
            if let Some(done) = broken_off(bureau.rounds.correct(correction), broken).await {
                break done.unwrap();
            }
        };
        waited(&bureau, broken);
        assert_eq!((done.version, publication().await), (2, before + 1));
        for (sql, many) in [
            ("SELECT COUNT(*) FROM assessments WHERE version > 1", 1),
            ("SELECT COUNT(*) FROM corrections", 1),
            ("SELECT COUNT(*) FROM outbox_events WHERE topic = 'grade.corrected'", 1),
            ("SELECT COUNT(*) FROM ledger_entries", 1),
            ("SELECT version FROM subjects", 2),
        ] {
            assert_eq!(bureau.db().read("test").fetch_one::<(i64,)>(sql, vec![]).await.unwrap().0, many, "{sql}");
        }
    }
}
