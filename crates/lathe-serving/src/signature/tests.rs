use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::payload::Column;

fn iris() -> Signature {
    Signature::parse(&json!({
        "inputs": "[{\"type\": \"double\", \"name\": \"length\", \"required\": true}, {\"type\": \"integer\", \"name\": \"petals\", \"required\": true}, {\"type\": \"string\", \"name\": \"note\", \"required\": false}]",
        "outputs": "[{\"type\": \"tensor\", \"tensor-spec\": {\"dtype\": \"int64\", \"shape\": [-1]}}]",
        "params": "[{\"name\": \"scale\", \"type\": \"double\", \"default\": 1.0, \"shape\": null}]"
    }))
    .unwrap()
}

fn table(columns: Vec<(&str, Values)>) -> Inputs {
    let column = |(name, values): (&str, Values)| Column { name: name.to_owned(), values };
    Inputs::Table(Table { columns: columns.into_iter().map(column).collect() })
}

fn refused(signature: &Signature, inputs: Inputs) -> String {
    validate(signature, inputs).unwrap_err().message().to_owned()
}

#[test]
fn whole_numbers_become_numbers_and_unknown_columns_are_left_out() {
    let inputs = table(vec![
        ("extra", Values::Bool(vec![true])),
        ("petals", Values::Float64(vec![3.0])),
        ("length", Values::Int64(vec![5])),
    ]);
    let expected = table(vec![("length", Values::Float64(vec![5.0])), ("petals", Values::Int64(vec![3]))]);
    assert_eq!(validate(&iris(), inputs).unwrap(), expected);
}

#[test]
fn what_does_not_fit_is_named() {
    let only = table(vec![("length", Values::Float64(vec![1.0]))]);
    assert_eq!(refused(&iris(), only), "the model needs the columns `petals`");
    let with = |petals| table(vec![("length", Values::Float64(vec![1.0])), ("petals", petals)]);
    assert!(refused(&iris(), with(Values::Text(vec![None]))).contains("column `petals` is string"));
    assert!(refused(&iris(), with(Values::Float64(vec![0.5]))).contains("not whole"));
    assert!(refused(&iris(), with(Values::Float64(vec![f64::NAN]))).contains("missing value"));
    assert!(refused(&iris(), with(Values::Int64(vec![1 << 40]))).contains("32 bit"));
    assert!(refused(&iris(), with(Values::Int64(vec![1, 2]))).contains("not equally long"));
}

#[test]
fn tensors_named_like_columns_are_columns() {
    let tensor = |name: &str, datatype, shape: &[i64], data: Vec<u8>| {
        Tensor::new(name.to_owned(), datatype, shape.to_vec(), Bytes::from(data)).unwrap()
    };
    let inputs = Inputs::Tensors(vec![
        tensor("length", Datatype::Fp32, &[1, 1], 1.5_f32.to_le_bytes().to_vec()),
        tensor("petals", Datatype::Int8, &[1], vec![0xff]),
    ]);
    let expected = table(vec![("length", Values::Float64(vec![1.5])), ("petals", Values::Int64(vec![-1]))]);
    assert_eq!(validate(&iris(), inputs).unwrap(), expected);
}

#[test]
fn tensors_that_are_columns_must_make_rows() {
    let tensor = |name: &str, values: &[f64]| {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let length = i64::try_from(values.len()).unwrap();
        Tensor::new(name.to_owned(), Datatype::Fp64, vec![length], Bytes::from(data)).unwrap()
    };
    let inputs = Inputs::Tensors(vec![tensor("length", &[1.0, 2.0]), tensor("petals", &[3.0])]);
    let message = refused(&iris(), inputs);
    assert_eq!(message, "the columns of the request are not equally long: `length` has 2 rows, `petals` has 1");
}

#[test]
fn a_table_of_numbers_is_the_one_tensor() {
    let signature = Signature::parse(&json!({
        "inputs": "[{\"type\": \"tensor\", \"tensor-spec\": {\"dtype\": \"float32\", \"shape\": [-1, 2]}}]"
    }))
    .unwrap();
    let inputs = table(vec![("a", Values::Float64(vec![1.0, 3.0])), ("b", Values::Int64(vec![2, 4]))]);
    let Inputs::Tensors(tensors) = validate(&signature, inputs).unwrap() else { panic!("not tensors") };
    let expected: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!((tensors[0].shape.clone(), tensors[0].data.to_vec()), (vec![2, 2], expected));
    let narrow = table(vec![("a", Values::Float64(vec![1.0]))]);
    assert!(refused(&signature, narrow).contains("[1, 1], the model takes [-1, 2]"));
    let text = table(vec![("a", Values::Text(vec![None])), ("b", Values::Int64(vec![2]))]);
    assert!(refused(&signature, text).contains("column `a` is string"));
}
