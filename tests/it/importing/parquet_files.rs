//! Parquet files with the same rows and reports as CSV files, and damaged or malformed ones.

use std::{path::PathBuf, sync::Arc};

use medcredit::{
    importing::{Encoding, Format, ImportError, Report, Template},
    store::settlements,
};
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{
        BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, Int32Type, Int64Type,
    },
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use super::{
    ADVERSE, AFFILIATIONS, ImportHarness, RECORDS, SETTLEMENTS, SUBJECTS, THREE, encodings::gb18030, month,
    stored_facts,
};
use crate::support::{TestStore, block_on, both_engines};

/// The Parquet type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    Text,
    RequiredText,
    Binary,
    Long,
    Int,
    Unsigned,
    Date,
    Stamp,
    UtcStamp,
    Bool,
    Double,
    /// DECIMAL(18,4) in an INT64, in sixteen bytes, and with six places.
    Decimal,
    WideDecimal,
    FineDecimal,
}

impl Typed {
    fn schema(self, name: &str) -> String {
        let kind = match self {
            Self::RequiredText => return format!("required binary {name} (STRING);"),
            Self::Text => "binary {} (STRING)",
            Self::Binary => "binary {}",
            Self::Long => "int64 {}",
            Self::Int => "int32 {}",
            Self::Unsigned => "int32 {} (INTEGER(32,false))",
            Self::Date => "int32 {} (DATE)",
            Self::Stamp => "int64 {} (TIMESTAMP(MICROS,false))",
            Self::UtcStamp => "int64 {} (TIMESTAMP(MILLIS,true))",
            Self::Bool => "boolean {}",
            Self::Double => "double {}",
            Self::Decimal => "int64 {} (DECIMAL(18,4))",
            Self::WideDecimal => "fixed_len_byte_array (16) {} (DECIMAL(38,4))",
            Self::FineDecimal => "int64 {} (DECIMAL(18,6))",
        };
        format!("optional {};", kind.replace("{}", name))
    }
}

/// The type of a template's column, other than text.
fn natural(column: &str) -> Typed {
    match column {
        "value" => Typed::Decimal,
        "main" => Typed::Bool,
        "visits" => Typed::Int,
        "persons" => Typed::Unsigned,
        "as_of" | "decided_on" => Typed::Stamp,
        _ if column.ends_with("_on") => Typed::Date,
        _ if column.ends_with("_fen") => Typed::Long,
        "subject_code" => Typed::RequiredText,
        "reference" => Typed::Binary,
        _ => Typed::Text,
    }
}

fn days(text: &str) -> i32 {
    let day: medcredit::domain::Day = text.parse().unwrap();
    i32::try_from(day.days_since("1970-01-01".parse().unwrap())).unwrap()
}

fn ten_thousandths(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<4}").parse().unwrap()
}

