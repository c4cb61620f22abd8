//! Parquet files with the same columns as the CSV template. A few rows of each column are in memory at a time, with
//! their page. They are decoded on a thread of their own, a few megabytes ahead of their checks.
//!
//! Rows are numbered like the lines of the same file in CSV: the first is line 2, behind the header. So reports are the
//! same in either format.

use std::{
    sync::mpsc::{Receiver, sync_channel},
    thread::{Builder, JoinHandle},
};

use parquet::{errors::ParquetError, file::reader::ChunkReader};

use super::{
    super::{ImportError, Template, skips::Lines},
    BlockSource, Header, Input, Next, RowBlocks, RowSource, Unreadable,
    parquet_decoder::{Decoded, Decoder, failed, guarded},
};

/// About how long a row is in CSV.
const CSV_BYTES_A_ROW: u64 = 96;

/// Decoded rows that wait to be checked, about a megabyte each. With those being decoded and checked they bound the memory.
const BLOCKS_WAITING: usize = 2;

/// Opens a file, or an upload.
pub(super) fn open(input: &Input, template: Template) -> Result<Box<dyn RowSource>, ImportError> {
    match input {
        Input::File(path) => {
            let file = Input::open_file(path)?;
            Ok(Box::new(guarded(|| ParquetSource::open(file, input, template))?))
        }
        Input::Memory { bytes, .. } => Ok(Box::new(guarded(|| ParquetSource::open(bytes.clone(), input, template))?)),
    }
}

struct ParquetSource<R: ChunkReader> {
    input: Input,
    names: Vec<String>,
    /// The rows of the file by its footer.
    rows: u64,
    /// The decoder, until the first row is read.
    decoder: Option<Decoder<R>>,
    /// The thread that decodes, until the file or the source ends.
    decoding: Option<Decoding>,
    decoded: RowBlocks,
    /// The block of the next row.
    block: usize,
    /// The next row within its block.
    at: usize,
    /// The line of the last row.
    line: u64,
}

/// A thread that decodes a file.
struct Decoding {
    blocks: Option<Receiver<Decoded>>,
    thread: Option<JoinHandle<()>>,
}

impl Decoding {
    fn start<R: ChunkReader + 'static>(decoder: Decoder<R>) -> Result<Self, ImportError> {
        let (to, blocks) = sync_channel(BLOCKS_WAITING);
        let thread = Builder::new().name("parquet".into()).spawn(move || decoder.decode_all(&to));
        let thread = thread.map_err(|error| failed(ParquetError::External(Box::new(error))))?;
        Ok(Self { blocks: Some(blocks), thread: Some(thread) })
    }

    fn next(&self) -> Decoded {
        let next = self.blocks.as_ref().and_then(|blocks| blocks.recv().ok());
        next.unwrap_or(Err(ImportError::ReaderGone))
    }
}

impl Drop for Decoding {
    /// Ends the thread, which may have the file half decoded.
    fn drop(&mut self) {
        // First, because the thread may wait for room in the channel.
        self.blocks = None;
        if let Some(thread) = self.thread.take() {
            // It decodes a little more at most. Its panic, if any, showed in the channel that it closed.
            let _ = thread.join();
        }
    }
}

impl<R: ChunkReader + 'static> ParquetSource<R> {
    fn open(file: R, input: &Input, template: Template) -> Result<Self, ImportError> {
        let decoder = Decoder::open(file, template)?;
        Ok(Self {
            input: input.clone(),
            names: decoder.names(),
            rows: decoder.rows(),
            decoder: Some(decoder),
            decoding: None,
            decoded: RowBlocks::default(),
            block: 0,
            at: 0,
            line: 1,
        })
    }
}

impl<R: ChunkReader + 'static> BlockSource for ParquetSource<R> {
    fn next_blocks(&mut self) -> Result<Option<RowBlocks>, ImportError> {
        // Not before: of a file that is only opened nothing needs to be decoded.
        if let Some(decoder) = self.decoder.take() {
            self.decoding = Some(Decoding::start(decoder)?);
        }
        let Some(decoding) = &self.decoding else { return Ok(None) };
        let blocks = decoding.next()?;
        if let Some(last) = blocks.as_ref().and_then(|blocks| blocks.blocks.last()) {
            self.line = last.line + u64::try_from(last.rows).unwrap_or(0) - 1;
        } else {
            self.decoding = None;
        }
        Ok(blocks)
    }
}

