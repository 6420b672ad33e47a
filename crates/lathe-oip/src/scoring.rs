//! MLflow's scoring protocol, as its own scoring server speaks it: `/invocations`, `/ping`, `/health`, `/version`.

mod answer;
mod body;
pub(crate) mod columns;
mod csv;
mod errors;
mod openapi;
mod parquet;

use axum::extract::{FromRequest as _, Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use lathe_core::{Code, Ctx, Error, Result};
use lathe_http::permission::Infer;
use lathe_http::{Caller, Door, Failure};
use lathe_serving::{DeploymentName, Encoding, Given, Inference, Inputs};
use serde_json::Map;

use self::body::Scoring;
use crate::OipState;
use crate::ask::{self, Asked, parse_deployment, read_tags};
use crate::limits::{TEXT_BYTES, off_reactor};

/// Whose scoring protocol this is.
const MLFLOW_VERSION: &str = "3.17.2";

/// The routes of the dialect.
pub(crate) fn door() -> Door<OipState> {
    Door::new("scoring", errors::render)
        .post_sized::<Infer, _>("/serving/{deployment}/invocations", TEXT_BYTES, score)
        .get::<Infer, _>("/serving/{deployment}/ping", get_health)
        .post::<Infer, _>("/serving/{deployment}/ping", get_health)
        .get::<Infer, _>("/serving/{deployment}/health", get_health)
        .post::<Infer, _>("/serving/{deployment}/health", get_health)
        .get::<Infer, _>("/serving/{deployment}/version", get_version)
        .post::<Infer, _>("/serving/{deployment}/version", get_version)
        .get::<Infer, _>("/serving/{deployment}/openapi.json", openapi::get_openapi)
}

/// The inputs of a JSON body.
///
/// # Errors
/// As a request with that body is refused.
pub(crate) fn parse_inputs(body: &[u8]) -> Result<Given> {
    Ok(body::parse_json(body)?.inputs)
}

/// Healthy while the primary can answer.
async fn get_health(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(deployment): Path<String>,
) -> Result<Response, Failure> {
    lathe_serving::check_ready(&ctx, &state.serving, &parse_deployment(&deployment)?)?;
    Ok(json(b"\n".to_vec()))
}

/// Which MLflow's protocol the deployment speaks.
async fn get_version(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(deployment): Path<String>,
) -> Result<Response, Failure> {
    lathe_serving::metadata(&ctx, &state.serving, &parse_deployment(&deployment)?)?;
    Ok(json(MLFLOW_VERSION.into()))
}

async fn score(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(deployment): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let deployment = parse_deployment(&deployment)?;
    let form = match content_form(request.headers()) {
        Ok(form) => form,
        Err(message) => return Ok(errors::unsupported(message)),
    };
    let tags = read_tags(request.headers())?;
    let body = read_body(request).await?;
    let Scoring { inputs, params } = off_reactor(body.len(), move || match form {
        Form::Json => body::parse_json(&body),
        Form::Csv => {
            let inputs = Given { inputs: Inputs::Table(csv::parse_csv(&body)?), encoding: Encoding::Csv };
            Ok(Scoring { inputs, params: Map::new() })
        }
        Form::Parquet => {
            Ok(Scoring { inputs: Inputs::Table(parquet::parse_parquet(&body)?).into(), params: Map::new() })
        }
    })
    .await?;
    let inference = Inference { inputs, params, route_key: None, timeout: None };
    let asked = Asked { tags, ..Asked::default() };
    answer(&ctx, &state, &deployment, inference, asked).await
}

async fn answer(
    ctx: &Ctx,
    state: &OipState,
    deployment: &DeploymentName,
    inference: Inference,
    asked: Asked,
) -> Result<Response, Failure> {
    match ask::infer(ctx, state, deployment, inference, asked).await {
        Ok(answer) => Ok(json(answer::write_predictions(&answer.outputs)?)),
        Err(error) if error.code() == Code::InvalidArgument => {
            Ok(errors::schema_enforcement_failed(&error, &ctx.request_id))
        }
        Err(error) => Err(error.into()),
    }
}

async fn read_body(request: Request) -> Result<Bytes> {
    Bytes::from_request(request, &()).await.map_err(|error| {
        if error.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
            Error::new(Code::TooLarge, format!("a body may have {TEXT_BYTES} bytes: send it in parts"))
        } else {
            Error::invalid("the request's body broke off before its end").with_source(error)
        }
    })
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Parquet,
}

/// How the body is written; the error is MLflow's message for status 415.
fn content_form(headers: &HeaderMap) -> std::result::Result<Form, String> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err("This predictor takes no compressed bodies; send them without Content-Encoding.".to_owned());
    }
    let given = headers.get(header::CONTENT_TYPE).map_or("application/json", |value| value.to_str().unwrap_or("?"));
    let mut parts = given.split(';').map(str::trim);
    let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "application/json" => Form::Json,
        "text/csv" => Form::Csv,
        "application/vnd.apache.parquet" => Form::Parquet,
        _ => {
            return Err(format!(
                "This predictor only supports the following content types: Types: ['text/csv', 'application/json', \
                 'application/vnd.apache.parquet']. Got '{given}'."
            ));
        }
    };
    for parameter in parts.filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if key != "charset" {
            return Err(format!("Unrecognized content type parameters: {key}."));
        }
        if !value.trim_matches('"').eq_ignore_ascii_case("utf-8") {
            return Err("The scoring server only supports UTF-8".to_owned());
        }
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_those_of_the_scoring_server() {
        let of = |text: &'static str| {
            content_form(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(text))]))
        };
        assert_eq!(of("application/json; charset=UTF-8"), Ok(Form::Json));
        assert_eq!(of("text/csv"), Ok(Form::Csv));
        assert_eq!(of("application/vnd.apache.parquet"), Ok(Form::Parquet));
        assert_eq!(content_form(&HeaderMap::new()), Ok(Form::Json));
        for refused in ["text/csv; charset=latin1", "text/csv; header=present", "application/xml"] {
            assert!(of(refused).is_err(), "{refused}");
        }
    }
}