/// A CSV text as Parquet, in row groups of some rows.
pub(super) fn parquet(csv: &str, typed: impl Fn(&str) -> Typed, group: usize) -> Vec<u8> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.unwrap()).collect();
    let fields: String = names.iter().map(|name| typed(name).schema(name)).collect();
    let schema = Arc::new(parse_message_type(&format!("message rows {{ {fields} }}")).unwrap());
    let zstd = Compression::ZSTD(ZstdLevel::default());
    // Several pages of each column in a group, but not thousands: each is compressed by itself.
    let page = group.div_ceil(20).max(3);
    let properties = WriterProperties::builder().set_compression(zstd).set_data_page_row_count_limit(page).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for rows in rows.chunks(group.max(1)) {
        let mut writing = writer.next_row_group().unwrap();
        for (at, name) in names.iter().enumerate() {
            let cells: Vec<&str> = rows.iter().map(|row| &row[at]).collect();
            let mut column = writing.next_column().unwrap().unwrap();
            let text = |cell: &str| ByteArray::from(cell.as_bytes().to_vec());
            match typed(name) {
                Typed::RequiredText => {
                    let values: Vec<_> = cells.iter().map(|cell| text(cell)).collect();
                    column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
                }
                Typed::Text | Typed::Binary => write::<ByteArrayType>(&mut column, &cells, text),
                Typed::Long => write::<Int64Type>(&mut column, &cells, |cell| cell.parse().unwrap()),
                Typed::Int => write::<Int32Type>(&mut column, &cells, |cell| cell.parse().unwrap()),
                Typed::Unsigned => {
                    write::<Int32Type>(&mut column, &cells, |cell| cell.parse::<u32>().unwrap().cast_signed())
                }
                Typed::Date => write::<Int32Type>(&mut column, &cells, days),
                Typed::Stamp => write::<Int64Type>(&mut column, &cells, |cell| i64::from(days(cell)) * 86_400_000_000),
                Typed::UtcStamp => write::<Int64Type>(&mut column, &cells, |cell| i64::from(days(cell)) * 86_400_000),
                Typed::Bool => write::<BoolType>(&mut column, &cells, |cell| cell == "1"),
                Typed::Double => write::<DoubleType>(&mut column, &cells, |cell| cell.parse().unwrap()),
                Typed::Decimal => write::<Int64Type>(&mut column, &cells, ten_thousandths),
                Typed::FineDecimal => write::<Int64Type>(&mut column, &cells, |cell| ten_thousandths(cell) * 100),
                Typed::WideDecimal => write::<FixedLenByteArrayType>(&mut column, &cells, |cell| {
                    i128::from(ten_thousandths(cell)).to_be_bytes().to_vec().into()
                }),
            }
            column.close().unwrap();
        }
        writing.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn write<T: DataType>(
    column: &mut parquet::file::writer::SerializedColumnWriter<'_>,
    cells: &[&str],
    value: impl Fn(&str) -> T::T,
) {
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(!cell.is_empty())).collect();
    let values: Vec<T::T> = cells.iter().filter(|cell| !cell.is_empty()).map(|cell| value(cell)).collect();
    column.typed::<T>().write_batch(&values, Some(&levels), None).unwrap();
}

pub(super) async fn import(harness: &ImportHarness, template: Template, bytes: Vec<u8>) -> Result<Report, ImportError> {
    let path: PathBuf = harness.write(&format!("{template}.parquet"), bytes);
    harness.import_file(template, &path).await
}

/// The result of an import: its counts, its report, and the stored rows.
async fn result_of(harness: &ImportHarness, report: &Report) -> (String, Vec<String>) {
    let counts = format!("{} {} {} {:?}", report.rows, report.accepted, report.rejected, report.findings);
    // Not the rows beside them: a typed file has other texts for the same values.
    let rejects: Vec<String> = harness.rows_of(report).iter().map(|row| format!("{row:?}")).collect();
    let rejects = rejects.join("\n");
    let read = harness.store.db.read("test");
    let mut stored = Vec::new();
    let codes = ["H33030200090".to_owned(), "P33030400017".to_owned(), "D330302000123".to_owned()];
    let (from, to) = ("2000-01".parse().unwrap(), "2030-12".parse().unwrap());
    for row in settlements::list_versions(&read, &codes, from, to).await.unwrap() {
        stored.push(format!("{row:?}"));
    }
    for code in &codes {
        stored.extend(stored_facts(&harness.store, code).await.iter().map(|fact| format!("{fact:?}")));
    }
    for code in &codes {
        let subject = harness.subject(code).await.unwrap();
        stored.push(format!("{:?}", medcredit::store::subjects::SubjectRow { sealed_identity: None, ..subject }));
    }
    (format!("{counts}\n{rejects}"), stored)
}

/// Valid and invalid settlements: a future month, a malformed amount, an unknown subject, a repeated row.
fn settlements_with_faults(bad_amount: bool) -> String {
    let mut csv = SETTLEMENTS.to_owned();
    for nth in 1..=12 {
        csv.push_str(&month("H33030200090", &format!("2025-{nth:02}"), 100_000 * nth, "final"));
    }
    csv.push_str(&month("H33030200090", "2031-01", 5, "final"));
    csv.push_str(&month("H33030299999", "2025-01", 5, "final"));
    csv.push_str(&month("H33030200090", "2025-03", 7, "final"));
    csv.push_str(&month("P33030400017", "2025-03", 700, "settled"));
    if bad_amount {
        csv.push_str(&month("P33030400017", "2025-04", 700, "final").replace(",120,", ",many,"));
    }
    csv.push_str(&month("P33030400017", "2025-05", 700, "final"));
    csv
}

