//! The findings of an import while it runs: on disk in the order of the file, in bounded memory.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, BufWriter, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    domain::Malformed,
    importing::{
        Template,
        findings::{Code, Finding, Severity},
    },
};

/// Most findings in memory, where no report is written.
pub(in crate::importing) const MOST_LISTED: usize = 1_000;

/// Collects findings. Where a report will be written they go to a file without a name in its folder, so that a folder that
/// cannot be written ends the import before anything is accepted. Without a report the first ones are kept in memory.
#[derive(Debug)]
pub(in crate::importing) struct FindingsCollector {
    folder: Option<PathBuf>,
    spool: Option<csv::Writer<BufWriter<File>>>,
    /// The line of the last finding on disk.
    last: u64,
    /// Findings about lines before that one: about subjects that changed, and so no more than warnings are listed.
    late: Vec<Finding>,
    /// Lines that repeat a fact. They are known when all facts are sorted, in no order.
    repeated: LineSet,
    listed: Vec<Finding>,
}

impl FindingsCollector {
    /// A collector of findings that are reported in a folder, or else listed in memory.
    pub(in crate::importing) fn new(folder: Option<PathBuf>) -> Self {
        let (repeated, listed) = (LineSet::default(), Vec::new());
        Self { folder, spool: None, last: 0, late: Vec::new(), repeated, listed }
    }

    /// Adds a finding.
    pub(in crate::importing) fn add(&mut self, finding: &Finding) -> io::Result<()> {
        if self.folder.is_none() {
            // An upload's findings are in memory and in its stored report: a file of bad rows must not fill either.
            if self.listed.len() < MOST_LISTED {
                self.listed.push(finding.clone());
            }
            return Ok(());
        }
        if finding.line < self.last {
            self.late.push(finding.clone());
            return Ok(());
        }
        self.last = finding.line;
        let spool = self.spool()?;
        let (line, severity) = (finding.line.to_string(), finding.severity.as_str());
        Ok(spool.write_record([&line, finding.column, finding.code.as_str(), severity, &finding.message])?)
    }

    /// Adds the finding that a line repeats a fact of the file.
    pub(in crate::importing) fn add_repeated(&mut self, line: u64) -> io::Result<()> {
        if self.folder.is_none() {
            return self.add(&repeated_row(line));
        }
        self.spool()?;
        self.repeated.insert(line);
        Ok(())
    }

    fn spool(&mut self) -> io::Result<&mut csv::Writer<BufWriter<File>>> {
        Ok(match &mut self.spool {
            Some(spool) => spool,
            none => {
                let folder = self.folder.as_deref().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or_else(|| Path::new("."));
                std::fs::create_dir_all(folder)?;
                none.insert(csv::Writer::from_writer(BufWriter::new(tempfile::tempfile_in(folder)?)))
            }
        })
    }

    /// The folder of the report, for errors.
    pub(in crate::importing) fn folder(&self) -> PathBuf {
        self.folder.clone().unwrap_or_default()
    }

    /// The findings in memory.
    pub(in crate::importing) fn listed(&self) -> &[Finding] {
        &self.listed
    }

    /// Whether a report has anything to say.
    pub(in crate::importing) fn has_report(&self) -> bool {
        self.spool.is_some()
    }

    /// The findings in the order of the file.
    pub(super) fn in_order(mut self, template: Template) -> io::Result<OrderedFindings> {
        self.late.sort_by_key(|finding| finding.line);
        let spool = match self.spool.take() {
            None => None,
            Some(spool) => {
                let mut file = spool.into_inner().map_err(csv::IntoInnerError::into_error)?;
                file.flush()?;
                let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.rewind()?;
                let reader = csv::ReaderBuilder::new().has_headers(false).from_reader(BufReader::new(file));
                Some(reader.into_records())
            }
        };
        let (late, repeated) = (self.late.into(), self.repeated);
        let mut ordered = OrderedFindings { template, spool, next: None, late, repeated, from: 0 };
        ordered.next = ordered.read()?;
        Ok(ordered)
    }
}

/// The finding that a line repeats a key of the file.
pub(in crate::importing) fn repeated_row(line: u64) -> Finding {
    Finding {
        line,
        column: "",
        code: Code::DuplicateRow,
        severity: Severity::Reject,
        message: "the file has a row with the same key already".into(),
    }
}

/// Findings in the order of the file, line by line.
pub(super) struct OrderedFindings {
    template: Template,
    spool: Option<csv::StringRecordsIntoIter<BufReader<File>>>,
    /// The next finding on disk.
    next: Option<Finding>,
    late: VecDeque<Finding>,
    repeated: LineSet,
    /// Repeated lines before this one have been returned.
    from: u64,
}

