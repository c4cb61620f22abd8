//! How the pools of connections are used, for metrics.

use sqlx::Pool;

use super::{Db, Pools};

/// How a pool of connections is used at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// The pool's name.
    pub name: &'static str,
    /// Connections in use.
    pub used: u32,
    /// Open connections that wait for work.
    pub idle: u32,
    /// The most connections that it opens.
    pub most: u32,
}

fn pool_use<D: sqlx::Database>(name: &'static str, pool: &Pool<D>) -> PoolUse {
    // Two readings, not one: a connection that changes hands in between may be counted on neither side or on both.
    let (open, idle) = (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX));
    PoolUse { name, used: open.saturating_sub(idle), idle: idle.min(open), most: pool.options().get_max_connections() }
}

impl Db {
    /// How each pool is used now.
    pub fn pool_use(&self) -> Vec<PoolUse> {
        match &*self.pools {
            Pools::Sqlite { core, bulk, read, .. } => {
                vec![pool_use("core", core), pool_use("bulk", bulk), pool_use("read", read)]
            }
            Pools::Postgres { pool, appends, dedicated, .. } => {
                vec![pool_use("common", pool), pool_use("appends", appends), pool_use("sealer", dedicated)]
            }
        }
    }
}
