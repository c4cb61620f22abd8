//! What a file says is what the chunks hold, whatever the order of its lines and the number of threads.

use std::{collections::BTreeMap, fmt::Write, io::Write as _, sync::Arc};

use super::*;
use crate::{
    facts::{Chunk, FactsOf, Totals},
    importing::{References, Rules, findings::Code, rows::records},
    scoring::{Catalogue, shipped},
    store::{Crypter, facts::SubjectRow},
};

type Kept = BTreeMap<(String, String, String, String, String, String), (i64, u64)>;

struct World {
    known: Known,
    rules: Rules,
}

fn world(subjects: usize) -> World {
    let catalogues: Vec<Catalogue> = shipped::CATALOGUES
        .iter()
        .map(|(name, text)| Catalogue::parse(name, text).expect("a shipped catalogue"))
        .collect();
    let references = References::built_in(catalogues).expect("references");
    let subject = |nth| SubjectRow {
        code: format!("H330302{nth:05}"),
        kind: "medical_institution".to_owned(),
        region: "330302".to_owned(),
    };
    let subjects = (0..subjects).map(subject).collect();
    let today = "2026-06-30".parse().expect("a day");
    let known = Known::new(subjects, &references, today, 40);
    let crypter = Arc::new(Crypter::new(&["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]).expect("a key"));
    World {
        known,
        rules: Rules { references: Arc::new(references), crypter, accept_uscc_mismatch: false, sources: None },
    }
}

struct Came {
    chunks: Vec<(String, Chunk)>,
    repeated: Vec<u64>,
    findings: Vec<(u64, Code)>,
    rows: u64,
    taken: u64,
}

fn import(world: &World, text: &str, threads: usize) -> Came {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    let places = [0, 1, 2, 3, 4, 5];
    let checking =
        Checking { known: &world.known, rules: &world.rules, places: &places, width: 6, columns: records::COLUMNS };
    let (mut findings, mut rows, mut taken) = (Vec::new(), 0, 0);
    // A size that makes several heaps of a small file.
    let sifted = sift_csv(checking, (file.path(), 200 << 20), threads, |told| {
        findings.extend(told.findings.iter().map(|finding| (finding.line, finding.code)));
        rows += told.rows;
        taken += told.taken;
        true
    });
    let sifted = &sifted.expect("sifted").expect("somebody listens");
    let (to, mut from) = tokio::sync::mpsc::channel(4);
    let (mut chunks, mut repeated) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            settle(&world.known, sifted, threads, |heaped| to.blocking_send(heaped).is_ok());
            drop(to);
        });
        while let Some(heaped) = from.blocking_recv() {
            match heaped {
                PackedPart::Chunk { kind, chunk } => chunks.push((kind, *chunk)),
                PackedPart::Repeated(lines) => repeated.extend(lines),
                PackedPart::Failed(error) => panic!("{error}"),
            }
        }
    });
    repeated.sort_unstable();
    Came { chunks, repeated, findings, rows, taken }
}

fn kept(came: &Came) -> Kept {
    let mut kept = Kept::new();
    for (kind, chunk) in &came.chunks {
        assert_eq!(kind, "medical_institution");
        let totals = Totals::read(&chunk.totals).expect("totals");
        let mut facts = FactsOf::new(&totals, &chunk.facts, chunk.period).expect("facts");
        for at in 0..totals.len() {
            for fact in facts.of(at).expect("facts") {
                let measure = totals.measures()[fact.measure].clone();
                let key = (
                    chunk.period.to_string(),
                    totals.code(at).to_owned(),
                    measure,
                    fact.day.to_string(),
                    fact.source,
                    fact.reference,
                );
                assert!(kept.insert(key, (fact.value_e4, fact.line)).is_none(), "a fact is kept twice");
            }
        }
    }
    kept
}

const HEADER: &str = "subject_code,measure,value,occurred_on,source,reference\n";

#[test]
fn what_the_file_says_is_what_is_kept() {
    let world = world(300);
    let (mut text, mut expected) = (HEADER.to_owned(), Kept::new());
    // Not in the order of anything.
    for nth in 0..40_000u64 {
        let (subject, day) = ((nth * 7_919) % 300, (nth * 31) % 28 + 1);
        let (month, measure) = ([2, 9][usize::from(nth % 3 == 0)], ["visits", "fund_used"][usize::from(nth % 5 == 0)]);
        let year = if month == 9 { 2025 } else { 2026 };
        writeln!(text, "H330302{subject:05},{measure},{}.25,{year}-{month:02}-{day:02},医保局,R{nth}", nth % 97)
            .expect("written");
        let half = if month == 9 { "2025-H2" } else { "2026-H1" };
        expected.insert(
            (
                half.to_owned(),
                format!("H330302{subject:05}"),
                measure.to_owned(),
                format!("{year}-{month:02}-{day:02}"),
                "医保局".to_owned(),
                format!("R{nth}"),
            ),
            (i64::try_from(nth % 97).expect("small") * 10_000 + 2_500, nth + 2),
        );
    }
    for threads in [1, 4] {
        let came = import(&world, &text, threads);
        assert_eq!((came.rows, came.taken, came.findings.len()), (40_000, 40_000, 0));
        assert_eq!(kept(&came), expected);
    }
}

