//! The table of columns: the Chinese header of each, the kind of its values, and whether it may be empty. Headers are
//! recognised by it, values are brought into their stored form by it, and the empty workbooks are written from it.

use super::{
    Template,
    vocabulary::{
        ADVERSE_STATUS, AGREEMENT_STATUS, ID_TYPE, INSURANCE, LICENCE_STATUS, MAIN, SETTLEMENT_STATUS, TIER, Word,
    },
};

/// The kind of a column's values: which ways of writing them are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::importing) enum ValueKind {
    /// A free text.
    Text,
    /// A code or number of which every character counts.
    Code,
    /// The id or the name of a kind of subject.
    SubjectKind,
    /// The code or the name of a region.
    Region,
    /// The id or the name of a measure.
    Measure,
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
    /// A number with up to four decimals.
    Number,
    /// A whole number.
    Count,
    /// An amount, stored in fen.
    Amount,
    /// One of a list of words.
    Word(&'static [Word]),
}

/// A column of a template.
#[derive(Debug, Clone, Copy)]
pub(in crate::importing) struct Column {
    /// The name in English, as in [`Template::columns`].
    pub(in crate::importing) name: &'static str,
    /// The header in Chinese.
    pub(in crate::importing) zh: &'static str,
    /// Other headers in Chinese that mean this column.
    pub(in crate::importing) also: &'static [&'static str],
    pub(in crate::importing) kind: ValueKind,
    /// Whether the field may be empty.
    pub(in crate::importing) optional: bool,
    /// What belongs into it, for the person who fills it in.
    pub(in crate::importing) note: &'static str,
}

const fn required(name: &'static str, zh: &'static str, kind: ValueKind, note: &'static str) -> Column {
    Column { name, zh, also: &[], kind, optional: false, note }
}

const fn optional(name: &'static str, zh: &'static str, kind: ValueKind, note: &'static str) -> Column {
    Column { name, zh, also: &[], kind, optional: true, note }
}

impl Column {
    const fn or(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }
}

const SUBJECT_NOTE: &str = "国家医保编码等主体编码，须与已导入的主体一致。请将单元格设为“文本”。";
const SUBJECT_ALSO: &[&str] = &["医保编码", "国家医保编码", "机构编码", "定点医药机构编码"];
const DAY_NOTE: &str = "日期，如 2026-03-31。";
const AMOUNT_NOTE: &str = "金额。单位写在表头的括号里：(分)、(元) 或 (万元)。";

use ValueKind::{Amount, Code, Count, Day, Measure, Month, Number, Region, SubjectKind, Text};

const SUBJECTS: &[Column] = &[
    required("kind", "主体类型", SubjectKind, "见“取值”表，如 定点医疗机构。").or(&[
        "信用主体类型",
        "机构类型",
        "类型",
    ]),
    required("code", "主体编码", Code, "国家医保编码等主体编码，不得填写身份证号。请将单元格设为“文本”。")
        .or(SUBJECT_ALSO),
    optional("uscc", "统一社会信用代码", Code, "法人必填，18位；自然人不填。请将单元格设为“文本”。")
        .or(&["社会信用代码", "信用代码"]),
    required("name", "名称", Text, "不超过100字。").or(&["主体名称", "机构名称", "单位名称", "姓名"]),
    required("region", "行政区划", Region, "六位代码或名称，见“取值”表，如 330302 或 鹿城区。").or(&[
        "行政区划代码",
        "区划",
        "区划代码",
        "所属区县",
        "所在区县",
    ]),
    optional("level", "等级", Text, "如 三级甲等。").or(&["机构等级", "医院等级", "级别"]),
    optional("parent_code", "上级主体编码", Code, "连锁总部等上级主体的编码。请将单元格设为“文本”。").or(&[
        "上级编码",
        "上级机构编码",
        "总部编码",
    ]),
    optional("id_type", "证件类型", ValueKind::Word(ID_TYPE), "国家证件类型代码的两位数字，或 居民身份证。"),
    optional("id_number", "证件号码", Code, "法人填法定代表人的证件号码，自然人填本人的。请将单元格设为“文本”。")
        .or(&["证件号", "身份证号", "身份证号码"]),
    optional("legal_representative", "法定代表人", Text, "姓名，不超过50字。").or(&["法人代表", "法定代表人姓名"]),
    optional("agreement_signed_on", "协议签订日期", Day, DAY_NOTE).or(&["签订日期", "签约日期"]),
    required("agreement_status", "协议状态", ValueKind::Word(AGREEMENT_STATUS), "见“取值”表。"),
    required("licence_status", "许可状态", ValueKind::Word(LICENCE_STATUS), "见“取值”表。").or(&[
        "许可证状态",
        "执业许可状态",
        "执业状态",
    ]),
    optional("agreement_status_on", "协议状态日期", Day, "协议状态自何日起，可不设此列；不填以导入之日计。")
        .or(&["协议状态起始日期", "协议状态变更日期"]),
    optional("licence_status_on", "许可状态日期", Day, "许可状态自何日起，可不设此列；不填以导入之日计。")
        .or(&["许可状态起始日期", "许可状态变更日期"]),
];

