//! Packages as files, beside writing the same bytes to one file and syncing it.

use std::{path::Path, time::Duration};

use anyhow::Result;
use medcredit::{
    domain::{Clock, SystemClock},
    push::{
        carrier::{Carrier as _, Delivery, Row, file::FileDrop},
        platform::{Encoding, FileForm, Format},
    },
};

use super::{Pair, ROUNDS, Site, rows};

/// The rows of a page, as the gateway makes them for files.
const PAGE_ROWS: usize = 10_000;

/// Delivers all pages of a package. Returns how long that took.
async fn deliver(drop: &FileDrop, number: i64, rows: &[Row]) -> Result<Duration> {
    let clock = SystemClock;
    let head = rows::head(number, PAGE_ROWS);
    let began = clock.monotonic();
    for (page, rows) in rows::pages(rows, PAGE_ROWS) {
        let of = Delivery { package: &head, page, key: "obx_1", rows };
        drop.deliver(&of).await.map_err(|failed| anyhow::anyhow!(failed.detail))?;
    }
    Ok(clock.monotonic().saturating_sub(began))
}

/// Writes the rows by the library for CSV to one file, and syncs it.
fn write_plainly(path: &Path, rows: &[Row]) -> Result<Duration> {
    let clock = SystemClock;
    let began = clock.monotonic();
    let mut out = csv::Writer::from_path(path)?;
    out.write_record(rows::FIELDS)?;
    for row in rows {
        out.write_record(row.fields.iter().map(|(_, value)| value))?;
    }
    let file = out.into_inner()?;
    file.sync_all()?;
    Ok(clock.monotonic().saturating_sub(began))
}

pub(crate) async fn measure(site: &Site) -> Result<Pair> {
    let rows = rows::all();
    let mut pair =
        Pair::new("files, CSV, pages of 10,000 rows", "the same rows by the CSV library, one file, synced", 0.7);
    for round in 0..=ROUNDS {
        let folder = site.folder.join(format!("files-{round}"));
        std::fs::create_dir(&folder)?;
        let form = FileForm { format: Format::Csv, encoding: Encoding::Utf8, record_columns: false };
        let source = "330300-ybj".parse().map_err(anyhow::Error::msg)?;
        let drop = FileDrop::new(folder.clone(), source, form);
        let ours = deliver(&drop, i64::try_from(round)? + 1, &rows).await?;
        let floor = write_plainly(&folder.join("plain"), &rows)?;
        std::fs::remove_dir_all(&folder)?;
        if round > 0 {
            pair.rounds.push((ours, floor));
        }
    }
    Ok(pair)
}
