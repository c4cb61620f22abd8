//! The columns of a Parquet file: which of them a template has, and their values as text, some rows at a time.

use std::{ops::Range, sync::Arc};

use parquet::{
    column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader},
    data_type::{AsBytes, DataType},
    errors::{ParquetError, Result},
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData},
        reader::ChunkReader,
        serialized_reader::SerializedPageReader,
        statistics::Statistics,
    },
};

use super::{
    super::{ImportError, Template},
    column::{Fault, ValueFormat},
    page_limit::Pages,
};
use crate::store::personal::masked_name;

/// Rows of each column that are read at a time.
pub(super) const ROWS_AT_A_TIME: usize = 1024;

/// A field of a row.
pub(super) enum Cell {
    /// Null.
    Empty,
    /// The position of its text.
    Text(Range<usize>),
    /// A value that has no text.
    Fault(Fault),
}

pub(super) struct Column {
    pub(super) name: String,
    format: ValueFormat,
    /// The reader of the present row group.
    reader: Option<ColumnReader>,
    pub(super) text: String,
    pub(super) cells: Vec<Cell>,
}

/// The columns of a file. The error names every one that is missing, unknown or of a wrong type.
pub(super) fn columns_of<R: ChunkReader + 'static>(
    file: &Arc<Pages<R>>,
    metadata: &ParquetMetaData,
    template: Template,
) -> std::result::Result<Vec<Column>, ImportError> {
    let (mut columns, mut faults) = (Vec::new(), Vec::new());
    for (nth, column) in metadata.file_metadata().schema_descr().columns().iter().enumerate() {
        // Of a list or structure the first part is the column's name; the others belong to the format.
        let name = column.path().parts().first().cloned().unwrap_or_default();
        let Some(column_type) = template.column_type(&name) else {
            faults.push(unknown(&name, nth));
            continue;
        };
        let format = match ValueFormat::of(column_type, column) {
            // Programs that know no type of a column without values choose one.
            Err(fault) if !is_null(file, metadata, nth).map_err(|error| ImportError::Parquet(Box::new(error)))? => {
                faults.push(format!("column {name} {fault}"));
                continue;
            }
            format => format.unwrap_or(ValueFormat::Null),
        };
        columns.push(Column { name, format, reader: None, text: String::new(), cells: vec![] });
    }
    if faults.is_empty() {
        return Ok(columns);
    }
    let missing = template.columns().iter().filter(|name| {
        !metadata
            .file_metadata()
            .schema_descr()
            .columns()
            .iter()
            .any(|column| column.path().parts().first().is_some_and(|first| first == *name))
    });
    faults.extend(missing.map(|name| format!("column {name} is missing")));
    Err(ImportError::Header { template: template.as_str(), faults })
}

/// The fault of a column that the template does not have. Its name is shown as far as it is nobody's: the names of a file
/// that was made without a header are the values of its first row.
fn unknown(name: &str, nth: usize) -> String {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let plain =
        !name.is_empty() && name.len() <= 60 && digits < 8 && name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let shown = if plain { format!("{name:?}") } else { format!("{} ({:?})", nth + 1, masked_name(name)) };
    let advice =
        if name.starts_with("__index_level_") { ": write the file without the index (index=False)" } else { "" };
    format!("column {shown} is not known{advice}")
}

/// Whether a column has no value in the whole file: by its statistics, or by reading it up to its first value.
fn is_null<R: ChunkReader + 'static>(file: &Arc<Pages<R>>, metadata: &ParquetMetaData, nth: usize) -> Result<bool> {
    for group in metadata.row_groups() {
        let chunk =
            group.columns().get(nth).ok_or_else(|| ParquetError::General("a row group lacks a column".into()))?;
        let values = u64::try_from(chunk.num_values()).unwrap_or(u64::MAX);
        if let Some(nulls) = chunk.statistics().and_then(Statistics::null_count_opt) {
            if nulls == values {
                continue;
            }
            return Ok(false);
        }
        let rows = usize::try_from(group.num_rows()).map_err(|_| ParquetError::General("a negative count".into()))?;
        let (format, name) = (ValueFormat::Null, String::new());
        let mut column = Column { name, format, reader: None, text: String::new(), cells: vec![] };
        column.begin(file, chunk, rows)?;
        let mut left = rows;
        while left > 0 {
            column.fill(left.min(ROWS_AT_A_TIME))?;
            if column.cells.iter().any(|cell| !matches!(cell, Cell::Empty)) {
                return Ok(false);
            }
            left -= left.min(ROWS_AT_A_TIME);
        }
    }
    Ok(true)
}

