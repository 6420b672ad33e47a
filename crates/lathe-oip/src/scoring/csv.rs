//! CSV bodies, read as pandas reads them: a header line, the usual words for missing. What a column holds is said by the model.

use lathe_core::{Error, Result};
use lathe_serving::{Column, Table, Values};

use crate::limits::{check_columns, check_rows};

/// What stands for a missing value, as `pandas.read_csv` has it.
const MISSING: [&str; 18] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan",
];
const MISSING_TOO: &str = "null";

/// Reads a body.
///
/// # Errors
/// `InvalidArgument` for what is no UTF-8, has no header, or has a row longer than the header; `TooLarge`.
pub(crate) fn parse_csv(body: &[u8]) -> Result<Table> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Error::invalid(format!("Invalid input. Ensure that input is a valid UTF-8 encoded string. Error: '{error}'"))
    })?;
    read(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|error| {
        Error::new(
            error.code(),
            format!(
                "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid CSV-formatted Pandas DataFrame \
                 produced using the `pandas.DataFrame.to_csv()` method. Error: '{error}'"
            ),
        )
    })
}

fn read(text: &str) -> Result<Table> {
    let mut reader = csv::ReaderBuilder::new().has_headers(true).flexible(true).from_reader(text.as_bytes());
    let broken = |error: csv::Error| Error::invalid(error.to_string());
    let header = reader.headers().map_err(broken)?.clone();
    if header.is_empty() {
        return Err(Error::invalid("No columns to parse from file"));
    }
    check_columns(header.len())?;
    let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); header.len()];
    let mut rows = 0;
    for record in reader.records() {
        let record = record.map_err(broken)?;
        rows += 1;
        check_rows(rows)?;
        if record.len() > header.len() {
            let line = record.position().map_or(rows, |position| usize::try_from(position.line()).unwrap_or(rows));
            return Err(Error::invalid(format!(
                "Expected {} fields in line {line}, saw {}",
                header.len(),
                record.len()
            )));
        }
        // A row that ends early lacks the rest.
        for (at, column) in columns.iter_mut().enumerate() {
            column.push(record.get(at).filter(|field| !is_missing(field)).map(str::to_owned));
        }
    }
    let columns = names(&header).into_iter().zip(columns);
    Ok(Table { columns: columns.map(|(name, fields)| Column { name, values: Values::Text(fields) }).collect() })
}

fn is_missing(field: &str) -> bool {
    MISSING.contains(&field) || field == MISSING_TOO
}

/// A name that stands again gets a number, one that is missing its position.
fn names(header: &csv::StringRecord) -> Vec<String> {
    let mut taken = std::collections::HashMap::new();
    let mut names = Vec::with_capacity(header.len());
    for (at, name) in header.iter().enumerate() {
        let base = if name.is_empty() { format!("Unnamed: {at}") } else { name.to_owned() };
        let count: &mut usize = taken.entry(base.clone()).or_default();
        names.push(if *count == 0 { base } else { format!("{base}.{count}") });
        *count += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use lathe_serving::{Encoding, Given, Inputs, Signature, validate};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_and_missing_values_are_those_of_pandas() {
        let table = parse_csv(b"a,b,c,d,e,a\n1,True,\"x, \"\"y\"\"\",,1.5,1e400\n2,False,NA,,2,-inf\n").unwrap();
        let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e", "a.1"]);
        let given = Given { inputs: Inputs::Table(table), encoding: Encoding::Csv };
        let Ok(Inputs::Table(table)) = validate(&Signature::default(), given) else { panic!("no table") };
        let kinds: Vec<&str> = table.columns.iter().map(|column| column.values.kind()).collect();
        assert_eq!(kinds, ["long", "boolean", "string", "double", "double", "double"]);
        assert_eq!(table.columns[2].values, Values::Text(vec![Some("x, \"y\"".into()), None]));
        assert_eq!(table.columns[5].values, Values::Float64(vec![f64::INFINITY, f64::NEG_INFINITY]));
    }

    #[test]
    fn empty_lines_do_not_count_and_short_rows_lack_the_rest() {
        let table = parse_csv(b"a,b\n\n1,2\n3\n").unwrap();
        assert_eq!(table.rows(), 2);
        assert_eq!(table.columns[1].values, Values::Text(vec![Some("2".into()), None]));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (body, words) in [
            (&b""[..], "No columns to parse"),
            (b"a,b\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3"),
            (b"\xff", "valid UTF-8"),
        ] {
            let error = parse_csv(body).unwrap_err();
            assert!(error.message().contains(words), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_csv(&bytes);
        }
    }
}
