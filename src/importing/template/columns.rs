//! The columns of each template, in the order in which it is published, and the position of each.

macro_rules! columns {
    (@position $at:expr; $name:ident $(, $rest:ident)*) => {
        pub(in crate::importing) const $name: usize = $at;
        columns!(@position $at + 1; $($rest),*);
    };
    (@position $at:expr;) => {};
    ($template:ident { $($name:ident = $text:literal),+ $(,)? }) => {
        pub(in crate::importing) mod $template {
            pub(in crate::importing) const NAMES: &[&str] = &[$($text),+];
            columns!(@position 0; $($name),+);
        }
    };
}

columns! { subjects {
    KIND = "kind",
    CODE = "code",
    USCC = "uscc",
    NAME = "name",
    REGION = "region",
    LEVEL = "level",
    PARENT_CODE = "parent_code",
    ID_TYPE = "id_type",
    ID_NUMBER = "id_number",
    LEGAL_REPRESENTATIVE = "legal_representative",
    AGREEMENT_SIGNED_ON = "agreement_signed_on",
    AGREEMENT_STATUS = "agreement_status",
    LICENCE_STATUS = "licence_status",
    AGREEMENT_STATUS_ON = "agreement_status_on",
    LICENCE_STATUS_ON = "licence_status_on",
} }

columns! { affiliations {
    PERSON_CODE = "person_code",
    INSTITUTION_CODE = "institution_code",
    MAIN = "main",
    FROM_ON = "from_on",
    TO_ON = "to_on",
} }

columns! { records {
    SUBJECT_CODE = "subject_code",
    MEASURE = "measure",
    VALUE = "value",
    OCCURRED_ON = "occurred_on",
    SOURCE = "source",
    REFERENCE = "reference",
} }

columns! { adverse {
    SUBJECT_CODE = "subject_code",
    REFERENCE = "reference",
    SOURCE = "source",
    TIER = "tier",
    DECIDED_ON = "decided_on",
    PUBLISH_FROM_ON = "publish_from_on",
    EARLIEST_REPAIR_ON = "earliest_repair_on",
    LATEST_END_ON = "latest_end_on",
    STATUS = "status",
} }

columns! { settlements {
    SUBJECT_CODE = "subject_code",
    MONTH = "month",
    INSURANCE = "insurance",
    VISITS = "visits",
    PERSONS = "persons",
    BILLED = "billed_fen",
    CLAIMED = "claimed_fen",
    SETTLED = "settled_fen",
    PAID = "paid_fen",
    RETAINED = "retained_fen",
    DISALLOWED = "disallowed_fen",
    DEDUCTED = "deducted_fen",
    PREPAID = "prepaid_fen",
    OFFSET = "offset_fen",
    PAYABLE = "payable_fen",
    STATUS = "status",
    AS_OF = "as_of",
} }

columns! { voids {
    SUBJECT_CODE = "subject_code",
    MEASURE = "measure",
    REFERENCE = "reference",
    REASON = "reason",
    DECIDED_ON = "decided_on",
    DECISION = "decision",
} }

columns! { accounts {
    SUBJECT_CODE = "subject_code",
    BANK_CODE = "bank_code",
    ACCOUNT = "account_number",
    VALID_FROM_ON = "valid_from_on",
} }
