//! The history: the ledger in the database continues the newest checkpoint outside it (docs/RECOVERY.md).

use super::{Examination, Findings};
use crate::{
    cli::ledger::{monitor, stored_keys},
    ledger::{FixedKeys, HistoryState, current_epoch},
};

pub(super) async fn check(exam: &Examination, findings: &mut Findings) {
    let check = "history";
    let Some(db) = &exam.db else { return };
    let keys = match stored_keys(db).await {
        Ok(keys) => FixedKeys::verifying(keys),
        Err(error) => return findings.wrong(check, format!("{error:#}")),
    };
    let mut config = exam.config.clone();
    config.ledger.epoch = match current_epoch(db, config.ledger.epoch).await {
        Ok(epoch) => epoch,
        Err(error) => return findings.wrong(check, error.to_string()),
    };
    match monitor(&config, db, keys).examine().await {
        Ok(HistoryState::Current) => findings.good(check, HistoryState::Current.to_string()),
        Ok(other) => findings.wrong(check, other.to_string()),
        Err(error) => findings.wrong(check, error.to_string()),
    }
}