#[test]
fn every_fault_is_told_with_its_line_and_the_rest_is_kept() {
    let world = world(3);
    let text = HEADER.to_owned()
        + "H33030200001,visits,10,2026-03-01,医保局,A\r\n"
        + "\n"
        + "H33030200099,visits,10,2026-03-01,医保局,B\n"
        + "H33030200001,no_such_measure,10,2026-03-01,医保局,C\n"
        + "H33030200001,visits,ten,2026-03-01,医保局,D\n"
        + "H33030200001,visits,-1,2026-03-01,医保局,E\n"
        + "H33030200001,visits,10,2026-07-01,医保局,F\n"
        + "H33030200001,visits,10,2026-02-30,医保局,G\n"
        + "H33030200001,visits,10,2026-03-01,,H\n"
        + "H33030200001,visits,10,2026-03-01\n"
        + "H33030200001,visits,11,2026-03-01,医保局,A\n"
        + "h33030200001,visits,11,2026-03-01,医保局,I\n"
        + "H33030200002,visits,5%,2026-03-01,医保局,J\n"
        + "H33030200002,visits,7,2026-03-01,医保局,K";
    for text in [text.clone(), text.replace(",K", ",\"K\"")] {
        let came = import(&world, &text, 2);
        let found: Vec<(u64, &str)> = came.findings.iter().map(|(line, code)| (*line, code.as_str())).collect();
        assert_eq!(
            found,
            [
                (4, "subject_unknown"),
                (5, "measure_unknown"),
                (6, "value_malformed"),
                (7, "value_out_of_range"),
                (8, "date_in_future"),
                (9, "date_malformed"),
                (10, "empty"),
                (11, "column_count"),
                (13, "code_malformed"),
                (14, "value_malformed"),
            ]
        );
        assert_eq!(came.repeated, [12], "the first of two rows with one key counts");
        assert_eq!((came.rows, came.taken), (13, 3));
        let kept: Vec<_> = kept(&came).into_iter().map(|(key, value)| (key.1, key.5, value)).collect();
        assert_eq!(
            kept,
            [
                ("H33030200001".to_owned(), "A".to_owned(), (100_000, 2)),
                ("H33030200002".to_owned(), "K".to_owned(), (70_000, 15)),
            ]
        );
    }
}

#[test]
fn a_row_that_is_not_utf8_is_told_and_passed_over() {
    let world = world(3);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(HEADER.as_bytes()).expect("written");
    file.write_all(b"H33030200001,visits,10,2026-03-01,\xb9\xfa,A\nH33030200001,visits,1,2026-03-01,\xe5\x8c\xbb\xe4\xbf\x9d\xe5\xb1\x80,B\n")
        .expect("written");
    let places = [0, 1, 2, 3, 4, 5];
    let checking =
        Checking { known: &world.known, rules: &world.rules, places: &places, width: 6, columns: records::COLUMNS };
    let mut told = Vec::new();
    sift_csv(checking, (file.path(), 10), 1, |one| {
        told.push((one.rows, one.taken, one.findings));
        true
    })
    .expect("sifted");
    let [(2, 1, findings)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(findings.iter().map(|finding| (finding.line, finding.code)).collect::<Vec<_>>(), [(2, Code::NotUtf8)]);
}

#[test]
fn an_import_that_nobody_waits_for_ends() {
    let world = world(3);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(HEADER.as_bytes()).expect("written");
    let row = b"H33030200001,visits,10,2026-03-01,s,A\n";
    // Many more blocks than may wait: whoever gives them must notice that nobody takes them any more.
    file.write_all(&row.repeat((64 << 20) / row.len())).expect("written");
    let places = [0, 1, 2, 3, 4, 5];
    let checking =
        Checking { known: &world.known, rules: &world.rules, places: &places, width: 6, columns: records::COLUMNS };
    let sifted = sift_csv(checking, (file.path(), 64 << 20), 1, |_| false).expect("no error");
    assert!(sifted.is_none());
}
