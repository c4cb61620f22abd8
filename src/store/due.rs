//! Decisions that change which facts count, made after a round or a correction had read the facts.

use super::{DbError, Read, args, record};

record! {
    /// A decision about a fact.
    pub struct DecisionRow {
        pub subject_code: String,
        pub import_seq: i64,
        /// voided, restored, withdrawn, repaired, ended or effective.
        pub what: String,
        /// The reference of the fact.
        pub reference: String,
        /// The reference of the decision.
        pub decision: Option<String>,
        /// The day of the decision, where its import has one.
        pub decided_on: Option<String>,
        /// When the import was accepted.
        pub accepted_at: Option<i64>,
    }
}

record! {
    /// The last import that a subject's last correction read.
    pub struct CorrectedRow {
        pub subject_code: String,
        pub imports_to: i64,
    }
}

const VOIDS: &str = "/* due::voids */
    SELECT v.subject_code, v.import_seq, CASE WHEN v.restored = 0 THEN 'voided' ELSE 'restored' END AS what,
           v.reference, v.decision, v.decided_on, i.accepted_at
    FROM bulk.voids v JOIN imports i ON i.seq = v.import_seq AND i.state = 'accepted'
    WHERE v.import_seq > $1 ORDER BY v.import_seq, v.subject_code, v.measure, v.document";

// Whether the consequences of an adverse fact have ended, as `voids::ended` judges it. Files list the same facts again and again: only
// rows that say something else than the one before are of interest, and a fact that is new has ended only if its row says so.
macro_rules! has_ended {
    ($row:literal) => {
        concat!(
            "CASE WHEN ",
            $row,
            ".status <> 'effective' OR COALESCE(",
            $row,
            ".latest_end_on, '9999-12-31') < $2 THEN 1 ELSE 0 END"
        )
    };
}
const ADVERSE: &str = concat!(
    "/* due::adverse */
    SELECT a.subject_code, a.import_seq,
           CASE WHEN a.status <> 'effective' THEN a.status WHEN ",
    has_ended!("a"),
    " = 1 THEN 'ended' ELSE 'effective' END AS what,
           a.reference, CAST(NULL AS TEXT) AS decision, CAST(NULL AS TEXT) AS decided_on, i.accepted_at
    FROM bulk.adverse a
    JOIN imports i ON i.seq = a.import_seq AND i.state = 'accepted' AND i.replaced_by IS NULL
    WHERE a.import_seq > $1 AND ",
    has_ended!("a"),
    " <> COALESCE((
        SELECT ",
    has_ended!("b"),
    " FROM bulk.adverse b
        JOIN imports j ON j.seq = b.import_seq AND j.state = 'accepted' AND j.replaced_by IS NULL
        WHERE b.subject_code = a.subject_code AND b.reference = a.reference AND b.import_seq < a.import_seq
        ORDER BY b.import_seq DESC LIMIT 1), 0)
    ORDER BY a.import_seq, a.subject_code, a.reference"
);

/// The documents that were taken back or restored by imports after one, in the order of acceptance.
pub async fn voids(read: &Read<'_>, after: i64) -> Result<Vec<DecisionRow>, DbError> {
    read.fetch_all(VOIDS, args![after]).await
}

/// The adverse facts whose consequences ended, or have effect again, by imports after one, as a round that ends on `day` sees it; in
/// the order of acceptance.
pub async fn adverse(read: &Read<'_>, after: i64, day: &str) -> Result<Vec<DecisionRow>, DbError> {
    read.fetch_all(ADVERSE, args![after, day]).await
}

const CORRECTED: &str = "/* due::corrected */
    SELECT subject_code, MAX(imports_to) AS imports_to FROM corrections WHERE run_id = $1 GROUP BY subject_code";

/// The subjects of a round that were corrected, with the last import that the last correction read.
pub async fn corrected(read: &Read<'_>, run_id: &str) -> Result<Vec<CorrectedRow>, DbError> {
    read.fetch_all(CORRECTED, args![run_id]).await
}
