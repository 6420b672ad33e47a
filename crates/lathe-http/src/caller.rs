//! Who calls: credentials from the headers, and the extractors that handlers use.

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, header};
use lathe_access::Credentials;
use lathe_core::{Code, Ctx, Error, Project, Result};

use crate::Failure;

/// The cookie that holds a browser's session.
pub const SESSION_COOKIE: &str = "lathe_session";
/// The header by which MLflow's clients choose a workspace: a project, in Lathe's words.
const WORKSPACE_HEADER: &str = "x-mlflow-workspace";

/// The request's context, resolved by the route's guard before the handler runs.
#[derive(Debug, Clone)]
pub struct Caller(pub Ctx);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        parts
            .extensions
            .get::<Ctx>()
            .cloned()
            .map(Caller)
            .ok_or_else(|| Failure(Error::internal("a public route asked for its caller")))
    }
}

/// The request's id, also answered in the header `x-request-id`.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> std::result::Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<RequestId>().cloned().unwrap_or_else(|| RequestId(String::new())))
    }
}

/// The project that the path prefix `/p/<project>` chose.
#[derive(Debug, Clone)]
pub(crate) struct PrefixProject(pub(crate) Project);

/// The project of a request: the path prefix, or the header, or `default`.
pub(crate) fn project(parts: &Parts) -> Result<Project> {
    if let Some(PrefixProject(project)) = parts.extensions.get() {
        return Ok(project.clone());
    }
    match parts.headers.get(WORKSPACE_HEADER) {
        None => Ok(Project::default_project()),
        Some(value) => {
            Project::parse(value.to_str().map_err(|_| Error::invalid("the header X-MLFLOW-WORKSPACE is not text"))?)
        }
    }
}

/// The credentials of a request: `Authorization`, else the session cookie, else none.
///
/// # Errors
/// `Unauthenticated` when `Authorization` is neither Basic nor Bearer.
pub fn credentials(headers: &HeaderMap) -> Result<Credentials> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return authorization(value.to_str().unwrap_or_default());
    }
    Ok(session_cookie(headers).map_or(Credentials::None, Credentials::Session))
}

/// The value of the session cookie, if the request has one.
pub fn session_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value.to_owned())
}

fn authorization(value: &str) -> Result<Credentials> {
    let refused = || {
        Error::new(
            Code::Unauthenticated,
            "the Authorization header is neither Basic nor Bearer as RFC 7617 and RFC 6750 write them",
        )
    };
    let (scheme, rest) = value.split_once(' ').ok_or_else(refused)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Bearer(rest.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused());
    }
    let decoded = STANDARD.decode(rest.trim()).map_err(|_| refused())?;
    let text = String::from_utf8(decoded).map_err(|_| refused())?;
    let (username, password) = text.split_once(':').ok_or_else(refused)?;
    Ok(Credentials::Basic { username: username.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn basic_and_bearer_are_read_case_insensitively() {
        let basic = credentials(&headers(header::AUTHORIZATION, "basic YWRtaW46cGE6c3M=")).unwrap();
        assert!(
            matches!(basic, Credentials::Basic { username, password } if username == "admin" && password == "pa:ss")
        );
        let bearer = credentials(&headers(header::AUTHORIZATION, "BEARER lth_x")).unwrap();
        assert!(matches!(bearer, Credentials::Bearer(token) if token == "lth_x"));
    }

    #[test]
    fn a_broken_authorization_is_refused_not_ignored() {
        for value in ["Digest x", "Basic ???", "Basic", "Basic YQ=="] {
            let error = credentials(&headers(header::AUTHORIZATION, value)).err().unwrap();
            assert_eq!(error.code(), Code::Unauthenticated, "{value}");
        }
    }

    #[test]
    fn the_session_cookie_is_found_among_others() {
        let found = credentials(&headers(header::COOKIE, "a=b; lathe_session=xyz; c=d")).unwrap();
        assert!(matches!(found, Credentials::Session(value) if value == "xyz"));
    }
}
