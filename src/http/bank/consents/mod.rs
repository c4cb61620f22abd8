//! `/v1/consents`: a bank requests, lists, shows and revokes consents, and gets their receipts.

pub mod list;
pub mod receipt;
pub mod request;
pub mod revoke;
pub mod show;
mod view;
