//! Packages as files: their content, what is refused, and the receiver's answers.

use medcredit::push::{
    carrier::{Carrier as _, FailureReason, Held, Row, RowReceipt, Verdict, file::FileDrop},
    platform::{Encoding, FileForm, Format},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    directory::{Directory, STEM, page},
    package, row, rows,
};
use crate::support::block_on;

#[test]
fn a_package_is_a_data_file_and_a_manifest_that_comes_last() {
    block_on(async {
        let (directory, package) = (Directory::new(), package(2, 3));
        let carrier = directory.carrier();
        let first = page(&carrier, &package, 1, &rows(0..2)).await.unwrap();
        assert_eq!((first.number, directory.seen().len()), (None, 0), "the receiver sees nothing of a part");
        let last = page(&carrier, &package, 2, &rows(2..3)).await.unwrap();

        let seen = directory.seen();
        let name = format!("{STEM}.csv");
        assert_eq!(
            seen.keys().map(String::as_str).collect::<Vec<_>>(),
            [name.as_str(), &format!("{STEM}.manifest.json")]
        );
        let data = &seen[&name];
        let text = String::from_utf8(data.clone()).unwrap();
        assert_eq!(
            text,
            "record_id,version,operation,主体名称,PJDJ\r\nrun_1:H00000,1,I,温州市第0医院,A\r\n\
             run_1:H00001,2,U,温州市第1医院,A\r\nrun_1:H00002,3,D,温州市第2医院,A\r\n"
        );
        let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(data));
        assert_eq!((last.number.as_deref(), last.body_sha256.as_ref()), (Some(name.as_str()), Some(&sha256)));
        let manifest: Value = serde_json::from_slice(&seen[&format!("{STEM}.manifest.json")]).unwrap();
        let expected = json!({"format": "medcredit-file/1", "source": "330300-ybj", "platform": "city-credit", "package": 12,
            "dataset": "grades", "period": "2026-H1", "made_at": "2026-03-31T00:00:00Z", "digest": "ab".repeat(32),
            "file": name, "encoding": "UTF-8", "rows": 3, "bytes": data.len(), "sha256": sha256});
        assert_eq!(manifest, expected);
        assert_eq!(directory.unfinished(), [format!("{STEM}.closed.json")]);
    });
}

#[test]
fn every_format_and_encoding_says_which_it_is() {
    block_on(async {
        for format in [Format::Csv, Format::Xml, Format::Ndjson] {
            for encoding in [Encoding::Utf8, Encoding::Gb18030] {
                let directory = Directory::new();
                let carrier = directory.carrier_of(format, encoding);
                // Pages arrive in any order, and the file has them in theirs.
                let package = package(3, 5);
                page(&carrier, &package, 2, &rows(2..4)).await.unwrap();
                let early = page(&carrier, &package, 3, &rows(4..5)).await.unwrap_err();
                assert_eq!((early.reason, early.permanent), (FailureReason::Incomplete, false), "{early}");
                page(&carrier, &package, 1, &rows(0..2)).await.unwrap();
                page(&carrier, &package, 3, &rows(4..5)).await.unwrap();
                let seen = directory.seen();
                let data = &seen[&format!("{STEM}.{}", format.extension())];
                let codec = encoding_rs::Encoding::for_label(encoding.registered().as_bytes()).unwrap();
                let (text, _, lost) = codec.decode(data);
                assert!(!lost);
                let found: Vec<_> = (0..5).map(|number| text.find(&format!("温州市第{number}医院")).unwrap()).collect();
                assert!(found.is_sorted(), "{text}");
                let manifest: Value = serde_json::from_slice(&seen[&format!("{STEM}.manifest.json")]).unwrap();
                assert_eq!(manifest["encoding"], encoding.registered());
                if format == Format::Xml {
                    assert!(
                        text.starts_with(&format!("<?xml version=\"1.0\" encoding=\"{}\"?>", encoding.registered())),
                        "{text}"
                    );
                }
            }
        }
    });
}

#[test]
fn a_package_without_rows_is_delivered_too() {
    block_on(async {
        let directory = Directory::new();
        page(&directory.carrier(), &package(1, 0), 1, &[]).await.unwrap();
        let seen = directory.seen();
        assert_eq!(seen[&format!("{STEM}.csv")], b"");
        let manifest: Value = serde_json::from_slice(&seen[&format!("{STEM}.manifest.json")]).unwrap();
        assert_eq!((&manifest["rows"], &manifest["bytes"]), (&json!(0), &json!(0)));
    });
}

