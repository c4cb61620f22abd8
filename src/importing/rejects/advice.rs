//! The findings in Chinese, and how to fix each: for the office that gets the report and knows only its own file.

use crate::importing::findings::Code;

/// A finding in the words of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Advice {
    pub(super) problem_zh: &'static str,
    pub(super) fix_zh: &'static str,
    pub(super) fix_en: &'static str,
}

/// Every code, in their order, with the problem and the fix in Chinese and the fix in English.
#[rustfmt::skip]
const TABLE: &[(Code, &str, &str, &str)] = &[
    (Code::AccountMalformed, "银行账号格式错误", "请填写8至32位数字，不要有空格和横线", "Write 8 to 32 digits without spaces."),
    (Code::AlreadyVoid, "该信息已经撤销", "该行已接收，不必再报", "The row is accepted. There is nothing to do."),
    (Code::AmountMalformed, "金额格式错误", "金额以分为单位，请填写整数：123.45元写作12345", "Write whole fen: 123.45 yuan is 12345."),
    (Code::AmountTooLarge, "金额过大", "金额超过十万亿元，请核对单位是否为分", "Check the unit: amounts are in fen."),
    (Code::BankCodeMalformed, "银行代码格式错误", "请填写8至14位数字或大写字母的银行代码", "Write the bank's code of 8 to 14 digits or capital letters."),
    (Code::CellError, "单元格是Excel的错误值", "单元格显示#N/A等错误，请改正公式或填写正确的值", "Correct the formula, or write the value: the cell shows an error such as #N/A."),
    (Code::CharacterLost, "姓名或名称中有丢失的字", "导出文件时有字无法保存，请以UTF-8编码重新导出，或按证件补写该字", "Export the file again as UTF-8, or write the character as on the certificate."),
    (Code::CodeMalformed, "编码格式错误", "请核对国家医保编码及其所属类别", "Check the national code and its kind of subject."),
    (Code::ColumnCount, "列数与表头不符", "该行多列或少列，请核对是否有多余的逗号或漏填的单元格", "Give the row as many fields as the header has: look for an extra comma or a missing cell."),
    (Code::ControlCharacter, "含有看不见的字符", "请删除该单元格后手工重新输入，不要粘贴", "Delete the text and type it again instead of pasting it."),
    (Code::CountMalformed, "数量格式错误", "请填写不小于0的整数", "Write a whole number, zero or more."),
    (Code::DateInFuture, "日期晚于今天", "请核对日期，不能填写尚未到来的日期", "Check the day: it must not be in the future."),
    (Code::DateMalformed, "日期格式错误", "请按2026-03-31的格式填写", "Write a day like 2026-03-31."),
    (Code::DateOrder, "日期先后颠倒", "请核对起止日期，结束不能早于开始", "Check the days: an end must not come before its beginning."),
    (Code::DuplicateRow, "与本文件前面的行重复", "请删除重复的行；若是另一事项，请填写不同的文号", "Delete the repeated row; if it is another act, give its own document."),
    (Code::Empty, "必填项为空", "请填写该列", "Fill the field."),
    (Code::ExcelChanged, "Excel改动了该值", "请将该列的单元格格式设为“文本”，再重新填写完整的号码", "Format the column as text, then write the whole number again."),
    (Code::FactExpired, "信息已过有效期", "该信息已过有效期，不再参与评价，请从文件中删除", "Leave the row out: no half-year that can still be graded would use it."),
    (Code::FactUnknown, "没有该文号的信息", "请核对主体编码、指标和文号，须与当初报送的一致", "Check the subject, the measure and the document: they must be those of the fact."),
    (Code::IdNumberInvalid, "身份证号码错误", "请按身份证原件核对18位号码", "Compare the number with the card: 18 characters."),
    (Code::IdTypeMalformed, "证件类型错误", "请填写两位证件类型代码，身份证为01", "Write the two digits of the type, 01 for a resident identity card."),
    (Code::IdentityGap, "结算金额不平衡", "该行已接收；请核对：实付应等于结算减预留、扣减、抵扣，加预付，减冲抵", "The row is accepted. Check: paid is settled - retained - disallowed - deducted + prepaid - offset."),
    (Code::KindUnknown, "没有该主体类别", "请填写类别表中的类别", "Write a kind of the table of kinds."),
    (Code::MaskedValue, "内容被星号遮盖", "退回报告中的个人信息已遮盖，请填写完整内容", "Write the value in full: reports mask it."),
    (Code::MeasureUnknown, "目录中没有该指标", "请按信息目录核对指标编号，并核对主体类别", "Check the measure against the catalogue of the subject's kind."),
    (Code::MonthInFuture, "月份晚于本月", "请核对月份，不能填写尚未到来的月份", "Check the month: it must not be in the future."),
    (Code::MonthMalformed, "月份格式错误", "请按2026-03的格式填写", "Write a month like 2026-03."),
    (Code::NotGb18030, "文字编码错误", "该行有GB18030中没有的字节，请将文件另存为UTF-8编码后重报", "Save the file as UTF-8 and send it again."),
    (Code::NotUtf16, "文字编码错误", "该行有UTF-16中没有的字节，请将文件另存为UTF-8编码后重报", "Save the file as UTF-8 and send it again."),
    (Code::NotUtf8, "文字编码错误", "该行不是UTF-8编码，请将文件另存为UTF-8编码后重报", "Save the file as UTF-8 and send it again."),
    (Code::ProviderUnexpected, "来源不是目录规定的提供单位", "该行已接收；请核对来源单位", "The row is accepted. Check the source."),
    (Code::ReferenceMissing, "缺少文号", "该指标的信息必须填写决定书等文书的文号", "Write the number of the document: facts of this measure must name it."),
    (Code::RegionMalformed, "行政区划代码格式错误", "请填写六位行政区划代码，如330302", "Write the six digits of the region, such as 330302."),
    (Code::RegionOutside, "主体不在该类信息所属的地区", "请核对机构编码和指标，该指标只适用于特定地区", "Check the subject and the measure: the measure is about another region."),
    (Code::RegionUnknown, "行政区划不在本市区划表中", "该行已接收；请核对行政区划代码", "The row is accepted. Check the region."),
    (Code::Repetition, "同一天的同一事项已报送过", "该行已接收，只计一次；若是另一事项，请填写各自的文号", "The row is accepted and counted once. If it is another act, give each its document."),
    (Code::ResidentNumber, "身份证号码填在了不该填的列", "请移到证件号码列，其他列不得出现身份证号码", "Move the number to the column id_number, and leave it out of every other column."),
    (Code::SameDocument, "同一文号已报送过", "该行已接收，同一文书只计一次；请核对日期和来源", "The row is accepted and counted once. Check the day and the source."),
    (Code::SourceForeign, "来源不是本单位登记的来源", "请填写本单位登记的来源名称", "Write a source that the sender is registered for."),
    (Code::StatusUndated, "状态变更没有日期", "该行已接收，状态自导入之日起算；请填写状态自何日起", "The row is accepted, and the status holds from the day of the import. Write its first day."),
    (Code::SubjectUnknown, "主体尚未登记", "请核对机构或人员编码；新主体须先报送主体表", "Check the code; a new subject is imported first."),
    (Code::TooLong, "文字过长", "请缩短到规定的字数以内", "Shorten the text."),
    (Code::UsccChanged, "统一社会信用代码变更", "该行已接收；请核对是否因合并或转为企业而更换主体", "The row is accepted. Check that the code really passed to another entity."),
    (Code::UsccCheckMismatch, "统一社会信用代码校验不符", "请按营业执照或法人证书核对18位代码", "Compare the code with the licence."),
    (Code::UsccInvalid, "统一社会信用代码无效", "请按营业执照或法人证书填写18位代码，不得用0或身份证号码代替", "Write the 18 characters of the licence; neither zeros nor a resident's number stand in for them."),
    (Code::UsccLowerCase, "统一社会信用代码为小写", "该行已接收，并已改为大写", "The row is accepted; the code is stored in capital letters."),
    (Code::ValueMalformed, "数值格式错误", "请填写数字，最多四位小数，不带单位和百分号", "Write a number with up to four decimals, without unit or percent sign."),
    (Code::ValueOutOfRange, "数值超出目录规定的范围", "请按信息目录核对数值及其单位", "Check the value and its unit against the catalogue."),
    (Code::VoidedDocument, "该文书已被撤销", "该行已接收，但不计入评价；若撤销有误，请联系医保局", "The row is accepted and does not count. If the document stands, ask the bureau to restore it."),
    (Code::WordUnknown, "不是规定的用词", "请使用采集模板中规定的用词", "Write one of the words that the template allows."),
];

/// The words for a code.
pub(super) fn advice(code: Code) -> Advice {
    let found = TABLE.iter().find(|(of, ..)| *of == code);
    let (_, problem_zh, fix_zh, fix_en) = found.copied().unwrap_or((code, code.as_str(), "", ""));
    Advice { problem_zh, fix_zh, fix_en }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_problem_and_a_fix_in_both_languages() {
        let listed: Vec<_> = TABLE.iter().map(|(code, ..)| *code).collect();
        assert_eq!(listed, Code::ALL);
        let chinese = |text: &str| text.chars().any(|c| matches!(c, '\u{4E00}'..='\u{9FFF}'));
        for code in Code::ALL {
            let Advice { problem_zh, fix_zh, fix_en } = advice(*code);
            assert!(chinese(problem_zh) && chinese(fix_zh), "{code}");
            assert!(fix_en.ends_with('.') && fix_en.is_ascii(), "{code}");
        }
    }
}
