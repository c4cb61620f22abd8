//! The reasons why a listener itself refuses a request.

use crate::identity::IdentityError;

/// Why the listener refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The certificate is not accepted any more.
    Identity(IdentityError),
    /// Revocations may have been missed, so nobody can be authenticated (I3).
    TrustOutOfDate,
    /// The certificate is refused by a clock that is not to be relied on (I10).
    ClockUntrusted,
    /// The request does not name one host.
    Host,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTooSlow,
    /// The response was not ready in time.
    RequestTimeout,
}

impl Refusal {
    /// The stable code of its problem document, also its reason in the metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Identity(_) => "certificate_refused",
            Self::TrustOutOfDate => "state_unknown",
            Self::ClockUntrusted => "clock_untrusted",
            Self::Host => "host_invalid",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::RequestTimeout => "request_timeout",
        }
    }

    /// The reason in one word, for the log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Identity(error) => error.reason(),
            other => other.code(),
        }
    }

    /// The sentence for the client.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Identity(_) => {
                "The certificate of this connection is not accepted any more. The connection is closed."
            }
            Self::TrustOutOfDate | Self::ClockUntrusted => {
                "The gateway cannot answer this safely at the moment. Try again shortly."
            }
            Self::Host => "Name the gateway in one `Host` header, or in `:authority`, and nowhere differently.",
            Self::BodyTooLarge => "The request body is larger than allowed.",
            Self::BodyTooSlow => "The request body did not arrive in time.",
            Self::RequestTimeout => "The gateway could not answer in time. Try again shortly.",
        }
    }
}