#[test]
fn rows_that_do_not_fit_the_package_are_refused() {
    block_on(async {
        let directory = Directory::new();
        let carrier = directory.carrier();
        let failed = page(&carrier, &package(1, 3), 1, &rows(0..2)).await.unwrap_err();
        assert_eq!((failed.reason, failed.permanent), (FailureReason::Page, true), "{failed}");
        assert!(failed.detail.contains("has 3 rows, and its pages have 2"), "{failed}");
        let other = Directory::new();
        let carrier = other.carrier();
        let mut narrow = row(1);
        narrow.fields.pop();
        page(&carrier, &package(2, 2), 1, &rows(0..1)).await.unwrap();
        let failed = page(&carrier, &package(2, 2), 2, &[narrow]).await.unwrap_err();
        assert_eq!((failed.reason, failed.permanent), (FailureReason::Field, true), "{failed}");
        let evil = medcredit::push::carrier::PackageHead { dataset: "../../etc/cron".into(), ..package(1, 1) };
        let failed = page(&carrier, &evil, 1, &rows(0..1)).await.unwrap_err();
        assert_eq!((failed.reason, failed.permanent), (FailureReason::FileName, true), "{failed}");
        assert!(directory.seen().is_empty() && other.seen().is_empty());
    });
}

#[test]
fn a_directory_that_is_missing_or_no_directory_is_not_created() {
    block_on(async {
        let directory = Directory::new();
        std::fs::write(directory.join("file"), "").unwrap();
        for name in ["missing", "file", "file/below"] {
            let form = FileForm { format: Format::Csv, encoding: Encoding::Utf8, record_columns: true };
            let carrier = FileDrop::new(directory.join(name), "330300-ybj".parse().unwrap(), form);
            let failed = page(&carrier, &package(1, 1), 1, &rows(0..1)).await.unwrap_err();
            assert_eq!((failed.reason, failed.permanent), (FailureReason::Missing, false), "{failed}");
            assert!(failed.detail.contains(directory.join(name).to_str().unwrap()), "{failed}");
        }
        assert!(!directory.join("missing").exists());
    });
}

#[test]
fn a_file_of_the_same_name_is_not_replaced() {
    block_on(async {
        for name in [format!("{STEM}.csv"), format!("{STEM}.manifest.json")] {
            let (directory, package) = (Directory::new(), package(1, 1));
            let carrier = directory.carrier();
            std::fs::write(directory.join(&name), "another's").unwrap();
            let failed = page(&carrier, &package, 1, &rows(0..1)).await.unwrap_err();
            assert_eq!((failed.reason, failed.permanent), (FailureReason::Conflict, false), "{failed}");
            assert!(failed.detail.contains(&name), "{failed}");
            assert_eq!(directory.seen()[&name], b"another's");
            std::fs::remove_file(directory.join(&name)).unwrap();
            page(&carrier, &package, 1, &rows(0..1)).await.unwrap();
            assert_eq!(directory.seen().len(), 2);
        }
    });
}

#[test]
fn a_package_never_changes() {
    block_on(async {
        let (directory, package) = (Directory::new(), package(2, 2));
        let carrier = directory.carrier();
        page(&carrier, &package, 1, &rows(0..1)).await.unwrap();
        let changed = [Row { version: 9, ..row(0) }];
        for closed in [false, true] {
            let failed = page(&carrier, &package, 1, &changed).await.unwrap_err();
            assert_eq!((failed.reason, failed.permanent), (FailureReason::Conflict, true), "{failed}");
            if !closed {
                page(&carrier, &package, 2, &rows(1..2)).await.unwrap();
            }
        }
        assert!(!String::from_utf8(directory.seen()[&format!("{STEM}.csv")].clone()).unwrap().contains(",9,"));
    });
}

#[test]
fn what_the_receiver_took_away_is_not_written_again() {
    block_on(async {
        let (directory, package) = (Directory::new(), package(1, 1));
        let carrier = directory.carrier();
        let first = page(&carrier, &package, 1, &rows(0..1)).await.unwrap();
        for name in directory.seen().keys() {
            std::fs::remove_file(directory.join(name)).unwrap();
        }
        let again = page(&carrier, &package, 1, &rows(0..1)).await.unwrap();
        assert_eq!((again.number, again.body_sha256), (first.number, first.body_sha256));
        assert!(directory.seen().is_empty());
    });
}

