//! Parquet files with the same columns as the CSV template. A few rows of each column are in memory at a time, with
//! their page.
//!
//! Rows are numbered like the lines of the same file in CSV: the first is line 2, behind the header. So reports are the
//! same in either format.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use parquet::{
    errors::{ParquetError, Result},
    file::{
        metadata::{ParquetMetaData, ParquetMetaDataReader},
        reader::ChunkReader,
    },
};

use super::{
    super::{ImportError, Template, skips::Lines},
    Header, Input, Next, RowSource,
    page_limit::Pages,
    parquet_column::{Cell, Column, ROWS_AT_A_TIME, columns_of},
};

/// About how long a row is in CSV.
const CSV_BYTES_A_ROW: u64 = 96;

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
        let file = Arc::new(Pages(file));
        let columns = columns_of(&file, &metadata, template)?;
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
            column.fill(count).map_err(|error| column.named(&error))?;
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
            column.begin(&self.file, chunk, rows).map_err(|error| column.named(&error))?;
        }
        // Only shown as progress: a damaged size must not end the import.
        self.bytes += u64::try_from(group.compressed_size()).unwrap_or(0);
        self.left = rows;
        self.group += 1;
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

    fn csv_bytes(&self) -> Option<u64> {
        let rows = u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or(0);
        Some(rows.saturating_mul(CSV_BYTES_A_ROW))
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

    /// Facts are partitioned by it, so that a file of few bytes and many rows is not sorted in memory as a whole.
    #[test]
    fn a_file_is_as_large_as_its_rows_are_in_csv() {
        let input = Input::Memory { name: "records.parquet".into(), bytes: file().into() };
        let source = open(&input, Template::Records).unwrap();
        assert_eq!(source.csv_bytes(), Some(4 * CSV_BYTES_A_ROW));
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
