//! Texts of subjects.

use super::page_texts;

page_texts! {
    subjects_title: "Subjects", "信用主体";
    subjects_lead: "Find a subject by its exact code. Every look is recorded with its purpose.", "按主体编码精确查询。每次查阅均连同用途记入台账。";
    subjects_code: "Code of the subject", "主体编码";
    subjects_purpose: "Purpose", "查阅用途";
    subjects_purpose_hint: "For example the number of the case. Kept in the ledger for ever.", "例如办件编号。将永久记入台账。";
    subjects_enter_code: "Enter a code.", "请输入主体编码。";
    subjects_enter_purpose: "Enter the purpose.", "请填写查阅用途。";
    subjects_unknown: "There is no subject with this code, or it is not in your regions.", "没有该编码的主体，或不在您的辖区。";
    subjects_show: "Show", "查阅";
    subject_kind: "Kind", "类别";
    subject_region: "Region", "地区";
    subject_level: "Level", "级别";
    subject_agreement: "Service agreement", "服务协议";
    subject_licence: "Licence", "执业许可";
    subject_number: "Number of the document", "证件号码";
    subject_representative: "Legal representative", "法定代表人";
    subject_objection: "Open objection", "异议处理中";
    subject_facts: "File", "基本情况";
    subject_grades: "Grades", "历次评级";
    subject_points: "Points", "得分";
    subject_grade: "Grade", "等级";
    subject_version: "Version", "版本";
    subject_records: "Records by category", "采集记录";
    subject_category: "Category", "类别";
    subject_consents: "Consents", "授权";
    subject_readers: "Who read what", "查询记录";
    subject_what: "Read", "查询内容";
    subject_explain: "Explain the newest result", "最近一期评定说明";
    subject_masked: "Personal values are masked.", "个人信息已脱敏显示。";
    subject_not_rated: "Not rated", "不参评";
}
