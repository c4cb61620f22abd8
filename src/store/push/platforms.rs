//! The state of each platform: who delivers to it, its circuit breaker, and whether it is paused.

use crate::{
    domain::Timestamp,
    store::{DbError, Read, Tx, args, record},
};

record! {
    /// The state of a platform.
    pub struct PlatformRow {
        pub platform: String,
        /// The gateway that delivers to it.
        pub owner: Option<String>,
        pub lease_until_at: Option<i64>,
        /// Failed attempts in succession.
        pub failures: i64,
        /// The time before which nothing is delivered.
        pub open_until_at: Option<i64>,
        pub last_error: Option<String>,
        pub last_error_at: Option<i64>,
        pub paused_at: Option<i64>,
        pub paused_by: Option<String>,
        pub pause_reason: Option<String>,
    }
}

record! { struct OwnerRow { owner: Option<String> } }

macro_rules! select {
    ($name:literal, $rest:literal) => {
        concat!(
            "/* push::",
            $name,
            " */ SELECT platform, owner, lease_until_at, failures, open_until_at, last_error, last_error_at, paused_at,
             paused_by, pause_reason FROM push_platforms ",
            $rest
        )
    };
}

const FIND: &str = select!("platform", "WHERE platform = $1");
const ADD: &str = "/* push::add_platform */
    INSERT INTO push_platforms (platform, failures) VALUES ($1, 0) ON CONFLICT DO NOTHING";
// The update decides between two gateways: of two that try at the same time, one changes no row.
const LEASE: &str = "/* push::lease */
    UPDATE push_platforms SET owner = $2, lease_until_at = $4
    WHERE platform = $1 AND (owner = $2 OR owner IS NULL OR lease_until_at <= $3)";
const OWNER: &str = "/* push::owner */ SELECT owner FROM push_platforms WHERE platform = $1";
const RELEASE: &str = "/* push::release */
    UPDATE push_platforms SET owner = NULL, lease_until_at = NULL WHERE platform = $1 AND owner = $2";
const SUCCEEDED: &str = "/* push::succeeded */
    UPDATE push_platforms SET failures = 0, open_until_at = NULL WHERE platform = $1 AND failures > 0";
const FAILED: &str = "/* push::failed */
    UPDATE push_platforms SET failures = $2, open_until_at = $3, last_error = $4, last_error_at = $5 WHERE platform = $1";
const PAUSE: &str = "/* push::pause */
    UPDATE push_platforms SET paused_at = $2, paused_by = $3, pause_reason = $4 WHERE platform = $1 AND paused_at IS NULL";
const RESUME: &str = "/* push::resume */
    UPDATE push_platforms SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, failures = 0, open_until_at = NULL
    WHERE platform = $1 AND (paused_at IS NOT NULL OR open_until_at IS NOT NULL)";

/// The state of a platform; none before its first package.
pub async fn find(read: &Read<'_>, platform: &str) -> Result<Option<PlatformRow>, DbError> {
    read.fetch_optional(FIND, args![platform]).await
}

/// Takes or extends the lease of a platform; `None` while another gateway has it. Otherwise whether another one had it before.
pub async fn lease(
    tx: &mut Tx,
    platform: &str,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<bool>, DbError> {
    tx.execute(ADD, args![platform]).await?;
    let former: OwnerRow = tx.fetch_one(OWNER, args![platform]).await?;
    let leased = tx.execute(LEASE, args![platform, owner, now, until]).await? == 1;
    Ok(leased.then(|| former.owner.as_deref() != Some(owner)))
}

/// Gives the lease back.
pub async fn release(tx: &mut Tx, platform: &str, owner: &str) -> Result<(), DbError> {
    tx.execute(RELEASE, args![platform, owner]).await.map(drop)
}

/// Stores that an attempt succeeded.
pub async fn succeeded(tx: &mut Tx, platform: &str) -> Result<(), DbError> {
    tx.execute(SUCCEEDED, args![platform]).await.map(drop)
}

/// Stores how many attempts failed in succession, and until when nothing is delivered.
pub async fn failed(
    tx: &mut Tx,
    platform: &str,
    failures: i64,
    open_until: Option<Timestamp>,
    error: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(FAILED, args![platform, failures, open_until, error, now]).await.map(drop)
}

/// Pauses a platform; `false` when it is paused already.
pub async fn pause(tx: &mut Tx, platform: &str, by: &str, reason: &str, now: Timestamp) -> Result<bool, DbError> {
    tx.execute(ADD, args![platform]).await?;
    Ok(tx.execute(PAUSE, args![platform, now, by, reason]).await? == 1)
}

/// Resumes a platform and closes its circuit breaker; `false` when neither was in the way.
pub async fn resume(tx: &mut Tx, platform: &str) -> Result<bool, DbError> {
    Ok(tx.execute(RESUME, args![platform]).await? == 1)
}
