//! Stored credit facts: a damaged or foreign part of a chunk is reported, never read as something else.

use medcredit::{
    domain::HalfYear,
    facts::{Chunk, ChunkBuilder, FactsOf, Row, Totals},
};

use crate::edits_of;

fn period() -> HalfYear {
    "2026-H1".parse().unwrap()
}

/// A chunk of two subjects with two measures each.
fn chunk() -> Chunk {
    let mut builder = ChunkBuilder::new(period());
    for code in ["H33030200090", "H33030200091"] {
        for measure in ["fund_used", "insurance_commendation"] {
            for (day, value_e4) in [("2026-01-05", 10_000), ("2026-06-30", -7)] {
                let day = day.parse().unwrap();
                let row = Row { code, measure, day, source: "医保局", reference: "7号", value_e4, line: 2 };
                builder.push(&row).unwrap();
            }
        }
    }
    builder.finish().unwrap()
}

/// Reads every fact of a chunk, as far as its parts allow.
fn read(totals: &[u8], facts: &[u8]) {
    let Ok(totals) = Totals::read(totals) else { return };
    let Ok(mut reader) = FactsOf::new(&totals, facts, period()) else { return };
    for at in 0..totals.len().min(64) {
        let _ = (totals.code(at), totals.groups(at), reader.of(at));
    }
}

#[test]
fn totals() {
    edits_of!(chunk().totals, |bytes| read(bytes, &chunk().facts));
}

#[test]
fn facts() {
    edits_of!(chunk().facts, |bytes| read(&chunk().totals, bytes));
}
