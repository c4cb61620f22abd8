//! Workbooks of Excel 97 to 2003. No library writes them, so the few records that a sheet needs are written here, after
//! [MS-XLS] and [MS-CFB].

use medcredit::importing::{ImportError, Template};

use super::{ImportHarness, SUBJECTS, THREE, stored_facts};
use crate::support::{TestStore, block_on};

/// A value of a cell.
enum Cell {
    Text(&'static str),
    Number(f64),
    Day(f64),
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let size = u16::try_from(data.len()).unwrap();
    [&kind.to_le_bytes()[..], &size.to_le_bytes(), data].concat()
}

fn begin(kind: u16) -> Vec<u8> {
    let data: Vec<u8> = [0x0600, kind, 0, 0, 0, 0, 0, 0].into_iter().flat_map(u16::to_le_bytes).collect();
    record(0x0809, &data)
}

fn cell(row: u16, column: u16, value: &Cell) -> Vec<u8> {
    let format = u16::from(matches!(value, Cell::Day(_)));
    let mut data: Vec<u8> = [row, column, format].into_iter().flat_map(u16::to_le_bytes).collect();
    match value {
        Cell::Number(number) | Cell::Day(number) => {
            data.extend(number.to_le_bytes());
            record(0x0203, &data)
        }
        Cell::Text(text) => {
            let units: Vec<u16> = text.encode_utf16().collect();
            data.extend(u16::try_from(units.len()).unwrap().to_le_bytes());
            data.push(1);
            data.extend(units.into_iter().flat_map(u16::to_le_bytes));
            record(0x0204, &data)
        }
    }
}

/// A format of cells, by its number.
fn format(number: u16) -> Vec<u8> {
    let mut data = vec![0; 20];
    data[2..4].copy_from_slice(&number.to_le_bytes());
    record(0x00e0, &data)
}

/// The stream of a workbook with one sheet. `claimed` is how many rows the sheet says that it has.
fn stream(cells: &[(u16, u16, Cell)], claimed: u32) -> Vec<u8> {
    let end = record(0x000a, &[]);
    // General, and the day.
    let formats = [format(0), format(14)].concat();
    let before = [begin(0x0005), record(0x0042, &1200u16.to_le_bytes()), formats].concat();
    let sheet = |at: u32| record(0x0085, &[&at.to_le_bytes()[..], &[0, 0, 1, 0, b'S']].concat());
    let at = before.len() + sheet(0).len() + end.len();
    let mut dimensions = [0u32.to_le_bytes(), claimed.to_le_bytes()].concat();
    dimensions.extend([0, 0, 0xff, 0, 0, 0]);
    let mut all = [before, sheet(u32::try_from(at).unwrap()), end.clone(), begin(0x0010)].concat();
    all.extend(record(0x0200, &dimensions));
    all.extend(cells.iter().flat_map(|(row, column, value)| cell(*row, *column, value)));
    all.extend(end);
    all
}

/// A compound file with the stream of a workbook.
fn workbook(stream: Vec<u8>) -> Vec<u8> {
    compound_file("Workbook", stream)
}

/// A compound file with one stream.
fn compound_file(name: &str, mut stream: Vec<u8>) -> Vec<u8> {
    const END: u32 = 0xffff_fffe;
    stream.resize(stream.len().max(4096).next_multiple_of(512), 0);
    let sectors = u32::try_from(stream.len() / 512).unwrap();
    let mut header = vec![0u8; 512];
    header[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    for (at, number) in [(24, 0x3e_u16), (26, 3), (28, 0xfffe), (30, 9), (32, 6)] {
        header[at..at + 2].copy_from_slice(&number.to_le_bytes());
    }
    // One sector of the table, then the directory; streams below 4,096 bytes and lists of the table are none.
    for (at, number) in [(44, 1), (48, 1), (56, 4096), (60, END), (68, END), (76, 0)] {
        header[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    header[80..].fill(0xff);
    let chain = (0..sectors).map(|nth| if nth + 1 == sectors { END } else { nth + 3 });
    let mut table: Vec<u8> = [0xffff_fffd, END].into_iter().chain(chain).flat_map(u32::to_le_bytes).collect();
    assert!(table.len() <= 512);
    table.resize(512, 0xff);
    let entry = |name: &str, kind: u8, child: u32, first: u32, size: u32| {
        let mut entry = vec![0u8; 128];
        let utf16: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        entry[..utf16.len()].copy_from_slice(&utf16);
        entry[64..66].copy_from_slice(&u16::try_from(utf16.len() + 2).unwrap().to_le_bytes());
        (entry[66], entry[67]) = (kind, 1);
        for (at, number) in [(68, u32::MAX), (72, u32::MAX), (76, child), (116, first), (120, size)] {
            entry[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        entry
    };
    let mut directory = entry("Root Entry", 5, 1, END, 0);
    directory.extend(entry(name, 2, u32::MAX, 2, u32::try_from(stream.len()).unwrap()));
    directory.resize(512, 0);
    [header, table, directory, stream].concat()
}

fn rows(text: &'static str) -> Vec<(u16, u16, Cell)> {
    let lines = (0u16..).zip(text.lines());
    lines
        .flat_map(|(row, line)| {
            (0u16..).zip(line.split(',')).map(move |(column, text)| (row, column, Cell::Text(text)))
        })
        .collect()
}

#[test]
fn a_workbook_of_excel_97_is_read_with_its_days_and_numbers() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let mut cells = rows("信用信息\n主体编码,指标,数值,发生日期,信息来源,文号");
        let fact = |row: u16, day: Cell| {
            [
                (row, 0, Cell::Text("H33030200090")),
                (row, 1, Cell::Text("insurance_commendation")),
                (row, 2, Cell::Number(1.0)),
                (row, 3, day),
                (row, 4, Cell::Text("医保局")),
            ]
        };
        cells.extend(fact(2, Cell::Day(46_027.0)));
        cells.extend(fact(4, Cell::Text("2026年1月6日")));
        cells.extend(fact(5, Cell::Day(46_027.5)));
        let path = harness.write("records.xls", workbook(stream(&cells, 6)));
        let report = harness.import_file(Template::Records, &path).await.unwrap();
        assert_eq!(harness.findings(&report), ["6 occurred_on date_malformed reject"], "a time is no day");
        assert_eq!((report.accepted, report.skipped.total()), (2, 2));
        let mut days: Vec<String> =
            stored_facts(&harness.store, "H33030200090").await.iter().map(|(_, fact)| fact.day.to_string()).collect();
        days.sort();
        assert_eq!(days, ["2026-01-05", "2026-01-06"]);
    });
}

#[test]
fn a_workbook_that_claims_or_spans_too_many_cells_is_refused_before_room_is_made_for_them() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let claims = workbook(stream(&rows("kind,code"), 0xffff_fff0));
        let spans = workbook(stream(&[(0, 0, Cell::Number(1.0)), (0xffff, 0xff, Cell::Number(1.0))], 1));
        for (name, bytes) in [("claims.xls", claims), ("spans.xls", spans)] {
            let path = harness.write(name, bytes);
            let error = harness.import_file(Template::Subjects, &path).await.unwrap_err();
            assert!(matches!(error, ImportError::WorkbookTooLarge { .. }), "{name}: {error}");
        }
    });
}

