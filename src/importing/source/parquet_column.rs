//! The columns of a Parquet file: which of them a template has, and their values as text, some rows at a time.

use std::{ops::Range, sync::Arc};

use parquet::{
    column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader},
    data_type::{AsBytes, ByteArray, ByteArrayType, DataType},
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
    Fault,
    column::{MAX_TEXT_BYTES, ValueFormat},
    page_limit::Pages,
    row_block::{Cell, Cells},
};
use crate::store::personal::masked_name;

/// Rows of each column that are read at a time.
pub(super) const ROWS_AT_A_TIME: usize = 1024;

pub(super) struct Column {
    pub(super) name: String,
    format: ValueFormat,
    /// The reader of the present row group.
    reader: Option<ColumnReader>,
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
        columns.push(Column { name, format, reader: None });
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
        let mut column = Column { name, format, reader: None };
        column.begin(file, chunk, rows)?;
        let mut left = rows;
        while left > 0 {
            let cells = column.read(left.min(ROWS_AT_A_TIME))?.cells;
            if cells.iter().any(|cell| !matches!(cell, Cell::Empty)) {
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
    pub(super) fn read(&mut self, count: usize) -> Result<Cells> {
        let format = self.format;
        match &mut self.reader {
            None => Err(ParquetError::General("a column has no pages".into())),
            Some(ColumnReader::BoolColumnReader(reader)) => {
                Values::read(reader, count)?.written(|value, text| format.boolean(*value, text))
            }
            Some(ColumnReader::Int32ColumnReader(reader)) => Values::read(reader, count)?.written(|value, text| {
                // Parquet stores unsigned numbers in signed types.
                let unsigned = format == ValueFormat::Integer { signed: false };
                let value = if unsigned { i64::from(value.cast_unsigned()) } else { i64::from(*value) };
                format.number(value, text)
            }),
            Some(ColumnReader::Int64ColumnReader(reader)) => {
                Values::read(reader, count)?.written(|value, text| format.number(*value, text))
            }
            Some(ColumnReader::FloatColumnReader(reader)) => {
                Values::read(reader, count)?.written(|value, text| format.single(*value, text))
            }
            Some(ColumnReader::DoubleColumnReader(reader)) => {
                Values::read(reader, count)?.written(|value, text| format.double(*value, text))
            }
            Some(ColumnReader::Int96ColumnReader(reader)) => {
                Values::read(reader, count)?.written(|value, text| format.julian(value.data(), text))
            }
            Some(ColumnReader::ByteArrayColumnReader(reader)) => {
                let values = Values::read(reader, count)?;
                if format == ValueFormat::Text
                    && let Some(cells) = values.texts()?
                {
                    return Ok(cells);
                }
                values.written(|value, text| format.bytes(value.as_bytes(), text))
            }
            Some(ColumnReader::FixedLenByteArrayColumnReader(reader)) => {
                Values::read(reader, count)?.written(|value, text| format.bytes(value.as_bytes(), text))
            }
        }
    }
}

fn short() -> ParquetError {
    ParquetError::EOF("a column has fewer values than the file has rows".into())
}

/// The values of a column in consecutive rows.
struct Values<T: DataType> {
    rows: usize,
    /// Of each row whether it has a value; empty if every row has one.
    levels: Vec<i16>,
    /// Those of the rows that have one.
    present: Vec<T::T>,
}

impl<T: DataType> Values<T> {
    fn read(reader: &mut ColumnReaderImpl<T>, rows: usize) -> Result<Self> {
        let (mut levels, mut values, mut read) = (Vec::with_capacity(rows), Vec::with_capacity(rows), 0);
        while read < rows {
            let (more, ..) = reader.read_records(rows - read, Some(&mut levels), None, &mut values)?;
            // Without progress the loop would not end.
            if more == 0 {
                return Err(short());
            }
            read += more;
        }
        Ok(Self { rows, levels, present: values })
    }

    /// The rows, each with its value.
    fn rows(&self) -> impl Iterator<Item = Result<Option<&T::T>>> {
        let mut values = self.present.iter();
        (0..self.rows).map(move |row| {
            // A required column has no definition levels; an optional flat one has level 1 where it is not null.
            if self.levels.get(row).is_some_and(|level| *level == 0) {
                return Ok(None);
            }
            values.next().map(Some).ok_or_else(short)
        })
    }

    /// The values as text.
    fn written(&self, write: impl Fn(&T::T, &mut String) -> std::result::Result<(), Fault>) -> Result<Cells> {
        let mut out = Cells { text: String::new(), cells: Vec::with_capacity(self.rows) };
        let mut last: Option<(&T::T, Cell)> = None;
        for value in self.rows() {
            let cell = match (value?, &last) {
                (None, _) => Cell::Empty,
                // Many rows repeat the one before: a day, a code.
                (Some(value), Some((same, cell))) if value == *same => cell.clone(),
                (Some(value), _) => {
                    let start = out.text.len();
                    let cell = match write(value, &mut out.text) {
                        Ok(()) => Cell::Text(start..out.text.len()),
                        Err(fault) => Cell::Fault(fault),
                    };
                    last = Some((value, cell.clone()));
                    cell
                }
            };
            out.cells.push(cell);
        }
        Ok(out)
    }
}

impl Values<ByteArrayType> {
    /// The values as they are, if they are texts that may be copied: it is cheaper to check them together than one by one.
    fn texts(&self) -> Result<Option<Cells>> {
        let (mut bytes, mut cells) = (Vec::new(), Vec::with_capacity(self.rows));
        let mut last: Option<(&ByteArray, Range<usize>)> = None;
        for value in self.rows() {
            let Some(value) = value? else {
                cells.push(Cell::Empty);
                continue;
            };
            let range = match &last {
                Some((same, range)) if value == *same => range.clone(),
                _ if value.len() > MAX_TEXT_BYTES => return Ok(None),
                _ => {
                    let start = bytes.len();
                    bytes.extend_from_slice(value.data());
                    start..bytes.len()
                }
            };
            last = Some((value, range.clone()));
            cells.push(Cell::Text(range));
        }
        let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
        // Two values that are no texts may be one together, when the end of one cuts a character in two.
        let whole = |cell: &Cell| match cell {
            Cell::Text(range) => text.is_char_boundary(range.start) && text.is_char_boundary(range.end),
            _ => true,
        };
        Ok(cells.iter().all(whole).then_some(Cells { text, cells }))
    }
}
