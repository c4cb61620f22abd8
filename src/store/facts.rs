//! Stored credit facts: chunks of an import, each with one kind, one half-year and a range of subjects.

use super::{DbError, Read, Tx, args, record};

/// A chunk to insert.
#[derive(Debug)]
pub struct NewChunk<'a> {
    /// Index among the chunks of its import.
    pub part: i64,
    /// The kind of subject.
    pub kind: &'a str,
    pub period: &'a str,
    /// The code of its first subject.
    pub first_code: &'a str,
    /// The code of its last subject.
    pub last_code: &'a str,
    /// Number of facts.
    pub rows: i64,
    /// SHA-256 over totals and facts.
    pub digest: &'a [u8],
    /// The totals of the facts, encoded.
    pub totals: Vec<u8>,
    /// The facts, encoded.
    pub facts: Vec<u8>,
}

record! {
    /// The totals of a chunk.
    pub struct TotalsRow {
        pub import_seq: i64,
        /// Index among the chunks of its import.
        pub part: i64,
        pub period: String,
        pub totals: Vec<u8>,
    }
}

record! {
    /// A chunk with totals and facts.
    pub struct ChunkRow {
        pub import_seq: i64,
        /// Index among the chunks of its import.
        pub part: i64,
        pub period: String,
        pub totals: Vec<u8>,
        pub facts: Vec<u8>,
        /// SHA-256 over totals and facts.
        pub digest: Vec<u8>,
    }
}

record! {
    /// The facts of a chunk.
    pub struct FactsRow {
        pub facts: Vec<u8>,
    }
}

record! {
    /// The digest of a chunk.
    pub struct DigestRow {
        /// Index among the chunks of its import.
        pub part: i64,
        /// SHA-256 over totals and facts.
        pub digest: Vec<u8>,
    }
}

record! {
    /// The key of a chunk.
    pub struct ChunkKey {
        pub import_seq: i64,
        /// Index among the chunks of its import.
        pub part: i64,
    }
}

record! {
    /// A chunk with the hashes of its documents.
    pub struct EarlierChunk {
        pub import_seq: i64,
        /// Index among the chunks of its import.
        pub part: i64,
        /// None for a chunk that was stored before hashes were.
        pub documents: Option<Vec<u8>>,
    }
}

record! { struct NumberRow { number: i64 } }
record! { struct CodeRow { code: String } }
record! { struct AcceptedRow { seq: i64, accepted_at: Option<i64> } }

record! {
    /// An accepted import of facts.
    pub struct FactImport {
        pub seq: i64,
        /// Number of the import that replaced it.
        pub replaced_by: Option<i64>,
        /// 2 where a document is in it once, 1 where facts differ by day and source.
        pub identity: i64,
    }
}

impl FactImport {
    /// Whether its facts count when the imports up to one are read.
    pub fn counts_up_to(&self, imports_to: i64) -> bool {
        self.seq <= imports_to && self.replaced_by.is_none_or(|by| by > imports_to)
    }
}

record! {
    /// A subject that facts may refer to.
    pub struct SubjectRow {
        pub code: String,
        pub kind: String,
        pub region: String,
    }
}

const INSERT: &str = "/* facts::insert */
    INSERT INTO bulk.fact_chunks (import_seq, part, kind, period, first_code, last_code, row_count, digest, totals, facts)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// Inserts a chunk.
pub async fn insert(tx: &mut Tx, import_seq: i64, chunk: NewChunk<'_>) -> Result<(), DbError> {
    let NewChunk { part, kind, period, first_code, last_code, rows, digest, totals, facts } = chunk;
    let args = args![import_seq, part, kind, period, first_code, last_code, rows, digest, totals, facts];
    tx.execute(INSERT, args).await.map(|_| ())
}

const INSERT_DOCUMENTS: &str = "/* facts::insert_documents */
    INSERT INTO bulk.fact_documents (import_seq, part, documents) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

/// Inserts the hashes of the documents of a chunk, unless they are stored already.
pub async fn insert_documents(tx: &mut Tx, key: ChunkKey, documents: Vec<u8>) -> Result<(), DbError> {
    tx.execute(INSERT_DOCUMENTS, args![key.import_seq, key.part, documents]).await.map(|_| ())
}

