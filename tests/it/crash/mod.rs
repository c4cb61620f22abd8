//! The real program under load, killed again and again: what a bank received is on record, and what was on record stays.

mod driver;
mod killed;
mod ledger;
mod server;
