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
    assert!(refused(&iris(), with(Values::Text(vec![Some("x".into())]))).contains("column `petals` is string"));
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

const KINDS: [&str; 9] = ["boolean", "integer", "long", "float", "double", "string", "binary", "datetime", "any"];

fn column_of(kind: &str, name: Option<&str>) -> Signature {
    let column = match name {
        Some(name) => json!({ "type": kind, "name": name, "required": true }),
        None => json!({ "type": kind, "required": true }),
    };
    Signature::parse(&json!({ "inputs": [column] })).unwrap()
}

fn given(encoding: Encoding, values: Values) -> Given {
    Given { inputs: table(vec![("x", values)]), encoding }
}

fn only_values(inputs: Inputs) -> Values {
    let Inputs::Table(mut table) = inputs else { panic!("not a table") };
    table.columns.remove(0).values
}

#[test]
fn a_column_without_a_value_is_of_the_kind_that_is_asked_for() {
    let nothing = [
        (Encoding::Json, Values::Json(vec![None])),
        (Encoding::Json, Values::Float64(vec![f64::NAN])),
        (Encoding::Csv, Values::Text(vec![None])),
        (Encoding::Typed, Values::Text(vec![None])),
        (Encoding::Typed, Values::Binary(vec![None])),
        (Encoding::Typed, Values::Datetime(vec![None])),
    ];
    for (encoding, values) in nothing {
        for kind in KINDS {
            let result = validate(&column_of(kind, Some("x")), given(encoding, values.clone()));
            if matches!(kind, "integer" | "long") {
                assert!(result.unwrap_err().message().contains("missing value"), "{kind}");
                continue;
            }
            match (kind, only_values(result.unwrap())) {
                ("float" | "double", Values::Float64(values)) => assert!(values[0].is_nan()),
                ("boolean" | "any", Values::Json(values)) => assert_eq!(values, [None]),
                ("string", Values::Text(values)) => assert_eq!(values, [None]),
                ("binary", Values::Binary(values)) => assert_eq!(values, [None]),
                ("datetime", Values::Datetime(values)) => assert_eq!(values, [None]),
                (kind, values) => panic!("{kind}: {values:?}"),
            }
        }
    }
    let some = Values::Json(vec![Some("true".into()), None]);
    assert_eq!(
        only_values(validate(&column_of("boolean", Some("x")), given(Encoding::Json, some.clone())).unwrap()),
        some
    );
    let mixed = given(Encoding::Json, Values::Json(vec![Some("true".into()), Some("1".into())]));
    assert!(validate(&column_of("boolean", Some("x")), mixed).is_err());
}

#[test]
fn missing_numbers_of_a_tensor_are_not_numbers() {
    let of = |dtype: &str| {
        let tensor = json!({ "type": "tensor", "tensor-spec": { "dtype": dtype, "shape": [-1, 1] } });
        validate(
            &Signature::parse(&json!({ "inputs": [tensor] })).unwrap(),
            given(Encoding::Json, Values::Json(vec![None])),
        )
    };
    let Ok(Inputs::Tensors(tensors)) = of("float32") else { panic!("no tensors") };
    assert!(tensors[0].floats().unwrap()[0].is_nan());
    assert!(of("int64").is_err());
}

#[test]
fn bytes_are_base64_in_a_data_frame_of_json_only() {
    let texts = |text: &str| Values::Text(vec![Some(text.to_owned()), None]);
    let read =
        |encoding, text: &str| validate(&column_of("binary", Some("x")), given(encoding, texts(text))).map(only_values);
    assert_eq!(read(Encoding::Json, "YW\nJj\n").unwrap(), Values::Binary(vec![Some(b"abc".to_vec()), None]));
    assert_eq!(read(Encoding::Typed, "YWJj").unwrap(), Values::Binary(vec![Some(b"YWJj".to_vec()), None]));
    for bad in ["YWJ", "a b!", "é"] {
        let message = read(Encoding::Json, bad).unwrap_err();
        assert!(message.message().contains("column `x`") && message.message().contains("base64"), "{message}");
    }
    let text = validate(&column_of("string", Some("x")), given(Encoding::Json, texts("YWJj"))).map(only_values);
    assert_eq!(text.unwrap(), texts("YWJj"));
}

