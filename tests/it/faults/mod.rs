//! What a fault at any step costs a bank and the ledger: a refusal, never an answer without its record (I1).

mod answers;
mod disk;
pub mod fixture;
mod killed;
mod sealing;
mod server;
mod table;
mod windows;
