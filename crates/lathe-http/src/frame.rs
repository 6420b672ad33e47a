//! What surrounds all doors: request ids, the project prefix, host and origin checks, security headers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use lathe_core::{Code, Error, Project, Result};
use tower::Layer as _;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::RequestId;
use crate::caller::PrefixProject;

/// A body that sends nothing for this long is given up.
const IDLE_BODY: Duration = Duration::from_secs(30);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Which `Host` headers are served.
#[derive(Debug, Clone)]
pub enum AllowedHosts {
    /// Only names of this machine's loopback: a web page that rebinds its name to 127.0.0.1 is refused.
    Loopback,
    /// Loopback and these names, compared without port and case.
    Listed(Vec<String>),
    /// Any: every request needs credentials that a rebound page does not have.
    Any,
}

/// How what the frame refuses is answered on a path: the dialect is the one of the door that the path belongs to.
pub type Refuse = fn(path: &str, error: &Error, request_id: &str) -> Response;

/// Puts the frame around the joined doors.
pub fn wrap(doors: Router, hosts: AllowedHosts, refuse: Refuse) -> Router {
    let checked = guard_bodies(doors);
    // The path is rewritten before routing, so the rewriting service stands outside the router.
    let framed = from_fn_with_state((Arc::new(hosts), refuse), around).layer(checked);
    Router::new().fallback_service(framed)
}

/// Gives up bodies that send nothing for a while, and connections whose body was not asked for; reads small ones first.
pub fn guard_bodies(router: Router) -> Router {
    router
        .layer(from_fn(crate::small_body::read_first))
        .layer(RequestBodyTimeoutLayer::new(IDLE_BODY))
        .layer(from_fn(crate::expect::close_unless_read))
}

async fn around(
    axum::extract::State((hosts, refuse)): axum::extract::State<(Arc<AllowedHosts>, Refuse)>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = uuid::Uuid::now_v7().simple().to_string();
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let checked = check_host(&hosts, request.headers(), request.uri())
        .and_then(|()| check_origin(request.method(), request.headers()))
        .and_then(|()| take_project_prefix(&mut request));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(error) => refuse(without_prefix(request.uri().path()), &error, &request_id),
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn host_name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn check_host(hosts: &AllowedHosts, headers: &HeaderMap, uri: &Uri) -> Result<()> {
    let host =
        headers.get(header::HOST).and_then(|value| value.to_str().ok()).or_else(|| uri.authority().map(|a| a.as_str()));
    let name = host_name(host.unwrap_or_default());
    let is_allowed = match hosts {
        AllowedHosts::Any => true,
        AllowedHosts::Loopback => is_loopback(name),
        AllowedHosts::Listed(listed) => {
            is_loopback(name) || listed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
        }
    };
    if is_allowed {
        return Ok(());
    }
    Err(Error::new(Code::PermissionDenied, format!("the host name {name:?} is not served here"))
        .with_hint("start the server with --allowed-host NAME"))
}

/// Refuses what a page of another site makes a browser send. Clients that are no browser send none of these headers.
fn check_origin(method: &Method, headers: &HeaderMap) -> Result<()> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_cross_site = match text(HeaderName::from_static("sec-fetch-site")) {
        Some(site) => !matches!(site, "same-origin" | "none"),
        None => match text(header::ORIGIN) {
            None => false,
            Some(origin) => origin.split_once("://").map(|(_, host)| host) != text(header::HOST),
        },
    };
    if is_cross_site {
        return Err(Error::new(Code::PermissionDenied, "a request that another web site caused is refused"));
    }
    Ok(())
}

