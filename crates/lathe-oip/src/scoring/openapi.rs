//! The description of one deployment, from its model's signature.

use axum::extract::{Path, State};
use axum::response::Response;
use lathe_core::Result;
use lathe_http::{Caller, Failure};
use lathe_serving::signature::Schema;
use lathe_serving::{ColumnKind, ColumnSpec, Datatype};
use serde_json::{Map, Value, json};

use crate::OipState;
use crate::ask::parse_deployment;

/// What `/invocations` of a deployment takes, as OpenAPI.
pub(super) async fn get_openapi(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(deployment): Path<String>,
) -> Result<Response, Failure> {
    let deployment = parse_deployment(&deployment)?;
    let known = lathe_serving::metadata(&ctx, &state.serving, &deployment)?;
    let signature = &known.signature;
    let params: Map<String, Value> = signature
        .params
        .iter()
        .map(|param| {
            let item = of_kind(param.kind);
            let kind = if param.is_list { json!({ "type": "array", "items": item }) } else { item };
            (param.name.clone(), kind)
        })
        .collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": deployment.to_string(), "version": known.version.to_string() },
        "paths": { format!("/serving/{deployment}/invocations"): { "post": {
            "summary": format!("Asks model {}.", known.model),
            "requestBody": { "required": true, "content": { "application/json": {
                "schema": request(signature.told_inputs(), params),
            } } },
            "responses": {
                "200": { "description": "The predictions.", "content": { "application/json": { "schema": {
                    "type": "object", "required": ["predictions"],
                    "properties": { "predictions": rows(signature.outputs.as_ref()) },
                } } } },
                "400": { "description": "The inputs do not fit the model." },
            },
        } } },
    });
    Ok(super::json(document.to_string().into_bytes()))
}

fn request(inputs: Option<&Schema>, params: Map<String, Value>) -> Value {
    let mut properties = Map::from_iter(forms(inputs));
    let one_of: Vec<Value> = properties.keys().map(|form| json!({ "required": [form] })).collect();
    properties.insert("params".to_owned(), json!({ "type": "object", "properties": params }));
    json!({ "type": "object", "oneOf": one_of, "properties": properties })
}

/// The forms in which the inputs can be given, as far as the model tells them apart.
fn forms(inputs: Option<&Schema>) -> Vec<(String, Value)> {
    let form = |name: &str, schema| (name.to_owned(), schema);
    match inputs {
        Some(Schema::Columns(columns)) if columns.iter().all(|column| column.name.is_none()) => {
            let cells: Vec<Value> = columns.iter().map(|column| of_kind(column.kind)).collect();
            let row =
                json!({ "type": "array", "prefixItems": cells, "minItems": cells.len(), "maxItems": cells.len() });
            let data = json!({ "type": "array", "items": row });
            let split = json!({ "type": "object", "required": ["data"], "properties": { "data": data } });
            let only = only_column(columns).map(|values| form("inputs", values));
            [form("dataframe_split", split)].into_iter().chain(only).collect()
        }
        Some(Schema::Columns(columns)) => {
            let only = only_column(columns).map(|values| form("inputs", values));
            [form("dataframe_records", rows(inputs))].into_iter().chain(only).collect()
        }
        _ => vec![form("inputs", rows(inputs))],
    }
}

/// The values of a model's only column, or one value.
fn only_column(columns: &[ColumnSpec]) -> Option<Value> {
    let [column] = columns else { return None };
    let value = match column.kind {
        // Here a text is its own bytes.
        ColumnKind::Binary => json!({ "type": "string" }),
        kind => of_kind(kind),
    };
    Some(json!({ "anyOf": [{ "type": "array", "items": value }, value] }))
}

fn rows(schema: Option<&Schema>) -> Value {
    match schema {
        Some(Schema::Columns(columns)) => {
            if let [column] = columns.as_slice()
                && column.name.is_none()
            {
                return json!({ "type": "array", "items": of_kind(column.kind) });
            }
            let name = |name: &Option<String>| name.clone().unwrap_or_default();
            let required: Vec<String> =
                columns.iter().filter(|column| column.is_required).map(|column| name(&column.name)).collect();
            let properties: Map<String, Value> =
                columns.iter().map(|column| (name(&column.name), of_kind(column.kind))).collect();
            json!({ "type": "array", "items": { "type": "object", "required": required, "properties": properties } })
        }
        Some(Schema::Tensors(tensors)) => {
            if let [tensor] = tensors.as_slice()
                && tensor.name.is_none()
            {
                return array(tensor.datatype, &tensor.shape);
            }
            let properties: Map<String, Value> = tensors
                .iter()
                .map(|tensor| (tensor.name.clone().unwrap_or_default(), array(tensor.datatype, &tensor.shape)))
                .collect();
            json!({ "type": "object", "properties": properties })
        }
        None => json!({}),
    }
}

fn array(datatype: Datatype, shape: &[i64]) -> Value {
    let element = match datatype {
        Datatype::Bool => "boolean",
        Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64 => "number",
        Datatype::Bytes => "string",
        _ => "integer",
    };
    shape.iter().rev().fold(json!({ "type": element }), |items, length| {
        let mut list = json!({ "type": "array", "items": items });
        if let (Some(object), 0..) = (list.as_object_mut(), *length) {
            object.insert("minItems".to_owned(), (*length).into());
            object.insert("maxItems".to_owned(), (*length).into());
        }
        list
    })
}

fn of_kind(kind: ColumnKind) -> Value {
    match kind {
        ColumnKind::Boolean => json!({ "type": "boolean" }),
        ColumnKind::Integer | ColumnKind::Long => json!({ "type": "integer" }),
        ColumnKind::Float | ColumnKind::Double => json!({ "type": "number" }),
        // A time has no offset, which the format `date-time` demands.
        ColumnKind::String | ColumnKind::Datetime => json!({ "type": "string" }),
        ColumnKind::Binary => json!({ "type": "string", "contentEncoding": "base64" }),
        ColumnKind::Json => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms_of(names: &[Option<&str>], kind: ColumnKind) -> Value {
        let column = |name: &Option<&str>| ColumnSpec { name: name.map(str::to_owned), kind, is_required: true };
        request(Some(&Schema::Columns(names.iter().map(column).collect())), Map::new())
    }

    #[test]
    fn a_model_of_one_column_takes_a_list_of_its_values() {
        let text = json!({ "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "string" }] });
        let named = forms_of(&[Some("text")], ColumnKind::String);
        assert_eq!(named["oneOf"], json!([{ "required": ["dataframe_records"] }, { "required": ["inputs"] }]));
        assert_eq!(named["properties"]["inputs"], text);
        // Byte strings are written in base64 in the one form and as they are in the other.
        let unnamed = forms_of(&[None], ColumnKind::Binary);
        assert_eq!(unnamed["oneOf"], json!([{ "required": ["dataframe_split"] }, { "required": ["inputs"] }]));
        assert_eq!(unnamed["properties"]["inputs"], text);
        let row = &unnamed["properties"]["dataframe_split"]["properties"]["data"]["items"];
        assert_eq!(row["prefixItems"], json!([{ "type": "string", "contentEncoding": "base64" }]));
        let times = forms_of(&[Some("at")], ColumnKind::Datetime);
        assert_eq!(times["properties"]["inputs"], text);
        let two = forms_of(&[Some("a"), Some("b")], ColumnKind::Long);
        assert_eq!(two["oneOf"], json!([{ "required": ["dataframe_records"] }]));
    }
}
