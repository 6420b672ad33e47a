//! How an error looks to MLflow's clients: one table from Lathe's codes to MLflow's.
//!
//! Only code, message and hint of an error leave the server.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};
use lathe_core::{Code, Error};
use serde::Serialize;

use crate::wire::{LATHE_VERSION, VERSION};

/// A row of the table.
struct Dialect {
    status: StatusCode,
    error_code: &'static str,
    sqlstate: &'static str,
    error_class: &'static str,
}

fn dialect(code: Code) -> Dialect {
    let (status, error_code, sqlstate, error_class) = match code {
        Code::InvalidArgument | Code::Conflict | Code::PreconditionFailed => {
            (StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE", "KAM00", "INVALID_PARAMETER_VALUE")
        }
        Code::AlreadyExists => (StatusCode::BAD_REQUEST, "RESOURCE_ALREADY_EXISTS", "KAM00", "RESOURCE_ALREADY_EXISTS"),
        Code::TooLarge => {
            (StatusCode::PAYLOAD_TOO_LARGE, "INVALID_PARAMETER_VALUE", "KAM00", "INVALID_PARAMETER_VALUE")
        }
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "KAMC1", "CP_PERMISSION_DENIED"),
        Code::PermissionDenied => (StatusCode::FORBIDDEN, "PERMISSION_DENIED", "KAM00", "PERMISSION_DENIED"),
        Code::NotFound => (StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", "KAM00", "RESOURCE_NOT_FOUND"),
        Code::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "ENDPOINT_NOT_FOUND", "KAM00", "RESOURCE_NOT_FOUND"),
        Code::RateLimited => {
            (StatusCode::TOO_MANY_REQUESTS, "REQUEST_LIMIT_EXCEEDED", "KAMC3", "CP_REQUEST_RATE_LIMITED")
        }
        Code::Internal | Code::ModelFailed => {
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "XXM00", "CLIENT_INTERNAL_ERROR")
        }
        Code::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE", "XXM00", "CLIENT_INTERNAL_ERROR")
        }
        Code::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "TEMPORARILY_UNAVAILABLE", "XXM00", "CLIENT_INTERNAL_ERROR"),
        Code::OutOfSpace => {
            (StatusCode::INSUFFICIENT_STORAGE, "RESOURCE_EXHAUSTED", "KAMC3", "CP_REQUEST_RATE_LIMITED")
        }
    };
    Dialect { status, error_code, sqlstate, error_class }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error_code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_class: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
}

/// Renders an error; the door calls it once for each failed request.
pub(crate) fn render(error: &Error, request_id: &str) -> Response {
    let Dialect { status, error_code, sqlstate, error_class } = dialect(error.code());
    let body = ErrorBody {
        error_code,
        message: &error.said(),
        sqlstate: Some(sqlstate),
        error_class: Some(error_class),
        request_id,
    };
    let mut response = respond(status, &body);
    if matches!(error.code(), Code::Unavailable | Code::RateLimited) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The answer of routes that a client may ask for although the server said that it has not got them.
pub(crate) fn not_implemented(message: &str) -> Response {
    let body = ErrorBody { error_code: "NOT_IMPLEMENTED", message, sqlstate: None, error_class: None, request_id: "" };
    respond(StatusCode::NOT_IMPLEMENTED, &body)
}

/// Where MLflow's clients and its UI look for its API.
const API_PREFIXES: [&str; 3] = ["/api/2.0/", "/api/3.0/", "/ajax-api/"];
/// Where they look for something else.
const OTHER_PATHS: [&str; 4] = ["/health", "/version", "/get-artifact", "/model-versions/get-artifact"];

fn is_api(path: &str) -> bool {
    API_PREFIXES.iter().any(|prefix| path.starts_with(prefix))
}

/// The answer to a request of MLflow's API that is refused before a route was chosen; `None` for any other path.
pub fn refuse(path: &str, error: &Error, request_id: &str) -> Option<Response> {
    (is_api(path) || OTHER_PATHS.contains(&path)).then(|| render(error, request_id))
}

/// The answer to a path of MLflow's API that Lathe does not serve; `None` for any other path. Clients know the code: some
/// then try an older route.
pub fn refuse_unserved(method: &Method, uri: &Uri, request_id: &str) -> Option<Response> {
    let path = uri.path();
    if !is_api(path) {
        return None;
    }
    let body = ErrorBody {
        error_code: "ENDPOINT_NOT_FOUND",
        message: &format!("this server does not serve {method} {path}"),
        sqlstate: Some("KAM00"),
        error_class: Some("RESOURCE_NOT_FOUND"),
        request_id,
    };
    Some(respond(StatusCode::NOT_FOUND, &body))
}

fn respond(status: StatusCode, body: &ErrorBody<'_>) -> Response {
    let mut response = (status, serde_json::to_vec(body).unwrap_or_default()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(LATHE_VERSION, HeaderValue::from_static(VERSION));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body_of(response: Response) -> serde_json::Value {
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn an_unknown_thing_reads_as_mlflow_says_it() {
        let response = render(&Error::not_found("No Experiment with id=999 exists"), "abc");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()["lathe-version"], VERSION);
        assert_eq!(
            body_of(response).await,
            serde_json::json!({
                "error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No Experiment with id=999 exists",
                "sqlstate": "KAM00", "error_class": "RESOURCE_NOT_FOUND", "request_id": "abc",
            })
        );
    }

    #[tokio::test]
    async fn paths_of_mlflow_that_are_not_served_say_so_in_its_dialect() {
        let ask = |path: &'static str| refuse_unserved(&Method::GET, &Uri::from_static(path), "abc");
        let response = ask("/api/2.0/mlflow/webhooks").unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = body_of(response).await;
        assert_eq!(body["error_code"], "ENDPOINT_NOT_FOUND");
        assert_eq!(body["message"], "this server does not serve GET /api/2.0/mlflow/webhooks");
        assert_eq!(body["request_id"], "abc");
        assert!(ask("/api/v1/nothing").is_none() && ask("/experiments").is_none());
    }

    #[tokio::test]
    async fn a_refusal_before_routing_is_told_in_the_dialect_of_the_path() {
        let error = Error::new(Code::PermissionDenied, "no").with_hint("do that");
        let body = body_of(refuse("/api/2.0/mlflow/runs/get", &error, "abc").unwrap()).await;
        assert_eq!(
            (&body["error_code"], &body["message"]),
            (&"PERMISSION_DENIED".into(), &"no. Hint: do that.".into())
        );
        assert!(refuse("/health", &error, "").is_some());
        assert!(refuse("/api/v1/server", &error, "").is_none() && refuse("/", &error, "").is_none());
    }

    #[tokio::test]
    async fn what_may_succeed_later_says_when() {
        for code in [Code::Unavailable, Code::RateLimited] {
            let response = render(&Error::new(code, "later").with_context("inside"), "");
            assert_eq!(response.headers()[header::RETRY_AFTER], "1");
            assert!(!body_of(response).await.to_string().contains("inside"));
        }
    }

    #[test]
    fn only_faults_of_the_server_are_5xx() {
        let server = [Code::Internal, Code::Unavailable, Code::OutOfSpace];
        let client = [
            Code::InvalidArgument,
            Code::Unauthenticated,
            Code::PermissionDenied,
            Code::NotFound,
            Code::AlreadyExists,
            Code::Conflict,
            Code::TooLarge,
            Code::RateLimited,
        ];
        assert!(server.iter().all(|code| dialect(*code).status.is_server_error()));
        assert!(client.iter().all(|code| dialect(*code).status.is_client_error()));
    }
}
