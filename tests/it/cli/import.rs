//! `medcredit import`: what a clerk sees, and the empty workbooks.

use medcredit::cli;
use rust_xlsxwriter::Workbook;

use crate::{
    importing::{KEY, SUBJECTS, THREE},
    support::{block_on, command::medcredit},
};

/// A directory with a configuration and a store.
async fn site() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("secrets")).unwrap();
    std::fs::write(directory.path().join("secrets/key-encryption-keys"), KEY).unwrap();
    let path = directory.path().join("gateway.toml");
    std::fs::write(&path, "").unwrap();
    let path = path.to_str().unwrap().to_owned();
    medcredit(&["migrate", "--config", &path]).await.done();
    (directory, path)
}

#[test]
fn an_empty_workbook_is_written_filled_in_and_imported() {
    block_on(async {
        let (directory, path) = site().await;
        let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let file = at("主体.xlsx");
        let said = medcredit(&["import", "--template", "subjects", &file, "--config", &path]).await.done();
        assert!(said.contains("主体.xlsx"), "{said}");
        let said = medcredit(&["import", "subjects", &file, "--check", "--config", &path]).await.done();
        assert!(said.contains("0 rows"), "{said}");
        // What may be filled in already is not written over.
        let outcome = medcredit(&["import", "subjects", &file, "--template", "--config", &path]).await;
        assert_eq!(outcome.code, cli::FAILED, "{}", outcome.err);
        assert!(outcome.err.contains("主体.xlsx cannot be written"), "{}", outcome.err);
        for args in [&["import", "--config", &path][..], &["import", "subjects", "--config", &path]] {
            assert_eq!(medcredit(args).await.code, cli::WRONG_USAGE);
        }
    });
}

#[test]
fn what_was_skipped_is_named_with_its_lines() {
    block_on(async {
        let (directory, path) = site().await;
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        let text = format!("定点医药机构名单\n{SUBJECTS}\n{THREE}\n合计,3\n");
        for (row, line) in (0u32..).zip(text.lines()) {
            for (column, cell) in (0u16..).zip(line.split(',')).filter(|(_, cell)| !cell.is_empty()) {
                sheet.write_string(row, column, cell).unwrap();
            }
        }
        let file = directory.path().join("subjects.xlsx");
        workbook.save(&file).unwrap();
        let file = file.to_str().unwrap();
        let outcome = medcredit(&["import", "subjects", file, "--encoding", "gbk", "--config", &path]).await;
        assert_eq!(outcome.code, cli::WRONG_USAGE);
        assert!(outcome.err.contains("--encoding is for CSV"), "{}", outcome.err);
        let outcome = medcredit(&["import", "subjects", file, "--sheet", "二月", "--config", &path]).await;
        assert!(outcome.err.contains("has no sheet"), "{}", outcome.err);
        let said = medcredit(&["import", "subjects", file, "--config", &path]).await.done();
        assert!(said.contains("3 rows, 3 accepted, 0 rejected"), "{said}");
        for skipped in ["1 skipped: title (line 1)", "2 skipped: blank (line 3, 7)", "1 skipped: total (line 8)"] {
            assert!(said.contains(skipped), "{skipped} in {said}");
        }
    });
}
