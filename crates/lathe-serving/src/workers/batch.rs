//! Several requests as one question, and the answer back to each. Pure.

use bytes::{Bytes, BytesMut};

use crate::payload::{Column, Datatype, Inputs, Outputs, Table, Tensor, Values};

/// Whether two requests can be one question: the same columns of the same kinds, or the same tensors but for the rows.
pub(super) fn is_alike(one: &Inputs, other: &Inputs) -> bool {
    match (one, other) {
        (Inputs::Table(one), Inputs::Table(other)) => {
            one.columns.len() == other.columns.len()
                && one
                    .columns
                    .iter()
                    .zip(&other.columns)
                    .all(|(one, other)| one.name == other.name && one.values.kind() == other.values.kind())
        }
        (Inputs::Tensors(one), Inputs::Tensors(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| {
                    one.name == other.name
                        && one.datatype == other.datatype
                        && !one.shape.is_empty()
                        && one.shape.get(1..) == other.shape.get(1..)
                        && one.shape.len() == other.shape.len()
                })
                && has_one_row_count(one)
                && has_one_row_count(other)
        }
        _ => false,
    }
}

fn has_one_row_count(tensors: &[Tensor]) -> bool {
    tensors.windows(2).all(|pair| matches!(pair, [one, other] if one.rows() == other.rows()))
}

/// Requests that are alike, one below the other.
pub(super) fn merge(requests: &[&Inputs]) -> Option<Inputs> {
    match requests.first()? {
        Inputs::Table(first) => {
            let mut merged = first.clone();
            for request in requests.iter().skip(1) {
                let Inputs::Table(table) = request else { return None };
                for (column, more) in merged.columns.iter_mut().zip(&table.columns) {
                    append(&mut column.values, &more.values)?;
                }
            }
            Some(Inputs::Table(merged))
        }
        Inputs::Tensors(first) => {
            let mut merged = Vec::with_capacity(first.len());
            for (index, tensor) in first.iter().enumerate() {
                let mut data = BytesMut::new();
                let mut rows = 0;
                for request in requests {
                    let Inputs::Tensors(tensors) = request else { return None };
                    let part = tensors.get(index)?;
                    data.extend_from_slice(&part.data);
                    rows += part.shape.first()?;
                }
                let mut shape = tensor.shape.clone();
                *shape.first_mut()? = rows;
                let (name, datatype) = (tensor.name.clone(), tensor.datatype);
                merged.push(Tensor { name, datatype, shape, data: data.freeze() });
            }
            Some(Inputs::Tensors(merged))
        }
    }
}

fn append(values: &mut Values, more: &Values) -> Option<()> {
    match (values, more) {
        (Values::Float64(values), Values::Float64(more)) => values.extend_from_slice(more),
        (Values::Int64(values), Values::Int64(more)) => values.extend_from_slice(more),
        (Values::Bool(values), Values::Bool(more)) => values.extend_from_slice(more),
        (Values::Text(values), Values::Text(more)) | (Values::Json(values), Values::Json(more)) => {
            values.extend_from_slice(more);
        }
        (Values::Binary(values), Values::Binary(more)) => values.extend_from_slice(more),
        (Values::Datetime(values), Values::Datetime(more)) => values.extend_from_slice(more),
        _ => return None,
    }
    Some(())
}

/// The answer cut into one for each request; `None` when the model did not answer row by row.
pub(super) fn split(outputs: &Outputs, row_counts: &[usize]) -> Option<Vec<Outputs>> {
    let total: usize = row_counts.iter().sum();
    let is_by_row = match outputs {
        Outputs::Table(table) => table.columns.iter().all(|column| column.values.len() == total),
        Outputs::Tensors(tensors) => tensors.iter().all(|tensor| !tensor.shape.is_empty() && tensor.rows() == total),
        Outputs::Json(_) => false,
    };
    if !is_by_row || outputs.rows() != total {
        return None;
    }
    let mut start = 0;
    let mut parts = Vec::with_capacity(row_counts.len());
    for rows in row_counts {
        parts.push(match outputs {
            Outputs::Table(table) => Outputs::Table(Table {
                columns: table
                    .columns
                    .iter()
                    .map(|column| {
                        let values = slice(&column.values, start, *rows)?;
                        Some(Column { name: column.name.clone(), values })
                    })
                    .collect::<Option<_>>()?,
            }),
            Outputs::Tensors(tensors) => Outputs::Tensors(
                tensors.iter().map(|tensor| slice_tensor(tensor, start, *rows, total)).collect::<Option<_>>()?,
            ),
            Outputs::Json(_) => return None,
        });
        start += rows;
    }
    Some(parts)
}

