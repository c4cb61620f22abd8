//! What a consent may allow, for what purpose, and what a token may be used for.

use super::words::words;

words! {
    /// A data cluster that a consent allows (PIPL art. 23: ticked one by one).
    Permission: "permission" {
        /// 信用等级: the current grade of each covered code.
        Grade = "grade",
        /// 历史等级: grades of former rounds.
        GradeHistory = "grade_history",
        /// 一级指标得分: first-level totals.
        Scorecard = "scorecard",
        /// 医保月度结算数据: monthly settlement summaries.
        Settlements = "settlements",
        /// 账户匹配: whether an account number is the settlement account; never the number.
        AccountMatch = "account_match",
    }
}

words! {
    /// Why a bank reads (征信业管理条例 art. 20: no other use).
    Purpose: "purpose" {
        /// 贷前审查.
        PreLoanReview = "pre_loan_review",
        /// 贷中审批.
        LoanApproval = "loan_approval",
        /// 贷后管理: consented to apart, never implied by an application.
        PostLoanManagement = "post_loan_management",
    }
}

words! {
    /// An OAuth scope: the most a token can be used for; the consent narrows it further.
    Scope: "scope" {
        /// Request and revoke consents.
        ConsentsWrite = "consents:write",
        /// Read one's own consents.
        ConsentsRead = "consents:read",
        /// Read grades.
        GradeRead = "grade:read",
        /// Read former grades.
        GradeHistoryRead = "grade-history:read",
        /// Read first-level totals.
        ScorecardRead = "scorecard:read",
        /// Read settlement summaries.
        SettlementsRead = "settlements:read",
        /// Receive deliveries: a month of every consent in one answer, each part with its own scope besides.
        DeliveriesRead = "deliveries:read",
        /// Prove disclosures.
        DisclosuresRead = "disclosures:read",
        /// Deliver files that follow a template. Departments have it and nobody else.
        ImportsWrite = "imports:write",
        /// Read the ledger's entries: salted commitments, never what they commit to. Auditors have it and nobody else.
        LedgerAudit = "ledger:audit",
    }
}
