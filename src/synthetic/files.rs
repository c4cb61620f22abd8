//! Writes the city as files of the bureau's collection templates, with a README.

use std::{
    convert::Infallible,
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{
    Request, Summary, SyntheticError,
    city::CitySubject,
    people::Holder,
    records::{Batch, RecordRow},
};
use crate::domain::{Day, HalfYear, settlement::Settlement};

const SUBJECTS: &str = "kind,code,uscc,name,region,level,parent_code,id_type,id_number,legal_representative,agreement_signed_on,agreement_status,licence_status";
const AFFILIATIONS: &str = "person_code,institution_code,main,from_on,to_on";
const RECORDS: &str = "subject_code,measure,value,occurred_on,source,reference";
const ADVERSE: &str =
    "subject_code,reference,source,tier,decided_on,publish_from_on,earliest_repair_on,latest_end_on,status";
const SETTLEMENTS: &str = "subject_code,month,insurance,visits,persons,billed_fen,claimed_fen,settled_fen,paid_fen,retained_fen,disallowed_fen,deducted_fen,prepaid_fen,offset_fen,payable_fen,status,as_of";
const ACCOUNTS: &str = "subject_code,bank_code,account_number,valid_from_on";

/// Measures of adverse facts, with their tier under 令第36号.
const ADVERSE_MEASURES: [(&str, AdverseTier); 12] = [
    ("agreement_sanction", AdverseTier::Minor),
    ("agreement_breach", AdverseTier::Minor),
    ("health_penalty", AdverseTier::General),
    ("market_penalty", AdverseTier::General),
    ("drug_penalty", AdverseTier::General),
    ("labour_penalty", AdverseTier::General),
    ("insurance_penalty", AdverseTier::General),
    ("tender_breach", AdverseTier::General),
    ("bribery_case", AdverseTier::Serious),
    ("fraud_finding", AdverseTier::Serious),
    ("court_dishonest_listing", AdverseTier::Serious),
    ("court_fraud_judgment", AdverseTier::Serious),
];

/// The terms of a tier.
struct Terms {
    /// Its name in files.
    word: &'static str,
    /// Days of publication until repair is possible.
    repair_days: i64,
    /// Days until publication ends at the latest. `None` where the term would be shorter than a model looks back: the
    /// totals are drawn with every fact counting, and a fact counts no more once its publication has ended.
    publication_days: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AdverseTier {
    Minor,
    General,
    Serious,
}

impl AdverseTier {
    /// The tier's terms.
    const fn terms(self) -> Terms {
        match self {
            Self::Minor => Terms { word: "minor", repair_days: 0, publication_days: None },
            Self::General => Terms { word: "general", repair_days: 90, publication_days: None },
            Self::Serious => Terms { word: "serious", repair_days: 365, publication_days: Some(1_095) },
        }
    }
}

/// The output directory.
pub(super) struct Folder {
    path: PathBuf,
    files: Vec<PathBuf>,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, SyntheticError> {
        std::fs::create_dir_all(path).map_err(|source| SyntheticError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), files: Vec::new() })
    }

    /// Creates a file with a header.
    pub(super) fn table(&mut self, name: &str, header: &str) -> Result<Table, SyntheticError> {
        let path = self.path.join(name);
        self.files.push(path.clone());
        Table::create(path, header)
    }

    pub(super) fn subfolder(&self, name: &str) -> Result<Self, SyntheticError> {
        Self::open(&self.path.join(name))
    }

    pub(super) fn into_files(self) -> Vec<PathBuf> {
        self.files
    }

    pub(super) fn subjects(&mut self, subjects: &[CitySubject], people: &[Holder]) -> Result<(), SyntheticError> {
        let mut file = self.subject_table("subjects.csv")?;
        for subject in subjects {
            let representative = &subject.representative;
            file.row(&[
                subject.kind(),
                &subject.code,
                subject.uscc.as_str(),
                &subject.name,
                subject.region.as_str(),
                subject.level(),
                subject.parent_code.as_deref().unwrap_or_default(),
                "01",
                representative.number.reveal(),
                &representative.name,
                &subject.agreement_signed_on.to_string(),
                subject.agreement_status,
                subject.licence_status,
            ])?;
        }
        for holder in people {
            file.row(&[
                &holder.kind,
                &holder.code,
                holder.uscc.as_ref().map_or("", |uscc| uscc.as_str()),
                &holder.name,
                holder.region.as_str(),
                holder.level,
                "",
                "01",
                holder.identity.reveal(),
                holder.representative.as_deref().unwrap_or_default(),
                &holder.signed_on.to_string(),
                holder.agreement_status,
                holder.licence_status,
            ])?;
        }
        file.finish()
    }

    pub(super) fn subject_table(&mut self, name: &str) -> Result<Table, SyntheticError> {
        self.table(name, SUBJECTS)
    }

    pub(super) fn record_table(&mut self, name: &str) -> Result<Table, SyntheticError> {
        self.table(name, RECORDS)
    }

    pub(super) fn settlement_table(&mut self, name: &str) -> Result<Table, SyntheticError> {
        self.table(name, SETTLEMENTS)
    }

    /// Writes where each person practises, the main place first.
    pub(super) fn affiliations(&mut self, people: &[Holder]) -> Result<(), SyntheticError> {
        let mut file = self.table("affiliations.csv", AFFILIATIONS)?;
        for holder in people {
            let since = holder.signed_on.to_string();
            for (nth, place) in holder.places.iter().enumerate() {
                file.row(&[&holder.code, place, if nth == 0 { "1" } else { "0" }, &since, ""])?;
            }
        }
        file.finish()
    }

    pub(super) fn accounts(&mut self, subjects: &[CitySubject]) -> Result<(), SyntheticError> {
        let mut file = self.table("accounts.csv", ACCOUNTS)?;
        for subject in subjects {
            let since = subject.agreement_signed_on.to_string();
            file.row(&[&subject.code, "99000000000000", &subject.account, &since])?;
        }
        file.finish()
    }

    pub(super) fn settlements(&mut self, half: &str) -> Result<Table, SyntheticError> {
        self.settlement_table(&format!("settlements-{half}.csv"))
    }

    /// Writes the README, with `notes` at its end.
    pub(super) fn readme(&self, request: &Request, summary: &Summary, notes: &str) -> Result<(), SyntheticError> {
        let halves: Vec<_> = request.half_years.iter().map(ToString::to_string).collect();
        let mut others = String::new();
        for (kind, count) in &summary.others {
            // Writing into a String cannot fail.
            let _ = write!(others, ", {count} of {kind}");
        }
        let mut text = format!(
            "A synthetic city. Nobody in it exists: names begin with 合成, and no number is anybody's.

seed {}, size {} ten-thousandths, data of {}
{} medical institutions, {} pharmacies{}
{} rows of settlements, {} to {}
{} credit facts of {}, {} adverse facts

Import in this order:
",
            request.seed,
            request.scale_e4,
            request.today,
            summary.institutions,
            summary.pharmacies,
            others,
            summary.settlements,
            request.from,
            request.to,
            summary.records,
            halves.join(", "),
            summary.adverse,
        );
        for file in self.files.iter().filter_map(|file| file.file_name()) {
            let name = file.to_string_lossy();
            let template = name.split(['.', '-']).next().unwrap_or_default();
            // Writing into a String cannot fail.
            let _ = writeln!(text, "  medcredit import {template} {name}");
        }
        text.push_str(notes);
        let path = self.path.join("README.txt");
        std::fs::write(&path, text).map_err(|source| SyntheticError::Write { path, source })
    }
}

