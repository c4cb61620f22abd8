//! Entries as operators look for them: counts of answers, and pages of entries by kind, client and consent.

use crate::store::{Db, DbError, args, record};

record! {
    struct NumberRow {
        number: i64,
    }
}
record! {
    struct LastRow {
        at: Option<i64>,
    }
}

/// The most answers that are counted; more are shown as "more than".
pub const MOST_COUNTED: i64 = 100_000;

// Ids sort by time, so the primary key finds the answers since an instant; the last could be any letter that sorts behind
// the digits and letters of ids.
const ANSWERS: &str = "/* ledger::count_answers */
    SELECT CAST(count(*) AS BIGINT) AS number FROM
    (SELECT 1 AS one FROM ledger_entries WHERE id >= $1 AND id < 'dis_zz' AND type = 'disclosure' LIMIT $2) AS counted";
const ANSWERS_OF: &str = "/* ledger::count_answers_of */
    SELECT CAST(count(*) AS BIGINT) AS number FROM
    (SELECT 1 AS one FROM ledger_openings WHERE client_id = $1 AND entry_id >= $2 AND entry_id < 'dis_zz' LIMIT $3) AS counted";
const LAST_OF: &str = "/* ledger::last_answer_of */
    SELECT committed_at AS at FROM ledger_entries WHERE id =
    (SELECT max(entry_id) FROM ledger_openings WHERE client_id = $1 AND entry_id >= 'dis_0' AND entry_id < 'dis_zz')";

/// The answers since an id, up to [`MOST_COUNTED`] and one.
pub async fn count_answers(db: &Db, since: &str) -> Result<i64, DbError> {
    let args = args![since, MOST_COUNTED + 1];
    db.read("ledger.count_answers").fetch_one::<NumberRow>(ANSWERS, args).await.map(|row| row.number)
}

/// The answers to a client since an id, up to [`MOST_COUNTED`] and one.
pub async fn count_answers_of(db: &Db, client: &str, since: &str) -> Result<i64, DbError> {
    let args = args![client, since, MOST_COUNTED + 1];
    db.read("ledger.count_answers_of").fetch_one::<NumberRow>(ANSWERS_OF, args).await.map(|row| row.number)
}

/// When the last answer to a client was committed.
pub async fn last_answer_of(db: &Db, client: &str) -> Result<Option<i64>, DbError> {
    let row: Option<LastRow> = db.read("ledger.last_answer_of").fetch_optional(LAST_OF, args![client]).await?;
    Ok(row.and_then(|row| row.at))
}

record! {
    /// An entry with what its opening says of it.
    pub struct FoundRow {
        pub id: String,
        pub kind: String,
        /// The canonical JSON.
        pub body: String,
        pub committed_at: i64,
        /// The opening's canonical JSON; none once erased.
        pub opening: Option<String>,
        pub client_id: Option<String>,
        pub consent_id: Option<String>,
        /// The place in the tree; none until sealed.
        pub leaf_index: Option<i64>,
    }
}

macro_rules! found {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            " SELECT e.id, e.type AS kind, e.body, e.committed_at, o.body AS opening, o.client_id, o.consent_id, l.leaf_index",
            " FROM ledger_entries e LEFT JOIN ledger_openings o ON o.entry_id = e.id",
            " LEFT JOIN ledger_leaves l ON l.entry_id = e.id ",
            $tail
        )
    };
}

const FIND: &str = found!("/* ledger::find_entry */", "WHERE e.id = $1");
const OF_PREFIX: &str = found!(
    "/* ledger::entries_of_prefix */",
    "WHERE e.id >= $1 AND e.id < $2 AND ($3 = '' OR e.type = $3) ORDER BY e.id DESC LIMIT $4"
);
const OF_CLIENT: &str = found!(
    "/* ledger::entries_of_client */",
    "WHERE o.client_id = $1 AND ($2 = '' OR o.consent_id = $2) AND e.id >= $3 AND e.id < $4 ORDER BY e.id DESC LIMIT $5"
);

/// The entry with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<FoundRow>, DbError> {
    db.read("ledger.find_entry").fetch_optional(FIND, args![id]).await
}

/// Entries whose ids are in a range, latest first; of one type, or of all.
pub async fn of_range(db: &Db, from: &str, before: &str, kind: &str, limit: i64) -> Result<Vec<FoundRow>, DbError> {
    db.read("ledger.entries_of_prefix").fetch_all(OF_PREFIX, args![from, before, kind, limit]).await
}

/// Answers to a client, and under one of its consents where it is named, latest first.
pub async fn of_client(
    db: &Db,
    client: &str,
    consent: &str,
    range: (&str, &str),
    limit: i64,
) -> Result<Vec<FoundRow>, DbError> {
    let args = args![client, consent, range.0, range.1, limit];
    db.read("ledger.entries_of_client").fetch_all(OF_CLIENT, args).await
}
