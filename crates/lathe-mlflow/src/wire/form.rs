//! Extractors: a request's parameters, and captured parts of its path.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use lathe_core::{Error, Result};
use lathe_http::Failure;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::body::read_body;
use super::fields::{Fields, Problem};
use super::{JSON_BYTES, query};
use lathe_http::scan::{Scan, quote_special_numbers};

/// The parameters of a request: of its query on GET, of its JSON body (of at most `LIMIT` bytes) otherwise.
#[derive(Debug)]
pub(crate) struct Form<const LIMIT: usize = JSON_BYTES>(pub(crate) Fields);

impl<S: Send + Sync, const LIMIT: usize> FromRequest<S> for Form<LIMIT> {
    type Rejection = Failure;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        if matches!(parts.method, Method::GET | Method::HEAD) {
            let pairs = query::parse_query(parts.uri.query().unwrap_or_default())?;
            return Ok(Form(Fields::of_query(pairs)));
        }
        let body = read_json(&parts, body, LIMIT).await?;
        Ok(Form(parse_object(&body, Scan::of(&body))))
    }
}

/// Reads a body that is said to be JSON.
///
/// # Errors
/// `InvalidArgument` when it is said to be something else, `TooLarge`.
pub(crate) async fn read_json(parts: &Parts, body: Body, limit: usize) -> Result<Bytes> {
    // Read before it is judged: a connection with an unread body is closed, and the client's next request with it.
    let body = read_body(&parts.headers, body, limit).await?;
    require_json(&parts.method, &parts.headers)?;
    Ok(body)
}

/// Refuses bodies that are not said to be JSON, on the methods on which MLflow looks.
fn require_json(method: &Method, headers: &HeaderMap) -> Result<()> {
    if !matches!(*method, Method::POST | Method::PUT) {
        return Ok(());
    }
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return Err(Error::invalid("Bad Request. Content-Type header is missing."));
    };
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::invalid("Bad Request. Content-Type must be one of ['application/json']."))
}

/// Reads a body as an object. An absent body and `null` are an empty one; an object written inside a text is read, too, as
/// old clients send it. What is no object becomes an error as soon as a parameter is read.
pub(crate) fn parse_object(body: &[u8], scan: Scan) -> Fields {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Fields::default();
    }
    let parsed = parse(body, scan).and_then(|value| match value {
        Value::String(text) => parse(text.as_bytes(), Scan::of(text.as_bytes())),
        value => Ok(value),
    });
    match parsed {
        Ok(Value::Object(values)) => Fields::of_body(values),
        Ok(Value::Null) => Fields::default(),
        Ok(_) => Fields::of_problem(Problem::NotAnObject("the request's body must be a JSON object".to_owned())),
        Err(problem) => Fields::of_problem(problem),
    }
}

fn parse(text: &[u8], scan: Scan) -> Result<Value, Problem> {
    if scan.is_too_deep {
        return Err(Problem::NotAnObject("the request's body nests more than 128 levels deep".to_owned()));
    }
    let parsed = if scan.has_special_numbers {
        serde_json::from_slice(&quote_special_numbers(text))
    } else {
        serde_json::from_slice(text)
    };
    parsed.map_err(|error| {
        let message = format!("the request's body is not valid JSON: {error}");
        // A number beyond all doubles is JSON all the same: "missing parameter" would mislead.
        if message.contains("number out of range") { Problem::NotAnObject(message) } else { Problem::NotJson(message) }
    })
}

/// Captured parts of the path, percent-decoded.
#[derive(Debug)]
pub(crate) struct Captured<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Captured<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Captured(value)),
            Err(rejection) => Err(Failure(Error::invalid(format!("the path is not valid: {}", rejection.body_text())))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &[u8]) -> Fields {
        parse_object(body, Scan::of(body))
    }

    #[test]
    fn absent_bodies_and_null_are_empty_objects() {
        for body in [&b""[..], b"{}", b"null", b"  \n", br#""{}""#] {
            assert_eq!(read(body).text("name").unwrap(), None, "{body:?}");
        }
    }

    #[test]
    fn an_object_inside_a_text_is_read() {
        assert_eq!(read(br#""{\"name\": \"x\"}""#).required_text("name").unwrap(), "x");
    }

    #[test]
    fn python_writes_numbers_that_json_lacks() {
        let fields = read(br#"{"name": "NaN", "value": NaN, "other": -Infinity}"#);
        assert_eq!(fields.required_text("name").unwrap(), "NaN");
        assert!(fields.required_double("value").unwrap().is_nan());
        assert_eq!(fields.required_double("other").unwrap(), f64::NEG_INFINITY);
        assert!(read(br#"{"name": NaN}"#).required_text("name").is_err());
    }

    #[test]
    fn what_is_no_object_is_refused_when_it_is_read() {
        for body in [
            &b"{bad"[..],
            b"[]",
            b"5",
            b"true",
            br#""text""#,
            b"{\"name\": \"\xff\"}",
            br#"{"name": "x",}"#,
            br#"{"name": "x"}{"name": "y"}"#,
            br#"{"name": 1e400}"#,
        ] {
            assert!(read(body).text("name").is_err(), "{body:?}");
            assert!(read(body).required_text("name").is_err(), "{body:?}");
        }
        let deep = format!(r#"{{"name": "x", "y": {}1{}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(read(deep.as_bytes()).required_text("name").unwrap_err().message().contains("128 levels"));
        assert!(read("[".repeat(100_000).as_bytes()).text("name").is_err());
    }

    #[test]
    fn the_last_of_two_equal_names_wins() {
        assert_eq!(read(br#"{"name": "a", "name": "b"}"#).required_text("name").unwrap(), "b");
    }

    #[test]
    fn bodies_must_be_said_to_be_json() {
        let check = |content_type: &'static str| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type))]);
            require_json(&Method::POST, &headers)
        };
        assert!(check("application/json").is_ok());
        assert!(check("application/json; charset=utf-8").is_ok());
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
            assert!(check(content_type).is_err(), "{content_type}");
        }
        assert!(require_json(&Method::POST, &HeaderMap::new()).is_err());
        assert!(require_json(&Method::DELETE, &HeaderMap::new()).is_ok());
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = read(&bytes).text("name");
        }

        #[test]
        fn almost_json_never_panics(text in "[\\[\\]{}\",:a-c0-9eNaIfinty\\\\ .-]{0,60}") {
            let _ = read(text.as_bytes()).required_text("a");
        }
    }
}
