//! Samples as Parquet, and tables from CSV and Parquet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use lathe_core::{Error, Result};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::profile::{ColumnKind, MAX_COLUMNS};
use crate::sample::parse_time;
use crate::sketch::category_of;
use crate::{Column, Part, Sample, Table, Values};

const DAY_MS: f64 = 86_400_000.0;
/// How many rows of a CSV file are one table.
const CSV_ROWS: usize = 4_096;

fn fault(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("a file of samples").with_source(error)
}

/// Writes the rows of samples as one Parquet file: `request_id`, `client_request_id`, `row`, `at_ms`, `latency_us`, and each column
/// as `input.<name>` or `output.<name>`. A name that came with values of two kinds has a second column, `….text`.
pub(crate) fn write_samples(samples: &[Sample]) -> Result<Vec<u8>> {
    let rows = || samples.iter().flat_map(|sample| (0..rows_of(sample)).map(move |row| (sample, row)));
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut push = |name: String, kind: DataType, array: ArrayRef| {
        fields.push(Field::new(name, kind, true));
        arrays.push(array);
    };
    let texts = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let numbers = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    push("request_id".into(), DataType::Utf8, texts(rows().map(|(it, _)| Some(it.request_id.as_str())).collect()));
    push(
        "client_request_id".into(),
        DataType::Utf8,
        texts(rows().map(|(it, _)| it.client_request_id.as_deref()).collect()),
    );
    let row_numbers = rows().map(|(_, row)| i64::try_from(row).unwrap_or(i64::MAX)).collect();
    push("row".into(), DataType::Int64, numbers(row_numbers));
    push("at_ms".into(), DataType::Int64, numbers(rows().map(|(it, _)| it.at_ms).collect()));
    push("latency_us".into(), DataType::Int64, numbers(rows().map(|(it, _)| it.latency_us).collect()));
    for ((part, name, kind), has_twin) in columns_of(samples) {
        let suffix = if has_twin && kind == ColumnKind::Category { ".text" } else { "" };
        let title = format!("{}.{name}{suffix}", part.as_str());
        let (kind, array) = column_array(samples, part, &name, kind);
        push(title, kind, array);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(fault)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).map_err(fault)?;
    writer.write(&batch).map_err(fault)?;
    writer.into_inner().map_err(fault)
}

pub(crate) fn rows_of(sample: &Sample) -> usize {
    sample.inputs.rows().max(sample.outputs.rows())
}

fn table_of(sample: &Sample, part: Part) -> &Table {
    match part {
        Part::Input => &sample.inputs,
        Part::Output => &sample.outputs,
    }
}

/// All columns, each with whether its name came with the other kind too.
fn columns_of(samples: &[Sample]) -> BTreeMap<(Part, String, ColumnKind), bool> {
    let mut columns = BTreeMap::new();
    for sample in samples {
        for part in [Part::Input, Part::Output] {
            for column in table_of(sample, part).columns() {
                if columns.len() >= MAX_COLUMNS {
                    break;
                }
                columns.insert((part, column.name.clone(), kind_of(&column.values)), false);
            }
        }
    }
    let keys: Vec<_> = columns.keys().cloned().collect();
    for pair in keys.windows(2) {
        if let [(part, name, _), (other_part, other_name, other_kind)] = pair
            && part == other_part
            && name == other_name
        {
            columns.insert((*other_part, other_name.clone(), *other_kind), true);
        }
    }
    columns
}

fn kind_of(values: &Values) -> ColumnKind {
    match values {
        Values::Numbers(_) => ColumnKind::Number,
        Values::Texts(_) | Values::Booleans(_) => ColumnKind::Category,
    }
}

