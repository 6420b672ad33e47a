//! Ranges that HTTP wants to be ignored: of a unit that is not bytes, of several parts, or not well-formed (RFC 9110, section
//! 14.2). The library refuses them. Such a request is checked as any other and then served once more without its range, by a
//! door that takes the caller as known.

use async_trait::async_trait;
use http::{Extensions, HeaderMap, Method, Request, Uri, header};
use s3s::auth::Credentials;
use s3s::dto::Range;
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Request, S3Response, S3Result, s3_error};

use crate::door::{Door, admit};

/// Serves requests whose range is to be ignored.
pub(crate) struct IgnoredRanges {
    known: S3Service,
}

impl IgnoredRanges {
    pub(crate) fn new(door: Door) -> Self {
        // Without authentication of its own: it is reached only from here.
        Self { known: S3ServiceBuilder::new(door).build() }
    }
}

#[async_trait]
impl S3Route for IgnoredRanges {
    fn is_match(&self, method: &Method, _: &Uri, headers: &HeaderMap, _: &mut Extensions) -> bool {
        let is_read = *method == Method::GET || *method == Method::HEAD;
        is_read && headers.get(header::RANGE).is_some_and(|range| !is_usable(range.to_str().unwrap_or_default()))
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        admit(request.credentials.is_some(), &request.uri, &request.headers)
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let S3Request { method, uri, mut headers, credentials, .. } = request;
        let credentials: Credentials = credentials.ok_or_else(|| s3_error!(AccessDenied, "sign the request"))?;
        for name in [header::RANGE, header::AUTHORIZATION] {
            headers.remove(name);
        }
        let mut unsigned = Request::new(Body::empty());
        *unsigned.method_mut() = method;
        *unsigned.uri_mut() = without_signature(&uri)?;
        *unsigned.headers_mut() = headers;
        unsigned.extensions_mut().insert(credentials);
        let response = self.known.call(unsigned).await.map_err(|error| {
            tracing::error!(error = ?error, "an S3 request failed before it could be answered");
            s3_error!(InternalError)
        })?;
        let (parts, body) = response.into_parts();
        let mut response = S3Response::with_status(body, parts.status);
        response.headers = parts.headers;
        Ok(response)
    }
}

/// Whether the range is one of bytes; one that no file has is refused later.
fn is_usable(range: &str) -> bool {
    range.is_empty() || Range::parse(range).is_ok()
}

/// The address without what signs it.
fn without_signature(uri: &Uri) -> S3Result<Uri> {
    let is_kept = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        !name.to_ascii_lowercase().starts_with("x-amz-") && !["AWSAccessKeyId", "Signature", "Expires"].contains(&name)
    };
    let query = uri.query().unwrap_or_default().split('&').filter(is_kept).collect::<Vec<_>>().join("&");
    let address = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
    address.parse().map_err(|_| s3_error!(InvalidURI, "the address cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_usable() {
        for range in ["bytes=0-1", "bytes=5-", "bytes=-3", "bytes=900-901"] {
            assert!(is_usable(range), "{range}");
        }
        for range in ["bytes=0-1,3-4", "lines=1-2", "bytes=9-1", "bytes=x"] {
            assert!(!is_usable(range), "{range}");
        }
    }

    #[test]
    fn signatures_of_both_versions_are_left_out_of_an_address() {
        let kept = |query: &str| without_signature(&format!("/a/b?{query}").parse().unwrap()).unwrap().to_string();
        assert_eq!(kept("X-Amz-Signature=1&versionId=2&X-Amz-Expires=3"), "/a/b?versionId=2");
        assert_eq!(kept("AWSAccessKeyId=1&Signature=2&Expires=3"), "/a/b");
    }
}