impl Column {
    /// Begins a row group.
    pub(super) fn begin<R: ChunkReader + 'static>(
        &mut self,
        file: &Arc<Pages<R>>,
        chunk: &ColumnChunkMetaData,
        rows: usize,
    ) -> Result<()> {
        let pages = SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?;
        self.reader = Some(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)));
        Ok(())
    }

    /// An error of the library, with the name of the column.
    pub(super) fn named(&self, error: &ParquetError) -> ParquetError {
        ParquetError::General(format!("column {}: {error}", self.name))
    }

    /// Reads the next rows.
    pub(super) fn fill(&mut self, count: usize) -> Result<()> {
        self.text.clear();
        self.cells.clear();
        let Self { format, reader, text, cells, .. } = self;
        let mut out = ColumnPage { count, text, cells };
        match reader {
            None => Err(ParquetError::General("a column has no pages".into())),
            Some(ColumnReader::BoolColumnReader(reader)) => {
                out.read(reader, |value, text| format.boolean(*value, text))
            }
            Some(ColumnReader::Int32ColumnReader(reader)) => out.read(reader, |value, text| {
                // Parquet stores unsigned numbers in signed types.
                let unsigned = *format == ValueFormat::Integer { signed: false };
                let value = if unsigned { i64::from(value.cast_unsigned()) } else { i64::from(*value) };
                format.number(value, text)
            }),
            Some(ColumnReader::Int64ColumnReader(reader)) => {
                out.read(reader, |value, text| format.number(*value, text))
            }
            Some(ColumnReader::FloatColumnReader(reader)) => {
                out.read(reader, |value, text| format.single(*value, text))
            }
            Some(ColumnReader::DoubleColumnReader(reader)) => {
                out.read(reader, |value, text| format.double(*value, text))
            }
            Some(ColumnReader::Int96ColumnReader(reader)) => {
                out.read(reader, |value, text| format.julian(value.data(), text))
            }
            Some(ColumnReader::ByteArrayColumnReader(reader)) => {
                out.read(reader, |value, text| format.bytes(value.as_bytes(), text))
            }
            Some(ColumnReader::FixedLenByteArrayColumnReader(reader)) => {
                out.read(reader, |value, text| format.bytes(value.as_bytes(), text))
            }
        }
    }
}

struct ColumnPage<'a> {
    count: usize,
    text: &'a mut String,
    cells: &'a mut Vec<Cell>,
}

impl ColumnPage<'_> {
    fn read<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        write: impl Fn(&T::T, &mut String) -> std::result::Result<(), Fault>,
    ) -> Result<()> {
        let short = || ParquetError::EOF("a column has fewer values than the file has rows".into());
        let (mut levels, mut values, mut read) = (Vec::new(), Vec::new(), 0);
        while read < self.count {
            let (rows, ..) = reader.read_records(self.count - read, Some(&mut levels), None, &mut values)?;
            // Without progress the loop would not end.
            if rows == 0 {
                return Err(short());
            }
            read += rows;
        }
        let mut values = values.iter();
        for row in 0..self.count {
            // A required column has no definition levels; an optional flat one has level 1 where it is not null.
            if levels.get(row).is_some_and(|level| *level == 0) {
                self.cells.push(Cell::Empty);
                continue;
            }
            let start = self.text.len();
            let cell = match write(values.next().ok_or_else(short)?, self.text) {
                Ok(()) => Cell::Text(start..self.text.len()),
                Err(fault) => Cell::Fault(fault),
            };
            self.cells.push(cell);
        }
        Ok(())
    }
}
