//! The web UI: built files inside the binary, pre-compressed. Every path that is no API path is a page of the UI.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use lathe_core::Error;
use lathe_http::problem;
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
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let is_api = ["/api/", "/ajax-api/"].iter().any(|prefix| path.starts_with(prefix));
    if is_api || !matches!(method, Method::GET | Method::HEAD) {
        return problem(&Error::not_found(format!("no such path: {method} {path}")), "");
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
