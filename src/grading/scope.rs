//! What a run reads: of which kind, half-years and imports the facts are, and which of them count.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    GradingError,
    excluded::{Counting, Excluded},
    period::{method_of, period_of},
};
use crate::{
    domain::{Day, HalfYear},
    facts::{Chunk, Damaged, FactsOf, StoredFact, Totals},
    scoring::{Catalogue, Decimal, Fact, Measure, Measures, Method, Model, TooLarge, Validity},
    store::{
        Db, DbError, facts as table,
        runs::RunRow,
        voids::{self, Within},
    },
};

/// The facts that a run reads: of which kind, from which half-years, and from which imports.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) period: HalfYear,
    pub(super) lookback: u8,
    pub(super) method: Method,
    /// The sequence numbers of the imports that count.
    pub(super) imports: Arc<BTreeSet<i64>>,
    /// The number of the last import that was read, of facts or of what takes them back.
    pub(super) imports_to: i64,
    pub(super) counting: Counting,
    /// Those of the imports that may have a document more than once.
    pub(super) unmerged: Arc<BTreeSet<i64>>,
    /// Whether [`Scope::needs_day`] is true of any measure; asked once, because a page has many groups.
    pub(super) by_day: bool,
    /// Facts that do not count.
    pub(super) excluded: Arc<Excluded>,
}

/// Which imports a scope reads, and how their facts are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct AsOf<'a> {
    pub(super) imports_to: i64,
    pub(super) counting: Counting,
    /// The only subject that will be read, if there is one.
    pub(super) subject: Option<&'a str>,
}

/// Whether a measure's value of an earlier half-year is valid or not by its day. What was reported for the half-year itself
/// counts.
fn needs_day(catalogue: &Catalogue, period: HalfYear, place: usize, back: u8) -> bool {
    let of = period.plus(-i32::from(back));
    back > 0 && catalogue.reading(place).is_some_and(|reading| reading.validity(of, period) == Validity::ByDay)
}

/// Whether [`needs_day`] is true of any measure. By the first method, values of earlier half-years do not count.
fn needs_days(catalogue: &Catalogue, period: HalfYear, lookback: u8, method: Method) -> bool {
    let measures = catalogue.measures().len();
    method != Method::First
        && (1..=lookback).any(|back| (0..measures).any(|place| needs_day(catalogue, period, place, back)))
}

/// The error of a part of an import that cannot be read.
pub(super) fn damaged(import_seq: i64, part: i64) -> impl Fn(Damaged) -> DbError {
    move |damage| DbError::corrupt("facts", format!("part {part} of import {import_seq}: {damage}"))
}

impl Scope {
    /// The scope of a half-year by a method: every accepted import.
    pub(super) async fn of_period(
        db: &Db,
        period: HalfYear,
        model: &Model,
        catalogue: Catalogue,
        method: Method,
        subject: Option<&str>,
    ) -> Result<Self, GradingError> {
        // Read once for the whole run: an import that is accepted meanwhile counts for all subjects or for none.
        let imports_to = voids::last_import(&db.read("scope")).await;
        let imports_to = imports_to.map_err(GradingError::during("listing the imports"))?;
        let at = AsOf { imports_to, counting: Counting::PRESENT, subject };
        Self::read(db, (period, model.lookback_by(method)), method, Arc::new(catalogue), at).await
    }

    /// The scope of a stored run: the imports that were accepted up to then, counted as it counted.
    pub(super) async fn of_run(
        db: &Db,
        run: &RunRow,
        model: &Model,
        catalogue: Catalogue,
        subject: Option<&str>,
    ) -> Result<Self, GradingError> {
        let counting = Counting::of_number(run.counting);
        let at = AsOf { imports_to: run.imports_to, counting, subject };
        let method = method_of(run)?;
        Self::read(db, (period_of(run)?, model.lookback_by(method)), method, Arc::new(catalogue), at).await
    }

    /// The same half-years as of other imports.
    pub(super) async fn as_of(&self, db: &Db, at: AsOf<'_>) -> Result<Self, GradingError> {
        Self::read(db, (self.period, self.lookback), self.method, Arc::clone(&self.catalogue), at).await
    }

