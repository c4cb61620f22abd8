//! Consents over their life: asked for, granted, changed, ended, by banks and by operators.

mod life;
mod once;
mod request;
mod revocation;