fn column_array(samples: &[Sample], part: Part, name: &str, kind: ColumnKind) -> (DataType, ArrayRef) {
    let found = |sample: &Sample| {
        let table = table_of(sample, part);
        // A table without rows has nothing to say of a request that has some.
        let column = table.column(name).filter(|_| table.rows() == rows_of(sample));
        column.filter(|column| kind_of(&column.values) == kind).map(|it| it.values.clone())
    };
    if kind == ColumnKind::Number {
        let mut numbers: Vec<Option<f64>> = Vec::new();
        for sample in samples {
            match found(sample) {
                Some(Values::Numbers(values)) => {
                    numbers.extend(values.into_iter().map(|value| Some(value).filter(|value| !value.is_nan())));
                }
                _ => numbers.extend(std::iter::repeat_n(None, rows_of(sample))),
            }
        }
        return (DataType::Float64, Arc::new(Float64Array::from(numbers)));
    }
    let is_boolean = samples.iter().filter_map(found).all(|values| matches!(values, Values::Booleans(_)));
    let mut texts: Vec<Option<String>> = Vec::new();
    let mut booleans: Vec<Option<bool>> = Vec::new();
    for sample in samples {
        match found(sample) {
            Some(Values::Booleans(values)) if is_boolean => booleans.extend(values),
            Some(Values::Booleans(values)) => {
                texts.extend(values.into_iter().map(|value| value.map(|it| it.to_string())))
            }
            Some(Values::Texts(values)) => texts.extend(values),
            _ => {
                booleans.extend(std::iter::repeat_n(None, rows_of(sample)));
                texts.extend(std::iter::repeat_n(None, rows_of(sample)));
            }
        }
    }
    if is_boolean {
        return (DataType::Boolean, Arc::new(BooleanArray::from(booleans)));
    }
    (DataType::Utf8, Arc::new(StringArray::from(texts)))
}

