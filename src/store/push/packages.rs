//! Packages and their pages.

use crate::{
    domain::Timestamp,
    store::{DbError, Read, Tx, args, record},
};

record! {
    /// A package.
    pub struct PackageRow {
        pub id: String,
        pub platform: String,
        /// Its place among the platform's packages, from 1; 0 while it is being made.
        pub number: i64,
        /// building, open or closed.
        pub state: String,
        /// scheduled, correction, resend or manual.
        pub cause: String,
        /// grades or usage.
        pub dataset: String,
        /// The platform's code of the data set.
        pub receiver_set: String,
        pub kind: Option<String>,
        pub scheme: Option<String>,
        pub period: String,
        pub run_id: Option<String>,
        /// SHA-256 of the platform's file by which it was made.
        pub definition: String,
        pub row_count: i64,
        pub page_count: i64,
        pub digest: String,
        /// Canonical JSON.
        pub manifest: String,
        /// A detached JWS over the manifest.
        pub signature: String,
        pub made_at: i64,
        pub made_by: String,
        /// When every row should have been answered.
        pub due_at: i64,
        /// How far the receipts are read.
        pub receipts_after: Option<String>,
        /// When to read them next.
        pub receipts_at: i64,
        /// How often they were read without anything new.
        pub receipts_tries: i64,
        pub closed_at: Option<i64>,
    }
}

record! {
    /// A page, as it was frozen.
    pub struct PageRow {
        pub package_id: String,
        pub page: i64,
        /// JSON: field names, and the rows in order.
        pub body: String,
    }
}

record! {
    /// How far the pages of a package came.
    pub struct PageStateRow {
        /// The state of their outbox items.
        pub state: String,
        pub pages: i64,
        pub rows: i64,
    }
}

record! {
    /// A page that was given up.
    pub struct DeadPageRow {
        pub item_id: String,
        pub platform: String,
        pub number: i64,
        pub page: i64,
        pub rows: i64,
        /// The last attempt's outcome in one word.
        pub outcome: Option<String>,
        /// Its receipt, JSON.
        pub receipt: Option<String>,
    }
}

record! { struct NumberRow { number: i64 } }
record! { struct IdRow { id: String } }
record! { struct DigestRow { digest: String } }
record! { struct LaneRow { page: i64, lane: i64 } }

/// A package to insert.
#[derive(Debug, Clone, Copy)]
pub struct NewPackage<'a> {
    pub id: &'a str,
    pub platform: &'a str,
    pub cause: &'a str,
    pub dataset: &'a str,
    pub receiver_set: &'a str,
    pub kind: Option<&'a str>,
    pub scheme: Option<&'a str>,
    pub period: &'a str,
    pub run_id: Option<&'a str>,
    pub definition: &'a str,
    pub made_at: Timestamp,
    pub made_by: &'a str,
    pub due_at: Timestamp,
}

/// The rest of a package, when all its pages are stored.
#[derive(Debug, Clone, Copy)]
pub struct Frozen<'a> {
    pub number: i64,
    pub rows: i64,
    pub pages: i64,
    pub digest: &'a str,
    pub manifest: &'a str,
    pub signature: &'a str,
}

/// A page to insert.
#[derive(Debug, Clone, Copy)]
pub struct NewPage<'a> {
    pub package_id: &'a str,
    pub page: i64,
    pub lane: i64,
    pub rows: i64,
    pub body: &'a str,
    pub digest: &'a str,
}

macro_rules! select {
    ($name:literal, $rest:literal) => {
        concat!(
            "/* push::",
            $name,
            " */ SELECT p.id, p.platform, p.number, p.state, p.cause, p.dataset, p.receiver_set, p.kind, p.scheme, p.period,
             p.run_id, p.definition, p.row_count, p.page_count, p.digest, p.manifest, p.signature, p.made_at, p.made_by,
             p.due_at, p.receipts_after, p.receipts_at, p.receipts_tries, p.closed_at FROM push_packages p ",
            $rest
        )
    };
}

const INSERT: &str = "/* push::insert_package */
    INSERT INTO push_packages (id, platform, number, state, cause, dataset, receiver_set, kind, scheme, period, run_id,
        definition, row_count, page_count, digest, manifest, signature, made_at, made_by, due_at, receipts_at,
        receipts_tries)
    VALUES ($1, $2, 0, 'building', $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, '', '', '', $11, $12, $13, $11, 0)";
