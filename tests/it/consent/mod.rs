//! Consents from request to end, by banks and by operators.

mod amend;
mod idempotency;
mod request;
mod revocation;
mod transitions;
