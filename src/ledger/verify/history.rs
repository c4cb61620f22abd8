//! The history of one consent according to the entries, and its comparison with the tables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{order::ReadOrder, report::Report};
use crate::{
    domain::{Day, Timestamp},
    ledger::entry::ReadEntry,
    store::{consent_audit::StoredConsent, consents::EventRow},
};

/// An entry of type `consent`.
#[derive(Debug)]
struct Event {
    word: String,
    actor: String,
    channel: String,
    reason: Option<String>,
    evidence: Option<String>,
    changes: Map<String, Value>,
    at: Timestamp,
    client: String,
    uscc: String,
    codes: Vec<String>,
}

impl Event {
    fn read(entry: &ReadEntry, values: &BTreeMap<String, Value>) -> Self {
        let optional = |name: &str| values.get(name).and_then(Value::as_str).map(str::to_owned);
        let text = |name: &str| optional(name).unwrap_or_default();
        let codes = values.get("codes").and_then(Value::as_array).into_iter().flatten();
        Self {
            word: entry.facts.get("event").and_then(Value::as_str).unwrap_or_default().to_owned(),
            actor: text("actor"),
            channel: text("channel"),
            reason: optional("reason"),
            evidence: optional("evidence"),
            changes: values.get("changes").and_then(Value::as_object).cloned().unwrap_or_default(),
            at: entry.at,
            client: text("client"),
            uscc: text("uscc"),
            codes: codes.filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }

    fn is_recorded_as(&self, row: &EventRow) -> bool {
        let changes = serde_json::from_str::<Map<String, Value>>(&row.changes).ok();
        self.word == row.event
            && self.actor == row.actor
            && self.channel == row.channel
            && self.reason == row.reason
            && self.evidence == row.evidence_sha256
            && self.at.micros() == row.at
            && changes.as_ref() == Some(&self.changes)
    }
}

/// The history of a consent according to its entries.
#[derive(Debug, Default)]
pub(super) struct History {
    events: BTreeMap<i64, Event>,
    known: HistoryMark,
}

/// What was known of a consent at some point of the reading: the tables, which are read later, have at least as much.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct HistoryMark {
    /// The highest version.
    version: i64,
    /// Number of answers.
    answers: i64,
    /// The day of the last answers.
    last_day: Option<LastDay>,
}

/// The last answers in a row of one day.
#[derive(Debug, Clone, Copy)]
struct LastDay {
    day: Day,
    answers: i64,
    /// The position of the last one in the order of reading.
    position: u64,
}

/// Entries without an opening. They may be of any consent.
#[derive(Debug, Default)]
pub(super) struct Erased {
    pub(super) events: u64,
    pub(super) answers: i64,
}

impl History {
    /// Adds an entry of type `consent`.
    pub(super) fn event(&mut self, entry: &ReadEntry, values: &BTreeMap<String, Value>) {
        let version = values.get("consent_version").and_then(Value::as_i64).unwrap_or_default();
        self.known.version = self.known.version.max(version);
        self.events.insert(version, Event::read(entry, values));
    }

    /// Adds an entry of type `disclosure`, with its position in the order of reading.
    pub(super) fn answer(&mut self, at: Timestamp, position: u64) {
        let day = at.day();
        // A new day may also be an earlier one: a clock that was ahead has counted on a day that is given up again.
        let before = self.known.last_day.filter(|last| last.day == day).map_or(0, |last| last.answers);
        self.known.answers += 1;
        self.known.last_day = Some(LastDay { day, answers: before + 1, position });
    }

    pub(super) const fn known(&self) -> HistoryMark {
        self.known
    }

    /// Whether the tables have more than the entries that were read: those written meanwhile have to be read first.
    pub(super) fn is_behind(&self, stored: &StoredConsent, erased: &Erased) -> bool {
        let last_event = stored.events.last().map_or(0, |event| event.version);
        let counted = stored.counted.as_ref().map_or(0, |row| row.used);
        stored.row.version.max(last_event) > self.known.version || counted > self.known.answers + erased.answers
    }

    /// Compares the tables with the entries, of which all are known that were committed before the tables were read. `known`
    /// was known before they were read.
    pub(super) fn compare(
        &self,
        stored: &StoredConsent,
        known: HistoryMark,
        (erased, order): (&mut Erased, &ReadOrder),
        report: &mut Report,
    ) {
        let place = format!("consent {}", stored.row.id);
        let wrong = |report: &mut Report, what: String| report.wrong(&place, what);
        let is_explained = self.compare_events(stored, erased, &mut |what| wrong(report, what));
        if stored.row.version < known.version {
            let word = self.events.get(&known.version).map_or("", |event| event.word.as_str());
            wrong(
                report,
                format!(
                    "it is at version {}, and the ledger knows version {} ({word}): it was turned back",
                    stored.row.version, known.version
                ),
            );
        }
        if is_explained {
            self.compare_terms(stored, &mut |what| wrong(report, what));
        }
        let given_up = known.last_day.is_some_and(|last| order.gives_up(last.day, last.position));
        self.compare_count(stored, (known, given_up), erased, &mut |what| wrong(report, what));
    }

