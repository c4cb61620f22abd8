//! Credit facts as they are stored: chunks of an import, one kind and one half-year each, of a range of subjects.

use super::{DbError, Read, Tx, args, record};

/// A chunk to be stored.
#[derive(Debug)]
pub struct NewChunk<'a> {
    /// Its place among the chunks of its import.
    pub part: i64,
    /// The kind of subject.
    pub kind: &'a str,
    /// The half-year.
    pub period: &'a str,
    /// The code of its first subject.
    pub first_code: &'a str,
    /// The code of its last subject.
    pub last_code: &'a str,
    /// How many facts it holds.
    pub rows: i64,
    /// SHA-256 over both parts.
    pub digest: &'a [u8],
    /// What they add up to.
    pub totals: Vec<u8>,
    /// The facts.
    pub facts: Vec<u8>,
}

record! {
    /// The first part of a chunk.
    pub struct TotalsRow {
        /// Which import brought it.
        pub import_seq: i64,
        /// Its place among the chunks of that import.
        pub part: i64,
        /// The half-year.
        pub period: String,
        /// The first part.
        pub totals: Vec<u8>,
    }
}

record! {
    /// A whole chunk.
    pub struct ChunkRow {
        /// Which import brought it.
        pub import_seq: i64,
        /// Its place among the chunks of that import.
        pub part: i64,
        /// The half-year.
        pub period: String,
        /// The first part.
        pub totals: Vec<u8>,
        /// The second part.
        pub facts: Vec<u8>,
        /// SHA-256 over both parts.
        pub digest: Vec<u8>,
    }
}

record! {
    /// The second part of a chunk.
    pub struct FactsRow {
        /// The second part.
        pub facts: Vec<u8>,
    }
}

record! {
    /// What is known of a chunk without its parts.
    pub struct DigestRow {
        /// Its place among the chunks of its import.
        pub part: i64,
        /// SHA-256 over both parts.
        pub digest: Vec<u8>,
    }
}

record! { struct SeqRow { seq: i64 } }
record! { struct CodeRow { code: String } }
record! { struct AcceptedRow { seq: i64, accepted_at: Option<i64> } }

record! {
    /// Whom facts may be about.
    pub struct SubjectRow {
        /// Its code.
        pub code: String,
        /// Its kind.
        pub kind: String,
        /// Its region.
        pub region: String,
    }
}

const INSERT: &str = "/* facts::insert */
    INSERT INTO bulk.fact_chunks (import_seq, part, kind, period, first_code, last_code, row_count, digest, totals, facts)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// Stores a chunk.
pub async fn insert(tx: &mut Tx, import_seq: i64, chunk: NewChunk<'_>) -> Result<(), DbError> {
    let NewChunk { part, kind, period, first_code, last_code, rows, digest, totals, facts } = chunk;
    let args = args![import_seq, part, kind, period, first_code, last_code, rows, digest, totals, facts];
    tx.execute(INSERT, args).await.map(|_| ())
}

const PURGE: &str = "/* facts::purge */ DELETE FROM bulk.fact_chunks WHERE import_seq = $1";

/// Removes the chunks of an import.
pub async fn purge(tx: &mut Tx, import_seq: i64) -> Result<u64, DbError> {
    tx.execute(PURGE, args![import_seq]).await
}

const ACCEPTED: &str = "/* facts::accepted */
    SELECT seq FROM imports WHERE template = 'records' AND state = 'accepted' ORDER BY seq";

/// The imports of facts that are accepted at this moment, in the order in which they were.
pub async fn accepted(read: &Read<'_>) -> Result<Vec<i64>, DbError> {
    let rows: Vec<SeqRow> = read.fetch_all(ACCEPTED, args![]).await?;
    Ok(rows.into_iter().map(|row| row.seq).collect())
}

const TOTALS: &str = "/* facts::totals */
    SELECT import_seq, part, period, totals FROM bulk.fact_chunks
    WHERE kind = $1 AND period >= $2 AND period <= $3 AND first_code <= $5 AND last_code >= $4";