#[test]
fn the_fields_of_csv_are_what_the_model_takes() {
    let field = |text: &str| given(Encoding::Csv, Values::Text(vec![Some(text.to_owned())]));
    let read = |kind, text| validate(&column_of(kind, Some("x")), field(text)).map(only_values);
    assert_eq!(read("string", "02134").unwrap(), Values::Text(vec![Some("02134".into())]));
    assert_eq!(read("string", "True").unwrap(), Values::Text(vec![Some("True".into())]));
    assert_eq!(read("long", "02134").unwrap(), Values::Int64(vec![2134]));
    assert_eq!(read("double", "7").unwrap(), Values::Float64(vec![7.0]));
    assert_eq!(read("boolean", "True").unwrap(), Values::Bool(vec![true]));
    assert!(read("double", "x").is_err() && read("long", "1.5").is_err());
    assert_eq!(only_values(validate(&Signature::default(), field("02134")).unwrap()), Values::Int64(vec![2134]));
    let tensor = json!({ "type": "tensor", "name": "x", "tensor-spec": { "dtype": "str", "shape": [-1] } });
    let signature = Signature::parse(&json!({ "inputs": [tensor] })).unwrap();
    let Ok(Inputs::Tensors(tensors)) = validate(&signature, field("02134")) else { panic!("no tensors") };
    assert_eq!(tensors[0].byte_strings().next(), Some(Some(b"02134".as_slice())));
}

#[test]
fn booleans_of_csv_may_be_missing_among_others() {
    let read = |fields: &[Option<&str>]| {
        let fields = Values::Text(fields.iter().map(|field| field.map(str::to_owned)).collect());
        validate(&column_of("boolean", Some("x")), given(Encoding::Csv, fields)).map(only_values)
    };
    let some = Values::Json(vec![Some("true".into()), None, Some("false".into())]);
    assert_eq!(read(&[Some("True"), None, Some("false")]).unwrap(), some);
    assert_eq!(read(&[Some("TRUE"), Some("False")]).unwrap(), Values::Bool(vec![true, false]));
    for bad in ["maybe", "1"] {
        let message = read(&[Some(bad), None]).unwrap_err();
        assert!(message.message().contains("the model takes boolean"), "{message}");
    }
}

#[test]
fn what_has_no_name_is_the_only_column() {
    let words = |shape: &[i64]| {
        let word = b"\x02\0\0\0hi".to_vec();
        Inputs::Tensors(vec![Tensor::new(String::new(), Datatype::Bytes, shape.to_vec(), word.into()).unwrap()])
    };
    for shape in [&[1][..], &[1, 1], &[]] {
        for name in [Some("x"), None] {
            let text = validate(&column_of("string", name), words(shape)).map(only_values);
            assert_eq!(text.unwrap(), Values::Text(vec![Some("hi".into())]), "{shape:?} {name:?}");
            let bytes = validate(&column_of("binary", name), words(shape)).map(only_values);
            assert_eq!(bytes.unwrap(), Values::Binary(vec![Some(b"hi".to_vec())]), "{shape:?} {name:?}");
        }
    }
    let named = Tensor::new("words".into(), Datatype::Bytes, vec![1], Bytes::from_static(b"\x02\0\0\0hi")).unwrap();
    let text = validate(&column_of("string", None), Inputs::Tensors(vec![named.clone()])).map(only_values);
    assert_eq!(text.unwrap(), Values::Text(vec![Some("hi".into())]));
    assert!(refused(&column_of("string", Some("x")), Inputs::Tensors(vec![named])).contains("`x`"));
    let tensor = json!({ "type": "tensor", "name": "x", "tensor-spec": { "dtype": "str", "shape": [-1] } });
    let Ok(Inputs::Tensors(tensors)) =
        validate(&Signature::parse(&json!({ "inputs": [tensor] })).unwrap(), words(&[1]))
    else {
        panic!("no tensors")
    };
    assert_eq!(tensors[0].name, "x");
}

