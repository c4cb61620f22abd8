//! Names and numbers of natural persons are never stored in plain text: not in a table, an index, a log or a report (I8).

use std::sync::Arc;

use medcredit::{
    domain::Kinds,
    importing::{ImportError, Resealed, Template, reseal_subjects},
    store::{
        Arg, Crypter, CrypterError, SealContext, changes,
        personal::{self, BlindColumn, Personal, PersonalError},
    },
};

use crate::{
    importing::{ImportHarness, SUBJECTS},
    support::{
        TestStore, both_engines,
        logs::never_logged,
        raw::{everything, execute, holds},
        tester,
    },
};

const NAME: &str = "合成欧阳秘密";
const NUMBER: &str = "33030319660704005X";
const REPRESENTATIVE: &str = "合成司徒机密";
const DOCTOR: &str = "D330302000123";
const NURSE: &str = "N330302000456";
const CLINIC: &str = "H33030200090";

fn rows() -> String {
    format!(
        "{SUBJECTS}doctor,{DOCTOR},,{NAME},330302,,,01,{NUMBER},,,active,active\n\
         nurse,{NURSE},,{NAME}二,330302,,,01,330302198001010019,,,active,active\n\
         medical_institution,{CLINIC},91330302MA2AB3C47J,合成公开诊所,330302,,,01,{NUMBER},{REPRESENTATIVE},2019-05-01,active,active\n"
    )
}

fn natural() -> Vec<String> {
    Kinds::built_in().unwrap().natural()
}

async fn harness(store: TestStore) -> ImportHarness {
    let harness = ImportHarness::new(store);
    let report = harness.import(Template::Subjects, rows()).await;
    assert_eq!((report.accepted, report.rejected), (3, 0), "{:?}", harness.findings(&report));
    harness
}

async fn nothing_in_the_open(store: &TestStore) {
    let all = everything(store).await;
    assert!(holds(&all, "合成公开诊所"), "the search finds what is there");
    for secret in [NAME, NUMBER, REPRESENTATIVE, "330302198001010019"] {
        assert!(!holds(&all, secret), "{secret} stands in the store");
    }
}

async fn reseal_entries(store: &TestStore) -> i64 {
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM ledger_entries WHERE body LIKE '%subjects_resealed%'";
    let (count,): (i64,) = store.db.read("test").fetch_one(sql, Vec::new()).await.unwrap();
    count
}

both_engines! {
    no_name_and_no_number_is_in_the_store_in_plain_text,
    no_report_repeats_a_name_or_a_number,
    a_sealed_part_moved_to_another_row_or_column_is_refused,
    plain_names_are_encrypted_and_gone_from_the_files,
    a_key_is_rotated_while_everybody_can_be_found,
}

/// A thief has everything in the store, but not the key.
async fn no_name_and_no_number_is_in_the_store_in_plain_text(store: TestStore) {
    let _ = [NAME, NUMBER, REPRESENTATIVE].map(never_logged);
    let harness = harness(store).await;
    nothing_in_the_open(&harness.store).await;
    let row = harness.subject(DOCTOR).await.unwrap();
    assert_eq!(row.name, "");
    let personal = Personal::open(&harness.crypter, DOCTOR, &row.sealed_identity.unwrap()).unwrap();
    assert_eq!((personal.name.as_deref(), personal.id_number.as_deref()), (Some(NAME), Some(NUMBER)));
    // The same file with another name, and rejected rows: they leave nothing behind either.
    harness.import(Template::Subjects, rows().replace("doctor,", "physician,").replace("nurse,", "nurses,")).await;
    harness.import(Template::Subjects, rows().replace("二,330302", "三,330302")).await;
    assert_eq!(harness.subject(NURSE).await.unwrap().version, 2);
    nothing_in_the_open(&harness.store).await;
}