const AFFILIATIONS: &[Column] = &[
    required("person_code", "人员编码", Code, "医师、药师、护士等人员的编码。请将单元格设为“文本”。")
        .or(&["医保人员编码", "人员医保编码"]),
    required("institution_code", "机构编码", Code, "执业机构的编码。请将单元格设为“文本”。")
        .or(&["执业机构编码", "定点医药机构编码"]),
    required("main", "是否主要执业机构", ValueKind::Word(MAIN), "是 或 否。").or(&["主要执业机构", "是否主执业机构"]),
    required("from_on", "开始日期", Day, DAY_NOTE).or(&["起始日期"]),
    optional("to_on", "结束日期", Day, "仍在执业的不填。").or(&["终止日期", "截止日期"]),
];

const RECORDS: &[Column] = &[
    required("subject_code", "主体编码", Code, SUBJECT_NOTE).or(SUBJECT_ALSO),
    required("measure", "指标", Measure, "信用信息目录中的指标编码或名称，见“取值”表。").or(&["指标编码", "指标名称"]),
    required("value", "数值", Number, "最多四位小数。金额以元计；表头写作 数值(万元) 时以万元计。")
        .or(&["指标值", "金额"]),
    required("occurred_on", "发生日期", Day, DAY_NOTE).or(&["日期"]),
    required("source", "信息来源", Text, "提供信息的部门，不超过60字。").or(&[
        "来源",
        "来源部门",
        "提供部门",
        "提供单位",
    ]),
    optional("reference", "文号", Text, "决定书等文书的文号，不超过100字。").or(&["文书号", "文书文号"]),
];

const ADVERSE: &[Column] = &[
    required("subject_code", "主体编码", Code, SUBJECT_NOTE).or(SUBJECT_ALSO),
    required("reference", "文号", Text, "认定文书的文号，不超过100字。").or(&["文书号", "文书文号"]),
    required("source", "认定单位", Text, "作出认定的部门，不超过60字。").or(&["信息来源", "来源", "认定部门"]),
    required("tier", "失信程度", ValueKind::Word(TIER), "见“取值”表。").or(&["严重程度", "失信等级"]),
    required("decided_on", "认定日期", Day, DAY_NOTE).or(&["决定日期"]),
    optional("publish_from_on", "公示起始日期", Day, DAY_NOTE).or(&["公示开始日期"]),
    optional("earliest_repair_on", "最早可修复日期", Day, DAY_NOTE).or(&["最早修复日期"]),
    optional("latest_end_on", "最晚终止日期", Day, DAY_NOTE).or(&["公示截止日期", "公示结束日期"]),
    required("status", "状态", ValueKind::Word(ADVERSE_STATUS), "见“取值”表。"),
];

