//! Consents from request to end, by banks and by operators.

mod idempotency;
mod request;
mod revocation;
mod transitions;