/// A clerk delivers a file with shifted columns: the report repeats no name and no number.
async fn no_report_repeats_a_name_or_a_number(store: TestStore) {
    let harness = ImportHarness::new(store);
    let slipped = [
        format!("doctor,{NUMBER},,{NAME},330302,,,01,{DOCTOR},,,active,active\n"),
        format!("{NAME},{DOCTOR},,{NAME},{NUMBER},,{NAME},{NUMBER},{NAME},,{NAME},{NAME},{NUMBER}\n"),
        format!("doctor,{NAME},{NUMBER},,{NAME},,,,,,{NUMBER},{NUMBER},{NAME}\n"),
    ];
    let report = harness.import(Template::Subjects, format!("{SUBJECTS}{}", slipped.concat())).await;
    assert_eq!((report.accepted, report.rejected), (0, 3));
    let rejects = std::fs::read_to_string(report.rejects.as_ref().unwrap()).unwrap();
    assert!(rejects.contains("the value") && !rejects.contains(NAME) && !rejects.contains(NUMBER), "{rejects}");
    for (template, columns) in [(Template::Records, 6), (Template::Accounts, 4), (Template::Adverse, 9)] {
        let header = template.columns().join(",");
        let name = [NAME].repeat(columns).join(",");
        let number = [NUMBER].repeat(columns).join(",");
        let report = harness.import(template, format!("{header}\n{name}\n{number}\n")).await;
        let rejects = std::fs::read_to_string(report.rejects.as_ref().unwrap()).unwrap();
        assert!(!rejects.contains(NAME) && !rejects.contains(NUMBER), "{rejects}");
    }
    // A file without its header.
    let error = harness.try_import(Template::Subjects, slipped.concat()).await.unwrap_err().to_string();
    assert!(error.contains("column 2 is not known") && !error.contains(NAME) && !error.contains(NUMBER), "{error}");
}

/// An administrator of the database moves encrypted values.
async fn a_sealed_part_moved_to_another_row_or_column_is_refused(store: TestStore) {
    let harness = harness(store).await;
    let sql = format!(
        "UPDATE subjects SET sealed_identity = (SELECT sealed_identity FROM subjects WHERE code = '{NURSE}') WHERE code = '{DOCTOR}'"
    );
    execute(&harness.store, &sql).await;
    let moved = harness.subject(DOCTOR).await.unwrap().sealed_identity.unwrap();
    let refused = |error: PersonalError| matches!(error, PersonalError::Crypter(CrypterError::Refused { .. }));
    assert!(refused(Personal::open(&harness.crypter, DOCTOR, &moved).unwrap_err()));
    let error = harness.try_import(Template::Subjects, rows().replace("2019-05-01", "2019-05-02")).await.unwrap_err();
    assert!(matches!(error, ImportError::Personal(PersonalError::Crypter(CrypterError::Refused { .. }))), "{error}");
    // A value that was encrypted for one column cannot be decrypted in another.
    let elsewhere = SealContext { column: "sealed_private", ..personal::seal_context(DOCTOR) };
    let sealed = harness.crypter.seal(elsewhere, b"{}").unwrap();
    assert!(refused(Personal::open(&harness.crypter, DOCTOR, &sealed).unwrap_err()));
    let own = harness.subject(NURSE).await.unwrap().sealed_identity.unwrap();
    assert!(
        harness.crypter.open(SealContext { column: "sealed_private", ..personal::seal_context(NURSE) }, &own).is_err()
    );
}