/// Reads a Parquet file, batch by batch. A column is of the kind that `kind_of` tells, and else of its own; those of other types than
/// numbers, times (in milliseconds since 1970), texts and booleans are left out. `unread` gets the names of those that had a value which is
/// not of their kind.
///
/// # Errors
/// `InvalidArgument` when it is none.
pub(crate) fn read_parquet(
    bytes: Bytes,
    kind_of: &impl Fn(&str) -> Option<ColumnKind>,
    unread: &mut BTreeSet<String>,
    each: &mut impl FnMut(Table) -> Result<()>,
) -> Result<()> {
    let refused = |error: String| Error::invalid(format!("this is not a Parquet file that can be read: {error}"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| refused(error.to_string()))?;
    for batch in reader.build().map_err(|error| refused(error.to_string()))? {
        let batch = batch.map_err(|error| refused(error.to_string()))?;
        let schema = batch.schema();
        let named = schema.fields().iter().zip(batch.columns());
        let mut column = |(field, array): (&Arc<Field>, &ArrayRef)| {
            let (name, values) = (field.name().clone(), values_of(array)?);
            let values = match kind_of(&name) {
                Some(kind) => as_kind(&name, &values, kind, unread),
                None => values,
            };
            Some(Column { name, values })
        };
        let columns = named.filter(|(field, _)| field.name() != "__index_level_0__").filter_map(&mut column);
        each(Table::new(columns.collect())?)?;
    }
    Ok(())
}

/// Values as ones of a kind; what cannot be of it is missing. Notes a column that had such a value.
fn as_kind(name: &str, values: &Values, kind: ColumnKind, unread: &mut BTreeSet<String>) -> Values {
    match (values, kind) {
        (Values::Texts(texts), ColumnKind::Number) => {
            let numbers: Vec<f64> = texts.iter().map(|text| text.as_deref().map_or(f64::NAN, number_of)).collect();
            if texts.iter().zip(&numbers).any(|(text, number)| text.is_some() && number.is_nan()) {
                unread.insert(name.to_owned());
            }
            Values::Numbers(numbers)
        }
        (Values::Booleans(booleans), ColumnKind::Number) => {
            Values::Numbers(booleans.iter().map(|it| it.map_or(f64::NAN, |it| f64::from(u8::from(it)))).collect())
        }
        (Values::Numbers(numbers), ColumnKind::Category) => {
            Values::Texts(numbers.iter().map(|number| (!number.is_nan()).then(|| number.to_string())).collect())
        }
        (values, _) => values.clone(),
    }
}

/// A number, a boolean as one, or a time as it is sampled.
fn number_of(text: &str) -> f64 {
    match category_of(text) {
        "true" => 1.0,
        "false" => 0.0,
        text => text.parse().ok().or_else(|| parse_time(text)).unwrap_or(f64::NAN),
    }
}

fn values_of(array: &ArrayRef) -> Option<Values> {
    macro_rules! numbers {
        ($kind:ty) => {
            numbers!($kind, |it| it as f64)
        };
        ($kind:ty, $number:expr) => {
            Values::Numbers(array.as_primitive::<$kind>().iter().map(|it| it.map_or(f64::NAN, $number)).collect())
        };
    }
    Some(match array.data_type() {
        DataType::Null => Values::Numbers(vec![f64::NAN; array.len()]),
        DataType::Float64 => numbers!(Float64Type),
        DataType::Float32 => numbers!(Float32Type),
        DataType::Float16 => numbers!(Float16Type, f64::from),
        DataType::Int8 => numbers!(Int8Type),
        DataType::Int16 => numbers!(Int16Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => numbers!(Int64Type),
        DataType::UInt8 => numbers!(UInt8Type),
        DataType::UInt16 => numbers!(UInt16Type),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::UInt64 => numbers!(UInt64Type),
        DataType::Decimal32(_, scale) => numbers!(Decimal32Type, |it| it as f64 / 10_f64.powi((*scale).into())),
        DataType::Decimal64(_, scale) => numbers!(Decimal64Type, |it| it as f64 / 10_f64.powi((*scale).into())),
        DataType::Decimal128(_, scale) => numbers!(Decimal128Type, |it| it as f64 / 10_f64.powi((*scale).into())),
        DataType::Date32 => numbers!(Date32Type, |days| f64::from(days) * DAY_MS),
        DataType::Date64 => numbers!(Date64Type),
        DataType::Timestamp(TimeUnit::Second, _) => numbers!(TimestampSecondType, |at| at as f64 * 1e3),
        DataType::Timestamp(TimeUnit::Millisecond, _) => numbers!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            numbers!(TimestampMicrosecondType, |at| at.div_euclid(1_000) as f64)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            numbers!(TimestampNanosecondType, |at| at.div_euclid(1_000_000) as f64)
        }
        DataType::Boolean => Values::Booleans(array.as_boolean().iter().collect()),
        DataType::Utf8 => Values::Texts(array.as_string::<i32>().iter().map(|it| it.map(str::to_owned)).collect()),
        DataType::LargeUtf8 => Values::Texts(array.as_string::<i64>().iter().map(|it| it.map(str::to_owned)).collect()),
        DataType::Utf8View => Values::Texts(array.as_string_view().iter().map(|it| it.map(str::to_owned)).collect()),
        // What pandas calls categorical.
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let known = values_of(dictionary.values())?;
            if known.is_empty() {
                return Some(Values::Texts(vec![None; array.len()]));
            }
            let keys = dictionary.normalized_keys();
            let at = |row: usize| keys.get(row).copied().filter(|_| !array.is_null(row));
            let rows = 0..array.len();
            match known {
                Values::Numbers(known) => {
                    let number = |row| at(row).and_then(|key| known.get(key).copied()).unwrap_or(f64::NAN);
                    Values::Numbers(rows.map(number).collect())
                }
                Values::Texts(known) => Values::Texts(rows.map(|row| known.get(at(row)?).cloned().flatten()).collect()),
                Values::Booleans(known) => {
                    Values::Booleans(rows.map(|row| known.get(at(row)?).copied().flatten()).collect())
                }
            }
        }
        _ => return None,
    })
}