#[test]
fn receipts_are_read_from_every_file_of_the_package_and_faults_have_their_lines() {
    block_on(async {
        let (directory, package) = (Directory::new(), package(1, 3));
        let carrier = directory.carrier();
        assert_eq!(carrier.receipts(&package, None).await.unwrap().entries, [], "before the receiver has answered");
        let csv = "\u{feff}记录编号,版本,结果,原因,说明,其他\nr:1,1,通过,,,x\nr:2,1,maybe,,,\n\nr:3,2,驳回,R04,\"代码, 不明\",\nr:4\n";
        directory.answer(&format!("{STEM}.csv"), csv.as_bytes());
        let ndjson = "{\"record_id\":\"r:2\",\"version\":1,\"verdict\":\"accepted\"}\n\n{broken\n";
        directory.answer(&format!("{STEM}.second.ndjson"), ndjson.as_bytes());
        // Of another package, unfinished, and no file at all.
        directory.answer(&format!("{STEM}3.csv"), b"record_id,version,verdict\nx,1,accepted\n");
        directory.answer(&format!("{STEM}.csv.tmp"), b"record_id,version,verdict\ny,1,accepted\n");
        std::os::unix::fs::symlink("/etc/passwd", directory.join(&format!("receipts/{STEM}.z.csv"))).unwrap();

        let first = carrier.receipts(&package, None).await.unwrap();
        let ids: Vec<_> = first.entries.iter().map(|receipt| receipt.record_id.as_str()).collect();
        assert_eq!(ids, ["r:1", "r:3"]);
        let at: Vec<_> = first.faults.iter().map(|fault| fault.at.rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!(at, [format!("{STEM}.csv line 3"), format!("{STEM}.csv line 6")]);
        assert!(first.faults[0].problem.contains("accepted (通过)"), "{:?}", first.faults);
        let second = carrier.receipts(&package, first.next.as_deref()).await.unwrap();
        let accepted = RowReceipt { record_id: "r:2".into(), version: 1, verdict: Verdict::Accepted };
        assert_eq!((second.entries, second.next), (vec![accepted], None));
        assert!(second.faults[0].at.ends_with(".second.ndjson line 3"), "{:?}", second.faults);
    });
}

#[test]
fn receipts_in_gb18030_are_read_and_another_encoding_is_a_fault() {
    block_on(async {
        let (directory, package) = (Directory::new(), package(1, 1));
        let carrier = directory.carrier_of(Format::Csv, Encoding::Gb18030);
        let text = "记录编号,版本,结果,说明\nr:1,1,驳回,名称㐀不一致\n";
        directory.answer(&format!("{STEM}.csv"), &encoding_rs::GB18030.encode(text).0);
        let page = carrier.receipts(&package, None).await.unwrap();
        assert_eq!(page.faults, []);
        let Verdict::Rejected { note, .. } = &page.entries[0].verdict else { panic!("{page:?}") };
        assert_eq!(note.as_deref(), Some("名称㐀不一致"));
        directory.answer(&format!("{STEM}.csv"), b"record_id,version,verdict,note\nr:1,1,accepted,\xff\xff\n");
        let page = carrier.receipts(&package, None).await.unwrap();
        assert_eq!((page.entries.len(), page.faults[0].problem.as_str()), (0, "it is not GB18030"));
    });
}

#[test]
fn a_long_list_is_read_page_by_page() {
    block_on(async {
        let directory = Directory::new();
        let carrier = directory.carrier();
        let digest = row(1).digest();
        let failed = carrier.inventory(None).await.unwrap_err();
        assert_eq!(failed.reason, FailureReason::Unsupported, "{failed}");
        let (mut csv, mut ndjson) = ("record_id,version,digest\n".to_owned(), String::new());
        for number in 0..25_000 {
            csv.push_str(
                &format!("\"r:\n{number}\",1,{digest}\n").replace('\n', if number % 2 == 0 { "" } else { "\n" }),
            );
            csv.push_str(if number % 2 == 0 { "\n" } else { "" });
            ndjson.push_str(&format!("{{\"record_id\":\"r:{number}\",\"version\":1,\"digest\":\"{digest}\"}}\n"));
        }
        for (name, text) in [("inventory.csv", csv), ("inventory.ndjson", ndjson)] {
            directory.answer(name, text.as_bytes());
            let (mut held, mut faults, mut after, mut pages) = (Vec::new(), 0, None::<String>, 0);
            loop {
                let page = carrier.inventory(after.as_deref()).await.unwrap();
                held.extend(page.entries);
                (faults, pages, after) = (faults + page.faults.len(), pages + 1, page.next);
                if after.is_none() {
                    break;
                }
            }
            assert_eq!((held.len() + faults, pages), (25_000, 3), "{name}");
            let last = if name == "inventory.csv" { 24_998 } else { 24_999 };
            assert_eq!(held.last(), Some(&Held { record_id: format!("r:{last}"), version: 1, digest: digest.clone() }));
            std::fs::remove_file(directory.join("receipts").join(name)).unwrap();
        }
    });
}
