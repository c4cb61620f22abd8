//! Why a receiver rejects a row: the codes R01 to R13 and R99, in Chinese and English, and what to do about each.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a receiver rejected a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RejectReason {
    #[serde(rename = "R01")]
    UsccInvalid,
    #[serde(rename = "R02")]
    SubjectUnknown,
    #[serde(rename = "R03")]
    FieldMissing,
    #[serde(rename = "R04")]
    CodeUnknown,
    #[serde(rename = "R05")]
    DateIllogical,
    #[serde(rename = "R06")]
    Duplicate,
    #[serde(rename = "R07")]
    TextInvalid,
    #[serde(rename = "R08")]
    NotRegistered,
    #[serde(rename = "R09")]
    Late,
    #[serde(rename = "R10")]
    ResidentIdInvalid,
    #[serde(rename = "R11")]
    NaturalPerson,
    #[serde(rename = "R12")]
    DigestMismatch,
    #[serde(rename = "R13")]
    NoOriginal,
    #[serde(rename = "R99")]
    Other,
}

/// The words for a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonWords {
    /// The code, such as `R02`.
    pub code: &'static str,
    pub zh: &'static str,
    pub en: &'static str,
    /// What to do, in Chinese.
    pub remedy_zh: &'static str,
    /// What to do.
    pub remedy_en: &'static str,
}

/// The reasons in the order of their codes, with the words for each.
const TABLE: [(RejectReason, ReasonWords); 14] = [
    (
        RejectReason::UsccInvalid,
        ReasonWords {
            code: "R01",
            zh: "统一社会信用代码校验不通过",
            en: "The unified social credit code is not valid",
            remedy_zh: "核对主体的统一社会信用代码，更正后重新报送",
            remedy_en: "Compare the subject's code with its licence, correct it and send the row again",
        },
    ),
    (
        RejectReason::SubjectUnknown,
        ReasonWords {
            code: "R02",
            zh: "主体不存在，或名称与代码不一致",
            en: "The subject is unknown, or its name does not match its code",
            remedy_zh: "与市场监管登记信息核对名称和代码，更正后重新报送",
            remedy_en: "Compare name and code with the business register, correct them and send the row again",
        },
    ),
    (
        RejectReason::FieldMissing,
        ReasonWords {
            code: "R03",
            zh: "必填项为空",
            en: "A required field is empty",
            remedy_zh: "按平台的字段要求补齐，或在平台文件中设置默认值",
            remedy_en: "Complete the field, or give it a default in the platform's file",
        },
    ),
    (
        RejectReason::CodeUnknown,
        ReasonWords {
            code: "R04",
            zh: "字典值不合法",
            en: "A value is not in the receiver's code table",
            remedy_zh: "核对平台文件中的代码对照表，更正后重新报送",
            remedy_en: "Correct the code values in the platform's file and send the row again",
        },
    ),
    (
        RejectReason::DateIllogical,
        ReasonWords {
            code: "R05",
            zh: "日期逻辑错误，如有效期止早于有效期始、决定日期晚于今天",
            en: "Dates contradict each other, such as an end before its beginning or a decision in the future",
            remedy_zh: "核对原始文书的日期，更正数据后重新报送",
            remedy_en: "Compare the dates with the document, correct the data and send the row again",
        },
    ),
    (
        RejectReason::Duplicate,
        ReasonWords {
            code: "R06",
            zh: "记录重复",
            en: "The record is there already",
            remedy_zh: "核对平台现存的记录；内容相同的，说明理由后免于重报",
            remedy_en: "Compare with what the receiver holds; if it is the same, waive the row with that reason",
        },
    ),
    (
        RejectReason::TextInvalid,
        ReasonWords {
            code: "R07",
            zh: "字段超长或含非法字符",
            en: "A text is too long or has a character that is not allowed",
            remedy_zh: "缩短文本或更换字符；字段长度不够的，与平台商定",
            remedy_en: "Shorten the text or replace the character; agree on a longer field with the receiver",
        },
    ),
    (
        RejectReason::NotRegistered,
        ReasonWords {
            code: "R08",
            zh: "批次或目录未登记",
            en: "The batch or the catalogue is not registered",
            remedy_zh: "请平台登记目录或批次后重新报送",
            remedy_en: "Have the receiver register the catalogue or the batch, and send the row again",
        },
    ),
    (
        RejectReason::Late,
        ReasonWords {
            code: "R09",
            zh: "报送超期",
            en: "The row came after the deadline",
            remedy_zh: "与平台协商补报，并检查报送计划",
            remedy_en: "Agree with the receiver on a late delivery, and check the schedule of the platform",
        },
    ),
    (
        RejectReason::ResidentIdInvalid,
        ReasonWords {
            code: "R10",
            zh: "身份证号码校验不通过",
            en: "The resident identity number is not valid",
            remedy_zh: "核对证件号码，更正后重新报送",
            remedy_en: "Compare the number with the document, correct it and send the row again",
        },
    ),
    (
        RejectReason::NaturalPerson,
        ReasonWords {
            code: "R11",
            zh: "自然人信息不得公示",
            en: "Data of natural persons must not be published",
            remedy_zh: "不要重报；核对平台文件中自然人和个体工商户的设置",
            remedy_en: "Do not send it again; check what the platform's file says of natural persons and sole traders",
        },
    ),
    (
        RejectReason::DigestMismatch,
        ReasonWords {
            code: "R12",
            zh: "签名或摘要不符",
            en: "The signature or the digest does not match",
            remedy_zh: "核对平台使用的公钥是否为最新，然后重新报送",
            remedy_en: "Check that the receiver has the current public keys, and send the row again",
        },
    ),
    (
        RejectReason::NoOriginal,
        ReasonWords {
            code: "R13",
            zh: "更正或删除的原记录不存在",
            en: "The record to correct or delete is not there",
            remedy_zh: "对账后补报原记录，再报送更正",
            remedy_en: "Reconcile, send the original record, then the correction",
        },
    ),
    (
        RejectReason::Other,
        ReasonWords {
            code: "R99",
            zh: "其他原因",
            en: "Another reason",
            remedy_zh: "查看平台的说明，必要时与平台联系",
            remedy_en: "Read the receiver's note, and ask the receiver where it does not help",
        },
    ),
];

impl RejectReason {
    /// Every reason, in the order of the codes.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(reason, _)| *reason)
    }

    /// The code and the words.
    pub const fn words(self) -> ReasonWords {
        // The order of the variants is that of the table; a test compares them.
        TABLE[self as usize].1
    }

    /// The code.
    pub const fn code(self) -> &'static str {
        self.words().code
    }
}

impl FromStr for RejectReason {
    type Err = ();

    /// Reads a code, in either case.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        Self::all().find(|reason| reason.code().eq_ignore_ascii_case(text)).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_as_its_reason_and_has_words() {
        assert_eq!(RejectReason::all().count(), 14);
        for (at, reason) in RejectReason::all().enumerate() {
            assert_eq!(reason as usize, at);
            assert_eq!(reason.code().to_lowercase().parse(), Ok(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
            let words = reason.words();
            assert!(words.zh.chars().any(|c| c > '\u{4e00}') && words.remedy_zh.chars().any(|c| c > '\u{4e00}'));
            assert!(words.en.is_ascii() && words.remedy_en.is_ascii());
        }
        assert!("R14".parse::<RejectReason>().is_err() && "".parse::<RejectReason>().is_err());
    }
}
