//! What banks, departments and platforms call: one file an operation, each with a function `handle`.
//!
//! An operation that gives subject data takes a [`DataCall`](data_call::DataCall), and is mounted by `disclosing` or
//! `disclosing_body`. These accept only handlers that return a [`Disclosed`](crate::ledger::Disclosed) on success, so data
//! that is not in the ledger cannot be returned (I1).

pub mod consents;
pub mod data_call;
pub mod deliveries;
pub mod grade;
pub mod grade_history;
pub mod imports;
pub mod ledger;
pub mod path_value;
pub mod receipts;
pub mod report;
pub mod schemes;
pub mod scorecard;
pub mod settlements;
pub mod whoami;

use super::operations::{operations, path_with_slashes, plain};
use data_call::{disclosing, disclosing_body};

operations! {
    whoami => plain;
    schemes => plain;
    consents::request => plain;
    consents::list => plain;
    consents::show => plain;
    consents::revoke => plain;
    consents::receipt => plain;
    grade => disclosing;
    grade_history => disclosing;
    scorecard => disclosing;
    settlements => disclosing;
    report => disclosing;
    deliveries => disclosing_body;
    imports::send => plain;
    imports::show => plain;
    receipts => plain;
    ledger::proof => plain;
    ledger::checkpoint => plain;
    ledger::keys => plain;
    ledger::tile => path_with_slashes;
    ledger::entries => path_with_slashes;
}
