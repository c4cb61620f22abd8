//! Consents over their life: asked for, granted, changed, ended, by banks and by operators.

mod idempotency;
mod life;
mod request;
mod revocation;
