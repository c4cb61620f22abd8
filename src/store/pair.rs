//! Whether the two files of SQLite are of one store and of one time. On PostgreSQL both are schemas of one database.
//!
//! Each file has the number of the pair, drawn at the first import, and the number of its newest import in its header
//! (`application_id` and `user_version`). The bulk file is written first, and by itself: of two files that belong together it
//! has the number of the core file, or that of an import which was never accepted. Otherwise one of them was returned from
//! another back-up, and months and facts of accepted imports would be missing without a trace.

use super::{Db, DbError, Engine, Tx, args, record};

record! {
    struct PairRow {
        application_id: i64,
    }
}
record! {
    struct ImportRow {
        user_version: i64,
    }
}
record! {
    struct DrawnRow {
        pair: i64,
    }
}

const CORE: [&str; 2] = ["PRAGMA main.application_id", "PRAGMA main.user_version"];
const BULK: [&str; 2] = ["PRAGMA bulk.application_id", "PRAGMA bulk.user_version"];
const DRAW: &str = "/* pair::draw */ SELECT ABS(RANDOM() % 2147483647) + 1 AS pair";

/// The header of one file.
struct Header {
    pair: i64,
    import: i64,
}

/// What an import that is accepted writes into the core file. Made after it is in the bulk file.
#[derive(Debug, Clone, Copy)]
pub struct PairMark {
    /// The number of the pair; none on PostgreSQL.
    pair: Option<i64>,
    import: i64,
}

impl PairMark {
    /// The number of the import.
    pub const fn import(self) -> i64 {
        self.import
    }
}

/// Marks the bulk file before an import is accepted whose rows are in it.
pub async fn mark_bulk(db: &Db, import: i64) -> Result<PairMark, DbError> {
    if db.engine() == Engine::Postgres {
        return Ok(PairMark { pair: None, import });
    }
    let DrawnRow { pair: drawn } = db.read("pair::draw").fetch_one(DRAW, args![]).await?;
    let pairs = [header(db, CORE).await?.pair, header(db, BULK).await?.pair, drawn];
    let mark = PairMark { pair: pairs.into_iter().find(|pair| *pair != 0), import };
    let mut tx = db.begin_bulk("pair::mark").await?;
    write(&mut tx, "bulk", mark).await?;
    tx.commit().await?;
    Ok(mark)
}

/// Marks the core file in the transaction that accepts an import.
pub(super) async fn mark_core(tx: &mut Tx, mark: PairMark) -> Result<(), DbError> {
    write(tx, "main", mark).await
}

async fn write(tx: &mut Tx, file: &str, PairMark { pair, import }: PairMark) -> Result<(), DbError> {
    match pair {
        None => Ok(()),
        Some(pair) => {
            tx.script(format!("PRAGMA {file}.application_id = {pair}; PRAGMA {file}.user_version = {import};")).await
        }
    }
}

async fn header(db: &Db, [pair, import]: [&'static str; 2]) -> Result<Header, DbError> {
    let read = db.read("pair::header");
    let PairRow { application_id: pair } = read.fetch_one(pair, args![]).await?;
    let ImportRow { user_version: import } = read.fetch_one(import, args![]).await?;
    Ok(Header { pair, import })
}

/// Refuses a bulk file of another store, and one that is older than the core file. SQLite only.
pub(super) async fn check(db: &Db) -> Result<(), DbError> {
    let (core, bulk) = (header(db, CORE).await?, header(db, BULK).await?);
    let text = match core.import {
        // Nothing was imported since the files have these numbers.
        0 => return Ok(()),
        _ if core.pair != bulk.pair => "bulk.db is not the one of this core.db: it belongs to another store".to_owned(),
        newest if bulk.import < newest => {
            format!(
                "bulk.db is older than core.db: it lacks imports up to number {newest}, its newest is {}",
                bulk.import
            )
        }
        _ => return Ok(()),
    };
    Err(DbError::Setup(format!("{text}. Restore both files from one back-up")))
}