const SETTLEMENTS: &[Column] = &[
    required("subject_code", "主体编码", Code, SUBJECT_NOTE).or(SUBJECT_ALSO),
    required("month", "结算月份", Month, "月份，如 2026-03。").or(&["月份", "结算年月"]),
    required("insurance", "险种", ValueKind::Word(INSURANCE), "见“取值”表。").or(&["险种类型"]),
    required("visits", "人次", Count, "整数。").or(&["就诊人次", "结算人次"]),
    required("persons", "人数", Count, "整数。").or(&["就诊人数", "结算人数"]),
    required("billed_fen", "总费用", Amount, AMOUNT_NOTE).or(&["医疗总费用"]),
    required("claimed_fen", "申报金额", Amount, AMOUNT_NOTE).or(&["申报"]),
    required("settled_fen", "结算金额", Amount, AMOUNT_NOTE).or(&["结算"]),
    required("paid_fen", "拨付金额", Amount, AMOUNT_NOTE).or(&["拨付"]),
    required("retained_fen", "预留考核保证金", Amount, AMOUNT_NOTE).or(&["预留保证金"]),
    required("disallowed_fen", "不予支付金额", Amount, AMOUNT_NOTE).or(&["不予支付"]),
    required("deducted_fen", "扣款金额", Amount, AMOUNT_NOTE).or(&["扣款"]),
    required("prepaid_fen", "预拨付金额", Amount, AMOUNT_NOTE).or(&["预拨付", "预付金额"]),
    required("offset_fen", "冲抵金额", Amount, AMOUNT_NOTE).or(&["冲抵"]),
    required("payable_fen", "应付金额", Amount, AMOUNT_NOTE).or(&["应付"]),
    required("status", "结算状态", ValueKind::Word(SETTLEMENT_STATUS), "见“取值”表。").or(&["状态"]),
    required("as_of", "数据截止日期", Day, DAY_NOTE).or(&["截止日期", "数据日期"]),
];

const ACCOUNTS: &[Column] = &[
    required("subject_code", "主体编码", Code, SUBJECT_NOTE).or(SUBJECT_ALSO),
    required("bank_code", "开户行行号", Code, "8至14位。请将单元格设为“文本”。").or(&["行号", "联行号", "开户行号"]),
    required("account_number", "银行账号", Code, "8至32位数字。请将单元格设为“文本”。").or(&["账号", "银行账户"]),
    required("valid_from_on", "启用日期", Day, DAY_NOTE).or(&["生效日期"]),
];

const VOIDS: &[Column] = &[
    required("subject_code", "主体编码", Code, SUBJECT_NOTE).or(SUBJECT_ALSO),
    required("measure", "指标", Measure, "被撤销信息的指标编码或名称，见“取值”表。").or(&["指标编码", "指标名称"]),
    required("reference", "文号", Text, "被撤销文书的文号，须与报送时一致。").or(&["文书号", "文书文号", "原文号"]),
    required("reason", "撤销原因", Text, "如 行政复议撤销、法院判决撤销、录入错误。").or(&["原因"]),
    required("decided_on", "决定日期", Day, DAY_NOTE).or(&["撤销日期"]),
    optional("decision", "撤销决定文号", Text, "行政复议决定书、判决书等的文号。").or(&["决定文号"]),
];

impl Template {
    /// The title of its workbook.
    pub(in crate::importing) const fn title(self) -> &'static str {
        match self {
            Self::Subjects => "信用主体",
            Self::Affiliations => "执业关系",
            Self::Records => "信用信息",
            Self::Adverse => "失信信息",
            Self::Settlements => "月度结算",
            Self::Accounts => "结算账户",
            Self::Voids => "撤销信息",
        }
    }

    /// Its columns, in the order of [`Template::columns`].
    pub(in crate::importing) const fn table(self) -> &'static [Column] {
        match self {
            Self::Subjects => SUBJECTS,
            Self::Affiliations => AFFILIATIONS,
            Self::Records => RECORDS,
            Self::Adverse => ADVERSE,
            Self::Settlements => SETTLEMENTS,
            Self::Accounts => ACCOUNTS,
            Self::Voids => VOIDS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_column_in_order_and_no_header_means_two_columns() {
        for template in Template::ALL.iter().copied() {
            let names: Vec<_> = template.table().iter().map(|column| column.name).collect();
            assert_eq!(names, template.all_columns(), "{template}");
            let mut headers: Vec<&str> =
                template.table().iter().flat_map(|one| one.also.iter().chain([&one.name, &one.zh])).copied().collect();
            let count = headers.len();
            headers.sort_unstable();
            headers.dedup();
            assert_eq!(headers.len(), count, "{template}");
        }
    }
}
