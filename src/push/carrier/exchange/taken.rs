//! What the platform took and holds, read from the table: pages of whole records, in the order of their ids.

use super::{
    super::{Fault, Held, Listed, PackageHead, RowReceipt, fields_digest, verdict::Entry},
    page::batch_prefix,
    table::DatasetTable,
};
use crate::{
    domain::printable::visible,
    push::platform::{ExchangeSettings, Operation},
    store::exchange::{Condition, ExchangeDatabase, ExchangeError, Identifier, Rows},
};

/// The most rows that are read at a time.
const ROWS: u32 = 10_000;

/// What is needed to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) database: &'a ExchangeDatabase,
    pub(super) settings: &'a ExchangeSettings,
    pub(super) platform: &'a str,
}

/// A row of the table.
#[derive(Debug)]
struct TakenRow {
    record_id: String,
    operation: String,
    is_taken: bool,
    version: Option<String>,
    batch: Option<String>,
    /// Result, reason and note.
    answer: [Option<String>; 3],
    fields: Vec<Option<String>>,
}

/// Rows of whole records, and the last record's id if there are more.
struct Records {
    rows: Vec<TakenRow>,
    next: Option<String>,
}

impl Reading<'_> {
    /// Reads the rows of the records after one.
    async fn records(
        &self,
        table: &DatasetTable,
        (after, prefix): (Option<&str>, Option<&str>),
        with_fields: bool,
    ) -> Result<Records, ExchangeError> {
        let columns = &self.settings.columns;
        // With a column that is there in place of one that is not: its value is not looked at.
        let or_record = |column: &Option<Identifier>| column.clone().unwrap_or_else(|| columns.record_id.clone());
        let fixed = [
            columns.record_id.clone(),
            columns.operation.clone(),
            columns.switch.clone(),
            or_record(&table.version),
            or_record(&columns.batch),
            or_record(&columns.result),
            or_record(&columns.reason),
            or_record(&columns.note),
        ];
        let mut conditions: Vec<_> =
            after.map(|after| Condition::After(&columns.record_id, after)).into_iter().collect();
        conditions.extend(columns.batch.as_ref().zip(prefix).map(|(batch, begin)| Condition::BeginsWith(batch, begin)));
        // The order of a record's rows is that of their delivery: versions without a column are counted by it.
        let later = table.version.as_ref().or(columns.batch.as_ref()).unwrap_or(&columns.inserted_at);
        let rows = Rows {
            table: table.table(self.settings),
            columns: fixed.iter().chain(table.fields.iter().filter(|_| with_fields)).collect(),
            conditions,
            order: vec![&columns.record_id, later],
            limit: ROWS,
        };
        let found = self.database.read(&rows).await?;
        let full = u32::try_from(found.len()) == Ok(ROWS);
        let has = [table.version.is_some(), columns.batch.is_some()];
        let answers = [columns.result.is_some(), columns.reason.is_some(), columns.note.is_some()];
        let mut rows: Vec<TakenRow> = found.into_iter().filter_map(|row| TakenRow::new(row, has, answers)).collect();
        if !full {
            return Ok(Records { rows, next: None });
        }
        // The last record may have more rows than were read: it comes with the next page.
        let last = rows.last().map(|row| row.record_id.clone()).unwrap_or_default();
        let whole = rows.iter().take_while(|row| row.record_id != last).count();
        if whole == 0 {
            let why = format!("the record {} has more than {ROWS} rows", visible(&last));
            return Err(ExchangeError::Other(why));
        }
        rows.truncate(whole);
        let next = rows.last().map(|row| row.record_id.clone());
        Ok(Records { rows, next })
    }
}

impl TakenRow {
    /// A row out of its values in the order of the statement. None without a record's id, which is none of ours.
    fn new(values: Vec<Option<String>>, has: [bool; 2], answers: [bool; 3]) -> Option<Self> {
        let mut values = values.into_iter();
        let mut next = || values.next().flatten().map(|text| text.trim().to_owned());
        let (record_id, operation, switch) = (next()?, next().unwrap_or_default(), next().unwrap_or_default());
        let [version, batch] = has.map(|has| next().filter(|_| has));
        let answer = answers.map(|has| next().filter(|text| has && !text.is_empty()));
        let is_taken = matches!(switch.to_ascii_lowercase().as_str(), "1" | "true" | "t" | "y");
        let fields = values.collect();
        Some(Self { record_id, operation, is_taken, version, batch, answer, fields })
    }