fn slice(values: &Values, start: usize, rows: usize) -> Option<Values> {
    let range = start..start + rows;
    Some(match values {
        Values::Float64(values) => Values::Float64(values.get(range)?.to_vec()),
        Values::Int64(values) => Values::Int64(values.get(range)?.to_vec()),
        Values::Bool(values) => Values::Bool(values.get(range)?.to_vec()),
        Values::Text(values) => Values::Text(values.get(range)?.to_vec()),
        Values::Json(values) => Values::Json(values.get(range)?.to_vec()),
        Values::Binary(values) => Values::Binary(values.get(range)?.to_vec()),
        Values::Datetime(values) => Values::Datetime(values.get(range)?.to_vec()),
    })
}

fn slice_tensor(tensor: &Tensor, start: usize, rows: usize, total: usize) -> Option<Tensor> {
    let (from, to) = if tensor.datatype == Datatype::Bytes {
        // Elements of any length: what a row takes is known by walking them.
        let width = tensor.count().ok()?.checked_div(total)?;
        let length = |count: usize| tensor.byte_strings().take(count).map(|text| 4 + text.map_or(0, <[u8]>::len)).sum();
        (length(start * width), length((start + rows) * width))
    } else {
        let row_bytes = tensor.data.len().checked_div(total).unwrap_or_default();
        (start * row_bytes, (start + rows) * row_bytes)
    };
    let data: Bytes = tensor.data.slice(from..to);
    let mut shape = tensor.shape.clone();
    *shape.first_mut()? = i64::try_from(rows).ok()?;
    Some(Tensor { name: tensor.name.clone(), datatype: tensor.datatype, shape, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: Vec<f64>) -> Inputs {
        Inputs::Table(Table { columns: vec![Column { name: "a".to_owned(), values: Values::Float64(values) }] })
    }

    fn answer(values: Vec<f64>) -> Outputs {
        let Inputs::Table(table) = table(values) else { panic!("not a table") };
        Outputs::Table(table)
    }

    fn tensor(rows: i64, data: &[u8]) -> Tensor {
        Tensor::new("x".to_owned(), Datatype::Uint8, vec![rows, 2], Bytes::copy_from_slice(data)).unwrap()
    }

    #[test]
    fn each_caller_gets_its_own_rows() {
        let requests = [table(vec![1.0]), table(vec![2.0, 3.0]), table(vec![])];
        let merged = merge(&requests.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(merged, table(vec![1.0, 2.0, 3.0]));
        let parts = split(&answer(vec![10.0, 20.0, 30.0]), &[1, 2, 0]).unwrap();
        assert_eq!(parts, [answer(vec![10.0]), answer(vec![20.0, 30.0]), answer(vec![])]);
    }

    #[test]
    fn an_answer_that_is_not_by_row_is_not_cut() {
        assert_eq!(split(&answer(vec![10.0]), &[1, 2]), None);
        assert_eq!(split(&Outputs::Tensors(vec![tensor(1, &[1, 2])]), &[1, 1]), None);
    }

    #[test]
    fn tensors_are_stacked_and_cut() {
        let requests = [Inputs::Tensors(vec![tensor(1, &[1, 2])]), Inputs::Tensors(vec![tensor(2, &[3, 4, 5, 6])])];
        assert!(is_alike(&requests[0], &requests[1]));
        let Inputs::Tensors(merged) = merge(&[&requests[0], &requests[1]]).unwrap() else { panic!("not tensors") };
        assert_eq!(merged, [tensor(3, &[1, 2, 3, 4, 5, 6])]);
        let parts = split(&Outputs::Tensors(merged), &[1, 2]).unwrap();
        assert_eq!(parts[1], Outputs::Tensors(vec![tensor(2, &[3, 4, 5, 6])]));
    }

    #[test]
    fn what_differs_in_kind_or_shape_is_asked_alone() {
        let whole =
            Inputs::Table(Table { columns: vec![Column { name: "a".to_owned(), values: Values::Int64(vec![1]) }] });
        assert!(!is_alike(&table(vec![1.0]), &whole));
        let flat = Tensor::new("x".to_owned(), Datatype::Uint8, vec![2], Bytes::from_static(&[1, 2])).unwrap();
        assert!(!is_alike(&Inputs::Tensors(vec![flat]), &Inputs::Tensors(vec![tensor(1, &[1, 2])])));
    }
}