/// A file being written.
pub(super) struct Table {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Table {
    fn create(path: PathBuf, header: &str) -> Result<Self, SyntheticError> {
        let created = File::create(&path).and_then(|file| {
            let mut buffer = BufWriter::with_capacity(1 << 16, file);
            writeln!(buffer, "{header}")?;
            Ok(buffer)
        });
        match created {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(SyntheticError::Write { path, source }),
        }
    }

    pub(super) fn row(&mut self, fields: &[&str]) -> Result<(), SyntheticError> {
        let mut bytes = Vec::with_capacity(200);
        line(&mut bytes, fields);
        self.lines(&bytes)
    }

    /// Adds lines that are complete.
    fn lines(&mut self, bytes: &[u8]) -> Result<(), SyntheticError> {
        self.file.write_all(bytes).map_err(|source| SyntheticError::Write { path: self.path.clone(), source })
    }

    pub(super) fn settlement(&mut self, code: &str, row: &Settlement) -> Result<(), SyntheticError> {
        let amounts = [
            row.billed,
            row.claimed,
            row.settled,
            row.paid,
            row.retained,
            row.disallowed,
            row.deducted,
            row.prepaid,
            row.offset,
            row.payable,
        ];
        let mut fields = vec![
            code.to_owned(),
            row.month.to_string(),
            row.insurance.to_string(),
            row.visits.to_string(),
            row.persons.to_string(),
        ];
        fields.extend(amounts.map(|amount| amount.0.to_string()));
        fields.extend([row.status.to_string(), row.as_of.to_string()]);
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        self.row(&fields)
    }