    /// The answer about the row; none if there is none yet.
    fn receipt(&self, version: &str, has_result: bool) -> Option<Result<RowReceipt, String>> {
        let [result, reason, note] = &self.answer;
        let verdict = match result {
            Some(result) => result,
            // Where the platform writes results, a row that it only took is not decided.
            None if self.is_taken && !has_result => "accepted",
            None => return None,
        };
        let values = [
            ("record_id", Some(self.record_id.as_str())),
            ("version", Some(version)),
            ("verdict", Some(verdict)),
            ("reason", reason.as_deref()),
            ("note", note.as_deref()),
        ];
        Some(Entry::new(values.into_iter().filter_map(|(name, value)| Some((name, value?)))).receipt())
    }
}

/// Each row with its version: the column's, or the number of the row among those of its record.
fn versions(rows: &[TakenRow]) -> impl Iterator<Item = (&TakenRow, String)> {
    let mut number = 0;
    let mut before: Option<&str> = None;
    rows.iter().map(move |row| {
        number = if before == Some(row.record_id.as_str()) { number + 1 } else { 1 };
        before = Some(&row.record_id);
        (row, row.version.clone().unwrap_or_else(|| number.to_string()))
    })
}

fn fault(reading: &Reading<'_>, table: &DatasetTable, row: &TakenRow, problem: String) -> Fault {
    Fault { at: format!("{}, record {}", table.name(reading.settings), visible(&row.record_id)), problem }
}

/// The answers about the rows of a package. Without a column `batch` the rows of other packages are among them.
pub(super) async fn receipts(
    reading: &Reading<'_>,
    table: &DatasetTable,
    of: &PackageHead,
    after: Option<&str>,
) -> Result<Listed<RowReceipt>, ExchangeError> {
    let prefix = batch_prefix(of);
    // Versions that are counted need the rows of all packages.
    let select = Some(prefix.as_str()).filter(|_| table.version.is_some());
    let records = reading.records(table, (after, select), false).await?;
    let has_result = reading.settings.columns.result.is_some();
    let mut page = Listed { entries: Vec::new(), faults: Vec::new(), next: records.next };
    for (row, version) in versions(&records.rows) {
        if row.batch.as_ref().is_some_and(|batch| !batch.starts_with(&prefix)) {
            continue;
        }
        match row.receipt(&version, has_result) {
            Some(Ok(receipt)) => page.entries.push(receipt),
            Some(Err(problem)) => page.faults.push(fault(reading, table, row, problem)),
            None => {}
        }
    }
    Ok(page)
}

/// The records that the table holds in effect: the last version of each that is neither rejected nor withdrawn.
pub(super) async fn held(
    reading: &Reading<'_>,
    table: &DatasetTable,
    after: Option<&str>,
) -> Result<Listed<Held>, ExchangeError> {
    let prefix = format!("{}:", reading.platform);
    let records = reading.records(table, (after, Some(&prefix)), true).await?;
    let mut page = Listed { entries: Vec::new(), faults: Vec::new(), next: records.next };
    let mut last: Option<(i64, &TakenRow)> = None;
    for (row, version) in versions(&records.rows) {
        if last.is_some_and(|(_, before)| before.record_id != row.record_id) {
            page.entries.extend(last.take().and_then(|last| in_effect(table, last)));
        }
        let rejected = row.receipt("1", true).is_some_and(|read| {
            read.is_ok_and(|receipt| matches!(receipt.verdict, super::super::Verdict::Rejected { .. }))
        });
        match version.parse::<i64>() {
            Ok(number) if !rejected && last.is_none_or(|(before, _)| number >= before) => last = Some((number, row)),
            Ok(_) => {}
            Err(_) => page.faults.push(fault(reading, table, row, "its version is no number".to_owned())),
        }
    }
    page.entries.extend(last.and_then(|last| in_effect(table, last)));
    Ok(page)
}

fn in_effect(table: &DatasetTable, (version, row): (i64, &TakenRow)) -> Option<Held> {
    let names = table.fields.iter().map(Identifier::as_str);
    // An absent value is an empty text in the digest.
    let fields = names.zip(row.fields.iter().map(|value| value.as_deref().unwrap_or_default()));
    let digest = fields_digest(fields);
    (row.operation != Operation::Delete.as_str()).then(|| Held { record_id: row.record_id.clone(), version, digest })
}
