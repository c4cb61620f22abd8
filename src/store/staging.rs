//! Rows of an import before it is accepted: written to bulk tables under the import's number, and not visible yet.
//!
//! A batch is one JSON array of arrays. The first element of each row is its line in the file; the others follow in the
//! order of the statements below, codes first.

use super::{DbError, Read, Tx, args, record};

record! {
    struct LineRow {
        line: i64,
    }
}

/// The table in which rows of a template are staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staging {
    /// `bulk.staged_subjects`; moved to `subjects` on acceptance. Rows: line, body.
    Subjects,
    /// `bulk.affiliations`. Rows: line, person, institution, main, from, to.
    Affiliations,
    /// `bulk.adverse`. Rows: line, subject, reference, source, tier, decided, publish from, repair from, ends, status.
    Adverse,
    /// `bulk.settlements`. Rows: line, subject, month, insurance, visits, persons, ten amounts, status, as of.
    Settlements,
    /// `bulk.accounts`. Rows: line, subject, bank, hash, from.
    Accounts,
    /// `bulk.voids`. Rows: line, subject, measure, document, reference, reason, decided, decision.
    Voids,
}

// `WHERE true`: without it SQLite would read ON CONFLICT as the condition of a join.
const INSERT_SUBJECTS: &str = "/* staging::insert_subjects */
    INSERT INTO bulk.staged_subjects (import_seq, line, body)
    SELECT CAST($2 AS BIGINT), CAST(value->>0 AS BIGINT), value->>1 FROM json_rows($1)
    WHERE true ON CONFLICT DO NOTHING";
const INSERT_AFFILIATIONS: &str = "/* staging::insert_affiliations */
    INSERT INTO bulk.affiliations (person_code, institution_code, import_seq, main, from_on, to_on)
    SELECT value->>1, value->>2, CAST($2 AS BIGINT), CAST(value->>3 AS BIGINT), value->>4, value->>5
    FROM json_rows($1) WHERE true ON CONFLICT DO NOTHING";
const INSERT_ADVERSE: &str = "/* staging::insert_adverse */
    INSERT INTO bulk.adverse (subject_code, reference, import_seq, source, tier, decided_on, publish_from_on,
                              earliest_repair_on, latest_end_on, status)
    SELECT value->>1, value->>2, CAST($2 AS BIGINT), value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
           value->>9
    FROM json_rows($1) WHERE true ON CONFLICT DO NOTHING";
const INSERT_SETTLEMENTS: &str = "/* staging::insert_settlements */
    INSERT INTO bulk.settlements (subject_code, month, insurance, import_seq, visits, persons, billed_fen, claimed_fen,
                                  settled_fen, paid_fen, retained_fen, disallowed_fen, deducted_fen, prepaid_fen,
                                  offset_fen, payable_fen, status, as_of)
    SELECT value->>1, value->>2, value->>3, CAST($2 AS BIGINT), CAST(value->>4 AS BIGINT), CAST(value->>5 AS BIGINT),
           CAST(value->>6 AS BIGINT), CAST(value->>7 AS BIGINT), CAST(value->>8 AS BIGINT), CAST(value->>9 AS BIGINT),
           CAST(value->>10 AS BIGINT), CAST(value->>11 AS BIGINT), CAST(value->>12 AS BIGINT),
           CAST(value->>13 AS BIGINT), CAST(value->>14 AS BIGINT), CAST(value->>15 AS BIGINT), value->>16, value->>17
    FROM json_rows($1) WHERE true ON CONFLICT DO NOTHING";
const INSERT_ACCOUNTS: &str = "/* staging::insert_accounts */
    INSERT INTO bulk.accounts (subject_code, bank_code, account_hash, valid_from_on, import_seq)
    SELECT value->>1, value->>2, unhex(value->>3), value->>4, CAST($2 AS BIGINT)
    FROM json_rows($1) WHERE true ON CONFLICT DO NOTHING";

