//! Facts that do not count: those that were taken back, adverse facts whose consequences ended, and documents that a later
//! import moved to another half-year. All of them are few, and all of them are read by the accepted imports that made them.

use super::{DbError, Read, Tx, args, record};

record! {
    /// A document that was taken back, or restored.
    pub struct VoidRow {
        pub subject_code: String,
        pub measure: String,
        /// The reference without differences of writing.
        pub document: String,
        pub import_seq: i64,
        /// The reference as it was written.
        pub reference: String,
        pub reason: String,
        pub decided_on: String,
        /// The reference of the decision.
        pub decision: Option<String>,
        /// 1 where the fact counts again, otherwise 0.
        pub restored: i64,
        /// When the import was accepted.
        pub accepted_at: Option<i64>,
    }
}

record! {
    /// An adverse fact whose consequences ended: it was withdrawn or repaired, or its publication is over.
    pub struct EndedRow {
        pub subject_code: String,
        pub reference: String,
    }
}

record! {
    /// A document that an import moved to another half-year.
    pub struct RevisionRow {
        pub subject_code: String,
        pub measure: String,
        /// The reference without differences of writing.
        pub document: String,
        pub import_seq: i64,
    }
}

record! { struct SeqRow { seq: i64 } }

/// A document to take back or to restore.
#[derive(Debug, Clone, Copy)]
pub struct NewVoid<'a> {
    pub subject_code: &'a str,
    pub measure: &'a str,
    /// The reference without differences of writing.
    pub document: &'a str,
    /// The reference as it was written.
    pub reference: &'a str,
    pub reason: &'a str,
    pub decided_on: &'a str,
    /// The reference of the decision.
    pub decision: Option<&'a str>,
    /// Whether the fact counts again.
    pub restored: bool,
}

impl<'a> From<&'a VoidRow> for NewVoid<'a> {
    fn from(row: &'a VoidRow) -> Self {
        Self {
            subject_code: &row.subject_code,
            measure: &row.measure,
            document: &row.document,
            reference: &row.reference,
            reason: &row.reason,
            decided_on: &row.decided_on,
            decision: row.decision.as_deref(),
            restored: row.restored != 0,
        }
    }
}

/// The imports up to one, and the subject, if only one is of interest.
#[derive(Debug, Clone, Copy)]
pub struct Within<'a> {
    /// The number of the last import that counts.
    pub imports_to: i64,
    pub subject: Option<&'a str>,
}

const LAST: &str = "/* voids::last */
    SELECT COALESCE(MAX(seq), 0) AS seq FROM imports
    WHERE state = 'accepted' AND template IN ('records', 'voids', 'adverse')";

/// The number of the last accepted import that facts, or what takes them back, came by.
pub async fn last_import(read: &Read<'_>) -> Result<i64, DbError> {
    read.fetch_one::<SeqRow>(LAST, args![]).await.map(|row| row.seq)
}

// In the order of acceptance, so that the last row of a document decides.
const VOIDS: &str = "/* voids::list */
    SELECT v.subject_code, v.measure, v.document, v.import_seq, v.reference, v.reason, v.decided_on, v.decision,
           v.restored, i.accepted_at
    FROM bulk.voids v JOIN imports i ON i.seq = v.import_seq AND i.state = 'accepted'
    WHERE v.import_seq <= $1 ORDER BY v.import_seq";
const VOIDS_OF: &str = "/* voids::list_of */
    SELECT v.subject_code, v.measure, v.document, v.import_seq, v.reference, v.reason, v.decided_on, v.decision,
           v.restored, i.accepted_at
    FROM bulk.voids v JOIN imports i ON i.seq = v.import_seq AND i.state = 'accepted'
    WHERE v.import_seq <= $1 AND v.subject_code = $2 ORDER BY v.import_seq";

/// Every decision to take a document back or to restore it, in the order of acceptance.
pub async fn list(read: &Read<'_>, within: Within<'_>) -> Result<Vec<VoidRow>, DbError> {
    match within.subject {
        Some(subject) => read.fetch_all(VOIDS_OF, args![within.imports_to, subject]).await,
        None => read.fetch_all(VOIDS, args![within.imports_to]).await,
    }
}