impl OrderedFindings {
    fn read(&mut self) -> io::Result<Option<Finding>> {
        let Some(record) = self.spool.as_mut().and_then(Iterator::next).transpose()? else { return Ok(None) };
        let field = |at: usize| record.get(at).unwrap_or_default();
        let damaged = |error: Malformed| io::Error::new(io::ErrorKind::InvalidData, error.0);
        let column = self.template.all_columns().iter().find(|column| **column == field(1)).copied();
        Ok(Some(Finding {
            line: field(0).parse().map_err(io::Error::other)?,
            column: column.unwrap_or_default(),
            code: field(2).parse().map_err(damaged)?,
            severity: field(3).parse().map_err(damaged)?,
            message: field(4).to_owned(),
        }))
    }

    /// The next line with all its findings, rejects first.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(u64, Vec<Finding>)>> {
        let again = self.repeated.at_or_after(self.from);
        let lines = [self.next.as_ref().map(|one| one.line), self.late.front().map(|one| one.line), again];
        let Some(line) = lines.into_iter().flatten().min() else { return Ok(None) };
        let mut findings = Vec::new();
        while self.next.as_ref().is_some_and(|next| next.line == line) {
            findings.extend(self.next.take());
            self.next = self.read()?;
        }
        while self.late.front().is_some_and(|late| late.line == line) {
            findings.extend(self.late.pop_front());
        }
        if again == Some(line) {
            findings.push(repeated_row(line));
            self.from = line + 1;
        }
        findings.sort_by_key(|finding| finding.severity);
        Ok(Some((line, findings)))
    }
}

/// A set of lines: one bit for each line of the file, so that a file that is there twice does not fill the memory.
#[derive(Debug, Default)]
struct LineSet {
    words: Vec<u64>,
}

impl LineSet {
    fn insert(&mut self, line: u64) {
        let Ok(word) = usize::try_from(line / 64) else { return };
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= 1 << (line % 64);
        }
    }

    /// The first line of the set that is not before `line`.
    fn at_or_after(&self, line: u64) -> Option<u64> {
        let first = usize::try_from(line / 64).ok()?;
        let mut mask = u64::MAX << (line % 64);
        for (word, bits) in (line / 64..).zip(self.words.iter().skip(first)) {
            let bits = bits & mask;
            if bits != 0 {
                return Some(word * 64 + u64::from(bits.trailing_zeros()));
            }
            mask = u64::MAX;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(line: u64, code: Code, severity: Severity) -> Finding {
        Finding { line, column: "value", code, severity, message: "is, \"quoted\"".into() }
    }

    #[test]
    fn findings_come_back_line_by_line_with_rejects_first() {
        let directory = tempfile::tempdir().unwrap();
        let mut all = FindingsCollector::new(Some(directory.path().join("reports")));
        assert!(!all.has_report());
        for (line, code, severity) in [
            (2, Code::ProviderUnexpected, Severity::Warning),
            (2, Code::ValueMalformed, Severity::Reject),
            (900, Code::TooLong, Severity::Reject),
            (7, Code::UsccChanged, Severity::Warning),
        ] {
            all.add(&finding(line, code, severity)).unwrap();
        }
        for line in [901, 128, 3, 900] {
            all.add_repeated(line).unwrap();
        }
        assert!(all.has_report() && all.listed().is_empty());
        let mut ordered = all.in_order(Template::Records).unwrap();
        let mut seen = Vec::new();
        while let Some((line, findings)) = ordered.next_line().unwrap() {
            seen.push((line, findings.iter().map(|one| one.code).collect::<Vec<_>>()));
        }
        let expected = [
            (2, vec![Code::ValueMalformed, Code::ProviderUnexpected]),
            (3, vec![Code::DuplicateRow]),
            (7, vec![Code::UsccChanged]),
            (128, vec![Code::DuplicateRow]),
            (900, vec![Code::TooLong, Code::DuplicateRow]),
            (901, vec![Code::DuplicateRow]),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_finding_reads_back_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let mut all = FindingsCollector::new(Some(directory.path().join("reports")));
        let one = finding(2, Code::ValueMalformed, Severity::Reject);
        all.add(&one).unwrap();
        assert_eq!(all.in_order(Template::Records).unwrap().next_line().unwrap(), Some((2, vec![one])));
    }

    #[test]
    fn without_a_report_the_first_findings_are_in_memory() {
        let mut all = FindingsCollector::new(None);
        for line in 0..2_000 {
            all.add_repeated(line).unwrap();
        }
        assert!(!all.has_report());
        assert_eq!(all.listed().len(), MOST_LISTED);
    }
}
