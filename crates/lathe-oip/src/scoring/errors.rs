//! How MLflow's scoring server says that something failed.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use lathe_core::{Code, Error};

/// Renders an error: the one table from Lathe's codes to the scoring server's.
pub(crate) fn render(error: &Error, request_id: &str) -> Response {
    let (error_code, sqlstate, error_class) = match error.code() {
        Code::InvalidArgument | Code::Conflict | Code::PreconditionFailed | Code::AlreadyExists | Code::TooLarge => {
            ("BAD_REQUEST", "KAM00", "INVALID_PARAMETER_VALUE")
        }
        Code::Unauthenticated => ("UNAUTHENTICATED", "KAMC1", "CP_PERMISSION_DENIED"),
        Code::PermissionDenied => ("PERMISSION_DENIED", "KAM00", "PERMISSION_DENIED"),
        Code::NotFound => ("RESOURCE_DOES_NOT_EXIST", "KAM00", "RESOURCE_NOT_FOUND"),
        Code::ModelFailed => ("BAD_REQUEST", "KAM00", "BAD_REQUEST"),
        Code::MethodNotAllowed => ("ENDPOINT_NOT_FOUND", "KAM00", "RESOURCE_NOT_FOUND"),
        Code::RateLimited => ("REQUEST_LIMIT_EXCEEDED", "KAMC3", "CP_REQUEST_RATE_LIMITED"),
        Code::OutOfSpace => ("RESOURCE_EXHAUSTED", "KAMC3", "CP_REQUEST_RATE_LIMITED"),
        Code::Unavailable => ("TEMPORARILY_UNAVAILABLE", "XXM00", "CLIENT_INTERNAL_ERROR"),
        _ => ("INTERNAL_ERROR", "XXM00", "CLIENT_INTERNAL_ERROR"),
    };
    // MLflow's own scoring server answers so when the model raises, and its clients know it.
    let status = match error.code() {
        Code::ModelFailed => StatusCode::BAD_REQUEST,
        code => StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let mut response = body(status, [error_code, &error.said(), sqlstate, error_class], request_id);
    if matches!(error.code(), Code::Unavailable | Code::RateLimited) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The answer to inputs that the model's signature does not take.
pub(crate) fn schema_enforcement_failed(error: &Error, request_id: &str) -> Response {
    let parts = ["INVALID_PARAMETER_VALUE", &error.said(), "KAM01", "SCHEMA_ENFORCEMENT_FAILED"];
    body(StatusCode::BAD_REQUEST, parts, request_id)
}

fn body(status: StatusCode, [code, message, sqlstate, class]: [&str; 4], request_id: &str) -> Response {
    let body = serde_json::json!({
        "error_code": code, "message": message, "sqlstate": sqlstate, "error_class": class, "request_id": request_id,
    });
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.to_string()).into_response()
}

/// An answer in plain text, as MLflow gives it to types of content that it does not take.
pub(crate) fn unsupported(message: String) -> Response {
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response()
}
