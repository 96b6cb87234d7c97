//! Parquet files for tests.

use parquet::basic::Compression;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// A column's values.
pub enum Given {
    Small(Vec<i32>),
    Whole(Vec<i64>),
    /// Of an optional column.
    Real(Vec<Option<f64>>),
    Text(Vec<String>),
    Truth(Vec<bool>),
    Short(Vec<f32>),
    Fixed(Vec<Vec<u8>>),
    /// Of a column `[[price, size], …]`, lists of two optional levels, each with a value.
    Lists(Vec<Vec<[f64; 2]>>),
}

/// A schema's column of lists.
pub fn list(name: &str) -> String {
    format!(
        "optional group {name} (LIST) {{ repeated group list {{ optional group element (LIST) {{ \
         repeated group list {{ optional double element; }} }} }} }}"
    )
}

fn part<T: Clone>(values: &[T], from: usize, rows: usize) -> Vec<T> {
    values.iter().skip(from).take(rows).cloned().collect()
}

/// Writes a file of row groups of so many rows.
pub fn write(path: &Path, fields: &str, columns: &[Given], rows: usize, group_rows: usize, compression: Compression) {
    write_as(path, fields, columns, rows, group_rows, WriterProperties::builder().set_compression(compression).build());
}

/// The same with all properties.
pub fn write_as(
    path: &Path,
    fields: &str,
    columns: &[Given],
    rows: usize,
    group_rows: usize,
    properties: WriterProperties,
) {
    let schema = Arc::new(parse_message_type(&format!("message table {{ {fields} }}")).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    for from in (0..rows).step_by(group_rows) {
        let mut group = writer.next_row_group().unwrap();
        for given in columns {
            let mut column = group.next_column().unwrap().unwrap();
            match given {
                Given::Small(values) => {
                    column.typed::<Int32Type>().write_batch(&part(values, from, group_rows), None, None)
                }
                Given::Whole(values) => {
                    column.typed::<Int64Type>().write_batch(&part(values, from, group_rows), None, None)
                }
                Given::Short(values) => {
                    column.typed::<FloatType>().write_batch(&part(values, from, group_rows), None, None)
                }
                Given::Truth(values) => {
                    column.typed::<BoolType>().write_batch(&part(values, from, group_rows), None, None)
                }
                Given::Text(values) => {
                    let values: Vec<ByteArray> =
                        part(values, from, group_rows).into_iter().map(|text| text.into_bytes().into()).collect();
                    column.typed::<ByteArrayType>().write_batch(&values, None, None)
                }
                Given::Fixed(values) => {
                    let values: Vec<FixedLenByteArray> =
                        part(values, from, group_rows).into_iter().map(|bytes| ByteArray::from(bytes).into()).collect();
                    column.typed::<FixedLenByteArrayType>().write_batch(&values, None, None)
                }
                Given::Real(values) => {
                    let values = part(values, from, group_rows);
                    let levels: Vec<i16> = values.iter().map(|value| value.is_some().into()).collect();
                    let values: Vec<f64> = values.into_iter().flatten().collect();
                    column.typed::<DoubleType>().write_batch(&values, Some(&levels), None)
                }
                Given::Lists(lists) => {
                    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
                    for list in part(lists, from, group_rows) {
                        if list.is_empty() {
                            definitions.push(1);
                            repetitions.push(0);
                        }
                        for (at, pair) in list.into_iter().enumerate() {
                            values.extend(pair);
                            definitions.extend([5, 5]);
                            repetitions.extend([i16::from(at > 0), 2]);
                        }
                    }
                    column.typed::<DoubleType>().write_batch(&values, Some(&definitions), Some(&repetitions))
                }
            }
            .unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}