const BUILDING: &str = select!("building", "WHERE p.platform = $1 AND p.state = 'building' ORDER BY p.id");
const DELETE_ROWS: &str = "/* push::delete_rows */ DELETE FROM push_rows WHERE package_id = $1 AND page = $2";
const DELETE_PAGE: &str = "/* push::delete_page */ DELETE FROM push_pages WHERE package_id = $1 AND page = $2";
const LAST_PAGE: &str = "/* push::last_page */
    SELECT COALESCE(MAX(page), 0) AS number FROM push_pages WHERE package_id = $1";
const DELETE: &str = "/* push::delete_package */ DELETE FROM push_packages WHERE id = $1 AND state = 'building'";
const INSERT_PAGE: &str = "/* push::insert_page */
    INSERT INTO push_pages (package_id, page, lane, row_count, body, digest) VALUES ($1, $2, $3, $4, $5, $6)";
const NEXT_NUMBER: &str = "/* push::next_number */
    SELECT COALESCE(MAX(number), 0) + 1 AS number FROM push_packages WHERE platform = $1";
const PAGE_DIGESTS: &str = "/* push::page_digests */
    SELECT digest FROM push_pages WHERE package_id = $1 ORDER BY page";
const LANES: &str = "/* push::lanes */ SELECT page, lane FROM push_pages WHERE package_id = $1 ORDER BY page";
const SET_ITEMS: &str = "/* push::set_items */
    WITH given AS MATERIALIZED (SELECT CAST($2 AS TEXT) AS package_id, CAST(value->>0 AS BIGINT) AS page,
                                       value->>1 AS item_id FROM json_rows($1))
    UPDATE push_pages SET item_id = g.item_id FROM given g
    WHERE push_pages.package_id = g.package_id AND push_pages.page = g.page";
const FREEZE: &str = "/* push::freeze */
    UPDATE push_packages SET state = 'open', number = $2, row_count = $3, page_count = $4, digest = $5, manifest = $6,
        signature = $7 WHERE id = $1 AND state = 'building'";
const FIND: &str = select!("package", "WHERE p.id = $1 AND p.state <> 'building'");
const NUMBERED: &str = select!("numbered", "WHERE p.platform = $1 AND p.number = $2");
const OPEN: &str = select!("open_packages", "WHERE p.platform = $1 AND p.state = 'open' ORDER BY p.number");
const NEWEST: &str =
    select!("newest_packages", "WHERE p.platform = $1 AND p.number > 0 ORDER BY p.number DESC LIMIT $2");
const PAGE: &str = "/* push::page */ SELECT package_id, page, body FROM push_pages WHERE package_id = $1 AND page = $2";
const PAGE_STATES: &str = "/* push::page_states */
    SELECT i.state, COUNT(*) AS pages, CAST(SUM(g.row_count) AS BIGINT) AS rows FROM push_pages g
    JOIN outbox_items i ON i.id = g.item_id WHERE g.package_id = $1 GROUP BY i.state ORDER BY i.state";
const DEAD_PAGES: &str = "/* push::dead_pages */
    SELECT i.id AS item_id, p.platform, p.number, g.page, g.row_count AS rows, a.outcome, a.receipt
    FROM push_packages p JOIN push_pages g ON g.package_id = p.id JOIN outbox_items i ON i.id = g.item_id
    LEFT JOIN outbox_attempts a ON a.item_id = i.id AND a.number = i.attempts
    WHERE p.platform = $1 AND p.state = 'open' AND i.state = 'dead' ORDER BY p.number, g.page";
const SET_RECEIPTS: &str = "/* push::set_receipts */
    UPDATE push_packages SET receipts_after = $2, receipts_at = $3, receipts_tries = $4 WHERE id = $1";
// A page that is not delivered yet keeps the package open even if the platform has answered all its rows.
const CLOSE: &str = "/* push::close */
    UPDATE push_packages SET state = 'closed', closed_at = $2 WHERE id = $1 AND state = 'open'
        AND NOT EXISTS (SELECT 1 FROM push_rows r WHERE r.package_id = $1 AND r.state IN ('open', 'rejected'))
        AND NOT EXISTS (SELECT 1 FROM push_pages g JOIN outbox_items i ON i.id = g.item_id
                        WHERE g.package_id = $1 AND i.state <> 'delivered')";
// By an operator or by a schedule; a schedule may have found nothing to send.
const WAS_COMPARED: &str = "/* push::was_compared */
    SELECT (SELECT COUNT(*) FROM push_packages WHERE platform = $1 AND run_id = $2 AND state <> 'building')
         + (SELECT COUNT(*) FROM push_scheduled WHERE platform = $1 AND dataset = 'grades'
            AND (occasion = $2 OR occasion LIKE $2 || '@%')) AS number";
const MADE: &str = "/* push::made */
    SELECT COUNT(*) AS number FROM push_scheduled WHERE platform = $1 AND dataset = $2 AND occasion = $3";
