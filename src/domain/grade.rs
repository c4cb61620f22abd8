//! Grade states of subjects, and reasons of not being rated.

use super::words::words;

words! {
    /// Why a subject was not rated (不参评, Zhenjiang 2024-82 section 3.1.5).
    NotRatedReason: "reason of not being rated" {
        /// 签订医保服务协议不满1年: the agreement is younger than a year.
        AgreementUnderOneYear = "agreement_under_one_year",
        /// 主动解除服务协议: the subject ended the agreement.
        AgreementEndedBySubject = "agreement_ended_by_subject",
        /// 未达到续签条件被解除服务协议: the bureau ended the agreement because its conditions were not met.
        AgreementEndedByBureau = "agreement_ended_by_bureau",
        /// 暂停或吊销执业许可: the licence is suspended or revoked.
        LicenceSuspended = "licence_suspended",
        /// 数据不足: no data was reported that could be rated, which is not the same as bad data.
        InsufficientData = "insufficient_data",
        /// 其他不参与评测的情形: another case that law or regulation names.
        Other = "other",
    }
}

words! {
    /// The five possible answers to a request for a grade (domain 0.8). Kept apart, because a lender reads each
    /// differently.
    GradeStatus: "status of a grade" {
        /// 有等级.
        Graded = "graded",
        /// 不参评, with a [`NotRatedReason`].
        NotRated = "not_rated",
        /// 尚未评价: no round has covered it.
        NotEvaluated = "not_evaluated",
        /// 等级过期: its last grade's validity is over.
        Expired = "expired",
        /// 异议处理中: an objection is open, and the grade is withheld until it is decided.
        UnderObjection = "under_objection",
    }
}