/// An operator upgrades a database from before names were encrypted.
async fn plain_names_are_encrypted_and_gone_from_the_files(store: TestStore) {
    let harness = harness(store).await;
    for (code, name) in [(DOCTOR, NAME), (NURSE, "合成欧阳秘密二")] {
        let sql = format!(
            "UPDATE subjects SET name = '{name}', name_index = NULL, id_number_index = NULL WHERE code = '{code}'"
        );
        execute(&harness.store, &sql).await;
    }
    // As the older build encrypted them: without the name.
    for code in [DOCTOR, NURSE] {
        let old = serde_json::json!({ "id_type": "01", "id_number": NUMBER, "legal_representative": null });
        let sealed = harness.crypter.seal(personal::seal_context(code), old.to_string().as_bytes()).unwrap();
        let hex = data_encoding::HEXLOWER.encode(&sealed);
        let bytes = if harness.store.url().is_empty() { format!("x'{hex}'") } else { format!("'\\x{hex}'") };
        execute(&harness.store, &format!("UPDATE subjects SET sealed_identity = {bytes} WHERE code = '{code}'")).await;
    }
    assert!(holds(&everything(&harness.store).await, NAME), "it stands in the open at first");
    let before = changes::current(&harness.store.db).await.unwrap();
    let done = reseal_subjects(&harness.store.env(), tester(), &harness.crypter, &natural()).await.unwrap();
    assert_eq!(done, Resealed { plain: 2, subjects: 2 });
    assert_eq!(reseal_entries(&harness.store).await, 1);
    nothing_in_the_open(&harness.store).await;
    let row = harness.subject(DOCTOR).await.unwrap();
    let personal = Personal::open(&harness.crypter, DOCTOR, row.sealed_identity.as_ref().unwrap()).unwrap();
    assert_eq!((personal.name.as_deref(), personal.id_number.as_deref()), (Some(NAME), Some(NUMBER)));
    assert_eq!(row.version, 1, "sealing is no change of the subject");
    assert_eq!(changes::current(&harness.store.db).await.unwrap(), before);
    let again = reseal_subjects(&harness.store.env(), tester(), &harness.crypter, &natural()).await.unwrap();
    assert_eq!(again, Resealed::default());
    assert_eq!(reseal_entries(&harness.store).await, 1, "a run that seals nothing leaves no entry");
}

/// An operator adds a new key before the old one, encrypts again, and removes the old one.
async fn a_key_is_rotated_while_everybody_can_be_found(store: TestStore) {
    let harness = harness(store).await;
    let find = async |crypter: &Crypter| {
        let hashes = BlindColumn::Name.hashes(crypter, NAME).unwrap();
        let mut found = Vec::new();
        for hash in hashes {
            let sql = "/* test */ SELECT code AS text FROM subjects WHERE name_index = $1";
            let rows: Vec<Text> =
                harness.store.db.read("test").fetch_all(sql, vec![Arg::Bytes(hash.to_vec())]).await.unwrap();
            found.extend(rows.into_iter().map(|row| row.0));
        }
        found
    };
    let (new, old) = ([9u8; 32], data_encoding::BASE64.decode(crate::importing::KEY.as_bytes()).unwrap());
    let old: [u8; 32] = old.try_into().unwrap();
    let both = Arc::new(Crypter::from_bytes([&new, &old]).unwrap());
    let alone = Crypter::from_bytes([&new]).unwrap();
    assert_eq!((find(&both).await, find(&alone).await), (vec![DOCTOR.to_owned()], vec![]));
    let sealed = async || harness.subject(DOCTOR).await.unwrap().sealed_identity.unwrap();
    assert!(Personal::open(&both, DOCTOR, &sealed().await).is_ok(), "the old key opens");
    let done = reseal_subjects(&harness.store.env(), tester(), &both, &natural()).await.unwrap();
    assert_eq!(done, Resealed { plain: 0, subjects: 3 });
    assert_eq!(Personal::open(&alone, DOCTOR, &sealed().await).unwrap().name.as_deref(), Some(NAME));
    assert_eq!((find(&both).await, find(&alone).await), (vec![DOCTOR.to_owned()], vec![DOCTOR.to_owned()]));
    assert!(
        Personal::open(&harness.crypter, DOCTOR, &sealed().await).is_err(),
        "the old key alone opens nothing any more"
    );
}

/// A column of text.
#[derive(Debug)]
struct Text(String);

impl<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> for Text {
    fn from_row(row: &'r sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
        sqlx::Row::try_get(row, 0).map(Self)
    }
}

impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for Text {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        sqlx::Row::try_get(row, 0).map(Self)
    }
}
