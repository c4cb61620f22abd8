//! What DuckDB needs to read the same files and to group them, where Python has it (`pip install duckdb`).

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

/// Reads, groups by subject and measure, and prints microseconds and groups. The first pass reads the files into the page
/// cache.
const PROGRAM: &str = r#"
import sys, time, duckdb
duckdb.execute("SET enable_progress_bar = false")
files = sys.argv[1:]
query = """SELECT count(*) FROM (SELECT subject_code, measure, count(*), sum(value) FROM
           read_csv($files, header = true, types = {'value': 'DECIMAL(18,4)'}) GROUP BY ALL)"""
for _ in range(2):
    began = time.monotonic()
    groups = duckdb.execute(query, {'files': files}).fetchone()[0]
    took = time.monotonic() - began
print(int(took * 1e6), groups)
"#;

/// The time, and the number of groups; `None` where there is no DuckDB.
pub(crate) fn measure(files: &[PathBuf]) -> Result<Option<(Duration, u64)>> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import duckdb"]).output();
    if !there.is_ok_and(|found| found.status.success()) {
        return Ok(None);
    }
    let output = Command::new(python).args(["-c", PROGRAM]).args(files).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    // Before it, a progress bar may have been drawn.
    let last = text.trim().rsplit(['\r', '\n']).next().unwrap_or_default();
    let (took, groups) = last.trim().split_once(' ').context("DuckDB gave no figures")?;
    Ok(Some((Duration::from_micros(took.parse()?), groups.parse()?)))
}