#[test]
fn a_workbook_with_a_password_is_refused_with_the_remedy() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        // What Excel makes of an .xlsx with a password.
        let path = harness.write("subjects.xlsx", compound_file("EncryptedPackage", vec![0x55; 5000]));
        let error = harness.import_file(Template::Subjects, &path).await.unwrap_err();
        assert!(matches!(error, ImportError::WorkbookLocked), "{error}");
        assert!(error.to_string().contains("save it without one"), "{error}");
    });
}

#[test]
fn a_damaged_workbook_is_refused_whatever_is_wrong_with_it() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let text: &'static str = format!("{SUBJECTS}{THREE}").leak();
        let good = workbook(stream(&rows(text), 4));
        let path = harness.write("good.xls", &good);
        assert_eq!(harness.import_file(Template::Subjects, &path).await.unwrap().accepted, 3);
        let mut harness = ImportHarness::new(TestStore::sqlite().await);
        harness.options.check_only = true;
        for at in (0..good.len().min(2600)).step_by(7) {
            let mut bytes = good.clone();
            bytes[at] ^= 0x55;
            let path = harness.write("damaged.xls", bytes);
            // Some bytes only change a value, or move a cell to a row of its own.
            if let Ok(report) = harness.import_file(Template::Subjects, &path).await {
                assert!(report.rows <= 4 * 13, "{} rows", report.rows);
            }
        }
    });
}
