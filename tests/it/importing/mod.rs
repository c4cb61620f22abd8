//! `import`: the bureau's files, from a clerk's directory into the store.

mod as_people_write;
mod bytes;
mod documents;
mod encodings;
mod events;
mod header;
mod interrupted;
mod kinds;
mod ledger;
mod lines;
mod meaning;
mod once;
#[cfg(feature = "parquet")]
mod parquet_files;
#[cfg(feature = "parquet")]
mod parquet_written;
mod personal;
mod rejects;
mod replaced;
mod report;
mod revisions;
mod subjects;
mod voids;
mod workbooks;
mod xls;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use medcredit::{
    facts::{FactsOf, StoredFact, Totals},
    importing::{ImportError, Importer, Options, References, Report, Template},
    scoring::{Catalogue, shipped},
    store::{Crypter, Db, facts, subjects::SubjectRow},
};

use crate::support::TestStore;

/// A base64 key of 32 bytes, for tests only.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub const SUBJECTS: &str = "kind,code,uscc,name,region,level,parent_code,id_type,id_number,legal_representative,agreement_signed_on,agreement_status,licence_status\n";
pub const SETTLEMENTS: &str = "subject_code,month,insurance,visits,persons,billed_fen,claimed_fen,settled_fen,paid_fen,retained_fen,disallowed_fen,deducted_fen,prepaid_fen,offset_fen,payable_fen,status,as_of\n";
pub const RECORDS: &str = "subject_code,measure,value,occurred_on,source,reference\n";
pub const ADVERSE: &str =
    "subject_code,reference,source,tier,decided_on,publish_from_on,earliest_repair_on,latest_end_on,status\n";
pub const AFFILIATIONS: &str = "person_code,institution_code,main,from_on,to_on\n";
pub const ACCOUNTS: &str = "subject_code,bank_code,account_number,valid_from_on\n";

/// A clinic, a pharmacy and a doctor, all valid.
pub const THREE: &str = "\
medical_institution,H33030200090,91330302MA2AB3C47J,合成诊所,330302,一级,,01,330302198001010019,合成甲,2019-05-01,active,active
pharmacy,P33030400017,52330304MJ8765K12B,合成药店,330304,,,,,,2020-01-01,active,active
doctor,D330302000123,,合成医师,330302,,,01,33030319660704005X,,,active,active
";

/// A store, a directory of files and the key that seals personal data.
#[derive(Debug)]
pub struct ImportHarness {
    pub store: TestStore,
    pub directory: tempfile::TempDir,
    pub crypter: Arc<Crypter>,
    pub options: Options,
}

impl ImportHarness {
    pub fn new(store: TestStore) -> Self {
        let crypter = Arc::new(Crypter::new(&[KEY]).unwrap());
        Self { store, directory: tempfile::tempdir().unwrap(), crypter, options: Options::default() }
    }

    /// A harness whose store has the three subjects.
    pub async fn with_subjects(store: TestStore) -> Self {
        let harness = Self::new(store);
        let report = harness.import(Template::Subjects, &format!("{SUBJECTS}{THREE}")).await;
        assert_eq!((report.accepted, report.rejected), (3, 0), "{:?}", harness.findings(&report));
        harness
    }

    pub fn importer(&self) -> Importer {
        self.importer_into(self.store.db.clone())
    }

    pub fn importer_into(&self, db: Db) -> Importer {
        // Read once: a test of damaged files imports hundreds.
        static REFERENCES: LazyLock<References> = LazyLock::new(|| {
            let catalogues = shipped::CATALOGUES.iter().map(|(name, text)| Catalogue::parse(name, text).unwrap());
            References::built_in(catalogues).unwrap()
        });
        Importer::new(
            medcredit::store::Env::new(db, self.store.clock.clone(), self.store.entropy.clone()),
            crate::support::operator("tester"),
            self.crypter.clone(),
            REFERENCES.clone(),
        )
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub async fn import_file(&self, template: Template, path: &Path) -> Result<Report, ImportError> {
        self.importer().import(template, path, &self.options, &mut |_| {}).await
    }

    pub async fn try_import(&self, template: Template, bytes: impl AsRef<[u8]>) -> Result<Report, ImportError> {
        let path = self.write(&format!("{template}.csv"), bytes);
        self.import_file(template, &path).await
    }

    pub async fn import(&self, template: Template, bytes: impl AsRef<[u8]>) -> Report {
        self.try_import(template, bytes).await.unwrap()
    }

    /// The report of findings as `line column code severity`.
    pub fn findings(&self, report: &Report) -> Vec<String> {
        self.rows_of(report).iter().map(|row| format!("{} {} {} {}", &row[0], &row[1], &row[2], &row[4])).collect()
    }

    /// The findings of the report: line, column, code, message and severity.
    pub fn rows_of(&self, report: &Report) -> Vec<csv::StringRecord> {
        let rows = report.rejects.as_deref().map(report_rows).unwrap_or_default();
        let severity = |row: &csv::StringRecord| row[6].rsplit(' ').next().unwrap().to_owned();
        rows.iter().map(|row| vec![&row[0], &row[1], &row[7], &row[3], &severity(row)].into()).collect()
    }

    /// What the findings say, in their order.
    pub fn messages(&self, report: &Report) -> Vec<String> {
        self.rows_of(report).iter().map(|row| row[3].to_owned()).collect()
    }

    pub async fn subject(&self, code: &str) -> Option<SubjectRow> {
        medcredit::store::subjects::find(&self.store.db.read("test"), code).await.unwrap()
    }

    pub async fn change_number(&self) -> i64 {
        medcredit::store::changes::current(&self.store.db).await.unwrap()
    }
}

/// The rows of a report in CSV, behind its header.
pub fn report_rows(path: &Path) -> Vec<csv::StringRecord> {
    // A rejected row may have more fields than the header.
    let reader = csv::ReaderBuilder::new().flexible(true).from_path(path).unwrap();
    reader.into_records().map(|row| row.unwrap()).collect()
}

/// A settlement row whose identity holds: settled, paid and retained in fen.
pub fn month(code: &str, month: &str, settled: i64, status: &str) -> String {
    let (retained, disallowed) = (settled / 25, settled / 100);
    let paid = settled - retained - disallowed;
    format!(
        "{code},{month},employee,120,90,{settled},{settled},{settled},{paid},{retained},{disallowed},0,0,0,{},{status},2026-03-25\n",
        settled - disallowed
    )
}

/// Every stored fact of an institution with the id of its measure, whatever import brought it.
pub async fn stored_facts(store: &TestStore, code: &str) -> Vec<(String, StoredFact)> {
    let read = store.db.read("test");
    let chunks = facts::of_subject(&read, "medical_institution", ("1900-H1", "2100-H1"), code).await.unwrap();
    let mut all = Vec::new();
    for chunk in chunks {
        let totals = Totals::read(&chunk.totals).unwrap();
        let Some(at) = totals.find(code) else { continue };
        let mut facts = FactsOf::new(&totals, &chunk.facts, chunk.period.parse().unwrap()).unwrap();
        let of = facts.of(at).unwrap();
        all.extend(of.into_iter().map(|fact| (totals.measures()[fact.measure].clone(), fact)));
    }
    all
}
