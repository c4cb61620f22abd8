//! A file resent replaces the file, and a file is known only as long as nothing has changed its rows.

use medcredit::{
    importing::{ImportError, Options, Outcome, ReplacedImport, Report, Template},
    store::{facts, imports},
};

use super::{ImportHarness, RECORDS, SUBJECTS, THREE, stored_facts};
use crate::support::{TestStore, both_engines};

const CODE: &str = "H33030200090";

fn penalty(number: u32) -> String {
    format!("{CODE},insurance_penalty,1,2026-02-{number:02},医保局,温医保罚〔2026〕{number}号\n")
}

fn file(rows: &[String]) -> String {
    format!("{RECORDS}{}", rows.concat())
}

impl ImportHarness {
    async fn replace(
        &self,
        former: &dyn std::fmt::Display,
        text: &str,
        check_only: bool,
    ) -> Result<Report, ImportError> {
        let path = self.write("replacing.csv", text);
        let options = Options { replaces: Some(former.to_string()), check_only, ..Options::default() };
        self.importer().import(Template::Records, &path, &options, &mut |_| {}).await
    }

    /// The numbers of the accepted imports of facts that count.
    async fn counting(&self) -> Vec<i64> {
        let imports = facts::accepted(&self.store.db.read("test")).await.unwrap();
        imports.into_iter().filter(|import| import.counts_up_to(i64::MAX)).map(|import| import.seq).collect()
    }
}

both_engines! {
    a_file_that_replaces_another_voids_what_it_no_longer_has,
    only_an_accepted_import_of_records_is_replaced_and_only_once,
    a_file_that_was_replaced_is_imported_again_and_restores_its_facts,
    a_file_is_known_until_something_changes_its_rows,
    a_licence_comes_back_when_the_first_file_is_imported_again,
    facts_without_a_document_are_not_counted_again_when_their_file_is,
    fewer_rows_of_the_same_file_are_not_taken_silently,
}

/// A clerk checks how many facts a corrected file takes back, and imports it.
async fn a_file_that_replaces_another_voids_what_it_no_longer_has(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let first = harness.import(Template::Records, file(&[penalty(1), penalty(2), penalty(3)])).await;
    let seq = first.import_seq.unwrap();
    // The second act has another day now, and its number is written otherwise.
    let moved = penalty(2).replace("〔2026〕", "[2026]").replace("2026-02-02", "2026-02-20");
    let corrected = file(&[penalty(1), moved, penalty(4)]);
    let before = harness.change_number().await;
    let expected = ReplacedImport { import_seq: seq, facts: 3, voided: 1 };
    let checked = harness.replace(&seq, &corrected, true).await.unwrap();
    assert_eq!((checked.outcome, checked.replaced), (Outcome::Checked, Some(expected)));
    assert_eq!(harness.change_number().await, before, "a check stores nothing");
    assert_eq!(harness.counting().await, [seq]);
    let done = harness.replace(&first.import_id.unwrap(), &corrected, false).await.unwrap();
    assert_eq!((done.outcome, done.replaced), (Outcome::Accepted, Some(expected)));
    assert!(harness.findings(&done).is_empty(), "the replaced file's facts are not compared: {:?}", done.findings);
    assert_eq!(harness.counting().await, [done.import_seq.unwrap()]);
    assert_eq!(stored_facts(&harness.store, CODE).await.len(), 6, "nothing is deleted");
    let again = harness.replace(&seq, &corrected, false).await.unwrap();
    assert_eq!((again.outcome, again.import_seq), (Outcome::Recognised, done.import_seq));
}

/// A clerk names what cannot be replaced.
async fn only_an_accepted_import_of_records_is_replaced_and_only_once(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let first = harness.import(Template::Records, file(&[penalty(1)])).await.import_seq.unwrap();
    harness.replace(&first, &file(&[penalty(2)]), false).await.unwrap();
    for (former, text) in [(first, "replaced by import"), (1, "no accepted import"), (99, "no accepted import")] {
        let refused = harness.replace(&former, &file(&[penalty(3)]), false).await.unwrap_err();
        assert!(matches!(refused, ImportError::Replaces(_)) && refused.to_string().contains(text), "{refused}");
    }
    let path = harness.write("subjects.csv", format!("{SUBJECTS}{THREE}"));
    let options = Options { replaces: Some("1".into()), ..Options::default() };
    let refused = harness.importer().import(Template::Subjects, &path, &options, &mut |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("only a file of records"), "{refused}");
}