#[test]
fn numbers_beyond_their_type_are_refused() {
    let large = || Values::Float64(vec![1.0, 1e300]);
    assert!(refused(&column_of("float", Some("x")), table(vec![("x", large())])).contains("1e300 is beyond float"));
    assert!(validate(&column_of("double", Some("x")), table(vec![("x", large())])).is_ok());
    let infinite = table(vec![("x", Values::Float64(vec![f64::INFINITY, f64::NAN]))]);
    assert!(validate(&column_of("float", Some("x")), infinite).is_ok());
    let tensor = |dtype: &str| {
        let tensor = json!({ "type": "tensor", "tensor-spec": { "dtype": dtype, "shape": [-1] } });
        Signature::parse(&json!({ "inputs": [tensor] })).unwrap()
    };
    let numbers = |datatype, data: Vec<u8>| {
        Inputs::Tensors(vec![Tensor::new(String::new(), datatype, vec![1], data.into()).unwrap()])
    };
    let beyond = numbers(Datatype::Fp64, 1e300_f64.to_le_bytes().to_vec());
    assert!(refused(&tensor("float32"), beyond).contains("cannot hold its element 0"));
    assert!(validate(&tensor("bool"), numbers(Datatype::Int8, vec![1])).is_ok());
    assert!(validate(&tensor("bool"), numbers(Datatype::Int8, vec![7])).is_err());
}

#[test]
fn a_tensor_without_a_name_has_one_whatever_a_request_calls_it() {
    let tensor = json!({ "type": "tensor", "tensor-spec": { "dtype": "uint8", "shape": [-1, 2] } });
    let signature = Signature::parse(&json!({ "inputs": [tensor.clone()], "outputs": [tensor] })).unwrap();
    let given = |name: &str, shape: &[i64]| {
        let data = vec![1_u8; usize::try_from(shape.iter().product::<i64>()).unwrap()];
        Inputs::Tensors(vec![Tensor::new(name.to_owned(), Datatype::Uint8, shape.to_vec(), data.into()).unwrap()])
    };
    let columns = table(vec![("a", Values::Int64(vec![1])), ("b", Values::Int64(vec![1]))]);
    for inputs in [given("", &[1, 2]), given("input", &[1, 2]), given("z", &[1, 2]), columns] {
        assert_eq!(validate(&signature, inputs).unwrap(), given(UNNAMED_INPUT, &[1, 2]));
    }
    assert_eq!(
        refused(&signature, given("", &[1, 3])),
        "the tensor has the shape [1, 3], the model takes [-1, 2] (-1 is any length)"
    );
    assert!(refused(&signature, given("z", &[1, 3])).starts_with("tensor `z` has the shape [1, 3]"));
    assert_eq!(signature.column_names().unwrap(), [UNNAMED_INPUT, UNNAMED_OUTPUT]);
}

#[test]
fn a_graph_names_what_the_signature_does_not() {
    let tensor = |name: Option<&str>| json!({ "type": "tensor", "name": name, "tensor-spec": { "dtype": "uint8", "shape": [-1] } });
    let signature =
        json!({ "inputs": [tensor(None)], "outputs": [tensor(None)], "graph_outputs": [tensor(Some("Y"))] });
    assert_eq!(Signature::parse(&signature).unwrap().column_names().unwrap(), [UNNAMED_INPUT, "Y"]);
    let of_graph =
        Signature::parse(&json!({ "graph": [tensor(Some("X"))], "graph_outputs": [tensor(Some("Y"))] })).unwrap();
    assert_eq!((of_graph.column_names(), of_graph.output_names()), (None, Some(vec!["Y".to_owned()])));
    let bare = |name: &str| {
        Inputs::Tensors(vec![Tensor::new(name.to_owned(), Datatype::Uint8, vec![1], Bytes::from_static(&[1])).unwrap()])
    };
    assert_eq!(validate(&of_graph, bare("")).unwrap(), bare("X"));
    assert_eq!(validate(&of_graph, bare("z")).unwrap(), bare("z"), "the graph refuses it");
}
