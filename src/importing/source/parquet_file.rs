//! Parquet files with the same columns as the CSV template. A few rows of each column are in memory at a time, with
//! their page.
//!
//! Rows are numbered like the lines of the same file in CSV: the first is line 2, behind the header. So reports are the
//! same in either format.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use parquet::{
    column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader},
    data_type::{AsBytes, DataType},
    errors::{ParquetError, Result},
    file::{
        metadata::{ParquetMetaData, ParquetMetaDataReader},
        reader::ChunkReader,
        serialized_reader::SerializedPageReader,
    },
};

use super::{
    super::{ImportError, Template, skips::Lines},
    Header, Input, Next, RowSource,
    column::{Fault, ValueFormat},
    page_limit::Pages,
};

/// Rows of each column that are read at a time.
const ROWS_AT_A_TIME: usize = 1024;

/// Opens a file, or an upload.
pub(super) fn open(input: &Input, template: Template) -> std::result::Result<Box<dyn RowSource>, ImportError> {
    match input {
        Input::File(path) => {
            let file = Input::open_file(path)?;
            Ok(Box::new(guarded(|| ParquetSource::open(file, input, template))?))
        }
        Input::Memory { bytes, .. } => Ok(Box::new(guarded(|| ParquetSource::open(bytes.clone(), input, template))?)),
    }
}

fn failed(error: ParquetError) -> ImportError {
    ImportError::Parquet(Box::new(error))
}

/// Runs the library. It indexes and asserts by what a file claims of itself, so a damaged footer can make it panic: that
/// too is an error of the file. The source is not read again after an error, so no half-changed state is ever seen.
fn guarded<T>(read: impl FnOnce() -> std::result::Result<T, ImportError>) -> std::result::Result<T, ImportError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(failed(ParquetError::General("the file contradicts itself".into()))))
}

/// A field of a row.
enum Cell {
    /// Null.
    Empty,
    /// The position of its text.
    Text(Range<usize>),
    /// A value that has no text.
    Fault(Fault),
}

struct Column {
    name: String,
    format: ValueFormat,
    /// The reader of the present row group.
    reader: Option<ColumnReader>,
    text: String,
    cells: Vec<Cell>,
}

struct ParquetSource<R: ChunkReader> {
    file: Arc<Pages<R>>,
    input: Input,
    metadata: ParquetMetaData,
    columns: Vec<Column>,
    /// The next row group.
    group: usize,
    /// Rows of the present row group that are not read yet.
    left: usize,
    /// The next of the rows in memory.
    at: usize,
    /// The number of rows in memory.
    filled: usize,
    line: u64,
    bytes: u64,
}

impl<R: ChunkReader + 'static> ParquetSource<R> {
    fn open(file: R, input: &Input, template: Template) -> std::result::Result<Self, ImportError> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(failed)?;
        let schema = metadata.file_metadata().schema_descr();
        let (mut columns, mut faults) = (Vec::new(), Vec::new());
        for column in schema.columns() {
            // Of a list or structure the first part is the column's name; the others belong to the format.
            let name = column.path().parts().first().cloned().unwrap_or_default();
            // Unknown columns are reported with the missing ones, when the header is compared with the template.
            let format = match template.column_type(&name) {
                Some(column_type) => ValueFormat::of(column_type, column),
                None => Ok(ValueFormat::Text),
            };
            match format {
                Ok(format) => columns.push(Column { name, format, reader: None, text: String::new(), cells: vec![] }),
                Err(fault) => faults.push(format!("column {name} {fault}")),
            }
        }
        if !faults.is_empty() {
            return Err(ImportError::Header { template: template.as_str(), faults });
        }
        let file = Arc::new(Pages(file));
        let input = input.clone();
        Ok(Self { file, input, metadata, columns, group: 0, left: 0, at: 0, filled: 0, line: 1, bytes: 0 })
    }

    /// Reads the next rows of every column; `false` when there are none.
    fn refill(&mut self) -> Result<bool> {
        while self.left == 0 {
            if self.group >= self.metadata.num_row_groups() {
                return Ok(false);
            }
            self.begin_group()?;
        }
        let count = self.left.min(ROWS_AT_A_TIME);
        for column in &mut self.columns {
            column.fill(count)?;
        }
        (self.at, self.filled) = (0, count);
        self.left -= count;
        Ok(true)
    }

    fn begin_group(&mut self) -> Result<()> {
        let group = self.metadata.row_group(self.group);
        let rows = usize::try_from(group.num_rows()).map_err(|_| ParquetError::General("a negative count".into()))?;
        // The footer states both, and the zip below would leave columns without a reader where they differ.
        if group.columns().len() != self.columns.len() {
            return Err(ParquetError::General("a row group has other columns than the file".into()));
        }
        for (column, chunk) in self.columns.iter_mut().zip(group.columns()) {
            let pages = SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, None)?;
            column.reader = Some(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)));
        }
        // Only shown as progress: a damaged size must not end the import.
        self.bytes += u64::try_from(group.compressed_size()).unwrap_or(0);
        self.left = rows;
        self.group += 1;
        Ok(())
    }
}

