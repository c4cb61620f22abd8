//! The bank's own side, on nothing but the public API: what it connects with, asks, keeps and verifies.

mod client;
mod verify;

pub(super) use client::{BankClient, Credentials, Kept};
pub(super) use verify::{verify_answer, verify_proof};