/// A clerk imports A, replaces it by B, and finds that A was right.
async fn a_file_that_was_replaced_is_imported_again_and_restores_its_facts(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let (a, b) = (file(&[penalty(1), penalty(2)]), file(&[penalty(1)]));
    let first = harness.import(Template::Records, &a).await.import_seq.unwrap();
    let second = harness.replace(&first, &b, false).await.unwrap().import_seq.unwrap();
    let third = harness.replace(&second, &a, false).await.unwrap();
    assert_eq!((third.outcome, third.accepted), (Outcome::Accepted, 2));
    assert_eq!(third.replaced.unwrap().voided, 0);
    assert_eq!(harness.counting().await, [third.import_seq.unwrap()]);
}

/// A clerk imports a file again: immediately, after another one, and with other options.
async fn a_file_is_known_until_something_changes_its_rows(store: TestStore) {
    let mut harness = ImportHarness::with_subjects(store).await;
    let (a, b) = (file(&[penalty(1)]), file(&[penalty(1).replace("2026-02-01", "2026-02-05")]));
    let first = harness.import(Template::Records, &a).await.import_seq;
    let known = harness.import(Template::Records, &a).await;
    assert_eq!((known.outcome, known.import_seq), (Outcome::Recognised, first));
    harness.import(Template::Subjects, format!("{SUBJECTS}{THREE}").replace("合成诊所", "合成门诊")).await;
    assert_eq!(harness.import(Template::Records, &a).await.outcome, Outcome::Recognised, "no row was rejected");
    harness.import(Template::Records, file(&[penalty(2)])).await;
    assert_eq!(harness.import(Template::Records, &a).await.outcome, Outcome::Recognised, "of other facts");
    harness.import(Template::Records, &b).await;
    let again = harness.import(Template::Records, &a).await;
    assert_eq!((again.outcome, again.accepted), (Outcome::Accepted, 1));
    assert_eq!(harness.import(Template::Records, &a).await.outcome, Outcome::Recognised);
    harness.options.accept_uscc_mismatch = true;
    assert_eq!(harness.import(Template::Records, &a).await.outcome, Outcome::Accepted, "with another option");
    let accepted = imports::list(&harness.store.db.read("test"), "accepted").await.unwrap();
    let of_a = accepted.iter().filter(|import| Some(import.seq) == first).collect::<Vec<_>>();
    assert!(of_a[0].replaced_by.is_some(), "{of_a:?}");
}

/// A subject's licence is suspended by a second file, and the first one is imported again.
async fn a_licence_comes_back_when_the_first_file_is_imported_again(store: TestStore) {
    let harness = ImportHarness::new(store);
    let a = format!("{SUBJECTS}{THREE}");
    let b = a.replace("2019-05-01,active,active", "2019-05-01,active,suspended");
    for (text, licence) in [(&a, "active"), (&b, "suspended"), (&a, "active")] {
        let report = harness.import(Template::Subjects, text).await;
        assert_eq!(report.outcome, Outcome::Accepted);
        assert_eq!(harness.subject(CODE).await.unwrap().licence_status, licence);
    }
}

/// A file of complaints without numbers is imported again after another file.
async fn facts_without_a_document_are_not_counted_again_when_their_file_is(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let a = file(&[format!("{CODE},complaint_received,1,2026-02-01,医保局,\n")]);
    let first = harness.import(Template::Records, &a).await.import_seq.unwrap();
    let rows = [penalty(1), format!("{CODE},complaint_received,1,2026-02-01,医保局,\n")];
    let other = harness.import(Template::Records, file(&rows)).await.import_seq.unwrap();
    let again = harness.import(Template::Records, &a).await.import_seq.unwrap();
    assert_eq!(harness.counting().await, [other, again], "import {first} is replaced by its own second delivery");
}

/// The second delivery of a file has facts that expired meanwhile.
async fn fewer_rows_of_the_same_file_are_not_taken_silently(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let a = file(&[format!("{CODE},visits,5,2025-12-31,医保局,a\n"), penalty(1)]);
    let first = harness.import(Template::Records, &a).await;
    assert_eq!((first.accepted, first.rejected), (2, 0), "{:?}", harness.findings(&first));
    harness.import(Template::Records, file(&[penalty(1).replace("2026-02-01", "2026-02-05")])).await;
    harness.store.clock.advance(std::time::Duration::from_secs(4 * 366 * 86_400));
    let refused = harness.try_import(Template::Records, &a).await.unwrap_err();
    assert!(matches!(refused, ImportError::FewerAccepted { before: 2, now: 1, .. }), "{refused}");
    let replaced = harness.replace(&first.import_seq.unwrap(), &a, false).await.unwrap();
    assert_eq!((replaced.outcome, replaced.accepted), (Outcome::Accepted, 1));
}
