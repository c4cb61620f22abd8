//! What a subject's credit is, and why it may have none.

use serde::{Deserialize, Serialize};

/// Why a subject was not rated (不参评, Zhenjiang 2024-82 section 3.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotRatedReason {
    /// 签订医保服务协议不满1年: the agreement is younger than a year.
    AgreementUnderOneYear,
    /// 主动解除服务协议: it ended the agreement itself.
    AgreementEndedBySubject,
    /// 未达到续签条件被解除服务协议: the agreement was ended for not meeting the conditions.
    AgreementEndedByBureau,
    /// 暂停或吊销执业许可: the licence is suspended or revoked.
    LicenceSuspended,
    /// 其他不参与评测的情形: another case that law or regulation names.
    Other,
}

impl NotRatedReason {
    /// The stable code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgreementUnderOneYear => "agreement_under_one_year",
            Self::AgreementEndedBySubject => "agreement_ended_by_subject",
            Self::AgreementEndedByBureau => "agreement_ended_by_bureau",
            Self::LicenceSuspended => "licence_suspended",
            Self::Other => "other",
        }
    }

    /// Reads the stable code.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::AgreementUnderOneYear,
            Self::AgreementEndedBySubject,
            Self::AgreementEndedByBureau,
            Self::LicenceSuspended,
            Self::Other,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == text)
    }
}

/// The five answers a grade question can have (domain 0.8). Kept apart, because a lender reads each differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GradeStatus {
    /// 有等级.
    Graded,
    /// 不参评, with a [`NotRatedReason`].
    NotRated,
    /// 尚未评价: no round has covered it.
    NotEvaluated,
    /// 等级过期: its last grade's validity is over.
    Expired,
    /// 异议处理中: an objection is open, and the grade is withheld until it is decided.
    UnderObjection,
}
