//! The ledger as operators look into it.

use std::time::Duration;

use serde_json::Value;

use super::entry::ReadEntry;
use crate::{
    domain::{
        Failure, Timestamp,
        ids::{ConsentId, DisclosureId, suffix_at},
    },
    store::{
        DbError, Env,
        ledger::lookup::{self, FoundRow, MOST_COUNTED},
    },
};

/// A number of answers, counted up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    pub number: i64,
    /// Whether there are more than the number says.
    pub more: bool,
}

impl From<i64> for Counted {
    fn from(number: i64) -> Self {
        Self { number: number.min(MOST_COUNTED), more: number > MOST_COUNTED }
    }
}

/// The answers to one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// In the last 24 hours.
    pub day: Counted,
    /// In the last 30 days.
    pub month: Counted,
    pub last: Option<Timestamp>,
}

const DAY: Duration = Duration::from_hours(24);

fn first_since(env: &Env, period: Duration) -> String {
    format!("dis_{}", suffix_at(env.now().minus(period)))
}

/// The answers to a client.
pub async fn usage(env: &Env, client: &str) -> Result<Usage, Failure> {
    let (day, month) = (first_since(env, DAY), first_since(env, 30 * DAY));
    Ok(Usage {
        day: lookup::count_answers_of(&env.db, client, &day).await?.into(),
        month: lookup::count_answers_of(&env.db, client, &month).await?.into(),
        last: lookup::last_answer_of(&env.db, client).await?.map(Timestamp::from_micros),
    })
}

/// The answers to every client since an instant.
pub async fn answers_since(env: &Env, since: Timestamp) -> Result<Counted, Failure> {
    let counted: Result<i64, DbError> = lookup::count_answers(&env.db, &format!("dis_{}", suffix_at(since))).await;
    Ok(counted?.into())
}

/// The consent that an id names: its own, or that of a disclosure under it.
pub async fn consent_of(env: &Env, id: &str) -> Result<Option<String>, Failure> {
    if id.parse::<ConsentId>().is_ok() {
        let found = crate::store::consents::find(&env.db, id).await?;
        return Ok(found.map(|row| row.id));
    }
    if id.parse::<DisclosureId>().is_err() {
        return Ok(None);
    }
    Ok(lookup::find(&env.db, id).await?.and_then(|row| row.consent_id))
}

/// The newest answers under a consent: id and time, latest first.
pub async fn answers_under(
    env: &Env,
    client: &str,
    consent: &str,
    limit: i64,
) -> Result<Vec<(String, Timestamp)>, Failure> {
    let rows = lookup::of_client(&env.db, client, consent, ("dis_0", "dis_zz"), limit).await?;
    Ok(rows.into_iter().map(|row| (row.id, Timestamp::from_micros(row.committed_at))).collect())
}

/// The entry of the newest act on a consent.
pub async fn last_act_on(env: &Env, client: &str, consent: &str) -> Result<Option<String>, Failure> {
    let rows = lookup::of_client(&env.db, client, consent, ("ent_0", "ent_zz"), 1).await?;
    Ok(rows.into_iter().next().map(|row| row.id))
}

/// The criteria of a page of entries.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntryFilter<'a> {
    /// The word of a type; empty for every act that is not an answer.
    pub kind: &'a str,
    /// Answers to this client.
    pub client: &'a str,
    /// Entries before this instant.
    pub until: Option<Timestamp>,
    /// The id before which the page begins.
    pub before: &'a str,
}

/// An entry as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    pub id: String,
    /// The word of its type.
    pub kind: String,
    pub at: Timestamp,
    /// The canonical JSON.
    pub body: String,
    /// What the entry commits to, by name, as JSON; none once erased.
    pub values: Option<Vec<(String, String)>>,
    /// Values in the clear.
    pub facts: Vec<(String, String)>,
    /// The place in the tree.
    pub leaf: Option<i64>,
}

impl From<FoundRow> for FoundEntry {
    fn from(row: FoundRow) -> Self {
        let read = ReadEntry::parse(&row.body).ok();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let values = read.as_ref().zip(row.opening.as_deref()).and_then(|(entry, opening)| {
            let values = entry.open(opening).ok()?;
            Some(values.iter().map(|(name, value)| (name.clone(), text(value))).collect())
        });
        let facts = read.iter().flat_map(|entry| &entry.facts).map(|(name, value)| (name.clone(), text(value)));
        Self {
            facts: facts.collect(),
            values,
            id: row.id,
            kind: row.kind,
            at: Timestamp::from_micros(row.committed_at),
            body: row.body,
            leaf: row.leaf_index,
        }
    }
}

/// A page of entries, latest first.
pub async fn entries(env: &Env, filter: EntryFilter<'_>, limit: i64) -> Result<Vec<FoundEntry>, Failure> {
    // Answers and acts have ids of two kinds, each sorted by time.
    let prefix = match filter.kind {
        "disclosure" | "delivery" => "dis",
        _ if !filter.client.is_empty() => "dis",
        _ => "ent",
    };
    let until = filter.until.map_or_else(|| format!("{prefix}_zz"), |at| format!("{prefix}_{}", suffix_at(at)));
    let before = if filter.before.is_empty() { &*until } else { filter.before.min(&*until) };
    let from = format!("{prefix}_0");
    let rows = if filter.client.is_empty() {
        lookup::of_range(&env.db, &from, before, filter.kind, limit).await?
    } else {
        lookup::of_client(&env.db, filter.client, "", (&*from, before), limit).await?
    };
    Ok(rows.into_iter().map(FoundEntry::from).collect())
}

/// The entry with this id.
pub async fn find_entry(env: &Env, id: &str) -> Result<Option<FoundEntry>, Failure> {
    Ok(lookup::find(&env.db, id).await?.map(FoundEntry::from))
}
