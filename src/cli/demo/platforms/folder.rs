//! Platforms that take files from a folder, and answer with files.

use std::path::Path;

use anyhow::Context as _;

/// Accepts every row of every package in a folder that has no answer yet, as the platform's machine would.
pub(super) fn answer(folder: &Path, encoding: &'static encoding_rs::Encoding) -> anyhow::Result<()> {
    let receipts = folder.join("receipts");
    std::fs::create_dir_all(&receipts)?;
    for entry in std::fs::read_dir(folder)? {
        let manifest = entry?.path();
        let name = manifest.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // The manifest comes last: with it, the data is complete.
        let Some(stem) = name.strip_suffix(".manifest.json") else { continue };
        let receipt = receipts.join(format!("{stem}.csv"));
        if receipt.exists() {
            continue;
        }
        let data = folder.join(format!("{stem}.csv"));
        let bytes = std::fs::read(&data).with_context(|| data.display().to_string())?;
        let (text, ..) = encoding.decode(&bytes);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let mut answer = csv::Writer::from_writer(Vec::new());
        answer.write_record(["record_id", "version", "verdict"])?;
        for row in reader.records() {
            let row = row?;
            answer.write_record([row.get(0).unwrap_or_default(), row.get(1).unwrap_or_default(), "accepted"])?;
        }
        let unfinished = receipts.join(format!("{stem}.tmp"));
        std::fs::write(&unfinished, answer.into_inner()?)?;
        std::fs::rename(&unfinished, &receipt)?;
    }
    Ok(())
}
