//! The rows of a report: the file is read once more, up to the last line with a finding.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    collect::OrderedFindings,
    shown::{RowMask, ShownRow},
};
use crate::{
    domain::Day,
    importing::{
        ImportError, References, Template,
        file_context::FileContext,
        findings::Finding,
        layout::Layout,
        source::{Format, Input, Next, RowSource, open},
    },
};

/// Lines with findings that are sent together.
const LINES_TOGETHER: usize = 1_000;

/// A line of the file with its findings.
#[derive(Debug)]
pub(super) struct FoundLine {
    pub(super) findings: Vec<Finding>,
    /// The row; absent if it is no text, or the file could not be read again.
    pub(super) row: Option<ShownRow>,
}

/// A message of the second pass.
#[derive(Debug)]
pub(super) enum Pass {
    /// The names of the file's columns.
    Header(Vec<String>),
    Lines(Vec<FoundLine>),
    Failed(std::io::Error),
}

/// The file and what was found in it.
pub(super) struct SecondPass {
    pub(super) input: Input,
    pub(super) format: Format,
    pub(super) sheet: Option<String>,
    pub(super) template: Template,
    pub(super) references: Arc<References>,
    /// The city's day of the report.
    pub(super) today: Day,
    pub(super) findings: OrderedFindings,
}

impl SecondPass {
    /// Reads the file and sends the header and every line with a finding, in order. Blocks the thread.
    pub(super) fn run(mut self, to: &mpsc::Sender<Pass>) {
        // Nobody receives it if the import was dropped meanwhile.
        if let Err(error) = self.read(to) {
            let _ = to.blocking_send(Pass::Failed(error));
        }
    }

    fn read(&mut self, to: &mpsc::Sender<Pass>) -> std::io::Result<()> {
        let columns = || self.template.columns().iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut file = Reread::open(&self.input, self.format, self.sheet.as_deref(), self.template).ok();
        let header = file.as_ref().map_or_else(columns, |file| file.header.clone());
        if to.blocking_send(Pass::Header(header)).is_err() {
            return Ok(());
        }
        let mut lines = Vec::with_capacity(LINES_TOGETHER);
        while let Some((line, findings)) = self.findings.next_line()? {
            // The rows are accepted already: a file that cannot be read again must not hide what was found in it.
            let record = file.as_mut().and_then(|file| file.row(line).ok().flatten());
            let row = record.map(|(record, layout)| {
                // Only what a row is refused for depends on the format, and here it is refused already.
                let (references, today) = (&*self.references, self.today);
                RowMask { file: FileContext { layout, today, references, typed: false } }.show(record)
            });
            lines.push(FoundLine { findings, row });
            if lines.len() == LINES_TOGETHER && to.blocking_send(Pass::Lines(std::mem::take(&mut lines))).is_err() {
                return Ok(());
            }
        }
        let _ = to.blocking_send(Pass::Lines(lines));
        Ok(())
    }
}

/// A file that is read again.
struct Reread {
    source: Box<dyn RowSource>,
    header: Vec<String>,
    layout: Layout,
    record: csv::StringRecord,
    /// The line of the record, and whether it is one.
    at: (u64, bool),
}

impl Reread {
    fn open(input: &Input, format: Format, sheet: Option<&str>, template: Template) -> Result<Self, ImportError> {
        let mut source = open(input, format, sheet, template)?;
        let header = source.header()?.names;
        let layout = Layout::of(template, &header)?;
        Ok(Self { source, header, layout, record: csv::StringRecord::new(), at: (0, false) })
    }

    /// The row of a line, if it is one. Lines are asked for in ascending order.
    fn row(&mut self, line: u64) -> Result<Option<(&csv::StringRecord, &Layout)>, ImportError> {
        while self.at.0 < line {
            self.at = match self.source.next(&mut self.record)? {
                Next::Row { line } => (line, true),
                Next::Unreadable { line, .. } => (line, false),
                Next::End => (u64::MAX, false),
            };
        }
        Ok((self.at == (line, true)).then_some((&self.record, &self.layout)))
    }
}
