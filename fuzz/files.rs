//! Files that come in: the collection templates as CSV and as Parquet.

use medcredit::importing::{Encoding, Format, Input, Template, count_rows};

use crate::edits_of;

const RECORDS: &str = "subject_code,measure,value,occurred_on,source,reference\n\
H33030200090,insurance_commendation,1,2026-01-05,医保局,温医保〔2026〕7号\n\
H33030200090,fund_used,1234567.0375,2026-01-05,\"医,保\"\"局\",\n";

fn read(bytes: &[u8], format: Format) {
    let input = Input::Memory { name: "records".into(), bytes: bytes.to_vec().into() };
    if let Ok(rows) = count_rows(&input, format, Template::Records) {
        assert!(rows <= 1 << 20, "{rows} rows of {} bytes", bytes.len());
    }
}

#[test]
fn csv() {
    edits_of!(RECORDS.into(), |bytes| read(bytes, Format::Csv(Encoding::Utf8)));
}

#[test]
fn csv_in_gb18030() {
    edits_of!(encoding_rs::GB18030.encode(RECORDS).0.into_owned(), |bytes| {
        read(bytes, Format::Csv(Encoding::Gb18030));
    });
}

#[test]
fn csv_in_any_encoding() {
    edits_of!(RECORDS.encode_utf16().flat_map(u16::to_le_bytes).collect(), |bytes| {
        read(bytes, Format::Csv(Encoding::Detected));
    });
}

#[test]
fn workbook() {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, line) in (0u32..).zip(RECORDS.lines().take(2)) {
        for (column, cell) in (0u16..).zip(line.split(',')) {
            sheet.write_string(row, column, cell).unwrap();
        }
    }
    edits_of!(workbook.save_to_buffer().unwrap(), |bytes| read(bytes, Format::Workbook));
}

#[cfg(feature = "parquet")]
mod parquet_files {
    use std::sync::Arc;

    use medcredit::importing::Format;
    use parquet::{
        basic::{Compression, ZstdLevel},
        data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type},
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };

    use super::read;
    use crate::edits_of;

    /// A file of credit facts with columns of every kind of type, in two row groups.
    fn file(compression: Compression) -> Vec<u8> {
        const SCHEMA: &str = "message rows { required binary subject_code (STRING); optional binary measure (STRING); \
            optional int64 value (DECIMAL(18,4)); optional int32 occurred_on (DATE); optional binary source (STRING); \
            optional binary reference; }";
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
        for _ in 0..2 {
            let mut group = writer.next_row_group().unwrap();
            for column in 0..6 {
                let mut writer = group.next_column().unwrap().unwrap();
                let texts = ["H33030200090", "H33030200091"].map(ByteArray::from);
                match column {
                    0 => writer.typed::<ByteArrayType>().write_batch(&texts, None, None),
                    2 => writer.typed::<Int64Type>().write_batch(&[10_000, -5], Some(&[1, 1]), None),
                    3 => writer.typed::<Int32Type>().write_batch(&[20_458], Some(&[1, 0]), None),
                    _ => writer.typed::<ByteArrayType>().write_batch(&texts, Some(&[1, 1]), None),
                }
                .unwrap();
                writer.close().unwrap();
            }
            group.close().unwrap();
        }
        writer.into_inner().unwrap()
    }

    #[test]
    fn parquet() {
        edits_of!(file(Compression::UNCOMPRESSED), |bytes| read(bytes, Format::Parquet));
    }

    #[test]
    fn parquet_compressed() {
        edits_of!(file(Compression::ZSTD(ZstdLevel::default())), |bytes| read(bytes, Format::Parquet));
    }

    #[test]
    fn parquet_footer() {
        // The last bytes: the footer, its length and the magic number. The pages before them stay whole.
        edits_of!(file(Compression::SNAPPY), |bytes| {
            let whole = file(Compression::SNAPPY);
            let kept = whole.len().saturating_sub(whole.len().min(600)).min(bytes.len());
            let mut spliced = whole.get(..kept).unwrap_or_default().to_vec();
            spliced.extend_from_slice(bytes.get(kept..).unwrap_or_default());
            read(&spliced, Format::Parquet);
        });
    }
}