fn records_with_faults() -> String {
    format!(
        "{RECORDS}\
H33030200090,insurance_commendation,1,2026-01-05,医保局,\"a,\"\"b\"\"\"
H33030200090,no_such_measure,1.2500,2026-01-05,医保局,
H33030200090,insurance_commendation,1,,医保局,c
H33030200090,insurance_commendation,1.0001,2026-01-06,=医保局,d
H33030200090,insurance_commendation,1,2026-01-07,市场监管局,e
"
    )
}

both_engines! {
    the_same_rows_give_the_same_result_in_every_format,
}

/// A clerk imports the same rows as CSV in both encodings and as Parquet, typed and as text.
async fn the_same_rows_give_the_same_result_in_every_format(store: TestStore) {
    // A typed column cannot have a malformed amount, so only the text columns have that row.
    for (template, csv, typed) in [
        (Template::Settlements, settlements_with_faults(true), None),
        (Template::Settlements, settlements_with_faults(false), Some(natural as fn(&str) -> Typed)),
        (Template::Records, records_with_faults(), None),
        (Template::Records, records_with_faults(), Some(natural)),
        (Template::Subjects, format!("{SUBJECTS}{}", THREE.replace(",330304,", ",3303,")), None),
    ] {
        let mut seen = Vec::new();
        for format in [Format::Csv(Encoding::Utf8), Format::Csv(Encoding::Gb18030), Format::Parquet] {
            // The store under test once, and new ones for the others, so that no import recognises another's file.
            let store = match store.db.engine() {
                medcredit::store::Engine::Sqlite => TestStore::sqlite().await,
                medcredit::store::Engine::Postgres => TestStore::postgres().await,
            };
            let mut harness = ImportHarness::with_subjects(store).await;
            harness.options.format = Some(format);
            harness.options.chunk_rows = 4;
            let bytes = match format {
                Format::Csv(Encoding::Utf8) => csv.clone().into_bytes(),
                Format::Csv(Encoding::Gb18030) => gb18030(&csv),
                Format::Parquet => parquet(&csv, typed.unwrap_or(|_| Typed::Text), 5),
                other => panic!("{other:?} is not compared here"),
            };
            let path = harness.write("file", bytes);
            let report = harness.import_file(template, &path).await.unwrap();
            seen.push((format, result_of(&harness, &report).await));
        }
        let (_, first) = &seen[0];
        assert!(first.0.contains("reject"), "{}", first.0);
        for (format, other) in &seen[1..] {
            assert_eq!(other, first, "{template} as {format:?}");
        }
    }
    drop(store);
}

#[test]
fn rows_of_several_pages_are_read_in_order() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let rows: String =
            (0..5_000).map(|nth| format!("H33030200090,insurance_commendation,1,2026-01-05,医保局,{nth}\n")).collect();
        let bytes = parquet(&format!("{RECORDS}{rows}H33030200090,nothing,1,2026-01-05,医保局,x\n"), natural, 1_500);
        let report = import(&harness, Template::Records, bytes).await.unwrap();
        assert_eq!((report.rows, report.accepted), (5_001, 5_000));
        assert_eq!(harness.findings(&report), ["5002 measure measure_unknown reject"]);
    });
}

#[test]
fn columns_that_are_missing_unknown_or_of_a_wrong_type_are_named() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let rows = format!("{RECORDS}H33030200090,insurance_commendation,1,2026-01-05,医保局,1\n");
        let refused = async |typed: fn(&str) -> Typed, header: &str| {
            let rows = rows.replacen(RECORDS.trim_end(), header, 1);
            let error = import(&harness, Template::Records, parquet(&rows, typed, 9)).await.unwrap_err();
            assert!(matches!(error, ImportError::Header { .. }), "{error}");
            error.to_string()
        };
        let header = RECORDS.trim_end();
        let other = header.replace("source", "bron");
        let error = refused(|_| Typed::Text, &other).await;
        assert!(error.contains("column source is missing") && error.contains("\"bron\" is not known"), "{error}");
        for (column, typed, words) in [
            (
                "value",
                (|name| if name == "value" { Typed::FineDecimal } else { Typed::Text }) as fn(&str) -> Typed,
                "DECIMAL",
            ),
            ("occurred_on", |name| if name == "occurred_on" { Typed::Bool } else { Typed::Text }, "write a date"),
            ("reference", |name| if name == "reference" { Typed::Long } else { Typed::Text }, "write it as text"),
        ] {
            let error = refused(typed, header).await;
            assert!(error.contains(&format!("column {column} is ")) && error.contains(words), "{error}");
        }
    });
}

