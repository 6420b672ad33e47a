//! `{"predictions": …}`: an answer as MLflow's scoring server writes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lathe_core::Result;
use lathe_serving::{Column, Outputs, Table, Tensor, Values};

use crate::json;
use crate::tensors;

/// Writes the body of an answer. Rows of a table are objects; an array is nested lists; several arrays are an object of them.
///
/// # Errors
/// `InvalidArgument` for byte strings that no JSON can hold.
pub(crate) fn write_predictions(outputs: &Outputs) -> Result<Vec<u8>> {
    let mut out = b"{\"predictions\": ".to_vec();
    match outputs {
        Outputs::Table(table) => write_records(&mut out, table),
        Outputs::Tensors(tensors) => write_tensors(&mut out, tensors)?,
        Outputs::Json(text) => out.extend_from_slice(text.as_bytes()),
    }
    out.push(b'}');
    Ok(out)
}

fn write_tensors(out: &mut Vec<u8>, tensors: &[Tensor]) -> Result<()> {
    if let [tensor] = tensors
        && tensor.name.is_empty()
    {
        return tensors::write_nested(out, tensor);
    }
    out.push(b'{');
    for (at, tensor) in tensors.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::write_text(out, &tensor.name);
        out.push(b':');
        tensors::write_nested(out, tensor)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_records(out: &mut Vec<u8>, table: &Table) {
    let rows: Vec<usize> = (0..table.rows()).collect();
    json::write_list(out, &rows, |out, row| {
        out.push(b'{');
        for (at, Column { name, values }) in table.columns.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            json::write_text(out, name);
            out.push(b':');
            write_cell(out, values, *row);
        }
        out.push(b'}');
    });
}

fn write_cell(out: &mut Vec<u8>, values: &Values, row: usize) {
    let written = match values {
        Values::Float64(values) => values.get(row).map(|value| json::write_float(out, *value)),
        Values::Int64(values) => values.get(row).map(|value| json::write_display(out, value)),
        Values::Bool(values) => values.get(row).map(|value| json::write_bool(out, *value)),
        Values::Text(values) => present(values, row).map(|value| json::write_text(out, value)),
        // MLflow breaks base64 into lines as MIME does, and ends with a line break.
        Values::Binary(values) => present(values, row).map(|value| json::write_text(out, &mime_base64(value))),
        Values::Datetime(values) => {
            present(values, row).map(|value| json::write_text(out, &crate::time::iso_8601(*value)))
        }
        Values::Json(values) => present(values, row).map(|value| out.extend_from_slice(value.as_bytes())),
    };
    if written.is_none() {
        out.extend_from_slice(b"null");
    }
}

fn present<T>(values: &[Option<T>], row: usize) -> Option<&T> {
    values.get(row).and_then(Option::as_ref)
}

fn mime_base64(value: &[u8]) -> String {
    let encoded = STANDARD.encode(value);
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / 76 + 1);
    for (at, character) in encoded.chars().enumerate() {
        if at > 0 && at % 76 == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    if !lines.is_empty() {
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lathe_serving::Datatype;

    use super::*;

    fn written(outputs: &Outputs) -> String {
        String::from_utf8(write_predictions(outputs).unwrap()).unwrap()
    }

    fn column(name: &str, values: Values) -> Column {
        Column { name: name.to_owned(), values }
    }

    #[test]
    fn numbers_are_written_as_python_does_and_other_answers_as_they_are() {
        let values = Values::Float64(vec![1.0, f64::NAN, 1e-7, f64::NEG_INFINITY]);
        let table = Table { columns: vec![column("0", values)] };
        let expected = "{\"predictions\": [{\"0\":1.0},{\"0\":NaN},{\"0\":1e-7},{\"0\":-Infinity}]}";
        assert_eq!(written(&Outputs::Table(table)), expected);
        assert_eq!(written(&Outputs::Json("{\"a\":[1]}".to_owned())), "{\"predictions\": {\"a\":[1]}}");
    }

    #[test]
    fn a_table_is_a_list_of_objects() {
        let table = Table {
            columns: vec![
                column("a", Values::Int64(vec![1, 2])),
                column("b", Values::Text(vec![Some("x\"".into()), None])),
                column("c", Values::Json(vec![Some("[1,{\"d\":null}]".into()), None])),
                column("d", Values::Binary(vec![Some(b"ab".to_vec()), None])),
                column("e", Values::Datetime(vec![Some(0), None])),
            ],
        };
        let expected = concat!(
            r#"{"predictions": [{"a":1,"b":"x\"","c":[1,{"d":null}],"d":"YWI=\n","e":"1970-01-01T00:00:00"},"#,
            r#"{"a":2,"b":null,"c":null,"d":null,"e":null}]}"#
        );
        assert_eq!(written(&Outputs::Table(table)), expected);
    }

    #[test]
    fn arrays_are_nested_lists_and_several_have_names() {
        let tensor = |name: &str, shape: Vec<i64>| {
            Tensor::new(name.to_owned(), Datatype::Uint8, shape, Bytes::from_static(&[1, 2])).unwrap()
        };
        assert_eq!(written(&Outputs::Tensors(vec![tensor("", vec![1, 2])])), "{\"predictions\": [[1,2]]}");
        let two = Outputs::Tensors(vec![tensor("x", vec![2]), tensor("y", vec![2, 1])]);
        assert_eq!(written(&two), "{\"predictions\": {\"x\":[1,2],\"y\":[[1],[2]]}}");
        let nothing = Tensor::new(String::new(), Datatype::Uint8, vec![i64::MAX, 0], Bytes::new()).unwrap();
        assert_eq!(written(&Outputs::Tensors(vec![nothing])), "{\"predictions\": []}");
    }
}
