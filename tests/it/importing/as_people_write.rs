//! CSV files as people and their programs write them: in Chinese, with other separators, and with values in other forms.

use medcredit::{
    importing::{ImportError, SkipReason, Template},
    store::settlements,
};

use super::{ImportHarness, RECORDS, SUBJECTS, THREE, encodings::gb18030, stored_facts};
use crate::support::{TestStore, block_on};

const CHINESE: &str = "主体类型,主体编码,统一社会信用代码,名称,行政区划,等级,上级主体编码,证件类型,证件号码,法定代表人,协议签订日期,协议状态,许可状态\n";

#[test]
fn a_file_in_chinese_is_the_same_as_one_in_english() {
    block_on(async {
        let english = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let chinese = ImportHarness::new(TestStore::sqlite().await);
        let rows = "\
定点医疗机构,H33030200090,91330302MA2AB3C47J,合成诊所,鹿城区,一级,无,居民身份证,330302198001010019,合成甲,2019年5月1日,正常,正常
定点零售药店, P33030400017 ,'52330304MJ8765K12B,合成药店,330304,-,/,—,,,2020/1/1,正常,正常
医保医师,D330302000123,,合成医师,鹿城区,,,01,33030319660704005X,,,正常,正常
";
        let report = chinese.import(Template::Subjects, format!("{CHINESE}{rows}")).await;
        assert_eq!((report.accepted, report.rejected), (3, 0), "{:?}", chinese.findings(&report));
        for code in ["H33030200090", "P33030400017", "D330302000123"] {
            let (one, other) = (english.subject(code).await.unwrap(), chinese.subject(code).await.unwrap());
            let public = |row: &medcredit::store::subjects::SubjectRow| {
                format!(
                    "{} {:?} {} {} {:?} {:?} {:?} {} {}",
                    row.kind,
                    row.uscc,
                    row.name,
                    row.region,
                    row.level,
                    row.parent_code,
                    row.agreement_signed_on,
                    row.agreement_status,
                    row.licence_status
                )
            };
            assert_eq!(public(&one), public(&other));
        }
    });
}

#[test]
fn values_are_separated_by_whatever_separates_the_header() {
    block_on(async {
        let text = format!("{SUBJECTS}{}", THREE.replace("合成诊所", "\"合成，一；诊所\""));
        for separator in [";", "\t", "，"] {
            let harness = ImportHarness::new(TestStore::sqlite().await);
            let file = text.replace(',', separator);
            let report = harness.import(Template::Subjects, &file).await;
            assert_eq!((report.accepted, report.rejected), (3, 0), "{separator:?} {:?}", harness.findings(&report));
            assert_eq!(harness.subject("H33030200090").await.unwrap().name, "合成，一；诊所");
            let harness = ImportHarness::new(TestStore::sqlite().await);
            let report = harness.import(Template::Subjects, gb18030(&file)).await;
            assert_eq!((report.accepted, report.rejected), (3, 0), "{separator:?} {:?}", harness.findings(&report));
            assert_eq!(harness.subject("H33030200090").await.unwrap().name, "合成，一；诊所");
        }
    });
}

#[test]
fn a_line_that_declares_the_separator_is_no_row_and_has_no_number() {
    block_on(async {
        for (declared, separator) in [("sep=,", ","), ("sep=;", ";"), ("\"sep=\t\"", "\t")] {
            let harness = ImportHarness::new(TestStore::sqlite().await);
            let rows = THREE.replace("pharmacy,", "hospital,").replace(',', separator);
            let text = format!("{declared}\r\n{}{rows}", SUBJECTS.replace(',', separator));
            let report = harness.import(Template::Subjects, text).await;
            // Excel shows the header in its first line.
            assert_eq!(harness.findings(&report), ["3 kind kind_unknown reject"], "{declared}");
            assert_eq!((report.accepted, report.skipped.total()), (2, 0));
        }
    });
}

#[test]
fn amounts_in_yuan_or_ten_thousand_yuan_become_fen() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let header = "主体编码,结算月份,险种,人次,人数,总费用(万元),申报金额（元）,结算金额（单位：元）,拨付金额(元),预留考核保证金(分),不予支付金额(元),扣款金额(元),预拨付金额(元),冲抵金额(元),应付金额(元),结算状态,数据截止日期\n";
        let row = "H33030200090,2026年1月,职工医保,\"1,200\",９０,12.345678,\"123,456.78\",\"123,456.78\",123456.78,0,0,0,0,0,123456.78,已清算,2026.3.25\n";
        let report = harness.import(Template::Settlements, format!("{header}{row}")).await;
        assert_eq!((report.accepted, report.warnings), (1, 0), "{:?}", harness.findings(&report));
        let month = "2026-01".parse().unwrap();
        let read = harness.store.db.read("test");
        let listed = settlements::list(&read, &["H33030200090".to_owned()], month, month).await.unwrap();
        let settlement = &listed[0].settlement;
        assert_eq!((settlement.visits, settlement.persons), (1200, 90));
        assert_eq!(
            (settlement.billed.0, settlement.claimed.0, settlement.paid.0),
            (12_345_678, 12_345_678, 12_345_678)
        );
        // More decimals than a fen has, and a header without a unit: nothing is guessed.
        let fine = row.replace("12.345678", "12.3456789");
        let report = harness.import(Template::Settlements, format!("{header}{fine}")).await;
        assert_eq!(harness.findings(&report), ["2 billed_fen amount_malformed reject"]);
        let bare = header.replace("总费用(万元)", "总费用");
        let error = harness.try_import(Template::Settlements, format!("{bare}{row}")).await.unwrap_err();
        assert!(error.to_string().contains("column 总费用 does not say its unit"), "{error}");
    });
}

