//! The permissions and purposes of consents, and the scopes of tokens.

use super::words::words;

words! {
    /// A kind of data that a consent allows (PIPL art. 23: each is ticked separately).
    Permission: "permission" {
        /// 信用等级: the current grade of each covered code.
        Grade = "grade",
        /// 历史等级: grades of earlier rounds.
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
    /// Reason for which a bank reads data (征信业管理条例 art. 20: no other use).
    Purpose: "purpose" {
        /// 贷前审查.
        PreLoanReview = "pre_loan_review",
        /// 贷中审批.
        LoanApproval = "loan_approval",
        /// 贷后管理: needs its own consent, which a loan application never implies.
        PostLoanManagement = "post_loan_management",
    }
}

words! {
    /// OAuth scope: the upper bound of what a token allows; the consent narrows it further.
    Scope: "scope" {
        /// Request and revoke consents.
        ConsentsWrite = "consents:write",
        /// Read the bank's own consents.
        ConsentsRead = "consents:read",
        /// Read grades.
        GradeRead = "grade:read",
        /// Read the grades of earlier rounds.
        GradeHistoryRead = "grade-history:read",
        /// Read first-level totals.
        ScorecardRead = "scorecard:read",
        /// Read settlement summaries.
        SettlementsRead = "settlements:read",
        /// Receive deliveries: a month of every consent in one response. Each part also needs its own scope.
        DeliveriesRead = "deliveries:read",
        /// Read the inclusion proofs of disclosures.
        DisclosuresRead = "disclosures:read",
        /// Upload files that follow a template. Only departments have it.
        ImportsWrite = "imports:write",
        /// Report what a platform decided about the rows of its packages. Only platforms have it.
        ReceiptsWrite = "receipts:write",
        /// Read the ledger's entries: salted commitments, never the committed values. Only auditors have it.
        LedgerAudit = "ledger:audit",
    }
}