/// Takes `/p/<project>` off an API path: `/p/fraud/api/…` is `/api/…` in project `fraud`.
fn take_project_prefix(request: &mut Request) -> Result<()> {
    let uri = request.uri();
    let Some((project, path)) = split_prefix(uri.path()) else { return Ok(()) };
    let project = Project::parse(project)?;
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(
        PathAndQuery::try_from(path_and_query)
            .map_err(|error| Error::invalid("the path is not valid").with_source(error))?,
    );
    let rewritten =
        Uri::from_parts(parts).map_err(|error| Error::invalid("the path is not valid").with_source(error))?;
    *request.uri_mut() = rewritten;
    request.extensions_mut().insert(PrefixProject(project));
    Ok(())
}

/// The text of the project in an API path below `/p/`, and the path without it.
fn split_prefix(path: &str) -> Option<(&str, &str)> {
    let below = path.strip_prefix("/p/")?;
    let (project, path) = below.split_at(below.find('/')?);
    is_api_path(path.strip_prefix('/')?).then_some((project, path))
}

fn without_prefix(path: &str) -> &str {
    split_prefix(path).map_or(path, |(_, path)| path)
}

/// Everything else below `/p/` is a page of the UI.
fn is_api_path(rest: &str) -> bool {
    let first = rest.split('/').next().unwrap_or_default();
    matches!(first, "api" | "ajax-api" | "get-artifact" | "model-versions" | "health" | "version" | "serving" | "v2")
        && (first != "model-versions" || rest == "model-versions/get-artifact")
        || rest == "metrics"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_loopback_names_pass_in_local_mode() {
        let uri = Uri::from_static("/");
        for host in ["localhost", "LOCALHOST:4400", "127.0.0.1:4400", "127.9.9.9", "[::1]:4400"] {
            assert!(check_host(&AllowedHosts::Loopback, &headers(&[("host", host)]), &uri).is_ok(), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""] {
            assert!(check_host(&AllowedHosts::Loopback, &headers(&[("host", host)]), &uri).is_err(), "{host}");
        }
    }

    #[test]
    fn requests_of_other_sites_are_refused_on_unsafe_methods() {
        let own = headers(&[("host", "localhost:4400"), ("origin", "http://localhost:4400")]);
        let other = headers(&[("host", "localhost:4400"), ("origin", "http://evil.example")]);
        let null = headers(&[("host", "localhost:4400"), ("origin", "null")]);
        let fetched = headers(&[("host", "localhost:4400"), ("sec-fetch-site", "same-site")]);
        assert!(check_origin(&Method::POST, &own).is_ok());
        assert!(check_origin(&Method::POST, &headers(&[("host", "localhost:4400")])).is_ok());
        assert!(check_origin(&Method::GET, &other).is_ok());
        for refused in [other, null, fetched] {
            assert!(check_origin(&Method::DELETE, &refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn the_project_prefix_is_taken_off_api_paths_only() {
        let rewrite = |uri: &'static str| {
            let mut request = Request::builder().uri(uri).body(axum::body::Body::empty()).unwrap();
            take_project_prefix(&mut request).map(|()| {
                let project = request.extensions().get::<PrefixProject>().map(|p| p.0.to_string());
                (request.uri().to_string(), project)
            })
        };
        assert_eq!(rewrite("/p/fraud/api/v1/home?x=1").unwrap(), ("/api/v1/home?x=1".into(), Some("fraud".into())));
        for path in ["/serving/scorer/invocations", "/v2/models/scorer/infer"] {
            let uri: &'static str = if path.starts_with("/v2") {
                "/p/fraud/v2/models/scorer/infer"
            } else {
                "/p/fraud/serving/scorer/invocations"
            };
            assert_eq!(rewrite(uri).unwrap(), (path.to_owned(), Some("fraud".into())));
        }
        assert_eq!(rewrite("/p/fraud/metrics").unwrap(), ("/metrics".into(), Some("fraud".into())));
        assert_eq!(rewrite("/p/fraud/runs").unwrap(), ("/p/fraud/runs".into(), None));
        assert_eq!(rewrite("/api/v1/home").unwrap(), ("/api/v1/home".into(), None));
        assert!(rewrite("/p/NO%2e/api/v1/home").is_err());
    }
}