// The last accepted row of a reference decides, as in the subject's file.
macro_rules! ended {
    ($name:literal, $subject:literal) => {
        concat!(
            "/* voids::",
            $name,
            " */
    SELECT a.subject_code, a.reference FROM bulk.adverse a
    JOIN imports i ON i.seq = a.import_seq AND i.state = 'accepted' AND COALESCE(i.replaced_by, $1 + 1) > $1
    WHERE ",
            $subject,
            "a.import_seq <= $1 AND (a.status <> 'effective' OR a.latest_end_on < $2) AND NOT EXISTS (
        SELECT 1 FROM bulk.adverse b
        JOIN imports j ON j.seq = b.import_seq AND j.state = 'accepted' AND COALESCE(j.replaced_by, $1 + 1) > $1
        WHERE b.subject_code = a.subject_code AND b.reference = a.reference AND b.import_seq > a.import_seq
            AND b.import_seq <= $1)"
        )
    };
}
const ENDED: &str = ended!("ended", "");
const ENDED_OF: &str = ended!("ended_of", "a.subject_code = $3 AND ");

/// The adverse facts that were withdrawn or repaired, or whose publication ended before a day.
pub async fn ended(read: &Read<'_>, within: Within<'_>, day: &str) -> Result<Vec<EndedRow>, DbError> {
    match within.subject {
        Some(subject) => read.fetch_all(ENDED_OF, args![within.imports_to, day, subject]).await,
        None => read.fetch_all(ENDED, args![within.imports_to, day]).await,
    }
}

const REVISIONS: &str = "/* voids::revisions */
    SELECT r.subject_code, r.measure, r.document, r.import_seq FROM bulk.fact_revisions r
    JOIN imports i ON i.seq = r.import_seq AND i.state = 'accepted' AND COALESCE(i.replaced_by, $1 + 1) > $1
    WHERE r.import_seq <= $1";
const REVISIONS_OF: &str = "/* voids::revisions_of */
    SELECT r.subject_code, r.measure, r.document, r.import_seq FROM bulk.fact_revisions r
    JOIN imports i ON i.seq = r.import_seq AND i.state = 'accepted' AND COALESCE(i.replaced_by, $1 + 1) > $1
    WHERE r.import_seq <= $1 AND r.subject_code = $2";

/// The documents that imports moved to another half-year.
pub async fn revisions(read: &Read<'_>, within: Within<'_>) -> Result<Vec<RevisionRow>, DbError> {
    match within.subject {
        Some(subject) => read.fetch_all(REVISIONS_OF, args![within.imports_to, subject]).await,
        None => read.fetch_all(REVISIONS, args![within.imports_to]).await,
    }
}

const INSERT: &str = "/* voids::insert */
    INSERT INTO bulk.voids (subject_code, measure, document, import_seq, reference, reason, decided_on, decision, restored)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Inserts a decision, which counts once its import is accepted.
pub async fn insert(tx: &mut Tx, import_seq: i64, new: NewVoid<'_>) -> Result<(), DbError> {
    let NewVoid { subject_code, measure, document, reference, reason, decided_on, decision, restored } = new;
    let restored = i64::from(restored);
    let args = args![subject_code, measure, document, import_seq, reference, reason, decided_on, decision, restored];
    tx.execute(INSERT, args).await.map(|_| ())
}

const OF_IMPORT: &str = "/* voids::of_import */
    SELECT subject_code, measure, document, import_seq, reference, reason, decided_on, decision, restored,
           CAST(NULL AS BIGINT) AS accepted_at
    FROM bulk.voids WHERE import_seq = $1 ORDER BY subject_code, measure, document";

/// The decisions that an import staged, in the order of their keys.
pub async fn of_import(read: &Read<'_>, import_seq: i64) -> Result<Vec<VoidRow>, DbError> {
    read.fetch_all(OF_IMPORT, args![import_seq]).await
}