    async fn read(
        db: &Db,
        (period, lookback): (HalfYear, u8),
        method: Method,
        catalogue: Arc<Catalogue>,
        at: AsOf<'_>,
    ) -> Result<Self, GradingError> {
        let AsOf { imports_to, counting, subject } = at;
        let imports = table::accepted(&db.read("scope")).await.map_err(GradingError::during("listing the imports"))?;
        let imports: Vec<_> = imports.into_iter().filter(|import| import.counts_up_to(imports_to)).collect();
        let excluded = match counting {
            Counting::AsDelivered => Excluded::default(),
            Counting::ByDocument => {
                let end = period.last_month().last_day();
                Excluded::read(db, &catalogue, Within { imports_to, subject }, end).await?
            }
        };
        let unmerged = imports.iter().filter(|import| import.identity < 2).map(|import| import.seq).collect();
        let by_day = needs_days(&catalogue, period, lookback, method);
        Ok(Self {
            catalogue,
            period,
            lookback,
            method,
            imports: Arc::new(imports.iter().map(|import| import.seq).collect()),
            imports_to,
            counting,
            unmerged: Arc::new(unmerged),
            by_day,
            excluded: Arc::new(excluded),
        })
    }

    /// The measures that facts of a subject come to.
    pub(super) fn collect(&self, signed: Option<Day>, facts: Vec<Fact>) -> Result<Measures, TooLarge> {
        let halves = (self.period, self.lookback);
        Measures::collect_by(self.method, self.counting.identity(), &self.catalogue, halves, signed, facts)
    }

    /// A stored fact as one that counts; `None` where it does not.
    pub(super) fn fact(&self, code: &str, fact: StoredFact, place: Option<usize>, import_seq: i64) -> Option<Fact> {
        let place = place?;
        let measure: &Measure = self.catalogue.measures().get(place)?;
        if self.excluded.leaves_out(code, measure, &fact.reference, import_seq) {
            return None;
        }
        Some(Fact {
            measure: place,
            occurred_on: fact.day,
            value: Decimal(fact.value_e4),
            source: match self.counting {
                Counting::AsDelivered => fact.source,
                // Facts that were stored before names were compared have the names of their files.
                Counting::ByDocument => self.catalogue.authority(&fact.source).to_owned(),
            },
            reference: fact.reference,
            import_seq,
        })
    }

    /// The first and the last half-year.
    pub(super) fn halves(&self) -> (String, String) {
        (self.period.plus(-i32::from(self.lookback)).to_string(), self.period.to_string())
    }

    /// How many half-years before its own a scope reads one as; `None` if it does not.
    pub(super) fn back(&self, period: HalfYear) -> Option<u8> {
        let months = self.period.first_month().months_since(period.first_month());
        u8::try_from(months.div_euclid(6)).ok().filter(|back| *back <= self.lookback)
    }

    /// Whether the totals of a measure in a half-year do not suffice: its value is valid or not by its day.
    pub(super) fn needs_day(&self, place: usize, back: u8) -> bool {
        self.by_day && needs_day(&self.catalogue, self.period, place, back)
    }

    /// Every fact of one subject.
    pub(super) async fn facts_of(&self, db: &Db, code: &str) -> Result<Vec<Fact>, GradingError> {
        let (from, to) = self.halves();
        let read = db.read("facts::of_subject");
        let rows = table::of_subject(&read, self.catalogue.kind(), (&from, &to), code).await;
        let rows = rows.map_err(GradingError::during("reading the facts"))?;
        // Each chunk on a thread of its own: checking and decompressing them is most of the time of an explanation.
        let chunks = rows.into_iter().filter(|row| self.imports.contains(&row.import_seq)).map(|row| {
            let (scope, code) = (self.clone(), code.to_owned());
            tokio::task::spawn_blocking(move || scope.facts_in(&row, &code))
        });
        let chunks: Vec<_> = chunks.collect();
        let mut facts = Vec::new();
        for chunk in chunks {
            let of_chunk = chunk.await.map_err(|_| GradingError::Stopped)?;
            facts.extend(of_chunk.map_err(GradingError::during("reading the facts"))?);
        }
        Ok(facts)
    }

    /// The facts of a subject in a chunk.
    fn facts_in(&self, row: &table::ChunkRow, code: &str) -> Result<Vec<Fact>, DbError> {
        let wrong = damaged(row.import_seq, row.part);
        let period = row.period.parse::<HalfYear>();
        let period = period.map_err(|error| DbError::corrupt("facts::of_subject", error.0))?;
        Chunk::check(&row.totals, &row.facts, &row.digest).map_err(&wrong)?;
        let totals = Totals::read(&row.totals).map_err(&wrong)?;
        let Some(at) = totals.find(code) else { return Ok(Vec::new()) };
        let places: Vec<_> = totals.measures().iter().map(|id| self.catalogue.place(id)).collect();
        let stored = FactsOf::new(&totals, &row.facts, period).and_then(|mut facts| facts.of(at)).map_err(&wrong)?;
        let counted = stored.into_iter().filter_map(|fact| {
            let place = places.get(fact.measure).copied().flatten();
            self.fact(code, fact, place, row.import_seq)
        });
        Ok(counted.collect())
    }
}
