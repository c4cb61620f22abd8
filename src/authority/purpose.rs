//! The purposes of keys. A key has exactly one.

use crate::{domain::words::words, identity::Suite, store::SealContext};

words! {
    /// The purpose of a key, in the store and on the command line.
    Purpose: "purpose of keys" {
        /// Signs access tokens.
        TokenSigning = "token_signing",
        /// Signs responses to banks.
        AnswerSigning = "answer_signing",
        /// Signs the ledger's checkpoints.
        LedgerSigning = "ledger_signing",
        /// Signs certificates and revocation lists of the gateway's own authority.
        Authority = "authority",
    }
}

impl Purpose {
    /// The purposes of the keys that a running gateway uses.
    pub const SIGNING: [Self; 3] = [Self::TokenSigning, Self::AnswerSigning, Self::LedgerSigning];

    /// The suite of the keys: C2SP checkpoints require Ed25519, everything else uses ES256.
    pub const fn suite(self) -> Suite {
        match self {
            Self::LedgerSigning => Suite::Ed25519,
            Self::TokenSigning | Self::AnswerSigning | Self::Authority => Suite::Es256,
        }
    }

    /// The place of the sealed private key. It includes the purpose, so that a row with a changed purpose cannot be
    /// opened.
    pub(super) const fn place(self, row: &str) -> SealContext<'_> {
        let column = match self {
            Self::TokenSigning => "sealed_private/token_signing",
            Self::AnswerSigning => "sealed_private/answer_signing",
            Self::LedgerSigning => "sealed_private/ledger_signing",
            Self::Authority => "sealed_private/authority",
        };
        SealContext { table: "keys", row, column }
    }
}