const INSERT_REVISION: &str = "/* facts::insert_revision */
    INSERT INTO bulk.fact_revisions (subject_code, measure, document, import_seq) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING";

/// Inserts a document that an import moves to another half-year: a subject, a measure and the document.
pub async fn insert_revision(
    tx: &mut Tx,
    import_seq: i64,
    (subject, measure, document): (&str, &str, &str),
) -> Result<(), DbError> {
    tx.execute(INSERT_REVISION, args![subject, measure, document, import_seq]).await.map(|_| ())
}

const PURGE: &str = "/* facts::purge */ DELETE FROM bulk.fact_chunks WHERE import_seq = $1";
const PURGE_DOCUMENTS: &str = "/* facts::purge_documents */ DELETE FROM bulk.fact_documents WHERE import_seq = $1";
const PURGE_REVISIONS: &str = "/* facts::purge_revisions */ DELETE FROM bulk.fact_revisions WHERE import_seq = $1";

/// Removes the chunks of an import.
pub async fn purge(tx: &mut Tx, import_seq: i64) -> Result<u64, DbError> {
    tx.execute(PURGE_DOCUMENTS, args![import_seq]).await?;
    tx.execute(PURGE_REVISIONS, args![import_seq]).await?;
    tx.execute(PURGE, args![import_seq]).await
}

// As in TOTALS: two ranges overlap when each begins before the other ends.
const EARLIER: &str = "/* facts::earlier */
    SELECT c.import_seq, c.part, d.documents FROM bulk.fact_chunks c
    LEFT JOIN bulk.fact_documents d ON d.import_seq = c.import_seq AND d.part = c.part
    WHERE c.kind = $1 AND c.first_code <= $3 AND c.last_code >= $2";

/// The chunks of a kind that may have documents of subjects in a range of codes, bounds included. From all imports.
pub async fn earlier(read: &Read<'_>, kind: &str, (first, last): (&str, &str)) -> Result<Vec<EarlierChunk>, DbError> {
    read.fetch_all(EARLIER, args![kind, first, last]).await
}

const OF_IMPORT: &str = "/* facts::of_import */
    SELECT import_seq, part, period, totals, facts, digest FROM bulk.fact_chunks
    WHERE import_seq = $1 AND kind = $2 AND first_code <= $4 AND last_code >= $3";

/// The chunks of an import that may have facts of subjects in a range of codes, bounds included.
pub async fn of_import(
    read: &Read<'_>,
    import_seq: i64,
    kind: &str,
    (first, last): (&str, &str),
) -> Result<Vec<ChunkRow>, DbError> {
    read.fetch_all(OF_IMPORT, args![import_seq, kind, first, last]).await
}

record! {
    /// The range of a chunk.
    pub struct PartRow {
        /// Index among the chunks of its import.
        pub part: i64,
        pub kind: String,
        pub first_code: String,
        pub last_code: String,
    }
}

const PARTS: &str = "/* facts::parts */
    SELECT part, kind, first_code, last_code FROM bulk.fact_chunks WHERE import_seq = $1 ORDER BY part";

/// The ranges of an import's chunks in order.
pub async fn parts(read: &Read<'_>, import_seq: i64) -> Result<Vec<PartRow>, DbError> {
    read.fetch_all(PARTS, args![import_seq]).await
}

const COUNT: &str = "/* facts::count */
    SELECT CAST(COALESCE(SUM(row_count), 0) AS BIGINT) AS number FROM bulk.fact_chunks WHERE import_seq = $1";

/// The number of facts of an import.
pub async fn count(read: &Read<'_>, import_seq: i64) -> Result<i64, DbError> {
    read.fetch_one::<NumberRow>(COUNT, args![import_seq]).await.map(|row| row.number)
}

const ACCEPTED: &str = "/* facts::accepted */
    SELECT seq, replaced_by, identity FROM imports WHERE template = 'records' AND state = 'accepted' ORDER BY seq";

/// The accepted imports of facts, in the order of acceptance, with those that others replaced.
pub async fn accepted(read: &Read<'_>) -> Result<Vec<FactImport>, DbError> {
    read.fetch_all(ACCEPTED, args![]).await
}