/// The first parts of every chunk of a kind that may have facts of subjects between two codes, both included, in the
/// half-years between two, both included. Of whatever import and in no particular order.
pub async fn totals(
    read: &Read<'_>,
    kind: &str,
    (from, to): (&str, &str),
    (first, last): (&str, &str),
) -> Result<Vec<TotalsRow>, DbError> {
    read.fetch_all(TOTALS, args![kind, from, to, first, last]).await
}

const OF_SUBJECT: &str = "/* facts::of_subject */
    SELECT import_seq, part, period, totals, facts, digest FROM bulk.fact_chunks
    WHERE kind = $1 AND period >= $2 AND period <= $3 AND first_code <= $4 AND last_code >= $4";

/// Every chunk that may have facts of a subject in the half-years between two, both included.
pub async fn of_subject(
    read: &Read<'_>,
    kind: &str,
    (from, to): (&str, &str),
    code: &str,
) -> Result<Vec<ChunkRow>, DbError> {
    read.fetch_all(OF_SUBJECT, args![kind, from, to, code]).await
}

const CHUNK: &str = "/* facts::chunk */
    SELECT import_seq, part, period, totals, facts, digest FROM bulk.fact_chunks WHERE import_seq = $1 AND part = $2";

/// A chunk of an import.
pub async fn chunk(read: &Read<'_>, import_seq: i64, part: i64) -> Result<Option<ChunkRow>, DbError> {
    read.fetch_optional(CHUNK, args![import_seq, part]).await
}

const FACTS: &str = "/* facts::facts */ SELECT facts FROM bulk.fact_chunks WHERE import_seq = $1 AND part = $2";

/// The second part of a chunk.
pub async fn facts(read: &Read<'_>, import_seq: i64, part: i64) -> Result<Vec<u8>, DbError> {
    read.fetch_one::<FactsRow>(FACTS, args![import_seq, part]).await.map(|row| row.facts)
}

const DIGESTS: &str = "/* facts::digests */
    SELECT part, digest FROM bulk.fact_chunks WHERE import_seq = $1 ORDER BY part";

/// The digests of an import's chunks, in their order.
pub async fn digests(read: &Read<'_>, import_seq: i64) -> Result<Vec<DigestRow>, DbError> {
    read.fetch_all(DIGESTS, args![import_seq]).await
}

const SUBJECTS: &str = "/* facts::subjects */ SELECT code, kind, region FROM subjects";

/// Every subject: whom facts may be about.
pub async fn subjects(read: &Read<'_>) -> Result<Vec<SubjectRow>, DbError> {
    read.fetch_all(SUBJECTS, args![]).await
}

const CODES: &str = "/* facts::codes */ SELECT code FROM subjects WHERE kind = $1";

/// The code of every subject of a kind, in no order that can be relied on.
pub async fn codes(read: &Read<'_>, kind: &str) -> Result<Vec<String>, DbError> {
    let rows: Vec<CodeRow> = read.fetch_all(CODES, args![kind]).await?;
    Ok(rows.into_iter().map(|row| row.code).collect())
}

const ACCEPTED_AT: &str = "/* facts::accepted_at */
    SELECT seq, accepted_at FROM imports WHERE template = 'records' AND state = 'accepted'";

/// The accepted imports of facts, with when they were accepted.
pub async fn accepted_at(read: &Read<'_>) -> Result<Vec<(i64, i64)>, DbError> {
    let rows: Vec<AcceptedRow> = read.fetch_all(ACCEPTED_AT, args![]).await?;
    Ok(rows.into_iter().map(|row| (row.seq, row.accepted_at.unwrap_or(0))).collect())
}

const TOTALS_AFTER: &str = "/* facts::totals_after */
    SELECT import_seq, part, period, totals FROM bulk.fact_chunks
    WHERE kind = $1 AND period = $2 AND (import_seq > $3 OR (import_seq = $3 AND part > $4))
    ORDER BY import_seq, part LIMIT $5";

/// A page of the first parts of every chunk of a kind and a half-year, after a part of an import. Of whatever import.
pub async fn totals_after(
    read: &Read<'_>,
    (kind, period): (&str, &str),
    (import_seq, part): (i64, i64),
    limit: i64,
) -> Result<Vec<TotalsRow>, DbError> {
    read.fetch_all(TOTALS_AFTER, args![kind, period, import_seq, part, limit]).await
}