const COMPARED_AT: &str = "/* push::compared_at */
    SELECT COALESCE(MAX(made_at), 0) AS number FROM push_scheduled
    WHERE platform = $1 AND dataset = 'grades' AND (occasion = $2 OR occasion LIKE $2 || '@%')";
const HAS_KIND: &str = "/* push::has_kind */
    SELECT COUNT(*) AS number FROM push_packages WHERE platform = $1 AND kind = $2 AND state <> 'building'";
const COMPARED: &str = "/* push::compared */
    SELECT DISTINCT platform AS id FROM push_scheduled WHERE dataset = 'grades' ORDER BY platform";
const FORGET_MADE: &str = "/* push::forget_made */
    DELETE FROM push_scheduled WHERE platform = $1 AND dataset = 'grades'";
const FORGET_RUN: &str = "/* push::forget_run */
    DELETE FROM push_scheduled WHERE platform = $1 AND dataset = 'grades' AND (occasion = $2 OR occasion LIKE $2 || '@%')";
const FORGET_COUNTS: &str = "/* push::forget_counts */
    DELETE FROM push_scheduled WHERE platform = $1 AND dataset = 'usage'";
const SET_MADE: &str = "/* push::set_made */
    INSERT INTO push_scheduled (platform, dataset, occasion, made_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

/// Inserts a package that is being made.
pub async fn insert(tx: &mut Tx, new: NewPackage<'_>) -> Result<(), DbError> {
    let NewPackage { id, platform, cause, dataset, receiver_set, kind, scheme, period, run_id, definition, .. } = new;
    let values = args![
        id,
        platform,
        cause,
        dataset,
        receiver_set,
        kind,
        scheme,
        period,
        run_id,
        definition,
        new.made_at,
        new.made_by,
        new.due_at
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// The packages of a platform that are being made, or whose maker was killed.
pub async fn building(read: &Read<'_>, platform: &str) -> Result<Vec<PackageRow>, DbError> {
    read.fetch_all(BUILDING, args![platform]).await
}

/// The last page that a package has so far.
pub async fn last_page(read: &Read<'_>, id: &str) -> Result<i64, DbError> {
    read.fetch_one::<NumberRow>(LAST_PAGE, args![id]).await.map(|row| row.number)
}

/// Deletes a page of a package that was never frozen, with its rows.
pub async fn delete_page(tx: &mut Tx, id: &str, page: i64) -> Result<(), DbError> {
    tx.execute(DELETE_ROWS, args![id, page]).await?;
    tx.execute(DELETE_PAGE, args![id, page]).await.map(drop)
}

/// Deletes a package that was never frozen and has no pages.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<(), DbError> {
    tx.execute(DELETE, args![id]).await.map(drop)
}

/// Inserts a page.
pub async fn insert_page(tx: &mut Tx, new: NewPage<'_>) -> Result<(), DbError> {
    let values = args![new.package_id, new.page, new.lane, new.rows, new.body, new.digest];
    tx.execute(INSERT_PAGE, values).await.map(drop)
}

/// The number of a platform's next package. The caller holds the lock of the platform's numbers.
pub async fn next_number(tx: &mut Tx, platform: &str) -> Result<i64, DbError> {
    tx.fetch_one::<NumberRow>(NEXT_NUMBER, args![platform]).await.map(|row| row.number)
}

/// The digests of a package's pages, in order.
pub async fn page_digests(read: &Read<'_>, id: &str) -> Result<Vec<String>, DbError> {
    let rows: Vec<DigestRow> = read.fetch_all(PAGE_DIGESTS, args![id]).await?;
    Ok(rows.into_iter().map(|row| row.digest).collect())
}

/// The pages of a package with their lanes, in order.
pub async fn lanes(read: &Read<'_>, id: &str) -> Result<Vec<(i64, i64)>, DbError> {
    let rows: Vec<LaneRow> = read.fetch_all(LANES, args![id]).await?;
    Ok(rows.into_iter().map(|row| (row.page, row.lane)).collect())
}

/// Stores the outbox items of pages: a JSON array of arrays of page and item.
pub async fn set_items(tx: &mut Tx, id: &str, items: String) -> Result<(), DbError> {
    tx.execute(SET_ITEMS, args![items, id]).await.map(drop)
}

/// Freezes a package; `false` when it is frozen already, or was deleted.
pub async fn freeze(tx: &mut Tx, id: &str, of: Frozen<'_>) -> Result<bool, DbError> {
    let values = args![id, of.number, of.rows, of.pages, of.digest, of.manifest, of.signature];
    Ok(tx.execute(FREEZE, values).await? == 1)
}

/// A frozen package.
pub async fn find(read: &Read<'_>, id: &str) -> Result<Option<PackageRow>, DbError> {
    read.fetch_optional(FIND, args![id]).await
}

/// A platform's package by its number.
pub async fn numbered(read: &Read<'_>, platform: &str, number: i64) -> Result<Option<PackageRow>, DbError> {
    read.fetch_optional(NUMBERED, args![platform, number]).await
}

/// The open packages of a platform, by number.
pub async fn open(read: &Read<'_>, platform: &str) -> Result<Vec<PackageRow>, DbError> {
    read.fetch_all(OPEN, args![platform]).await
}

/// The newest packages of a platform.
pub async fn newest(read: &Read<'_>, platform: &str, most: i64) -> Result<Vec<PackageRow>, DbError> {
    read.fetch_all(NEWEST, args![platform, most]).await
}

/// A page.
pub async fn page(read: &Read<'_>, id: &str, page: i64) -> Result<Option<PageRow>, DbError> {
    read.fetch_optional(PAGE, args![id, page]).await
}

/// How far the pages of a package came.
pub async fn page_states(read: &Read<'_>, id: &str) -> Result<Vec<PageStateRow>, DbError> {
    read.fetch_all(PAGE_STATES, args![id]).await
}

/// The pages of a platform that were given up.
pub async fn dead_pages(read: &Read<'_>, platform: &str) -> Result<Vec<DeadPageRow>, DbError> {
    read.fetch_all(DEAD_PAGES, args![platform]).await
}

/// Stores how far the receipts of a package are read, and when to read on.
pub async fn set_receipts(
    tx: &mut Tx,
    id: &str,
    after: Option<&str>,
    next_at: Timestamp,
    tries: i64,
) -> Result<(), DbError> {
    tx.execute(SET_RECEIPTS, args![id, after, next_at, tries]).await.map(drop)
}

/// Closes a package whose pages are delivered and whose rows are all settled; `false` otherwise.
pub async fn close(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, DbError> {
    Ok(tx.execute(CLOSE, args![id, now]).await? == 1)
}

/// Whether a platform was sent a run, or compared with it.
pub async fn was_compared(read: &Read<'_>, platform: &str, run: &str) -> Result<bool, DbError> {
    read.fetch_one::<NumberRow>(WAS_COMPARED, args![platform, run]).await.map(|row| row.number > 0)
}

/// Whether a platform was sent packages of a kind.
pub async fn has_kind(read: &Read<'_>, platform: &str, kind: &str) -> Result<bool, DbError> {
    read.fetch_one::<NumberRow>(HAS_KIND, args![platform, kind]).await.map(|row| row.number > 0)
}

/// Whether the schedule has made what is due on an occasion.
pub async fn is_made(read: &Read<'_>, platform: &str, dataset: &str, occasion: &str) -> Result<bool, DbError> {
    let row: NumberRow = read.fetch_one(MADE, args![platform, dataset, occasion]).await?;
    Ok(row.number > 0)
}

/// When a platform was last compared with a round as a whole, or its file withdrew or withheld the round.
pub async fn compared_at(read: &Read<'_>, platform: &str, run: &str) -> Result<Option<Timestamp>, DbError> {
    let row: NumberRow = read.fetch_one(COMPARED_AT, args![platform, run]).await?;
    Ok((row.number > 0).then(|| Timestamp::from_micros(row.number)))
}

/// The platforms that were compared with rounds as a whole.
pub async fn compared(read: &Read<'_>) -> Result<Vec<String>, DbError> {
    let rows: Vec<IdRow> = read.fetch_all(COMPARED, args![]).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Forgets which rounds a platform was compared with: its schedules compare them again.
pub async fn forget_made(tx: &mut Tx, platform: &str) -> Result<(), DbError> {
    tx.execute(FORGET_MADE, args![platform]).await.map(drop)
}

/// Forgets that a platform was compared with a round.
pub async fn forget_run(tx: &mut Tx, platform: &str, run: &str) -> Result<(), DbError> {
    tx.execute(FORGET_RUN, args![platform, run]).await.map(drop)
}

/// Forgets which counts a platform was sent: its schedule compares the last period again.
pub async fn forget_counts(tx: &mut Tx, platform: &str) -> Result<(), DbError> {
    tx.execute(FORGET_COUNTS, args![platform]).await.map(drop)
}

/// Stores that the schedule has made what is due on an occasion.
pub async fn set_made(
    tx: &mut Tx,
    platform: &str,
    dataset: &str,
    occasion: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(SET_MADE, args![platform, dataset, occasion, now]).await.map(drop)
}
