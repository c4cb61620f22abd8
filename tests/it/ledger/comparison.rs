//! The comparison of versions is written twice, as SQLite's statement and in PostgreSQL's function: they agree.

use std::collections::BTreeSet;

use medcredit::{
    domain::Timestamp,
    store::{
        Arg, Db,
        ledger::append::{
            BatchRows, ConsentVersion, EntryColumns, EntryRows, KnownLedger, OpeningColumns, SubjectVersion,
            VersionColumns, VersionRow, record, record_unless_stale, stale_versions,
        },
    },
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::support::{TestStore, block_on};

/// Clients, consents and subjects of the tables. The rows also name one more of each, which does not exist.
const COUNT: usize = 3;

/// The state of the tables that the comparison reads.
#[derive(Debug, Clone)]
struct State {
    clients: Vec<(bool, i64)>,
    consents: Vec<Consent>,
    subjects: Vec<i64>,
    publication: i64,
}

#[derive(Debug, Clone)]
struct Consent {
    client: usize,
    is_active: bool,
    version: i64,
    expires_at: i64,
}

/// One case: the tables, the rows to compare, the bank row of each answer, and the time of the commit.
#[derive(Debug, Clone)]
struct Case {
    state: State,
    rows: Vec<VersionRow>,
    bank_positions: Vec<i64>,
    now: i64,
}

fn versions() -> impl Strategy<Value = i64> {
    1i64..=2
}

fn times() -> impl Strategy<Value = i64> {
    0i64..=3
}

fn states() -> impl Strategy<Value = State> {
    let consent = (0..COUNT, prop::bool::weighted(0.8), versions(), times())
        .prop_map(|(client, is_active, version, expires_at)| Consent { client, is_active, version, expires_at });
    (vec((prop::bool::weighted(0.8), versions()), COUNT), vec(consent, COUNT), vec(versions(), COUNT), versions())
        .prop_map(|(clients, consents, subjects, publication)| State { clients, consents, subjects, publication })
}

fn client_id(number: usize) -> String {
    format!("cli_{number}")
}

fn consent_id(number: usize) -> String {
    format!("con_{number}")
}

fn subject_code(number: usize) -> String {
    format!("H{number}")
}

/// Any row: with and without each part, about things that exist and that do not.
fn any_row(answers: i64) -> impl Strategy<Value = VersionRow> {
    let consent = (0..=COUNT, versions(), versions(), times()).prop_map(|(number, version, publication, at)| {
        ConsentVersion { id: consent_id(number), version, publication, rendered_at: Timestamp::from_micros(at) }
    });
    let subject =
        (0..=COUNT, versions()).prop_map(|(number, version)| SubjectVersion { code: subject_code(number), version });
    (
        -3..answers,
        option::of((0..=COUNT).prop_map(client_id)),
        option::of(versions()),
        option::of(consent),
        option::of(subject),
    )
        .prop_map(|(position, client, epoch, consent, subject)| VersionRow {
            position,
            client,
            epoch,
            consent,
            subject,
        })
}

/// A row of an answer whose versions are those of the state, so that many are not stale.
fn matching_row(state: State, answers: i64) -> impl Strategy<Value = VersionRow> {
    (0..answers, 0..COUNT, 0..COUNT).prop_map(move |(position, number, subject)| {
        let consent = &state.consents[number];
        VersionRow {
            position,
            client: Some(client_id(consent.client)),
            epoch: None,
            consent: Some(ConsentVersion {
                id: consent_id(number),
                version: consent.version,
                publication: state.publication,
                rendered_at: Timestamp::from_micros(0),
            }),
            subject: Some(SubjectVersion { code: subject_code(subject), version: state.subjects[subject] }),
        }
    })
}

fn cases() -> impl Strategy<Value = Case> {
    (states(), 1i64..=6, times()).prop_flat_map(|(state, answers, now)| {
        let row = prop_oneof![any_row(answers), matching_row(state.clone(), answers)];
        // Of many rows one is nearly always stale; few that match are the cases that are recorded.
        let rows = prop_oneof![vec(row, 1..=80), vec(matching_row(state.clone(), answers), 1..=3)];
        (rows, vec(-3i64..0, usize::try_from(answers).unwrap())).prop_map(move |(rows, bank_positions)| Case {
            state: state.clone(),
            rows,
            bank_positions,
            now,
        })
    })
}

/// Creates the clients, consents and subjects; [`set`] gives them their states.
async fn create(db: &Db) {
    let mut tx = db.begin("test").await.unwrap();
    tx.execute("INSERT INTO authorities (id, name, kind, certificate, crl_number, added_at) VALUES ('aut_1', 'CA', 'partner', $1, 0, 0)", vec![Arg::Bytes(vec![0])]).await.unwrap();
    for number in 0..COUNT {
        let client = client_id(number);
        tx.execute("INSERT INTO clients (id, name, kind, authority_id, subject, auth_methods, scopes, limits, max_pending, epoch, state, registered_at, state_changed_at) VALUES ($1, $1, 'bank', 'aut_1', $1, '[]', '[]', '{}', 10, 1, 'active', 0, 0)", vec![client.clone().into()]).await.unwrap();
        tx.execute("INSERT INTO consents (id, version, client_id, uscc, state, permissions, purposes, product, data_from, data_to, requested_at, request_expires_at, granted_at, expires_at) VALUES ($1, 1, $2, '12330300470500001J', 'active', '[]', '[]', 'loan', '2026-01', '2026-12', 0, 0, 0, 0)", vec![consent_id(number).into(), client.into()]).await.unwrap();
        tx.execute("INSERT INTO subjects (code, kind, uscc, name, region, agreement_status, licence_status, under_objection, version, import_seq, updated_at) VALUES ($1, 'hospital', '12330300470500001J', 'Hospital', '330302', 'active', 'active', 0, 1, 1, 0)", vec![subject_code(number).into()]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Puts the tables into a state.
async fn set(db: &Db, state: &State) {
    let mut tx = db.begin("test").await.unwrap();
    for (number, (is_active, epoch)) in state.clients.iter().enumerate() {
        let word = if *is_active { "active" } else { "suspended" };
        let args = vec![client_id(number).into(), word.into(), Arg::from(*epoch)];
        tx.execute("UPDATE clients SET state = $2, epoch = $3 WHERE id = $1", args).await.unwrap();
    }
    for (number, consent) in state.consents.iter().enumerate() {
        let word = if consent.is_active { "active" } else { "suspended" };
        let args = vec![
            consent_id(number).into(),
            client_id(consent.client).into(),
            word.into(),
            Arg::from(consent.version),
            Arg::from(consent.expires_at),
        ];
        let sql = "UPDATE consents SET client_id = $2, state = $3, version = $4, expires_at = $5 WHERE id = $1";
        tx.execute(sql, args).await.unwrap();
    }
    for (number, version) in state.subjects.iter().enumerate() {
        let args = vec![subject_code(number).into(), Arg::from(*version)];
        tx.execute("UPDATE subjects SET version = $2 WHERE code = $1", args).await.unwrap();
    }
    tx.execute("UPDATE publication SET number = $1", vec![Arg::from(state.publication)]).await.unwrap();
    tx.commit().await.unwrap();
}

/// What a batch of such rows is recorded with: an entry of its own for each answer.
fn batch(case: &Case, number: u64) -> BatchRows {
    let mut versions = VersionColumns::default();
    case.rows.iter().cloned().for_each(|row| versions.push(row));
    let ids: Vec<_> = (0..case.bank_positions.len()).map(|answer| format!("dis_{number:06}_{answer}")).collect();
    let entries = EntryColumns {
        kind: vec!["disclosure".into(); ids.len()],
        body: vec!["{}".into(); ids.len()],
        leaf: vec![vec![0; 32]; ids.len()],
        id: ids.clone(),
    };
    let openings = OpeningColumns {
        client: vec![None; ids.len()],
        consent: vec![None; ids.len()],
        body: vec!["{}".into(); ids.len()],
        id: ids,
    };
    let rows = EntryRows { entries, openings };
    BatchRows { known: KnownLedger::default(), versions, bank_positions: case.bank_positions.clone(), rows }
}

async fn recorded(db: &Db, number: u64) -> BTreeSet<String> {
    let args = vec![Arg::from(format!("dis_{number:06}_%"))];
    let sql = "SELECT id FROM ledger_entries WHERE id LIKE $1";
    let rows: Vec<(String,)> = db.read("test").fetch_all(sql, args).await.unwrap();
    rows.into_iter().map(|(id,)| id).collect()
}

async fn stale(db: &Db, batch: &BatchRows, now: Timestamp) -> BTreeSet<i64> {
    let mut tx = db.begin("test").await.unwrap();
    stale_versions(&mut tx, batch.versions.clone(), now).await.unwrap().into_iter().collect()
}

/// Compares the verdicts of every way to record a batch.
async fn verdicts_agree(sqlite: &Db, postgres: &Db, case: &Case, number: u64) -> Result<usize, TestCaseError> {
    set(sqlite, &case.state).await;
    set(postgres, &case.state).await;
    let (batch, now) = (batch(case, number), Timestamp::from_micros(case.now));
    let expected = stale(sqlite, &batch, now).await;
    prop_assert_eq!(&stale(postgres, &batch, now).await, &expected, "the statement on PostgreSQL");
    let all: Vec<_> = batch.rows.entries.id.clone();
    let from_function: BTreeSet<_> = record(postgres, batch.clone(), now).await.unwrap().into_iter().collect();
    prop_assert_eq!(&from_function, &expected, "record_disclosures");
    let is_stale = |answer: usize| {
        expected.contains(&i64::try_from(answer).unwrap()) || expected.contains(&case.bank_positions[answer])
    };
    let fresh: BTreeSet<_> =
        all.iter().enumerate().filter(|(answer, _)| !is_stale(*answer)).map(|(_, id)| id.clone()).collect();
    prop_assert_eq!(&recorded(postgres, number).await, &fresh, "the entries of record_disclosures");
    // SQLite records a batch only as a whole.
    let done = record_unless_stale(sqlite, batch, now).await.unwrap();
    prop_assert_eq!(done, expected.is_empty(), "the script on SQLite");
    prop_assert_eq!(recorded(sqlite, number).await.len(), if done { all.len() } else { 0 });
    Ok(fresh.len())
}

/// SQLite's statement and PostgreSQL's `record_disclosures` get the same rows over the same tables: the same are stale.
#[test]
fn sqlites_statement_and_postgresqls_function_agree() {
    block_on(async {
        let (sqlite, postgres) = (TestStore::sqlite().await, TestStore::postgres().await);
        create(&sqlite.db).await;
        create(&postgres.db).await;
        let (mut number, mut recorded) = (0, 0);
        let handle = tokio::runtime::Handle::current();
        // Not shrunk by rerunning against the same tables: a case resets all the state that it reads.
        let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
        tokio::task::block_in_place(|| {
            let counts = std::cell::RefCell::new((&mut number, &mut recorded));
            runner
                .run(&cases(), |case| {
                    let mut counts = counts.borrow_mut();
                    *counts.0 += 1;
                    let fresh = handle.block_on(verdicts_agree(&sqlite.db, &postgres.db, &case, *counts.0))?;
                    *counts.1 += fresh;
                    Ok(())
                })
                .unwrap();
        });
        assert!(recorded > 50, "only {recorded} answers of {number} cases were not stale: little was compared");
    });
}
