//! docs/IMPORT.md, "A clerk's day": a workbook as clerks send it, its rejects, a penalty that is taken back, and the corrected
//! grades of a chain. Each command is one of the document, in both languages.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use calamine::{DataType, Reader, Xlsx, open_workbook};
use medcredit::cli;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde_json::Value;

use crate::support::{
    TestStore, block_on,
    command::{Outcome, medcredit},
    store::StoreLocation,
};

/// A key of the test alone.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
const HEAD: &str = "P33030200000";
const BRANCH: &str = "P33030200001";
const ONE_STAR: &str = "★级(失信)";
const THREE_STARS: &str = "★★★级(信用优秀)";
const NOTICE: &str = "温医保罚〔2025〕7号";

const SUBJECTS: [&str; 13] = [
    "主体类型",
    "主体编码",
    "统一社会信用代码",
    "名称",
    "行政区划",
    "上级主体编码",
    "协议签订日期",
    "协议状态",
    "许可状态",
    "法定代表人",
    "等级",
    "证件类型",
    "证件号码",
];
const FACTS: [&str; 6] = ["主体编码", "指标", "数值", "发生日期", "信息来源", "文号"];

/// A clerk's folder, with a gateway over it.
struct Office {
    _store: TestStore,
    directory: PathBuf,
}