/// Reads a CSV file with a header. A column is of the kind that `kind_of` tells, and else of numbers when its values among the first
/// 4,096 rows are; empty fields and `NA`, `NaN` and `null` are missing. `unread` gets the names of those that had a value which is not of their
/// kind.
///
/// # Errors
/// `InvalidArgument` when it is none.
pub(crate) fn read_csv(
    bytes: &[u8],
    kind_of: &impl Fn(&str) -> Option<ColumnKind>,
    unread: &mut BTreeSet<String>,
    each: &mut impl FnMut(Table) -> Result<()>,
) -> Result<()> {
    let refused = |error: csv::Error| Error::invalid(format!("this is not a CSV file that can be read: {error}"));
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let names: Vec<String> = reader.headers().map_err(refused)?.iter().map(str::to_owned).collect();
    let mut kinds: Option<Vec<ColumnKind>> = None;
    let mut fields: Vec<Vec<Option<String>>> = vec![Vec::new(); names.len()];
    let mut flush = |fields: &mut Vec<Vec<Option<String>>>| -> Result<()> {
        let kinds = kinds.get_or_insert_with(|| {
            let seen = |values: &Vec<Option<String>>| match values.iter().flatten().all(|it| it.parse::<f64>().is_ok())
            {
                true => ColumnKind::Number,
                false => ColumnKind::Category,
            };
            names
                .iter()
                .zip(fields.iter())
                .map(|(name, values)| kind_of(name).unwrap_or_else(|| seen(values)))
                .collect()
        });
        let mut columns = Vec::with_capacity(names.len());
        for ((name, values), kind) in names.iter().zip(fields.iter_mut()).zip(kinds.iter()) {
            let values = as_kind(name, &Values::Texts(std::mem::take(values)), *kind, unread);
            // The index that pandas writes has no name.
            if !name.is_empty() {
                columns.push(Column { name: name.clone(), values });
            }
        }
        each(Table::new(columns)?)
    };
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(refused)? {
        for (values, text) in fields.iter_mut().zip(record.iter()) {
            let is_missing = matches!(text, "" | "NA" | "NaN" | "nan" | "null");
            values.push((!is_missing).then(|| text.to_owned()));
        }
        if fields.first().is_some_and(|values| values.len() >= CSV_ROWS) {
            flush(&mut fields)?;
        }
    }
    if fields.first().is_some_and(|values| !values.is_empty()) {
        flush(&mut fields)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_becomes_columns_with_missing_values() {
        let mut tables = Vec::new();
        read_csv(b"a,b\n1,x\n,y\n2.5,\n", &|_| None, &mut BTreeSet::new(), &mut |table| {
            tables.push(table);
            Ok(())
        })
        .unwrap();
        assert_eq!(tables.len(), 1);
        let Values::Numbers(a) = &tables[0].column("a").unwrap().values else { panic!("numbers") };
        assert!(a[0] == 1.0 && a[1].is_nan() && a[2] == 2.5);
        let texts = Values::Texts(vec![Some("x".into()), Some("y".into()), None]);
        assert_eq!(tables[0].column("b").unwrap().values, texts);
    }

    #[test]
    fn a_column_of_numbers_takes_booleans_as_numbers() {
        let mut values = Vec::new();
        read_csv(
            b"a\nTrue\nfalse\n2\nmaybe\n",
            &|_| Some(ColumnKind::Number),
            &mut BTreeSet::new(),
            &mut |table: Table| {
                values.push(table.column("a").unwrap().values.clone());
                Ok(())
            },
        )
        .unwrap();
        let [Values::Numbers(numbers)] = values.as_slice() else { panic!("one table of numbers") };
        assert_eq!(numbers[..3], [1.0, 0.0, 2.0]);
        assert!(numbers[3].is_nan());
    }

    #[test]
    fn what_is_no_parquet_is_refused() {
        let error =
            read_parquet(Bytes::from_static(b"PAR1 no"), &|_| None, &mut BTreeSet::new(), &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.code(), lathe_core::Code::InvalidArgument);
    }
}