const INSERT_VOIDS: &str = "/* staging::insert_voids */
    INSERT INTO bulk.voids (subject_code, measure, document, import_seq, reference, reason, decided_on, decision, restored)
    SELECT value->>1, value->>2, value->>3, CAST($2 AS BIGINT), value->>4, value->>5, value->>6, value->>7, 0
    FROM json_rows($1) WHERE true ON CONFLICT DO NOTHING";

const EXISTING_SUBJECTS: &str = "/* staging::existing_subjects */
    WITH given AS MATERIALIZED (SELECT CAST($2 AS BIGINT) AS import_seq, CAST(value->>0 AS BIGINT) AS line FROM json_rows($1))
    SELECT g.line FROM given g JOIN bulk.staged_subjects s ON s.import_seq = g.import_seq AND s.line = g.line";
const EXISTING_AFFILIATIONS: &str = "/* staging::existing_affiliations */
    SELECT CAST(value->>0 AS BIGINT) AS line FROM json_rows($1)
    JOIN bulk.affiliations a ON a.person_code = value->>1 AND a.institution_code = value->>2 AND a.import_seq = $2
        AND a.from_on = value->>4";
const EXISTING_ADVERSE: &str = "/* staging::existing_adverse */
    SELECT CAST(value->>0 AS BIGINT) AS line FROM json_rows($1)
    JOIN bulk.adverse a ON a.subject_code = value->>1 AND a.reference = value->>2 AND a.import_seq = $2";
const EXISTING_SETTLEMENTS: &str = "/* staging::existing_settlements */
    SELECT CAST(value->>0 AS BIGINT) AS line FROM json_rows($1)
    JOIN bulk.settlements s ON s.subject_code = value->>1 AND s.month = value->>2 AND s.insurance = value->>3
        AND s.import_seq = $2";
const EXISTING_ACCOUNTS: &str = "/* staging::existing_accounts */
    SELECT CAST(value->>0 AS BIGINT) AS line FROM json_rows($1)
    JOIN bulk.accounts a ON a.subject_code = value->>1 AND a.valid_from_on = value->>4 AND a.import_seq = $2";
const EXISTING_VOIDS: &str = "/* staging::existing_voids */
    SELECT CAST(value->>0 AS BIGINT) AS line FROM json_rows($1)
    JOIN bulk.voids v ON v.subject_code = value->>1 AND v.measure = value->>2 AND v.document = value->>3
        AND v.import_seq = $2";

macro_rules! later {
    ($name:literal, $table:literal, $($key:literal),+) => {
        concat!("/* staging::later_", $name, " */ SELECT b.import_seq AS line FROM ", $table, " a JOIN ", $table,
            " b ON b.import_seq > a.import_seq", $(" AND b.", $key, " = a.", $key,)+
            " JOIN imports i ON i.seq = b.import_seq AND i.state = 'accepted' WHERE a.import_seq = $1 LIMIT 1")
    };
}
const LATER_AFFILIATIONS: &str =
    later!("affiliations", "bulk.affiliations", "person_code", "institution_code", "from_on");
const LATER_ADVERSE: &str = later!("adverse", "bulk.adverse", "subject_code", "reference");
const LATER_SETTLEMENTS: &str = later!("settlements", "bulk.settlements", "subject_code", "month", "insurance");
const LATER_ACCOUNTS: &str = later!("accounts", "bulk.accounts", "subject_code", "valid_from_on");
const LATER_VOIDS: &str = later!("voids", "bulk.voids", "subject_code", "measure", "document");

const PURGE_SUBJECTS: &str = "/* staging::purge_subjects */ DELETE FROM bulk.staged_subjects WHERE import_seq = $1";
const PURGE_SUBJECTS_TO: &str =
    "/* staging::purge_subjects_to */ DELETE FROM bulk.staged_subjects WHERE import_seq <= $1";
const PURGE_AFFILIATIONS: &str =
    "/* staging::purge_affiliations */ DELETE FROM bulk.affiliations WHERE import_seq = $1";