    pub(super) fn finish(mut self) -> Result<(), SyntheticError> {
        self.file.flush().map_err(|source| SyntheticError::Write { path: self.path.clone(), source })
    }
}

/// The rows of a batch as they are written to files.
pub(super) struct Rendered {
    halves: Vec<(HalfYear, Vec<u8>)>,
    adverse: Vec<u8>,
    adverse_count: u64,
}

/// Formats the rows of a batch. Runs on several threads.
pub(super) fn rendered(batch: &Batch<'_>) -> Rendered {
    let mut rendered = Rendered { halves: Vec::new(), adverse: Vec::new(), adverse_count: 0 };
    let done = batch.each(|row| {
        rendered.record(&row);
        Ok::<(), Infallible>(())
    });
    match done {
        Ok(()) => rendered,
        Err(never) => match never {},
    }
}

impl Rendered {
    fn record(&mut self, row: &RecordRow<'_>) {
        // A batch emits one period after the other, so only the last can be the same.
        if self.halves.last().is_none_or(|(half, _)| *half != row.period) {
            self.halves.push((row.period, Vec::new()));
        }
        if let Some((_, bytes)) = self.halves.last_mut() {
            let (value, day) = (row.value.to_string(), row.occurred_on.to_string());
            line(bytes, &[row.subject_code, row.measure, &value, &day, row.source, row.reference]);
        }
        if let Some((_, tier)) = ADVERSE_MEASURES.iter().find(|(measure, _)| *measure == row.measure) {
            self.adverse(row, row.occurred_on, *tier);
        }
    }

    fn adverse(&mut self, row: &RecordRow<'_>, decided: Day, tier: AdverseTier) {
        let terms = tier.terms();
        self.adverse_count += 1;
        let published = decided.plus_days(7);
        let latest_end = terms.publication_days.map(|days| published.plus_days(days).to_string());
        let fields = [
            row.subject_code,
            &format!("{}/{}", row.measure, row.reference),
            row.source,
            terms.word,
            &decided.to_string(),
            &published.to_string(),
            &published.plus_days(terms.repair_days).to_string(),
            latest_end.as_deref().unwrap_or_default(),
            "effective",
        ];
        line(&mut self.adverse, &fields);
    }
}

/// Adds a line. Fields are quoted where necessary: a city may have any words of its own.
fn line(bytes: &mut Vec<u8>, fields: &[&str]) {
    for (nth, field) in fields.iter().enumerate() {
        if nth > 0 {
            bytes.push(b',');
        }
        if field.contains([',', '"', '\n', '\r']) {
            bytes.extend([b"\"", field.replace('"', "\"\"").as_bytes(), b"\""].concat());
        } else {
            bytes.extend(field.as_bytes());
        }
    }
    bytes.push(b'\n');
}

/// Writes credit facts, a file for each half-year, and the adverse ones among them also with their periods of
/// publication.
pub(super) struct RecordFiles {
    records: Vec<(HalfYear, Table)>,
    adverse: Table,
    adverse_count: u64,
}

impl RecordFiles {
    pub(super) fn new(folder: &mut Folder, halves: &[HalfYear]) -> Result<Self, SyntheticError> {
        let adverse = folder.table("adverse.csv", ADVERSE)?;
        let table = |half: &HalfYear| Ok((*half, folder.table(&format!("records-{half}.csv"), RECORDS)?));
        Ok(Self { records: halves.iter().map(table).collect::<Result<_, _>>()?, adverse, adverse_count: 0 })
    }

    pub(super) fn write(&mut self, rendered: &Rendered) -> Result<(), SyntheticError> {
        for (half, bytes) in &rendered.halves {
            if let Some((_, file)) = self.records.iter_mut().find(|(known, _)| known == half) {
                file.lines(bytes)?;
            }
        }
        self.adverse_count += rendered.adverse_count;
        self.adverse.lines(&rendered.adverse)
    }

    /// Closes the files and returns the number of adverse facts.
    pub(super) fn finish(self) -> Result<u64, SyntheticError> {
        for (_, file) in self.records {
            file.finish()?;
        }
        self.adverse.finish()?;
        Ok(self.adverse_count)
    }
}
