use super::*;
use crate::{
    importing::{References, Template, layout::Layout},
    scoring::Catalogue,
};

/// The stored form of a text in a column of a template; `fault CODE` if it must not be stored.
fn stored_form(template: Template, column: &str, text: &str, typed: bool) -> String {
    let header: Vec<String> = template.columns().iter().map(|name| (*name).to_owned()).collect();
    let layout = Layout::of(template, &header).unwrap();
    let references = References::built_in(Vec::<Catalogue>::new()).unwrap();
    let file = FileContext { layout: &layout, today: "2026-04-01".parse().unwrap(), references: &references, typed };
    let column = template.table().iter().find(|one| one.name == column).unwrap();
    match form_of(text, Context { column, unit: None, file }) {
        Form::Stored => text.to_owned(),
        Form::Changed(new) => new,
        Form::Fault(code, _) => format!("fault {code}"),
    }
}

fn subjects(column: &str, text: &str) -> String {
    stored_form(Template::Subjects, column, text, false)
}

#[test]
fn words_kinds_and_regions_are_accepted_in_chinese() {
    assert_eq!(subjects("kind", "定点医疗机构"), "medical_institution");
    assert_eq!(subjects("kind", "pharmacy"), "pharmacy");
    assert_eq!(subjects("region", "鹿城区"), "330302");
    assert_eq!(subjects("region", "３３０３０２"), "330302");
    assert_eq!(subjects("agreement_status", "暂停"), "suspended");
    assert_eq!(subjects("licence_status", " 正常 "), "active");
    assert_eq!(subjects("licence_status", "不明"), "不明");
    assert_eq!(subjects("id_type", "居民身份证"), "01");
    assert_eq!(stored_form(Template::Affiliations, "main", "是", false), "1");
}

#[test]
fn spaces_apostrophes_and_full_width_characters_are_removed() {
    assert_eq!(subjects("uscc", "'91330302MA2AB3C47J"), "91330302MA2AB3C47J");
    assert_eq!(subjects("uscc", "\u{3000}９1330302ＭA2AB3C47J\u{a0}"), "91330302MA2AB3C47J");
    assert_eq!(subjects("name", " 温州（合成）医院\u{3000}"), "温州（合成）医院");
    assert_eq!(subjects("name", "'合成诊所'"), "合成诊所");
    // Only the digits and letters of codes are changed, never those of names.
    assert_eq!(subjects("name", "Ａ诊所"), "Ａ诊所");
    assert_eq!(subjects("name", "、。〔〕"), "、。〔〕");
}

#[test]
fn none_is_written_in_several_ways_where_a_column_may_be_empty() {
    for none in ["-", "/", "无", "—", "——", " - ", "－", "／"] {
        assert_eq!(subjects("agreement_signed_on", none), "", "{none}");
        assert_eq!(subjects("legal_representative", none), "", "{none}");
        assert_eq!(subjects("id_type", none), "", "{none}");
        assert_eq!(stored_form(Template::Records, "reference", none, false), "", "{none}");
    }
    assert_eq!(subjects("name", "无"), "无");
    assert_eq!(stored_form(Template::Settlements, "paid_fen", "-", false), "-");
}

#[test]
fn a_code_that_excel_changed_is_a_fault() {
    let changed = "fault excel_changed";
    for code in ["1.2E+17", "1.23303E+17", "9E+17", "123303003029710000", "330302198001020000"] {
        assert_eq!(subjects("uscc", code), changed, "{code}");
        assert_eq!(subjects("id_number", code), changed, "{code}");
    }
    assert_eq!(stored_form(Template::Accounts, "account_number", "6222021203000000000", false), changed);
    assert_eq!(stored_form(Template::Accounts, "account_number", "6.22202E+18", false), changed);
    // Codes have letters too, and fewer digits are exact in Excel.
    for code in ["12330300E302990000", "1233030030299E1000", "102100000000000"] {
        assert_eq!(subjects("uscc", code), code);
    }
    // A cell of text was no number, and so was one whose check digit fits.
    assert_eq!(stored_form(Template::Subjects, "id_number", "330302198001020000", true), "330302198001020000");
    let fits = (0..=999).find_map(|nth| {
        let code = format!("330302198001{:02}{}000", nth % 28 + 1, nth / 28 % 10);
        ResidentId::parse(&code, "2026-04-01".parse().unwrap()).is_ok().then_some(code)
    });
    let fits = fits.unwrap();
    assert_eq!(subjects("id_number", &fits), fits);
}

#[test]
fn amounts_without_a_unit_are_in_fen_and_never_guessed() {
    let paid = |text| stored_form(Template::Settlements, "paid_fen", text, false);
    assert_eq!(paid("1,234"), "1234");
    assert_eq!(paid("-1,234"), "-1234");
    assert_eq!(paid("1234.50"), "1234.50", "left to the checks, which reject it");
}

#[test]
fn every_space_around_a_text_is_found_by_the_quick_look() {
    let spaces = (1..=0xffff).filter_map(char::from_u32).filter(|c| c.is_whitespace() || matches!(c, '\'' | '＇'));
    for space in spaces {
        assert!(!is_plain_text(&format!("{space}医保局"), false), "{space:?}");
        // An apostrophe at the end alone is part of the text.
        assert_eq!(is_plain_text(&format!("医保局{space}"), false), !space.is_whitespace(), "{space:?}");
    }
    for text in ["医保局", "温医保罚〔2026〕7号", "〔2026〕7号", "“合成”", "a", "", "医保局’"] {
        assert!(is_plain_text(text, true), "{text}");
    }
}
