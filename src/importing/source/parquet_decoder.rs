//! Decodes a Parquet file into batches of rows.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::SyncSender},
};

use parquet::{
    errors::{ParquetError, Result},
    file::{
        metadata::{ParquetMetaData, ParquetMetaDataReader},
        reader::ChunkReader,
    },
};

use super::{
    super::{ImportError, Template},
    page_limit::Pages,
    parquet_column::{Column, ROWS_AT_A_TIME, columns_of},
    row_block::{RowBlock, RowBlocks},
};

/// About how many bytes of text are decoded before they are handed over.
const BYTES_TOGETHER: usize = 1 << 20;

/// The next rows of a file; none at its end.
pub(super) type Decoded = std::result::Result<Option<RowBlocks>, ImportError>;

pub(super) fn failed(error: ParquetError) -> ImportError {
    ImportError::Parquet(Box::new(error))
}

/// Runs the library. It indexes and asserts by what a file claims of itself, so a damaged footer can make it panic: that
/// too is an error of the file. The file is not read again after an error, so no half-changed state is ever seen.
pub(super) fn guarded<T>(
    read: impl FnOnce() -> std::result::Result<T, ImportError>,
) -> std::result::Result<T, ImportError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(failed(ParquetError::General("the file contradicts itself".into()))))
}

pub(super) struct Decoder<R> {
    file: Arc<Pages<R>>,
    metadata: ParquetMetaData,
    columns: Vec<Column>,
    /// The next row group.
    group: usize,
    /// Rows of the present row group that are not read yet.
    left: usize,
    /// The line of the next row.
    line: u64,
    bytes: u64,
}

impl<R: ChunkReader + 'static> Decoder<R> {
    pub(super) fn open(file: R, template: Template) -> std::result::Result<Self, ImportError> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(failed)?;
        let file = Arc::new(Pages(file));
        let columns = columns_of(&file, &metadata, template)?;
        Ok(Self { file, metadata, columns, group: 0, left: 0, line: 2, bytes: 0 })
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The number of rows, as the file states it.
    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or(0)
    }

    /// Decodes the file to its end, to its first error, or until nobody receives the rows.
    pub(super) fn decode_all(mut self, to: &SyncSender<Decoded>) {
        let (mut decoded, mut size) = (RowBlocks::default(), 0);
        loop {
            match guarded(|| self.next().map_err(failed)) {
                Ok(Some(block)) => {
                    size += block.size() + block.rows;
                    decoded.blocks.push(block);
                    decoded.bytes = self.bytes;
                    if size < BYTES_TOGETHER {
                        continue;
                    }
                    size = 0;
                    if to.send(Ok(Some(std::mem::take(&mut decoded)))).is_err() {
                        return;
                    }
                }
                last => {
                    // The rows before an error are read, as they are in every format.
                    let rest = if decoded.blocks.is_empty() { Ok(()) } else { to.send(Ok(Some(decoded))) };
                    // Nobody receives the end if the source was dropped meanwhile.
                    let _ = rest.and_then(|()| to.send(last.map(|_| None)));
                    return;
                }
            }
        }
    }

    fn next(&mut self) -> Result<Option<RowBlock>> {
        while self.left == 0 {
            if self.group >= self.metadata.num_row_groups() {
                return Ok(None);
            }
            self.begin_group()?;
        }
        let rows = self.left.min(ROWS_AT_A_TIME);
        let columns = self.columns.iter_mut().map(|column| column.read(rows).map_err(|error| column.named(&error)));
        let columns = columns.collect::<Result<_>>()?;
        self.left -= rows;
        let line = self.line;
        self.line += u64::try_from(rows).unwrap_or(0);
        Ok(Some(RowBlock { line, rows, columns }))
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
