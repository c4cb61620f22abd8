//! `/v1/imports`: departments' systems send files, and see the report of each.

pub mod send;
pub mod show;

/// The paths that take larger bodies. The scope is checked before a body is read.
pub(in crate::http) const PREFIX: &str = "/v1/imports/";