#[test]
fn facts_have_measures_by_name_percentages_and_amounts_in_ten_thousand_yuan() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let catalogue = medcredit::scoring::shipped::CATALOGUES
            .iter()
            .map(|(name, text)| medcredit::scoring::Catalogue::parse(name, text).unwrap())
            .find(|catalogue| catalogue.kind() == "medical_institution")
            .unwrap();
        let amount =
            catalogue.measures().iter().find(|measure| measure.unit == "元" && measure.most.is_none()).unwrap();
        let count = catalogue.measures().iter().find(|measure| measure.unit != "元").unwrap();
        let header = "主体编码,指标,数值（万元）,发生日期,信息来源,文号\n";
        let rows = format!(
            "H33030200090,{name},1.25,2026/1/5,医保局,无\nH33030200090,{id},\"1,000\",20260106,医保局,\nH33030200090,{other},1,2026-01-07,医保局,\n",
            name = amount.name_zh,
            id = amount.id,
            other = count.id
        );
        let report = harness.import(Template::Records, format!("{header}{rows}")).await;
        let rejects: Vec<_> = harness.findings(&report).into_iter().filter(|one| one.ends_with("reject")).collect();
        assert_eq!(rejects, ["4 value value_malformed reject"], "{} is not measured in yuan", count.id);
        let mut stored: Vec<_> = stored_facts(&harness.store, "H33030200090")
            .await
            .into_iter()
            .map(|(measure, fact)| (measure, fact.value_e4))
            .collect();
        stored.sort();
        assert_eq!(stored, [(amount.id.clone(), 125_000_000), (amount.id.clone(), 100_000_000_000)]);
    });
}

/// The first two rows take the fast path, the others do not: all are the same fact.
#[test]
fn the_form_in_which_a_fact_is_written_does_not_change_it() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let rows = "\
H33030200090,insurance_commendation,1,2026-01-05,医保局,温医保〔2026〕7号
H33030200090,insurance_commendation,1,2026-01-06,医保局,
H33030200090,insurance_commendation,1,2026/1/5,医保局,温医保〔2026〕7号
'H33030200090,insurance_commendation,１,2026年1月5日, 医保局,'温医保〔2026〕7号
H33030200090,insurance_commendation,100%,20260105,医保局\u{3000},温医保〔2026〕7号 
H33030200090,insurance_commendation,1.0,2026-01-06,医保局,-
";
        let report = harness.import(Template::Records, format!("{RECORDS}{rows}")).await;
        assert_eq!(
            harness.findings(&report),
            [
                "4  duplicate_row reject",
                "5  duplicate_row reject",
                "6  duplicate_row reject",
                "7  duplicate_row reject"
            ]
        );
        assert_eq!((report.accepted, report.rejected), (2, 4));
    });
}

#[test]
fn a_code_that_excel_changed_is_rejected_with_the_remedy_and_the_next_row_is_accepted() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let rows =
            THREE.replace("91330302MA2AB3C47J", "9.13303E+17").replace("33030319660704005X", "330303196607040000");
        let report = harness.import(Template::Subjects, format!("{SUBJECTS}{rows}")).await;
        assert_eq!(harness.findings(&report), ["2 uscc excel_changed reject", "4 id_number excel_changed reject"]);
        let messages = harness.rows_of(&report);
        assert!(messages[0][3].contains("Excel changed this number: format the column as text"), "{messages:?}");
        assert_eq!(report.accepted, 1);
    });
}

#[test]
fn titles_empty_rows_sums_and_a_repeated_header_are_named_and_no_rows() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let rows: Vec<&str> = THREE.lines().collect();
        let commas = ",".repeat(12);
        let text = format!(
            "温州市定点医药机构名单{commas}\r\n填报单位：,合成县医保局{}\r\n{commas}\r\n{CHINESE}{SUBJECTS}{}\r\n\r\n{commas}\r\n{}\r\n{SUBJECTS}{}\r\n合 计{commas}\r\n\u{1a}",
            ",".repeat(11),
            rows[0],
            rows[1],
            rows[2]
        );
        let report = harness.import(Template::Subjects, text).await;
        assert_eq!((report.accepted, report.rejected), (3, 0), "{:?}", harness.findings(&report));
        let skipped: Vec<_> =
            report.skipped.iter().map(|(reason, lines)| (reason, lines.count, lines.first.clone())).collect();
        assert_eq!(
            skipped,
            [
                (SkipReason::Title, 2, vec![1, 2]),
                (SkipReason::Header, 2, vec![5, 10]),
                (SkipReason::Blank, 3, vec![3, 7, 8]),
                (SkipReason::Total, 1, vec![12]),
                (SkipReason::EndMark, 1, vec![13]),
            ]
        );
    });
}

#[test]
fn a_web_page_under_the_name_of_an_excel_file_is_refused_with_the_remedy() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let path = harness.write("subjects.xls", "\u{feff}<html><table><tr><td>kind</td></tr></table></html>");
        let error = harness.import_file(Template::Subjects, &path).await.unwrap_err();
        assert!(matches!(error, ImportError::WebPage), "{error}");
        // A text under that name is what its bytes are.
        let path = harness.write("subjects.xls", format!("{SUBJECTS}{THREE}").replace(',', "\t"));
        assert_eq!(harness.import_file(Template::Subjects, &path).await.unwrap().accepted, 3);
    });
}