impl<R: ChunkReader + 'static> RowSource for ParquetSource<R> {
    fn header(&mut self) -> Result<Header, ImportError> {
        Ok(Header { names: self.names.clone() })
    }

    fn next(&mut self, row: &mut csv::StringRecord) -> Result<Next, ImportError> {
        let block = loop {
            match self.decoded.blocks.get(self.block) {
                Some(block) if self.at < block.rows => break block,
                Some(_) => (self.block, self.at) = (self.block + 1, 0),
                None => {
                    let Some(decoded) = self.next_blocks()? else { return Ok(Next::End) };
                    (self.decoded, self.block, self.at) = (decoded, 0, 0);
                }
            }
        };
        let line = block.line + u64::try_from(self.at).unwrap_or(0);
        let copied = block.copy(self.at, row);
        self.at += 1;
        Ok(match copied {
            Ok(()) => Next::Row { line },
            Err(Unreadable { column, code, message }) => {
                Next::Unreadable { line, column: Some(column), code, message: message.to_owned() }
            }
        })
    }

    fn blocks(&mut self) -> Option<&mut dyn BlockSource> {
        Some(self)
    }

    fn bytes_read(&self) -> u64 {
        self.decoded.bytes
    }

    fn lines(&mut self) -> Lines {
        Lines { read: self.line, ..Lines::default() }
    }

    fn csv_bytes(&self) -> Option<u64> {
        Some(self.rows.saturating_mul(CSV_BYTES_A_ROW))
    }

    /// Columns are read from all over the file, so the digest needs a second pass. It must equal the first digest.
    fn sha256(&mut self) -> Result<String, ImportError> {
        self.input.digest().map(|(digest, _)| digest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::{
        data_type::{ByteArray, ByteArrayType},
        file::{
            metadata::ParquetMetaDataReader, properties::WriterProperties, reader::Length, writer::SerializedFileWriter,
        },
        schema::parser::parse_message_type,
    };

    use super::{
        super::{Format, count_rows, parquet_column::ROWS_AT_A_TIME},
        *,
    };

    const COLUMNS: [&str; 6] = ["subject_code", "measure", "value", "occurred_on", "source", "reference"];

    /// A file of credit facts, in row groups of some rows. The values of a column are the numbers of the rows, of some width.
    fn file_of(groups: usize, rows: usize, width: usize) -> Vec<u8> {
        let fields = COLUMNS.map(|name| format!("optional binary {name} (STRING);")).concat();
        let schema = Arc::new(parse_message_type(&format!("message rows {{ {fields} }}")).unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default())).unwrap();
        for group in 0..groups {
            let mut writing = writer.next_row_group().unwrap();
            while let Some(mut column) = writing.next_column().unwrap() {
                let values =
                    (1..=rows).map(|row| ByteArray::from(format!("{:0width$}", group * rows + row).into_bytes()));
                let values: Vec<_> = values.collect();
                column.typed::<ByteArrayType>().write_batch(&values, Some(&vec![1; rows]), None).unwrap();
                column.close().unwrap();
            }
            writing.close().unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn file() -> Vec<u8> {
        file_of(2, 2, 0)
    }

    /// A file that knows who else has it open.
    struct Shared {
        bytes: bytes::Bytes,
        _open: Arc<()>,
    }

    impl Length for Shared {
        fn len(&self) -> u64 {
            Length::len(&self.bytes)
        }
    }

    impl ChunkReader for Shared {
        type T = <bytes::Bytes as ChunkReader>::T;

        fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
            self.bytes.get_read(start)
        }

        fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<bytes::Bytes> {
            self.bytes.get_bytes(start, length)
        }
    }

    fn input(bytes: &[u8]) -> Input {
        Input::Memory { name: "records.parquet".into(), bytes: bytes.to_vec().into() }
    }

    #[test]
    fn the_thread_that_decodes_ends_with_the_import_however_far_it_was_read() {
        let bytes = file_of(20, ROWS_AT_A_TIME, 200);
        // Of more than a megabyte each, so that the channel is full long before the end.
        for blocks in [0, 1, 5, 21] {
            let open = Arc::new(());
            let shared = Shared { bytes: bytes.clone().into(), _open: Arc::clone(&open) };
            let mut source = ParquetSource::open(shared, &input(&bytes), Template::Records).unwrap();
            let mut row = csv::StringRecord::new();
            for _ in 0..blocks * ROWS_AT_A_TIME {
                source.next(&mut row).unwrap();
            }
            assert_eq!(Arc::strong_count(&open) == 1, blocks == 21, "the file is still open before its end");
            drop(source);
            assert_eq!(Arc::strong_count(&open), 1, "no thread has it after {blocks} blocks");
        }
    }

    #[test]
    fn a_broken_page_is_reported_with_its_column_behind_the_rows_before_it() {
        let mut bytes = file_of(3, 5_000, 0);
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(bytes.clone())).unwrap();
        let page = metadata.row_group(1).column(4).data_page_offset();
        let page = usize::try_from(page).unwrap();
        bytes[page..page + 20].fill(0xff);
        let mut source = open(&input(&bytes), Template::Records).unwrap();
        let (mut row, mut rows) = (csv::StringRecord::new(), 0);
        let error = loop {
            match source.next(&mut row) {
                Ok(Next::Row { line }) => {
                    rows += 1;
                    assert_eq!((line, row.get(5)), (rows + 1, Some(rows.to_string().as_str())));
                }
                Ok(next) => panic!("{next:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(rows, 5_000, "the row group before it was read");
        assert!(
            matches!(error, ImportError::Parquet(_)) && format!("{error:?}").contains("column source"),
            "{error:?}"
        );
    }

    #[test]
    fn halves_of_characters_are_no_text_although_they_are_one_together() {
        let fields = COLUMNS.map(|name| format!("required binary {name} (STRING);")).concat();
        let schema = Arc::new(parse_message_type(&format!("message rows {{ {fields} }}")).unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default())).unwrap();
        let mut group = writer.next_row_group().unwrap();
        while let Some(mut column) = group.next_column().unwrap() {
            let values = ["医".as_bytes(), &"保".as_bytes()[..1], &"保".as_bytes()[1..], b"x", b"x"];
            let values = values.map(|value| ByteArray::from(value.to_vec()));
            column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        let mut source = open(&input(&writer.into_inner().unwrap()), Template::Records).unwrap();
        let mut row = csv::StringRecord::new();
        let mut next = || match source.next(&mut row).unwrap() {
            Next::Row { .. } => row.get(0).unwrap().to_owned(),
            Next::Unreadable { code, .. } => format!("{code:?}"),
            Next::End => "end".to_owned(),
        };
        assert_eq!([(); 6].map(|()| next()), ["医", "NotUtf8", "NotUtf8", "x", "x", "end"]);
    }

    fn read(bytes: &[u8]) -> Result<u64, ImportError> {
        count_rows(&input(bytes), Format::Parquet, Template::Records)
    }

    #[test]
    fn no_flipped_bit_of_a_file_makes_its_reader_panic() {
        let whole = file();
        assert_eq!(read(&whole).unwrap(), 4);
        let mut panicked = 0;
        for at in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            match read(&flipped) {
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
        let source = open(&input(&file()), Template::Records).unwrap();
        assert_eq!(source.csv_bytes(), Some(4 * CSV_BYTES_A_ROW));
    }

    #[test]
    fn the_error_of_a_file_that_is_not_parquet_repeats_none_of_its_content() {
        let error = open(&input(b"subject_code,measure\nH33030200090,x\n"), Template::Records).err().unwrap();
        assert!(matches!(error, ImportError::Parquet(_)), "{error}");
        assert!(!format!("{error:?}").contains("H33030200090"));
    }
}
