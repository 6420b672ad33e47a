//! Parquet bodies, read as pandas reads them: the index that pandas wrote is no column, texts are texts whatever their encoding.
//!
//! **Invariant:** a small file cannot become a large table. Rows and cells are counted before anything is decoded, and texts are looked
//! at where the file has them: one that stands once in the file and in a million cells is copied only as far as the limit allows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use lathe_core::{Code, Error, Result};
use lathe_serving::{Column, Table, Values};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;

use super::columns::check_cells;
use crate::limits::{BINARY_BYTES, check_columns, check_rows};

const BATCH_ROWS: usize = 4_096;
const DAY_MS: i64 = 86_400_000;

/// Reads a body.
///
/// # Errors
/// `InvalidArgument` for what is no Parquet file, or has a column that no table of a request can hold; `TooLarge`.
pub(crate) fn parse_parquet(body: &Bytes) -> Result<Table> {
    // The library is known to panic on some damaged files.
    let read = catch_unwind(AssertUnwindSafe(|| read(body)));
    read.unwrap_or_else(|_| Err(Error::invalid("the file is damaged"))).map_err(|error| {
        Error::new(
            error.code(),
            format!(
                "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid Parquet Pandas DataFrame \
                 produced using the `pandas.DataFrame.to_parquet()` method. Error: '{error}'"
            ),
        )
    })
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::invalid(error.to_string())
}

fn read(body: &Bytes) -> Result<Table> {
    // The schema that its writer kept beside Parquet's own says how the columns lay in memory there, which is no matter here.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let found = ArrowReaderMetadata::load(body, options).map_err(refused)?;
    let rows: i64 =
        found.metadata().row_groups().iter().map(|group| group.num_rows().max(0)).fold(0, i64::saturating_add);
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    check_rows(rows)?;
    let fields = found.schema().fields();
    check_columns(fields.len())?;
    check_cells(rows, fields.len())?;
    let index = index_of_pandas(found.metadata());
    let mut columns: Vec<Option<(String, Cells)>> = Vec::with_capacity(fields.len());
    for field in fields {
        let is_index = index.iter().any(|name| name == field.name());
        columns.push(if is_index { None } else { Some((field.name().clone(), Cells::of(field)?)) });
    }
    let viewed: Vec<Field> = fields.iter().map(viewed).collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(viewed)));
    let found = ArrowReaderMetadata::try_new(found.metadata().clone(), options).map_err(refused)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(body.clone(), found);
    let mut read_rows = 0;
    let mut left_bytes = BINARY_BYTES;
    for batch in builder.with_batch_size(BATCH_ROWS).build().map_err(refused)? {
        let batch = batch.map_err(refused)?;
        read_rows += batch.num_rows();
        check_rows(read_rows)?;
        for (column, array) in columns.iter_mut().zip(batch.columns()) {
            if let Some((name, cells)) = column {
                cells.push(name, array, &mut left_bytes)?;
            }
        }
    }
    let columns = columns.into_iter().flatten().map(|(name, cells)| Column { name, values: cells.into_values() });
    Ok(Table { columns: columns.collect() })
}

/// The field with its texts looked at in place.
fn viewed(field: &Arc<Field>) -> Field {
    let field = Field::clone(field);
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => field.with_data_type(DataType::Utf8View),
        DataType::Binary | DataType::LargeBinary => field.with_data_type(DataType::BinaryView),
        _ => field,
    }
}