    /// Compares the events, one by one. Returns whether entries explain all of them.
    fn compare_events(&self, stored: &StoredConsent, erased: &mut Erased, wrong: &mut dyn FnMut(String)) -> bool {
        let version = stored.row.version;
        let rows: BTreeMap<i64, &EventRow> = stored.events.iter().map(|row| (row.version, row)).collect();
        let versions: BTreeSet<i64> = rows.keys().chain(self.events.keys()).copied().collect();
        let mut is_explained = true;
        for at in &versions {
            match (self.events.get(at), rows.get(at)) {
                (Some(event), Some(row)) if !event.is_recorded_as(row) => {
                    wrong(format!(
                        "its event of version {at} ({}) is not what the ledger says: it was changed",
                        event.word
                    ));
                }
                (Some(event), None) if *at <= version => {
                    wrong(format!("its event of version {at} ({}) was deleted", event.word));
                }
                // Committed after the tables were read, or equal.
                (Some(_), _) => {}
                (None, _) if erased.events > 0 => {
                    erased.events -= 1;
                    is_explained = false;
                }
                (None, row) => {
                    let word = row.map_or("", |row| row.event.as_str());
                    wrong(format!("its event of version {at} ({word}) has no entry in the ledger"));
                    is_explained = false;
                }
            }
        }
        let last = versions.range(..=version).next_back().copied().unwrap_or(0);
        if last < version {
            wrong(format!("it is at version {version}, which no event and no entry explains"));
        } else if i64::try_from(versions.range(1..=version).count()) != Ok(version) {
            wrong("events between its first and its last version have neither row nor entry".into());
            is_explained = false;
        }
        is_explained
    }

    /// Compares what the consent allows, and of whom, with what the entries up to its version say.
    fn compare_terms(&self, stored: &StoredConsent, wrong: &mut dyn FnMut(String)) {
        let mut terms: BTreeMap<&str, &Value> = BTreeMap::new();
        let mut last = None;
        for (_, event) in self.events.range(..=stored.row.version) {
            let changed = event.changes.iter().filter_map(|(name, change)| Some((name.as_str(), change.get(1)?)));
            terms.extend(changed);
            last = Some(event);
        }
        let rows = stored.row.terms();
        // A term that no entry names is one of a consent requested before requests recorded all terms.
        let differs = |(name, value): &&(&str, Value)| terms.get(*name).is_some_and(|known| *known != value);
        let different: Vec<_> = rows.iter().filter(differs).map(|(name, _)| *name).collect();
        if let Some(state) = terms.get("state").filter(|_| different.contains(&"state")) {
            let (row, ledger) = (&stored.row.state, state.as_str().unwrap_or_default());
            wrong(format!("it is {row}, and the ledger says {ledger}: the row was changed"));
        }
        let others: Vec<_> = different.into_iter().filter(|name| *name != "state").collect();
        if !others.is_empty() {
            wrong(format!("it differs from the ledger in {}: the row was changed", others.join(", ")));
        }
        if last.is_some_and(|event| {
            event.client != stored.row.client_id || event.uscc != stored.row.uscc || event.codes != stored.codes
        }) {
            wrong("its bank, entity or codes are not those of the ledger: they were changed".into());
        }
    }

    /// Compares the count of answers with the entries.
    fn compare_count(
        &self,
        stored: &StoredConsent,
        (known, is_given_up): (HistoryMark, bool),
        erased: &Erased,
        wrong: &mut dyn FnMut(String),
    ) {
        let (used, today) = stored.counted.as_ref().map_or((0, 0), |row| (row.used, row.used_today));
        if used < known.answers {
            wrong(format!("{used} answers are counted, and the ledger has {}: the count was lowered", known.answers));
        } else if used > self.known.answers + erased.answers {
            wrong(format!(
                "{used} answers are counted, and the ledger has {}: the count was raised",
                self.known.answers
            ));
        }
        let day = stored.counted.as_ref().and_then(|row| row.day.parse::<Day>().ok());
        if let Some(LastDay { day: last, answers, .. }) = known.last_day
            // An answer never counts on an earlier day than that of its entry, unless that day was a wrong clock's: then it
            // counts on the day on which that was noticed, and not less.
            && (day.is_none_or(|day| day < last && !is_given_up) || (day.is_some_and(|day| day <= last) && today < answers))
        {
            wrong(format!("{today} answers are counted for its last day, and the ledger has {answers} on {last}"));
        }
    }
}
