//! Measures what is in an `.xlsx` file, a ZIP archive, before it is read: a small file can hold gigabytes.

use std::io::{self, Read, Seek};

use zip::ZipArchive;

use super::super::ImportError;

/// Most parts of a workbook.
const MOST_PARTS: usize = 10_000;

/// Longest tag, text or attribute, in bytes. The XML reader holds one at a time.
const MOST_RUN: usize = 1 << 20;

/// Most bytes of a sheet, which is read cell by cell.
const MOST_SHEET: u64 = 2 << 30;

/// Most bytes of the parts that are held in memory while the sheet is read.
const MOST_STRINGS: u64 = 128 << 20;
const MOST_OTHER: u64 = 16 << 20;

/// Refuses an archive with parts that are too large.
pub(super) fn check(file: impl Read + Seek) -> Result<(), ImportError> {
    let failed = |error| ImportError::Workbook(Box::new(error));
    let mut archive = ZipArchive::new(file).map_err(failed)?;
    if archive.len() > MOST_PARTS {
        return Err(too_large(format!("it has more than {MOST_PARTS} parts")));
    }
    for nth in 0..archive.len() {
        let mut part = archive.by_index(nth).map_err(failed)?;
        let name = part.name().map_err(failed)?.to_ascii_lowercase();
        // Pictures and the like are not read.
        let Some(most) = limit(&name) else { continue };
        if !measure(&mut part, most).map_err(|error| ImportError::Workbook(Box::new(error)))? {
            return Err(too_large(format!(
                "its part {name} has more than {} MiB, or a text of more than 1 MiB",
                most >> 20
            )));
        }
    }
    Ok(())
}

fn too_large(what: String) -> ImportError {
    ImportError::WorkbookTooLarge { what }
}

fn limit(name: &str) -> Option<u64> {
    let xml = [".xml", ".rels"].iter().any(|end| name.ends_with(end));
    xml.then(|| {
        if name.contains("/worksheets/") {
            MOST_SHEET
        } else if name.ends_with("sharedstrings.xml") {
            MOST_STRINGS
        } else {
            MOST_OTHER
        }
    })
}

/// Whether a part has at most `most` bytes and no run without a tag that is too long. The size that the archive states
/// is not relied on.
fn measure(part: &mut impl Read, most: u64) -> io::Result<bool> {
    let mut buffer = vec![0u8; 1 << 16];
    let (mut size, mut run) = (0u64, 0usize);
    loop {
        let count = part.read(&mut buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(true);
        }
        size += u64::try_from(count).unwrap_or(u64::MAX);
        match bytes.iter().rposition(|byte| *byte == b'<') {
            // A buffer is shorter than the longest run: only one that spans buffers can be too long.
            Some(last) => {
                let first = bytes.iter().position(|byte| *byte == b'<').unwrap_or(0);
                if run + first > MOST_RUN {
                    return Ok(false);
                }
                run = count - last;
            }
            None => run += count,
        }
        if size > most || run > MOST_RUN {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn archive(name: &str, chunk: &[u8], times: usize) -> Cursor<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        for _ in 0..times {
            writer.write_all(chunk).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn a_small_file_with_a_large_part_is_refused() {
        let tags = b"<si/>".repeat(1 << 16);
        let bomb = archive("xl/styles.xml", &tags, 60);
        assert!(bomb.get_ref().len() < 1 << 20, "{}", bomb.get_ref().len());
        assert!(matches!(check(bomb), Err(ImportError::WorkbookTooLarge { .. })));
        assert!(check(archive("xl/sharedStrings.xml", &tags, 60)).is_ok());
        assert!(check(archive("xl/media/picture.png", &tags, 60)).is_ok(), "it is not read");
    }

    #[test]
    fn a_text_without_an_end_is_refused() {
        let text = vec![b'a'; 1 << 16];
        assert!(matches!(
            check(archive("xl/worksheets/sheet1.xml", &text, 17)),
            Err(ImportError::WorkbookTooLarge { .. })
        ));
        assert!(check(archive("xl/worksheets/sheet1.xml", &text, 15)).is_ok());
    }
}
