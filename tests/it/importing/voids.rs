//! Facts that are taken back by their documents: by file and by command.

use medcredit::importing::{Decided, FactDecision, ImportError, Options, Outcome, Template, VoidAction};

#[cfg(feature = "parquet")]
use super::parquet_files::{Typed, parquet};
use super::{ImportHarness, RECORDS, encodings::gb18030, stored_facts};
use crate::support::{TestStore, both_engines};

pub const VOIDS: &str = "subject_code,measure,reference,reason,decided_on\n";
const CODE: &str = "H33030200090";

fn penalty(reference: &str, day: &str) -> String {
    format!("{CODE},insurance_penalty,1,{day},医保局,{reference}\n")
}

fn void(reference: &str) -> String {
    format!("{CODE},insurance_penalty,{reference},行政复议撤销,2026-03-20\n")
}

fn decision(action: VoidAction, reference: &str) -> FactDecision {
    FactDecision {
        action,
        subject: CODE.into(),
        measure: "insurance_penalty".into(),
        reference: reference.into(),
        reason: "行政复议撤销".into(),
        decided_on: "2026-03-20".parse().unwrap(),
        decision: Some("温政复〔2026〕3号".into()),
    }
}

async fn with_penalty(store: TestStore) -> ImportHarness {
    let harness = ImportHarness::with_subjects(store).await;
    let report =
        harness.import(Template::Records, format!("{RECORDS}{}", penalty("温医保罚〔2026〕7号", "2026-02-01"))).await;
    assert_eq!((report.accepted, report.rejected), (1, 0), "{:?}", harness.findings(&report));
    harness
}

/// The openings of the ledger entries of an action.
async fn entries(harness: &ImportHarness, action: &str) -> Vec<String> {
    let sql = "SELECT e.body, o.body AS opening FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id \
               WHERE e.type = 'operator' ORDER BY e.id";
    let rows: Vec<(String, String)> = harness.store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
    let wanted = format!("\"{action}\"");
    rows.into_iter().filter(|(body, _)| body.contains(&wanted)).map(|(_, opening)| opening).collect()
}

both_engines! {
    a_fact_is_taken_back_by_its_document_however_it_is_written,
    a_fact_that_nobody_delivered_cannot_be_taken_back,
    taking_back_twice_changes_nothing_and_says_so,
    a_later_delivery_of_a_document_that_was_taken_back_is_reported,
    a_command_takes_back_and_restores,
    a_department_takes_back_facts_of_its_own_sources_only,
}

/// A clerk imports a file of decisions; the bracket and the width of the digits differ from the notice's.
async fn a_fact_is_taken_back_by_its_document_however_it_is_written(store: TestStore) {
    let harness = with_penalty(store).await;
    let report = harness.import(Template::Voids, format!("{VOIDS}{}", void("温医保罚[２０２６] 7号"))).await;
    assert_eq!((report.outcome, report.accepted), (Outcome::Accepted, 1), "{:?}", harness.findings(&report));
    let entries = entries(&harness, "fact_voided").await;
    assert!(entries.len() == 1 && entries[0].contains(CODE) && entries[0].contains("行政复议撤销"), "{entries:?}");
    assert_eq!(stored_facts(&harness.store, CODE).await.len(), 1, "nothing is deleted");
}

/// A clerk's file names a document that nobody delivered, one of another measure, and no subject of the store.
async fn a_fact_that_nobody_delivered_cannot_be_taken_back(store: TestStore) {
    let harness = with_penalty(store).await;
    let others = [
        void("温医保罚〔2026〕8号"),
        void("温医保罚〔2026〕7号").replace("insurance_penalty", "health_penalty"),
        void("温医保罚〔2026〕7号").replace(CODE, "H33030200099"),
        void("温医保罚〔2026〕7号").replace("insurance_penalty", "fines"),
    ];
    let report = harness.import(Template::Voids, format!("{VOIDS}{}", others.concat())).await;
    assert_eq!(report.outcome, Outcome::NothingTaken);
    let expected = [
        "2 reference fact_unknown reject",
        "3 reference fact_unknown reject",
        "4 subject_code subject_unknown reject",
        "5 measure measure_unknown reject",
    ];
    assert_eq!(harness.findings(&report), expected);
    let refused = harness.importer().decide(&decision(VoidAction::Void, "温医保罚〔2026〕8号")).await.unwrap_err();
    assert!(matches!(&refused, ImportError::FactUnknown { .. }) && refused.to_string().contains("8号"), "{refused}");
    assert!(entries(&harness, "fact_voided").await.is_empty());
}

