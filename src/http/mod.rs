//! HTTP: the listeners of banks, of the public and of administrators, their middleware, the OAuth endpoints, the APIs and the pages.
//!
//! Nothing is decided here: a handler extracts an authenticated caller and typed input, calls one use-case and maps its
//! result. It reads no database. Status codes are in `problem.rs` alone. The files of this folder build on each other in one
//! order: header names < problem < request log < content digest < request body < peer < request signature < authentication.

pub mod api;
pub mod authentication;
pub mod bank;
pub mod console;
pub mod content_digest;
pub mod header_names;
pub mod idempotency;
pub mod input;
pub mod key_log;
pub mod listener;
pub mod oauth;
pub mod openapi;
mod operations;
pub mod peer;
pub mod portal;
pub mod problem;
mod published;
pub mod reply;
mod request_body;
pub mod request_log;
pub mod request_signature;
mod segmented_body;
pub mod server;
pub mod web;