// Two ranges overlap when each begins before the other ends. The chunk's totals decide about each subject.
const TOTALS: &str = "/* facts::totals */
    SELECT import_seq, part, period, totals FROM bulk.fact_chunks
    WHERE kind = $1 AND period >= $2 AND period <= $3 AND first_code <= $5 AND last_code >= $4";

/// The totals of every chunk of a kind that may have facts of subjects in a range of codes and in a range of half-years,
/// bounds included. From all imports and in no particular order.
pub async fn totals(
    read: &Read<'_>,
    kind: &str,
    (from, to): (&str, &str),
    (first, last): (&str, &str),
) -> Result<Vec<TotalsRow>, DbError> {
    read.fetch_all(TOTALS, args![kind, from, to, first, last]).await
}

// The range of codes only says that a chunk may have the subject; the chunk's own totals decide.
const OF_SUBJECT: &str = "/* facts::of_subject */
    SELECT import_seq, part, period, totals, facts, digest FROM bulk.fact_chunks
    WHERE kind = $1 AND period >= $2 AND period <= $3 AND first_code <= $4 AND last_code >= $4";

/// Every chunk that may have facts of a subject in a range of half-years, bounds included.
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

/// The facts of a chunk.
pub async fn facts(read: &Read<'_>, import_seq: i64, part: i64) -> Result<Vec<u8>, DbError> {
    read.fetch_one::<FactsRow>(FACTS, args![import_seq, part]).await.map(|row| row.facts)
}

const DIGESTS: &str = "/* facts::digests */
    SELECT part, digest FROM bulk.fact_chunks WHERE import_seq = $1 ORDER BY part";

/// The digests of an import's chunks in order.
pub async fn digests(read: &Read<'_>, import_seq: i64) -> Result<Vec<DigestRow>, DbError> {
    read.fetch_all(DIGESTS, args![import_seq]).await
}

const SUBJECTS: &str = "/* facts::subjects */ SELECT code, kind, region FROM subjects";

/// Every subject that facts may refer to.
pub async fn subjects(read: &Read<'_>) -> Result<Vec<SubjectRow>, DbError> {
    read.fetch_all(SUBJECTS, args![]).await
}

const CODES: &str = "/* facts::codes */ SELECT code FROM subjects WHERE kind = $1";

/// The code of every subject of a kind, in no particular order.
pub async fn codes(read: &Read<'_>, kind: &str) -> Result<Vec<String>, DbError> {
    let rows: Vec<CodeRow> = read.fetch_all(CODES, args![kind]).await?;
    Ok(rows.into_iter().map(|row| row.code).collect())
}

const ACCEPTED_AT: &str = "/* facts::accepted_at */
    SELECT seq, accepted_at FROM imports
    WHERE template = 'records' AND state = 'accepted' AND replaced_by IS NULL";

/// The accepted imports of facts that no other replaced, with the time of acceptance.
pub async fn accepted_at(read: &Read<'_>) -> Result<Vec<(i64, i64)>, DbError> {
    let rows: Vec<AcceptedRow> = read.fetch_all(ACCEPTED_AT, args![]).await?;
    Ok(rows.into_iter().map(|row| (row.seq, row.accepted_at.unwrap_or(0))).collect())
}

// Paged by key and not by offset: an import accepted between two pages has a higher number and moves nothing.
const TOTALS_AFTER: &str = "/* facts::totals_after */
    SELECT import_seq, part, period, totals FROM bulk.fact_chunks
    WHERE kind = $1 AND period = $2 AND (import_seq > $3 OR (import_seq = $3 AND part > $4))
    ORDER BY import_seq, part LIMIT $5";

/// A page of the totals of every chunk of a kind and a half-year, after a chunk of an import. From all imports.
pub async fn totals_after(
    read: &Read<'_>,
    kind: &str,
    period: &str,
    after: ChunkKey,
    limit: i64,
) -> Result<Vec<TotalsRow>, DbError> {
    read.fetch_all(TOTALS_AFTER, args![kind, period, after.import_seq, after.part, limit]).await
}
