//! Lathe's errors as S3's, in one table.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use lathe_core::{Code, Ctx, Error};
use s3s::{S3Error, S3ErrorCode};

/// S3's header for the id of a request. A refusal made here has one; where it is a fault, its cause is in the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// What a request was about, where S3 has a code for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Bucket,
    Key,
    Upload,
}

/// The error as S3 says it; what is Lathe's own fault is logged here and not told.
pub(crate) fn error(ctx: &Ctx, error: Error, what: What) -> S3Error {
    let (code, status) = match error.code() {
        Code::InvalidArgument => (S3ErrorCode::InvalidArgument, None),
        Code::Unauthenticated => (S3ErrorCode::InvalidAccessKeyId, None),
        Code::PermissionDenied => (S3ErrorCode::AccessDenied, None),
        Code::NotFound => match what {
            What::Bucket => (S3ErrorCode::NoSuchBucket, None),
            What::Key => (S3ErrorCode::NoSuchKey, None),
            What::Upload => (S3ErrorCode::NoSuchUpload, None),
        },
        Code::MethodNotAllowed => (S3ErrorCode::MethodNotAllowed, None),
        Code::AlreadyExists => (S3ErrorCode::BucketAlreadyOwnedByYou, None),
        Code::Conflict => (S3ErrorCode::OperationAborted, None),
        Code::PreconditionFailed => (S3ErrorCode::PreconditionFailed, None),
        Code::TooLarge => (S3ErrorCode::EntityTooLarge, None),
        Code::RateLimited => (S3ErrorCode::SlowDown, None),
        Code::Unavailable | Code::TimedOut => (S3ErrorCode::ServiceUnavailable, None),
        // S3 has no word for a full disk.
        Code::OutOfSpace => (S3ErrorCode::Custom("InsufficientStorage".into()), Some(StatusCode::INSUFFICIENT_STORAGE)),
        Code::Internal | Code::ModelFailed => (S3ErrorCode::InternalError, None),
    };
    let is_fault = matches!(
        error.code(),
        Code::Internal | Code::ModelFailed | Code::Unavailable | Code::TimedOut | Code::OutOfSpace
    );
    if is_fault {
        tracing::error!(error = %error.log_line(), request.id = ctx.request_id, "an S3 request could not be served");
    }
    let mut refusal = S3Error::with_message(code, error.message().to_owned());
    if let Some(status) = status {
        refusal.set_status_code(status);
    }
    identify(refusal, &ctx.request_id)
}

/// Why a key pair is not somebody: its token ended, or its project is not there. Nothing is known of the caller yet.
pub(crate) fn caller(error: &Error, request_id: &str) -> S3Error {
    let code = match error.code() {
        Code::Unauthenticated => S3ErrorCode::InvalidAccessKeyId,
        Code::NotFound | Code::PermissionDenied => S3ErrorCode::AccessDenied,
        code => {
            tracing::error!(error = %error.log_line(), request.id = request_id, "an S3 caller could not be resolved");
            if code == Code::Unavailable { S3ErrorCode::ServiceUnavailable } else { S3ErrorCode::InternalError }
        }
    };
    identify(S3Error::with_message(code, error.message().to_owned()), request_id)
}

fn identify(mut refusal: S3Error, request_id: &str) -> S3Error {
    refusal.set_request_id(request_id);
    if let Ok(value) = HeaderValue::from_str(request_id) {
        // The library takes these instead of its own.
        let xml = (header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        refusal.set_headers(HeaderMap::from_iter([xml, (REQUEST_ID, value)]));
    }
    refusal
}