/// The columns that pandas wrote as the table's index.
fn index_of_pandas(metadata: &ParquetMetaData) -> Vec<String> {
    let pairs = metadata.file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
    let text = pairs.iter().find(|pair| pair.key == "pandas").and_then(|pair| pair.value.as_deref());
    let written: Option<serde_json::Value> = text.and_then(|text| serde_json::from_str(text).ok());
    let index = written.as_ref().and_then(|written| written.get("index_columns")?.as_array());
    index.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The values of a column while it is read.
enum Cells {
    /// Nothing but missing values.
    Missing(usize),
    Floats(Vec<f64>),
    Ints(Vec<Option<i64>>),
    Bools(Vec<Option<bool>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    /// Milliseconds since 1970.
    Times(Vec<Option<i64>>),
}

impl Cells {
    fn of(field: &Field) -> Result<Self> {
        Ok(match field.data_type() {
            DataType::Null => Cells::Missing(0),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Cells::Floats(Vec::new()),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Cells::Ints(Vec::new()),
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => Cells::Ints(Vec::new()),
            DataType::Boolean => Cells::Bools(Vec::new()),
            DataType::Utf8 | DataType::LargeUtf8 => Cells::Texts(Vec::new()),
            DataType::Binary | DataType::LargeBinary => Cells::Bytes(Vec::new()),
            DataType::Date32 | DataType::Timestamp(..) => Cells::Times(Vec::new()),
            other => {
                let name = field.name();
                return Err(Error::invalid(format!(
                    "column `{name}` is of type {other}; columns may hold numbers, booleans, texts, bytes and times"
                )));
            }
        })
    }

    fn push(&mut self, name: &str, array: &ArrayRef, left_bytes: &mut usize) -> Result<()> {
        macro_rules! primitive {
            ($kind:ty) => {
                array.as_primitive::<$kind>().iter()
            };
        }
        macro_rules! floats {
            ($into:expr, $kind:ty) => {
                $into.extend(primitive!($kind).map(|value| value.map_or(f64::NAN, f64::from)))
            };
        }
        macro_rules! ints {
            ($into:expr, $kind:ty) => {
                $into.extend(primitive!($kind).map(|value| value.map(i64::from)))
            };
        }
        match (self, array.data_type()) {
            (Cells::Missing(count), _) => *count += array.len(),
            (Cells::Floats(into), DataType::Float16) => floats!(into, Float16Type),
            (Cells::Floats(into), DataType::Float32) => floats!(into, Float32Type),
            (Cells::Floats(into), DataType::Float64) => floats!(into, Float64Type),
            (Cells::Ints(into), DataType::Int8) => ints!(into, Int8Type),
            (Cells::Ints(into), DataType::Int16) => ints!(into, Int16Type),
            (Cells::Ints(into), DataType::Int32) => ints!(into, Int32Type),
            (Cells::Ints(into), DataType::Int64) => ints!(into, Int64Type),
            (Cells::Ints(into), DataType::UInt8) => ints!(into, UInt8Type),
            (Cells::Ints(into), DataType::UInt16) => ints!(into, UInt16Type),
            (Cells::Ints(into), DataType::UInt32) => ints!(into, UInt32Type),
            (Cells::Ints(into), DataType::UInt64) => {
                for value in primitive!(UInt64Type) {
                    into.push(value.map(|value| signed(name, value)).transpose()?);
                }
            }
            (Cells::Bools(into), DataType::Boolean) => into.extend(array.as_boolean().iter()),
            (Cells::Texts(into), DataType::Utf8View) => {
                for text in array.as_string_view() {
                    take(left_bytes, text.map_or(0, str::len))?;
                    into.push(text.map(str::to_owned));
                }
            }
            (Cells::Bytes(into), DataType::BinaryView) => {
                for bytes in array.as_binary_view() {
                    take(left_bytes, bytes.map_or(0, <[u8]>::len))?;
                    into.push(bytes.map(<[u8]>::to_vec));
                }
            }
            (Cells::Times(into), DataType::Date32) => {
                into.extend(primitive!(Date32Type).map(|days| days.map(|days| i64::from(days) * DAY_MS)));
            }
            (Cells::Times(into), DataType::Timestamp(TimeUnit::Millisecond, _)) => {
                into.extend(primitive!(TimestampMillisecondType));
            }
            (Cells::Times(into), DataType::Timestamp(TimeUnit::Microsecond, _)) => {
                into.extend(primitive!(TimestampMicrosecondType).map(|at| at.map(|at| at.div_euclid(1_000))));
            }
            (Cells::Times(into), DataType::Timestamp(TimeUnit::Nanosecond, _)) => {
                into.extend(primitive!(TimestampNanosecondType).map(|at| at.map(|at| at.div_euclid(1_000_000))));
            }
            (_, other) => return Err(Error::invalid(format!("column `{name}` came as {other}"))),
        }
        Ok(())
    }

    /// The values with the types that pandas gives them: whole numbers with missing ones among them are floating.
    fn into_values(self) -> Values {
        match self {
            Cells::Missing(count) => Values::Json(vec![None; count]),
            Cells::Floats(values) => Values::Float64(values),
            Cells::Ints(values) => match values.iter().copied().collect::<Option<Vec<i64>>>() {
                Some(whole) => Values::Int64(whole),
                #[expect(clippy::cast_precision_loss, reason = "as pandas does")]
                None => Values::Float64(values.iter().map(|value| value.map_or(f64::NAN, |it| it as f64)).collect()),
            },
            Cells::Bools(values) => match values.iter().copied().collect::<Option<Vec<bool>>>() {
                Some(known) => Values::Bool(known),
                None => Values::Json(values.iter().map(|value| value.map(|it| it.to_string())).collect()),
            },
            Cells::Texts(values) => Values::Text(values),
            Cells::Bytes(values) => Values::Binary(values),
            Cells::Times(values) => Values::Datetime(values),
        }
    }
}

fn signed(name: &str, value: u64) -> Result<i64> {
    i64::try_from(value)
        .map_err(|_| Error::invalid(format!("column `{name}` holds {value}, which needs 64 bits unsigned")))
}

fn take(left_bytes: &mut usize, length: usize) -> Result<()> {
    *left_bytes = left_bytes.checked_sub(length).ok_or_else(|| {
        Error::new(Code::TooLarge, format!("the texts of a request may have {BINARY_BYTES} bytes: send it in parts"))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow_array::{
        BinaryArray, BooleanArray, Float32Array, Int64Array, ListArray, RecordBatch, StringArray,
        TimestampNanosecondArray, UInt64Array,
    };
    use parquet::arrow::ArrowWriter;
    use parquet::basic::Compression;
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use proptest::prelude::*;

    use super::*;

    fn file(columns: Vec<(&str, ArrayRef)>, pandas: Option<&str>) -> Bytes {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let pandas = pandas.map(|text| vec![KeyValue::new("pandas".to_owned(), text.to_owned())]);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let properties = properties.set_key_value_metadata(pandas).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap().into()
    }

    fn sample() -> Bytes {
        file(
            vec![
                ("f", Arc::new(Float32Array::from(vec![Some(0.5), None]))),
                ("i", Arc::new(Int64Array::from(vec![1, -2]))),
                ("gap", Arc::new(Int64Array::from(vec![Some(1), None]))),
                ("b", Arc::new(BooleanArray::from(vec![true, false]))),
                ("maybe", Arc::new(BooleanArray::from(vec![Some(true), None]))),
                ("t", Arc::new(StringArray::from(vec![Some("é"), None]))),
                ("raw", Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None]))),
                ("at", Arc::new(TimestampNanosecondArray::from(vec![Some(1_500_000), Some(-1)]))),
                ("key", Arc::new(StringArray::from(vec!["x", "y"]))),
            ],
            Some(r#"{"index_columns": ["key", {"kind": "range"}]}"#),
        )
    }

    #[test]
    fn columns_have_the_types_that_pandas_gives_them_and_its_index_is_none() {
        let table = parse_parquet(&sample()).unwrap();
        let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["f", "i", "gap", "b", "maybe", "t", "raw", "at"]);
        let of = |name: &str| table.column(name).unwrap().values.clone();
        assert!(matches!(of("f"), Values::Float64(values) if values[0] == 0.5 && values[1].is_nan()));
        assert_eq!(of("i"), Values::Int64(vec![1, -2]));
        assert!(matches!(of("gap"), Values::Float64(values) if values[0] == 1.0 && values[1].is_nan()));
        assert_eq!(of("b"), Values::Bool(vec![true, false]));
        assert_eq!(of("maybe"), Values::Json(vec![Some("true".into()), None]));
        assert_eq!(of("t"), Values::Text(vec![Some("é".into()), None]));
        assert_eq!(of("raw"), Values::Binary(vec![Some(b"\xff".to_vec()), None]));
        assert_eq!(of("at"), Values::Datetime(vec![Some(1), Some(-1)]));
    }

    fn refusal(body: &Bytes) -> (Code, String) {
        let error = parse_parquet(body).unwrap_err();
        (error.code(), error.message().to_owned())
    }

    #[test]
    fn what_no_table_can_hold_is_named() {
        let whole = sample();
        for body in [Bytes::new(), Bytes::from_static(b"a,b\n1,2\n"), whole.slice(..whole.len() / 2)] {
            let (code, message) = refusal(&body);
            assert_eq!(code, Code::InvalidArgument, "{message}");
            assert!(message.contains("valid Parquet"), "{message}");
        }
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1)])]);
        assert!(refusal(&file(vec![("nested", Arc::new(lists))], None)).1.contains("column `nested` is of type List"));
        let large = file(vec![("big", Arc::new(UInt64Array::from(vec![u64::MAX])))], None);
        assert!(refusal(&large).1.contains("column `big` holds 18446744073709551615"));
        let long = file(vec![("n", Arc::new(Int64Array::from(vec![7; 100_001])))], None);
        assert_eq!(refusal(&long).0, Code::TooLarge);
    }

    #[test]
    fn a_text_that_stands_once_in_the_file_and_in_every_cell_is_bounded() {
        let text = "x".repeat(100_000);
        let texts = StringArray::from(vec![text.as_str(); 5_000]);
        let body = file(vec![("t", Arc::new(texts))], None);
        assert!(body.len() < 1_000_000, "{}", body.len());
        assert_eq!(refusal(&body).0, Code::TooLarge);
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut body = sample().to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            let _ = parse_parquet(&body.clone().into());
            body.drain(..cut.index(body.len()));
            let _ = parse_parquet(&body.into());
        }
    }
}
