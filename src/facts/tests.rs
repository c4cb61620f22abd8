//! Facts survive a round trip; damage is detected, and nothing panics.

use proptest::prelude::*;

use super::*;
use crate::domain::HalfYear;

fn period() -> HalfYear {
    HalfYear::new(2026, 1).expect("a half-year")
}

/// A drawn fact: numbers of code, measure, day and source; reference, value and line.
type Drawn = (u8, u8, u8, u8, String, i64, u64);

#[derive(Debug)]
struct Owned {
    code: String,
    measure: String,
    day: Day,
    source: String,
    reference: String,
    value_e4: i64,
    line: u64,
}

impl Owned {
    fn row(&self) -> Row<'_> {
        Row {
            code: &self.code,
            measure: &self.measure,
            day: self.day,
            source: &self.source,
            reference: &self.reference,
            value_e4: self.value_e4,
            line: self.line,
        }
    }
}

fn owned(drawn: Vec<Drawn>) -> Vec<Owned> {
    let first = period().first_month().first_day();
    let mut rows: Vec<Owned> = drawn
        .into_iter()
        .map(|(code, measure, day, source, reference, value_e4, line)| Owned {
            code: format!("H3303020{:04}", u32::from(code) * 7),
            measure: format!("measure_{measure}"),
            day: first.plus_days(i64::from(day % 181)),
            source: format!("来源{source}"),
            reference,
            value_e4,
            line,
        })
        .collect();
    rows.sort_by(|one, other| one.row().cmp(&other.row()));
    rows
}

fn chunk(rows: &[Owned]) -> Option<Chunk> {
    let mut builder = ChunkBuilder::new(period());
    for row in rows {
        builder.push(&row.row()).expect("rows are in order");
    }
    builder.finish()
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let fact = (0..40u8, 0..6u8, any::<u8>(), 0..3u8, "[a-c文]{0,4}", any::<i64>(), any::<u64>());
    proptest::collection::vec(fact, 0..400)
}

proptest! {
    #[test]
    fn facts_are_read_back_as_they_were_pushed(facts in drawn()) {
        let rows = owned(facts);
        let Some(chunk) = chunk(&rows) else {
            prop_assert!(rows.is_empty());
            return Ok(());
        };
        let totals = Totals::read(&chunk.totals).expect("totals");
        let mut facts = FactsOf::new(&totals, &chunk.facts, chunk.period).expect("facts");
        let mut back = Vec::new();
        for at in 0..totals.len() {
            prop_assert_eq!(totals.find(totals.code(at)), Some(at));
            for fact in facts.of(at).expect("facts of a subject") {
                back.push((totals.code(at).to_owned(), totals.measures()[fact.measure].clone(), fact));
            }
        }
        prop_assert_eq!(back.len(), rows.len());
        prop_assert_eq!(u64::try_from(rows.len()).expect("few"), chunk.rows);
        for ((code, measure, fact), row) in back.iter().zip(&rows) {
            let got = Row { code, measure, day: fact.day, source: &fact.source, reference: &fact.reference,
                value_e4: fact.value_e4, line: fact.line };
            prop_assert_eq!(got, row.row());
        }
        prop_assert_eq!(totals.find("H"), None);
        prop_assert_eq!(&chunk.first_code, &rows[0].code);
        prop_assert_eq!(&chunk.last_code, &rows[rows.len() - 1].code);
    }

    #[test]
    fn totals_match_the_facts(facts in drawn()) {
        let rows = owned(facts);
        let Some(chunk) = chunk(&rows) else { return Ok(()) };
        let totals = Totals::read(&chunk.totals).expect("totals");
        for at in 0..totals.len() {
            for group in totals.groups(at) {
                let of: Vec<_> = rows.iter()
                    .filter(|row| row.code == totals.code(at) && row.measure == totals.measures()[group.measure])
                    .collect();
                prop_assert_eq!(group.count, u64::try_from(of.len()).expect("few"));
                prop_assert_eq!(group.sum, of.iter().map(|row| i128::from(row.value_e4)).sum::<i128>());
                prop_assert_eq!(Some(group.latest), of.last().map(|row| row.value_e4));
            }
        }
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic(facts in drawn(), at in any::<prop::sample::Index>(), with in 1..=255u8) {
        let rows = owned(facts);
        let Some(chunk) = chunk(&rows) else { return Ok(()) };
        let mut totals = chunk.totals.clone();
        let place = at.index(totals.len());
        totals[place] ^= with;
        let mut facts = chunk.facts.clone();
        let place = at.index(facts.len());
        facts[place] ^= with;
        prop_assert_ne!(Chunk::digest_of(&totals, &chunk.facts), chunk.digest);
        for (totals, facts) in [(&totals, &chunk.facts), (&chunk.totals, &facts)] {
            if let Ok(totals) = Totals::read(totals)
                && let Ok(mut facts) = FactsOf::new(&totals, facts, chunk.period)
            {
                for at in 0..totals.len().min(100) {
                    // Any result will do; only a panic fails the test.
                    let _ = facts.of(at);
                }
            }
        }
    }

    #[test]
    fn reading_any_bytes_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut part = vec![1];
        part.extend_from_slice(&bytes);
        let _ = Totals::read(&part);
        let mut packed = vec![1];
        bytes::pack(&mut packed, &bytes);
        let _ = Totals::read(&packed);
    }
}

#[test]
fn rows_out_of_order_or_outside_the_half_year_are_refused() {
    let day = period().first_month().first_day();
    let row = Row { code: "H2", measure: "b", day, source: "s", reference: "2", value_e4: 1, line: 1 };
    let misplaced = [
        Row { code: "H1", ..row },
        Row { measure: "a", ..row },
        Row { reference: "1", ..row },
        Row { source: "r", ..row },
        Row { day: day.plus_days(-1), ..row },
        Row { code: "H3", day: day.plus_days(181), ..row },
    ];
    for wrong in misplaced {
        let mut builder = ChunkBuilder::new(period());
        builder.push(&row).expect("the first");
        assert_eq!(builder.push(&wrong), Err(Misplaced), "{wrong:?}");
    }
}

#[test]
fn large_subjects_are_found_among_many_blocks() {
    let first = period().first_month().first_day();
    let mut builder = ChunkBuilder::new(period());
    let mut expected = 0u64;
    for subject in 0..50u32 {
        let code = format!("D330302{subject:06}");
        let facts = if subject == 20 { 60_000u64 } else { 3_000 };
        for fact in 0..facts {
            let reference = format!("R-{subject}-{fact:06}");
            let day = first.plus_days(i64::try_from(fact * 181 / facts).expect("small"));
            let value_e4 = i64::try_from(fact).expect("small");
            builder
                .push(&Row {
                    code: &code,
                    measure: "claims",
                    day,
                    source: "s",
                    reference: &reference,
                    value_e4,
                    line: expected,
                })
                .expect("in order");
            expected += 1;
        }
    }
    let chunk = builder.finish().expect("a chunk");
    assert_eq!(chunk.rows, expected);
    let totals = Totals::read(&chunk.totals).expect("totals");
    let mut facts = FactsOf::new(&totals, &chunk.facts, chunk.period).expect("facts");
    // Backwards, so that hardly any block is the one in memory.
    for at in (0..totals.len()).rev() {
        let of = facts.of(at).expect("facts");
        assert_eq!(of.len(), if at == 20 { 60_000 } else { 3_000 });
        assert!(of.iter().all(|fact| fact.reference.starts_with(&format!("R-{at}-"))));
    }
}