impl Office {
    async fn new() -> Self {
        let store = TestStore::sqlite().await;
        let StoreLocation::Sqlite(directory) = store.location() else { panic!("it is on SQLite") };
        let directory = directory.path().to_owned();
        std::fs::write(directory.join("gateway.toml"), "[store]\ndirectory = '.'\n").unwrap();
        std::fs::create_dir(directory.join("secrets")).unwrap();
        let key = directory.join("secrets/key-encryption-keys");
        std::fs::write(&key, KEY).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        Self { _store: store, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs a command of the document. `RUN` stands for the number of a run.
    async fn run(&self, command: &str, run: &str) -> Outcome {
        let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/IMPORT.md")).unwrap();
        for title in ["\n## A clerk's day\n", "\n## 经办人员的一天\n"] {
            let section = document.split(title).nth(1).unwrap().split("\n## ").next().unwrap();
            let line = format!("\n    medcredit {command}\n");
            assert!(section.contains(&line), "{} lacks {command}", title.trim());
        }
        let here = |word: &str| match word {
            "RUN" => run.to_owned(),
            file if file.ends_with(".xlsx") || file.ends_with(".html") => self.path(file).display().to_string(),
            other => other.trim_matches('\'').to_owned(),
        };
        let words: Vec<String> = command.split(' ').map(here).collect();
        let config = self.path("gateway.toml").display().to_string();
        let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
        args.extend(["--config", &config]);
        medcredit(&args).await
    }

    /// A workbook with a title, the header, rows of texts, and what Excel adds of itself.
    fn save(&self, name: &str, header: &[&str], rows: &[Vec<&str>]) {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        sheet.write_string(0, 0, "鹿城区2025年下半年报送表（合成数据）").unwrap();
        let all = std::iter::once(header.to_vec()).chain(rows.iter().cloned());
        for (at, row) in (1..).zip(all) {
            for (column, cell) in (0..).zip(row) {
                sheet.write_string(at, column, cell).unwrap();
            }
        }
        let last = u32::try_from(rows.len()).unwrap() + 3;
        sheet.write_string(last, 0, "合计").unwrap();
        // A day as Excel stores days, in place of the text.
        let day = Format::new().set_num_format("yyyy/m/d");
        if let Some(column) = (0..).zip(header).find_map(|(at, name)| (*name == "协议签订日期").then_some(at)) {
            let date = ExcelDateTime::from_ymd(2016, 5, 4).unwrap();
            sheet.write_datetime_with_format(2, column, &date, &day).unwrap();
        }
        workbook.save(self.path(name)).unwrap();
    }

    /// The sheet of a report with the rows to fix, as texts: the header and each row.
    fn rows_to_fix(&self, report: &str) -> Vec<Vec<String>> {
        let mut workbook: Xlsx<_> = open_workbook(self.path(report)).unwrap();
        let sheet = workbook.worksheet_range("待改正行").unwrap();
        sheet.rows().map(|row| row.iter().map(|cell| cell.as_string().unwrap_or_default()).collect()).collect()
    }

    async fn json(&self, args: &[&str]) -> Value {
        let config = self.path("gateway.toml").display().to_string();
        let said = medcredit(&[args, &["--json", "--config", &config]].concat()).await.done();
        serde_json::from_str(&said).unwrap()
    }

    /// Grade and version in force of a pharmacy, from the list of results.
    async fn grade(&self, run: &str, code: &str) -> (String, String) {
        let config = self.path("gateway.toml").display().to_string();
        let list = medcredit(&["score", "results", run, "--format", "csv", "--config", &config]).await.done();
        let mut rows = csv::Reader::from_reader(list.trim_start_matches('\u{feff}').as_bytes());
        let mut rows = rows.records().map(|row| row.unwrap());
        let row = rows.find(|row| &row[0] == code).unwrap();
        (row[4].to_owned(), row[6].to_owned())
    }
}

/// The pharmacies of a chain as a clerk types them: eight rows with the faults of a usual file.
fn pharmacies() -> Vec<Vec<&'static str>> {
    let row = |code, uscc, name, region, parent, signed, state| {
        vec!["定点零售药店", code, uscc, name, region, parent, signed, state, "正常", "无", "-", "/", ""]
    };
    vec![
        row(HEAD, "91330302MA2AB3C47J", "合成连锁总店", "鹿城区", "", "", "正常"),
        // Full-width letters, an apostrophe, spaces around the name, and a day as people write it.
        row(
            "Ｐ３３０３０２００００１",
            "'91330302MA2AB3C47J",
            " 合成一店\u{a0}",
            "330302",
            HEAD,
            "2016年5月4日",
            "履行中",
        ),
        row("P33030200002", "91330302MA2AB3C47J", "合成二店", "鹿城区", HEAD, "2016/5/4", "正常"),
        // Excel made a number of the code.
        row("P33030200003", "9.13303E+17", "合成三店", "鹿城区", HEAD, "2016-5-4", "正常"),
        // No such day, and a word that nobody knows.
        row("P33030200004", "91330302MA2AB3C47J", "合成四店", "鹿城区", HEAD, "2016-2-30", "还行"),
        // A zero-width space within the name.
        row("P33030200005", "91330302MA2AB3C47J", "合成\u{200b}五店", "鹿城区", HEAD, "20160504", "正常"),
        vec![""; 13],
        row("P33030200006", "91330302MA2AB3C47J", "合成六店", "鹿城区", HEAD, "2016.5.4", "正常"),
    ]
}

#[test]
fn a_clerks_day() {
    block_on(async {
        let office = Office::new().await;

        // The template, and a workbook with the usual faults.
        office.run("import --template subjects 主体模板.xlsx", "").await.done();
        office.save("药店.xlsx", &SUBJECTS.map(|name| name), &pharmacies());
        let checked = office.run("import subjects 药店.xlsx --check", "").await;
        assert_eq!(checked.code, cli::FAILED, "{}", checked.err);
        let imported = office.run("import subjects 药店.xlsx", "").await;
        assert_eq!(imported.code, cli::FAILED, "rows were rejected: {}{}", imported.out, imported.err);
        assert!(imported.out.contains("4 accepted") && imported.out.contains("3 rejected"), "{}", imported.out);
        assert!(imported.out.contains("1 skipped: total (line 12)"), "{}", imported.out);

        // The report goes back; its rows are fixed and sent again.
        let mut rows = office.rows_to_fix("药店.xlsx.rejects.xlsx");
        assert_eq!(rows.len(), 4, "{rows:?}");
        let header = rows.remove(0);
        for row in &mut rows {
            row[2] = "91330302MA2AB3C47J".to_owned();
            row[3] = row[3].replace("<U+200B>", "");
            row[6] = "2016-05-04".to_owned();
            row[7] = "正常".to_owned();
        }
        let fixed: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
        office.save("药店改正.xlsx", &header.iter().map(String::as_str).collect::<Vec<_>>(), &fixed);
        let again = office.run("import subjects 药店改正.xlsx", "").await;
        assert_eq!(again.code, cli::DONE, "{}{}", again.out, again.err);
        assert!(again.out.contains("3 accepted"), "{}", again.out);

        // A finding of fraud, once without its document and once with it.
        let fact = |reference| vec![BRANCH, "fraud_finding", "1", "2025年9月1日", "温州市医疗保障局", reference];
        office.save("处罚.xlsx", &FACTS, &[fact("")]);
        let refused = office.run("import records 处罚.xlsx", "").await;
        assert_eq!(refused.code, cli::FAILED, "{}", refused.out);
        office.save("处罚改正.xlsx", &FACTS, &[fact("温医保罚[2025] 7号")]);
        office.run("import records 处罚改正.xlsx", "").await.done();

        // The round: the branch has one star, and so the head may not have three.
        let said = office.run("score run --model zhenjiang-pharmacy --period 2025-H2", "").await.done();
        let run = said.split_whitespace().find(|word| word.starts_with("run_")).unwrap();
        let run = run.trim_matches(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').to_owned();
        office.run("score publish RUN", &run).await.done();
        assert_eq!(office.grade(&run, BRANCH).await, (ONE_STAR.to_owned(), "1".to_owned()));
        assert_eq!(office.grade(&run, HEAD).await, ("★★级(信用一般)".to_owned(), "1".to_owned()));

        // The finding is taken back after a reconsideration, and the grades follow.
        let void = vec![BRANCH, "fraud_finding", NOTICE, "行政复议撤销", "2026/3/20", "温政复〔2026〕3号"];
        office.save("撤销.xlsx", &["主体编码", "指标", "文号", "撤销原因", "决定日期", "撤销决定文号"], &[void]);
        let said = office.run("import voids 撤销.xlsx", "").await.done();
        let differs = "1 published result differs from what the records give now, to be corrected by 2026-03-23";
        assert!(said.contains(differs) && said.contains("medcredit score correct P33030200001"), "{said}");
        let due = office.run("score due", "").await.done();
        assert!(due.contains("voided by 温政复〔2026〕3号 on 2026-03-20: 温医保罚〔2025〕7号"), "{due}");
        assert!(due.contains("due by 2026-03-23, which is over") && due.contains("would become"), "{due}");
        assert!(
            due.ends_with("1 published result differs, 1 overdue: medcredit score correct --due --reason TEXT\n"),
            "{due}"
        );
        assert_eq!(office.grade(&run, BRANCH).await.0, ONE_STAR, "nothing changes by itself");
        let corrected = office.run("score correct P33030200001 --reason 温政复〔2026〕3号", "").await.done();
        assert!(corrected.contains(BRANCH) && corrected.contains(HEAD), "{corrected}");
        assert_eq!(office.json(&["score", "due"]).await, serde_json::json!([]));
        assert_eq!(office.grade(&run, BRANCH).await, (THREE_STARS.to_owned(), "2".to_owned()));
        assert_eq!(office.grade(&run, HEAD).await, (THREE_STARS.to_owned(), "2".to_owned()));

        // What people read agrees: the explanation, the page, the report and the file of the subject.
        let explained = office.run("score explain P33030200001 --lang zh", "").await.done();
        assert!(explained.contains("★★★级") && explained.contains("温政复〔2026〕3号"), "{explained}");
        assert!(!explained.contains(NOTICE) && !explained.contains("温医保罚[2025]"), "{explained}");
        office.run("score explain P33030200001 --lang zh --format html --out 合成一店.html", "").await.done();
        let page = std::fs::read_to_string(office.path("合成一店.html")).unwrap();
        assert!(page.contains("★★★级") && !page.contains("温医保罚"), "{page}");
        let report = office.run("score report RUN --lang zh", &run).await.done();
        assert!(report.contains("定点零售药店，2025年下半年") && report.contains("发布后更正 2 家"), "{report}");
        let numbers = office.json(&["score", "report", &run]).await;
        assert_eq!(numbers["grades"][0]["count"], 7, "{numbers}");
        let shown = office.run("subject show P33030200001", "").await.done();
        assert!(shown.contains("7号") && shown.contains("行政复议撤销"), "the fact and its end: {shown}");
        office.run("score results RUN --format xlsx --out 结果.xlsx", &run).await.done();
    });
}
