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
fn a_file_in_gb18030_without_the_option_is_refused_with_advice() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        for rows in [1, 30] {
            let many: String = (0..rows)
                .map(|nth| format!("pharmacy,P330304{nth:05},52330304MJ8765K12B,合成药店,330304,,,,,,,active,active\n"))
                .collect();
            let error =
                harness.try_import(Template::Subjects, gb18030(&format!("{SUBJECTS}{many}"))).await.unwrap_err();
            assert!(matches!(error, ImportError::LooksLikeGb18030), "{error}");
            assert!(error.to_string().contains("--encoding gb18030"), "{error}");
        }
        assert!(harness.subject("P33030400000").await.is_none());
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