#[test]
fn decimals_of_sixteen_bytes_are_read_exactly() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let rows = format!("{RECORDS}H33030200090,fund_used,-1234567.0375,2026-01-05,医保局,1\n");
        let typed = |name: &str| if name == "value" { Typed::WideDecimal } else { Typed::Text };
        let wide = import(&harness, Template::Records, parquet(&rows, typed, 9)).await.unwrap();
        assert_eq!((wide.accepted, wide.rejected), (1, 0), "{:?}", harness.rows_of(&wide));
        let facts = stored_facts(&harness.store, "H33030200090").await;
        assert_eq!(facts.iter().map(|(_, fact)| fact.value_e4).collect::<Vec<_>>(), [-12_345_670_375]);
    });
}

#[test]
fn a_value_that_is_not_text_rejects_its_row_with_line_and_column() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let rows = format!(
            "{RECORDS}H33030200090,insurance_commendation,1,2026-01-05,医保局,1\nH33030200090,insurance_commendation,1,2026-01-05,SPOILT,2\n"
        );
        let mut bytes = parquet(&rows, |_| Typed::Text, 1);
        // Short columns are not compressed, so that the text can be found and damaged in the file.
        let places: Vec<_> = bytes.windows(6).enumerate().filter(|(_, w)| w == b"SPOILT").map(|(at, _)| at).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at] = 0xff;
        }
        let report = import(&harness, Template::Records, bytes).await.unwrap();
        assert_eq!(harness.findings(&report), ["3 source not_utf8 reject"]);
        assert_eq!(report.accepted, 1);
    });
}

#[test]
fn affiliations_and_adverse_facts_have_flags_and_days() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let rows = format!("{AFFILIATIONS}D330302000123,H33030200090,1,2020-01-01,\n");
        let report = import(&harness, Template::Affiliations, parquet(&rows, natural, 9)).await.unwrap();
        assert_eq!((report.accepted, report.rejected), (1, 0), "{:?}", harness.rows_of(&report));
        let rows = format!("{ADVERSE}H33030200090,决字1号,市场监管局,general,2025-02-01,2025-02-10,,,effective\n");
        let report = import(&harness, Template::Adverse, parquet(&rows, natural, 9)).await.unwrap();
        assert_eq!((report.accepted, report.rejected), (1, 0), "{:?}", harness.rows_of(&report));
    });
}

#[test]
fn a_damaged_file_is_refused_wherever_it_is_damaged() {
    block_on(async {
        let mut harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let rows: String =
            (0..14).map(|nth| format!("H33030200090,insurance_commendation,1,2026-01-05,医保局,{nth}\n")).collect();
        // Two groups, with three pages of each column.
        let whole = parquet(&format!("{RECORDS}{rows}"), natural, 7);
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            // A check reads the whole file like an import; only some are imported, because that takes twice as long.
            harness.options.check_only = at % 5 > 0;
            // Some damage only changes a value. The process must not panic, and the lock must be released.
            match import(&harness, Template::Records, damaged).await {
                Ok(report) => assert!(report.rows <= 14, "{report:?}"),
                Err(error @ (ImportError::Busy | ImportError::ReaderGone)) => panic!("damage at {at}: {error}"),
                Err(_) => {}
            }
        }
        harness.options.check_only = false;
        assert!(import(&harness, Template::Records, whole[..whole.len() / 2].to_vec()).await.is_err(), "cut off");
    });
}

#[test]
fn a_page_that_would_fill_the_memory_is_refused() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        // One page of 32 MiB that is a few kilobytes in the file.
        let long = "x".repeat(32 << 20);
        let rows = format!("{RECORDS}H33030200090,insurance_commendation,1,2026-01-05,医保局,{long}\n");
        let bytes = parquet(&rows, |_| Typed::Text, 1);
        assert!(bytes.len() < 100_000, "{}", bytes.len());
        let error = import(&harness, Template::Records, bytes).await.unwrap_err();
        assert!(format!("{error:?}").contains("larger than 16 MiB"), "{error:?}");
    });
}
