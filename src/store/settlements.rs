//! Monthly settlements for reading: every version is stored, and the accepted import with the highest number is current.

use super::{DbError, Read, args, record};
use crate::domain::{
    Fen, Malformed, Month,
    settlement::{Insurance, Settlement, SettlementStatus},
};

record! {
    struct VersionRow {
        subject_code: String,
        month: String,
        insurance: String,
        import_seq: i64,
        visits: i64,
        persons: i64,
        billed_fen: i64,
        claimed_fen: i64,
        settled_fen: i64,
        paid_fen: i64,
        retained_fen: i64,
        disallowed_fen: i64,
        deducted_fen: i64,
        prepaid_fen: i64,
        offset_fen: i64,
        payable_fen: i64,
        status: String,
        as_of: String,
    }
}

/// A month of a subject in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementRow {
    /// The national code of the subject.
    pub subject_code: String,
    pub settlement: Settlement,
    /// The version of the month, from 1.
    pub version: i64,
    /// The import that contained it.
    pub import_seq: i64,
}

// Ordered by import within a month, because versions are numbered in this order below.
const LIST_VERSIONS: &str = "/* settlements::list_versions */
    SELECT s.subject_code, s.month, s.insurance, s.import_seq, s.visits, s.persons, s.billed_fen, s.claimed_fen,
           s.settled_fen, s.paid_fen, s.retained_fen, s.disallowed_fen, s.deducted_fen, s.prepaid_fen, s.offset_fen,
           s.payable_fen, s.status, s.as_of
    FROM json_few_rows($1)
    JOIN bulk.settlements s ON s.subject_code = value->>'code' AND s.month >= $2 AND s.month <= $3
    JOIN imports i ON i.seq = s.import_seq AND i.state = 'accepted'
    ORDER BY s.subject_code, s.month, s.insurance, s.import_seq";

record! {
    /// A month whose figures an import changes.
    pub struct ChangedRow {
        pub subject_code: String,
        pub month: String,
        /// 1 when the month had no figures before, otherwise 0.
        pub added: i64,
    }
}

// Compared with the version in force, so that a file with the same figures publishes no change.
const CHANGED_BY: &str = "/* settlements::changed_by */
    SELECT n.subject_code, n.month, CAST(MIN(CASE WHEN o.import_seq IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS added
    FROM json_rows($1)
    JOIN bulk.settlements n ON n.subject_code = value->>'code' AND n.import_seq = $2
    LEFT JOIN bulk.settlements o ON o.subject_code = n.subject_code AND o.month = n.month AND o.insurance = n.insurance
        AND o.import_seq = (
            SELECT MAX(p.import_seq) FROM bulk.settlements p JOIN imports i ON i.seq = p.import_seq AND i.state = 'accepted'
            WHERE p.subject_code = n.subject_code AND p.month = n.month AND p.insurance = n.insurance
                AND p.import_seq < $2)
    WHERE o.import_seq IS NULL
        OR n.visits <> o.visits OR n.persons <> o.persons OR n.billed_fen <> o.billed_fen
        OR n.claimed_fen <> o.claimed_fen OR n.settled_fen <> o.settled_fen OR n.paid_fen <> o.paid_fen
        OR n.retained_fen <> o.retained_fen OR n.disallowed_fen <> o.disallowed_fen
        OR n.deducted_fen <> o.deducted_fen OR n.prepaid_fen <> o.prepaid_fen OR n.offset_fen <> o.offset_fen
        OR n.payable_fen <> o.payable_fen OR n.status <> o.status OR n.as_of <> o.as_of
    GROUP BY n.subject_code, n.month ORDER BY n.subject_code, n.month";

/// The months of subjects whose figures an import would change that is not accepted yet.
pub async fn changed_by(read: &Read<'_>, seq: i64, codes: &[&str]) -> Result<Vec<ChangedRow>, DbError> {
    let rows: Vec<_> = codes.iter().map(|code| serde_json::json!({ "code": code })).collect();
    read.fetch_all(CHANGED_BY, args![serde_json::Value::Array(rows).to_string(), seq]).await
}

/// Every version of the months of subjects, ordered by subject, month, insurance and version.
pub async fn list_versions(
    read: &Read<'_>,
    codes: &[String],
    from: Month,
    to: Month,
) -> Result<Vec<SettlementRow>, DbError> {
    let mut distinct: Vec<&String> = codes.iter().collect();
    // A code given twice would yield its rows twice, and their versions would be miscounted.
    distinct.sort_unstable();
    distinct.dedup();
    let rows: Vec<_> = distinct.into_iter().map(|code| serde_json::json!({ "code": code })).collect();
    let codes = serde_json::Value::Array(rows).to_string();
    let rows: Vec<VersionRow> = read.fetch_all(LIST_VERSIONS, args![codes, from.to_string(), to.to_string()]).await?;
    let mut listed: Vec<SettlementRow> = Vec::with_capacity(rows.len());
    for row in rows {
        let mut row = SettlementRow::try_from(row)?;
        // Counted over accepted imports alone, so that a discarded one leaves no gap.
        if let Some(last) = listed.last().filter(|last| last.same_month(&row)) {
            row.version = last.version + 1;
        }
        listed.push(row);
    }
    Ok(listed)
}

/// The current version of each month of subjects.
pub async fn list(read: &Read<'_>, codes: &[String], from: Month, to: Month) -> Result<Vec<SettlementRow>, DbError> {
    let mut present: Vec<SettlementRow> = Vec::new();
    for row in list_versions(read, codes, from, to).await? {
        match present.last_mut() {
            Some(last) if last.same_month(&row) => *last = row,
            _ => present.push(row),
        }
    }
    Ok(present)
}

impl SettlementRow {
    /// Whether two rows are versions of one month.
    pub fn same_month(&self, other: &Self) -> bool {
        self.subject_code == other.subject_code
            && self.settlement.month == other.settlement.month
            && self.settlement.insurance == other.settlement.insurance
    }
}

impl TryFrom<VersionRow> for SettlementRow {
    type Error = DbError;

    fn try_from(row: VersionRow) -> Result<Self, DbError> {
        let corrupt = |error: Malformed| DbError::corrupt("settlements::list", error);
        let settlement = Settlement {
            month: row.month.parse().map_err(corrupt)?,
            insurance: row.insurance.parse::<Insurance>().map_err(corrupt)?,
            visits: row.visits,
            persons: row.persons,
            billed: Fen(row.billed_fen),
            claimed: Fen(row.claimed_fen),
            settled: Fen(row.settled_fen),
            paid: Fen(row.paid_fen),
            retained: Fen(row.retained_fen),
            disallowed: Fen(row.disallowed_fen),
            deducted: Fen(row.deducted_fen),
            prepaid: Fen(row.prepaid_fen),
            offset: Fen(row.offset_fen),
            payable: Fen(row.payable_fen),
            status: row.status.parse::<SettlementStatus>().map_err(corrupt)?,
            as_of: row.as_of.parse().map_err(corrupt)?,
        };
        // The first version of a month; `list_versions` numbers the later ones.
        Ok(Self { subject_code: row.subject_code, settlement, version: 1, import_seq: row.import_seq })
    }
}
