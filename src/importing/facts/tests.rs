//! The chunks have the facts of the file, whatever the order of its lines and the number of threads.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _, sync::Arc};

use super::*;
use crate::{
    facts::{Chunk, FactsOf, Totals},
    importing::{
        References, Template,
        batch::{Batch, Stop},
        file_context::FileContext,
        findings::Code,
        layout::Layout,
    },
    scoring::{Catalogue, shipped},
    store::Crypter,
};

/// A stored fact: half-year, subject, measure, day, source and reference, with its value and line.
type Stored = BTreeMap<(String, String, String, String, String, String), (i64, u64)>;

/// The checks of a city with some institutions.
fn checks(subjects: usize) -> FactChecks {
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
    let crypter = Arc::new(Crypter::new(&["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]).expect("a key"));
    let rules = Rules { references: Arc::new(references), crypter, accept_uscc_mismatch: false, sources: None };
    FactChecks::new(rules, (0..subjects).map(subject).collect(), today(), 40)
}

fn today() -> Day {
    "2026-06-30".parse().expect("a day")
}

/// Checks a file on some threads. The spill file has the partitions of a file of `size`.
fn check_file(
    checks: &FactChecks,
    bytes: &[u8],
    size: u64,
    threads: usize,
    send: impl FnMut(Batch) -> Result<(), Stop> + Send,
) -> Result<Spill, Stop> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    let header: Vec<String> = HEADER.trim().split(',').map(str::to_owned).collect();
    let layout = Layout::of(Template::Records, &header).expect("the template's header");
    let context = FileContext { layout: &layout, today: today(), references: &checks.rules.references, typed: false };
    let csv = PlainCsv::examine(file.path()).expect("plain CSV");
    let spill = checks.spill(size)?;
    check_csv(Parallel { checks, file: context, spill: &spill, threads }, &csv, send)?;
    Ok(spill)
}

struct Imported {
    chunks: Vec<(String, Chunk)>,
    repeated: Vec<u64>,
    findings: Vec<(u64, Code)>,
    rows: u64,
    passed: u64,
}

fn import(checks: &FactChecks, text: &str, threads: usize) -> Imported {
    let (mut findings, mut rows, mut passed) = (Vec::new(), 0, 0);
    // A size that makes several partitions of a small file.
    let spill = check_file(checks, text.as_bytes(), 200 << 20, threads, |batch| {
        findings.extend(batch.findings.iter().map(|finding| (finding.line, finding.code)));
        rows += batch.read;
        passed += batch.passed.spilled;
        Ok(())
    });
    let (to, from) = std::sync::mpsc::channel();
    pack(checks, &spill.expect("checked"), threads, |part| to.send(part).map_err(|_| Stop::Dropped)).expect("packed");
    drop(to);
    let (mut chunks, mut repeated) = (Vec::new(), Vec::new());
    for part in from {
        match part {
            PackedPart::Chunk { kind, chunk, .. } => chunks.push((kind, *chunk)),
            PackedPart::Repeated(lines) => repeated.extend(lines),
            PackedPart::Merged(merged) => findings.extend(merged.iter().map(|finding| (finding.line, finding.code))),
        }
    }
    repeated.sort_unstable();
    Imported { chunks, repeated, findings, rows, passed }
}

fn stored(imported: &Imported) -> Stored {
    let mut stored = Stored::new();
    for (kind, chunk) in &imported.chunks {
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
                assert!(stored.insert(key, (fact.value_e4, fact.line)).is_none(), "a fact is stored twice");
            }
        }
    }
    stored
}

const HEADER: &str = "subject_code,measure,value,occurred_on,source,reference\n";

#[test]
fn the_chunks_have_the_facts_of_the_file() {
    let checks = checks(300);
    let (mut text, mut expected) = (HEADER.to_owned(), Stored::new());
    // In no order.
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
        let imported = import(&checks, &text, threads);
        assert_eq!((imported.rows, imported.passed, imported.findings.len()), (40_000, 40_000, 0));
        assert_eq!(stored(&imported), expected);
    }
}

#[test]
fn every_fault_is_reported_with_its_line_and_other_rows_are_stored() {
    let checks = checks(3);
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
        + "H33030200002,visits,5.001%,2026-03-01,医保局,J\n"
        + "H33030200002,visits,7,2026-03-01,医保局,K";
    for text in [text.clone(), text.replace(",K", ",\"K\"")] {
        let imported = import(&checks, &text, 2);
        let found: Vec<(u64, &str)> = imported.findings.iter().map(|(line, code)| (*line, code.as_str())).collect();
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
        assert_eq!(imported.repeated, [12], "the first of two rows with one key counts");
        assert_eq!((imported.rows, imported.passed), (13, 3));
        let stored: Vec<_> = stored(&imported).into_iter().map(|(key, value)| (key.1, key.5, value)).collect();
        assert_eq!(
            stored,
            [
                ("H33030200001".to_owned(), "A".to_owned(), (100_000, 2)),
                ("H33030200002".to_owned(), "K".to_owned(), (70_000, 15)),
            ]
        );
    }
}

#[test]
fn a_row_that_is_not_utf8_is_reported_and_skipped() {
    let checks = checks(3);
    // Behind the part that is examined, so that the file is read as plain CSV.
    let good = b"H33030200001,visits,1,2026-03-01,\xe5\x8c\xbb\xe4\xbf\x9d\xe5\xb1\x80,B\n";
    let rows = (4 << 20) / good.len() + 1;
    let mut bytes = HEADER.as_bytes().to_vec();
    bytes.extend(good.repeat(rows));
    bytes.extend(b"H33030200001,visits,10,2026-03-01,\xb9\xfa,A\n");
    bytes.extend(good);
    let (mut read, mut passed, mut findings) = (0, 0, Vec::new());
    check_file(&checks, &bytes, 10, 1, |batch| {
        read += batch.read;
        passed += batch.passed.spilled;
        findings.extend(batch.findings.iter().map(|finding| (finding.line, finding.code)));
        Ok(())
    })
    .expect("checked");
    let rows = u64::try_from(rows).expect("few");
    assert_eq!((read, passed, findings), (rows + 2, rows + 1, vec![(rows + 2, Code::NotUtf8)]));
}

#[test]
fn reading_ends_when_nobody_receives() {
    let checks = checks(3);
    let row = b"H33030200001,visits,10,2026-03-01,s,A\n";
    // Many more blocks than may wait: the reader must notice that nobody takes them any more.
    let bytes = [HEADER.as_bytes(), &row.repeat((64 << 20) / row.len())].concat();
    let stopped = check_file(&checks, &bytes, 64 << 20, 1, |_| Err(Stop::Dropped));
    assert!(matches!(stopped, Err(Stop::Dropped)));
}
