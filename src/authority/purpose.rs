//! What a key is for. One key is good for one purpose only.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    domain::time::{Malformed, serde_as_text},
    identity::Suite,
    store::Place,
};

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Signs access tokens.
    TokenSigning,
    /// Signs answers to banks.
    AnswerSigning,
    /// Signs the ledger's checkpoints.
    LedgerSigning,
    /// Signs certificates and revocation lists of our own authority.
    Authority,
}

impl Purpose {
    /// The purposes a running gateway signs for.
    pub const SIGNING: [Self; 3] = [Self::TokenSigning, Self::AnswerSigning, Self::LedgerSigning];

    /// The name at rest and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenSigning => "token_signing",
            Self::AnswerSigning => "answer_signing",
            Self::LedgerSigning => "ledger_signing",
            Self::Authority => "authority",
        }
    }

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

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Purpose {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let all = [Self::TokenSigning, Self::AnswerSigning, Self::LedgerSigning, Self::Authority];
        all.into_iter().find(|purpose| purpose.name() == text).ok_or_else(|| {
            Malformed(format!(
                "{text:?} is not a purpose of keys: token_signing, answer_signing, ledger_signing or authority"
            ))
        })
    }
}

serde_as_text!(Purpose);
