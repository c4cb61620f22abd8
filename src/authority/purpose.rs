//! What a key is for. One key is good for one purpose only.

use crate::{domain::words::words, identity::Suite, store::Place};

words! {
    /// What a key is for, as at rest and on the command line.
    Purpose: "purpose of keys" {
        /// Signs access tokens.
        TokenSigning = "token_signing",
        /// Signs answers to banks.
        AnswerSigning = "answer_signing",
        /// Signs the ledger's checkpoints.
        LedgerSigning = "ledger_signing",
        /// Signs certificates and revocation lists of our own authority.
        Authority = "authority",
    }
}

impl Purpose {
    /// The purposes a running gateway signs for.
    pub const SIGNING: [Self; 3] = [Self::TokenSigning, Self::AnswerSigning, Self::LedgerSigning];

    /// The suite its keys are made for: C2SP checkpoints want Ed25519, everything else is ES256.
    pub const fn suite(self) -> Suite {
        match self {
            Self::LedgerSigning => Suite::Ed25519,
            Self::TokenSigning | Self::AnswerSigning | Self::Authority => Suite::Es256,
        }
    }

    /// Where the sealed private key stands: the purpose is part of it, so that a row whose purpose was changed does not open.
    pub(super) const fn place(self, row: &str) -> Place<'_> {
        let column = match self {
            Self::TokenSigning => "sealed_private/token_signing",
            Self::AnswerSigning => "sealed_private/answer_signing",
            Self::LedgerSigning => "sealed_private/ledger_signing",
            Self::Authority => "sealed_private/authority",
        };
        Place { table: "keys", row, column }
    }
}