const PURGE_ADVERSE: &str = "/* staging::purge_adverse */ DELETE FROM bulk.adverse WHERE import_seq = $1";
const PURGE_SETTLEMENTS: &str = "/* staging::purge_settlements */ DELETE FROM bulk.settlements WHERE import_seq = $1";
const PURGE_ACCOUNTS: &str = "/* staging::purge_accounts */ DELETE FROM bulk.accounts WHERE import_seq = $1";
const PURGE_VOIDS: &str = "/* staging::purge_voids */ DELETE FROM bulk.voids WHERE import_seq = $1";

impl Staging {
    const fn insert_statement(self) -> &'static str {
        match self {
            Self::Subjects => INSERT_SUBJECTS,
            Self::Affiliations => INSERT_AFFILIATIONS,
            Self::Adverse => INSERT_ADVERSE,
            Self::Settlements => INSERT_SETTLEMENTS,
            Self::Accounts => INSERT_ACCOUNTS,
            Self::Voids => INSERT_VOIDS,
        }
    }

    /// Inserts a batch and returns how many rows were new. Rows whose key the import already has are left out.
    pub async fn insert(self, tx: &mut Tx, import_seq: i64, rows: String) -> Result<u64, DbError> {
        tx.execute(self.insert_statement(), args![rows, import_seq]).await
    }

    /// The lines of a batch whose keys the import already has from earlier batches.
    pub async fn existing_lines(self, tx: &mut Tx, import_seq: i64, rows: &str) -> Result<Vec<i64>, DbError> {
        let statement = match self {
            Self::Subjects => EXISTING_SUBJECTS,
            Self::Affiliations => EXISTING_AFFILIATIONS,
            Self::Adverse => EXISTING_ADVERSE,
            Self::Settlements => EXISTING_SETTLEMENTS,
            Self::Accounts => EXISTING_ACCOUNTS,
            Self::Voids => EXISTING_VOIDS,
        };
        let lines: Vec<LineRow> = tx.fetch_all(statement, args![rows, import_seq]).await?;
        Ok(lines.into_iter().map(|row| row.line).collect())
    }

    /// The elements of a row, counted from the line at 0, that form its key within one import; empty when each line is a
    /// row of its own.
    pub const fn key_places(self) -> &'static [usize] {
        match self {
            Self::Subjects => &[],
            Self::Affiliations => &[1, 2, 4],
            Self::Adverse => &[1, 2],
            Self::Settlements | Self::Voids => &[1, 2, 3],
            Self::Accounts => &[1, 4],
        }
    }

    /// Whether a later accepted import has a row with the key of one of an import's rows.
    pub async fn is_overwritten(self, read: &Read<'_>, import_seq: i64) -> Result<bool, DbError> {
        let statement = match self {
            Self::Subjects => return Ok(false),
            Self::Affiliations => LATER_AFFILIATIONS,
            Self::Adverse => LATER_ADVERSE,
            Self::Settlements => LATER_SETTLEMENTS,
            Self::Accounts => LATER_ACCOUNTS,
            Self::Voids => LATER_VOIDS,
        };
        read.fetch_optional::<LineRow>(statement, args![import_seq]).await.map(|row| row.is_some())
    }

    /// Deletes staged subjects of every import up to one.
    pub async fn purge_subjects_to(tx: &mut Tx, import_seq: i64) -> Result<u64, DbError> {
        tx.execute(PURGE_SUBJECTS_TO, args![import_seq]).await
    }

    /// Deletes the staged rows of an import.
    pub async fn purge(self, tx: &mut Tx, import_seq: i64) -> Result<u64, DbError> {
        let statement = match self {
            Self::Subjects => PURGE_SUBJECTS,
            Self::Affiliations => PURGE_AFFILIATIONS,
            Self::Adverse => PURGE_ADVERSE,
            Self::Settlements => PURGE_SETTLEMENTS,
            Self::Accounts => PURGE_ACCOUNTS,
            Self::Voids => PURGE_VOIDS,
        };
        tx.execute(statement, args![import_seq]).await
    }
}
