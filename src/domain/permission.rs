//! What a consent may allow, for what purpose, and what a token may be used for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::time::Malformed;

/// A closed list of words with stable texts.
macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident: $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl utoipa::ToSchema for $name {}

        // Not derived: the derivation would tell the names of the variants and not the words.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .description(Some(concat!($($doc, "\n"),*).trim()))
                    .enum_values(Some(Self::ALL.iter().map(|word| word.as_str())))
                    .into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    let known: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    Malformed(format!(concat!("{:?} is not a ", $what, "; known: {}"), text, known.join(", ")))
                })
            }
        }
    };
}
pub(crate) use words;

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
