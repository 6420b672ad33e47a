//! The web UI: built files inside the binary, pre-compressed. Every path that is no API path is a page of the UI.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use lathe_core::Error;
use lathe_http::{RequestId, problem};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../ui/dist"]
struct Dist;

/// What a page may load: only from this server, nothing inline but styles that charts compute.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; \
     connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const NOT_BUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Lathe</title>\
     <h1>Lathe is running</h1><p>This binary holds no web UI. Build it with <code>make ui</code> and start again; \
     the API and all clients work meanwhile.</p>";

/// Answers files of the UI, its start page for every page path, and problem+json for unknown API paths.
pub async fn serve(RequestId(request_id): RequestId, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if is_for_programs(path) || !matches!(method, Method::GET | Method::HEAD) {
        return problem(&Error::not_found(format!("no such path: {method} {path}")), &request_id);
    }
    let name = path.trim_start_matches('/');
    if let Some(response) = file(name, &headers) {
        return response;
    }
    if name.starts_with("assets/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    file("index.html", &headers)
        .unwrap_or_else(|| page(NOT_BUILT.as_bytes().to_vec(), "text/html; charset=utf-8", "no-store"))
}

/// Whether only programs ask for a path: a page would tell them that all is well.
fn is_for_programs(path: &str) -> bool {
    let below_project = path.strip_prefix("/p/").and_then(|below| below.split_once('/')).map(|(_, rest)| rest);
    let path = below_project.unwrap_or_else(|| path.trim_start_matches('/'));
    let first = path.split('/').next().unwrap_or_default();
    matches!(first, "api" | "ajax-api" | "v1" | "v2") || matches!(path, "healthz" | "readyz" | "metrics")
}

fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    if name.is_empty() {
        return None;
    }
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accepts =
        |coding: &str| accepted.split(',').any(|part| part.split(';').next().unwrap_or_default().trim() == coding);
    // Names with a hash never change their content.
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    for (coding, suffix) in [("br", ".br"), ("gzip", ".gz")] {
        if accepts(coding)
            && let Some(packed) = Dist::get(&format!("{name}{suffix}"))
        {
            let mut response = page(packed.data.into_owned(), content_type(name), cache);
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
            return Some(response);
        }
    }
    Dist::get(name).map(|plain| page(plain.data.into_owned(), content_type(name), cache))
}

fn page(body: Vec<u8>, content_type: &'static str, cache: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
    ];
    (headers, body).into_response()
}

/// The types of what Vite writes; nothing else is ever in the folder.
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" => "application/json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_programs_are_no_pages() {
        for path in ["/api", "/api/v1/nothing", "/ajax-api/x", "/v1/traces", "/p/alpha/healthz", "/p/alpha/v1/traces"] {
            assert!(is_for_programs(path), "{path}");
        }
        for path in ["/", "/p/alpha", "/p/alpha/runs/1", "/p/alpha/models/metrics", "/login", "/p/api", "/assets/v1.js"]
        {
            assert!(!is_for_programs(path), "{path}");
        }
    }
}