/// A clerk imports a decision a second time, in another file with a new one.
async fn taking_back_twice_changes_nothing_and_says_so(store: TestStore) {
    let harness = with_penalty(store).await;
    harness.import(Template::Records, format!("{RECORDS}{}", penalty("温医保罚〔2026〕8号", "2026-02-02"))).await;
    let first = format!("{VOIDS}{}", void("温医保罚〔2026〕7号"));
    harness.import(Template::Voids, &first).await;
    assert_eq!(harness.import(Template::Voids, &first).await.outcome, Outcome::Recognised);
    let both = format!("{first}{}", void("温医保罚〔2026〕8号"));
    let report = harness.import(Template::Voids, both).await;
    assert_eq!((report.accepted, report.rejected, report.warnings), (2, 0, 1));
    assert_eq!(harness.findings(&report), ["2 reference already_void warning"]);
    assert_eq!(entries(&harness, "fact_voided").await.len(), 2, "one for each fact");
    let again = harness.importer().decide(&decision(VoidAction::Void, "温医保罚〔2026〕7号")).await.unwrap();
    assert!(matches!(again, Decided::Already { import_seq: Some(_) }), "{again:?}");
}

/// A department delivers a notice again that was taken back.
async fn a_later_delivery_of_a_document_that_was_taken_back_is_reported(store: TestStore) {
    let harness = with_penalty(store).await;
    harness.import(Template::Voids, format!("{VOIDS}{}", void("温医保罚〔2026〕7号"))).await;
    let again = penalty("温医保罚(2026)7号", "2026-02-01") + &penalty("温医保罚〔2026〕9号", "2026-02-01");
    let again = format!("{RECORDS}{again}");
    // In whichever format: plain CSV is checked by blocks of lines, any other row by row.
    let files = [again.clone().into_bytes(), gb18030(&again)].into_iter();
    #[cfg(feature = "parquet")]
    let files = files.chain([parquet(&again, |_| Typed::Text, 9)]);
    for file in files {
        let path = harness.write("again", file);
        let report = harness.import_file(Template::Records, &path).await.unwrap();
        assert_eq!((report.accepted, report.rejected), (2, 0));
        assert_eq!(harness.findings(&report), ["2 reference voided_document warning"]);
    }
}

/// An operator takes a fact back by command, repeats it, and restores the fact.
async fn a_command_takes_back_and_restores(store: TestStore) {
    let harness = with_penalty(store).await;
    let importer = harness.importer();
    let void = decision(VoidAction::Void, "温医保罚(2026)7号");
    let restore = decision(VoidAction::Restore, "温医保罚〔2026〕7号");
    assert!(matches!(importer.decide(&restore).await.unwrap(), Decided::Already { import_seq: None }));
    assert!(matches!(importer.decide(&void).await.unwrap(), Decided::Done { .. }));
    assert!(matches!(importer.decide(&void).await.unwrap(), Decided::Already { .. }));
    assert!(matches!(importer.decide(&restore).await.unwrap(), Decided::Done { .. }));
    assert!(matches!(importer.decide(&void).await.unwrap(), Decided::Done { .. }));
    assert_eq!(entries(&harness, "fact_voided").await.len(), 2);
    assert_eq!(entries(&harness, "fact_restored").await.len(), 1);
    for wrong in [
        FactDecision { reason: "two\nlines".into(), ..void.clone() },
        FactDecision { decided_on: "2099-01-01".parse().unwrap(), ..void.clone() },
        FactDecision { measure: "fines".into(), ..void.clone() },
        FactDecision { subject: "H33030299999".into(), ..void.clone() },
        FactDecision { reference: "  ".into(), ..void.clone() },
    ] {
        let refused = importer.decide(&wrong).await.unwrap_err();
        assert!(matches!(refused, ImportError::Decision(_)), "{wrong:?}: {refused}");
    }
}

/// A department takes back a fact of another one.
async fn a_department_takes_back_facts_of_its_own_sources_only(store: TestStore) {
    let harness = with_penalty(store).await;
    let text = format!("{VOIDS}{}", void("温医保罚〔2026〕7号"));
    for (source, expected) in [("卫健委", 0), ("医保局", 1)] {
        let sender = medcredit::importing::Sender {
            client: medcredit::domain::ids::ClientId::new(&*harness.store.clock, &*harness.store.entropy),
            epoch: 1,
            sources: std::sync::Arc::new([source.to_owned()].into()),
        };
        let path = harness.write("voids.csv", &text);
        // Only checked: the sender is not registered in this store.
        let options = Options { sender: Some(sender), check_only: true, ..Options::default() };
        let report = harness.importer().import(Template::Voids, &path, &options, &mut |_| {}).await.unwrap();
        assert_eq!(report.accepted, expected, "{source}: {:?}", report.findings);
    }
}
