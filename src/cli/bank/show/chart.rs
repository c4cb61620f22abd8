//! A bar chart: eighths of a block on a terminal, `#` elsewhere.

use std::io::Write;

use super::{
    width::{pad, width},
    yuan,
};
use crate::{cli::Screen, domain::Fen};

/// The maximum length of a bar, on any terminal.
const LONGEST: usize = 60;
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Writes a bar for each labelled amount, scaled to the largest, with its note.
pub(in crate::cli::bank) fn bars(
    out: &mut dyn Write,
    screen: Screen,
    rows: &[(String, Option<Fen>, &str)],
) -> std::io::Result<()> {
    let largest = rows.iter().filter_map(|(_, fen, _)| *fen).map(|fen| fen.0.unsigned_abs()).max().unwrap_or(0);
    let broadest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let labels = broadest(&mut rows.iter().map(|(label, ..)| width(label)));
    let amounts = broadest(&mut rows.iter().filter_map(|(_, fen, _)| *fen).map(|fen| width(&yuan(fen))));
    let notes = broadest(&mut rows.iter().map(|(.., note)| width(note)));
    let room = screen.columns.saturating_sub(labels + amounts + notes + 8).clamp(10, LONGEST);
    for (label, fen, note) in rows {
        let (bar, amount) =
            fen.map_or_else(Default::default, |fen| (bar(fen, largest, room, screen.blocks), yuan(fen)));
        let line = format!("  {}  {}  {bar} {note}", pad(label, labels, false), pad(&amount, amounts, true));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn bar(fen: Fen, largest: u64, room: usize, blocks: bool) -> String {
    let parts = if blocks { 8 } else { 1 };
    // In 128 bits: an amount times the cells can exceed 64.
    let cells = u128::try_from(room * parts).unwrap_or(0) * u128::from(fen.0.unsigned_abs());
    // At least 1: all amounts may be zero.
    let length = usize::try_from(cells.div_ceil(u128::from(largest.max(1)))).unwrap_or(0);
    match (blocks, fen.0 < 0) {
        // A claw-back month: the fund took back more than it paid.
        (true, true) => "░".repeat(length.div_ceil(8)),
        (false, true) => "-".repeat(length),
        (false, false) => "#".repeat(length),
        (true, false) => {
            format!("{}{}", "█".repeat(length / 8), EIGHTHS.get(length % 8).copied().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(blocks: bool) -> String {
        let rows = [
            ("2025-12".to_owned(), Some(Fen(100_000)), ""),
            ("2026-01".to_owned(), Some(Fen(55_000)), "暂定"),
            ("2026-02".to_owned(), None, "隐去"),
            ("2026-03".to_owned(), Some(Fen(-25_000)), ""),
            ("2026-04".to_owned(), Some(Fen(0)), ""),
        ];
        let mut out = Vec::new();
        bars(&mut out, Screen { blocks, columns: 37 }, &rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_bar_is_as_long_as_its_amount() {
        let expected = "
  2025-12  1,000.00  ██████████
  2026-01    550.00  █████▌ 暂定
  2026-02             隐去
  2026-03   -250.00  ░░░
  2026-04      0.00
";
        assert_eq!(drawn(true), expected.trim_start_matches('\n'));
    }

    #[test]
    fn without_blocks_a_bar_is_of_ascii() {
        let drawn = drawn(false);
        assert!(drawn.contains("1,000.00  ##########\n") && drawn.contains("-250.00  ---\n"), "{drawn}");
    }
}