impl Column {
    fn fill(&mut self, count: usize) -> Result<()> {
        self.text.clear();
        self.cells.clear();
        let Self { format, reader, text, cells, .. } = self;
        let mut out = ColumnPage { count, text, cells };
        match reader {
            None => Err(ParquetError::General("a column has no pages".into())),
            Some(ColumnReader::BoolColumnReader(reader)) => out.read(reader, |value, text| {
                ValueFormat::boolean(*value, text);
                Ok(())
            }),
            Some(ColumnReader::Int32ColumnReader(reader)) => out.read(reader, |value, text| {
                // Parquet stores unsigned numbers in signed types.
                let unsigned = *format == ValueFormat::Integer { signed: false };
                let value = if unsigned { i64::from(value.cast_unsigned()) } else { i64::from(*value) };
                format.number(value, text)
            }),
            Some(ColumnReader::Int64ColumnReader(reader)) => {
                out.read(reader, |value, text| format.number(*value, text))
            }
            Some(ColumnReader::ByteArrayColumnReader(reader)) => {
                out.read(reader, |value, text| format.bytes(value.as_bytes(), text))
            }
            Some(ColumnReader::FixedLenByteArrayColumnReader(reader)) => {
                out.read(reader, |value, text| format.bytes(value.as_bytes(), text))
            }
            Some(_) => Err(ParquetError::General("a column has another type than its schema".into())),
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

impl<R: ChunkReader + 'static> RowSource for ParquetSource<R> {
    fn header(&mut self) -> std::result::Result<Header, ImportError> {
        Ok(Header { names: self.columns.iter().map(|column| column.name.clone()).collect() })
    }

    fn next(&mut self, row: &mut csv::StringRecord) -> std::result::Result<Next, ImportError> {
        if self.at == self.filled && !guarded(|| self.refill().map_err(failed))? {
            return Ok(Next::End);
        }
        let at = self.at;
        self.at += 1;
        self.line += 1;
        let line = self.line;
        row.clear();
        for (place, column) in self.columns.iter().enumerate() {
            match column.cells.get(at) {
                Some(Cell::Text(range)) => row.push_field(column.text.get(range.clone()).unwrap_or_default()),
                Some(Cell::Fault((code, message))) => {
                    let (column, code, message) = (Some(place), *code, (*message).to_owned());
                    return Ok(Next::Unreadable { line, column, code, message });
                }
                Some(Cell::Empty) | None => row.push_field(""),
            }
        }
        Ok(Next::Row { line })
    }

    fn bytes_read(&self) -> u64 {
        self.bytes
    }

    fn lines(&mut self) -> Lines {
        Lines { read: self.line, ..Lines::default() }
    }

    /// Columns are read from all over the file, so the digest needs a second pass. It must equal the first digest.
    fn sha256(&mut self) -> std::result::Result<String, ImportError> {
        self.input.digest().map(|(digest, _)| digest)
    }
}

#[cfg(test)]
mod tests {
    use parquet::{
        data_type::{ByteArray, ByteArrayType},
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };

    use super::{
        super::{Format, count_rows},
        *,
    };

    /// A file of credit facts, with two row groups of two rows.
    fn file() -> Vec<u8> {
        const COLUMNS: [&str; 6] = ["subject_code", "measure", "value", "occurred_on", "source", "reference"];
        let fields = COLUMNS.map(|name| format!("optional binary {name} (STRING);")).concat();
        let schema = Arc::new(parse_message_type(&format!("message rows {{ {fields} }}")).unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default())).unwrap();
        for _ in 0..2 {
            let mut group = writer.next_row_group().unwrap();
            while let Some(mut column) = group.next_column().unwrap() {
                let values = [ByteArray::from("1"), ByteArray::from("2")];
                column.typed::<ByteArrayType>().write_batch(&values, Some(&[1, 1]), None).unwrap();
                column.close().unwrap();
            }
            group.close().unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn read(bytes: Vec<u8>) -> std::result::Result<u64, ImportError> {
        let input = Input::Memory { name: "records.parquet".into(), bytes: bytes.into() };
        count_rows(&input, Format::Parquet, Template::Records)
    }

    #[test]
    fn no_flipped_bit_of_a_file_makes_its_reader_panic() {
        let whole = file();
        assert_eq!(read(whole.clone()).unwrap(), 4);
        let mut panicked = 0;
        for at in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            match read(flipped) {
                // Some bits only change a value, or a figure that nobody reads.
                Ok(_) | Err(ImportError::Header { .. }) => {}
                Err(ImportError::Parquet(error)) => panicked += u32::from(error.to_string().contains("contradicts")),
                Err(error) => panic!("bit {at}: {error}"),
            }
        }
        assert!(panicked > 0, "the library checks its files now: `guarded` can go");
    }

    #[test]
    fn the_error_of_a_file_that_is_not_parquet_repeats_none_of_its_content() {
        let bytes = bytes::Bytes::from_static(b"subject_code,measure\nH33030200090,x\n");
        let input = Input::Memory { name: "records.parquet".into(), bytes };
        let error = open(&input, Template::Records).err().unwrap();
        assert!(matches!(error, ImportError::Parquet(_)), "{error}");
        assert!(!format!("{error:?}").contains("H33030200090"));
    }
}
