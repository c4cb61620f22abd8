//! Files in GB 18030, as much of the bureau's software writes them, and files in another encoding than the one given.

use medcredit::importing::{Encoding, Format, ImportError, Template};

use super::{ImportHarness, RECORDS, SUBJECTS, THREE};
use crate::support::{TestStore, block_on};

/// Text as GB 18030.
pub fn gb18030(text: &str) -> Vec<u8> {
    let (bytes, _, lost) = encoding_rs::GB18030.encode(text);
    assert!(!lost);
    bytes.into_owned()
}

async fn harness() -> ImportHarness {
    let mut harness = ImportHarness::new(TestStore::sqlite().await);
    harness.options.format = Some(Format::Csv(Encoding::Gb18030));
    harness
}

#[test]
fn names_in_gb18030_are_stored_correctly_even_rare_characters() {
    block_on(async {
        let harness = harness().await;
        // Characters of two and of four bytes: one beyond GBK, and one beyond the basic plane.
        let rows = THREE.replace("合成诊所", "\"合成㙍𠮷,诊所\"").replace('\n', "\r\n");
        let report = harness.import(Template::Subjects, gb18030(&format!("{SUBJECTS}{rows}"))).await;
        assert_eq!((report.accepted, report.rejected), (3, 0), "{:?}", harness.findings(&report));
        assert_eq!(harness.subject("H33030200090").await.unwrap().name, "合成㙍𠮷,诊所");
    });
}

#[test]
fn a_byte_order_mark_in_gb18030_is_tolerated() {
    block_on(async {
        let harness = harness().await;
        let report = harness.import(Template::Subjects, gb18030(&format!("\u{feff}{SUBJECTS}{THREE}"))).await;
        assert_eq!(report.accepted, 3);
    });
}

#[test]
fn invalid_bytes_are_reported_with_their_line_and_the_next_row_is_accepted() {
    block_on(async {
        let harness = harness().await;
        let mut bytes = gb18030(&format!("{SUBJECTS}{THREE}"));
        // A leading byte with nothing behind it, right before a comma.
        bytes
            .extend_from_slice(b"pharmacy,P33030400018,52330304MJ8765K12B,\xd2,330304,,,,,,2020-01-01,active,active\n");
        bytes.extend_from_slice(&gb18030(
            "pharmacy,P33030400019,52330304MJ8765K12B,合成药房,330304,,,,,,2020-01-01,active,active\n",
        ));
        let report = harness.import(Template::Subjects, bytes).await;
        assert_eq!(harness.findings(&report), ["5  not_gb18030 reject"]);
        assert_eq!((report.rows, report.accepted), (5, 4));
        assert_eq!(harness.subject("P33030400019").await.unwrap().name, "合成药房");
    });
}

#[test]
fn a_file_in_gb18030_or_utf16_is_recognised_without_an_option() {
    block_on(async {
        for rows in [1, 30] {
            let many: String = (0..rows)
                .map(|nth| format!("pharmacy,P330304{nth:05},52330304MJ8765K12B,合成药店,330304,,,,,,,active,active\n"))
                .collect();
            let text = format!("{SUBJECTS}{many}");
            let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
            let marked = [b"\xff\xfe".to_vec(), utf16(u16::to_le_bytes)].concat();
            for bytes in [gb18030(&text), utf16(u16::to_le_bytes), utf16(u16::to_be_bytes), marked] {
                let harness = ImportHarness::new(TestStore::sqlite().await);
                let report = harness.import(Template::Subjects, bytes).await;
                assert_eq!((report.accepted, report.rejected), (rows, 0), "{:?}", harness.findings(&report));
                assert_eq!(harness.subject("P33030400000").await.unwrap().name, "合成药店");
            }
        }
    });
}

#[test]
fn a_file_that_fits_two_encodings_is_refused_with_the_question_and_imported_with_the_answer() {
    block_on(async {
        let mut harness = ImportHarness::new(TestStore::sqlite().await);
        // 茅 in GB 18030 is é in UTF-8.
        let text = format!(
            "{SUBJECTS}{}",
            THREE.lines().next().unwrap().replace("合成诊所", "茅").replace("合成甲", "").replace("一级", "")
        );
        let bytes = gb18030(&text);
        let error = harness.try_import(Template::Subjects, &bytes).await.unwrap_err();
        assert!(matches!(error, ImportError::EncodingUnclear), "{error}");
        assert!(error.to_string().contains("--encoding utf-8 or --encoding gb18030"), "{error}");
        harness.options.format = Some(Format::Csv(Encoding::Gb18030));
        assert_eq!(harness.import(Template::Subjects, &bytes).await.accepted, 1);
        assert_eq!(harness.subject("H33030200090").await.unwrap().name, "茅");
    });
}

#[test]
fn bytes_that_are_no_character_of_utf16_are_reported_with_their_line() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let mut units: Vec<u16> =
            format!("\u{feff}{SUBJECTS}{THREE}").replace("合成药店", "合成X药店").encode_utf16().collect();
        // The first half of a pair, without the second.
        *units.iter_mut().find(|unit| **unit == u16::from(b'X')).unwrap() = 0xd800;
        let bytes: Vec<u8> = units.into_iter().flat_map(u16::to_le_bytes).collect();
        let report = harness.import(Template::Subjects, bytes).await;
        assert_eq!(harness.findings(&report), ["3  not_utf16 reject"]);
        assert_eq!((report.rows, report.accepted), (3, 2));
    });
}

#[test]
fn a_file_in_utf8_with_the_option_gb18030_is_refused_before_a_name_is_stored_wrong() {
    block_on(async {
        let harness = harness().await;
        let error = harness.try_import(Template::Subjects, format!("{SUBJECTS}{THREE}")).await.unwrap_err();
        assert!(matches!(error, ImportError::LooksLikeUtf8), "{error}");
        assert!(harness.subject("H33030200090").await.is_none());
    });
}

#[test]
fn a_file_in_ascii_is_valid_in_both_encodings() {
    block_on(async {
        let mut harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        harness.options.format = Some(Format::Csv(Encoding::Gb18030));
        let rows = format!("{RECORDS}H33030200090,insurance_commendation,1,2026-01-05,bureau,a\n");
        assert_eq!(harness.import(Template::Records, rows).await.accepted, 1);
    });
}
