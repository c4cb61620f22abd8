//! Which gateways have which key-encryption keys, so that none is used for sealing that a serving gateway could not open.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{AuthorityError, Custody};
use crate::store::{Tx, keys};

/// For how long a report counts. Gateways report every half minute, and a little lateness must not hide one.
const COUNTS: Duration = Duration::from_mins(2);

/// A gateway's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    gateway: String,
    /// The ids of its keys.
    keys: Vec<String>,
    seen_at: i64,
}

/// The name of a gateway: its host, its process, and which of the process's gateways it is.
pub(super) fn gateway_name() -> String {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or("unknown host").to_owned();
    format!("{host}, process {}.{}", std::process::id(), OPENED.fetch_add(1, Ordering::Relaxed))
}

/// Reports the keys of a gateway, for the other processes of its database.
pub(super) async fn report(custody: &Custody, gateway: &str) -> Result<(), AuthorityError> {
    let mut tx = custody.env.db.begin("authority::report_keys").await.map_err(AuthorityError::Store)?;
    let mut holders = present(&mut tx, custody).await?;
    holders.retain(|holder| holder.gateway != gateway);
    let (keys, seen_at) = (custody.crypter.key_ids(), custody.env.clock.now().micros());
    holders.push(Holder { gateway: gateway.to_owned(), keys, seen_at });
    let text = serde_json::to_string(&holders).map_err(|error| AuthorityError::Corrupt(error.to_string()))?;
    keys::set_holders(&mut tx, &text).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)
}

/// Refuses to seal under the first key while a gateway does not have it.
pub(super) async fn check_first_key(tx: &mut Tx, custody: &Custody) -> Result<(), AuthorityError> {
    let holders = present(tx, custody).await?;
    let Some(first) = custody.crypter.key_ids().into_iter().next() else { return Ok(()) };
    let without: Vec<&str> =
        holders.iter().filter(|holder| !holder.keys.contains(&first)).map(|holder| holder.gateway.as_str()).collect();
    if without.is_empty() {
        return Ok(());
    }
    Err(AuthorityError::Conflict(format!(
        "nothing was sealed again: the first key-encryption key is not in the file of {}. Copy the file there: a gateway \
         loads it within a second. One that has ended counts for {} s more",
        without.join(" and "),
        COUNTS.as_secs()
    )))
}

/// The reports that still count.
async fn present(tx: &mut Tx, custody: &Custody) -> Result<Vec<Holder>, AuthorityError> {
    let text = keys::lock_holders(tx).await.map_err(AuthorityError::Store)?;
    let holders: Vec<Holder> = serde_json::from_str(&text)
        .map_err(|error| AuthorityError::Corrupt(format!("the reports of key-encryption keys: {error}")))?;
    let since = custody.env.clock.now().minus(COUNTS).micros();
    Ok(holders.into_iter().filter(|holder| holder.seen_at >= since).collect())
}
