//! The S3 door: repositories as buckets, for every client that speaks S3.
//!
//! The wire format (operations, XML, signatures, chunked bodies) is the library s3s's. This crate says what an address means
//! (`address`), checks bodies before they are published (`body`), and turns errors into S3's (`refuse`). It listens on a port
//! of its own, and every request must be signed with a key pair of `lathe-access`.
//!
//! Left out, and answered `NotImplemented`: access control lists, tags, versioning switches, policies, website, object
//! lock and forms: people, roles and commits stand for them here.

mod address;
mod body;
mod buckets;
mod checksums;
mod completion;
mod completions;
mod copy;
mod door;
mod forms;
mod late;
mod listing;
mod messages;
mod objects;
mod ranges;
mod refuse;
mod tagging;
mod unsupported;
mod upload_pages;
mod uploads;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use lathe_access::Access;
use lathe_data::Data;
use lathe_http::HttpMetrics;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};

/// What the door serves.
#[derive(Debug, Clone)]
pub struct S3State {
    /// Key pairs to contexts.
    pub access: Access,
    /// Repositories.
    pub data: Data,
}

/// The door as an HTTP application.
pub fn router(state: S3State, metrics: HttpMetrics) -> Router {
    let door = door::Door::new(state.clone());
    let mut builder = S3ServiceBuilder::new(door.clone());
    builder.set_route(ranges::IgnoredRanges::new(door));
    builder.set_auth(door::Keys { access: state.access });
    let mut config = S3Config::default();
    // Forms are refused before they get there; the library would read them into memory before it looks who sends them.
    config.post_object_max_file_size = 0;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_access(door::Signed);
    let service = builder.build();
    let served = Router::new().fallback(move |request: Request| serve(service.clone(), metrics.clone(), request));
    lathe_http::frame::guard_bodies(served)
}

async fn serve(service: S3Service, metrics: HttpMetrics, request: Request) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    if forms::is_form(&request) {
        let response = forms::refuse();
        metrics.observe(method.as_str(), "s3", response.status().as_u16(), started.elapsed());
        return response;
    }
    let has_body =
        [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].iter().any(|name| request.headers().contains_key(name));
    // The length of a body is lost in the layers above, and a signature is of a body of known length.
    let request = request.map(|body| if has_body { s3s::Body::http_body_unsync(body) } else { s3s::Body::empty() });
    let response = match service.call(request).await {
        Ok(response) => {
            // The library's own lines are left out: it logs clients' mistakes alike.
            if is_unlogged_fault(&response) {
                let status = response.status().as_u16();
                tracing::error!(status, method = method.as_str(), "an S3 request failed");
            }
            messages::explained(late::well_formed(response.map(Body::new))).await
        }
        Err(error) => {
            tracing::error!(error = ?error, "an S3 request failed before it could be answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    metrics.observe(method.as_str(), "s3", response.status().as_u16(), started.elapsed());
    response
}

/// Whether a request failed by the library: what `refuse` makes of an error is logged there with its cause, or is a client's matter, as to slow
/// down is.
fn is_unlogged_fault<B>(response: &Response<B>) -> bool {
    let status = response.status();
    status.is_server_error()
        && status != StatusCode::NOT_IMPLEMENTED
        && !response.headers().contains_key(refuse::REQUEST_ID)
}

#[cfg(test)]
mod tests {
    use lathe_core::{Actor, Clock, Code, Ctx, Error, Grant, Project};
    use s3s::{S3Error, s3_error};

    use super::*;

    fn answered(refusal: S3Error) -> Response<s3s::Body> {
        refusal.to_http_response().unwrap()
    }

    #[test]
    fn a_fault_that_was_logged_with_its_cause_is_not_logged_again() {
        let ctx = Ctx {
            actor: Actor::user("tester"),
            project: Project::default_project(),
            grant: Grant::ALL,
            request_id: "some-id".to_owned(),
            clock: Clock::fixed(0),
            once: None,
        };
        for (code, status) in [
            (Code::Internal, 500),
            (Code::Unavailable, 503),
            (Code::RateLimited, 503),
            (Code::OutOfSpace, 507),
            (Code::NotFound, 404),
        ] {
            let made = answered(refuse::error(&ctx, Error::new(code, "why"), refuse::What::Key));
            assert_eq!((made.status().as_u16(), is_unlogged_fault(&made)), (status, false), "{code:?}");
            assert_eq!(
                (&made.headers()[refuse::REQUEST_ID], &made.headers()["content-type"]),
                (&"some-id".parse().unwrap(), &"application/xml".parse().unwrap())
            );
        }
        assert!(!is_unlogged_fault(&answered(refuse::caller(&Error::new(Code::Unavailable, "why"), "some-id"))));
        assert!(is_unlogged_fault(&answered(s3_error!(InternalError))));
        assert!(!is_unlogged_fault(&answered(s3_error!(NotImplemented))));
    }
}
