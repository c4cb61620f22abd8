//! The city as files: the bureau's collection templates and a README.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use super::{Request, Summary, SyntheticError, bad, city::CitySubject, records::RecordRow};
use crate::domain::{Day, HalfYear, settlement::Settlement};

const SUBJECTS: &str = "kind,code,uscc,name,region,level,parent_code,id_type,id_number,legal_representative,agreement_signed_on,agreement_status,licence_status";
const AFFILIATIONS: &str = "person_code,institution_code,main,from_on,to_on";
const RECORDS: &str = "subject_code,measure,value,occurred_on,source,reference";
const ADVERSE: &str =
    "subject_code,reference,source,tier,decided_on,publish_from_on,earliest_repair_on,latest_end_on,status";
const SETTLEMENTS: &str = "subject_code,month,insurance,visits,persons,billed_fen,claimed_fen,settled_fen,paid_fen,retained_fen,disallowed_fen,deducted_fen,prepaid_fen,offset_fen,payable_fen,status,as_of";
const ACCOUNTS: &str = "subject_code,bank_code,account_number,valid_from_on";

/// Facts that count against a subject, with their tier under 令第36号.
const ADVERSE_MEASURES: [(&str, AdverseTier); 6] = [
    ("agreement_sanction", AdverseTier::Minor),
    ("health_penalty", AdverseTier::General),
    ("market_penalty", AdverseTier::General),
    ("insurance_penalty", AdverseTier::General),
    ("court_dishonest_listing", AdverseTier::Serious),
    ("court_fraud_judgment", AdverseTier::Serious),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AdverseTier {
    Minor,
    General,
    Serious,
}

impl AdverseTier {
    /// The word, and the days until repair is possible and until publication ends at the latest.
    const fn terms(self) -> (&'static str, i64, i64) {
        match self {
            Self::Minor => ("minor", 0, 90),
            Self::General => ("general", 90, 365),
            Self::Serious => ("serious", 365, 1_095),
        }
    }
}

/// The directory being filled.
pub(super) struct Folder {
    path: PathBuf,
    files: Vec<PathBuf>,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, SyntheticError> {
        std::fs::create_dir_all(path).map_err(|source| SyntheticError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), files: Vec::new() })
    }

    /// Begins a file with its header.
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

    pub(super) fn subjects(&mut self, subjects: &[CitySubject]) -> Result<(), SyntheticError> {
        let mut file = self.subject_table("subjects.csv")?;
        for subject in subjects {
            let (name, number) = &subject.representative;
            file.row(&[
                subject.kind(),
                &subject.code,
                subject.uscc.as_str(),
                &subject.name,
                subject.region.as_str(),
                subject.level(),
                subject.parent_code.as_deref().unwrap_or_default(),
                "01",
                number.reveal(),
                name,
                &subject.agreement_signed_on.to_string(),
                subject.agreement_status,
                subject.licence_status,
            ])?;
        }
        file.finish()
    }

    pub(super) fn subject_table(&mut self, name: &str) -> Result<Table, SyntheticError> {
        self.table(name, SUBJECTS)
    }

    pub(super) fn settlement_table(&mut self, name: &str) -> Result<Table, SyntheticError> {
        self.table(name, SETTLEMENTS)
    }

    /// Staff is not made yet: the header alone.
    pub(super) fn affiliations(&mut self) -> Result<(), SyntheticError> {
        self.table("affiliations.csv", AFFILIATIONS)?.finish()
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

    pub(super) fn readme(&self, request: &Request, summary: &Summary) -> Result<(), SyntheticError> {
        let halves: Vec<_> = request.half_years.iter().map(ToString::to_string).collect();
        let mut text = format!(
            "A synthetic city. Nobody in it exists: names begin with 合成, and no number is anybody's.

seed {}, size {} ten-thousandths, data of {}
{} medical institutions, {} pharmacies
{} rows of settlements, {} to {}
{} credit facts of {}, {} adverse facts

Import in this order:
",
            request.seed,
            request.scale_e4,
            request.today,
            summary.institutions,
            summary.pharmacies,
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
        if request.bad_data {
            text.push_str(&bad::description());
        }
        let path = self.path.join("README.txt");
        std::fs::write(&path, text).map_err(|source| SyntheticError::Write { path, source })
    }
}

/// A file being written.
pub(super) struct Table {
    path: PathBuf,
    writer: csv::Writer<BufWriter<File>>,
}

impl Table {
    fn create(path: PathBuf, header: &str) -> Result<Self, SyntheticError> {
        let begun = File::create(&path).and_then(|file| {
            let mut buffer = BufWriter::with_capacity(1 << 16, file);
            writeln!(buffer, "{header}")?;
            Ok(buffer)
        });
        match begun {
            Ok(buffer) => Ok(Self { path, writer: csv::WriterBuilder::new().from_writer(buffer) }),
            Err(source) => Err(SyntheticError::Write { path, source }),
        }
    }

    pub(super) fn row(&mut self, fields: &[&str]) -> Result<(), SyntheticError> {
        self.writer
            .write_record(fields)
            .map_err(|error| SyntheticError::Write { path: self.path.clone(), source: error.into() })
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
        self.writer.flush().map_err(|source| SyntheticError::Write { path: self.path.clone(), source })
    }
}

/// Credit facts, a file for each half-year, and the adverse ones among them once more with their periods.
pub(super) struct RecordFiles<'a> {
    folder: &'a mut Folder,
    records: Option<(HalfYear, Table)>,
    adverse: Table,
    adverse_count: u64,
}

impl<'a> RecordFiles<'a> {
    pub(super) fn new(folder: &'a mut Folder) -> Result<Self, SyntheticError> {
        let adverse = folder.table("adverse.csv", ADVERSE)?;
        Ok(Self { folder, records: None, adverse, adverse_count: 0 })
    }

    pub(super) fn record(&mut self, row: &RecordRow<'_>) -> Result<(), SyntheticError> {
        if self.records.as_ref().is_none_or(|(half, _)| *half != row.period) {
            let next = self.folder.table(&format!("records-{}.csv", row.period), RECORDS)?;
            if let Some((_, last)) = self.records.replace((row.period, next)) {
                last.finish()?;
            }
        }
        let (value, day) = (row.value.to_string(), row.occurred_on.to_string());
        if let Some((_, file)) = &mut self.records {
            file.row(&[row.subject_code, row.measure, &value, &day, row.source, row.reference])?;
        }
        match ADVERSE_MEASURES.iter().find(|(measure, _)| *measure == row.measure) {
            Some((_, tier)) => self.adverse(row, row.occurred_on, *tier),
            None => Ok(()),
        }
    }

    fn adverse(&mut self, row: &RecordRow<'_>, decided: Day, tier: AdverseTier) -> Result<(), SyntheticError> {
        let (word, repair, end) = tier.terms();
        self.adverse_count += 1;
        let published = decided.plus_days(7);
        self.adverse.row(&[
            row.subject_code,
            &format!("{}/{}", row.measure, row.reference),
            row.source,
            word,
            &decided.to_string(),
            &published.to_string(),
            &published.plus_days(repair).to_string(),
            &published.plus_days(end).to_string(),
            "effective",
        ])
    }

    /// Ends the files and tells how many adverse facts there were.
    pub(super) fn finish(self) -> Result<u64, SyntheticError> {
        if let Some((_, last)) = self.records {
            last.finish()?;
        }
        self.adverse.finish()?;
        Ok(self.adverse_count)
    }
}
